"""Pictures of every format and depth become the same kind of sample; bad ones become words."""

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import assert_told
from xai_tf.errors import InputError
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.pixels import white_level
from xai_tf.inputs.sample import FULL_SIDE, LUMA, read_full_size, read_image

SIZE = (224, 224)


def quarters(side=32):
    """A picture of four flat colors: red and green above, blue and gray below."""
    pixels = np.zeros((side, side, 3), np.uint8)
    half = side // 2
    pixels[:half, :half] = (255, 0, 0)
    pixels[:half, half:] = (0, 255, 0)
    pixels[half:, :half] = (0, 0, 255)
    pixels[half:, half:] = (128, 128, 128)
    return pixels


def middles(image):
    """The colors in the middle of the four quarters, row by row."""
    height, width = image.shape[0] // 4, image.shape[1] // 4
    return np.array([image[y, x] for y in (height, 3 * height) for x in (width, 3 * width)])


def save(path, pixels, **how):
    Image.fromarray(pixels).save(path, **how)
    return path


def read(path):
    return read_image(path, SIZE)[0]


def png_of_size(width, height):
    """A PNG of a few bytes whose header claims any size."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "how", "tolerance"),
    [
        ("a.png", {}, 0),
        ("a.bmp", {}, 0),
        ("a.tif", {}, 0),
        ("a.tiff", {"compression": "tiff_lzw"}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("a.jpg", {"quality": 95, "subsampling": 0}, 0.02),
        ("a.jpeg", {"quality": 95, "subsampling": 0, "progressive": True}, 0.02),
        ("A.PNG", {}, 0),
    ],
)
def test_every_format_reads_to_the_same_colors(tmp_path, name, how, tolerance):
    path = save(tmp_path / name, quarters(), **how)

    image = read(path).image

    assert image.shape == (224, 224, 3)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert image.max() <= 1
    expected = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)]) / 255
    assert np.abs(middles(image) - expected).max() <= tolerance + 1e-6


def test_a_picture_of_the_right_size_keeps_every_pixel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)

    image = read(save(tmp_path / "a.png", pixels)).image

    assert (np.rint(image * 255) == pixels).all()


def test_a_sample_tells_its_file_and_hash(tmp_path):
    path = save(tmp_path / "a.png", quarters())

    sample = read(path)

    assert sample.source == path
    assert sample.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sample.label is None
    assert sample.sound is None
    assert sample.warnings == ()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_rotation_is_applied_and_reported(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to look at me"
    how = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    how |= {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", quarters(), exif=exif, **how)

    sample = read(path)

    expected = np.rot90(quarters(), -1)[[8, 8, 24, 24], [8, 24, 8, 24]] / 255
    assert np.abs(middles(sample.image) - expected).max() < 0.02
    # Keras gives the picture as it is stored, but for TIFF, which Pillow itself turns.
    told = ["EXIF orientation (6)" in text for text in sample.warnings]
    assert told == [True] * (suffix != "tif")


def test_16_bit_gray_keeps_its_order_and_range(tmp_path):
    ramp = np.linspace(0, 65535, 224 * 224).astype(np.uint16).reshape(224, 224)

    image = read(save(tmp_path / "a.png", ramp)).image

    flat = image[..., 0].ravel()
    assert (np.diff(flat) > 0).all()
    assert flat[0] == 0
    assert flat[-1] == 1
    assert (image == image[..., :1]).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_12_bit_gray_in_16_bits_reaches_white(tmp_path, suffix):
    ramp = np.linspace(0, 4095, 224 * 224).astype(np.uint16).reshape(224, 224)

    image = read(save(tmp_path / f"a.{suffix}", ramp)).image

    assert image.min() == 0
    assert image.max() == 1
    assert abs(image.mean() - 0.5) < 0.001


@pytest.mark.parametrize(
    ("brightest", "white"),
    [(0, 255), (200, 255), (256, 1023), (4095, 4095), (4096, 16383), (40000, 65535), (1e6, 1e6)],
)
def test_white_is_the_largest_value_of_the_smallest_depth(brightest, white):
    assert white_level(np.array([0, brightest], np.float32)) == white


def test_a_palette_reads_to_its_colors(tmp_path):
    Image.fromarray(quarters()).convert("P", palette=Image.Palette.ADAPTIVE).save(
        tmp_path / "a.png"
    )

    colors = middles(read(tmp_path / "a.png").image)

    assert np.abs(colors - middles(quarters()) / 255).max() < 0.02


def test_black_and_white_of_one_bit_reads(tmp_path):
    Image.fromarray(quarters()[..., 0] > 200).save(tmp_path / "a.png")

    assert (middles(read(tmp_path / "a.png").image)[:, 0] == [1, 0, 0, 0]).all()


def test_a_float_tiff_in_0_1_keeps_its_values(tmp_path):
    levels = np.linspace(0, 0.5, 224 * 224, dtype=np.float32).reshape(224, 224)

    image = read(save(tmp_path / "a.tif", levels)).image

    assert np.allclose(image[..., 1], levels)


def test_a_float_tiff_of_larger_numbers_is_scaled_by_its_depth(tmp_path):
    levels = np.linspace(0, 4095, 224 * 224, dtype=np.float32).reshape(224, 224)

    image = read(save(tmp_path / "a.tif", levels)).image

    assert np.allclose(image[..., 1], levels / 4095)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_picture_without_color_is_gray(tmp_path, channels):
    column = np.arange(64, dtype=np.uint8).reshape(64, 1, *(1 for _ in channels))
    pixels = np.broadcast_to(column, (64, 64, *channels))

    sample = read(save(tmp_path / "a.png", pixels))

    assert sample.gray
    assert (sample.image == sample.image[..., :1]).all()


def test_a_picture_with_one_spot_of_color_is_not_gray(tmp_path):
    pixels = np.full((64, 64, 3), 100, np.uint8)
    pixels[30:34, 30:34] = (200, 100, 100)

    assert not read(save(tmp_path / "a.png", pixels)).gray


def test_the_whole_picture_is_squeezed_whatever_its_aspect(tmp_path):
    wide = np.repeat(np.repeat(quarters(), 4, axis=0), 20, axis=1)

    image = read(save(tmp_path / "a.png", wide)).image

    assert np.allclose(middles(image), middles(quarters()) / 255, atol=1e-3)


def test_a_very_long_picture_is_fine(tmp_path):
    long = np.zeros((20, 20_000, 3), np.uint8)
    long[:, 10_000:] = 255

    image = read(save(tmp_path / "a.png", long)).image

    assert (image[:, :100] == 0).all()
    assert (image[:, 124:] == 1).all()


def test_the_picture_is_read_whole_to_any_size(tmp_path):
    path = save(tmp_path / "a.png", quarters())

    (sample,) = read_image(path, (64, 96))

    assert sample.image.shape == (64, 96, 3)


@pytest.mark.parametrize("resize", ["bicubic", "lanczos"])
def test_a_resizer_that_overshoots_stays_in_the_range(tmp_path, resize):
    path = save(tmp_path / "a.png", quarters())

    image = read_image(path, SIZE, ReadOptions(resize=resize))[0].image

    assert image.min() == 0
    assert image.max() == 1


def test_gray_is_weighed_as_pillow_does():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)

    gray = np.asarray(Image.fromarray(pixels).convert("L"))

    assert sum(LUMA) == pytest.approx(1)
    assert np.abs(pixels @ np.array(LUMA) - gray).max() <= 1


def _folder(path):
    path.mkdir()


def _cut_off(path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:4000])


def _broken_png(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)


OPEN_FILES = Path("/proc/self/fd")  # of this process, on Linux
BAD = {
    "missing": ("a.png", lambda path: None, "no file", "Check the name"),
    "folder": ("a.png", _folder, "is not a file", "Give a single file"),
    "empty": ("a.png", lambda path: path.touch(), "empty (0 bytes)", "Copy or export it again"),
    "text": (
        "a.png",
        lambda path: path.write_text("Dear all,\n" * 50),
        "not a picture",
        "Give PNG",
    ),
    "zeros": ("a.png", lambda path: path.write_bytes(bytes(5000)), "not a picture", "Give PNG"),
    "cut off": ("a.jpg", _cut_off, "truncated", "Copy or export it again"),
    "broken": ("a.png", _broken_png, "damaged", "Copy or export it again"),
    "header only": (
        "a.png",
        lambda path: path.write_bytes(png_of_size(64, 64)[:33]),
        "the PNG picture is damaged or truncated",
        "Copy or export it again",
    ),
    "bomb": (
        "a.png",
        lambda path: path.write_bytes(png_of_size(30_000, 30_000)),
        "100 megapixels",
        "Scale it down",
    ),
    "large": (
        "a.png",
        lambda path: path.write_bytes(png_of_size(12_000, 12_000)),
        "100 megapixels",
        "Scale it down",
    ),
    "one pixel": (
        "a.png",
        lambda path: save(path, np.zeros((1, 1, 3), np.uint8)),
        "1x1 pixels",
        "at least 8x8",
    ),
    "a line": (
        "a.png",
        lambda path: save(path, np.zeros((2, 300, 3), np.uint8)),
        "300x2 pixels",
        "at least 8x8",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named_with_its_cause_and_the_next_step(tmp_path, case):
    name, make, cause, next_step = BAD[case]
    path = tmp_path / name
    make(path)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, cause, next_step)


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="open files are listed on Linux")
@pytest.mark.parametrize("case", ["text", "cut off", "broken", "header only", "bomb", "large"])
def test_a_refused_file_is_closed(tmp_path, case):
    name, make, *_ = BAD[case]
    make(tmp_path / name)

    with pytest.raises(InputError) as caught:
        read(tmp_path / name)

    opened = {link.readlink() for link in OPEN_FILES.iterdir() if link.is_symlink()}
    assert caught.value
    assert tmp_path / name not in opened


@pytest.mark.parametrize(
    ("resize", "expected"),
    [("", (100, 300)), ("crop", (300, 300)), ("pad", (300, 300))],
)
def test_a_file_is_shown_in_full_as_far_as_the_model_sees_it(tmp_path, resize, expected):
    pixels = np.random.default_rng(0).integers(0, 256, (100, 300, 3), np.uint8)
    path, options = save(tmp_path / "wide.png", pixels), ReadOptions(resize=resize)
    (sample,) = read_image(path, (64, 64), options)

    full = read_full_size(sample, options)

    assert full.shape == (*expected, 3)
    if not resize:
        np.testing.assert_allclose(full * 255, pixels, atol=1e-3)


def test_a_file_that_is_huge_small_or_another_is_not_shown_as_it_is(tmp_path):
    wide = save(tmp_path / "wide.png", np.zeros((40, 2 * FULL_SIDE), np.uint8))
    small = save(tmp_path / "small.png", quarters(16))
    other = save(tmp_path / "other.png", quarters(64))
    samples = [read(path) for path in (wide, small, other)]
    save(other, 255 - quarters(64))

    full = [read_full_size(sample) for sample in samples]

    assert full[0].shape == (20, FULL_SIDE, 3)
    assert full[1].shape == (224, 224, 3)
    assert full[2] is None
    other.unlink()
    assert read_full_size(samples[2]) is None
