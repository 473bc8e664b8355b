"""Folders of class folders become arrays, and are parted by file."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from xai_tf.datasets.dataset import Dataset
from xai_tf.datasets.layouts import class_folders
from xai_tf.datasets.listing import DataOptions, Entry, Listing
from xai_tf.datasets.reading import read_folder, read_splits
from xai_tf.datasets.splits import split_off
from xai_tf.errors import InputError, SettingError
from xai_tf.tasks import TASKS

PHOTOS = TASKS["dog_breeds"]
SOUNDS = TASKS["deepfake_audio"]
SIZE = (16, 16)


def folder_of_photos(root, level=0, **counts):
    """A folder a class; each picture is flat, of a grey level all its own, from `level` on."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            level += 2
            Image.new("RGB", SIZE, (level,) * 3).save(root / name / f"{number:02d}.png")
    return root


def folder_of_sounds(root, seconds):
    for name, hertz in (("human", 300), ("synthetic", 900)):
        (root / name).mkdir(parents=True)
        for number, duration in enumerate(seconds):
            time = np.arange(round(8000 * duration)) / 8000
            tone = 0.5 * np.sin(2 * np.pi * hertz * time)
            soundfile.write(root / name / f"{number}.wav", tone, 8000)
    return root


def numbers(count_a, count_b, windows=1):
    """A data set of so many files of two classes, each of so many windows, without pictures."""
    files = np.repeat(np.arange(count_a + count_b), windows)
    labels = (files >= count_a).astype(int)
    paths = tuple(Path(f"{number}.png") for number in range(count_a + count_b))
    images = np.zeros((len(files), 1, 1, 3), np.uint8)
    return Dataset(
        images=images,
        labels=labels,
        files=files,
        paths=paths,
        classes=("a", "b"),
        sounds=(None,) * len(files),
    )


def names(count_a, count_b, group=lambda number: number):
    """A listing of so many files of two classes, which are not there."""
    entries = [
        Entry(Path(f"{number}.png"), (int(number >= count_a),), "", str(group(number)))
        for number in range(count_a + count_b)
    ]
    return Listing(tuple(entries), ("a", "b"))


def stems(listing):
    return {int(entry.path.stem) for entry in listing.entries}


def counts(listing):
    return np.bincount([entry.label for entry in listing.entries], minlength=2).tolist()


def test_every_file_is_read_with_the_class_of_its_folder(tmp_path):
    dataset = read_folder(folder_of_photos(tmp_path, cat=2, dog=3), PHOTOS, SIZE)

    assert dataset.classes == ("cat", "dog")
    assert dataset.labels.tolist() == [0, 0, 1, 1, 1]
    assert dataset.files.tolist() == [0, 1, 2, 3, 4]
    assert dataset.images.shape == (5, 16, 16, 3)
    assert dataset.images.dtype == np.uint8
    assert dataset.images[:, 0, 0, 0].tolist() == [2, 4, 6, 8, 10]
    assert [path.parent.name for path in dataset.paths] == ["cat", "cat", "dog", "dog", "dog"]


def test_the_order_of_the_classes_is_that_of_the_task(tmp_path):
    task = TASKS["lung_opacity"]

    dataset = read_folder(folder_of_photos(tmp_path, opacity=1, normal=2), task, SIZE)

    assert dataset.classes == ("normal", "opacity")
    assert dataset.labels.tolist() == [0, 0, 1]


def test_the_order_of_the_classes_can_be_given(tmp_path):
    folder_of_photos(tmp_path, cat=1, dog=2)

    dataset = read_folder(tmp_path, PHOTOS, SIZE, ("dog", "cat"))

    assert dataset.labels.tolist() == [0, 0, 1]


def test_other_files_and_hidden_folders_are_passed_over(tmp_path):
    folder_of_photos(tmp_path, cat=1, dog=1)
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").write_text("not a class")
    (tmp_path / "cat" / "notes.txt").write_text("not a picture")

    dataset = read_folder(tmp_path, PHOTOS, SIZE)

    assert dataset.classes == ("cat", "dog")
    assert len(dataset.labels) == 2


