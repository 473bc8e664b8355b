"""Run a sampling method: all its samples, or until its map is stable."""

from __future__ import annotations

from itertools import combinations, takewhile
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.attribution.cells import map_correlation
from xai_tf.attribution.convergence import Convergence, checkpoints, is_stable, stability
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.methods import Method
from xai_tf.attribution.previews import one_map

if TYPE_CHECKING:
    from xai_tf.attribution.corrections import Sampled

QUARTERS = ((0,), (1,), (2,), (3,))  # groups of samples
# A single split into halves is noisy: the mean over all three splits estimates stability better.
HALVES = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
PATIENCE = 4  # blocks with constant output before a run until stable gives up


def sample(
    explainer: Sampled, method: Method, wanted: float | None, resume_from: Convergence | None = None
) -> Convergence:
    """Take samples up to the explainer's `nb_samples`, and check stability now and then.

    Args:
        explainer: already started on an image.
        method: the method of the explainer.
        wanted: the stability at which to stop; a map without signal stops the run too. None takes
            all samples.
        resume_from: the convergence of the run that is continued.
    """
    checks = _earlier_checks(resume_from, explainer)
    due = (number for number in checkpoints(explainer.block) if number > explainer.taken)
    next_check = next(due)
    if explainer.taken and explainer.taken not in checks:  # taken for another method
        _check(checks, explainer, method)
    while explainer.taken < explainer.nb_samples and not _done(checks, wanted):
        explainer.take()
        explainer.preview(explainer.so_far)
        if explainer.taken >= min(next_check, explainer.nb_samples):
            next_check = next(due)
            if not _check(checks, explainer, method) and wanted and _hopeless(explainer, method):
                break
    return Convergence(
        samples=np.array(list(checks), np.int32),
        stability=np.array(list(checks.values()), np.float32),
        wanted=wanted,
        limit=explainer.nb_samples,
        exact=explainer.exact,
        state=explainer.state(),
    )


def _check(checks: dict[int, float], explainer: Sampled, method: Method) -> bool:
    """Note how stable the map is now, if that can be computed."""
    value = _stability(explainer, method)
    if value is not None:
        checks[explainer.taken] = value
    return value is not None


def _earlier_checks(resume_from: Convergence | None, explainer: Sampled) -> dict[int, float]:
    """Stability by number of samples, of the run that is continued.

    Without its last check if that was only made because the samples ran out.
    """
    if resume_from is None:
        return {}
    regular = set(takewhile(lambda number: number <= explainer.taken, checkpoints(explainer.block)))
    pairs = zip(resume_from.samples.tolist(), resume_from.stability.tolist(), strict=True)
    return {n: value for n, value in pairs if n in regular or n == explainer.nb_samples}


def _done(checks: dict[int, float], wanted: float | None) -> bool:
    return wanted is not None and is_stable(list(checks.values()), wanted)


def _hopeless(explainer: Sampled, method: Method) -> bool:
    """Whether the map has no signal that could become stable."""
    if explainer.exact or explainer.taken < PATIENCE * explainer.block:
        return False
    return explainer.silent or not has_signal(one_map(explainer.value(), method))


def _stability(explainer: Sampled, method: Method) -> float | None:
    """How stable the map is; None where that cannot be computed."""
    if explainer.exact:
        return 1.0 if explainer.taken == explainer.nb_samples else None
    if explainer.silent:
        return None
    maps: dict[tuple[int, ...], np.ndarray] = {}
    for groups in (*QUARTERS, *(half for halves in HALVES for half in halves)):
        value = explainer.value(groups)
        if value is None or not has_signal(one_map(value, method)):
            return None
        maps[groups] = one_map(value, method)
    quarters, halves = (
        np.mean([map_correlation(maps[one], maps[other]) for one, other in pairs])
        for pairs in (combinations(QUARTERS, 2), HALVES)
    )
    return stability(float(quarters), float(halves))
