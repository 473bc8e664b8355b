"""What was tried besides the methods of the library, to see whether it earns a place there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xai_tf.attribution.baselines import blurred
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import patch_starts
from xai_tf.classifiers.classifier import Classifier
from xai_tf.inputs.sample import Sample, resize

BLUR = 0.2  # standard deviation, as a share of the shorter side
BATCH = 64
COARSEST = 16  # a feature map has at least one place for so many pixels, to be fused
CHANNELS = 128  # of Score-CAM: those with the strongest maps
MASKS, GRID = 512, 7
SCALES = (50, 100, 150, 250, 500)  # of the segmentations of XRAI
TARGET = 1

Map = Callable[[Classifier, Sample], np.ndarray]


@dataclass(frozen=True)
class Candidate:
    """A way to make a map.

    Attributes:
        title: for people.
        passes: it takes, forward or forward and backward.
        map: float array (height, width) of a classifier's class 1 for a sample.
        paper: the reference.
    """

    title: str
    passes: int
    map: Map
    paper: str


def _scores(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    target = np.asarray(classifier.target(TARGET))[None]
    batches = np.array_split(images.astype(np.float32), max(1, len(images) // BATCH))
    return np.concatenate(
        [
            np.asarray(classifier.passes.scores(one, np.repeat(target, len(one), 0)))
            for one in batches
        ]
    )


def _features(classifier: Classifier, sample: Sample, layers: tuple[str, ...]) -> list[tuple]:
    """(maps, gradients) of each layer, (height, width, channels)."""
    target = np.asarray(classifier.target(TARGET))[None]
    maps, gradients = classifier.feature_pass(layers)(sample.image[None], target)
    return [(np.asarray(m)[0], np.asarray(g)[0]) for m, g in zip(maps, gradients, strict=True)]


def _large(small: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    scale = small.max()
    return resize(small.astype(np.float32), size) / (scale if scale > 0 else 1)


def hires_cam(classifier: Classifier, sample: Sample) -> np.ndarray:
    """Gradient times activation at the last layer, summed."""
    [(maps, gradients)] = _features(classifier, sample, (classifier.last_feature_layer,))
    return _large(np.maximum((maps * gradients).sum(-1), 0), classifier.image_size)


def layer_cam(classifier: Classifier, sample: Sample) -> np.ndarray:
    """Positive gradient times activation at each resolution that is fine enough; their mean."""
    size = classifier.image_size
    layers = [*classifier.resolution_layers]
    found = _features(classifier, sample, tuple(layers))
    maps = [
        np.maximum((m * np.maximum(g, 0)).sum(-1), 0)
        for m, g in found
        if len(m) * COARSEST >= size[0] or m is found[-1][0]
    ]
    return np.mean([_large(one, size) for one in maps], axis=0)


def score_cam(classifier: Classifier, sample: Sample) -> np.ndarray:
    """The strongest feature maps as masks, weighted by the score of what they show."""
    [(maps, _)] = _features(classifier, sample, (classifier.last_feature_layer,))
    strongest = np.argsort(-maps.max(axis=(0, 1)), kind="stable")[:CHANNELS]
    masks = np.stack(
        [_large(np.maximum(maps[..., one], 0), classifier.image_size) for one in strongest]
    )
    scores = _scores(classifier, masks[..., None] * sample.image)
    weights = np.exp(scores - scores.max())
    return np.tensordot(weights / weights.sum(), masks, 1)


def blurred_occlusion(classifier: Classifier, sample: Sample) -> np.ndarray:
    """How far the score falls where a patch is blurred."""
    size, other = classifier.image_size, blurred(sample.image, BLUR)
    patch = max(2, size[0] // 7)
    places = [
        np.s_[top : top + patch, left : left + patch]
        for top in patch_starts(size[0], patch, patch // 2)
        for left in patch_starts(size[1], patch, patch // 2)
    ]
    images = np.repeat(sample.image[None], len(places) + 1, 0)
    for image, place in zip(images[1:], places, strict=True):
        image[place] = other[place]
    scores = _scores(classifier, images)
    total, count = np.zeros(size), np.zeros(size)
    for fall, place in zip(scores[0] - scores[1:], places, strict=True):
        total[place] += fall
        count[place] += 1
    return total / count


def blurred_rise(classifier: Classifier, sample: Sample) -> np.ndarray:
    """RISE that blurs what it hides."""
    rng, size, other = np.random.default_rng(0), classifier.image_size, blurred(sample.image, BLUR)
    cell = -(-size[0] // GRID), -(-size[1] // GRID)
    masks = np.empty((MASKS, *size), np.float32)
    for one in masks:
        grid = (rng.random((GRID + 1, GRID + 1)) < 0.5).astype(np.float32)
        large = resize(grid, ((GRID + 1) * cell[0], (GRID + 1) * cell[1]))
        top, left = rng.integers(cell[0]), rng.integers(cell[1])
        one[:] = large[top : top + size[0], left : left + size[1]]
    shown = masks[..., None]
    scores = np.concatenate(
        [
            _scores(classifier, part * sample.image + (1 - part) * other)
            for part in np.array_split(shown, MASKS // BATCH)
        ]
    )
    return np.tensordot(scores - scores.mean(), masks - masks.mean(axis=0), 1)


def xrai(classifier: Classifier, sample: Sample) -> np.ndarray:
    """Integrated gradients from black and white, averaged over segments of several sizes."""
    from skimage.segmentation import felzenszwalb

    maps = [
        explain(
            classifier,
            sample,
            "integrated_gradients",
            target=TARGET,
            settings={"steps": 32, "baseline": baseline},
        ).attribution
        for baseline in (0, 1)
    ]
    attribution, best = np.mean(maps, axis=0), np.full(classifier.image_size, -np.inf)
    side = min(classifier.image_size)
    for scale in SCALES:
        segments = felzenszwalb(
            sample.image, scale=scale * side / 224, sigma=0.8, min_size=side // 8
        )
        numbers = segments.ravel()
        sums = np.bincount(numbers, attribution.ravel())
        best = np.maximum(best, (sums / np.bincount(numbers))[segments])
    return best


CANDIDATES: dict[str, Candidate] = {
    "hires_cam": Candidate("HiResCAM", 1, hires_cam, "Draelos & Carin 2020, arXiv:2011.08891"),
    "layer_cam": Candidate(
        "LayerCAM, fused", 1, layer_cam, "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943"
    ),
    "xrai": Candidate("XRAI, simplified", 64, xrai, "Kapishnikov et al. 2019, arXiv:1906.02825"),
    "score_cam": Candidate("Score-CAM", 129, score_cam, "Wang et al. 2020, arXiv:1910.01279"),
    "blurred_occlusion": Candidate(
        "Occlusion by blur", 170, blurred_occlusion, "Zeiler & Fergus 2014, arXiv:1311.2901"
    ),
    "blurred_rise": Candidate(
        "RISE by blur", MASKS, blurred_rise, "Petsiuk et al. 2018, arXiv:1806.07421"
    ),
}
