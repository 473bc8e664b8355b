"""Arrays saved by NumPy are pictures where shape, type and range leave no doubt."""

import numpy as np
import pytest

from tests.conftest import assert_told
from xai_tf.errors import InputError
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.sample import read_image

SIDE = 64
RAMP = np.tile(np.arange(SIDE, dtype=np.uint8) * 4, (SIDE, 1))
COLORS = np.stack([RAMP, RAMP.T, 255 - RAMP], axis=-1)


def save(path, pixels):
    np.save(path, pixels)
    return path


def read(path, **options):
    return read_image(path, (SIDE, SIDE), ReadOptions(**options))[0]


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (RAMP, np.repeat(RAMP[..., None], 3, axis=-1)),
        (RAMP[..., None], np.repeat(RAMP[..., None], 3, axis=-1)),
        (COLORS, COLORS),
        (np.asfortranarray(COLORS), COLORS),
        (np.dstack([COLORS, np.full_like(RAMP, 255)]), COLORS),
    ],
)
def test_bytes_read_to_their_colors_without_a_warning(tmp_path, pixels, expected):
    sample = read(save(tmp_path / "a.npy", pixels))

    assert np.allclose(sample.image, expected / 255, atol=1e-6)
    assert sample.warnings == ()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("white", [1, 255])
def test_floats_read_to_their_colors_and_the_guess_is_reported(tmp_path, kind, white):
    sample = read(save(tmp_path / "a.npy", (COLORS / 255 * white).astype(kind)))

    assert np.allclose(sample.image, COLORS / 255, atol=1e-3)
    assert f"taken as 0 to {white}" in sample.warnings[0]


def test_hidden_colors_are_read_and_reported(tmp_path):
    pixels = np.dstack([COLORS, np.where(RAMP < 128, 0, 255).astype(np.uint8)])

    sample = read(save(tmp_path / "a.npy", pixels))

    assert np.allclose(sample.image, COLORS / 255, atol=1e-6)
    assert "50% of the pixels are transparent" in sample.warnings[0]


def test_an_array_is_recognized_without_its_suffix(tmp_path):
    path = save(tmp_path / "a.npy", COLORS).rename(tmp_path / "picture")

    assert np.allclose(read(path).image, COLORS / 255, atol=1e-6)


def test_an_array_has_one_frame(tmp_path):
    path = save(tmp_path / "a.npy", COLORS)

    assert read(path, frame=1).warnings == ()
    with pytest.raises(InputError, match="it has 1 frame"):
        read(path, frame=2)


@pytest.mark.parametrize(
    ("pixels", "cause"),
    [
        (COLORS.transpose(2, 0, 1), "shape (3, 64, 64)"),
        (np.zeros((2, SIDE, SIDE, 3), np.uint8), "shape (2, 64, 64, 3)"),
        (np.zeros(SIDE, np.uint8), "shape (64,)"),
        (np.zeros((0, SIDE), np.uint8), "shape (0, 64)"),
        (RAMP.astype(np.int64), "type int64"),
        (RAMP.astype(np.uint16), "type uint16"),
        (RAMP / 127.5 - 1, "from -1 to"),
        (RAMP.astype(np.float32) * 16, "to 4032"),
        (np.where(RAMP == 0, np.nan, 0.5), "64 of its 4096 pixels are NaN"),
        (RAMP.astype(object), "not a .npy file of numbers"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_shape_or_levels(tmp_path, pixels, cause):
    path = tmp_path / "a.npy"
    np.save(path, pixels, allow_pickle=True)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, cause, "")


@pytest.mark.parametrize("length", [4, 12, 100, 5000])
def test_a_truncated_array_is_refused(tmp_path, length):
    path = save(tmp_path / "a.npy", COLORS)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "damaged", "Save it again")
