"""Pictures become what Keras loads in training, and every guess is reported."""

import importlib.util
import struct
import sys

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, features

from tests.conftest import assert_told
from xai_tf.errors import InputError
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.sample import read_image

SIDE = 64
GRAY = (np.add.outer(np.arange(SIDE), np.arange(SIDE)) * 2).astype(np.uint8)  # 0 to 252
COLORS = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=-1)
ALPHA = np.where(np.arange(SIDE)[:, None] < 16, 0, 255).astype(np.uint8) * np.ones_like(GRAY)
HEIF = importlib.util.find_spec("pi_heif") is not None


def save(path, picture, **how):
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    picture.save(path, **how)
    return path


def save_tiff(path, numbers, **how):
    tifffile.imwrite(path, numbers, **how)
    return path


def read(path, **options):
    return read_image(path, (SIDE, SIDE), ReadOptions(**options))[0]


def loaded(path):
    return keras.utils.img_to_array(keras.utils.load_img(path)) / 255


def palette(transparency):
    picture = Image.fromarray(COLORS).quantize(64)
    if transparency is not None:
        picture.info["transparency"] = transparency
    return picture


TRANSPARENT = {
    "RGBA": Image.fromarray(np.dstack([COLORS, ALPHA])),
    "LA": Image.fromarray(np.dstack([GRAY, ALPHA])),
    "palette with one transparent color": palette(3),
    "palette with opacities": palette(bytes(range(0, 256, 4))),
}


@pytest.mark.parametrize("kind", TRANSPARENT)
def test_colors_below_transparency_are_read_as_keras_does_and_reported(tmp_path, kind):
    path = save(tmp_path / "a.png", TRANSPARENT[kind])

    sample = read(path)

    with Image.open(path) as picture:
        assert (
            sample.image == np.asarray(picture.convert("RGBA"), np.float32)[..., :3] / 255
        ).all()
    assert "transparent" in sample.warnings[0]


def test_the_share_of_transparent_pixels_is_reported(tmp_path):
    sample = read(save(tmp_path / "a.png", TRANSPARENT["RGBA"]))

    assert sample.warnings[0].startswith("25% of the pixels are transparent")


def test_opaque_and_nearly_opaque_pixels_need_no_warning(tmp_path):
    pixels = np.dstack([COLORS, np.where(GRAY < 100, 255, 200).astype(np.uint8)])

    sample = read(save(tmp_path / "a.png", pixels))

    assert (sample.image == COLORS.astype(np.float32) / 255).all()
    assert sample.warnings == ()


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.float32, np.float64, np.float16])
def test_levels_below_zero_are_shown_from_the_smallest_to_the_largest(tmp_path, kind):
    path = save_tiff(tmp_path / "a.tif", (GRAY.astype(int) - 126).astype(kind))

    sample = read(path)

    assert np.allclose(sample.image[..., 0], GRAY / 252, atol=1e-3)
    assert sample.warnings == ("Levels from -126 (black) to 126 (white) are shown.",)


def test_signed_colors_are_shown_from_the_smallest_to_the_largest(tmp_path):
    path = save_tiff(tmp_path / "a.tif", COLORS.astype(np.int16) - 100, photometric="rgb")

    sample = read(path)

    assert np.allclose(sample.image, COLORS / 252, atol=1e-6)
    assert "from -100 (black) to 152 (white)" in sample.warnings[0]


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_float_colors_in_0_1_keep_their_values(tmp_path, planar):
    colors = COLORS.astype(np.float32) / 255
    stored = colors if planar == "contig" else np.moveaxis(colors, -1, 0).copy()
    path = save_tiff(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)

    sample = read(path)

    assert np.allclose(sample.image, colors)
    assert sample.warnings == ()


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_broken_numbers_are_refused_and_counted(tmp_path, broken, channels):
    levels = np.full((SIDE, SIDE, *channels), 0.5, np.float32)
    levels[0, :5] = broken
    path = save_tiff(tmp_path / "a.tif", levels, photometric="rgb" if channels else "minisblack")

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "5 of its 4096 pixels are NaN or infinite", "Replace them")


