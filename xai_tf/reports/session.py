"""A few files in full, as one page: what a session of the dashboard takes home."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.record import ReportItem
from xai_tf.narration.notices import NOTICE
from xai_tf.reports.html import document, facts, paragraph, section
from xai_tf.reports.panels import STYLE, explanation_panels, player, sample_panel
from xai_tf.reports.sections import (
    agreement_table,
    by_window,
    details,
    disagreement_part,
    installed,
    map_title,
    map_warnings,
    model_section,
    narration_section,
    probability_table,
    recording_section,
    region_table,
    score_table,
    verdict,
)


def session_report(
    items: Sequence[ReportItem],
    title: str = "What the network looked at",
    note: str = "",
    opacity: float = 0.7,
    language: str = "en",
) -> str:
    """A report of a session as HTML, everything in it. Takes a second or so for five maps.

    Args:
        items: a file and model each, in the order they are shown.
        title: of the page.
        note: the visitor's own words.
        opacity: of the maps that are laid over.
        language: of the sentences and of what scores mean: "en" or "fr".
    """
    sections = "\n".join(
        _section(f"file{number}", item, opacity, language) for number, item in enumerate(items, 1)
    )
    created = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    body = (
        f"<header><h1>{escape(title)}</h1>{paragraph(f'Made {created}.', 'soft')}"
        f"{paragraph(note) if note else ''}{paragraph(NOTICE, 'warning')}{_contents(items)}"
        f"</header>\n<main>{sections}{_colophon(items)}</main>"
    )
    return document(title, body, STYLE, sortable=False)


def _contents(items: Sequence[ReportItem]) -> str:
    links = "".join(
        f'<a href="#file{number}">{escape(item.title)} ({escape(str(item.model["name"]))})</a>'
        for number, item in enumerate(items, 1)
    )
    return f'<nav aria-label="Files">{links}</nav>' if links else ""


def _section(name: str, item: ReportItem, opacity: float, language: str) -> str:
    recording = item.recording
    return section(
        name,
        item.title,
        verdict(item),
        *(paragraph(text, "warning") for text in item.reading.explanation_warnings),
        probability_table(item.reading.prediction),
        narration_section(item.sentences, language) if item.sentences else "",
        recording_section(recording, item.reading.prediction) if recording else "",
        _explanations(item, opacity, language),
        model_section(item.model, item.card),
    )


def _explanations(item: ReportItem, opacity: float, language: str) -> str:
    """The maps of each window, after its sound, and how alike they are."""
    if not item.explanations:
        sample = item.reading.samples[0]
        return f"<h3>The file</h3>{player(sample)}{sample_panel(sample)}"
    judged = dict(zip(map(id, item.explanations), item.scores, strict=False))
    audits = dict(zip(map(id, item.explanations), item.audits, strict=False))
    parts = ["<h3>Explanations</h3>"]
    for maps in by_window(item.explanations):
        parts.append(player(maps[0].sample))
        for explanation in maps:
            name = map_title(explanation)
            parts.append(_explanation(explanation, opacity))
            parts.append(score_table(judged.get(id(explanation), ()), name, language))
            if id(explanation) in audits:
                parts.append(region_table(audits[id(explanation)], name))
        parts.append(agreement_table(maps))
        parts.append(disagreement_part(maps))
    return "\n".join(parts)


def _explanation(explanation: Explanation, opacity: float) -> str:
    return (
        f"<h4>{escape(map_title(explanation))}: why {escape(explanation.target_name)}?</h4>"
        f"{paragraph(explanation.method.summary)}{map_warnings(explanation)}"
        f"{explanation_panels(explanation, opacity)}{details(explanation)}"
    )


def _colophon(items: Sequence[ReportItem]) -> str:
    hashes = {
        f"{i.reading.source.name} ({i.model['name']})": i.reading.samples[0].sha256 for i in items
    }
    return section(
        "made-with",
        "Made with",
        facts(installed(), "Versions"),
        facts(hashes, "SHA-256 of the files") if hashes else "",
        paragraph(NOTICE),
    )
