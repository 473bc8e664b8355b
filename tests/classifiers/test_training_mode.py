"""Layers that are called with `training=True` run in inference mode, and the difference is told."""

import re

import keras
import numpy as np
import pytest

from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.graph import forced_training

LAYERS = keras.layers
PICTURES = np.random.default_rng(0).random((4, 32, 32, 3), dtype=np.float32)


def network(kind, nested=False):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    x = LAYERS.Conv2D(8, 3, activation="relu")(inputs)
    make = {"dropout": LAYERS.Dropout, "norm": LAYERS.BatchNormalization}[kind]
    layer = make(name=kind) if kind == "norm" else make(0.3, name=kind)
    if nested:
        part = keras.Input(x.shape[1:])
        x = keras.Model(part, layer(part))(x, training=True)
    else:
        x = layer(x, training=True)
    x = LAYERS.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, LAYERS.Dense(3, activation="softmax")(x))


def probabilities(classifier, pictures=PICTURES):
    return np.stack([p.probabilities for p in classifier.predict(pictures)])


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", ["dropout", "norm"])
def test_such_layers_are_found(kind, nested):
    assert forced_training(network(kind, nested)) == [kind]


@pytest.mark.parametrize("nested", [False, True])
def test_monte_carlo_dropout_gives_the_same_answer_each_time_near_the_mean_of_its_runs(nested):
    model = network("dropout", nested)

    classifier = Classifier(model, preprocessing="unit")

    np.testing.assert_array_equal(probabilities(classifier), probabilities(classifier))
    runs = np.stack([np.asarray(model(PICTURES)) for _ in range(60)])
    assert runs.std(axis=0).max() > 1e-3  # the model itself draws
    np.testing.assert_allclose(probabilities(classifier), runs.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(
        probabilities(classifier), model.predict(PICTURES, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("nested", [False, True])
def test_batch_normalization_does_not_depend_on_the_other_pictures(nested):
    model = network("norm", nested)
    alone, among = np.asarray(model(PICTURES[:1])), np.asarray(model(PICTURES))[:1]
    assert np.abs(alone - among).max() > 1e-4

    classifier = Classifier(model, preprocessing="unit")

    np.testing.assert_allclose(
        probabilities(classifier)[:1], probabilities(classifier, PICTURES[:1]), atol=1e-7
    )


@pytest.mark.parametrize("kind", ["dropout", "norm"])
def test_the_difference_to_the_model_as_saved_is_told(kind):
    classifier = Classifier(network(kind), preprocessing="unit")

    (warning,) = classifier.warnings
    assert f"Called with training=True in the model: {kind}." in warning
    told = float(re.search(r"differs by up to (\S+) from the mean of 16 runs of", warning)[1])
    assert 1e-5 < told < 0.5


def test_ordinary_dropout_and_normalization_need_no_word(small_cnn):
    inputs = keras.Input((32, 32, 3))
    x = LAYERS.BatchNormalization()(inputs, training=False)
    x = LAYERS.Dropout(0.5)(LAYERS.GlobalAveragePooling2D()(LAYERS.Conv2D(4, 3)(x)))
    model = keras.Model(inputs, LAYERS.Dense(3, activation="softmax")(x))

    assert forced_training(model) == []
    assert Classifier(model, ["a", "b", "c"], preprocessing="unit").warnings == ()
