"""However labeled data lies on a disk, its files are found with class, split and group."""

import shutil

import pytest

from tests.conftest import SAMPLES, SHARED, assert_told
from xai_tf.datasets.layouts import LAYOUTS, find_listing
from xai_tf.datasets.listing import DataOptions
from xai_tf.datasets.reading import read_splits
from xai_tf.datasets.splits import make_splits
from xai_tf.errors import InputError, SettingError, UnknownNameError
from xai_tf.tasks import TASKS

XRAY, DOGS, SPEECH = (TASKS[name] for name in ("lung_opacity", "dog_breeds", "deepfake_audio"))
OPACITY = DataOptions(findings=("Lung Opacity",))
HEAD = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Lung Opacity,Edema"


def place(source, *paths):
    """Copies of a real file at each of the paths."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)


def chexpert(root, *findings, lateral=()):
    """A CSV file as CheXpert's, a patient a row, with an X-ray for each row."""
    lines = [HEAD]
    for number, finding in enumerate(findings):
        view = "Lateral" if number in lateral else "Frontal"
        below = f"train/patient{number:05d}/study1/view1_{view.lower()}.jpg"
        place(SAMPLES / "xray_opacity.jpg", root / below)
        lines.append(f"CheXpert-v1.0-small/{below},Male,60,{view},AP,,{finding},1.0")
    return table(root / "train.csv", *lines)


def table(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def labels(listing):
    return [entry.label for entry in listing.entries]


def splits(listing):
    return [entry.split for entry in listing.entries]


def groups(listing):
    return [entry.group for entry in listing.entries]


def test_a_folder_a_class_is_found(tmp_path):
    place(SAMPLES / "xray_normal.jpg", tmp_path / "normal" / "a.jpg", tmp_path / "normal" / "b.jpg")
    place(SAMPLES / "xray_opacity.jpg", tmp_path / "opacity" / "a.jpg")

    listing = find_listing(tmp_path, XRAY)

    assert listing.classes == ("normal", "opacity")
    assert labels(listing) == [0, 0, 1]
    assert splits(listing) == ["", "", ""]
    assert groups(listing) == [str(entry.path) for entry in listing.entries]


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "valid", "Testing")])
def test_folders_for_training_validation_and_test_are_found(tmp_path, names):
    for name in names:
        place(SAMPLES / "dog.jpg", tmp_path / name / "beagle" / "a.jpg")
        place(SAMPLES / "cat.jpg", tmp_path / name / "tabby" / "a.jpg")

    listing = find_listing(tmp_path, DOGS)

    assert listing.classes == ("beagle", "tabby")
    assert splits(listing) == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2


@pytest.mark.parametrize("nested", ["", "for-2seconds", "for-2sec/for-2seconds"])
def test_fake_or_real_is_found_with_its_own_names_of_the_classes(tmp_path, nested):
    copied = "file19.wav_16k.wav_norm.wav_mono.wav_silence.wav"
    for side in ("training", "validation", "testing"):
        place(SAMPLES / "speech_human.wav", tmp_path / nested / side / "real" / copied)
        place(SAMPLES / "speech_synthetic.wav", tmp_path / nested / side / "fake" / copied)

    listing = find_listing(tmp_path, SPEECH)

    assert listing.classes == ("human", "synthetic")
    assert splits(listing) == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
    assert [entry.path.parent.name for entry in listing.entries] == ["real", "fake"] * 3
    assert labels(listing) == [0, 1] * 3


def test_one_version_of_fake_or_real_must_be_given(tmp_path):
    for version in ("for-norm", "for-2sec"):
        (tmp_path / version / "training").mkdir(parents=True)
        (tmp_path / version / "testing").mkdir()

    with pytest.raises(InputError) as caught:
        find_listing(tmp_path, SPEECH)

    assert_told(caught.value, tmp_path, "contains several versions", "Give one of them")


