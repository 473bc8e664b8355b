"""Plants in sound: a tone, a band that is missing, a click, a piece of a synthetic voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.ground_truth.carriers import Clip
from benchmarks.ground_truth.puzzle import Planted
from xai_tf.inputs.audio import mel_centers, mel_spectrogram, spectrogram_image
from xai_tf.inputs.sample import Sample, resize
from xai_tf.tasks.deepfake_audio import RECIPE

RATE = RECIPE.rate
SPAN = RECIPE.window_seconds
REACH = RECIPE.frame_samples / 2 / RATE  # how far a sound is seen in the frames around it, seconds
FADE = 0.01  # seconds
# Barker's longest code: as loud at nearly every frequency.
CLICK = np.array([1, 1, 1, 1, 1, -1, -1, 1, 1, -1, 1, -1, 1])


@dataclass(frozen=True)
class Place:
    """Where a plant is: seconds of the window, and mel bands counted from the lowest."""

    start: float
    end: float
    low: int
    high: int


Draw = Callable[[Clip, np.random.Generator], tuple[np.ndarray, np.ndarray, Place]]


def in_sound(draw: Draw) -> Callable[[Clip, np.random.Generator, tuple[int, int]], Planted]:
    """A plant of a puzzle from what makes (waveform with the plant, without, place)."""

    def plant(carrier: Clip, rng: np.random.Generator, image_size: tuple[int, int]) -> Planted:
        planted, without, place = draw(carrier, rng)
        return Planted(
            _sample(carrier.sample, planted, image_size, 1),
            _sample(carrier.sample, without, image_size, 0),
            place_mask(place, image_size),
        )

    return plant


def place_mask(place: Place, image_size: tuple[int, int]) -> np.ndarray:
    """A place as pixels of a spectrogram image: bool (height, width), low tones at the bottom."""
    frames = 1 + int(SPAN * RATE) // RECIPE.step_samples
    times = np.arange(frames) * RECIPE.step_samples / RATE
    bands = np.arange(RECIPE.num_mels)
    across = (times >= place.start - REACH) & (times <= place.end + REACH)
    up = (bands >= place.low) & (bands <= place.high)
    covered = np.outer(up, across)[::-1].astype(np.float32)
    return resize(covered, image_size) > 0.5


def tone_burst(clip: Clip, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Place]:
    """A steady tone of a quarter of a second; the decoy is a hiss as long, of an octave."""
    length = rng.uniform(0.25, 0.4)
    start, other = _two_times(length, rng)
    centers = mel_centers(RECIPE)
    band = int(rng.integers(np.searchsorted(centers, 700), np.searchsorted(centers, 2600)))
    wave = clip.sample.sound.waveform
    hiss = _window(other, length) * _between(rng.normal(size=len(wave)), 1000, 2000)
    tone = _window(start, length) * np.sin(2 * np.pi * centers[band] * np.arange(len(wave)) / RATE)
    without = wave + _as_loud(hiss, wave)
    place = Place(start, start + length, band - 2, band + 2)
    return without + _as_loud(tone, wave), without, place


def missing_band(clip: Clip, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Place]:
    """Ten mel bands without any sound, from beginning to end; no decoy."""
    centers = mel_centers(RECIPE)
    # Above the loudest tones: without them, all the rest would be drawn brighter.
    low = int(rng.integers(np.searchsorted(centers, 800), np.searchsorted(centers, 2400)))
    high = low + 9
    wave = clip.sample.sound.waveform
    cut = wave - _between(wave, centers[low - 1], centers[high + 1])
    return cut, wave, Place(0, SPAN, low, high)


def click(clip: Clip, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Place]:
    """Thirteen samples at full scale; the decoy is a thump of a thirtieth of a second at 300 Hz."""
    start, other = _two_times(0.1, rng)
    wave = clip.sample.sound.waveform
    seconds = np.arange(len(wave)) / RATE
    thump = _window(other, 0.03) * np.abs(wave).max() * np.sin(2 * np.pi * 300 * seconds)
    without = wave + thump
    planted = without.copy()
    first = round(start * RATE)
    planted[first : first + len(CLICK)] = CLICK
    return planted, without, Place(start, start, 0, RECIPE.num_mels - 1)


def splice(clip: Clip, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Place]:
    """A piece of a synthetic voice; without the plant, a piece of another human stands there."""
    length = rng.uniform(1.0, 1.2)
    start = rng.uniform(0.1, SPAN - 0.1 - length)
    wave = clip.sample.sound.waveform
    window, shift = _window(start, length), rng.integers(len(wave))
    planted, without = (
        wave * (1 - window)
        + _as_loud(window * np.roll(waves[rng.integers(len(waves))], shift), wave)
        for waves in (clip.synthetic, clip.human)
    )
    return planted, without, Place(start, start + length, 0, RECIPE.num_mels - 1)


def _as_loud(piece: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """A piece whose loudest spot in the spectrogram is a little below that of a sound.

    A spectrogram is drawn below its maximum, so anything louder would darken all the rest, and a
    network could tell the classes apart wherever it looks.
    """
    loudest, own = (_loudest(sound) for sound in (wave, piece))
    return piece * np.sqrt(0.7 * loudest / max(own, 1e-9))


def _loudest(wave: np.ndarray) -> float:
    """The greatest power of any frequency in any frame."""
    import librosa

    frames = librosa.stft(
        wave,
        n_fft=RECIPE.fft_samples,
        win_length=RECIPE.frame_samples,
        hop_length=RECIPE.step_samples,
    )
    return float(np.abs(frames).max() ** 2)


def _two_times(length: float, rng: np.random.Generator) -> tuple[float, float]:
    """When the plant and the decoy begin: one in each half, in either order."""
    early = rng.uniform(0.05, SPAN / 2 - 0.1 - length)
    late = rng.uniform(SPAN / 2 + 0.05, SPAN - 0.1 - length)
    return (early, late) if rng.integers(2) else (late, early)


def _window(start: float, length: float) -> np.ndarray:
    """1 for a while, fading in and out: float64 of shape (samples,)."""
    seconds = np.arange(round(SPAN * RATE)) / RATE
    inside = np.minimum(seconds - start, start + length - seconds)
    return np.clip(inside / FADE, 0, 1)


def _between(wave: np.ndarray, low: float, high: float) -> np.ndarray:
    """What lies between two frequencies, in Hz, cut by the Fourier transform of the whole."""
    spectrum, hertz = np.fft.rfft(wave), np.fft.rfftfreq(len(wave), 1 / RATE)
    return np.fft.irfft(np.where((hertz >= low) & (hertz <= high), spectrum, 0), len(wave))


def _sample(carrier: Sample, wave: np.ndarray, size: tuple[int, int], label: int) -> Sample:
    sound = mel_spectrogram(np.clip(wave, -1, 1).astype(np.float32), RECIPE)
    image = spectrogram_image(sound.decibels, size, RECIPE)
    return replace(carrier, image=image, sound=sound, label=label)
