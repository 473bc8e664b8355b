"""Pictures are resized as the training pipelines do that people use."""

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conftest import SAMPLES
from xai_tf.errors import SettingError, UnknownNameError
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.resizing import RESIZERS, resize
from xai_tf.inputs.sample import read_image

PHOTO = SAMPLES / "cat.jpg"
SIZES = [(64, 64), (224, 160), (97, 301), (700, 900)]


def pixels():
    return np.asarray(Image.open(PHOTO).convert("RGB"), np.float32) / 255


def loaded(size, **how):
    picture = keras.utils.load_img(PHOTO, target_size=size, **how)
    return keras.utils.img_to_array(picture) / 255


def read(size, name):
    return read_image(PHOTO, size, ReadOptions(resize=name))[0].image


@pytest.mark.parametrize("size", SIZES)
def test_nearest_equals_the_default_of_keras_to_the_bit(size):
    assert (read(size, "nearest") == loaded(size)).all()


@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", SIZES)
def test_antialiased_resizers_equal_keras_but_for_its_rounding(size, name):
    difference = np.abs(read(size, name) - loaded(size, interpolation=name))

    # Keras rounds and clips after each of the two passes.
    assert difference.mean() < 0.5 / 255
    assert difference.max() < (2 if name == "bilinear" else 5) / 255


@pytest.mark.parametrize("size", SIZES)
def test_tf_equals_tf_image_resize(size):
    expected = tf.image.resize(pixels(), size).numpy()

    assert np.abs(resize(pixels(), size, "tf") - expected).max() < 1e-5


@pytest.mark.parametrize("size", [(64, 64), (190, 160), (97, 300), (100, 150)])
def test_area_equals_opencv_when_shrinking(size):
    expected = cv2.resize(pixels(), size[::-1], interpolation=cv2.INTER_AREA)

    assert np.abs(resize(pixels(), size, "area") - expected).max() < 1e-4


def test_area_is_bilinear_when_enlarging():
    assert (resize(pixels(), (900, 900), "area") == resize(pixels(), (900, 900))).all()


@pytest.mark.parametrize("size", [*SIZES, (300, 20)])
def test_crop_equals_keras_with_the_aspect_ratio_kept(size):
    expected = loaded(size, interpolation="bilinear", keep_aspect_ratio=True)

    assert np.abs(read(size, "crop") - expected).max() < 2 / 255


def test_pad_shows_the_whole_picture_between_black_bars():
    white = np.ones((50, 100, 3), np.float32)

    padded = resize(white, (80, 80), "pad")

    assert (padded[:20] == 0).all()
    assert (padded[20:60] == 1).all()
    assert (padded[60:] == 0).all()


@pytest.mark.parametrize("name", RESIZERS)
@pytest.mark.parametrize("shape", [(37, 53), (37, 53, 3)])
@pytest.mark.parametrize("size", [(8, 8), (61, 20), (80, 90), (37, 53)])
def test_every_resizer_gives_the_size_and_keeps_a_flat_level(name, shape, size):
    flat = np.full(shape, 0.25, np.float32)

    resized = resize(flat, size, name)

    assert resized.shape == (*size, *shape[2:])
    assert resized.dtype == np.float32
    inside = resized[resized > 0] if name == "pad" else resized
    assert np.allclose(inside, 0.25, atol=1e-6)


def test_every_resizer_has_a_title():
    titles = [resizer.title for resizer in RESIZERS.values()]

    assert all(titles)
    assert len(set(titles)) == len(titles)


def test_fine_stripes_become_gray_instead_of_coarse_stripes():
    stripes = np.zeros((2240, 2240), np.float32)
    stripes[:, ::2] = 1

    small = resize(stripes, (224, 224))

    assert np.abs(small - 0.5).max() < 0.05


def test_an_unknown_resizer_is_refused_with_a_hint():
    with pytest.raises(UnknownNameError, match="Did you mean 'bicubic'"):
        ReadOptions(resize="cubic")


@pytest.mark.parametrize("frame", [0, -1, 1.5, True])
def test_frames_are_counted_from_one(frame):
    with pytest.raises(SettingError, match="Expected a whole number from 1"):
        ReadOptions(frame=frame)