def test_what_is_not_fake_or_real_is_not_read_as_such(tmp_path):
    with pytest.raises(InputError) as caught:
        find_listing(tmp_path, SPEECH, DataOptions(layout="for"))

    assert_told(caught.value, tmp_path, "no folders training/ and testing/", "Give the folder")


def test_a_finding_of_chexpert_makes_the_two_classes(tmp_path):
    source = chexpert(tmp_path, "1.0", "0.0", "", "1", "0")

    listing = find_listing(source, XRAY, OPACITY)

    assert listing.classes == ("normal", "opacity")
    assert labels(listing) == [1, 0, 0, 1, 0]
    assert groups(listing) == [f"patient{number:05d}" for number in range(5)]
    assert all(entry.path.is_file() for entry in listing.entries)
    assert listing.notes == ()


@pytest.mark.parametrize(
    ("uncertain", "expected"),
    [("ignore", [1, 0]), ("positive", [1, 0, 1]), ("negative", [1, 0, 0])],
)
def test_uncertain_findings_count_as_asked(tmp_path, uncertain, expected):
    options = DataOptions(findings=("Lung Opacity",), uncertain=uncertain)

    listing = find_listing(chexpert(tmp_path, "1.0", "0.0", "-1.0"), XRAY, options)

    assert labels(listing) == expected
    assert ("1 file with uncertain" in "".join(listing.notes)) == (uncertain == "ignore")


def test_lateral_views_are_left_out_if_asked_for(tmp_path):
    source = chexpert(tmp_path, "1.0", "0.0", "1.0", "0.0", lateral=(2, 3))

    both = find_listing(source, XRAY, OPACITY)
    frontal = find_listing(source, XRAY, DataOptions(findings=("Lung Opacity",), frontal_only=True))

    assert labels(both) == [1, 0, 1, 0]
    assert labels(frontal) == [1, 0]
    assert frontal.notes == ("2 lateral views skipped.",)


def test_files_of_chexpert_that_are_missing_are_counted_and_named(tmp_path):
    source = chexpert(tmp_path, "1.0", "0.0", "1.0", "0.0")
    shutil.rmtree(tmp_path / "train" / "patient00002")

    with pytest.raises(InputError) as caught:
        find_listing(source, XRAY, OPACITY)

    assert_told(caught.value, source, "1 of 4 files", "with --skip-bad")
    assert "train/patient00002/study1/view1_frontal.jpg" in str(caught.value)


def test_missing_files_are_skipped_and_noted_on_request(tmp_path):
    source = chexpert(tmp_path, "1.0", "0.0", "1.0", "0.0")
    shutil.rmtree(tmp_path / "train" / "patient00000")

    listing = find_listing(source, XRAY, DataOptions(findings=("Lung Opacity",), skip_bad=True))

    assert labels(listing) == [0, 1, 0]
    assert "patient00000" in listing.notes[0]


def test_a_table_whose_files_are_all_missing_is_refused(tmp_path):
    source = table(tmp_path / "a.csv", "file,label", "a.jpg,normal", "b.jpg,opacity")

    with pytest.raises(InputError, match=r"2 of 2 files named in .*a\.csv are missing"):
        find_listing(source, XRAY, DataOptions(skip_bad=True))


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_a_table_of_files_and_labels_is_read(tmp_path, comma):
    place(SAMPLES / "dog.jpg", *(tmp_path / "pictures" / f"{n}.jpg" for n in range(4)))
    rows = [
        ("file", "label", "Patient ID", "split"),
        ("pictures/0.jpg", "terrier", "p1", "train"),
        ("pictures/1.jpg", "beagle", "p2", "train"),
        ("pictures/2.jpg", "terrier", "p1", "test"),
        ("pictures/3.jpg", "beagle", "", "test"),
    ]
    source = table(tmp_path / "list.csv", *(comma.join(row) for row in rows))

    listing = find_listing(source, DOGS)

    assert listing.classes == ("beagle", "terrier")
    assert labels(listing) == [1, 0, 1, 0]
    assert splits(listing) == ["train", "train", "test", "test"]
    assert groups(listing) == ["p1", "p2", "p1", str(tmp_path / "pictures" / "3.jpg")]


