"""Maps that know nothing of the network: what a method has to beat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Baseline = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def edges(image: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """The Sobel gradient of the grey picture: what stands out, whatever the question."""
    from skimage.filters import sobel

    return sobel(image.mean(axis=-1))


def brightness(image: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """The grey picture itself: the brightest is the strongest."""
    return image.mean(axis=-1)


def centre(image: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """A Gaussian in the middle, a quarter of the side wide: where people put what matters."""
    down, across = (np.linspace(-1, 1, side) / 0.5 for side in image.shape[:2])
    return np.exp(-(down[:, None] ** 2 + across[None] ** 2) / 2)


def noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random number for each pixel."""
    return rng.random(image.shape[:2])


BASELINES: dict[str, Baseline] = {
    "edges": edges,
    "brightness": brightness,
    "centre": centre,
    "random": noise,
}
TITLES = {
    "edges": "*Sobel edges*",
    "brightness": "*Brightness*",
    "centre": "*Centre*",
    "random": "*Random*",
}
