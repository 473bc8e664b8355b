"""Heads trained in batches are equal to those that Keras trains one by one."""

import numpy as np
import pytest
import tensorflow as tf

from tuning.batched_heads import (
    GROUP_BYTES,
    Member,
    Rows,
    State,
    group_members,
    initial_state,
    train_heads,
)
from tuning.heads import compile_model, head, set_dropout_step, targets, trial_seed
from tuning.space import configuration
from xai_tf.errors import InputError

CHANNELS, SEED, BATCH = 24, 7, 16
VALUES = {
    "units_1": 12,
    "units_2": 8,
    "learning_rate": 3e-3,
    "l1_1": 1e-3,
    "l2_1": 1e-3,
    "l1_2": 1e-4,
    "l2_2": 1e-2,
}
HEADS = {
    "relu with dropout": {"activation": "relu", "dropout": 0.3, "dense_layers": 2},
    "gelu without": {"activation": "gelu", "dropout": 0.0, "dense_layers": 1},
    "no dense layer": {"dropout": 0.2, "dense_layers": 0},
}
MEASURES = ("loss", "val_loss", "ce", "val_ce", "accuracy", "val_accuracy")
QUICK = [
    ("adam", "relu with dropout", 1),
    ("adamw", "gelu without", 3),
    ("rmsprop", "no dense layer", 1),
    ("sgd", "relu with dropout", 3),
]
EVERY = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow)
    for case in [
        (o, h, n) for o in ("adam", "adamw", "rmsprop", "sgd") for h in HEADS for n in (1, 3)
    ]
]


def config_of(**changes):
    return configuration(VALUES | changes)


def made_rows(num_logits, count, seed=0, multi_label=False):
    """Features that tell the classes apart a little; with different class weights."""
    rng = np.random.default_rng(seed)
    if multi_label:
        labels = rng.integers(0, 2, (count, num_logits))
        found = rng.standard_normal((count, CHANNELS)) + 0.3 * labels.sum(axis=1, keepdims=True)
        ones = np.ones(count, np.float32)
        return Rows(found.astype(np.float32), targets(labels, num_logits), ones, True)
    labels = rng.integers(0, max(2, num_logits), count)
    features = np.maximum(rng.standard_normal((count, CHANNELS)) + 0.3 * labels[:, None], 0)
    weights = np.array([0.8, 1.3, 1.0])[labels]
    return Rows(features.astype(np.float32), targets(labels, num_logits), weights.astype("f"))


def member_of(config, num_logits, state=None):
    state = state or initial_state(config, CHANNELS, num_logits, SEED)
    return Member(config, state, trial_seed(SEED, config))


def trained(members, num_logits, epochs=range(2), multi_label=False):
    """For each member its epochs, and its state after the last."""
    rows = [made_rows(num_logits, n, seed, multi_label) for n, seed in ((70, 0), (20, 1))]
    results = list(train_heads(members, *rows, epochs=epochs, batch_size=BATCH, seed=SEED))
    return [([epoch[k][0] for epoch in results], results[-1][k][1]()) for k in range(len(members))]


@pytest.mark.parametrize(("optimizer", "kind", "num_logits"), EVERY)
def test_batched_heads_train_as_keras_does(optimizer, kind, num_logits):
    config = config_of(optimizer=optimizer, **HEADS[kind])
    other = config_of(optimizer=optimizer, **HEADS[kind], learning_rate=1e-4, l1_1=0.1)

    (epochs, state), _ = trained(
        [member_of(config, num_logits), member_of(other, num_logits)], num_logits
    )

    assert_trained_by_keras(config, num_logits, epochs, state)


@pytest.mark.parametrize("num_logits", [2, 3])
def test_batched_heads_learn_several_labels_as_keras_does(num_logits):
    config = config_of(optimizer="adam", **HEADS["relu with dropout"])

    [(epochs, state)] = trained([member_of(config, num_logits)], num_logits, multi_label=True)

    assert_trained_by_keras(config, num_logits, epochs, state, multi_label=True)


def test_ten_epochs_under_a_strong_penalty_are_those_of_keras():
    """Where weights are driven to zero, one rounding apart grows to hundredths of the loss."""
    config = config_of(dropout=0.1, l1_1=1e-2, l2_1=1e-2, l1_2=1e-2, l2_2=1e-2)

    [(epochs, state)] = trained([member_of(config, 1)], 1, epochs=range(10))

    assert_trained_by_keras(config, 1, epochs, state)


