"""Shapley values from the scores of some coalitions and their complements."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from xai_tf.attribution.corrections.coalitions import pair_classes

# Prior variance of the weight of three neighbors, as a share of that of a single segment.
TRIPLE_VARIANCES = (0.0, 0.01, 0.1)
NOISES = np.logspace(-4, 2, 19)  # in units of the mean square that single segments explain
UNBIASED_PAIRS = 8  # per segment; from here on the shrinkage of single segments is undone
MAX_ROWS = 1500  # of a system of equations; larger ones leave the triples out


def neighboring_triples(segments: np.ndarray) -> np.ndarray:
    """Segments of which one touches the two others: int (triples, 3), each once.

    Args:
        segments: int (height, width), numbered from 0.
    """
    count = int(segments.max()) + 1
    touching = np.zeros((count, count), bool)
    for one, other in ((segments[1:], segments[:-1]), (segments[:, 1:], segments[:, :-1])):
        touching[one, other] = touching[other, one] = True
    np.fill_diagonal(touching, False)
    found = {
        tuple(sorted((middle, *ends)))
        for middle in range(count)
        for ends in combinations(np.flatnonzero(touching[middle]).tolist(), 2)
    }
    return np.array(sorted(found), int).reshape(-1, 3)


class PairedShapley:
    """Shapley values from coalitions that come with their complements.

    With segments as +1 (present) and -1, half the difference of a pair's scores is the odd part of
    the game, which alone decides the Shapley values: what single segments and triples add, but not
    pairs of segments. It is fitted by single segments and by the products of three neighbors, in
    the weights of the Shapley kernel and so that the values sum to the score of all minus the score
    of none. The Shapley values of the fit are known exactly: a product shares its part equally.
    The fit is a ridge regression, whose strength leave-one-out errors choose. With many pairs
    single segments are fitted to what is left without a penalty, so that more samples lead to the
    Shapley values whatever the products miss (compare Witter et al. 2025, arXiv:2506.11849).

    Args:
        triples: int (triples, 3), from `neighboring_triples`.

    Attributes:
        coef_: the values, float64 (segments,).
        figures: `score_all`, `score_none`, `undetermined` and `error`; see `Explanation.figures`.
    """

    coef_: np.ndarray
    figures: dict[str, float]

    def __init__(self, triples: np.ndarray) -> None:
        self._triples = triples

    def fit(self, present: np.ndarray, scores: np.ndarray) -> PairedShapley:
        """Fit the scores (samples,) by the segments present, int (samples, segments).

        The samples are all, none, and then pairs; half a pair at the end is left out.
        """
        full, empty = float(scores[0]), float(scores[1])
        pairs, count = len(present) // 2 - 1, present.shape[1]
        end = 2 * pairs + 2
        values = scores[:end].astype(np.float64)
        signs = 2.0 * present[2:end:2] - 1
        root = np.sqrt(pair_weights(present[2:end:2]))[:, None]
        level, means = (full - empty) / 2, signs.mean(axis=1, keepdims=True)
        # The sum is given: what is fitted is how segments differ from an equal share of it.
        odd = root[:, 0] * ((values[2::2] - values[3::2]) / 2 - level * means[:, 0])
        singles = root * (signs - means)
        undetermined = max(count - 1 - np.linalg.matrix_rank(singles.T @ singles), 0)
        self.figures = {
            "score_all": full,
            "score_none": empty,
            "undetermined": float(undetermined if pairs else count - 1),
        }
        self.coef_ = np.full(count, 2 * level / count)
        if pairs < 2 or not odd.any():
            return self
        triples = self._triples
        if min(pairs, count + len(triples)) > MAX_ROWS:
            triples = triples[:0]
        products = root * (signs[:, triples].prod(axis=2) - means)
        fit = _best_ridge(singles, products, odd)
        weights = fit.weights
        singly, together = weights[:count], weights[count:]
        if pairs >= UNBIASED_PAIRS * count:
            left = odd - products @ (fit.scale * together)
            singly = np.linalg.lstsq(singles.T @ singles, singles.T @ left, rcond=None)[0]
        shares = _shares(count, triples, fit.scale)
        self.coef_ += 2 * singly + shares @ together
        norm = float(np.linalg.norm(self.coef_))
        if norm:
            ways = np.hstack([2 * (np.eye(count) - 1 / count), shares])
            self.figures["error"] = fit.error(ways) / norm
        return self

    def predict(self, present: np.ndarray) -> np.ndarray:
        """The change of the score that the values predict: float (samples,)."""
        return present @ self.coef_


def pair_weights(present: np.ndarray) -> np.ndarray:
    """Weights of pairs: the kernel's share of their size over their number; float64 (pairs,).

    Args:
        present: one coalition of each pair, int (pairs, segments).
    """
    count, sizes = present.shape[1], present.sum(axis=1)
    which = np.minimum(sizes, count - sizes) - 1
    shares, _ = pair_classes(count)
    weights = (shares / np.maximum(np.bincount(which, minlength=len(shares)), 1))[which]
    return weights / weights.mean() if len(weights) else weights


def _shares(count: int, triples: np.ndarray, scale: float) -> np.ndarray:
    """What the weight of a product adds to each Shapley value: float64 (segments, triples).

    All three get a third of its part of the sum, which single segments lose in equal shares.
    """
    shares = np.full((count, len(triples)), -2 / count)
    for place in range(3):
        shares[triples[:, place], np.arange(len(triples))] += 2 / 3
    return scale * shares


class _Ridge:
    """A ridge regression by the eigenvectors of its smaller side.

    Attributes:
        scale: factor of the products of three in the features.
        loss: mean square of the leave-one-out errors.
        weights: of the features.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, scale: float) -> None:
        self.scale, self._features, self._targets = scale, features, targets
        rows, columns = features.shape
        if rows <= columns:
            powers, self._axes = np.linalg.eigh(features @ features.T)
            self._powers = np.maximum(powers, 0)
        else:
            powers, across = np.linalg.eigh(features.T @ features)
            kept = powers > 1e-10 * powers[-1]
            self._powers = powers[kept]
            self._axes = features @ across[:, kept] / np.sqrt(self._powers)
        self._along, self._squares = self._axes.T @ targets, self._axes**2
        self.loss, self._noise = np.inf, 1.0

    def choose(self, noises: np.ndarray) -> None:
        """Take the penalty with the least leave-one-out errors."""
        for noise in noises:
            kept = self._powers / (self._powers + noise)
            missed = self._targets - self._axes @ (kept * self._along)
            errors = missed / np.maximum(1 - self._squares @ kept, 1e-9)
            loss = float(np.mean(errors**2))
            if loss < self.loss:
                self.loss, self._noise = loss, noise
        kept = self._powers / (self._powers + self._noise)
        self._dual = (self._targets - self._axes @ (kept * self._along)) / self._noise
        self.weights = self._features.T @ self._dual

    def error(self, ways: np.ndarray) -> float:
        """The error to expect of `ways @ weights` as its norm, of the Bayesian posterior."""
        variance = float(self._targets @ self._dual) / len(self._targets)
        known = (ways @ self._features.T) @ self._axes
        left = (ways**2).sum() - (known**2 / (self._powers + self._noise)).sum()
        return float(np.sqrt(max(variance * left, 0)))


def _best_ridge(singles: np.ndarray, products: np.ndarray, targets: np.ndarray) -> _Ridge:
    """The fit whose leave-one-out errors are the least; of equal ones, that with fewer products."""
    noises = NOISES * (singles**2).sum() / len(singles)
    best = None
    for variance in TRIPLE_VARIANCES if products.shape[1] else (0.0,):
        scale = float(np.sqrt(variance))
        fit = _Ridge(np.hstack([singles, scale * products]), targets, scale)
        fit.choose(noises)
        if best is None or fit.loss < best.loss:
            best = fit
    assert best is not None
    return best
