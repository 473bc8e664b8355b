"""Many files as one page: an overview that sorts, then each file with its maps side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.record import ReportItem
from xai_tf.metrics.metric import METRICS
from xai_tf.narration.notices import NOTICE
from xai_tf.reports.html import Link, document, facts, paragraph, section, table
from xai_tf.reports.panels import STYLE, panel_row, player
from xai_tf.reports.sections import (
    agreement_table,
    by_window,
    details,
    disagreement_part,
    installed,
    map_title,
    map_warnings,
    model_section,
    probability_table,
    recording_section,
    region_table,
    score_table,
    verdict,
)

SHOWN_LINKS = 40  # files of the contents; the overview leads to all


def folder_report(
    items: Iterable[ReportItem],
    title: str = "What the network looked at",
    note: str = "",
    opacity: float = 0.7,
) -> str:
    """A report of many files as HTML, everything in it: some 0.15 MB for a map of 224 x 224 pixels.

    Args:
        items: a file and model each, in the order they are shown; taken one at a time.
        title: of the page.
        note: what a reader should know first.
        opacity: of the maps that are laid over.
    """
    rows: list[Mapping[str, Any]] = []
    links, sections = [], []
    models: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for number, item in enumerate(items, 1):
        name = f"file{number}"
        rows.append(_row(name, item))
        links.append(f'<a href="#{name}">{escape(item.title)}</a>')
        sections.append(_section(name, item, opacity))
        models.setdefault(
            item.model["sha256"] or item.model["name"], model_section(item.model, item.card)
        )
        hashes[f"{number}. {item.reading.source.name}"] = item.reading.samples[0].sha256
    created = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    parts = {
        "overview": ("Overview", _overview(rows)),
        "models": ("Models", "".join(models.values())),
        "made-with": (
            "Made with",
            facts(installed(), "Versions that wrote this page")
            + (facts(hashes, "SHA-256 of the files") if hashes else ""),
        ),
    }
    contents = "".join(f'<a href="#{name}">{named}</a>' for name, (named, _) in parts.items())
    more = f"<span>and {len(links) - SHOWN_LINKS} more</span>" if len(links) > SHOWN_LINKS else ""
    body = (
        f"<header><h1>{escape(title)}</h1>{paragraph(f'Made {created}.', 'soft')}"
        f"{paragraph(note, 'warning') if note else ''}{paragraph(NOTICE, 'warning')}"
        f'<nav aria-label="Parts">{contents}</nav>'
        f'<nav aria-label="Files">{"".join(links[:SHOWN_LINKS])}{more}</nav></header>\n<main>'
        f"{section('overview', *parts.pop('overview'))}{''.join(sections)}"
        f"{''.join(section(name, *part) for name, part in parts.items())}</main>"
    )
    return document(title, body, STYLE)


def _row(name: str, item: ReportItem) -> dict[str, Any]:
    """What the overview tells of a file, by column."""
    said = item.reading.prediction
    row: dict[str, Any] = {"file": Link(item.reading.source.name, name)}
    if item.truth is not None:
        row |= {"truth": item.truth, "right": item.truth == said.name}
    row |= {
        "model": str(item.model["name"]),
        "class": said.name,
        "probability": float(said.probabilities[said.label]),
        "margin": said.margin,
        "methods": ", ".join(dict.fromkeys(e.method.title for e in item.explanations)),
        "doubts": len(item.reading.explanation_warnings)
        + sum(len([*e.warnings, *diagnose(e.attribution)]) for e in item.explanations),
    }
    if item.audits:
        row["region alarms"] = sum(len(audit["alarms"]) for audit in item.audits)
    return row | _scores(item)


def _scores(item: ReportItem) -> dict[str, Any]:
    """The scores of a file, the mean of the windows that have one, by metric and method.

    Where some have none, a column beside it says how many have.
    """
    values: dict[str, list[float]] = {}
    looked = {(e.method.name, e.layer) for e in item.explanations}
    several = len(looked) > len({method for method, _ in looked})
    for explanation, scores in zip(item.explanations, item.scores, strict=False):
        for score in scores:
            name = map_title(explanation) if several else explanation.method.title
            column = f"{METRICS[score['metric']].title}, {name}"
            value = np.nan if score["value"] is None else score["value"]
            values.setdefault(column, []).append(value)
    told: dict[str, Any] = {}
    for column, found in values.items():
        there = [value for value in found if not np.isnan(value)]
        told[column] = float(np.mean(there)) if there else None
        if 0 < len(there) < len(found):
            told[f"{column}: windows"] = f"{len(there)} of {len(found)}"
    return told


def _overview(rows: list[Mapping[str, Any]]) -> str:
    """All files in a table that sorts, and what is right of them where that is known."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    known = [row["right"] for row in rows if "right" in row]
    said = f"{sum(known)} of {len(known)} files with a known class are called rightly."
    models = {row["model"] for row in rows}
    columns = [name for name in columns if name != "model" or len(models) > 1]
    cells = [[row.get(column) for column in columns] for row in rows]
    caption = f"{len(rows)} files; a click on a head sorts, one on a name leads there"
    return (paragraph(said) if known else "") + table(columns, cells, caption, sortable=True)


def _section(name: str, item: ReportItem, opacity: float) -> str:
    recording, said = item.recording, item.reading.prediction
    return section(
        name,
        item.title,
        verdict(item),
        *(paragraph(text, "warning") for text in item.reading.explanation_warnings),
        probability_table(said),
        recording_section(recording, said) if recording else "",
        *(_window(item, maps, opacity) for maps in by_window(item.explanations)),
        '<p><a href="#overview">Back to the overview</a></p>',
    )


def _window(item: ReportItem, maps: list[Explanation], opacity: float) -> str:
    """The maps of one window side by side, then what is to be known of each."""
    asked = ", ".join(dict.fromkeys(explanation.target_name for explanation in maps))
    parts = [f"<h3>Why {escape(asked)}?</h3>", player(maps[0].sample), panel_row(maps, opacity)]
    judged = dict(zip(map(id, item.explanations), item.scores, strict=False))
    audits = dict(zip(map(id, item.explanations), item.audits, strict=False))
    for explanation in maps:
        known, name = id(explanation), map_title(explanation)
        parts.append(map_warnings(explanation))
        parts.append(score_table(judged.get(known, ()), name))
        if known in audits:
            parts.append(region_table(audits[known], name))
        parts.append(details(explanation))
    return "\n".join([*parts, agreement_table(maps), disagreement_part(maps)])
