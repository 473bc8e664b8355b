"""Heads on backbones: where they can be cut, which layers are trained, and with which seed."""

import subprocess
import sys
from functools import lru_cache

import keras
import numpy as np
import pytest

from tuning.heads import (
    compile_model,
    count_logits,
    deepest_cut,
    head,
    lower_part,
    set_trainable,
    targets,
    trial_seed,
    unfrozen_layers,
    upper_model,
    whole_model,
)
from tuning.space import configuration
from xai_tf.classifiers.backbones import BACKBONES, build_backbone
from xai_tf.classifiers.graph import cut_points, tensors
from xai_tf.errors import ModelError

SMALLEST = {"inception_v3": 75, "alexnet": 63}
CONFIG = configuration({"units_1": 8, "units_2": 4})


@lru_cache(maxsize=1)
def built(backbone):
    """A backbone with random weights and statistics, and the same with a head."""
    keras.utils.set_random_seed(0)
    side = SMALLEST.get(backbone, 32)
    base = build_backbone(backbone, (side, side), None)
    rng = np.random.default_rng(0)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([v + 0.2 * rng.random(v.shape) for v in layer.get_weights()])
    top = head(CONFIG, base.output_shape[1:], 3, seed=1)
    return base, whole_model(base, top)


def pictures(base, count=2):
    return np.random.default_rng(1).random((count, *base.input_shape[1:]), np.float32)


