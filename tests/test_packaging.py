"""What is optional: each extra, what asks for it, and what works without any."""

import subprocess
import sys
import tomllib

import pytest

from tests.conftest import ROOT, SAMPLES
from xai_tf.errors import MissingExtraError
from xai_tf.narration.messages import LanguageModelError
from xai_tf.narration.ollama import server_url
from xai_tf.packages import EXTRAS, require_extra

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OPTIONAL = sorted({name for names in EXTRAS.values() for name in names})


def distributions(requirements: list[str]) -> set[str]:
    """Names of the packages that requirements ask for, as they are imported."""
    names = (text.split(">")[0].split("=")[0].split("[")[0] for text in requirements)
    return {name.replace("-", "_") for name in names}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_the_packages_that_are_asked_for(extra):
    asked = PROJECT["project"]["optional-dependencies"][extra]

    assert distributions(asked) == set(EXTRAS[extra])


def test_the_core_asks_for_no_optional_package():
    assert not distributions(PROJECT["project"]["dependencies"]) & set(OPTIONAL)


def test_every_package_says_that_it_is_typed():
    data = PROJECT["tool"]["setuptools"]["package-data"]

    for package in ("weights_keras", "xai_tf", "tuning", "dashboards"):
        assert "py.typed" in data[package]
        assert (ROOT / package / "py.typed").exists()


def test_a_missing_extra_names_the_packages_and_the_next_step(monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)

    with pytest.raises(MissingExtraError) as caught:
        require_extra("audio")

    assert "librosa" in str(caught.value)
    assert "soundfile" not in str(caught.value)
    assert "pip install 'xai-tf[audio]'" in str(caught.value)


@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [
        ("librosa", ["predict", SAMPLES / "speech_human.wav", "-m", "audio_mobilenetv2"], "audio"),
        ("keras_tuner", ["tune", "photos", "--task", "dog_breeds", "--name", "x"], "tuning"),
        ("panel", ["serve", "--no-browser"], "dashboard"),
    ],
)
def test_a_command_whose_extra_is_missing_says_so(package, words, extra, monkeypatch, run):
    monkeypatch.setitem(sys.modules, package, None)

    code, _, told = run(*words)

    assert code == 2
    assert f"pip install 'xai-tf[{extra}]'" in " ".join(told.split())


def test_a_language_model_without_its_extra_is_a_state_of_the_page(monkeypatch):
    monkeypatch.setitem(sys.modules, "ollama", None)

    with pytest.raises(LanguageModelError) as caught:
        server_url()

    assert caught.value.state == "not_installed"


def test_a_worker_of_the_page_starts_without_the_packages_for_sound(monkeypatch):
    from dashboards.service.handlers import warm_up

    monkeypatch.setitem(sys.modules, "librosa", None)

    assert [step() for step in warm_up()]


def test_libraries_and_command_start_without_any_extra():
    code = (
        f"import sys; sys.modules |= dict.fromkeys({OPTIONAL}); "
        "import xai_tf, tuning, dashboards.commands, xai_tf.regions, xai_tf.sonification, "
        "xai_tf.narration.ollama, xai_tf.narration.llm; "
        "from xai_tf.cli.run import app; app(['--help'])"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert answer.returncode == 0, answer.stderr
    assert "serve" in answer.stdout
    assert "tune" in answer.stdout
