"""Ctrl-C, for real, at several moments of a command."""

import csv
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import SAMPLES
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for libraries in /proc")
CAT = SAMPLES / "cat.jpg"
COMMAND = [sys.executable, "-c", "from xai_tf_command import main; main()"]
TINY = ["--task", "lung_opacity", "--backbone", "cnn", "--weights", "none", "--image-size", "32"]


@pytest.fixture
def start():
    """Type a command in a process of its own; returns it."""
    started = []

    def typed(*words, at_a_terminal=False):
        process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | ({"FORCE_COLOR": "1", "COLUMNS": "120"} if at_a_terminal else {}),
            # A shell's background job ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        started.append((process, watchdog))
        return process

    yield typed
    for process, watchdog in started:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stderr.close()


def interrupt(process):
    """Press Ctrl-C; returns what the process says then."""
    process.send_signal(signal.SIGINT)
    said = process.stderr.read().decode()
    process.wait()
    return said


def read_until(process, text):
    """Read what a process says up to a text."""
    said = b""
    while text not in said:
        news = process.stderr.read1()
        assert news, said.decode()
        said += news


@pytest.mark.parametrize("library", ["_multiarray_umath", "libtensorflow_framework"])
def test_while_packages_are_imported(start, pets, library):
    process = start("predict", CAT, "--model", pets)
    maps = Path("/proc", str(process.pid), "maps")
    eventually(lambda: library in maps.read_text())

    said = interrupt(process)

    assert process.returncode == 130
    assert said.startswith("Stopped")
    assert said.count("\n") == 1


def test_while_a_model_is_trained(start, stripes, tmp_path):
    out = tmp_path / "out"
    words = ["--name", "x", "--out", out, "--head-epochs", 100_000]
    process = start("train", stripes, *TINY, *words, at_a_terminal=True)
    read_until(process, b"head, epoch")

    said = interrupt(process)

    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.rstrip().endswith("Stopped; nothing half-written is left.")
    assert list(out.iterdir()) == []


def test_while_mistakes_are_explained(start, pets, tmp_path):
    for name in ("cat", "dog", "bird"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "1.jpg").write_bytes(CAT.read_bytes())
    out = tmp_path / "out"
    words = ["--model", pets, "--classes", "cat,dog,bird", "--method", "rise", "--out", out]
    process = start("errors", tmp_path / "data", *words, at_a_terminal=True)
    read_until(process, b"explaining")

    said = interrupt(process)

    assert process.returncode == 130
    assert "Traceback" not in said
    assert not out.exists()


@pytest.mark.slow
def test_a_search_that_is_stopped_again_and_again_ends_like_an_undisturbed_one(
    start, stripes, tmp_path
):
    words = ["tune", stripes, *TINY, "--name", "x", "--max-epochs", 4, "--augmentations", 1]

    def places(root):
        return ["--root", root, "--out", root / "out"]

    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "stopped"
    assert finish(start(*words, *places(undisturbed))) == 0
    curves = stopped / "x" / "curves.jsonl"
    for epochs in (1, 4, 7):
        process = start(*words, *places(stopped))
        eventually(lambda epochs=epochs: curves.is_file() and num_lines(curves) >= epochs)
        said = interrupt(process)
        assert process.returncode == 130
        assert "Traceback" not in said
        assert said.splitlines()[-1] == "Stopped; nothing half-written is left."
    assert finish(start(*words, *places(stopped))) == 0

    assert trials(stopped / "x") == trials(undisturbed / "x")


def finish(process):
    process.stderr.read()
    return process.wait()


def num_lines(path):
    return len(path.read_text().splitlines())


def trials(folder):
    """The trials of a search, without how long they took."""
    with (folder / "trials.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