def test_hidden_files_in_a_class_are_passed_over(tmp_path):
    folder_of_photos(tmp_path, cat=1, dog=1)
    (tmp_path / "cat" / "._00.png").write_text("what a Mac leaves beside a file")

    assert len(read_folder(tmp_path, PHOTOS, SIZE).labels) == 2


def test_files_deeper_in_a_class_folder_are_read(tmp_path):
    folder_of_photos(tmp_path, cat=1, dog=1)
    folder_of_photos(tmp_path / "cat", more=2)

    assert read_folder(tmp_path, PHOTOS, SIZE).labels.tolist() == [0, 0, 0, 1]


def test_windows_of_one_recording_share_its_number(tmp_path):
    folder = folder_of_sounds(tmp_path, seconds=(1, 4))

    dataset = read_folder(folder, SOUNDS, SIZE)

    assert dataset.files.tolist() == [0, 1, 1, 1, 2, 3, 3, 3]
    assert dataset.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert dataset.file_labels.tolist() == [0, 0, 1, 1]


def test_a_row_is_a_sample_again(tmp_path):
    dataset = read_folder(folder_of_sounds(tmp_path, seconds=(1, 4)), SOUNDS, SIZE)

    sample = dataset.rows(dataset.labels == 1).sample(2)

    again = SOUNDS.windows(tmp_path / "synthetic" / "1.wav", SIZE)[1]
    assert sample.source == again.source
    assert sample.label == 1
    assert np.abs(sample.image - again.image).max() <= 0.5 / 255 + 1e-6
    assert (sample.sound.waveform == again.sound.waveform).all()


def test_file_means_average_the_windows_of_each_file():
    dataset = numbers(1, 1, windows=2)

    means = dataset.file_means(np.array([[1.0, 2], [3, 4], [10, 0], [20, 0]]))

    assert means.tolist() == [[2, 3], [15, 0]]


def test_file_means_go_with_file_labels_after_a_split():
    dataset = numbers(10, 10, windows=3)
    chosen = dataset.files % 3 == 0

    for part in (dataset.rows(chosen), dataset.rows(~chosen)):
        means = part.file_means(part.labels.astype(float))
        assert (means == part.file_labels).all()


def test_progress_names_each_file(tmp_path):
    seen = []

    read_folder(folder_of_photos(tmp_path, cat=1, dog=1), PHOTOS, SIZE, progress=_into(seen))

    assert seen == [(0, 2, "reading 00.png"), (1, 2, "reading 00.png")]


def _into(seen):
    return lambda *what: seen.append(what)


def test_a_split_takes_the_share_of_each_class_and_no_file_on_both_sides():
    rest, taken = split_off(names(20, 60), 0.15, seed=0)

    assert stems(rest) | stems(taken) == set(range(80))
    assert not stems(rest) & stems(taken)
    assert counts(taken) == [3, 9]