def test_labels_of_a_table_may_be_synonyms_of_the_classes(tmp_path):
    place(SAMPLES / "speech_human.wav", tmp_path / "a.wav", tmp_path / "b.wav")
    source = table(tmp_path / "protocol.csv", "file,label", "a.wav,bonafide", "b.wav,spoof")

    assert labels(find_listing(source, SPEECH)) == [0, 1]


TABLES = {
    "no column of files": (
        "name,label",
        "a.jpg,normal",
        "no column 'path' or 'file'",
        "Rename the",
    ),
    "no column of labels": ("file,lable", "a.jpg,normal", "no column 'label'", "mean 'lable'?"),
    "an unknown label": ("file,label", "a.jpg,norml", "line 2: 'norml'", "mean 'normal'?"),
    "no label": ("file,label", "a.jpg,", "line 2: ''", "normal, opacity"),
    "an unknown split": ("file,label,split", "a.jpg,normal,dev", "'dev'", "Expected train"),
    "a file twice": ("file,label", "a.jpg,normal\na.jpg,opacity", "second time in line 3", "Keep"),
    "one class only": ("file,label", "a.jpg,normal", "no file of class 'opacity'", "Add some"),
    "no lines": ("file,label", "", "names no file", "Expected a CSV file"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_cannot_be_used_is_reported(tmp_path, case):
    head, line, cause, next_step = TABLES[case]
    place(SAMPLES / "xray_normal.jpg", tmp_path / "a.jpg")
    source = table(tmp_path / "list.csv", head, line)

    with pytest.raises(InputError) as caught:
        find_listing(source, XRAY)

    assert_told(caught.value, source, cause, next_step)


FINDINGS = {
    "misspelt": ("Lung Opacty", "no finding 'Lung Opacty'", "Did you mean 'Lung Opacity'?"),
    "not a finding": ("Sex", "line 2, column 'Sex': 'Male'", "choose another column"),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_a_finding_that_cannot_be_used_is_reported(tmp_path, case):
    finding, cause, next_step = FINDINGS[case]
    source = chexpert(tmp_path, "1.0", "0.0")

    with pytest.raises(InputError) as caught:
        find_listing(source, XRAY, DataOptions(findings=(finding,)))

    assert_told(caught.value, source, cause, next_step)


def test_a_finding_needs_a_task_of_two_classes(tmp_path):
    with pytest.raises(InputError, match=r"task 'dog_breeds' has no classes. Use a task with two"):
        find_listing(chexpert(tmp_path, "1.0", "0.0"), DOGS, OPACITY)


def test_a_table_of_one_label_is_refused_by_a_task_without_classes(tmp_path):
    place(SAMPLES / "dog.jpg", tmp_path / "a.jpg")
    source = table(tmp_path / "list.csv", "file,label", "a.jpg,beagle")

    with pytest.raises(InputError, match=r"only one class, 'beagle'; .* needs at least two"):
        find_listing(source, DOGS)


def test_a_set_without_one_of_the_classes_is_refused(tmp_path):
    place(SAMPLES / "xray_normal.jpg", *(tmp_path / f"{n}.jpg" for n in range(3)))
    lines = ("file,label,split", "0.jpg,normal,train", "1.jpg,opacity,train", "2.jpg,normal,test")

    with pytest.raises(InputError, match=r"no file of class 'opacity' for test"):
        find_listing(table(tmp_path / "list.csv", *lines), XRAY)


def test_frontal_views_need_their_column(tmp_path):
    source = table(tmp_path / "list.csv", "file,label", "a.jpg,normal")

    with pytest.raises(InputError, match=r"no column 'Frontal/Lateral'. Remove --frontal-only"):
        find_listing(source, XRAY, DataOptions(frontal_only=True))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00file", b"PK\x03\x04\xb5\x00\x00"])
def test_a_table_that_is_not_text_is_reported(tmp_path, content):
    source = tmp_path / "list.csv"
    source.write_bytes(content)

    with pytest.raises(InputError) as caught:
        find_listing(source, XRAY)

    assert_told(caught.value, source, "as CSV", "Export it as CSV")


def test_a_misspelt_layout_is_reported_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no layout 'foldr'\. Did you mean 'folder'"):
        find_listing(SAMPLES, XRAY, DataOptions(layout="foldr"))


@pytest.mark.parametrize("layout", ["auto", *LAYOUTS])
def test_a_missing_source_is_reported(tmp_path, layout):
    with pytest.raises(InputError, match=r"no folder or file .*nowhere\. Check the name"):
        find_listing(tmp_path / "nowhere", XRAY, DataOptions(layout=layout))


@pytest.mark.parametrize("layout", ["auto", *LAYOUTS])
def test_a_picture_is_no_data_set(layout):
    with pytest.raises(InputError, match=r"dog\.jpg .*[Gg]ive"):
        find_listing(SAMPLES / "dog.jpg", XRAY, DataOptions(layout=layout))


def test_a_folder_is_no_table(tmp_path):
    chexpert(tmp_path, "1.0", "0.0")

    for options in (OPACITY, DataOptions(layout="csv")):
        with pytest.raises(InputError, match=r"is a folder.* CSV file"):
            find_listing(tmp_path, XRAY, options)


def test_class_folders_that_do_not_match_the_task_are_named_beside_tables(tmp_path):
    chexpert(tmp_path, "1.0", "0.0")

    with pytest.raises(InputError) as caught:
        find_listing(tmp_path, XRAY)

    text = f"no class folder {tmp_path / 'normal'}; there is train."
    assert_told(caught.value, tmp_path, text, "or give a CSV file (train.csv)")


def test_groups_are_named_by_an_expression(tmp_path):
    place(SAMPLES / "xray_normal.jpg", *(tmp_path / "normal" / f"p{n}_1.jpg" for n in (1, 2)))
    place(
        SAMPLES / "xray_normal.jpg", tmp_path / "opacity" / "p1_2.jpg", tmp_path / "opacity/x.jpg"
    )

    listing = find_listing(tmp_path, XRAY, DataOptions(group=r"(p\d+)_"))

    assert groups(listing)[:3] == ["p1", "p2", "p1"]
    assert groups(listing)[3] == str(tmp_path / "opacity" / "x.jpg")
    assert listing.notes == ("No group in the names of opacity/x.jpg.",)


def test_an_expression_that_finds_nothing_is_refused(tmp_path):
    place(SAMPLES / "xray_normal.jpg", tmp_path / "normal" / "a.jpg", tmp_path / "opacity/b.jpg")

    with pytest.raises(InputError, match=r"none of the paths .* as normal/a\.jpg. Fix"):
        find_listing(tmp_path, XRAY, DataOptions(group=r"(patient\d+)"))


def test_what_is_no_expression_is_refused(tmp_path):
    place(SAMPLES / "xray_normal.jpg", tmp_path / "normal" / "a.jpg", tmp_path / "opacity/b.jpg")

    with pytest.raises(SettingError, match=r"value for --group: .*patient"):
        find_listing(tmp_path, XRAY, DataOptions(group="(patient"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets are not at hand")
def test_real_pictures_are_split_by_the_patients_of_a_table(tmp_path):
    pictures = sorted((SHARED / "chest_xray" / "train").glob("*/*.jpg"))[::40]
    lines = [
        f"{path},{path.parent.name},patient{number % 8 + 10 * (path.parent.name == 'normal')}"
        for number, path in enumerate(pictures)
    ]
    source = table(tmp_path / "list.csv", "path,label,patient", *lines)

    read = read_splits(source, XRAY, (64, 64))

    sides = [len(part.labels) for part in (read.train, read.validation, read.test)]
    assert sum(sides) == 20
    assert min(sides) >= 2
    assert read.notes == ("20 files in 16 groups, split by group.",)


PHOTO = TASKS["photo"]


def test_columns_of_ones_and_noughts_are_labels(tmp_path):
    place(SAMPLES / "xray_normal.jpg", *(tmp_path / f"{n}.jpg" for n in range(3)))
    rows = "file,patient,age,No Finding,Edema,Mass", "0.jpg,1,50,1,0,0", "1.jpg,2,60,0,1,1.0"
    source = table(tmp_path / "t.csv", *rows, "2.jpg,3,70,0,,1")

    listing = find_listing(source, PHOTO)

    assert (listing.classes, listing.multi_label) == (("Edema", "Mass"), True)
    assert [entry.labels for entry in listing.entries] == [(), (0, 1), (1,)]
    (note,) = listing.notes
    assert "The columns of 1 and 0 are the labels: Edema, Mass." in note


@pytest.mark.parametrize("head", ["Image Index,Finding Labels", "file,label"])
@pytest.mark.parametrize("sign", ["|", ";", " ; "])
def test_a_cell_may_list_labels(tmp_path, head, sign):
    place(SAMPLES / "xray_normal.jpg", *(tmp_path / f"{n}.jpg" for n in range(3)))
    source = table(
        tmp_path / "t.csv", head, f"0.jpg,Mass{sign}Edema", "1.jpg,No Finding", "2.jpg,Mass"
    )

    listing = find_listing(source, PHOTO)

    assert (listing.classes, listing.multi_label) == (("Edema", "Mass"), True)
    assert [entry.labels for entry in listing.entries] == [(0, 1), (), (1,)]


def test_one_label_a_file_is_one_class_a_file(tmp_path):
    place(SAMPLES / "xray_normal.jpg", tmp_path / "0.jpg", tmp_path / "1.jpg")

    listing = find_listing(table(tmp_path / "t.csv", "file,label", "0.jpg,a", "1.jpg,b"), PHOTO)

    assert not listing.multi_label
    assert labels(listing) == [0, 1]


@pytest.mark.parametrize(("uncertain", "expected"), [("ignore", 1), ("negative", 2)])
def test_an_uncertain_one_of_several_findings_counts_as_asked(tmp_path, uncertain, expected):
    place(SAMPLES / "xray_normal.jpg", tmp_path / "0.jpg", tmp_path / "1.jpg")
    source = table(tmp_path / "t.csv", "file,a,b", "0.jpg,1,1", "1.jpg,-1,1")
    options = DataOptions(findings=("a", "b"), uncertain=uncertain)

    listing = find_listing(source, PHOTO, options)

    assert len(listing.entries) == expected
    assert listing.entries[-1].labels == ((0, 1) if expected == 1 else (1,))


def test_findings_that_are_not_the_classes_of_the_task_are_refused(tmp_path):
    place(SAMPLES / "xray_normal.jpg", tmp_path / "0.jpg")
    source = table(tmp_path / "t.csv", "file,a,b", "0.jpg,1,1")

    with pytest.raises(InputError, match="are not the classes of task 'lung_opacity'"):
        find_listing(source, XRAY, DataOptions(findings=("a", "b")))


def test_files_without_a_label_are_split_like_the_others(tmp_path):
    lines = ["file,a,b"]
    for number in range(40):
        lines.append(f"{number}.jpg,{number % 2},{number // 2 % 2}")
        (tmp_path / f"{number}.jpg").touch()
    listing = find_listing(table(tmp_path / "t.csv", *lines), PHOTO)

    found, _ = make_splits(listing, DataOptions(), seed=0)

    for part in found.values():
        share = sum(not entry.labels for entry in part.entries) / len(part.entries)
        assert 0.1 < share < 0.45
        assert part.multi_label
        assert not part.missing_classes()