@pytest.mark.parametrize(
    ("brightest", "white"), [(200, 255), (3000, 4095), (4095, 4095), (16383, 16383)]
)
def test_a_guessed_white_of_16_bits_is_named(tmp_path, brightest, white):
    levels = (GRAY / 252 * brightest).round().astype(np.uint16)

    sample = read(save(tmp_path / "a.png", levels))

    assert np.allclose(sample.image[..., 0], levels / white, atol=1e-6)
    assert sample.warnings == (
        f"White is taken as level {white}; the brightest pixel has level {brightest}.",
    )


@pytest.mark.parametrize("brightest", [16384, 40000, 65535])
def test_16_bits_that_are_used_need_no_guess(tmp_path, brightest):
    levels = (GRAY / 252 * brightest).round().astype(np.uint16)

    sample = read(save(tmp_path / "a.png", levels))

    assert np.allclose(sample.image[..., 0], levels / 65535, atol=1e-6)
    assert sample.warnings == ()


def test_unsigned_32_bits_are_not_taken_for_negative(tmp_path):
    levels = (GRAY.astype(np.uint64) * (2**32 - 1) // 252).astype(np.uint32)

    sample = read(save_tiff(tmp_path / "a.tif", levels))

    assert np.allclose(sample.image[..., 0], GRAY / 252, atol=1e-3)


def test_a_tiff_whose_zero_is_white_is_inverted(tmp_path):
    bytes_ = save_tiff(tmp_path / "a.tif", 255 - GRAY, photometric="miniswhite")
    words = save_tiff(
        tmp_path / "b.tif", (255 - GRAY).astype(np.uint16) * 257, photometric="miniswhite"
    )

    for path in (bytes_, words):
        assert np.allclose(read(path).image[..., 0], GRAY / 255, atol=1e-6)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_tiles_and_compression_do_not_matter(tmp_path, compression):
    path = save_tiff(
        tmp_path / "a.tif", COLORS, photometric="rgb", tile=(16, 16), compression=compression
    )

    assert np.allclose(read(path).image, COLORS / 255, atol=1e-6)


def test_print_colors_without_a_profile_are_converted_as_keras_does(tmp_path):
    path = save(tmp_path / "a.jpg", Image.fromarray(COLORS).convert("CMYK"), quality=98)

    sample = read(path)

    assert np.allclose(sample.image, loaded(path), atol=1e-6)
    assert "CMYK" in sample.warnings[0]
    assert "without a color profile" in sample.warnings[0]


def test_lab_is_converted(tmp_path):
    soft = (COLORS // 2 + 64).astype(np.uint8)  # within the range of both color spaces
    lab = ImageCms.profileToProfile(
        Image.fromarray(soft),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    plain = lab.copy()
    del plain.info["icc_profile"]

    for number, picture in enumerate((lab, plain)):
        sample = read(save(tmp_path / f"{number}.tif", picture))
        assert np.abs(sample.image - soft / 255).max() < 0.03
        assert "LAB" in sample.warnings[0]


def test_the_profile_of_a_file_decides_its_colors(tmp_path):
    lab = Image.fromarray(np.dstack([GRAY, np.full_like(COLORS[..., :2], 128)]), "RGB")
    gray = Image.merge("LAB", lab.split())
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

    sample = read(save(tmp_path / "a.tif", gray, icc_profile=profile))

    assert "by the color profile in the file" in sample.warnings[0]
    assert sample.gray


def animation(path, **how):
    frames = [Image.fromarray(np.full((SIDE, SIDE, 3), level, np.uint8)) for level in (0, 102, 255)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **how)
    return path


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.png", "a.webp"])
def test_the_frame_that_is_read_is_reported_and_can_be_chosen(tmp_path, name):
    path = animation(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))

    first, second, third = read(path), read(path, frame=2), read(path, frame=3)

    assert first.warnings == ("Frame 1 of 3 was read.",)
    assert second.warnings == ("Frame 2 of 3 was read.",)
    levels = [sample.image.mean() for sample in (first, second, third)]
    assert levels == pytest.approx([0, 0.4, 1], abs=0.01)


def test_pages_of_float_colors_can_be_chosen(tmp_path):
    pages = np.stack([COLORS, COLORS[::-1]]).astype(np.float32) / 255
    path = save_tiff(tmp_path / "a.tif", pages, photometric="rgb")

    sample = read(path, frame=2)

    assert np.allclose(sample.image, COLORS[::-1] / 255)
    assert sample.warnings == ("Frame 2 of 2 was read.",)


@pytest.mark.parametrize("name", ["a.gif", "a.tif"])
def test_a_frame_that_is_not_there_is_refused(tmp_path, name):
    path = animation(tmp_path / name)

    with pytest.raises(InputError) as caught:
        read(path, frame=4)

    assert_told(caught.value, path, "it has 3 frames", "Choose a frame from 1 to 3")


def test_the_preview_in_the_jpeg_of_a_camera_is_no_frame(tmp_path):
    picture = Image.fromarray(COLORS)
    picture.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[picture.resize((16, 16))])

    assert read(tmp_path / "a.jpg").warnings == ()


@pytest.mark.parametrize(("name", "feature"), [("a.avif", "avif"), ("a.jp2", "jpg_2000")])
def test_newer_formats_read_as_far_as_pillow_does(tmp_path, name, feature):
    if not features.check(feature):
        pytest.skip(f"this Pillow was built without {feature}")
    path = save(tmp_path / name, COLORS, **({"quality": 95} if name == "a.avif" else {}))

    assert np.allclose(read(path).image, loaded(path), atol=1e-6)


@pytest.mark.skipif(not HEIF, reason="pi-heif is not installed")
@pytest.mark.parametrize("name", ["a.heic", "photo"])
def test_heic_reads_to_its_colors_and_rotation(tmp_path, name):
    pillow_heif = pytest.importorskip("pillow_heif", reason="pi-heif cannot write")
    exif = Image.Exif()
    exif[0x0112] = 6
    heif = pillow_heif.from_pillow(Image.fromarray(COLORS))
    heif.save(tmp_path / name, quality=95, exif=exif.tobytes(), format="HEIF")

    image = read(tmp_path / name).image

    assert np.abs(image - np.rot90(COLORS, -1) / 255).mean() < 0.02


@pytest.mark.skipif(not HEIF, reason="pi-heif is not installed")
def test_damaged_heic_is_called_damaged(tmp_path):
    path = tmp_path / "a.heic"
    _heic(path)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "the HEIC picture is damaged", "Copy or export it again")