def assert_trained_by_keras(config, num_logits, epochs, state, multi_label=False):
    """Keras' own `fit`, with the same seed, measures and weighs the same."""
    train = made_rows(num_logits, 70, multi_label=multi_label)
    validation = made_rows(num_logits, 20, 1, multi_label)
    model = head(config, (CHANNELS,), num_logits, trial_seed(SEED, config))
    compile_model(model, config, multi_label)
    steps = -(-70 // BATCH)
    for number, ours in enumerate(epochs):
        order = tf.random.experimental.stateless_shuffle(tf.range(70), seed=[SEED, number]).numpy()
        set_dropout_step(model, trial_seed(SEED, config), number * steps)
        rows = (train.features[order], train.targets[order], train.weights[order])
        theirs = model.fit(
            tf.data.Dataset.from_tensor_slices(rows).batch(BATCH),
            shuffle=False,
            verbose=0,
            validation_data=(validation.features, validation.targets),
        ).history
        for name in MEASURES:
            assert getattr(ours, name) == pytest.approx(theirs[name][0], abs=1e-6), name
    for mine, keras_own in zip(
        state.weights(len(config.dense) + 1), model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(mine, keras_own, atol=1e-6)


def test_a_result_does_not_depend_on_the_other_members():
    configs = [config_of(dropout=0.2, learning_rate=rate) for rate in (1e-2, 1e-3, 1e-4)]
    members = [member_of(config, 1) for config in configs]

    crowd = trained(members, 1)

    for member, (epochs, state) in zip(members, crowd, strict=True):
        [(single, own)] = trained([member], 1)
        for one, two in zip(epochs, single, strict=True):
            for name in MEASURES:
                assert getattr(one, name) == pytest.approx(getattr(two, name), abs=1e-6)
        for a, b in zip(state.arrays, own.arrays, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_member_that_diverges_does_not_affect_others():
    good, bad = config_of(optimizer="sgd"), config_of(optimizer="sgd", learning_rate=10.0, l2_1=10)

    (epochs, _), (broken, _) = trained([member_of(good, 1), member_of(bad, 1)], 1, range(4))

    assert not np.isfinite(broken[-1].val_loss)
    [(single, _)] = trained([member_of(good, 1)], 1, range(4))
    assert epochs[-1].val_loss == pytest.approx(single[-1].val_loss, abs=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_training_resumed_from_a_file_equals_uninterrupted_training(tmp_path, optimizer):
    config = config_of(optimizer=optimizer, dropout=0.2)
    [(whole, last)] = trained([member_of(config, 1)], 1, range(3))

    [(_, state)] = trained([member_of(config, 1)], 1, range(1))
    state.save(tmp_path / "state.npz")
    resumed = member_of(config, 1, State.load(tmp_path / "state.npz"))
    [(rest, end)] = trained([resumed], 1, range(1, 3))

    assert [epoch.epoch for epoch in rest] == [2, 3]
    for one, two in zip(whole[1:], rest, strict=True):
        assert one.val_loss == pytest.approx(two.val_loss, abs=1e-6)
    for a, b in zip(last.arrays, end.arrays, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert end.step == last.step == 3 * -(-70 // BATCH)


def test_a_state_is_read_as_it_was_written(tmp_path):
    state = State(tuple(np.full((n, 2), n, np.float32) for n in range(1, 14)), step=9)

    state.save(tmp_path / "state.npz")
    loaded = State.load(tmp_path / "state.npz")

    assert loaded.step == 9
    for a, b in zip(state.arrays, loaded.arrays, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "flipped"])
def test_a_damaged_state_is_named(tmp_path, harm):
    path = tmp_path / "state.npz"
    State((np.arange(300, dtype=np.float32),), 1).save(path)
    stored = bytearray(path.read_bytes())
    if harm == "flipped":
        stored[600] ^= 255
    path.unlink()
    if harm != "gone":
        path.write_bytes({"empty": b"", "cut": stored[:500], "flipped": stored}[harm])

    with pytest.raises(InputError, match=r"Cannot read .*state\.npz: .* Restore it"):
        State.load(path)


@pytest.mark.parametrize("num_logits", [1, 3])
def test_batched_heads_start_from_the_weights_of_keras(num_logits):
    config = config_of()

    state = initial_state(config, CHANNELS, num_logits, SEED)

    model = head(config, (CHANNELS,), num_logits, trial_seed(SEED, config))
    for mine, own in zip(state.weights(3), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, own)
    assert not any(array.any() for array in state.arrays[6:])
    assert state.step == 0


def test_only_members_of_one_kind_and_width_are_trained_together():
    changes = [
        {},
        {"learning_rate": 1e-4},
        {"units_1": 16},
        {"activation": "tanh"},
        {"optimizer": "sgd"},
        {"dropout": 0.1},
        {"dropout": 0.2},
        {"dense_layers": 1},
        {"l1_1": 0.0},
    ]
    members = [member_of(config_of(**change), 1) for change in changes]

    groups = group_members(members, 1)

    assert sorted(map(sorted, groups)) == [[0, 1, 8], [2], [3], [4], [5, 6], [7]]


def test_groups_stay_within_their_size_limit():
    state = State((np.zeros(GROUP_BYTES // 12, np.float32),), 0)  # a third of a group
    members = [Member(config_of(), state, 1)] * 7

    groups = group_members(members, 1)

    assert groups == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_head_larger_than_half_a_group_is_trained_by_itself():
    state = State((np.zeros(GROUP_BYTES // 2, np.float32),), 0)

    assert group_members([Member(config_of(), state, 1)] * 2, 1) == [[0], [1]]
