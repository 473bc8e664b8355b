"""Augmentation: random changes to training samples that do not change the class.

Each function takes a sample and a random generator and returns an image: float32 array of shape
(height, width, 3), RGB in [0, 1]. The changes are drawn again for every epoch or copy.
"""

from __future__ import annotations

import io

import numpy as np
import scipy  # which loads its modules where they are used
from PIL import Image

from xai_tf.inputs.audio import mel_spectrogram, spectrogram_image
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.sample import Sample
from xai_tf.inputs.task import Augment


def photo(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Mirror, rotate by up to 15 degrees, zoom and shift by up to 12%, change the brightness."""
    return _light(_move(_mirror(sample.image, rng), rng, degrees=15, share=0.12), rng, 0.2)


def radiograph(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Rotate by up to 7 degrees, zoom and shift by up to 8%, change the exposure; never mirror."""
    return _light(_move(sample.image, rng, degrees=7, share=0.08), rng, 0.2)


def brain_slice(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Mirror left and right, rotate by up to 12 degrees, zoom and shift by up to 8%."""
    return _light(_move(_mirror(sample.image, rng), rng, degrees=12, share=0.08), rng, 0.15)


def speech(recipe: MelRecipe) -> Augment:
    """Augmentation of speech: change the waveform, then mask parts of its new spectrogram.

    The waveform gets another tempo and pitch (up to 5%), a gentle equalizer, and at random a
    shorter length and colored noise. Then two intervals of time and two of frequency are masked
    (SpecAugment, Park et al. 2019).
    """

    def change(sample: Sample, rng: np.random.Generator) -> np.ndarray:
        image = sample.image
        if sample.sound is not None and not sample.sound.rebuilt:
            waveform = _distort(sample.sound.waveform, rng)
            decibels = mel_spectrogram(waveform, recipe).decibels
            image = spectrogram_image(decibels, sample.image.shape[:2], recipe)
        return _mask(image, rng)

    return change


def with_storage_artifacts(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture as another scanner or program might have stored it; nothing in it moves.

    It is shrunk to as little as half its size and enlarged again, made up to 15% brighter or
    darker, gets noise of up to 2%, and is compressed as JPEG of a quality from 30 to 95.

    Args:
        image: uint8 array of shape (height, width, 3).
        rng: draws the strength of each change; shrinking and noise happen every other time.

    Returns:
        uint8 array of the same shape.
    """
    height, width = image.shape[:2]
    picture, share = Image.fromarray(image), rng.uniform(0.5, 1)
    if rng.random() < 0.5:
        small = (max(1, round(width * share)), max(1, round(height * share)))
        picture = picture.resize(small, Image.Resampling.BILINEAR).resize(
            (width, height), Image.Resampling.BILINEAR
        )
    pixels = np.asarray(picture) * rng.uniform(0.85, 1.15)
    if rng.random() < 0.5:
        pixels = pixels + rng.normal(0, rng.uniform(0, 6), (height, width, 1))
    stored = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    file = io.BytesIO()
    stored.save(file, "JPEG", quality=int(rng.integers(30, 96)))
    return np.asarray(Image.open(file).convert("RGB"))


def _distort(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    changed, length = waveform, len(waveform)
    if rng.random() < 0.7:
        positions = np.arange(0, length - 1, rng.uniform(0.95, 1.05))
        changed = np.interp(positions, np.arange(length), changed)
        changed = np.pad(changed, (0, max(0, length - len(changed))))[:length]
    if rng.random() < 0.3:
        changed = changed * (np.arange(length) < length * rng.uniform(0.6, 1.0))
    spectrum = np.fft.rfft(changed)
    gains = np.interp(np.linspace(0, 5, len(spectrum)), np.arange(6), rng.uniform(-3, 3, 6))
    changed = np.fft.irfft(spectrum * 10 ** (gains / 20), length)
    if rng.random() < 0.3:
        changed = changed + _noise(changed, rng)
    return changed.astype(np.float32)


def _noise(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colored noise 10 to 35 dB below the sound."""
    from scipy.signal import lfilter

    noise = lfilter([1], [1, -rng.uniform(0, 0.95)], rng.normal(size=len(waveform)))
    level = np.std(waveform) / max(np.std(noise), 1e-9)
    return noise * level * 10 ** (-rng.uniform(10, 35) / 20)


def _mask(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    masked = image.copy()
    silence = image.reshape(-1, 3)[image.sum(axis=-1).argmin()]
    for _ in range(2):
        start, length = rng.integers(height), rng.integers(0, max(1, height // 20))
        masked[start : start + length] = silence
        start, length = rng.integers(width), rng.integers(0, max(1, width // 15))
        masked[:, start : start + length] = silence
    return masked


def _mirror(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image[:, ::-1] if rng.random() < 0.5 else image


def _move(image: np.ndarray, rng: np.random.Generator, degrees: float, share: float) -> np.ndarray:
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    zoom = 1 + rng.uniform(-share, share, size=2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * zoom
    center = (np.array(image.shape[:2]) - 1) / 2
    offset = center - turn @ center + rng.uniform(-share, share, size=2) * image.shape[:2]
    planes = [
        scipy.ndimage.affine_transform(plane, turn, offset, order=1, mode="nearest")
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack(planes, axis=-1)


def _light(image: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    contrast = 1 + rng.uniform(-share, share)
    brightness = rng.uniform(-share, share) / 2
    return np.clip((image - 0.5) * contrast + 0.5 + brightness, 0, 1).astype(np.float32)
