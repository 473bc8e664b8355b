"""Features: computed once, found again, and never taken for others."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from tuning.features import SHARD, Copies, cache_key, cached_features, missing_rows, model_digest
from tuning.heads import lower_part
from xai_tf.classifiers.backbones import build_backbone
from xai_tf.datasets.dataset import Dataset
from xai_tf.tasks import TASKS
from xai_tf.training.train import features

TASK = TASKS["lung_opacity"]
ROWS = 2 * SHARD + 9


def made_data(count=ROWS, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    return Dataset(images, labels, np.arange(count), (), ("a", "b"), (None,) * count)


@pytest.fixture(scope="module")
def base():
    keras.utils.set_random_seed(0)
    return build_backbone("cnn", (32, 32), None)


@pytest.fixture(scope="module")
def lower(base):
    return lower_part(base, "conv2")


@pytest.fixture(scope="module")
def copies():
    return Copies(made_data(), 1, TASK, seed=1)


class Computed:
    """Counts what is computed, as `report` is told."""

    def __init__(self):
        self.shards = []

    def __call__(self, what, done, total):
        if done < total:
            self.shards.append(done)


def stored(lower, copies, root, pooled=True):
    """The features, and the first row of every shard that was computed."""
    report = Computed()
    return cached_features(lower, copies, pooled, root, report), report.shards


@pytest.mark.parametrize("pooled", [True, False])
def test_stored_features_are_those_that_are_computed(lower, copies, tmp_path, pooled):
    few = replace(copies, data=copies.data.rows(np.arange(ROWS) < 20))

    first, _ = stored(lower, few, tmp_path, pooled)
    again, computed = stored(lower, few, tmp_path, pooled)

    expected = features(lower, few.data.images)
    expected = expected.mean((1, 2)) if pooled else expected
    np.testing.assert_allclose(first, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(first, again)
    assert computed == []


def test_what_is_on_the_disk_is_not_computed_again(lower, copies, tmp_path):
    first, computed = stored(lower, copies, tmp_path)
    assert computed == [0, SHARD, 2 * SHARD]
    assert missing_rows(lower, copies, True, tmp_path) == 0

    again, computed = stored(lower, copies, tmp_path)

    assert computed == []
    np.testing.assert_array_equal(first, again)


def test_a_kill_loses_a_shard_at_most(lower, copies, tmp_path):
    class Killed(BaseException):
        pass

    def kill(what, done, total):
        if done == 2 * SHARD:
            raise Killed

    with pytest.raises(Killed):
        cached_features(lower, copies, True, tmp_path, kill)

    assert missing_rows(lower, copies, True, tmp_path) == ROWS - 2 * SHARD
    assert stored(lower, copies, tmp_path)[1] == [0]


@pytest.mark.parametrize("harm", ["gone", "cut", "flipped", "empty"])
def test_a_shard_that_is_damaged_is_computed_again_and_no_other(lower, copies, tmp_path, harm):
    first, _ = stored(lower, copies, tmp_path)
    shards = sorted(tmp_path.rglob("*.npz"))
    largest = max(shards, key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    largest.write_bytes({"gone": b"", "empty": b"", "cut": whole[:-7], "flipped": flipped}[harm])
    if harm == "gone":
        largest.unlink()
    missing = missing_rows(lower, copies, True, tmp_path)

    again, computed = stored(lower, copies, tmp_path)

    assert missing == SHARD
    assert computed == [0]
    np.testing.assert_array_equal(first, again)
    assert sorted(tmp_path.rglob("*.npz")) == shards


def test_another_order_or_part_of_the_rows_computes_nothing(lower, copies, tmp_path):
    first, _ = stored(lower, copies, tmp_path)
    turned = replace(copies, data=replace(copies.data, images=copies.data.images[::-1]))
    part = replace(copies, data=copies.data.rows(np.arange(ROWS) % 3 == 1))

    backwards, none = stored(lower, turned, tmp_path)
    third, neither = stored(lower, part, tmp_path)

    assert none == neither == []
    np.testing.assert_array_equal(first, backwards[::-1])
    np.testing.assert_array_equal(first[1::3], third)


def test_one_more_picture_costs_one_row(lower, copies, tmp_path):
    stored(lower, copies, tmp_path)
    more = np.concatenate([made_data(1, seed=5).images, copies.data.images])

    grown = replace(copies, data=replace(made_data(ROWS + 1), images=more))

    assert missing_rows(lower, grown, True, tmp_path) == 1


def test_the_same_picture_twice_is_computed_once(lower, tmp_path):
    data = made_data(4)
    twice = Copies(replace(data, images=data.images[[0, 1, 0, 1]]), 1, TASK, seed=1)

    values, _ = stored(lower, twice, tmp_path)

    np.testing.assert_array_equal(values[:2], values[2:])


def test_other_networks_have_another_cache(base, lower):
    keras.utils.set_random_seed(1)
    other_base = build_backbone("cnn", (32, 32), None)

    names = {
        cache_key(lower, True),
        cache_key(lower_part(other_base, "conv2"), True),  # other weights
        cache_key(lower_part(base, "conv1"), True),  # another cut
        cache_key(lower, False),  # whole maps
    }

    assert len(names) == 4
    assert cache_key(lower_part(base, "conv2"), True) == cache_key(lower, True)


def test_other_changes_are_other_rows(copies):
    def changed(**settings):
        return set(replace(copies, **{"count": 2} | settings).keys)

    own = changed()

    assert len(own) == 2 * ROWS
    assert len(own & changed(count=3)) == 2 * ROWS
    assert len(own & changed(seed=2)) == ROWS  # the unchanged copies
    assert len(own & changed(task=TASKS["brain_tumor"])) == ROWS
    assert not own & changed(data=made_data(seed=1))


def test_one_weight_makes_another_model(base):
    before = model_digest(base)
    kernel = base.get_layer("conv1").kernel
    value = kernel.numpy()
    changed = value.copy()
    changed[0, 0, 0, 0] += 1e-6

    kernel.assign(changed)
    after = model_digest(base)
    kernel.assign(value)

    assert before != after
    assert model_digest(base) == before


def test_the_first_copy_is_the_image_and_the_others_are_changed():
    data = replace(made_data(3), paths=tuple("abc"))
    copies = Copies(data, 3, TASK, seed=1)

    images = copies.images(0, 9)

    np.testing.assert_array_equal(images[:3], data.images)
    assert len({image.tobytes() for image in images}) == 9
    np.testing.assert_array_equal(copies.labels, [0, 1, 0] * 3)
    assert len(copies) == 9


def test_changes_depend_on_pixels_seed_and_copy_alone():
    data = replace(made_data(3), paths=tuple("abc"))
    turned = replace(
        data, images=data.images[::-1].copy(), labels=1 - data.labels, paths=tuple("xyz")
    )

    images, reverse, other = (
        Copies(d, 3, TASK, seed=seed).images(0, 9).reshape(3, 3, 32, 32, 3)
        for d, seed in ((data, 1), (turned, 1), (data, 2))
    )

    np.testing.assert_array_equal(images[:, ::-1], reverse)
    assert (images[1:] != other[1:]).any(axis=(2, 3, 4)).all()
