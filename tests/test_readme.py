"""The examples in the README run as they stand; its commands and those of the docs exist."""

import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from tests.conftest import ROOT, SAMPLES
from xai_tf.attribution.methods import METHODS
from xai_tf.cli.run import app

README = ROOT / "README.md"
COMMANDS = re.compile(r"^ *(xai-tf \w.*)$", re.MULTILINE)


def blocks(language: str, page: Path = README) -> list[str]:
    """The code of a page in a language."""
    return re.findall(rf"^ *```{language}\n(.*?)```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Every command that a page shows."""
    pages = [README, *sorted((ROOT / "docs").glob("*.md"))]
    shown = [
        line for page in pages for block in blocks("sh", page) for line in COMMANDS.findall(block)
    ]
    return list(dict.fromkeys(shown))


def test_the_python_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAMPLES / "dog.jpg", tmp_path)
    rng = np.random.default_rng(0)
    for name in ("beagle", "basset"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            picture = Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
            picture.save(tmp_path / "photos" / name / f"{number}.png")

    exec("\n".join(blocks("python")), {})

    assert (tmp_path / "why.png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert "beagle rather than basset" in printed
    assert "report.html" in printed
    assert (tmp_path / "models" / "flowers.keras").is_file()


@pytest.mark.parametrize("line", commands())
def test_the_commands_and_their_options_exist(line):
    words = line.split("#")[0].split()[1:]
    group = getattr(get_command(app).commands[words[0]], "commands", {})
    names = words[:2] if words[1:2] and words[1] in group else words[:1]
    usage = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})

    assert usage.exit_code == 0
    assert all(word in usage.output for word in words if word.startswith("--"))
    given = [after.split(",") for word, after in pairwise(words) if word == "--method"]
    assert {name for names in given for name in names} <= set(METHODS)
