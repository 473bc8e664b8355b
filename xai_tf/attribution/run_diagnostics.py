"""Diagnostics of a run: what its figures and its convergence say against the map."""

from __future__ import annotations

import numpy as np

from xai_tf.attribution.baselines import num_baselines
from xai_tf.attribution.convergence import CHECKS, Convergence
from xai_tf.attribution.diagnostics import Diagnosis, has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import MAX_GAP, MAX_STEPS

MIN_R2 = 0.3  # of LIME
UNSTABLE = 0.5  # below, there is more chance than network in a sampled map
MAX_ERROR = 0.5  # of Kernel SHAP's weights, as a share of their norm


def diagnose_run(explanation: Explanation) -> tuple[Diagnosis, ...]:
    """What a method reports about itself that speaks against its map; the warnings are not read.

    Returns:
        Diagnoses named "unstable" (a matter of chance), "incomplete" (the map does not add up),
        "undetermined" (too few samples for the segments) or "poor_fit" (of LIME's linear model).
    """
    unstable = _doubts(explanation.convergence, explanation.attribution)
    return (*(Diagnosis("unstable", text) for text in unstable), *_of_figures(explanation))


def _of_figures(explanation: Explanation) -> tuple[Diagnosis, ...]:
    figures, found = explanation.figures, []
    if figures.get("completeness_gap", 0) > MAX_GAP:
        found.append(Diagnosis("incomplete", _gap_warning(explanation)))
    if figures.get("undetermined", 0):
        found.append(
            Diagnosis(
                "undetermined",
                f"Too few samples for so many segments: {figures['undetermined']:.0f} weights are "
                "undetermined. Draw at least twice as many samples as there are segments, better "
                "ten times as many.",
            )
        )
    if figures.get("error", 0) > MAX_ERROR:
        found.append(
            Diagnosis(
                "unstable",
                "Too few samples: expect the weights to be off by about "
                f"{figures['error']:.0%} of their size. Draw more, or ask for fewer segments.",
            )
        )
    if figures.get("r2", 1) < MIN_R2:
        found.append(
            Diagnosis(
                "poor_fit",
                f"LIME's linear model fits poorly here (R2 {figures['r2']:.2f}). Draw more "
                "samples, or use Kernel SHAP.",
            )
        )
    return tuple(found)


def _gap_warning(explanation: Explanation) -> str:
    """What a map that does not add up misses, and what to do about it."""
    figures, settings = explanation.figures, explanation.settings
    several = num_baselines(settings["baseline"]) > 1
    missed = (
        f"The attributions {'from one of the baselines ' if several else ''}miss "
        f"{figures['completeness_gap']:.0%} of the change in the score"
    )
    if settings["steps"]:
        return f"{missed}. Use more steps, or 0 for as many as needed."
    change = figures["score"] - figures["score_baseline"]
    return (
        f"{missed}{'' if several else f', which is {change:.2g},'} after "
        f"{MAX_STEPS} steps, the limit. Set more steps, or use Kernel SHAP, whose weights add up."
    )


def _doubts(convergence: Convergence | None, attribution: np.ndarray) -> tuple[str, ...]:
    """Warnings about a map that is not stable."""
    if convergence is None:
        return ()
    latest, wanted = convergence.latest, convergence.wanted
    signal = has_signal(attribution)
    if wanted is None:
        if latest is None and signal:
            return (
                "Too few samples to tell whether the map is stable. Draw more, or run until "
                "stable.",
            )
        if latest is not None and latest < UNSTABLE:
            return (
                f"Too few samples: a map from another seed would have a rank correlation of only "
                f"{latest:.2f} with this one. Draw more, or run until stable.",
            )
    if wanted is None or convergence.reached:
        return ()
    if latest is None or not signal:
        return (
            "The map cannot become stable: it is the same everywhere, or the network gives the "
            "same answer to every sample.",
        )
    if latest >= wanted:
        return (
            f"Stable only at the last check, after {convergence.limit} samples, the limit; "
            f"{CHECKS} checks in a row are required. Draw more, or choose a method without random "
            "samples.",
        )
    return (
        f"Not stable after {convergence.limit} samples, the limit: a map from another seed would "
        f"have a rank correlation of {latest:.2f} with this one, and {wanted:.2f} was requested. "
        "Draw more, or choose a method without random samples.",
    )
