"""`xai-tf audit` with files that are changed on purpose."""

import csv
import io
import json

import pytest

from tests.conftest import SAMPLES, result_of
from tests.interventions.made import CHEST, draw_chests, layers
from xai_tf.regions.registry import PARTITIONS

SENTENCE = "The class follows the corners (1.00 by the corners, 0.00 by the rest; 12 pairs)."


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_chests(tmp_path_factory.mktemp("data") / "files", 0, count=12)


@pytest.fixture(scope="module")
def asked(data, tmp_path_factory):
    """A folder and a network that looks at the corner alone."""
    path = tmp_path_factory.mktemp("models") / "shortcut.keras"
    layers(shortcut=True).save(path)
    known = ["--classes", "normal,opacity", "--preprocessing", "unit", "--returns", "logits"]
    return ["audit", data, "--model", path, *known]


def test_a_swap_is_a_table_with_its_sentence(run, asked):
    code, printed, said = run(*asked, "--swap", "--region", "corners")

    assert code == 0
    assert SENTENCE in printed
    assert "control: corners in surroundings of the same class" in printed
    assert "24 files, 48 passes" in printed
    assert "Traceback" not in said


def test_all_interventions_are_printed_as_json_and_csv(run, asked):
    words = [*asked, "--swap", "--region", "corners", "--hide", "corners", "--hide", "border"]
    words += ["--only", "corners", "--crop", "--seed", "3"]

    result = result_of(run(*words, "--json")[1])
    rows = list(csv.DictReader(io.StringIO(run(*words, "--csv")[1])))

    found = [(one["intervention"], one["region"]) for one in result["interventions"]]
    assert found == [
        ("swap", "corners"),
        ("hide", "corners"),
        ("hide", "border"),
        ("only", "corners"),
        ("crop", ""),
    ]
    assert result["interventions"][0]["sentence"] == SENTENCE
    assert [one["accuses"] for one in result["interventions"]][:2] == [True, True]
    assert [row["inputs"] for row in rows] == [
        line["inputs"] for one in result["interventions"] for line in one["lines"]
    ]


def test_the_usual_region_of_a_task_is_swapped_where_none_is_named(run, asked, monkeypatch):
    monkeypatch.setitem(PARTITIONS, "chest", CHEST)

    result = result_of(run(*asked, "--task", "lung_opacity", "--swap", "--json")[1])

    assert result["interventions"][0]["region"] == "lungs"
    assert result["interventions"][0]["accuses"] is True


def test_some_of_the_inputs_are_drawn_and_not_replaced_unasked(run, asked, tmp_path):
    words = [*asked, "--crop", "--hide", "upper left,border", "--out", tmp_path / "out"]

    code, _, _ = run(*words)
    again, _, said = run(*words)

    assert (code, again) == (0, 2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "crop.png",
        "hide-upper-left-border.png",
    ]
    assert "--overwrite" in said


def test_a_file_that_cannot_be_read_is_a_failure(run, asked, tmp_path):
    folder = draw_chests(tmp_path / "data", 0, count=3)
    bad = folder / "normal" / "bad.png"
    bad.write_bytes(b"no picture")

    code, printed, said = run("audit", folder, *asked[2:], "--crop", "--json")

    assert code == 2
    assert json.loads(printed)["failures"][0]["file"] == str(bad)
    assert "bad.png" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--swap"], "Name the region to swap: --region"),
        (["--swap", "--region", "corner"], "There is no region 'corner'. Did you mean 'corners'?"),
        (["--hide", "corners,lungs"], "There is no region 'lungs'"),
        (["--hide", ","], "No region is named"),
        (["--swap", "--method", "saliency"], "--method is for maps"),
        (["--region", "corners"], "--region changes files"),
        (["--crop", "--region", "corners"], "--region is for --swap"),
        (["--crop", "--fill", "blur"], "--fill is for --hide and --only"),
        (["--hide", "border", "--fill", "red"], "Expected one of erase, blur, mean"),
        (["--crop", "--target", "cat"], "no class 'cat'"),
        (["--crop", SAMPLES / "cat.jpg"], "take one folder of labeled files, not 2"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_next_step(run, asked, words, told):
    code, printed, said = run(*asked, *words)

    assert (code, printed) == (2, "")
    assert told in said
    assert said.strip().count("\n") == 0


def test_a_folder_without_labels_is_told(run, asked, data):
    code, _, said = run("audit", data / "normal", *asked[2:], "--crop")

    assert code == 2
    assert "normal, opacity" in said
