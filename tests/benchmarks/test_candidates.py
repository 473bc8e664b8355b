"""What was tried beside the methods: each finds what decides, for the passes it states."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from benchmarks.ground_truth.candidates import CANDIDATES
from tests.conftest import sample_of
from xai_tf.classifiers.classifier import Classifier

SIDE = 224


@pytest.fixture(scope="module")
def sides() -> Classifier:
    """One logit: the brightness of the right half less that of the left, through feature maps."""
    inputs = keras.Input((SIDE, SIDE, 3))
    features = keras.layers.Conv2D(4, 8, strides=8, activation="relu", name="features")
    decision = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, decision(keras.layers.Flatten()(features(inputs))))
    features.set_weights([np.full((8, 8, 3, 4), 1 / 192), np.zeros(4)])
    weights = np.ones((28, 28, 4)) / 100
    weights[:, :14] *= -1
    decision.set_weights([weights.reshape(-1, 1)])
    return Classifier(model, ["left", "right"], name="sides")


@pytest.fixture
def counted(sides, monkeypatch) -> list[int]:
    """The sizes of the batches that the network is run on."""
    sizes, passes, features = [], sides.passes, sides.feature_pass

    def counting(run):
        return lambda images, targets: (sizes.append(len(images)), run(images, targets))[1]

    monkeypatch.setattr(
        sides,
        "passes",
        replace(passes, scores=counting(passes.scores), gradients=counting(passes.gradients)),
    )
    monkeypatch.setattr(sides, "feature_pass", lambda layers: counting(features(layers)))
    return sizes


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate_finds_the_half_that_decides(sides, counted, name):
    image = np.full((SIDE, SIDE, 3), 0.2)
    image[56:168, 130:200] = 0.9  # only what is bright on the right speaks for class 1

    found = CANDIDATES[name].map(sides, sample_of(image))

    assert found.shape == (SIDE, SIDE)
    assert np.isfinite(found).all()
    assert np.unravel_index(found.argmax(), found.shape)[1] >= SIDE // 2
    assert sum(counted) <= CANDIDATES[name].passes
