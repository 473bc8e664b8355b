"""DICOM files are shown as the file asks: window, rescaling, and bright for dense."""

import contextlib
import sys
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import pixels as pixel_tools
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from tests.conftest import assert_told
from xai_tf.errors import InputError
from xai_tf.inputs.dicom import read_dicom
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.sample import read_image

SIDE = 64
# The files that come with pydicom; its own search would download more.
FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def ramp(low=0, high=4095):
    """Levels that rise from left to right."""
    return np.tile(np.linspace(low, high, SIDE), (SIDE, 1)).round()


def dicom(path, pixels, syntax=ExplicitVRLittleEndian, **fields):
    """Write a DICOM file: 16 bits gray, or 8 bits RGB where the pixels have three channels."""
    color = pixels.shape[-1] == 3
    signed = pixels.min() < 0
    pixels = pixels.astype(np.uint8 if color else np.int16 if signed else np.uint16)
    frames = pixels.shape[0] if pixels.ndim == 3 and not color else None
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.Rows, dataset.Columns = pixels.shape[:2] if color else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if color else 1
    dataset.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    bits = 8 if color else 16
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(signed)
    if color:
        dataset.PlanarConfiguration = 0
    if frames:
        dataset.NumberOfFrames = frames
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB" if color else "OW"
    for name, value in fields.items():
        setattr(dataset, name, value)
    if syntax == RLELossless:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.compress(RLELossless)
    dataset.save_as(path, enforce_file_format=True)
    return path


def read(path):
    return read_image(path, (SIDE, SIDE))[0]


def levels(path):
    return read(path).image[0, :, 0]


def test_the_window_of_the_file_is_applied(tmp_path):
    path = dicom(tmp_path / "a.dcm", ramp(), WindowCenter=1000, WindowWidth=400)

    level = levels(path)

    raw = ramp()[0]
    assert (level[raw < 790] == 0).all()
    assert (level[raw > 1210] == 1).all()
    assert abs(np.interp(1000, raw, level) - 0.5) < 0.02


def test_a_window_wider_than_the_picture_is_applied_too(tmp_path):
    path = dicom(tmp_path / "a.dcm", ramp(900, 1100), WindowCenter=1000, WindowWidth=2000)

    level = levels(path)

    assert abs(level.min() - 0.45) < 0.01
    assert abs(level.max() - 0.55) < 0.01


def test_of_several_windows_the_first_is_applied(tmp_path):
    path = dicom(tmp_path / "a.dcm", ramp(), WindowCenter=[1000, 3000], WindowWidth=[400, 100])

    assert abs(np.interp(1000, ramp()[0], levels(path)) - 0.5) < 0.02


def test_monochrome1_is_turned_round(tmp_path):
    dark_is_low = dicom(tmp_path / "a.dcm", ramp())
    dark_is_high = dicom(tmp_path / "b.dcm", ramp(), PhotometricInterpretation="MONOCHROME1")

    assert (np.diff(levels(dark_is_low)) >= 0).all()
    assert np.allclose(levels(dark_is_low) + levels(dark_is_high), 1, atol=1e-6)


def test_monochrome1_with_a_window_is_turned_round_after_the_window(tmp_path):
    window = {"WindowCenter": 1000, "WindowWidth": 400}
    turned = dicom(tmp_path / "a.dcm", ramp(), PhotometricInterpretation="MONOCHROME1", **window)

    level = levels(turned)

    assert (level[ramp()[0] < 790] == 1).all()
    assert (level[ramp()[0] > 1210] == 0).all()


def test_slope_and_intercept_come_before_the_window(tmp_path):
    hounsfield = {"RescaleSlope": 2, "RescaleIntercept": -1024, "RescaleType": "HU"}
    path = dicom(tmp_path / "a.dcm", ramp(), WindowCenter=40, WindowWidth=400, **hounsfield)

    level = levels(path)

    units = ramp()[0] * 2 - 1024
    assert (level[units < -170] == 0).all()
    assert (level[units > 250] == 1).all()
    assert abs(np.interp(40, units, level) - 0.5) < 0.2


