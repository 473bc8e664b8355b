"""What a classifier is given in Python: paths, arrays, batches, datasets, Keras models."""

import keras
import numpy as np
import pytest
from PIL import Image

import xai_tf
from tests.conftest import SAMPLES
from xai_tf.errors import InputError

CAT = SAMPLES / "cat.jpg"


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((48, 48, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def classifier(model):
    return xai_tf.load(model, classes=["a", "b", "c"])


@pytest.fixture(scope="module")
def pixels():
    return np.asarray(Image.open(CAT).convert("RGB"))


def test_an_array_is_read_as_the_file_it_was_loaded_from(classifier, pixels):
    of_file = classifier.read(CAT)

    for array in (pixels, pixels / 255, pixels.astype(np.float32)):
        np.testing.assert_allclose(classifier.read(array).image, of_file.image, atol=1e-6)
    assert classifier.read(of_file) is of_file


def test_predictions_are_those_of_keras_whatever_form_the_input_has(model, classifier, pixels):
    import tensorflow as tf

    batch = np.stack([pixels[:48, :48], pixels[50:98, 50:98]])
    expected = np.asarray(model(batch.astype(np.float32)))
    dataset = tf.data.Dataset.from_tensor_slices((batch, [0, 1])).batch(1)

    for given in (batch, batch / 255, list(batch), tf.constant(batch), dataset):
        found = np.stack([p.probabilities for p in classifier.predict(given)])
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_black_picture_in_a_batch_of_bytes_stays_a_picture_of_bytes(classifier):
    batch = np.stack([np.full((48, 48, 3), level, np.float32) for level in (1, 200)])

    dark, _ = classifier.predict(batch)

    alone = classifier.predict(np.full((48, 48, 3), 1, np.uint8))[0]
    np.testing.assert_allclose(dark.probabilities, alone.probabilities, atol=1e-6)


def test_paths_are_predicted_one_or_many(classifier):
    one = classifier.predict(CAT)[0]
    first, second = classifier.predict([CAT, str(SAMPLES / "dog.jpg")])

    np.testing.assert_allclose(one.logits, first.logits, atol=1e-6)
    assert not np.array_equal(first.logits, second.logits)
    assert classifier.predict([]) == []


def test_a_path_or_an_array_is_explained_like_its_sample(classifier, pixels):
    sample = classifier.read(CAT)
    expected = xai_tf.explain(classifier, sample, "saliency").attribution

    for given in (CAT, str(CAT), pixels):
        found = xai_tf.explain(classifier, given, "saliency").attribution
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_levels_a_little_above_1_do_not_make_a_picture_black(classifier, pixels):
    bright = pixels / 255
    bright[0, 0] = 1.001

    sample = classifier.read(bright)

    assert sample.image.mean() > 0.2
    assert any("above white" in text for text in sample.warnings)


def test_a_picture_of_pillow_is_read_in_its_colors(classifier, pixels):
    as_palette = Image.fromarray(pixels).quantize(256)

    image = classifier.read(as_palette).image

    assert np.abs(image - classifier.read(pixels).image).mean() < 0.03


@pytest.mark.parametrize(
    ("array", "cause"),
    [
        (np.full((48, 48, 3), np.nan, np.float32), "NaN"),
        (np.full((48, 48, 3), -1.0), "run from -1"),
        (np.full((48, 48, 3), 1000.0), "run from 1000"),
        (np.zeros((48, 48, 2)), "not one picture"),
        (np.zeros((48,)), "not one picture"),
        (np.zeros((48, 48, 3), np.int64), "int64"),
    ],
)
def test_an_array_that_is_not_a_picture_is_refused_with_the_cause(classifier, array, cause):
    with pytest.raises(InputError, match=cause):
        classifier.read(array)


def test_the_resizing_of_the_training_is_chosen_and_remembered(model, tmp_path):
    from xai_tf.inputs.options import ReadOptions

    nearest = xai_tf.load(model, read_options=ReadOptions(resize="nearest"))
    expected = keras.utils.img_to_array(keras.utils.load_img(CAT, target_size=(48, 48)))

    np.testing.assert_allclose(nearest.read(CAT).image, expected / 255, atol=1e-6)
