"""Where the path of Integrated Gradients starts: the picture that stands for missing information.

A pixel that equals the baseline gets no attribution, so what a black one calls unimportant may only
be dark (Sturmfels, Lundberg & Lee 2020, Visualizing the impact of feature attribution baselines,
doi:10.23915/distill.00022). No baseline is right for every picture: a blurred one is blind to large
areas, the mean color to that color. An average over several depends least on the choice, as that
over samples of the training data does (Erion et al. 2021, expected gradients, arXiv:1906.10670),
which a model file does not bring. Against boxes that people drew (`benchmarks/path_baselines.py`)
none is clearly better than black, which stays the default.
"""

from __future__ import annotations

import numpy as np

BLUR = 0.1  # standard deviation of the blur, as a share of the shorter side
AVERAGED = (0.0, 1.0, "blurred")
BASELINES = {
    "blurred": "the picture, blurred",
    "mean": "its mean color",
    "average": "the average of black, white and blurred, three times the passes",
}


def num_baselines(baseline: float | str) -> int:
    """How many baseline images, and so paths, a setting stands for."""
    return len(AVERAGED) if baseline == "average" else 1


def baseline_images(baseline: float | str, image: np.ndarray) -> list[np.ndarray]:
    """The baseline images of a picture, each of its shape; more than one for "average".

    Args:
        baseline: the value in [0, 1] of all pixels, or a name in `BASELINES`.
        image: float32 (height, width, 3) in [0, 1].
    """
    if baseline == "average":
        return [baseline_images(one, image)[0] for one in AVERAGED]
    if baseline == "blurred":
        return [blurred(image, BLUR)]
    value = image.mean(axis=(0, 1)) if baseline == "mean" else baseline
    return [np.broadcast_to(np.asarray(value, image.dtype), image.shape)]


def blurred(image: np.ndarray, share: float) -> np.ndarray:
    """A picture, blurred.

    Args:
        image: float32 (height, width, 3).
        share: the standard deviation, as a share of the shorter side.
    """
    from scipy.ndimage import gaussian_filter

    sigma = share * min(image.shape[:2])
    return gaussian_filter(image, (sigma, sigma, 0), mode="nearest")