def _heic(path):
    path.write_bytes(struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(99))


def test_heic_without_its_package_names_the_extra(tmp_path, monkeypatch):
    path = tmp_path / "a.heic"
    _heic(path)
    monkeypatch.setitem(sys.modules, "pi_heif", None)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(
        caught.value, path, "HEIC", "Run: pip install 'xai-tf[heic]', or convert it to JPEG."
    )


def _multispectral(path):
    save_tiff(path, np.zeros((SIDE, SIDE, 7), np.float32), planarconfig="contig")


OTHER = {
    "svg": (lambda path: path.write_text("<svg xmlns='x'/>"), "SVG drawing", "Export it as PNG"),
    "svg with a header": (
        lambda path: path.write_text("<?xml version='1.0'?>\n<svg xmlns='x'/>"),
        "SVG drawing",
        "Export it as PNG",
    ),
    "pdf": (lambda path: path.write_bytes(b"%PDF-1.7\n"), "PDF", "Export the page as PNG"),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "ZIP", "Unpack it"),
    "wav": (lambda path: path.write_bytes(b"RIFF\0\0\0\0WAVE"), "a sound", "model for sound"),
    "damaged webp": (
        lambda path: path.write_bytes(b"RIFF\0\0\0\0WEBPVP8 "),
        "picture is damaged or truncated",
        "Copy or export it again",
    ),
    "damaged gif": (
        lambda path: path.write_bytes(b"GIF89a"),
        "the GIF picture is damaged",
        "Copy or export it again",
    ),
    "damaged avif": (
        lambda path: path.write_bytes(struct.pack(">I", 24) + b"ftypavif\0\0\0\0mif1miaf"),
        "AVIF picture",
        "",
    ),
    "mp4": (
        lambda path: path.write_bytes(struct.pack(">I", 16) + b"ftypmp42\0\0\0\0"),
        "video or sound",
        "Export a frame",
    ),
    "damaged tiff": (lambda path: path.write_bytes(b"II*\0" + bytes(60)), "TIFF", "Export it"),
    "seven channels": (_multispectral, "shape (64, 64, 7)", "Export it as a gray or RGB"),
}


@pytest.mark.parametrize("case", OTHER)
def test_other_files_are_called_by_their_name(tmp_path, case):
    make, cause, next_step = OTHER[case]
    path = tmp_path / "a.png"
    make(path)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, cause, next_step)