def test_signed_levels_read(tmp_path):
    path = dicom(tmp_path / "a.dcm", ramp(-1000, 1000), WindowCenter=0, WindowWidth=1000)

    level = levels(path)

    assert (level[ramp(-1000, 1000)[0] < -510] == 0).all()
    assert (level[ramp(-1000, 1000)[0] > 510] == 1).all()


def test_without_a_window_the_picture_fills_the_range(tmp_path):
    level = levels(dicom(tmp_path / "a.dcm", ramp(500, 1500)))

    assert level.min() == 0
    assert level.max() == 1
    assert abs(np.median(level) - 0.5) < 0.02


def test_without_a_window_one_wild_pixel_does_not_darken_the_rest(tmp_path):
    pixels = ramp(500, 1500)
    pixels[0, 0] = 60_000

    image = read(dicom(tmp_path / "a.dcm", pixels)).image

    assert abs(np.median(image) - 0.5) < 0.02


def test_a_flat_picture_reads(tmp_path):
    level = levels(dicom(tmp_path / "a.dcm", np.full((SIDE, SIDE), 700)))

    assert np.isfinite(level).all()


def test_of_several_frames_the_middle_one_is_read(tmp_path):
    frames = np.zeros((5, SIDE, SIDE))
    frames[2] = ramp()

    level = levels(dicom(tmp_path / "a.dcm", frames))

    assert level[0] == 0
    assert level[-1] == 1


def test_rgb_keeps_its_colors(tmp_path):
    pixels = np.zeros((SIDE, SIDE, 3))
    pixels[:, :32] = (255, 0, 0)
    pixels[:, 32:] = (0, 0, 255)

    sample = read(dicom(tmp_path / "a.dcm", pixels))

    assert (sample.image[:, :32] == (1, 0, 0)).all()
    assert (sample.image[:, 32:] == (0, 0, 1)).all()
    assert not sample.gray


def test_of_several_rgb_frames_the_middle_one_is_read(tmp_path):
    frames = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    frames[1] = (0, 255, 0)
    path = dicom(tmp_path / "a.dcm", frames[1], NumberOfFrames=3, PixelData=frames.tobytes())

    assert (read(path).image == (0, 1, 0)).all()


def test_a_radiograph_is_gray(tmp_path):
    assert read(dicom(tmp_path / "a.dcm", ramp())).gray


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, RLELossless])
def test_other_ways_of_writing_give_the_same_picture(tmp_path, syntax):
    plain = dicom(tmp_path / "a.dcm", ramp())
    other = dicom(tmp_path / "b.dcm", ramp(), syntax)

    assert (read(plain).image == read(other).image).all()


def test_dicom_is_recognized_without_its_ending(tmp_path):
    plain = dicom(tmp_path / "a.dcm", ramp())
    unnamed = tmp_path / "IM000001"
    unnamed.write_bytes(plain.read_bytes())

    assert (read(plain).image == read(unnamed).image).all()


def lut(values, bits, first=0):
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.LUTData = np.asarray(values, np.uint16).tobytes()
    item["LUTData"].VR = "OW"
    return item


def group(**modules):
    item = Dataset()
    for name, fields in modules.items():
        module = Dataset()
        for field, value in fields.items():
            setattr(module, field, value)
        setattr(item, name, [module])
    return item


