"""Changes to training images that leave the class as it is.

Each takes an image (float32, (height, width, 3), RGB in [0, 1]) and a random generator, and
returns another image of the same shape. They are applied in pixel space, before any network, and
are drawn again for every copy of the training set.
"""

import numpy as np
from scipy import ndimage


def photo(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror, turn by up to 15 degrees, zoom and move by up to 12%, change the light a little."""
    mirrored = image[:, ::-1] if rng.random() < 0.5 else image
    return _light(_move(mirrored, rng, degrees=15, share=0.12), rng, 0.2)


def radiograph(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn by up to 7 degrees, zoom and move by up to 8%, change the exposure; never mirrored."""
    return _light(_move(image, rng, degrees=7, share=0.08), rng, 0.2)


def brain_slice(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror left and right, turn by up to 12 degrees, zoom and move by up to 8%."""
    mirrored = image[:, ::-1] if rng.random() < 0.5 else image
    return _light(_move(mirrored, rng, degrees=12, share=0.08), rng, 0.15)


def spectrogram(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Roll time, then blank two bands of time and of frequency (SpecAugment, Park et al. 2019)."""
    height, width = image.shape[:2]
    masked = np.roll(image, rng.integers(width), axis=1).copy()
    silence = image.reshape(-1, 3)[image.sum(axis=-1).argmin()]
    for _ in range(2):
        start, length = rng.integers(height), rng.integers(1, height // 10)
        masked[start : start + length] = silence
        start, length = rng.integers(width), rng.integers(1, width // 10)
        masked[:, start : start + length] = silence
    return masked


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
