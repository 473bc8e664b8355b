"""How maps fit what people marked, as plain data and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from xai_tf.regions.marked import MarkedMap
from xai_tf.regions.yardstick import BLIND_MAPS, BLIND_TITLES, FIGURES

MARK_COLUMNS = ("map", *FIGURES.values())
MARK_CAPTION = (
    "Pointing: the strongest pixel is on a mark or within the tolerance of one; strict pointing: "
    "it is on a mark. Share: evidence on the marks; density: that by area, 1 by chance. IoU: "
    "overlap with as many of the strongest pixels. AUC: of the map as a ranking of the pixels, 0.5 "
    f"by chance. {', '.join(BLIND_TITLES[name] for name in BLIND_MAPS)}: maps that know nothing of "
    "the model."
)


def describe_judgment(judged: MarkedMap) -> dict[str, Any]:
    """How a map fits what people marked, as plain data."""
    return {
        "right": judged.right,
        "scores": judged.scores and asdict(judged.scores),
        "blind": {name: asdict(scores) for name, scores in judged.blind.items()},
        "problem": judged.problem,
    }


def mark_rows(judgments: Iterable[tuple[str, Mapping[str, Any]]]) -> list[list[str]]:
    """A row for each map of a file and each blind map, with a cell for each of `MARK_COLUMNS`.

    Args:
        judgments: the title of each map, and what `describe_judgment` says of it. Those without
            scores have no row; their problem says why.
    """
    rows: list[list[str]] = []
    blind: dict[str, Mapping[str, Any]] = {}
    for title, judgment in judgments:
        blind |= judgment["blind"]  # the same for all maps of a file
        if judgment["scores"]:
            rows.append([title, *_cells(judgment["scores"])])
    return rows + [[BLIND_TITLES[name], *_cells(scores)] for name, scores in blind.items()]


def mark_problems(judgments: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Why maps are not judged, a sentence each; the arguments are those of `mark_rows`."""
    return [
        f"{title} is not judged by the marks. {judgment['problem']}"
        for title, judgment in judgments
        if judgment["problem"]
    ]


def _cells(scores: Mapping[str, Any]) -> list[str]:
    return [_cell(scores[name]) for name in FIGURES]


def _cell(value: bool | float | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else f"{value:.3f}"
