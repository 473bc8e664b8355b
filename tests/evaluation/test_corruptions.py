"""Corruptions change what they are named after, more at each level, and alike each time."""

import numpy as np
import pytest

from tests.conftest import SAMPLES, sample_of
from xai_tf.errors import SettingError, UnknownNameError
from xai_tf.evaluation.corruptions import CORRUPTIONS, corrupted, picked_corruptions
from xai_tf.tasks import TASKS

PICTURES = [one for one in CORRUPTIONS.values() if not one.of_sound]
SOUNDS = [one for one in CORRUPTIONS.values() if one.of_sound]
SPEECH = TASKS["deepfake_audio"]


@pytest.fixture(scope="module")
def speech():
    return SPEECH.read(SAMPLES / "speech_human.wav")


def distances(sample, corruption, recipe=None):
    changed = [corrupted(sample, corruption, level, recipe) for level in corruption.levels]
    return [float(np.abs(one.image - sample.image).mean()) for one in changed]


@pytest.mark.parametrize("corruption", PICTURES, ids=lambda one: one.name)
def test_a_picture_changes_more_at_each_level_and_stays_a_picture(corruption, blobs):
    far = distances(blobs, corruption)
    last = corrupted(blobs, corruption, corruption.levels[-1]).image

    assert far == sorted(far)
    assert far[-1] > 0.01
    assert (last.dtype, last.shape) == (np.float32, blobs.image.shape)
    assert 0 <= last.min() <= last.max() <= 1


@pytest.mark.parametrize("corruption", SOUNDS, ids=lambda one: one.name)
def test_a_sound_changes_more_at_each_level_and_keeps_its_length(corruption, speech):
    far = distances(speech, corruption, SPEECH.recipe)
    last = corrupted(speech, corruption, corruption.levels[-1], SPEECH.recipe)

    assert far == sorted(far)
    assert far[-1] > far[0] >= 0
    assert last.sound.waveform.shape == speech.sound.waveform.shape
    assert last.image.shape == speech.image.shape


@pytest.mark.parametrize("name", ["noise", "jpeg"])
def test_a_corruption_is_the_same_each_time(name, blobs):
    first, again = (corrupted(blobs, CORRUPTIONS[name], 20).image for _ in range(2))

    assert (first == again).all()


def test_a_crop_keeps_the_middle(blobs):
    image = np.zeros((40, 40, 3))
    image[10:30, 10:30] = 1

    cropped = corrupted(sample_of(image), CORRUPTIONS["crop"], 25).image

    assert (cropped == 1).all()


def test_a_stop_halves_the_levels(blobs):
    changed = corrupted(blobs, CORRUPTIONS["darker"], 1).image

    assert np.allclose(changed, blobs.image / 2)


def test_the_telephone_band_has_no_low_and_no_high_tones(speech):
    changed = corrupted(speech, CORRUPTIONS["telephone"], 2000, SPEECH.recipe).sound

    power = np.abs(np.fft.rfft(changed.waveform)) ** 2
    before = np.abs(np.fft.rfft(speech.sound.waveform)) ** 2
    hertz = np.fft.rfftfreq(len(changed.waveform), 1 / changed.rate)
    outside = (hertz < 150) | (hertz > 3000)
    assert power[outside].sum() < 0.02 * before[outside].sum()


def test_all_are_those_that_fit_the_files():
    assert picked_corruptions(["all"], sounds=False) == tuple(PICTURES)
    assert picked_corruptions(["all"], sounds=True) == tuple(SOUNDS)
    assert [one.name for one in picked_corruptions(["jpeg", "jpeg"], False)] == ["jpeg"]


def test_what_does_not_fit_the_files_is_refused_with_those_that_do():
    with pytest.raises(SettingError, match=r"changes sounds, and the model takes pictures.*crop"):
        picked_corruptions(["telephone"], sounds=False)
    with pytest.raises(UnknownNameError, match="Did you mean 'noise'"):
        picked_corruptions(["nois"], sounds=False)
    with pytest.raises(SettingError, match=r"changes sounds, and made\.png is none"):
        corrupted(sample_of(np.zeros((8, 8, 3))), CORRUPTIONS["hiss"], 5)
