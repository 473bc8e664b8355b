"""What is hidden on the picture, and the answer without it."""

import sys

import numpy as np
import pytest

from dashboards.files.uploads import Uploads
from dashboards.service.catalogue import find_models
from dashboards.service.service import Service
from dashboards.views.what_if import what_if_sentence, what_if_words
from tests.conftest import SAMPLES
from tests.waiting import until
from xai_tf import load
from xai_tf.inputs.audio import mel_spectrogram, spectrogram_image
from xai_tf.inputs.hiding import draw_shapes, hide

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
BOX = [0.25, 0.0, 0.75, 0.5]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    found = find_models()
    models = {name: found[name] for name in ("brain_cnn", "audio_mobilenetv2")}
    service = Service(models, tmp_path_factory.mktemp("store"))
    yield service
    service.close()


async def shown(session):
    session.workspace.show(Uploads.from_path(SAMPLES / "brain_head_lesion.png"), "brain_cnn")
    await until(lambda: session.explorer.explanation is not None)
    return session.what_if


async def answered(editor):
    await until(lambda: editor.result is not None or editor.problem)
    return editor.result


def test_the_answer_without_a_box_is_that_of_the_picture_with_it_erased(visit):
    async def story(session):
        editor = await shown(session)
        editor.draw(BOX)
        return await answered(editor)

    result = visit(story)
    classifier = load("brain_cnn")
    sample = classifier.read(SAMPLES / "brain_head_lesion.png")
    mask = draw_shapes([BOX], classifier.image_size)
    erased = hide(sample.image, mask, "erase", classifier.baseline)

    assert result.share == pytest.approx(0.25, abs=0.01)
    assert np.abs(result.image / 255 - erased).max() < 1 / 255
    (before,) = classifier.predict(sample)
    (after,) = classifier.predict(erased)
    assert np.allclose(result.before.probabilities, before.probabilities, atol=1e-5)
    assert np.allclose(result.after.probabilities, after.probabilities, atol=1e-4)
    assert "25% of the picture" in what_if_sentence(result)
    assert what_if_words(result).count("<meter") >= 2


def test_shapes_regions_and_the_strongest_tenth_add_up_and_are_taken_back(visit):
    async def story(session):
        editor, shares = await shown(session), []

        async def share():
            await until(lambda: editor.result is not None)
            shares.append(editor.result.share)
            editor.result = None

        editor.strongest = True
        await share()
        editor.draw(BOX)
        await share()
        editor.keep = True
        await share()
        editor.keep = False
        await share()
        editor.undo()
        await share()
        editor.toggle_region("frame", "corners")
        await share()
        editor.clear()
        return shares, editor.result, editor.marked

    shares, result, marked = visit(story)
    tenth, with_box, kept, again, without_box, with_corners = shares

    assert tenth == without_box == pytest.approx(0.1, abs=0.001)
    assert 0.25 <= with_box == again <= 0.351
    assert kept == pytest.approx(1 - with_box)
    assert with_corners > tenth
    assert (result, marked) == (None, False)


def test_a_sound_is_trimmed_to_the_times_of_a_box(visit):
    async def story(session):
        session.workspace.show(Uploads.from_path(SAMPLES / "speech_human.wav"), "audio_mobilenetv2")
        await until(lambda: session.explorer.explanation is not None)
        editor = session.what_if
        editor.param.update(fill="trim", keep=True)
        editor.draw([0.25, 0.4, 0.75, 0.6])
        return await answered(editor), editor.fills, session.workspace.sample

    result, fills, sample = visit(story)
    classifier = load("audio_mobilenetv2")
    quarter = len(sample.sound.waveform) // 4
    middle = np.zeros_like(sample.sound.waveform)
    middle[: 2 * quarter] = sample.sound.waveform[quarter : 3 * quarter]
    recipe = classifier.task.recipe
    decibels = mel_spectrogram(middle, recipe).decibels
    image = spectrogram_image(decibels, classifier.image_size, recipe)

    assert "trim" in fills
    assert result.share == pytest.approx(0.5, abs=0.01)
    (after,) = classifier.predict(image)
    assert np.allclose(result.after.probabilities, after.probabilities, atol=0.02)
    assert not np.allclose(result.after.probabilities, result.before.probabilities, atol=0.02)
    assert (result.image[:, 60:160] > 128).any()
    assert (result.image[:, :50] == result.image[0, 0]).all()
    assert "50% of the recording" in what_if_sentence(result)


def test_only_sounds_are_trimmed(visit):
    async def story(session):
        editor = await shown(session)
        editor.fill = "trim"
        editor.draw(BOX)
        await answered(editor)
        return editor.fills, editor.problem

    fills, problem = visit(story)

    assert "trim" not in fills
    assert "Only a sound can be trimmed" in problem


def test_what_is_hidden_ends_with_its_file_and_nonsense_is_ignored(visit):
    async def story(session):
        editor = await shown(session)
        for nonsense in (None, "box", [1, 2], ["a"] * 4, [9, 9, 9, 9], {"shape": 1}):
            editor.draw(nonsense)
        ignored = editor.marked
        editor.draw(BOX)
        await answered(editor)
        session.workspace.show(Uploads.from_path(SAMPLES / "brain_head_notumor.png"), "brain_cnn")
        return ignored, editor.marked, editor.result

    assert visit(story) == (False, False, None)


def test_a_region_that_is_not_there_is_an_error_with_a_next_step(visit):
    async def story(session):
        editor = await shown(session)
        editor.toggle_region("frame", "<b>")
        await answered(editor)
        return editor.problem, editor.result

    problem, result = visit(story)

    assert "Choose another one" in problem
    assert result is None
