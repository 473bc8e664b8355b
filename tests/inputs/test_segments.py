"""Segments of pictures and of sounds."""

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import SAMPLES, sample_of
from xai_tf.inputs.audio import mel_spectrogram, read_sound, spectrogram_image
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.segments import segment
from xai_tf.tasks import TASKS


@pytest.fixture(scope="module")
def speech():
    return TASKS["deepfake_audio"].read(SAMPLES / "speech_human.wav")


def heard(speech, waveform):
    """The sample of another waveform, without a file."""
    sound = mel_spectrogram(waveform.astype(np.float32), MelRecipe())
    return replace(
        speech, sound=sound, image=spectrogram_image(sound.decibels, (224, 224), MelRecipe())
    )


@pytest.mark.parametrize("size", [(32, 32), (96, 96), (224, 224)])
@pytest.mark.parametrize("count", [2, 3, 7, 48, 200, 400])
def test_a_sound_is_parted_into_about_so_many_cells_and_none_is_empty(count, size):
    sample = read_sound(SAMPLES / "speech_human.wav", size, MelRecipe())[0]

    segments = segment(sample, count)

    assert segments.shape == size
    assert segments.dtype == np.int32
    found = np.bincount(segments.ravel())
    assert (found > 0).all()
    assert 0.8 * count <= len(found) <= 1.4 * count


@pytest.mark.parametrize("center", [(60, 80), (100, 47), (160, 171)])
def test_what_stands_out_has_a_segment_of_its_own_though_it_is_small(center):
    """A disc of 0.6% of the picture was joined with the black around it."""
    rows, columns = np.indices((224, 224))
    disc = np.hypot(rows - center[0], columns - center[1]) < 10
    image = np.repeat(disc[..., None], 3, axis=2)

    segments = segment(sample_of(image), 48)

    own = np.bincount(segments[disc]).argmax()
    overlap = ((segments == own) & disc).sum() / ((segments == own) | disc).sum()
    assert overlap > 0.8
    assert 40 <= segments.max() + 1 <= 60


def test_segments_of_a_sound_are_bands_by_times(speech):
    segments = segment(speech, 48)

    for number in range(48):
        rows, columns = np.nonzero(segments == number)
        assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_segments_of_a_sound_are_the_same_every_time(speech):
    np.testing.assert_array_equal(segment(speech, 48), segment(speech, 48))


def test_times_begin_where_the_sound_does(speech):
    rng = np.random.default_rng(0)
    waveform = 1e-3 * rng.standard_normal(16_000)
    onsets = np.array([0.3, 0.69, 1.04, 1.45])
    for second in onsets:
        first = round(8000 * second)
        waveform[first : first + 1200] += 0.3 * rng.standard_normal(1200)

    segments = segment(heard(speech, waveform), 48)

    begins = (np.flatnonzero(np.diff(segments[0])) + 1) / 224 * 2
    assert (np.abs(begins[:, None] - onsets).min(axis=0) < 0.04).all()


def test_silence_and_a_steady_tone_are_parted_evenly(speech):
    steady = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 8000)

    segments = segment(heard(speech, 0.3 * steady), 8)

    lengths = np.diff(np.flatnonzero(np.diff(segments[0])), prepend=-1, append=223)
    assert lengths.min() > 30


def test_a_picture_without_a_sound_is_parted_by_color(speech):
    cells = segment(speech, 48)
    superpixels = segment(replace(speech, sound=None), 48)

    assert not np.array_equal(cells, superpixels)
    assert (np.bincount(superpixels.ravel()) > 0).all()
