"""Scores as they are read: a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xai_tf.scoring.metric import METRICS


def score_cells(score: Mapping[str, Any]) -> list[str]:
    """A score in words: metric, value, range, where random maps stand, how many it beats, meaning.

    Args:
        score: as `xai_tf.bundle.describe_score` describes it.
    """
    metric, random = METRICS[score["metric"]], score["random"]
    return [
        metric.title,
        score["note"] if score["value"] is None else f"{score['value']:.3f}",
        metric.better,
        f"{random['low']:.3f} to {random['high']:.3f}" if random else "",
        f"{random['beaten']:.0%}" if random else "",
        " ".join([metric.meaning["en"], score["quantity"] and f"Measured: {score['quantity']}."]),
    ]