def test_a_sigmoid_window_is_one(tmp_path):
    window = {"WindowCenter": 1500, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"}

    level = levels(dicom(tmp_path / "a.dcm", ramp(), **window))

    assert np.allclose(level, 1 / (1 + np.exp(-4 * (ramp()[0] - 1500) / 1000)), atol=1e-6)


def test_an_exact_window_reaches_from_edge_to_edge(tmp_path):
    window = {"WindowCenter": 2, "WindowWidth": 4, "VOILUTFunction": "LINEAR_EXACT"}

    level = levels(dicom(tmp_path / "a.dcm", ramp(0, 8), **window))

    assert np.allclose(level, np.clip(ramp(0, 8)[0] / 4, 0, 1), atol=1e-6)


def test_a_window_of_width_one_is_a_threshold(tmp_path):
    path = dicom(tmp_path / "a.dcm", ramp(), WindowCenter=1500, WindowWidth=1)

    assert (levels(path) == (ramp()[0] > 1499.5)).all()


@pytest.mark.parametrize("width", [0, 0.5, -3])
def test_an_invalid_window_does_not_count_and_that_is_reported(tmp_path, width):
    plain = dicom(tmp_path / "a.dcm", ramp())
    path = dicom(tmp_path / "b.dcm", ramp(), WindowCenter=1500, WindowWidth=width)

    assert (levels(path) == levels(plain)).all()
    assert "no valid window" in read(path).warnings[0]


def test_a_guessed_window_is_reported(tmp_path):
    (warning,) = read(dicom(tmp_path / "a.dcm", ramp(500, 1500))).warnings

    assert "from 500 (black) to 1500 (white)" in warning


def test_padding_is_black_and_does_not_count_for_the_window(tmp_path):
    pixels = ramp(500, 1500)
    pixels[:, :20] = -2000
    path = dicom(tmp_path / "a.dcm", pixels, PixelPaddingValue=-2000)

    level = levels(path)

    low, high = np.percentile(pixels[:, 20:], (0.5, 99.5))
    expected = np.clip((pixels[0] - low) / (high - low), 0, 1)
    assert np.allclose(level, expected, atol=1e-6)


def test_a_range_of_padding_is_black_in_monochrome1_too(tmp_path):
    pixels = ramp(500, 1500)
    pixels[:, :10], pixels[:, 10:20] = 4090, 4095
    padding = {"PixelPaddingValue": 4090, "PixelPaddingRangeLimit": 4095}
    path = dicom(tmp_path / "a.dcm", pixels, PhotometricInterpretation="MONOCHROME1", **padding)

    level = levels(path)

    assert (level[:20] == 0).all()
    assert level[20] > 0.9
    assert level[-1] == 0


def test_a_voi_lut_is_applied_with_its_own_range(tmp_path):
    falling = 65535 - np.arange(4096) * 16
    path = dicom(tmp_path / "a.dcm", ramp(0, 3470), VOILUTSequence=[lut(falling, 16)])

    assert np.allclose(levels(path), falling[ramp(0, 3470)[0].astype(int)] / 65535, atol=1e-6)


def test_a_voi_lut_that_declares_more_bits_than_it_fills_reaches_white(tmp_path):
    rising = np.minimum(np.arange(4096) * 2, 4095)
    path = dicom(tmp_path / "a.dcm", ramp(), VOILUTSequence=[lut(rising, 16)])

    assert np.allclose(levels(path), rising[ramp()[0].astype(int)] / 4095, atol=1e-6)


@pytest.mark.parametrize(("first", "kind"), [(-1024, "SS"), (64512, "US")])
def test_a_voi_lut_comes_after_the_rescaling_and_may_start_below_zero(tmp_path, first, kind):
    rising = np.arange(2048) * 2
    table = lut(rising, 12, first)
    table["LUTDescriptor"].VR = kind  # unsigned pixels make some programs write -1024 as unsigned
    fields = {"RescaleSlope": 0.5, "RescaleIntercept": -1024, "RescaleType": "HU"}
    path = dicom(tmp_path / "a.dcm", ramp(), VOILUTSequence=[table], **fields)

    expected = rising[np.rint(ramp()[0] / 2).astype(int).clip(0, 2047)] / 4095
    assert np.abs(levels(path) - expected).max() < 1.1 * 2 / 4095


def test_a_modality_lut_comes_before_the_window(tmp_path):
    square = np.arange(4096) ** 2 // 256
    table = lut(square, 16)
    table.ModalityLUTType = "US"
    window = {"WindowCenter": 20000, "WindowWidth": 40000}
    path = dicom(tmp_path / "a.dcm", ramp(), ModalityLUTSequence=[table], **window)

    expected = np.clip((square[ramp()[0].astype(int)] - 0.5) / 39999, 0, 1)
    assert np.allclose(levels(path), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("polarity", "shape", "turned"),
    [
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "INVERSE", True),
    ],
)
def test_an_inverse_presentation_is_one_inversion(tmp_path, polarity, shape, turned):
    plain = dicom(tmp_path / "a.dcm", ramp())
    fields = {"PhotometricInterpretation": polarity, "PresentationLUTShape": shape}
    path = dicom(tmp_path / "b.dcm", ramp(), **fields)

    expected = 1 - levels(plain) if turned else levels(plain)
    assert np.allclose(levels(path), expected, atol=1e-6)


