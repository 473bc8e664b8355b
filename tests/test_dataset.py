"""Folders of class folders become arrays, and are parted by file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from xai_tf.dataset import Dataset, class_folders, read_folder, read_splits, split
from xai_tf.errors import InputError
from xai_tf.tasks import TASKS

PHOTOS = TASKS["dog_breeds"]
SOUNDS = TASKS["deepfake_audio"]
SIZE = (16, 16)


def folder_of_photos(root, **counts):
    """A folder a class; each picture is flat, of a grey level all its own."""
    level = 0
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
    return Dataset(images, labels, files, paths, ("a", "b"), (None,) * len(files))


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
    rest, taken = split(numbers(10, 10, windows=3), 0.3, seed=0)

    for part in (rest, taken):
        means = part.file_means(part.labels.astype(float))
        assert (means == part.file_labels).all()


def test_progress_names_each_file(tmp_path):
    seen = []

    read_folder(folder_of_photos(tmp_path, cat=1, dog=1), PHOTOS, SIZE, progress=_into(seen))

    assert seen == [(0, 2, "00.png"), (1, 2, "00.png")]


def _into(seen):
    return lambda *what: seen.append(what)


@pytest.mark.parametrize("windows", [1, 3])
def test_a_split_takes_the_share_of_each_class_and_no_file_on_both_sides(windows):
    dataset = numbers(20, 60, windows)

    rest, taken = split(dataset, 0.15, seed=0)

    assert set(rest.files) | set(taken.files) == set(dataset.files)
    assert not set(rest.files) & set(taken.files)
    assert np.bincount(taken.file_labels).tolist() == [3, 9]


def test_a_split_is_the_same_for_the_same_seed_and_another_for_another():
    dataset = numbers(30, 30)

    first, again, other = (set(split(dataset, 0.3, seed)[1].files) for seed in (1, 1, 2))

    assert first == again
    assert first != other


@pytest.mark.parametrize("count", [2, 3])
def test_a_split_of_few_files_leaves_one_of_each_class_on_both_sides(count):
    rest, taken = split(numbers(count, count), 0.15, seed=0)

    assert set(rest.labels) == set(taken.labels) == {0, 1}


def test_a_class_of_one_file_cannot_be_split():
    with pytest.raises(InputError, match=r"'a' has 1 file: too few .* Add some"):
        split(numbers(1, 5), 0.15, seed=0)


def test_three_sets_share_no_file(tmp_path):
    splits = read_splits(folder_of_photos(tmp_path, cat=20, dog=40), PHOTOS, SIZE)

    parts = [set(part.files) for part in (splits.train, splits.validation, splits.test)]
    assert set.union(*parts) == set(range(60))
    assert sum(map(len, parts)) == 60
    assert np.bincount(splits.test.labels).tolist() == [3, 6]
    assert np.bincount(splits.validation.labels).tolist() == [3, 5]


def test_a_test_folder_is_the_test_set(tmp_path):
    folder_of_photos(tmp_path / "train", cat=10, dog=10)
    folder_of_photos(tmp_path / "test", cat=2, dog=3)

    splits = read_splits(tmp_path, PHOTOS, SIZE)

    assert {path.parent.parent.name for path in splits.test.paths} == {"test"}
    assert splits.test.labels.tolist() == [0, 0, 1, 1, 1]
    assert {path.parent.parent.name for path in splits.train.paths} == {"train"}
    assert len(splits.train.labels) + len(splits.validation.labels) == 20
    assert np.bincount(splits.validation.labels).tolist() == [2, 2]


def test_a_test_folder_without_one_of_the_classes_is_refused(tmp_path):
    folder_of_photos(tmp_path / "train", cat=4, dog=4)
    folder_of_photos(tmp_path / "test", cat=2)

    with pytest.raises(InputError, match=r"test/dog.* Name the folders as the classes"):
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

    with pytest.raises(InputError, match=r"dog holds no file that can be read .* leave the class"):
        read_folder(tmp_path, PHOTOS, SIZE)


def test_a_class_of_the_task_that_is_missing_is_named(tmp_path):
    folder_of_photos(tmp_path, normal=2, pneumonia=2)

    with pytest.raises(InputError, match=r"no class folder .*opacity"):
        read_folder(tmp_path, TASKS["lung_opacity"], SIZE)


def test_an_unreadable_file_is_named(tmp_path):
    folder_of_photos(tmp_path, cat=2, dog=2)
    (tmp_path / "dog" / "01.png").write_text("Dear all,")

    with pytest.raises(InputError, match=r"dog/01\.png is no picture"):
        read_folder(tmp_path, PHOTOS, SIZE)
