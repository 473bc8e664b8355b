"""A user's own task: a TOML file, the definition in a card, or an installed package."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from weights_keras import ModelCard
from weights_keras.card import read_card
from xai_tf.errors import InputError, SettingError, UnknownNameError
from xai_tf.tasks import TASKS, find_task, known_task

DOCS = Path(__file__).parents[2] / "docs" / "extending.md"
FLOWERS = 'based_on = "photo"\nsubject = "a photo of a flower"\n'


def birds():
    """The example in the docs."""
    return DOCS.read_text().split('```toml title="birds.toml"\n')[1].split("```")[0]


@pytest.fixture
def write(tmp_path):
    def write(text, name="flowers.toml"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_a_file_says_what_differs_from_the_task_it_is_based_on(write):
    task = find_task(write(FLOWERS))

    assert (task.name, task.title) == ("flowers", "Flowers")
    assert task.question == TASKS["photo"].question
    assert task.subject["en"] == "a photo of a flower"
    assert task.reader is TASKS["photo"].reader
    assert task.classes == ()


def test_it_is_found_again_by_its_key_without_the_file(write):
    path = write(FLOWERS)
    task = find_task(path)
    Path(path).unlink()

    again = find_task(task.key)

    assert (again.name, again.subject, again.key) == (task.name, task.subject, task.key)


def test_sounds_are_read_by_its_own_recipe(write, tmp_path):
    tone = np.sin(2 * np.pi * 5000 * np.arange(4 * 22050) / 22050)
    soundfile.write(tmp_path / "tone.wav", 0.5 * tone, 22050)

    task = find_task(write(birds(), "birds.toml"))
    first, *_ = task.windows(tmp_path / "tone.wav", (96, 96))

    assert task.takes_sound
    assert (task.name, task.classes) == ("birds", ("robin", "wren"))
    assert first.sound.rate == 22050
    assert first.sound.decibels.shape[0] == 128
    loudest = first.sound.hertz[first.sound.decibels.mean(axis=1).argmax()]
    assert loudest == pytest.approx(5000, rel=0.03)
    assert np.ptp(first.image, axis=2).max() == 0  # gray, as the file asks


def test_a_card_holds_the_definition(write, tmp_path):
    task = find_task(write(birds(), "birds.toml"))
    card = ModelCard(name="m", task=task.key, classes=("robin", "wren"), backbone="cnn")
    (tmp_path / "m.md").write_text(card.to_markdown())

    assert "based_on: sound" in (tmp_path / "m.md").read_text()
    read = read_card(tmp_path / "m.md")
    assert read.task_name == "birds"
    assert known_task(read.task).recipe == task.recipe


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = 'x'", 'No "based_on"'),
        ("based_on = 'photo'\nquestoin = 'x'", "Did you mean 'question'"),
        ("based_on = 'photo'\nclasses = ['one']", "Expected two or more different names"),
        ("based_on = 'photo'\nbaseline = 3", "Expected a number from 0 to 1"),
        ("based_on = 'photo'\nsubject = ''", "Expected a text"),
        ("based_on = 'photo'\n[sound]\nrate = 8000", 'Write based_on = "sound"'),
        ("based_on = 'sound'\n[sound]\nmels = 8", "Unknown key 'mels'"),
        ("based_on = 'sound'\n[sound]\nrate = '8k'", "Expected a number"),
        ("based_on = 'sound'\n[sound]\nrate = 8000", "half the rate"),
        ("based_on = 'sound'\n[sound]\nfft_samples = 8", "at least frame_samples"),
        ("based_on = 'sound'\n[sound]\nstep_samples = 0", "Expected more than 0"),
    ],
)
def test_a_wrong_value_is_named_with_its_file(write, text, said):
    with pytest.raises(SettingError, match=r"flowers\.toml") as caught:
        find_task(write(text))
    assert said in str(caught.value)


def test_a_missing_or_broken_file_and_an_unknown_base_are_named(write):
    with pytest.raises(InputError, match="There is no task file"):
        find_task("nowhere.toml")
    with pytest.raises(InputError, match="as a task in TOML"):
        find_task(write("based_on = "))
    with pytest.raises(UnknownNameError, match="phto"):
        find_task(write("based_on = 'phto'"))


def test_a_card_with_a_damaged_definition_has_no_known_task():
    assert known_task('{"name": "x", "based_on": "photo", "colour": 1}') is None
    assert known_task("something else") is None
    assert known_task(None) is None


def test_an_installed_package_brings_its_task(tmp_path):
    dist = tmp_path / "birds-1.0.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: birds\nVersion: 1.0\n")
    (dist / "entry_points.txt").write_text(
        "[xai_tf.tasks]\nbirds = birds_package:TASK\nbroken = birds_package:MISSING\n"
    )
    (tmp_path / "birds_package.py").write_text(
        "from dataclasses import replace\nfrom xai_tf.tasks.photo import TASK as PHOTO\n"
        "TASK = replace(PHOTO, name='birds')\n"
    )
    code = "from xai_tf.tasks import TASKS; print(TASKS['birds'].name, 'broken' in TASKS)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["birds", "False"]
    assert "Cannot load the task broken" in done.stderr


def test_the_example_of_the_docs_is_toml():
    assert tomllib.loads(birds())["based_on"] == "sound"