@pytest.mark.parametrize("where", ["Shared", "PerFrame"])
def test_rescaling_and_window_of_functional_groups_are_applied(tmp_path, where):
    item = group(
        PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -1000},
        FrameVOILUTSequence={"WindowCenter": 2500, "WindowWidth": 500},
    )
    groups = {f"{where}FunctionalGroupsSequence": [item] * (1 if where == "Shared" else 3)}
    path = dicom(tmp_path / "a.dcm", np.stack([ramp()] * 3), **groups)

    expected = np.clip((2 * ramp()[0] - 1000 - 2499.5) / 499 + 0.5, 0, 1)
    assert np.allclose(levels(path), expected, atol=1e-6)


def test_the_groups_of_the_frame_that_is_read_count(tmp_path):
    shared = group(FrameVOILUTSequence={"WindowCenter": 10, "WindowWidth": 10})
    centers = (1000, 2000, 3000)
    items = [group(FrameVOILUTSequence={"WindowCenter": c, "WindowWidth": 400}) for c in centers]
    groups = {
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": items,
    }
    path = dicom(tmp_path / "a.dcm", np.stack([ramp()] * 3), **groups)

    for number, center in enumerate(centers, 1):
        (sample,) = read_image(path, (SIDE, SIDE), ReadOptions(frame=number))
        assert abs(np.interp(center, ramp()[0], sample.image[0, :, 0]) - 0.5) < 0.02
        assert sample.warnings == (f"Frame {number} of 3 was read.",)


def test_a_frame_that_is_not_there_is_refused(tmp_path):
    path = dicom(tmp_path / "a.dcm", np.stack([ramp()] * 3))

    with pytest.raises(InputError) as caught:
        read_image(path, (SIDE, SIDE), ReadOptions(frame=4))

    assert_told(caught.value, path, "it has 3 frames", "Choose a frame from 1 to 3")


@pytest.mark.parametrize("planar", [0, 1])
def test_ybr_is_converted_to_rgb(tmp_path, planar):
    rgb = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    ybr = pixel_tools.convert_color_space(rgb, "RGB", "YBR_FULL")
    stored = np.moveaxis(ybr, -1, 0) if planar else ybr
    fields = {"PhotometricInterpretation": "YBR_FULL", "PlanarConfiguration": planar}
    path = dicom(tmp_path / "a.dcm", ybr, PixelData=stored.tobytes(), **fields)

    assert np.abs(read(path).image - rgb / 255).max() < 3 / 255


def test_a_file_without_a_preamble_is_read(tmp_path):
    plain = dicom(tmp_path / "a.dcm", ramp())
    (tmp_path / "b.dcm").write_bytes(plain.read_bytes()[132:])

    assert (levels(tmp_path / "b.dcm") == levels(plain)).all()


def floats(path, pixels, **fields):
    """Write a DICOM file of float pixels."""
    dataset = pydicom.dcmread(dicom(path, ramp()))
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.BitsAllocated = 32
    dataset.FloatPixelData = pixels.astype(np.float32).tobytes()
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


def test_float_pixels_are_shown_by_their_window_or_without_one(tmp_path):
    window = {"WindowCenter": 0, "WindowWidth": 1, "VOILUTFunction": "LINEAR_EXACT"}
    with_window = floats(tmp_path / "a.dcm", ramp() / 4095 - 0.5, **window)
    without = floats(tmp_path / "b.dcm", ramp() / 4095 - 0.5)

    assert np.allclose(levels(with_window), ramp()[0] / 4095, atol=1e-6)
    assert np.abs(levels(without) - levels(with_window)).max() < 0.02
    assert "no valid window" in read(without).warnings[0]


def test_broken_floats_are_counted(tmp_path):
    pixels = np.ones((SIDE, SIDE))
    pixels[0, :3] = np.nan
    path = floats(tmp_path / "a.dcm", pixels)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "3 of its 4096 pixels are NaN", "Replace them")


def window_range(dataset):
    """The ends of the output of pydicom's window: the range of all possible levels."""
    if dataset.get("ModalityLUTSequence"):
        return 0, 2 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    return tuple(float(end * slope + intercept) for end in ends)


