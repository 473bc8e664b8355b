"""How far the maps of one question agree, as plain data and as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from xai_tf.agreement.agreement import Agreement, agreement, consensus
from xai_tf.agreement.disagreement import Disagreement, disagreement_map
from xai_tf.agreement.questions import comparable, named_disagreements
from xai_tf.attribution.explanation import Explanation


def describe_agreement(found: Agreement) -> dict[str, Any]:
    """How far maps agree, as plain data: pairwise tables, None where a pair has no value."""
    return {
        "methods": list(found.names),
        "rank_correlation": found.correlations.tolist(),
        "overlap": found.overlaps.tolist(),
        "sign_agreement": [
            [None if np.isnan(value) else value for value in row] for row in found.signs.tolist()
        ],
        "left_out": list(found.left_out),
        "beyond_chance": found.beyond_chance,
    }


def describe_disagreements(disagreements: Sequence[Disagreement]) -> list[dict[str, Any]]:
    """Where methods disagree most, as plain data."""
    return [asdict(dispute) | {"text": dispute.text} for dispute in disagreements]


def save_comparisons(
    folder: Path, explanations: Sequence[Explanation], windows: Sequence[int]
) -> list[dict[str, Any]]:
    """Compare the maps of each question: pictures into `folder`, the rest as plain data.

    The pictures are what the maps have in common (if they agree more than by chance) and where they
    conflict, black for nothing to yellow for all, of the size of the maps.

    Args:
        folder: of a bundle.
        explanations: of one file.
        windows: the number of the window of each; where they differ, files are named by it.
    """
    several = len(set(windows)) > 1
    numbers = {id(e): window for e, window in zip(explanations, windows, strict=True)}
    told: list[dict[str, Any]] = []
    for maps in comparable(explanations):
        first, window, found = maps[0], numbers[id(maps[0])], disagreement_map(maps)
        before = sum(entry["window"] == window for entry in told)
        suffix = f"_window{window:02d}" * several + f"_question{before + 1}" * bool(before)
        agreed = agreement(maps)
        levels = {"consensus": consensus(maps)} if agreed.beyond_chance else {}
        levels["conflict"] = found.level
        for name, level in levels.items():
            _save(folder / f"{name}{suffix}.png", level)
        classes = first.prediction.classes
        told.append(
            {
                "window": window,
                "target": classes[first.target],
                "contrast": None if first.contrast is None else classes[first.contrast],
                "pictures": [f"{name}{suffix}.png" for name in levels],
                "agreement": describe_agreement(agreed),
                "conflicts": describe_disagreements(named_disagreements(maps, found)),
            }
        )
    return told


def _save(path: Path, level: np.ndarray) -> None:
    from xai_tf.rendering.heatmaps import cover

    Image.fromarray(cover(level, signed=False, end=1.0)[..., :3]).save(path)