def test_a_split_is_the_same_for_the_same_seed_and_another_for_another():
    first, again, other = (stems(split_off(names(30, 30), 0.3, seed)[1]) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_a_split_by_file_is_the_one_the_bundled_models_were_trained_with():
    rng = np.random.default_rng(3)
    expected = {*rng.permutation(np.arange(40))[:6], *rng.permutation(np.arange(40, 100))[:9]}

    assert stems(split_off(names(40, 60), 0.15, seed=3)[1]) == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_split_leaves_a_group_on_one_side_and_takes_about_the_share(seed):
    listing = names(120, 240, group=lambda number: number % 47)

    rest, taken = split_off(listing, 0.15, seed)

    groups = [{entry.group for entry in part.entries} for part in (rest, taken)]
    assert not groups[0] & groups[1]
    assert len(rest.entries) + len(taken.entries) == 360
    np.testing.assert_allclose(counts(taken), [18, 36], atol=6)


def test_a_group_with_most_of_the_files_stays_with_the_rest():
    listing = names(60, 60, group=lambda number: number if number % 2 else f"big {number // 60}")

    for seed in range(5):
        rest, taken = split_off(listing, 0.15, seed)

        assert counts(taken) == [9, 9]
        assert {"big 0", "big 1"} <= {entry.group for entry in rest.entries}


def test_a_class_of_two_groups_has_one_on_each_side_however_large():
    rest, taken = split_off(names(20, 20, group=lambda number: number // 10), 0.15, seed=0)

    assert counts(rest) == counts(taken) == [10, 10]


def test_a_class_of_one_group_cannot_be_split():
    with pytest.raises(InputError, match=r"'a' has 5 files in 1 group \(0\): too few .* Add some"):
        split_off(names(5, 10, group=lambda number: number // 5), 0.15, seed=0)


def listing_of(groups, classes):
    """Groups by name, each with a file of each of its classes."""
    entries = [
        Entry(Path(f"{group}{held}.png"), (classes.index(held),), "", group)
        for group, members in groups.items()
        for held in members
    ]
    return Listing(tuple(entries), tuple(classes))


@pytest.mark.parametrize("seed", range(5))
def test_a_group_of_several_classes_stays_on_one_side(seed):
    rest, taken = split_off(listing_of({"x": "ab", "y": "a", "z": "b"}, "ab"), 0.15, seed)

    assert not rest.missing_classes()
    assert not taken.missing_classes()
    assert len({entry.group for entry in rest.entries + taken.entries}) == 3


def test_groups_that_hold_each_other_back_cannot_be_split():
    with pytest.raises(InputError, match=r"3 groups cannot be split .* Add files of other groups"):
        split_off(listing_of({"x": "ab", "y": "bc", "z": "ac"}, "abc"), 0.15, seed=0)


@pytest.mark.parametrize("count", [2, 3])
def test_a_split_of_few_files_leaves_one_of_each_class_on_both_sides(count):
    rest, taken = split_off(names(count, count), 0.15, seed=0)

    assert min(counts(rest)) >= 1
    assert min(counts(taken)) >= 1


def test_a_class_of_one_file_cannot_be_split():
    with pytest.raises(InputError, match=r"'a' has 1 file: too few .* Add some"):
        split_off(names(1, 5), 0.15, seed=0)


def test_three_sets_share_no_file(tmp_path):
    splits = read_splits(folder_of_photos(tmp_path, cat=20, dog=40), PHOTOS, SIZE)

    parts = [set(part.paths) for part in (splits.train, splits.validation, splits.test)]
    assert set.union(*parts) == set(tmp_path.glob("*/*.png"))
    assert sum(map(len, parts)) == 60
    assert np.bincount(splits.test.labels).tolist() == [3, 6]
    assert np.bincount(splits.validation.labels).tolist() == [3, 5]


def test_a_test_folder_is_the_test_set(tmp_path):
    folder_of_photos(tmp_path / "train", cat=10, dog=10)
    folder_of_photos(tmp_path / "test", level=100, cat=2, dog=3)

    splits = read_splits(tmp_path, PHOTOS, SIZE)

    assert {path.parent.parent.name for path in splits.test.paths} == {"test"}
    assert splits.test.labels.tolist() == [0, 0, 1, 1, 1]
    assert {path.parent.parent.name for path in splits.train.paths} == {"train"}
    assert len(splits.train.labels) + len(splits.validation.labels) == 20
    assert np.bincount(splits.validation.labels).tolist() == [2, 2]


def test_a_test_folder_without_one_of_the_classes_is_refused(tmp_path):
    folder_of_photos(tmp_path / "train", cat=4, dog=4)
    folder_of_photos(tmp_path / "test", cat=2)

    with pytest.raises(InputError, match=r"test/dog.* Name the folders after the classes"):
        read_splits(tmp_path, PHOTOS, SIZE)


def test_one_class_is_refused(tmp_path):
    folder_of_photos(tmp_path, cat=2)

    with pytest.raises(InputError, match="1 class folder; a classifier needs at least two"):
        read_folder(tmp_path, PHOTOS, SIZE)


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no folder .*nowhere\. Check the name"):
        class_folders(tmp_path / "nowhere")


def test_an_empty_class_is_named(tmp_path):
    folder_of_photos(tmp_path, cat=2, dog=0)

    with pytest.raises(
        InputError, match=r"dog contains no file that can be read .* remove the class"
    ):
        read_folder(tmp_path, PHOTOS, SIZE)


def test_a_class_of_the_task_that_is_missing_is_named(tmp_path):
    folder_of_photos(tmp_path, normal=2, pneumonia=2)

    with pytest.raises(InputError, match=r"no class folder .*opacity"):
        read_folder(tmp_path, TASKS["lung_opacity"], SIZE)


def test_an_unreadable_file_is_named(tmp_path):
    folder_of_photos(tmp_path, cat=2, dog=2)
    (tmp_path / "dog" / "01.png").write_text("Dear all,")

    with pytest.raises(InputError, match=r"dog/01\.png: it is not a picture"):
        read_folder(tmp_path, PHOTOS, SIZE)


def test_three_pictures_are_too_few(tmp_path):
    folder_of_photos(tmp_path, cat=2, dog=1)

    with pytest.raises(InputError, match=r"'cat' has 2 files: too few for 3 splits.* Add some"):
        read_splits(tmp_path, PHOTOS, SIZE)


def test_an_unreadable_file_among_good_ones_is_named_with_a_way_round_it(tmp_path):
    folder_of_photos(tmp_path, cat=6, dog=6)
    (tmp_path / "dog" / "01.png").write_text("Dear all,")

    with pytest.raises(InputError, match=r"dog/01\.png: it is not a picture.* --skip-bad"):
        read_splits(tmp_path, PHOTOS, SIZE)


def test_an_unreadable_file_is_left_out_and_noted_if_asked_for(tmp_path):
    folder_of_photos(tmp_path, cat=12, dog=12)
    (tmp_path / "dog" / "01.png").write_text("Dear all,")

    splits = read_splits(tmp_path, PHOTOS, SIZE, options=DataOptions(skip_bad=True))

    parts = (splits.train, splits.validation, splits.test)
    read = [part.paths[number].name for part in parts for number in part.files]
    assert len(read) == 23
    assert len(splits.notes) == 1
    assert "dog/01.png: it is not a picture" in splits.notes[0]
    for part in parts:
        assert [part.sample(row).image[0, 0, 0] for row in range(len(part.labels))] == [
            pytest.approx(_level(part.paths[number])) for number in part.files
        ]


def _level(path):
    return Image.open(path).getpixel((0, 0))[0] / 255


def test_a_class_of_unreadable_files_is_named_even_if_they_may_be_left_out(tmp_path):
    folder_of_photos(tmp_path, cat=5, dog=5)
    for path in (tmp_path / "dog").iterdir():
        path.write_text("Dear all,")

    with pytest.raises(InputError, match=r"'dog' has no readable file .*dog/.* Add files"):
        read_splits(tmp_path, PHOTOS, SIZE, options=DataOptions(skip_bad=True))


def test_a_validation_folder_validates(tmp_path):
    folder_of_photos(tmp_path / "train", cat=4, dog=4)
    folder_of_photos(tmp_path / "valid", level=50, cat=1, dog=2)
    folder_of_photos(tmp_path / "test", level=100, cat=2, dog=3)

    splits = read_splits(tmp_path, PHOTOS, SIZE)

    assert len(splits.train.labels) == 8
    assert splits.validation.labels.tolist() == [0, 1, 1]
    assert splits.test.labels.tolist() == [0, 0, 1, 1, 1]


def test_a_test_set_is_drawn_where_there_is_a_validation_folder_only(tmp_path):
    folder_of_photos(tmp_path / "train", cat=10, dog=10)
    folder_of_photos(tmp_path / "val", level=100, cat=1, dog=2)

    splits = read_splits(tmp_path, PHOTOS, SIZE)

    assert splits.validation.labels.tolist() == [0, 1, 1]
    assert splits.test.labels.tolist() == [0, 0, 1, 1]
    assert {path.parent.parent.name for path in splits.test.paths} == {"train"}


def test_the_shares_can_be_chosen(tmp_path):
    folder_of_photos(tmp_path, cat=20, dog=20)

    splits = read_splits(tmp_path, PHOTOS, SIZE, options=DataOptions(validation=0.25, test=0.4))

    assert np.bincount(splits.test.labels).tolist() == [8, 8]
    assert np.bincount(splits.validation.labels).tolist() == [3, 3]


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_what_is_no_share_is_refused(tmp_path, share):
    folder_of_photos(tmp_path, cat=3, dog=3)

    with pytest.raises(
        SettingError, match=r"value for --test: .* Expected a share between 0 and 1"
    ):
        read_splits(tmp_path, PHOTOS, SIZE, options=DataOptions(test=share))


def folder_of_patients(root, level=0, first=0):
    """Two classes of 12 files of 6 patients each."""
    folder_of_photos(root, level, cat=12, dog=12)
    for name, start in (("cat", first), ("dog", first + 6)):
        for number, path in enumerate(sorted((root / name).iterdir())):
            path.rename(path.with_name(f"patient{start + number % 6:02d}_{number}.png"))
    return root


def patients(dataset):
    return {dataset.paths[number].name[:9] for number in dataset.files}


def test_files_of_a_group_stay_together(tmp_path):
    options = DataOptions(group=r"(patient\d+)")

    splits = read_splits(folder_of_patients(tmp_path), PHOTOS, SIZE, options=options)

    sides = [patients(part) for part in (splits.train, splits.validation, splits.test)]
    assert set.union(*sides) == {f"patient{number:02d}" for number in range(12)}
    assert sum(map(len, sides)) == 12
    assert splits.notes == ("24 files in 12 groups, split by group.",)


def test_too_few_groups_are_found_before_any_file_is_read(tmp_path):
    folder_of_photos(tmp_path, cat=12, dog=12)
    seen, options = [], DataOptions(group=r"(cat|dog)")

    with pytest.raises(InputError, match=r"'cat' has 12 files in 1 group \(cat\): too few"):
        read_splits(tmp_path, PHOTOS, SIZE, progress=_into(seen), options=options)

    assert seen == []


def test_a_group_on_two_sides_is_refused_unless_allowed(tmp_path):
    folder_of_patients(tmp_path / "train")
    folder_of_patients(tmp_path / "test", level=100, first=5)
    options = DataOptions(group=r"(patient\d+)")

    with pytest.raises(InputError, match=r"\d groups in train as well as in test: patient"):
        read_splits(tmp_path, PHOTOS, SIZE, options=options)

    allowed = replace(options, allow_leak=("all",))
    assert "as well as in test, allowed: patient" in " ".join(
        read_splits(tmp_path, PHOTOS, SIZE, options=allowed).notes
    )


def test_the_same_picture_on_two_sides_is_refused_unless_allowed(tmp_path):
    folder_of_photos(tmp_path / "train", cat=6, dog=6)
    folder_of_photos(tmp_path / "test", level=100, cat=2, dog=2)
    shutil.copy(tmp_path / "train" / "cat" / "03.png", tmp_path / "test" / "dog" / "again.png")

    with pytest.raises(InputError, match=r"cat/03\.png .*dog/again\.png .*--allow-leak again\.png"):
        read_splits(tmp_path, PHOTOS, SIZE)

    notes = read_splits(
        tmp_path, PHOTOS, SIZE, options=DataOptions(allow_leak=("again.png",))
    ).notes
    assert len(notes) == 1
    assert "again.png" in notes[0]


def test_progress_counts_through_all_sets(tmp_path):
    seen = []

    read_splits(folder_of_photos(tmp_path, cat=5, dog=5), PHOTOS, SIZE, progress=_into(seen))

    assert [(done, total) for done, total, _ in seen] == [(number, 10) for number in range(10)]
