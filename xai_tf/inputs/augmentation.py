"""Changes to training samples that leave the class as it is.

Each takes a sample and a random generator and returns an image (float32, (height, width, 3), RGB in
[0, 1]). They come before any network, and are drawn again for every epoch or copy.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from xai_tf.inputs.audio import MelRecipe, mel_spectrogram, spectrogram_image
from xai_tf.inputs.sample import Sample
from xai_tf.inputs.task import Augment


def photo(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Mirror, turn by up to 15 degrees, zoom and move by up to 12%, change the light a little."""
    return _light(_move(_mirror(sample.image, rng), rng, degrees=15, share=0.12), rng, 0.2)


def radiograph(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Turn by up to 7 degrees, zoom and move by up to 8%, change the exposure; never mirrored."""
    return _light(_move(sample.image, rng, degrees=7, share=0.08), rng, 0.2)


def brain_slice(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Mirror left and right, turn by up to 12 degrees, zoom and move by up to 8%."""
    return _light(_move(_mirror(sample.image, rng), rng, degrees=12, share=0.08), rng, 0.15)


def speech(recipe: MelRecipe) -> Augment:
    """Change the waveform, draw its spectrogram anew, and blank bands of it.

    Tempo and pitch by up to 5%, at times a shorter cut, a gentle equaliser, at times coloured
    noise; then two bands of time and two of frequency are blanked (SpecAugment, Park et al. 2019).
    """

    def change(sample: Sample, rng: np.random.Generator) -> np.ndarray:
        image = sample.image
        if sample.sound is not None and not sample.sound.rebuilt:
            heard = _distort(sample.sound.waveform, rng)
            decibels = mel_spectrogram(heard, recipe).decibels
            image = spectrogram_image(decibels, sample.image.shape[:2], recipe)
        return _blank(image, rng)

    return change


def stored_otherwise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture as another scanner or program might have stored it; nothing in it moves.

    Shrunk to half its size at most and enlarged again, up to 15% brighter or darker, noise of up
    to 2%, JPEG of a quality from 30 to 95.

    Args:
        image: uint8 array of shape (height, width, 3).
        rng: draws how much of each; shrinking and noise every other time.
    """
    height, width = image.shape[:2]
    picture, share = Image.fromarray(image), rng.uniform(0.5, 1)
    if rng.random() < 0.5:
        small = (max(1, round(width * share)), max(1, round(height * share)))
        picture = picture.resize(small, Image.BILINEAR).resize((width, height), Image.BILINEAR)
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
    """Coloured noise 10 to 35 dB below the sound."""
    from scipy.signal import lfilter

    noise = lfilter([1], [1, -rng.uniform(0, 0.95)], rng.normal(size=len(waveform)))
    level = np.std(waveform) / max(np.std(noise), 1e-9)
    return noise * level * 10 ** (-rng.uniform(10, 35) / 20)


def _blank(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    blanked = image.copy()
    silence = image.reshape(-1, 3)[image.sum(axis=-1).argmin()]
    for _ in range(2):
        start, length = rng.integers(height), rng.integers(0, max(1, height // 20))
        blanked[start : start + length] = silence
        start, length = rng.integers(width), rng.integers(0, max(1, width // 15))
        blanked[:, start : start + length] = silence
    return blanked


def _mirror(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image[:, ::-1] if rng.random() < 0.5 else image


def _move(image: np.ndarray, rng: np.random.Generator, degrees: float, share: float) -> np.ndarray:
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    zoom = 1 + rng.uniform(-share, share, size=2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * zoom
    centre = (np.array(image.shape[:2]) - 1) / 2
    offset = centre - turn @ centre + rng.uniform(-share, share, size=2) * image.shape[:2]
    planes = [
        ndimage.affine_transform(plane, turn, offset, order=1, mode="nearest")
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack(planes, axis=-1)


def _light(image: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    contrast = 1 + rng.uniform(-share, share)
    brightness = rng.uniform(-share, share) / 2
    return np.clip((image - 0.5) * contrast + 0.5 + brightness, 0, 1).astype(np.float32)
