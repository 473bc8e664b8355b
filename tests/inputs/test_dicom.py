"""DICOM files are shown as the file asks: window, rescaling, and bright for dense."""

import numpy as np
import pydicom
import pytest
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
from xai_tf.inputs.sample import read_image

SIDE = 64


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
