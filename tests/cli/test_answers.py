"""What commands print for programs: JSON by the schema, and CSV."""

import csv
import io
import json
import re
import shutil

import jsonschema
import pytest
import typer

from tests.conftest import ANSWERS, SAMPLES, result_of
from xai_tf.cli.answers import SCHEMA_VERSION
from xai_tf.cli.run import app

CAT = SAMPLES / "cat.jpg"
TABLES = ["models", "tasks", "methods", "metrics"]
WITHOUT_ANSWER = {"serve"}


def commands() -> set[str]:
    group = typer.main.get_command(app)
    inner = {f"models {name}" for name in group.commands["models"].commands}
    return (set(group.commands) | inner) - WITHOUT_ANSWER


def table(printed: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed)))


def test_the_schema_and_its_page_describe_every_command():
    pytest.importorskip("mkdocs")
    from docs.hooks import json_page

    page = json_page()

    jsonschema.Draft202012Validator.check_schema(ANSWERS)
    assert set(ANSWERS["properties"]["command"]["enum"]) == commands()
    assert set(re.findall(r"^## xai-tf (.+)$", page, re.MULTILINE)) == commands()
    assert ANSWERS["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_every_key_of_the_schema_is_snake_case():
    def names(part):
        if isinstance(part, dict):
            yield from part.get("properties", {})
            for inner in part.values():
                yield from names(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from names(inner)

    assert [name for name in names(ANSWERS) if not re.fullmatch("[a-z][a-z0-9_]*", name)] == []


@pytest.mark.parametrize("command", TABLES)
def test_tables_are_printed_as_json_and_as_csv(run, command):
    _, printed, _ = run(command, "--json")
    code, rows, _ = run(command, "--csv")

    assert code == 0
    assert [one["name"] for one in result_of(printed)] == [row["name"] for row in table(rows)]


@pytest.mark.parametrize("command", ["predict", "audit"])
def test_a_file_that_cannot_be_read_is_a_failure_in_json(run, asking, tmp_path, command):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")

    code, printed, said = run(command, CAT, bad, *asking, "--json")

    answer = json.loads(printed)
    (failure,) = answer["failures"]
    assert code == 2
    assert failure["file"] == str(bad)
    assert failure["error"] in said
    files = answer["result"] if command == "predict" else answer["result"]["files"]
    assert [one["file"] for one in files] == [str(CAT)]


def test_a_single_file_that_cannot_be_read_is_no_table_but_a_failure(run, asking, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")

    table_code, shown, _ = run("predict", bad, *asking)
    code, printed, _ = run("predict", bad, *asking, "--json")

    assert (table_code, shown, code) == (2, "", 2)
    assert json.loads(printed)["failures"][0]["file"] == str(bad)


def test_a_command_that_fails_prints_its_error_as_json(run):
    code, printed, said = run("predict", CAT, "--model", "nobody", "--json")

    answer = json.loads(printed)
    jsonschema.validate(answer, ANSWERS)
    assert code == 2
    assert answer["result"] is None
    assert answer["failures"][0]["error"] in said


def test_predictions_as_csv_hold_every_class_and_the_failures(run, asking, tmp_path):
    shutil.copy(CAT, tmp_path / "=cat.jpg")
    (tmp_path / "bad.png").write_bytes(b"no picture")

    code, printed, _ = run("predict", tmp_path / "=cat.jpg", tmp_path / "bad.png", *asking, "--csv")

    good, bad = table(printed)
    assert code == 2
    assert good["file"] == str(tmp_path / "=cat.jpg")
    chances = [float(good[f"probability {name}"]) for name in ("cat", "dog", "bird")]
    assert sum(chances) == pytest.approx(1, abs=1e-5)
    assert max(chances) == float(good["probability"])
    assert "cannot be read" in bad["error"].lower() or "Cannot read" in bad["error"]


def test_json_and_csv_at_once_are_refused(run):
    code, _, said = run("tasks", "--json", "--csv")

    assert code == 2
    assert "either --json or --csv" in said
