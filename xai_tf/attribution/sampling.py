"""Run a method that samples: to the end, or until its map is stable."""

from __future__ import annotations

from itertools import combinations, takewhile
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.attribution.cells import map_correlation
from xai_tf.attribution.convergence import Convergence, looks, settled, stability
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.methods import Method
from xai_tf.attribution.previews import one_map

if TYPE_CHECKING:
    from xai_tf.attribution.corrections import Sampled

QUARTERS = ((0,), (1,), (2,), (3,))  # groups of samples
# One way to halve them depends on luck: the mean over all three tells better what is stable.
HALVES = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
PATIENCE = 4  # blocks that a network may answer alike before a run until stable gives up


def sample(
    explainer: Sampled, method: Method, wanted: float | None, resume_from: Convergence | None = None
) -> Convergence:
    """Take samples up to the explainer's `nb_samples`, and look at its map now and then.

    Args:
        explainer: has begun on a picture.
        method: whose explainer it is.
        wanted: stop where the map is that stable, or the same everywhere; None takes all samples.
        resume_from: of the run that is gone on with.
    """
    found = _known(resume_from, explainer)
    due = (number for number in looks(explainer.block) if number > explainer.taken)
    following = next(due)
    while explainer.taken < explainer.nb_samples and not _over(found, wanted):
        explainer.take()
        explainer.preview(explainer.so_far)
        if explainer.taken >= min(following, explainer.nb_samples):
            following = next(due)
            if (seen := _look(explainer, method)) is not None:
                found[explainer.taken] = seen
            elif wanted and _hopeless(explainer, method):
                break
    return Convergence(
        np.array(list(found), np.int32),
        np.array(list(found.values()), np.float32),
        wanted,
        explainer.nb_samples,
        explainer.exact,
        explainer.state(),
    )


def _known(resume_from: Convergence | None, explainer: Sampled) -> dict[int, float]:
    """What was seen before, but for a last look that came because the samples were over."""
    if resume_from is None:
        return {}
    regular = set(takewhile(lambda number: number <= explainer.taken, looks(explainer.block)))
    pairs = zip(resume_from.samples.tolist(), resume_from.stability.tolist(), strict=True)
    return {n: seen for n, seen in pairs if n in regular or n == explainer.nb_samples}


def _over(found: dict[int, float], wanted: float | None) -> bool:
    return wanted is not None and settled(list(found.values()), wanted)


def _hopeless(explainer: Sampled, method: Method) -> bool:
    """Whether there is nothing that could become stable."""
    if explainer.exact or explainer.taken < PATIENCE * explainer.block:
        return False
    return explainer.silent or not has_signal(one_map(explainer.value(), method))


def _look(explainer: Sampled, method: Method) -> float | None:
    """How stable the map is; None where that cannot be told."""
    if explainer.exact:
        return 1.0 if explainer.taken == explainer.nb_samples else None
    if explainer.silent:
        return None
    parts: dict[tuple[int, ...], np.ndarray] = {}
    for part in (*QUARTERS, *(half for halves in HALVES for half in halves)):
        value = explainer.value(part)
        if value is None or not has_signal(one_map(value, method)):
            return None
        parts[part] = one_map(value, method)
    quarters, halves = (
        np.mean([map_correlation(parts[one], parts[other]) for one, other in pairs])
        for pairs in (combinations(QUARTERS, 2), HALVES)
    )
    return stability(float(quarters), float(halves))
