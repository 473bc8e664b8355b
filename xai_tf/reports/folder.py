"""The report of a folder: a sortable overview, then each file with its maps side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.record import ReportItem
from xai_tf.metrics.metric import METRICS
from xai_tf.narration.notices import NOTICE
from xai_tf.packages import versions
from xai_tf.reports.html import (
    BACK_TO_OVERVIEW,
    Link,
    document,
    facts,
    header,
    heading,
    navigation,
    paragraph,
    section,
    table,
)
from xai_tf.reports.panels import STYLE, panel_row, player
from xai_tf.reports.sections import (
    agreement_table,
    by_window,
    disagreement_part,
    explanation_details,
    map_title,
    map_warnings,
    mark_section,
    model_section,
    probability_table,
    recording_section,
    region_table,
    score_table,
    trust_section,
    verdict,
)

SHOWN_LINKS = 40  # files in the table of contents; the overview has links to all


def folder_report(
    items: Iterable[ReportItem],
    title: str = "What the network looked at",
    note: str = "",
    opacity: float = 0.7,
) -> str:
    """A self-contained HTML report of many files: about 0.15 MB per map of 224 x 224 pixels.

    Args:
        items: one per file and model, in the order they are shown; consumed one at a time.
        title: the title of the page.
        note: what a reader should know first.
        opacity: opacity of the maps in overlays.
    """
    rows: list[Mapping[str, Any]] = []
    links, sections = [], []
    models: dict[str, str] = {}
    hashes: dict[str, str | None] = {}
    for number, item in enumerate(items, 1):
        name = f"file{number}"
        rows.append(_row(name, item))
        links.append(Link(item.title, name))
        sections.append(_section(name, item, opacity))
        models.setdefault(
            item.model["sha256"] or item.model["name"], model_section(item.model, item.card)
        )
        hashes[f"{number}. {item.reading.source.name}"] = item.reading.samples[0].sha256
    made_with = facts(versions(), "Versions that created this page")
    parts = {
        "overview": ("Overview", _overview(rows)),
        "models": ("Models", "".join(models.values())),
        "made-with": (
            "Created with",
            made_with + (facts(hashes, "SHA-256 of the files") if hashes else ""),
        ),
    }
    more = f"and {len(links) - SHOWN_LINKS} more" if len(links) > SHOWN_LINKS else ""
    head = header(
        title,
        paragraph(note, "warning") if note else "",
        paragraph(NOTICE, "warning"),
        navigation("Parts", [Link(part_title, name) for name, (part_title, _) in parts.items()]),
        navigation("Files", links[:SHOWN_LINKS], more),
    )
    first = section("overview", *parts.pop("overview"))
    rest = "".join(section(name, *part) for name, part in parts.items())
    return document(title, f"{head}<main>{first}{''.join(sections)}{rest}</main>", STYLE)


def _row(name: str, item: ReportItem) -> dict[str, Any]:
    """The row of a file in the overview, by column."""
    prediction = item.reading.prediction
    row: dict[str, Any] = {"file": Link(item.reading.source.name, name)}
    if item.truth is not None:
        row |= {"truth": item.truth, "correct": item.correct}
    row |= {
        "model": str(item.model["name"]),
        "class": prediction.answer,
        "probability": float(prediction.probabilities[prediction.label]),
        "margin": prediction.margin,
        "methods": ", ".join(dict.fromkeys(e.method.title for e in item.explanations)),
        "warnings": len(item.reading.explanation_warnings)
        + sum(len([*e.warnings, *diagnose(e.attribution)]) for e in item.explanations),
    }
    if item.audits:
        row["region alarms"] = sum(len(audit["alarms"]) for audit in item.audits)
    return row | _scores(item)


def _scores(item: ReportItem) -> dict[str, Any]:
    """The scores of a file by metric and method, as the mean of its windows.

    If some windows have no value, a further column says how many have one.
    """
    values: dict[str, list[float]] = {}
    layers = {(e.method.name, e.layer) for e in item.explanations}
    several = len(layers) > len({method for method, _ in layers})
    for explanation, scores in zip(item.explanations, item.scores, strict=False):
        for score in scores:
            name = map_title(explanation) if several else explanation.method.title
            column = f"{METRICS[score['metric']].title}, {name}"
            value = np.nan if score["value"] is None else score["value"]
            values.setdefault(column, []).append(value)
    columns: dict[str, Any] = {}
    for column, all_values in values.items():
        valid = [value for value in all_values if not np.isnan(value)]
        columns[column] = float(np.mean(valid)) if valid else None
        if 0 < len(valid) < len(all_values):
            columns[f"{column}: windows"] = f"{len(valid)} of {len(all_values)}"
    return columns


def _overview(rows: Sequence[Mapping[str, Any]]) -> str:
    """A sortable table of all files, and how many are correct where the true class is known."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    correct = [row["correct"] for row in rows if "correct" in row]
    summary = f"{sum(correct)} of {len(correct)} files with a known class are predicted correctly."
    models = {row["model"] for row in rows}
    columns = [name for name in columns if name != "model" or len(models) > 1]
    cells = [[row.get(column) for column in columns] for row in rows]
    caption = f"{len(rows)} files. Click a column to sort, or a file to go to its section."
    return (paragraph(summary) if correct else "") + table(columns, cells, caption, sortable=True)


def _section(name: str, item: ReportItem, opacity: float) -> str:
    recording, prediction = item.recording, item.reading.prediction
    return section(
        name,
        item.title,
        verdict(item),
        trust_section(item),
        *(paragraph(text, "warning") for text in item.reading.explanation_warnings),
        probability_table(prediction),
        recording_section(recording, prediction) if recording else "",
        *(_window(item, maps, opacity) for maps in by_window(item.explanations)),
        BACK_TO_OVERVIEW,
    )


def _window(item: ReportItem, maps: list[Explanation], opacity: float) -> str:
    """The maps of one window side by side, then the details of each."""
    targets = ", ".join(dict.fromkeys(explanation.target_name for explanation in maps))
    parts = [heading(f"Why {targets}?"), player(maps[0].sample), panel_row(maps, opacity)]
    scores = dict(zip(map(id, item.explanations), item.scores, strict=False))
    audits = dict(zip(map(id, item.explanations), item.audits, strict=False))
    judgments = dict(zip(map(id, item.explanations), item.marks, strict=False))
    for explanation in maps:
        key, name = id(explanation), map_title(explanation)
        parts.append(map_warnings(explanation))
        parts.append(score_table(scores.get(key, ()), name))
        if key in audits:
            parts.append(region_table(audits[key], name))
        parts.append(explanation_details(explanation))
    if judgments:
        parts.append(mark_section(maps, [judgments[id(one)] for one in maps]))
    return "\n".join([*parts, agreement_table(maps), disagreement_part(maps)])