def assert_stitched_is_whole(backbone, cuts):
    """Assert that a model cut and put together gives what it gave, at each cut."""
    base, whole = built(backbone)
    images = pictures(base)
    below = keras.Model(base.inputs[0], [tensors(base)[cut] for cut in cuts])
    inputs = keras.tree.flatten(below(images, training=False))
    expected = np.asarray(whole(images, training=False))
    for cut, features in zip(cuts, inputs, strict=True):
        stitched = np.asarray(upper_model(whole, cut)(features, training=False))
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(stitched, expected, atol=1e-5 * scale, err_msg=cut)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_stitched_equals_whole_at_the_first_a_middle_and_the_last_cut(backbone):
    cuts = cut_points(built(backbone)[0])

    assert_stitched_is_whole(backbone, [cuts[0], cuts[len(cuts) // 2], cuts[-1]])


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_stitched_equals_whole_at_every_cut(backbone):
    cuts = cut_points(built(backbone)[0])

    assert len(cuts) >= 7
    for first in range(0, len(cuts), 8):
        assert_stitched_is_whole(backbone, cuts[first : first + 8])


@pytest.fixture(scope="module")
def cnn():
    keras.utils.set_random_seed(0)
    return build_backbone("cnn", (32, 32), None)


@pytest.fixture(scope="module")
def alexnet():
    """With batch normalization, and small."""
    keras.utils.set_random_seed(0)
    return build_backbone("alexnet", (63, 63), None)


def trained_once(base, count, train_norm):
    """The names of the layers that a few steps of training move."""
    model = whole_model(base, head(CONFIG, base.output_shape[1:], 1, seed=1))
    set_trainable(model, base, count, train_norm)
    compile_model(model, CONFIG)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    images = pictures(base, 4)
    for _ in range(2):
        model.train_on_batch(images, np.array([[0.0], [1.0], [0.0], [1.0]], np.float32))
    return {
        layer.name
        for layer in model.layers
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True)
        if not np.array_equal(old, new)
    }


HEAD_LAYERS = {"dense_1", "dense_2", "logits"}


def test_a_frozen_backbone_stays_as_it_is(cnn):
    assert trained_once(cnn, 0, train_norm=False) == HEAD_LAYERS


def test_only_the_unfrozen_layers_move(cnn):
    assert trained_once(cnn, 3, train_norm=False) == HEAD_LAYERS | {"conv3", "conv4"}


def test_pretrained_batch_normalization_does_not_move_even_where_it_is_unfrozen(alexnet):
    moved = trained_once(alexnet, -1, train_norm=False)

    assert moved == HEAD_LAYERS | {f"conv{n}" for n in range(1, 6)}


def test_batch_normalization_is_trained_where_nothing_was_pretrained(alexnet):
    moved = trained_once(alexnet, -1, train_norm=True)

    assert {f"bn{n}" for n in range(1, 6)} <= moved
    assert "preprocessing" not in moved


def test_unfrozen_layers_are_counted_from_the_top(cnn):
    assert unfrozen_layers(cnn, 0) == []
    assert unfrozen_layers(cnn, 2) == [layer.name for layer in cnn.layers[-2:]]
    assert unfrozen_layers(cnn, -1)[0] == "conv1"


def test_more_layers_than_there_are_cannot_be_unfrozen(cnn):
    with pytest.raises(ModelError, match=r"Cannot unfreeze 7 layers of 'cnn': it has 6. Use -1"):
        unfrozen_layers(cnn, 7)


def test_the_cut_lies_right_below_what_is_trained(cnn):
    layers = [layer.name for layer in cnn.layers]

    assert deepest_cut(cnn, 0) == layers[-1]
    assert deepest_cut(cnn, 3) == layers[-4]
    assert deepest_cut(cnn, -1) is None


def test_the_cut_of_a_residual_network_lies_below_the_block_that_is_trained():
    base, _ = built("mobilenet_v2")

    cut = deepest_cut(base, 15)  # the first of them is within block 15, which adds its input

    assert cut == "block_14_add"
    assert lower_part(base, cut).output_shape[-1] == 160


def test_accuracy_has_its_threshold_at_a_logit_of_zero():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    compile_model(model, CONFIG)

    logits, labels = np.array([[0.3], [0.2], [0.4], [-1.0]]), np.array([[1], [1], [1], [0]])
    found = model.evaluate(logits, labels, verbose=0, return_dict=True)

    assert found["accuracy"] == 1.0
    expected = np.mean(np.log1p(np.exp(np.where(labels, -logits, logits))))
    assert found["ce"] == pytest.approx(expected, abs=1e-6)
    assert found["loss"] == pytest.approx(expected, abs=1e-6)


def test_the_loss_includes_penalties_and_the_cross_entropy_does_not():
    config = configuration({"dense_layers": 1, "units_1": 4, "l1_1": 0.1, "l2_1": 0.2})
    model = head(config, (5,), 3, seed=1)
    compile_model(model, config)

    found = model.evaluate(np.ones((2, 5)), np.eye(3)[:2], verbose=0, return_dict=True)

    kernel = model.get_layer("dense_1").kernel.numpy()
    penalty = 0.1 * np.abs(kernel).sum() + 0.2 * (kernel**2).sum()
    assert found["loss"] - found["ce"] == pytest.approx(penalty, abs=1e-5)


def test_two_classes_have_one_logit():
    assert (count_logits(("a", "b")), count_logits(("a", "b", "c"))) == (1, 3)
    np.testing.assert_array_equal(targets(np.array([0, 1]), 1), [[0], [1]])
    np.testing.assert_array_equal(targets(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


def test_the_seed_of_a_trial_is_its_configuration_and_the_seed_of_the_study():
    other = configuration({"units_1": 8, "units_2": 4, "dropout": 0.1})
    code = (
        "from tuning.heads import trial_seed; from tuning.space import configuration; "
        "print(trial_seed(3, configuration({'units_1': 8, 'units_2': 4})))"
    )

    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert int(elsewhere.stdout) == trial_seed(3, CONFIG)
    assert len({trial_seed(3, CONFIG), trial_seed(4, CONFIG), trial_seed(3, other)}) == 3


def test_the_same_seed_builds_the_same_head():
    first, second, other = (head(CONFIG, (4, 4, 6), 1, seed) for seed in (5, 5, 6))

    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])
