"""The group of a file is that of its folder, its name or a table; what tells nothing is refused."""

from pathlib import Path

import pytest

from xai_tf.datasets.groups import find_groups
from xai_tf.errors import InputError, SettingError

CLASSES = ("normal", "opacity")


@pytest.fixture
def files(tmp_path):
    names = ("normal/north/p01_a.png", "normal/south/p02_a.png", "opacity/north/p03_a.png")
    return [tmp_path / name for name in names]


def groups_of(files, rule):
    return find_groups(files, files[0].parents[2], CLASSES, str(rule)).names


def table(folder, text):
    path = folder / "groups.csv"
    path.write_text(text)
    return path


def test_the_folder_inside_the_class_folder_is_a_group(files):
    assert groups_of(files, "folder") == ("north", "south", "north")


def test_a_pattern_names_the_group_in_the_file_name(files):
    assert groups_of(files, r"(p\d+)") == ("p01", "p02", "p03")


def test_a_table_names_the_groups_by_the_end_of_the_path(files, tmp_path):
    told = (
        "file,group\nnormal/north/p01_a.png,A\nelsewhere/p02_a.png,B\n./opacity/north/p03_a.png,A"
    )

    assert groups_of(files, table(tmp_path, told)) == ("A", "B", "A")


def test_a_column_of_a_table_is_chosen_by_its_name(files, tmp_path):
    told = "file;sex;engine\np01_a.png;f;espeak\np02_a.png;m;flite\np03_a.png;m;espeak"

    assert groups_of(files, f"{table(tmp_path, told)}:Engine") == ("espeak", "flite", "espeak")


def test_files_without_a_group_are_told_of(files):
    found = find_groups([*files, Path("normal/x.png")], files[0].parents[2], CLASSES, r"(p\d+)")

    assert found.names[-1] is None
    assert found.notes == ("No group of 1 file, left out of the groups: x.png.",)


@pytest.mark.parametrize(
    ("rule", "error", "said"),
    [
        (r"p\d+", SettingError, "has 0 groups in parentheses. Expected 'folder'"),
        (r"(p", SettingError, "Invalid value for --groups: '(p'"),
        ("no.csv", InputError, "There is no file no.csv with groups. Check the name."),
        ("(q)", InputError, "names no group of the 3 files"),
        (
            r"_(a)\.",
            InputError,
            "into one group, 'a', so nothing can be said of others. Give",
        ),
    ],
)
def test_what_names_no_groups_is_refused_with_the_next_step(files, rule, error, said):
    with pytest.raises(error) as caught:
        groups_of(files, rule)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("name,group\np01_a.png,A", "has no column 'file' or 'path'; it has name, group"),
        ("file,sex,site\np01_a.png,f,A", "Name the column of the groups: groups.csv:COLUMN"),
        ("file,group\np01_a.png,A\np01_a.png,B", "names two groups of p01_a.png: 'A' and 'B'"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(files, tmp_path, told, said):
    with pytest.raises(InputError) as caught:
        groups_of(files, table(tmp_path, told))

    assert said in str(caught.value)
