"""Classifiers whose reasons are known, and inputs that show them."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `import xai_tf` does before TensorFlow
# Beside other programs, processes that give way to all of them would hardly run at all.
os.environ.setdefault("XAI_TF_NICENESS", "0")

import jsonschema
import keras
import numpy as np
import pytest
from PIL import Image

from tests.waiting import patiently
from xai_tf.classifiers.backbones import build_model
from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli import main
from xai_tf.cli.answers import SCHEMA
from xai_tf.inputs.sample import Sample
from xai_tf.tasks import TASKS

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
SAMPLES = ROOT / "xai_tf" / "samples"
TEST_DATA = ROOT / "tests" / "data"
ANSWERS = json.loads(SCHEMA.read_text())
EAR_SIZE = (64, 64)
HIGH, MIDDLE = slice(10, 20), slice(24, 40)  # rows and columns of what `ear` hears


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Every test draws the same weights each time, whichever tests ran before it."""
    keras.utils.set_random_seed(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Say what the page showed where a test in the browser failed."""
    report = (yield).get_result()
    page = getattr(item, "funcargs", {}).get("page")
    if call.when == "call" and report.failed and hasattr(page, "locator"):
        with suppress(Exception):  # it may be closed
            shown = page.locator("body").aria_snapshot(timeout=5000)
            report.sections.append(("what the page showed", f"{page.url}\n{shown}"))


def sample_of(image: np.ndarray) -> Sample:
    return Sample(image=image.astype(np.float32), source=Path("made.png"), sha256="0" * 64)


def assert_told(error: Exception, path: Path, cause: str, next_step: str) -> None:
    """One line that names the file, the cause and the next step."""
    text = str(error)
    assert str(path) in text
    assert cause in text
    assert next_step in text
    assert "\n" not in text


@pytest.fixture(scope="session")
def halves() -> Classifier:
    """One logit: the mean brightness of the right half less that of the left."""
    inputs = keras.Input((32, 32, 3))
    brightness = keras.layers.Conv2D(1, 1, use_bias=False, name="brightness")
    decision = keras.layers.Dense(1, use_bias=False, name="decision")
    model = keras.Model(inputs, decision(keras.layers.Flatten()(brightness(inputs))))
    brightness.set_weights([np.full((1, 1, 3, 1), 1 / 3)])
    side = np.where(np.arange(32) < 16, -1, 1) / 512
    decision.set_weights([np.tile(side, 32)[:, None]])
    return Classifier(model, ["left", "right"], name="halves")


@pytest.fixture(scope="session")
def left_bright() -> Sample:
    """Bright on the left, black on the right."""
    image = np.zeros((32, 32, 3))
    image[:, :16] = 0.8
    return sample_of(image)


@pytest.fixture(scope="session")
def small_cnn() -> keras.Model:
    """A small network with everything that matters: ReLU, ReLU6, pooling, three classes."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv_a")(x)
    x = keras.layers.MaxPooling2D(name="half")(x)
    x = keras.layers.Conv2D(16, 3, padding="same", name="conv_b")(x)
    x = keras.layers.ReLU(6.0, name="relu_b")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))


@pytest.fixture(scope="session")
def three_classes(small_cnn: keras.Model) -> Classifier:
    return Classifier(small_cnn, ["a", "b", "c"], name="three_classes")


@pytest.fixture(scope="session")
def blobs() -> Sample:
    """A smooth random picture in color."""
    rng = np.random.default_rng(3)
    coarse = rng.random((4, 4, 3))
    return sample_of(np.kron(coarse, np.ones((8, 8, 1))) * 0.8 + 0.2 * rng.random((32, 32, 3)))


