"""Maps of features are laid where the features are, whatever the network does on the way."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from tests.conftest import sample_of
from xai_tf.attribution.explain import explain, explain_layers
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.placement import find_places

SIDE = 64
ONES = keras.initializers.Constant(1 / 27)


def brightness_sum(*front: Callable, padding: str = "same", side: int = SIDE) -> Classifier:
    """Three convolutions of stride 2 behind `front`, whose class "yes" is the brightness."""
    inputs = x = keras.Input((side, side, 3))
    for layer in front:
        x = layer(x)
    for number in range(3):
        x = layers.Conv2D(
            4, 3, 2, padding, activation="relu", kernel_initializer=ONES, name=f"conv_{number}"
        )(x)
    x = layers.GlobalAveragePooling2D()(x)
    yes = keras.initializers.Constant([[0.0, 50.0]] * 4)
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer=yes)(x))
    return Classifier(model, ["no", "yes"], preprocessing="unit")


def spot(row: int, column: int, side: int = SIDE):
    """A white disc of radius 4 on black."""
    rows, columns = np.indices((side, side))
    inside = (rows - row) ** 2 + (columns - column) ** 2 <= 16
    return sample_of(np.repeat(inside[..., None], 3, axis=-1).astype(np.float32))


def middle(attribution: np.ndarray) -> np.ndarray:
    """The center of mass of the strongest pixels, (row, column)."""
    places = np.argwhere(attribution >= 0.8 * attribution.max())
    return places.mean(axis=0)


FRONTS = {
    "crop at the top": ([layers.Cropping2D(((32, 0), (0, 0)))], (48, 20)),
    "crop at the left": ([layers.Cropping2D(((0, 0), (24, 0)))], (20, 44)),
    "padding": ([layers.ZeroPadding2D(((32, 0), (0, 32)))], (40, 24)),
    "transposition": ([layers.Permute((2, 1, 3))], (12, 50)),
    "upside down": ([lambda x: keras.ops.flip(x, axis=1)], (12, 50)),
    "middle, enlarged": ([layers.CenterCrop(32, 32), layers.Resizing(64, 64)], (24, 40)),
}


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_pp", "fem"])
@pytest.mark.parametrize("name", FRONTS)
def test_the_map_peaks_on_the_spot(name, method):
    front, (row, column) = FRONTS[name]
    classifier = brightness_sum(*front)

    found = explain(classifier, spot(row, column), method, target="yes").attribution

    np.testing.assert_allclose(middle(found), (row, column), atol=5)


def test_what_the_network_cuts_off_is_zero():
    classifier = brightness_sum(layers.Cropping2D(((32, 0), (0, 0))))

    found = explain(classifier, spot(36, 20), "grad_cam", target="yes").attribution

    assert (found[:32] == 0).all()
    assert found[32:].max() > 0


def test_borders_lost_without_padding_are_counted():
    """Cell i of three such convolutions sees 15 pixels around 7 + 8 i."""
    places = find_places(brightness_sum(padding="valid", side=72).model)["conv_2"]

    np.testing.assert_allclose(places.matrix, 8 * np.eye(2))
    np.testing.assert_allclose(places.offset, (7, 7))


def test_all_layers_are_laid_alike():
    classifier = brightness_sum(layers.Cropping2D(((32, 0), (0, 0))))

    maps = explain_layers(classifier, spot(48, 20), "grad_cam", target="yes")

    assert len(maps) >= 3
    for one in maps:
        np.testing.assert_allclose(middle(one.attribution), (48, 20), atol=5)


def test_a_map_that_covers_the_input_is_stretched_as_ever(three_classes):
    assert brightness_sum().placement("conv_2") is None
    assert three_classes.placement("relu_b") is None


def test_an_operation_that_cannot_run_alone_counts_as_covering():
    class Alone(keras.layers.Layer):
        def call(self, x):
            if not keras.backend.is_keras_tensor(x) and x.shape[0] == 1:
                raise ValueError("Not on one image.")
            return x

    inputs = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(inputs, layers.Conv2D(4, 3, padding="same", name="conv")(Alone()(inputs)))

    places = find_places(model)["conv"]

    np.testing.assert_allclose(places.matrix, np.eye(2))
    np.testing.assert_allclose(places.offset, (0, 0))
