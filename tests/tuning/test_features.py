"""Features: computed once, read from the cache afterwards, never mistaken for others."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from tuning.augmented_rows import AugmentedRows
from tuning.features import SHARD, cache_key, cached_features, model_digest, num_missing
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
    return Dataset(
        images=images,
        labels=labels,
        files=np.arange(count),
        paths=(),
        classes=("a", "b"),
        sounds=(None,) * count,
    )


@pytest.fixture(scope="module")
def base():
    keras.utils.set_random_seed(0)
    return build_backbone("cnn", (32, 32), None)


@pytest.fixture(scope="module")
def lower(base):
    return lower_part(base, "conv2")


@pytest.fixture(scope="module")
def rows():
    return AugmentedRows(made_data(), 1, TASK, seed=1)


class Computed:
    """Records which shards are computed."""

    def __init__(self):
        self.shards = []

    def __call__(self, done, total, what=""):
        if done < total:
            self.shards.append(done)


def stored(lower, rows, root, pooled=True):
    """The features, and the first row of every shard that was computed."""
    progress = Computed()
    return cached_features(lower, rows, pooled, root, progress), progress.shards


@pytest.mark.parametrize("pooled", [True, False])
def test_stored_features_are_those_that_are_computed(lower, rows, tmp_path, pooled):
    few = replace(rows, data=rows.data.rows(np.arange(ROWS) < 20))

    first, _ = stored(lower, few, tmp_path, pooled)
    again, computed = stored(lower, few, tmp_path, pooled)

    expected = features(lower, few.data.images)
    expected = expected.mean((1, 2)) if pooled else expected
    np.testing.assert_allclose(first, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(first, again)
    assert computed == []


def test_cached_features_are_not_computed_again(lower, rows, tmp_path):
    first, computed = stored(lower, rows, tmp_path)
    assert computed == [0, SHARD, 2 * SHARD]
    assert num_missing(lower, rows, True, tmp_path) == 0

    again, computed = stored(lower, rows, tmp_path)

    assert computed == []
    np.testing.assert_array_equal(first, again)


def test_a_killed_process_loses_at_most_one_shard(lower, rows, tmp_path):
    class Killed(BaseException):
        pass

    def kill(done, total, what=""):
        if done == 2 * SHARD:
            raise Killed

    with pytest.raises(Killed):
        cached_features(lower, rows, True, tmp_path, kill)

    assert num_missing(lower, rows, True, tmp_path) == ROWS - 2 * SHARD
    assert stored(lower, rows, tmp_path)[1] == [0]


@pytest.mark.parametrize("harm", ["gone", "cut", "flipped", "empty"])
def test_only_a_damaged_shard_is_computed_again(lower, rows, tmp_path, harm):
    first, _ = stored(lower, rows, tmp_path)
    shards = sorted(tmp_path.rglob("*.npz"))
    largest = max(shards, key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    largest.write_bytes({"gone": b"", "empty": b"", "cut": whole[:-7], "flipped": flipped}[harm])
    if harm == "gone":
        largest.unlink()
    missing = num_missing(lower, rows, True, tmp_path)

    again, computed = stored(lower, rows, tmp_path)

    assert missing == SHARD
    assert computed == [0]
    np.testing.assert_array_equal(first, again)
    assert sorted(tmp_path.rglob("*.npz")) == shards


def test_another_order_or_part_of_the_rows_computes_nothing(lower, rows, tmp_path):
    first, _ = stored(lower, rows, tmp_path)
    turned = replace(rows, data=replace(rows.data, images=rows.data.images[::-1]))
    part = replace(rows, data=rows.data.rows(np.arange(ROWS) % 3 == 1))

    backwards, none = stored(lower, turned, tmp_path)
    third, neither = stored(lower, part, tmp_path)

    assert none == neither == []
    np.testing.assert_array_equal(first, backwards[::-1])
    np.testing.assert_array_equal(first[1::3], third)


def test_one_more_image_costs_one_row(lower, rows, tmp_path):
    stored(lower, rows, tmp_path)
    more = np.concatenate([made_data(1, seed=5).images, rows.data.images])

    grown = replace(rows, data=replace(made_data(ROWS + 1), images=more))

    assert num_missing(lower, grown, True, tmp_path) == 1


def test_the_same_image_twice_is_computed_once(lower, tmp_path):
    data = made_data(4)
    twice = AugmentedRows(replace(data, images=data.images[[0, 1, 0, 1]]), 1, TASK, seed=1)

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


def test_other_augmentations_are_other_rows(rows):
    def changed(**settings):
        return set(replace(rows, **{"versions": 2} | settings).keys)

    own = changed()

    assert len(own) == 2 * ROWS
    assert len(own & changed(versions=3)) == 2 * ROWS
    assert len(own & changed(seed=2)) == ROWS  # the unaltered versions
    assert len(own & changed(task=TASKS["brain_tumor"])) == ROWS
    assert not own & changed(data=made_data(seed=1))


def test_one_changed_weight_changes_the_digest(base):
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


def test_the_first_version_is_the_image_and_the_others_are_augmented():
    data = replace(made_data(3), paths=tuple("abc"))
    rows = AugmentedRows(data, 3, TASK, seed=1)

    images = rows.images(0, 9)

    np.testing.assert_array_equal(images[:3], data.images)
    assert len({image.tobytes() for image in images}) == 9
    np.testing.assert_array_equal(rows.labels, [0, 1, 0] * 3)
    assert len(rows) == 9


def test_augmentations_depend_only_on_pixels_seed_and_version():
    data = replace(made_data(3), paths=tuple("abc"))
    turned = replace(
        data, images=data.images[::-1].copy(), labels=1 - data.labels, paths=tuple("xyz")
    )

    images, reverse, other = (
        AugmentedRows(d, 3, TASK, seed=seed).images(0, 9).reshape(3, 3, 32, 32, 3)
        for d, seed in ((data, 1), (turned, 1), (data, 2))
    )

    np.testing.assert_array_equal(images[:, ::-1], reverse)
    assert (images[1:] != other[1:]).any(axis=(2, 3, 4)).all()
