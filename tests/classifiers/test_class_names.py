"""The names of classes as people keep them: typed, in a file, beside a model, as folders."""

import json
import shutil

import keras
import pytest

from xai_tf.classifiers.class_names import class_folders, parse_classes, read_classes
from xai_tf.classifiers.loading import load
from xai_tf.errors import InputError

LISTS = {
    "labels.txt": ("rose\ntulip\n\n", ("rose", "tulip")),
    "teachable.txt": ("0 rose\n1 sun flower\n", ("rose", "sun flower")),
    "from_one.txt": ("1: rose\n2: tulip", ("rose", "tulip")),
    "unordered.txt": ("1 tulip\n0 rose\n", ("rose", "tulip")),
    "bom.txt": ("\ufeffrose\ntulip", ("rose", "tulip")),
    "row.csv": ('"Corn (maize), healthy",rust', ("Corn (maize), healthy", "rust")),
    "lines.csv": ('"Corn (maize), healthy"\nrust\n', ("Corn (maize), healthy", "rust")),
    "class_indices.json": ('{"tulip": 1, "rose": 0}', ("rose", "tulip")),
    "names.json": ('["rose", "tulip"]', ("rose", "tulip")),
    "index.json": ('{"0": ["n01", "rose"], "1": ["n02", "tulip"]}', ("rose", "tulip")),
}


@pytest.mark.parametrize("name", LISTS)
def test_files_of_class_names_are_read_in_the_order_of_the_outputs(name, tmp_path):
    text, names = LISTS[name]
    (tmp_path / name).write_text(text, "utf-8")

    assert read_classes(tmp_path / name) == names
    assert parse_classes(str(tmp_path / name)) == names


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("a.txt", "", "lists no class names"),
        ("a.txt", "0 rose\n3 tulip\n", "not 0, 1, 2"),
        ("a.json", "{", "Expected one name per line"),
        ("a.json", "3", "Expected one name per line"),
        ("a.json", '{"rose": "x"}', "Expected one name per line"),
    ],
)
def test_a_file_without_class_names_is_refused_with_its_name(name, text, cause, tmp_path):
    (tmp_path / name).write_text(text)

    with pytest.raises(InputError, match=cause) as caught:
        read_classes(tmp_path / name)

    assert name in str(caught.value)


def test_typed_names_are_separated_by_commas_outside_quotes():
    assert parse_classes(' glioma , no tumor,"a, b"') == ("glioma", "no tumor", "a, b")
    assert parse_classes(None) is None


def test_folders_are_classes_in_alphabetical_order(tmp_path):
    for name in ("tulip", "rose", ".cache"):
        (tmp_path / name).mkdir()

    assert class_folders([tmp_path], 2) == ("rose", "tulip")
    assert class_folders([tmp_path], 3) == ()


@pytest.fixture
def flowers(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.save(tmp_path / "flowers.keras")
    return tmp_path / "flowers.keras"


def test_names_beside_a_model_are_used_and_their_source_is_said(flowers):
    (flowers.parent / "class_indices.json").write_text(json.dumps({"c": 2, "a": 0, "b": 1}))

    classifier = load(flowers)

    assert classifier.classes == ("a", "b", "c")
    assert classifier.classes_source == "class_indices.json"
    assert classifier.warnings == ()


def test_names_that_may_be_of_another_model_are_not_used(flowers):
    shutil.copy(flowers, flowers.with_name("other.keras"))
    (flowers.parent / "labels.txt").write_text("a\nb\nc\n")

    (warning,) = load(flowers).warnings
    flowers.with_suffix(".labels.txt").write_text("x\ny\nz\n")

    assert "may belong to another" in warning
    assert load(flowers).classes == ("x", "y", "z")


@pytest.mark.parametrize("text", ["a\nb\n", "\n", "0 a\n7 b\n8 c\n"])
def test_names_beside_a_model_that_do_not_fit_are_reported(flowers, text):
    (flowers.parent / "labels.txt").write_text(text)

    classifier = load(flowers)

    assert classifier.classes == ("class 0", "class 1", "class 2")
    (warning,) = classifier.warnings
    assert "labels.txt" in warning