def reference(dataset):
    """The middle frame by pydicom's own functions, in [0, 1]."""
    frames = pixel_tools.pixel_array(dataset, raw=True)
    num_frames = int(dataset.get("NumberOfFrames", 1) or 1)
    frame = frames[num_frames // 2] if num_frames > 1 else frames
    kind = dataset.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        colors = pixel_tools.apply_color_lut(frame, dataset)
        return colors / np.iinfo(colors.dtype).max
    if dataset.SamplesPerPixel == 3:
        if kind in ("YBR_FULL", "YBR_FULL_422"):
            frame = pixel_tools.convert_color_space(frame, kind, "RGB")
        return frame / (2**dataset.BitsStored - 1)
    levels_ = pixel_tools.apply_modality_lut(frame, dataset)
    padding = frame == dataset.get("PixelPaddingValue", np.nan)
    if dataset.get("WindowWidth"):
        low, high = window_range(dataset)
        levels_ = pixel_tools.apply_voi_lut(levels_, dataset)
    else:
        low, high = np.percentile(levels_[~padding], (0.5, 99.5))
    shown = np.clip((levels_ - low) / ((high - low) or 1), 0, 1)
    return np.where(padding, 0, 1 - shown if kind == "MONOCHROME1" else shown)


def decodable():
    """The files that come with pydicom and that its decoders here read."""
    found = []
    for name in sorted(FILES.rglob("*.dcm")):
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(name)
            pixel_tools.pixel_array(dataset, index=0)
            found.append(name)
    return found


@pytest.mark.parametrize("name", decodable(), ids=lambda path: path.name)
def test_the_files_of_pydicom_are_shown_as_its_functions_show_them(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference(pydicom.dcmread(name))

    shown = read_dicom(name).levels

    assert shown.shape == expected.shape
    assert shown.dtype == np.float32
    assert np.abs(shown - expected).max() < 1 / 255


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("MR_small_jpeg_ls_lossless.dcm", "JPEG-LS Lossless"),
        ("MR_small_jp2klossless.dcm", "JPEG 2000 Image Compression (Lossless Only)"),
    ],
)
def test_a_missing_decoder_is_named_with_its_extra(name, syntax, monkeypatch):
    path = FILES / name
    uid = pydicom.dcmread(path).file_meta.TransferSyntaxUID
    decoder = pixel_tools.get_decoder(uid)
    monkeypatch.setattr(decoder, "_available", {})

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, syntax, "pip install 'xai-tf[dicom]'")


def test_a_kind_of_compression_that_no_decoder_supports_is_named():
    path = FILES / "JPGExtended.dcm"

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "JPEG Extended", "xport it again, uncompressed.")


def test_without_decoders_the_extra_is_named(monkeypatch):
    for module in ("gdcm", "pylibjpeg"):
        monkeypatch.setitem(sys.modules, module, None)
    path = FILES / "JPEG-lossy.dcm"

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "JPEG Extended", "pip install 'xai-tf[dicom]'")


@pytest.mark.parametrize("name", ["rtplan.dcm", "test-SR.dcm", "nested_priv_SQ.dcm"])
def test_dicom_that_holds_no_picture_is_called_so(name):
    path = FILES / name

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "contains no picture", "Export it again")


def _text(path):
    path.write_text("Dear all,\n" * 50)


def _cut_off(path):
    dicom(path, ramp())
    path.write_bytes(path.read_bytes()[:2000])


def _header_only(path):
    dicom(path, ramp())
    path.write_bytes(path.read_bytes()[:140])


def _no_picture(path):
    dataset = pydicom.dcmread(dicom(path, ramp()))
    del dataset.PixelData
    dataset.save_as(path)


BAD = {
    "text": (_text, "is not a DICOM file", "Give DICOM, PNG or JPEG"),
    "cut off": (_cut_off, "DICOM", "Export it again"),
    "header only": (_header_only, "DICOM", "Export it again"),
    "no picture": (_no_picture, "DICOM", "Export it again"),
    "empty": (lambda path: path.touch(), "empty (0 bytes)", "Copy or export it again"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named_with_its_cause_and_the_next_step(tmp_path, case):
    make, cause, next_step = BAD[case]
    path = tmp_path / "a.dcm"
    make(path)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, cause, next_step)
