"""The wheel: small, described, with the models of the demo, and never written once installed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.cli.test_commands import TRAIN
from tests.conftest import ROOT, SAMPLES
from weights_keras import FOLDER, names, read_card
from xai_tf.cli.demo import DEMOS

BUILD = "from setuptools.build_meta import build_wheel; build_wheel('.')"
RUN = "from xai_tf.cli import main; main()"
MB = 1_000_000
BROUGHT = {demo.model for demo in DEMOS}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this version, built from a copy that nothing was built in before."""
    folder = tmp_path_factory.mktemp("build")
    for name in ("xai_tf", "tuning", "weights_keras", "dashboards"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the files of the wheel, which cannot be written."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & 0o555)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.fixture(scope="module")
def server():
    """The address of a server of the models in this repository."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(FOLDER))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def contents(folder):
    """The SHA-256 of each file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def task_of(name):
    return read_card(FOLDER / f"{name}.md").task


def test_the_wheel_brings_one_model_of_each_task_and_the_cards_of_all(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if name.startswith("weights_keras/")}

    weights = {name for name in files if name.endswith((".keras", ".npz"))}
    assert weights == {
        f"weights_keras/{name}{suffix}" for name in BROUGHT for suffix in (".keras", ".ood.npz")
    }
    cards = {f"weights_keras/{name}.md" for name in names(FOLDER)}
    assert cards == {name for name in files if name.endswith(".md")}
    tasks = [task_of(name) for name in BROUGHT]
    assert sorted(tasks) == sorted({task_of(name) for name in names(FOLDER)})


def test_beside_these_models_the_wheel_is_small(wheel):
    with zipfile.ZipFile(wheel) as archive:
        entries = archive.infolist()
    weights = sum(entry.compress_size for entry in entries if entry.filename.endswith(".keras"))

    assert wheel.stat().st_size - weights < 2 * MB
    assert weights < len(BROUGHT) * 9 * MB


def test_the_wheel_brings_no_tests_and_what_the_page_and_the_demo_need(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())

    assert not {name for name in files if name.split("/")[0] in ("tests", "benchmarks", "docs")}
    for folder in ("xai_tf/samples", "dashboards/files/thumbnails", "dashboards/components"):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).glob("*.*")}
        assert here <= files


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_string(archive.read(name).decode())

    assert metadata["Name"] == "xai-tf"
    assert metadata["Summary"].startswith("Explain what Keras image classifiers decide")
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    assert "explainable AI" in metadata["Keywords"].split(",")
    classifiers = metadata.get_all("Classifier")
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= {
        *classifiers
    }
    assert "Topic :: Scientific/Engineering :: Artificial Intelligence" in classifiers
    assert not [name for name in classifiers if name.startswith("License")]
    assert metadata.get_all("Project-URL") is None
    assert metadata.get_payload().startswith("# xai-tf")


@pytest.fixture
def typed(installed, tmp_path):
    """Type a command of the installed wheel."""
    environment = os.environ | {
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XAI_TF_HOME": str(tmp_path / "mine"),
    }

    def typed(*words):
        command = [sys.executable, "-c", RUN, *map(str, words)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    return typed


PREDICT = ["predict", SAMPLES / "brain_head_notumor.png", "--model", "brain_cnn", "--json"]


def test_an_installed_wheel_fetches_what_it_lacks_and_is_not_written(
    installed, server, typed, tmp_path
):
    before = contents(installed)
    absent = typed(*PREDICT)
    fetched = typed("models", "fetch", "brain_cnn", "--from", server)

    assert absent.returncode == 2
    assert "`xai-tf models fetch brain_cnn`" in absent.stderr
    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stdout.strip() == str(tmp_path / "mine" / "models" / "brain_cnn.keras")
    assert contents(installed) == before


@pytest.mark.slow
def test_an_installed_wheel_trains_and_predicts_and_is_not_written(
    installed, server, typed, stripes, tmp_path
):
    before = contents(installed)
    assert typed("models", "fetch", "brain_cnn", "--from", server).returncode == 0
    predicted = typed(*PREDICT)
    trained = typed("train", stripes, *TRAIN, "--name", "striped")
    picture = next(stripes.rglob("*.png"))
    explained = typed("explain", picture, "--model", "striped", "--method", "saliency")

    assert json.loads(predicted.stdout)["result"][0]["prediction"]["class"] == "notumor"
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "mine" / "models" / "striped.keras").is_file()
    assert explained.returncode == 0, explained.stderr
    assert contents(installed) == before