def draw_stripes(folder: Path, classes: tuple[str, ...], count: int) -> Path:
    """Noisy pictures of stripes in class folders: lying, standing, falling, rising."""
    rng, ramp = np.random.default_rng(0), np.arange(32)
    slopes = [(1, 0), (0, 1), (1, 1), (1, -1)]
    for name, (down, right) in zip(classes, slopes, strict=False):
        (folder / name).mkdir(parents=True)
        stripes = 150 * (np.add.outer(down * ramp, right * ramp) // 3 % 2)
        for number in range(count):
            picture = rng.integers(0, 60, (32, 32)) + stripes
            Image.fromarray(picture.astype(np.uint8)).save(folder / name / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures of lying ("normal") and 24 of standing ("opacity") stripes."""
    return draw_stripes(tmp_path_factory.mktemp("stripes"), ("normal", "opacity"), 24)


def several_labels() -> keras.Model:
    """Three sigmoids: is the left half, the upper half, the middle bright?"""
    inputs = keras.Input((32, 32, 3))
    brightness = keras.layers.Conv2D(1, 1, use_bias=False, name="brightness")
    findings = keras.layers.Dense(3, activation="sigmoid", name="findings")
    model = keras.Model(inputs, findings(keras.layers.Flatten()(brightness(inputs))))
    brightness.set_weights([np.full((1, 1, 3, 1), 1 / 3)])
    places = np.zeros((32, 32, 3))
    places[:, :16, 0] = places[:16, :, 1] = places[8:24, 8:24, 2] = 1
    weights = 8 * places / places.sum(axis=(0, 1))
    findings.set_weights([weights.reshape(-1, 3), np.full(3, -4.0)])
    return model


@pytest.fixture(scope="session")
def three_labels() -> Classifier:
    """A classifier of the labels "left", "upper" and "middle", each with its own sigmoid."""
    return Classifier(
        several_labels(),
        ["left", "upper", "middle"],
        name="three_labels",
        preprocessing="unit",
        thresholds={"middle": 0.7},
    )


def draw_labels(folder: Path, count: int) -> Path:
    """Noisy pictures that are red, striped, both or neither; and a CSV file that says which."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, lines = np.random.default_rng(0), ["file,red,striped"]
    for number in range(count):
        red, striped = number % 2, number // 2 % 2
        picture = rng.integers(0, 60, (32, 32, 3))
        picture[..., 0] += 100 * red
        picture[::4] += 95 * striped
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{number:02d}.png")
        lines.append(f"{number:02d}.png,{red},{striped}")
    table = folder / "labels.csv"
    table.write_text("\n".join(lines))
    return table


@pytest.fixture(scope="session")
def ear() -> Classifier:
    """One logit: how bright one place is, less how bright its surroundings are."""
    inputs = keras.Input((*EAR_SIZE, 3))
    brightness = keras.layers.Conv2D(1, 1, use_bias=False, name="brightness")
    decision = keras.layers.Dense(1, use_bias=False, name="decision")
    model = keras.Model(inputs, decision(keras.layers.Flatten()(brightness(inputs))))
    brightness.set_weights([np.full((1, 1, 3, 1), 1 / 3)])
    inside = np.zeros(EAR_SIZE)
    inside[HIGH, MIDDLE] = 1
    weights = 20 * (inside / inside.sum() - 0.5 * (1 - inside) / (1 - inside).sum())
    decision.set_weights([weights.reshape(-1, 1)])
    return Classifier(model, name="ear", task=TASKS["deepfake_audio"])


# Commands


def result_of(printed: str) -> Any:
    """The result that a command printed as JSON, which must be as the schema says."""
    answer = json.loads(printed)
    jsonschema.validate(answer, ANSWERS)
    return answer["result"]


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's data folder of all tests, in this process and those it starts; empty at first."""
    folder = tmp_path_factory.mktemp("home")
    os.environ["XAI_TF_HOME"] = str(folder)
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Type a command; get its exit code, output and messages."""

    def typed(*words):
        monkeypatch.setattr(sys, "argv", ["xai-tf", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        if "--json" in words and said.out:
            result_of(said.out)
        return caught.value.code or 0, said.out, said.err

    return typed


@pytest.fixture(scope="session")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of pictures with three classes, that has learnt nothing."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("models") / "pets.keras"
    build_model("cnn", 3, (64, 64), weights=None).save(path)
    return path


@pytest.fixture(scope="session")
def asking(pets: Path) -> list:
    """How that model is named on the command line."""
    known = ["--classes", "cat,dog,bird", "--preprocessing", "unit", "--returns", "logits"]
    return ["--model", pets, *known]


# Pages


@pytest.fixture
def steady_speed(monkeypatch):
    """Passes take as long on any machine, as far as is decided by it what starts unasked.

    0.1 ms each, and 1 ms on the model `wide`: 16384 of it are slow, and a few hundred quick.
    """
    from dashboards.service.facts import ModelFacts

    def seconds(facts, request):
        cost = facts.cost(request)
        return (cost.forward + cost.gradient) * (1e-3 if facts.name == "wide" else 1e-4)

    monkeypatch.setattr(ModelFacts, "seconds", seconds)


@pytest.fixture
def visit(service, tmp_path, steady_speed):
    """Let a visitor of the module's `service` do something; one event loop for each."""
    from dashboards.files.uploads import Uploads
    from dashboards.state.session import Session

    @asynccontextmanager
    async def visiting():
        session = Session(service, Uploads(tmp_path / "uploads"))
        session.workspace.choose_model(next(iter(service.models)))
        try:
            yield session
        finally:
            session.close()

    def run(story):
        async def tell():
            async with visiting() as session:
                return await patiently(story(session))

        return asyncio.run(tell())

    return run
