"""Which segments are present in the samples of LIME and Kernel SHAP."""

from __future__ import annotations

from math import comb

import numpy as np

from xai_tf.attribution.corrections.sampled import GROUPS

MAX_PLAYERS = 20  # more segments are never enumerated
BALANCED_TRIES = 20  # before a coalition that is new is taken at random


def can_enumerate(num_segments: int, num_samples: int) -> bool:
    """Whether the samples are enough for every coalition of the segments."""
    return num_segments < MAX_PLAYERS and 2**num_segments <= num_samples


def all_coalitions(num_segments: int, first: int, num_samples: int) -> np.ndarray:
    """Every coalition once: all, none, then the others by number; padded with none, of weight 0."""
    numbers = np.arange(first, first + num_samples)
    codes = np.where(numbers < 2**num_segments, numbers - 1, 0)
    codes = np.where(numbers == 0, 2**num_segments - 1, codes)
    return ((codes[:, None] >> np.arange(num_segments)) & 1).astype(np.int32)


def shapley_weights(present: np.ndarray) -> np.ndarray:
    """The Shapley kernel of coalitions: float32 (samples,), 0 for all and none."""
    count, sizes = present.shape[1], present.sum(axis=1)
    kernel = [0.0] + [(count - 1) / (comb(count, k) * k * (count - k)) for k in range(1, count)]
    return np.array([*kernel, 0.0], np.float32)[sizes]


def pair_classes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a coalition and its complement, by the size of the smaller: 1 to count // 2.

    Returns:
        The share that the Shapley kernel gives to each size, and how many pairs there are of it;
        both float64 (sizes,).
    """
    sizes = range(1, count // 2 + 1)
    # A coalition of half the segments and its complement are of the same size.
    halved = [2 if 2 * k == count else 1 for k in sizes]
    shares = np.array([1 / (k * (count - k)) / h for k, h in zip(sizes, halved, strict=True)])
    pairs = np.array([comb(count, k) / h for k, h in zip(sizes, halved, strict=True)])
    return shares / shares.sum(), pairs


class CoalitionPairs:
    """A stream of coalitions for Kernel SHAP, each followed by its complement.

    Complements cancel what pairs of segments do together (Covert & Lee 2021, arXiv:2012.01536).
    No coalition comes twice (Musco & Witter 2025, arXiv:2410.01917). Sizes follow the Shapley
    kernel as closely as whole numbers can, and within a size each segment is present equally
    often. The pairs go to `GROUPS` groups in turn; sizes and segments are balanced within each, so
    that a group is a small run of its own. The beginning of the stream does not depend on its
    length.

    Args:
        count: number of segments, 2 or more.
        seed: of the random draws.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._rng = count, np.random.default_rng(seed)
        self._shares, self._left = pair_classes(count)
        self._taken = np.zeros((GROUPS, len(self._shares)))
        # Segments still to come of a round in which each is present once, by group and size.
        self._rounds = [[np.zeros(0, int) for _ in self._shares] for _ in range(GROUPS)]
        self._seen: set[bytes] = set()
        self._rows = [np.ones(count, np.int32), np.zeros(count, np.int32)]

    def rows(self, first: int, number: int) -> np.ndarray:
        """Samples from the first on: int32 (number, segments); sample 0 is all, sample 1 none."""
        while len(self._rows) < first + number:
            coalition = self._next()
            self._rows += [coalition, 1 - coalition]
        return np.stack(self._rows[first : first + number])

    def _next(self) -> np.ndarray:
        group = len(self._rows) // 2 % GROUPS
        # The size that is furthest behind its share. The groups start apart, or small sizes would
        # come first in all of them at once.
        start = (group + 0.5) / GROUPS
        behind = np.where(self._left > 0, (self._taken[group] + start) / self._shares, np.inf)
        size = int(behind.argmin())
        self._taken[group, size] += 1
        self._left[size] -= 1
        tries = 0
        while True:
            tries += 1
            chosen, rest = self._chosen(group, size, tries)
            coalition = np.zeros(self._count, np.int32)
            coalition[chosen] = 1
            twin = 2 * (size + 1) == self._count and not coalition[0]
            key = np.packbits(1 - coalition if twin else coalition).tobytes()
            if key not in self._seen:
                self._seen.add(key)
                self._rounds[group][size] = rest
                return coalition

    def _chosen(self, group: int, size: int, tries: int) -> tuple[np.ndarray, np.ndarray]:
        """The segments of a coalition, and those that are still to come in the round."""
        number, rest = size + 1, self._rounds[group][size]
        if tries > BALANCED_TRIES:
            return self._rng.permutation(self._count)[:number], rest
        if tries > 1:
            rest = self._rng.permutation(rest)
        if len(rest) < number:
            others = np.setdiff1d(np.arange(self._count), rest)
            rest = np.concatenate(
                [rest, self._rng.permutation(others), self._rng.permutation(rest)]
            )
        return rest[:number], rest[number:]


def hadamard_rows(count: int, first: int, number: int, seed: int) -> np.ndarray:
    """Samples for LIME: which segments are present, int32 (number, segments).

    Each segment is present in half of the samples, and each two, and each three, in all their
    combinations equally often: rows of a Hadamard matrix with random columns and signs, each
    followed by its complement. So neither the other segments nor pairs of them disturb the weight
    of a segment. The matrix is drawn anew when its rows are used up; a sample depends on the seed
    and its number alone.
    """
    from scipy.linalg import hadamard

    order = 1 << int(count).bit_length()  # more columns than segments: the first is constant
    matrix = (hadamard(order) > 0).astype(np.int32)
    designs = []
    for design in range(first // (2 * order), (first + number - 1) // (2 * order) + 1):
        rng = np.random.default_rng((seed, design))
        columns = 1 + rng.permutation(order - 1)[:count]
        half = matrix[rng.permutation(order)][:, columns] ^ rng.integers(0, 2, count, np.int32)
        designs.append(np.stack([half, 1 - half], axis=1).reshape(-1, count))
    return np.concatenate(designs)[first % (2 * order) :][:number]
