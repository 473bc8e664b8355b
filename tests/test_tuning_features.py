"""Features: computed once, found again, and never taken for others."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from tuning.features import SHARD, Copies, cache_key, cached_features, missing_rows, model_digest
from tuning.heads import lower_part
from xai_tf.dataset import Dataset
from xai_tf.models import build_backbone
from xai_tf.tasks import TASKS
from xai_tf.training import features

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
    assert stored(lower, copies, tmp_path)[1] == [2 * SHARD]


@pytest.mark.parametrize("harm", ["gone", "cut", "flipped", "empty"])
def test_a_shard_that_is_damaged_is_computed_again_and_no_other(lower, copies, tmp_path, harm):
    first, _ = stored(lower, copies, tmp_path)
    _, shard, _ = shards = sorted(tmp_path.rglob("*.npy"))
    whole = shard.read_bytes()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    shard.write_bytes({"gone": b"", "empty": b"", "cut": whole[:-7], "flipped": flipped}[harm])
    if harm == "gone":
        shard.unlink()

    again, computed = stored(lower, copies, tmp_path)

    assert computed == [SHARD]
    np.testing.assert_array_equal(first, again)
    assert sorted(tmp_path.rglob("*.npy")) == shards


def test_rows_keep_their_order(lower, copies, tmp_path):
    turned = replace(copies, data=copies.data.rows(np.ones(ROWS, bool)))
    turned = replace(turned, data=replace(turned.data, images=turned.data.images[::-1]))

    ours, theirs = (stored(lower, c, tmp_path)[0] for c in (copies, turned))

    np.testing.assert_allclose(ours, theirs[::-1], atol=1e-5)
    assert not np.allclose(ours, theirs, atol=1e-5)


def test_other_things_have_another_key(base, lower, copies):
    keras.utils.set_random_seed(1)
    other_base = build_backbone("cnn", (32, 32), None)
    key = cache_key(lower, copies, True)

    keys = {
        key,
        cache_key(lower_part(other_base, "conv2"), copies, True),  # other weights
        cache_key(lower_part(base, "conv1"), copies, True),  # another cut
        cache_key(lower, copies, False),  # whole maps
        cache_key(lower, replace(copies, data=made_data(seed=1)), True),  # other images
        cache_key(lower, replace(copies, data=made_data(ROWS - 1)), True),  # fewer images
        cache_key(lower, replace(copies, count=2), True),  # more copies
        cache_key(lower, replace(copies, count=2, seed=2), True),  # other copies
        cache_key(lower, replace(copies, count=2, task=TASKS["brain_tumor"]), True),
    }

    assert len(keys) == 9


def test_the_same_things_have_the_same_key(base, lower, copies):
    labelled = replace(copies.data, labels=1 - copies.data.labels)

    again = Copies(labelled, 1, TASKS["brain_tumor"], seed=9)  # nothing is changed in one copy

    assert cache_key(lower_part(base, "conv2"), again, True) == cache_key(lower, copies, True)


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
    turned = replace(data, images=data.images[::-1].copy(), labels=1 - data.labels,
                     paths=tuple("xyz"))  # fmt: skip

    images, reverse, other = (
        Copies(d, 3, TASK, seed=seed).images(0, 9).reshape(3, 3, 32, 32, 3)
        for d, seed in ((data, 1), (turned, 1), (data, 2))
    )

    np.testing.assert_array_equal(images[:, ::-1], reverse)
    assert (images[1:] != other[1:]).any(axis=(2, 3, 4)).all()
