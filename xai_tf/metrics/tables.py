"""Scores as plain data, and as they are read: a row of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xai_tf.agreement.questions import by_question
from xai_tf.attribution.explanation import Explanation
from xai_tf.metrics.compare import ranks
from xai_tf.metrics.metric import METRICS, Metric
from xai_tf.metrics.score import Score

HEAD = ("metric", "value", "range", "random maps, 5 to 95 %", "beats", "place", "meaning")


def describe_scores(
    explanations: Sequence[Explanation], scores: Sequence[Sequence[Score]]
) -> list[list[dict[str, Any]]]:
    """The scores of each explanation as plain data, with their places.

    A place is that among all maps given that answer the same question about the same input:
    {"rank": 1 for the best, "of": how many have one}; None for a map alone, or without a value.

    Args:
        explanations: of one file, of one or more windows.
        scores: of each explanation, or none at all.
    """
    rows = [{one.metric.name: one for one in row} for row in scores]
    described = [[describe_score(one) for one in row.values()] for row in rows]
    for alike in by_question(explanations) if rows else ():
        names = list(dict.fromkeys(name for at in alike for name in rows[at]))
        found = ranks(
            [[rows[at].get(name) for name in names] for at in alike], [METRICS[n] for n in names]
        )
        for at, places in zip(alike, found, strict=True):
            for told in described[at]:
                column = names.index(told["metric"])
                rank, count = int(places[column]), int((found[:, column] > 0).sum())
                told["place"] = {"rank": rank, "of": count} if rank and count > 1 else None
    return described


def describe_score(score: Score) -> dict[str, Any]:
    """A score as plain data; a value that there is not is None, with the reason in `note`."""
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
    """A score in words, a cell for each of `HEAD`; "-" where there is nothing to tell.

    Args:
        score: as `describe_scores` describes it.
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
