"""Models whose input or output is laid out otherwise: what they predict is what Keras says."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import xai_tf
from tests.conftest import ROOT, SAMPLES
from xai_tf.errors import ModelError

L = keras.layers
SIZE = (24, 32)
RGB = np.asarray(Image.open(SAMPLES / "cat.jpg").convert("RGB").resize(SIZE[::-1]))
GRAY = np.asarray(Image.fromarray(RGB).convert("L"))


def dense(x):
    return L.Dense(3, activation="softmax")(L.Flatten()(L.Rescaling(1 / 255)(x)))


def convolutional(x):
    features = L.Conv2D(8, 3, activation="relu", name="conv")(L.Rescaling(1 / 255)(x))
    return L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D()(features))


def channels_first(x):
    features = L.Conv2D(8, 3, activation="relu", data_format="channels_first")(x / 255)
    pooled = L.GlobalAveragePooling2D(data_format="channels_first")(features)
    return L.Dense(3, activation="softmax")(pooled)


def ending_in_a_map(x):
    features = L.Conv2D(3, 3)(L.Rescaling(1 / 255)(x))
    return L.Softmax()(L.GlobalAveragePooling2D(keepdims=True)(features))


LAYOUTS = {
    "rows and columns": ((*SIZE,), dense, GRAY),
    "channels first, moved to the end": (
        (3, *SIZE),
        lambda x: convolutional(L.Permute((2, 3, 1))(x)),
        RGB.transpose(2, 0, 1),
    ),
    "channels first throughout": ((3, *SIZE), channels_first, RGB.transpose(2, 0, 1)),
    "channels last, computed first": (
        (*SIZE, 3),
        lambda x: channels_first(L.Permute((3, 1, 2))(x)),
        RGB,
    ),
    "one cell": ((*SIZE, 3), ending_in_a_map, RGB),
}


def network(shape, body, **settings):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape, **settings)
    return keras.Model(inputs, body(inputs))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_model_of_another_layout_gives_the_probabilities_of_keras(name):
    shape, body, given = LAYOUTS[name]
    model = network(shape, body)
    classifier = xai_tf.load(model, preprocessing="raw")

    found = classifier.predict(RGB)[0].probabilities

    expected = np.asarray(model(given[None].astype(np.float32))).ravel()
    # Keras rounds gray to bytes.
    np.testing.assert_allclose(found, expected, atol=2e-3 if shape == SIZE else 1e-5)


@pytest.mark.parametrize("name", ["channels first throughout", "channels last, computed first"])
def test_maps_with_the_channels_first_are_not_read_as_maps_with_the_channels_last(name):
    shape, body, _ = LAYOUTS[name]
    classifier = xai_tf.load(network(shape, body), preprocessing="raw")

    assert classifier.access == "gradients"
    with pytest.raises(ModelError, match="feature map"):
        xai_tf.explain(classifier, RGB, "grad_cam")


WITHOUT_ONEDNN = """
import keras, xai_tf
from tests.classifiers.test_layout import LAYOUTS, network
xai_tf.load(network(*LAYOUTS["channels first throughout"][:2]))
"""


def test_channels_first_that_this_machine_cannot_run_are_told_with_the_next_step():
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_ONEDNN],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("xai_tf.errors.ModelError: TensorFlow cannot run this model")
    assert "NHWC" in last
    assert "TF_ENABLE_ONEDNN_OPTS=1" in last


def test_channels_moved_to_the_end_leave_the_feature_maps_of_the_network():
    shape, body, _ = LAYOUTS["channels first, moved to the end"]

    assert xai_tf.load(network(shape, body)).feature_layers == ("conv",)


@pytest.mark.parametrize(
    ("count", "size", "channels", "kind"),
    [(784, (28, 28), 1, "gray levels"), (768, (16, 16), 3, "RGB values")],
)
def test_a_row_of_numbers_is_a_square_picture_and_is_said_to_be(count, size, channels, kind):
    classifier = xai_tf.load(network((count,), lambda x: L.Dense(3, activation="softmax")(x)))

    assert (classifier.image_size, classifier.channels) == (size, channels)
    assert any(kind in text for text in classifier.warnings)


def test_a_table_of_numbers_is_no_picture():
    with pytest.raises(ModelError, match="from_function"):
        xai_tf.load(network((30,), lambda x: L.Dense(3, activation="softmax")(x)))


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_an_input_of_whole_numbers_is_given_bytes(dtype):
    model = network((*SIZE, 3), convolutional, dtype=dtype)
    classifier = xai_tf.load(model)

    found = classifier.predict(RGB)[0].probabilities

    assert (classifier.preprocessing, classifier.preprocessing_certain) == ("raw", True)
    np.testing.assert_allclose(found, np.asarray(model(RGB[None].astype(dtype)))[0], atol=1e-5)
