"""Scores as plain data, and as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xai_tf.agreement.questions import by_question
from xai_tf.attribution.explanation import Explanation
from xai_tf.metrics.compare import ranks
from xai_tf.metrics.metric import METRICS, Metric
from xai_tf.metrics.score import Score

SCORE_COLUMNS = (
    "metric",
    "value",
    "range",
    "random maps (5th to 95th percentile)",
    "better than random",
    "rank",
    "meaning",
)


def describe_scores(
    explanations: Sequence[Explanation], scores: Sequence[Sequence[Score]]
) -> list[list[dict[str, Any]]]:
    """The scores of each explanation as plain data, with their ranks.

    Maps are ranked among those that answer the same question about the same input. "place" is
    {"rank": 1 for the best, "of": the number of ranked maps}, or None for a single map or one
    without a value.

    Args:
        explanations: of one file, for one or more windows.
        scores: of each explanation, or empty.
    """
    rows = [{one.metric.name: one for one in row} for row in scores]
    described = [[describe_score(one) for one in row.values()] for row in rows]
    for group in by_question(explanations) if rows else ():
        names = list(dict.fromkeys(name for index in group for name in rows[index]))
        ranking = ranks(
            [[rows[index].get(name) for name in names] for index in group],
            [METRICS[name] for name in names],
        )
        for index, row in zip(group, ranking, strict=True):
            for entry in described[index]:
                column = names.index(entry["metric"])
                rank, count = int(row[column]), int((ranking[:, column] > 0).sum())
                entry["place"] = {"rank": rank, "of": count} if rank and count > 1 else None
    return described


def describe_score(score: Score) -> dict[str, Any]:
    """A score as plain data; a missing value is None, with the reason in `note`."""
    return {
        "metric": score.metric.name,
        "value": float(score.value) if np.isfinite(score.value) else None,
        "better": score.metric.direction,
        "low": score.metric.low,
        "high": score.metric.high,
        "quantity": score.quantity,
        "settings": dict(score.settings),
        "seed": score.seed,
        "passes": vars(score.cost),
        "seconds": round(score.seconds, 4),
        "random": vars(score.random) if score.random else None,
        "note": score.note,
        "place": None,
    }


def score_cells(score: Mapping[str, Any], language: str = "en") -> list[str]:
    """A score in words, one cell for each of `SCORE_COLUMNS`; "-" for missing values.

    Args:
        score: an entry of `describe_scores`.
        language: of the meaning, "en" or "fr".
    """
    metric, random, place = METRICS[score["metric"]], score["random"], score.get("place")
    value = "" if score["value"] is None else f"{score['value']:.3f}"
    return [
        f"{metric.title} ({score['quantity']})" if score["quantity"] else metric.title,
        " ".join(filter(None, (value, score["note"]))),
        metric.better,
        f"{random['low']:.3f} to {random['high']:.3f}" if random else "-",
        f"{random['win_rate']:.0%}" if random and metric.has_baseline else "-",
        f"{place['rank']} of {place['of']}" if place else "-",
        metric.meaning[language],
    ]


def describe_metrics(metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Metrics as plain data."""
    return [
        {
            "name": metric.name,
            "title": metric.title,
            "family": metric.family,
            "better": metric.direction,
            "low": metric.low,
            "high": metric.high,
            "only": metric.only,
            "meaning": dict(metric.meaning),
            "paper": metric.paper,
            "settings": {name: vars(option) for name, option in metric.options.items()},
        }
        for metric in metrics
    ]
