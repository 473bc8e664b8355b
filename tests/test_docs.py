"""The docs name what there is, the notebooks are clean, and they run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import xai_tf
from tests.conftest import ROOT
from tests.test_layers import PUBLIC_NAMES
from xai_tf.evaluation.corruptions import CORRUPTIONS

DOCS = ROOT / "docs"
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))
TABLES = {"METHODS", "METRICS", "TASKS"}


def test_the_api_page_documents_every_public_name():
    page = (DOCS / "api.md").read_text()
    documented = set(re.findall(r"^::: xai_tf\.(\w+)$", page, re.MULTILINE))

    assert documented | TABLES >= PUBLIC_NAMES
    assert all(f"`xai_tf.{name}`" in page for name in TABLES)


def test_the_advice_on_methods_names_methods_that_exist():
    page = (DOCS / "which_method.md").read_text()
    named = set(re.findall(r"^\| [^|]+\| `(\w+)`", page, re.MULTILINE))

    assert named
    assert named <= set(xai_tf.METHODS)


def test_the_numbers_of_the_advice_are_those_of_the_leaderboard():
    advice = (DOCS / "which_method.md").read_text()
    leaderboard = (DOCS / "leaderboard.md").read_text()
    quoted = re.findall(r"(\w[\w -]*?) \((0\.\d\d)\)", advice)

    assert len(quoted) == 12
    assert [f"{method} (skill {skill})" for method, skill in quoted] == [
        text
        for text in (f"{method} (skill {skill})" for method, skill in quoted)
        if text in leaderboard
    ]


def test_the_page_on_estimates_names_every_corruption_with_its_levels():
    page = (DOCS / "estimates.md").read_text().partition("## Corruptions")[2]
    rows = re.findall(r"^\| (\w+) \| \**([\d.]+)\** \| \d", page, re.MULTILINE)

    measured = {(one.name, f"{level:g}") for one in CORRUPTIONS.values() for level in one.levels}
    assert set(rows) == measured
    assert all(f"`{name}`" in page for name in CORRUPTIONS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_hold_no_output(path):
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]

    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_in_the_navigation(path):
    assert f"tutorials/{path.stem}.md" in (ROOT / "mkdocs.yml").read_text()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Jupyter's own
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path, tmp_path, monkeypatch):
    scripts = Path(sys.executable).parent  # where `xai-tf` is
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}

    NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()

    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    assert any("image/png" in one.get("data", {}) for one in outputs)


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    build = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert build.returncode == 0, build.stderr
    assert "xai-tf explain" in (tmp_path / "commands" / "index.html").read_text()
    assert not (tmp_path / "hooks.py").exists()
