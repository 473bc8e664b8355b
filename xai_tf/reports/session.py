"""The report of a dashboard session: a few files in full detail, on one page."""

from __future__ import annotations

from collections.abc import Sequence

from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.record import ReportItem
from xai_tf.classifiers.class_names import readable
from xai_tf.narration.notices import NOTICE
from xai_tf.packages import versions
from xai_tf.reports.html import (
    Link,
    document,
    facts,
    header,
    heading,
    navigation,
    paragraph,
    section,
)
from xai_tf.reports.panels import STYLE, explanation_panels, player, sample_panel
from xai_tf.reports.sections import (
    agreement_table,
    by_window,
    disagreement_part,
    explanation_details,
    map_title,
    map_warnings,
    model_section,
    narration,
    narration_section,
    probability_table,
    recording_section,
    region_table,
    score_table,
    trust_section,
    verdict,
)


def session_report(
    items: Sequence[ReportItem],
    title: str = "What the network looked at",
    note: str = "",
    opacity: float = 0.7,
    language: str = "en",
) -> str:
    """A self-contained HTML report of a session. It takes about a second for five maps.

    Args:
        items: one per file and model, in the order they are shown.
        title: the title of the page.
        note: a note by the user.
        opacity: opacity of the maps in overlays.
        language: language of the text and the meaning of scores, "en" or "fr".
    """
    sections = "\n".join(
        _section(f"file{number}", item, opacity, language) for number, item in enumerate(items, 1)
    )
    links = [
        Link(f"{item.title} ({item.model['name']})", f"file{number}")
        for number, item in enumerate(items, 1)
    ]
    head = header(
        title,
        paragraph(note) if note else "",
        paragraph(NOTICE, "warning"),
        navigation("Files", links),
    )
    body = f"{head}<main>{sections}{_colophon(items)}</main>"
    return document(title, body, STYLE, sortable=False)


def _section(name: str, item: ReportItem, opacity: float, language: str) -> str:
    recording = item.recording
    return section(
        name,
        item.title,
        verdict(item),
        trust_section(item),
        *(paragraph(text, "warning") for text in item.reading.explanation_warnings),
        probability_table(item.reading.prediction),
        narration_section(item.sentences, language) if item.sentences else "",
        recording_section(recording, item.reading.prediction) if recording else "",
        _explanations(item, opacity, language),
        model_section(item.model, item.card),
    )


def _explanations(item: ReportItem, opacity: float, language: str) -> str:
    """The sound and the maps of each window, and how well they agree."""
    if not item.explanations:
        sample = item.reading.samples[0]
        return heading("The file") + player(sample) + sample_panel(sample)
    scores = dict(zip(map(id, item.explanations), item.scores, strict=False))
    audits = dict(zip(map(id, item.explanations), item.audits, strict=False))
    told = dict(zip(map(id, item.explanations), item.map_sentences, strict=False))
    parts = [heading("Explanations")]
    for maps in by_window(item.explanations):
        parts.append(player(maps[0].sample))
        for explanation in maps:
            name = map_title(explanation)
            parts.append(_explanation(explanation, opacity))
            if id(explanation) in told:
                parts.append(narration([told[id(explanation)]], language))
            parts.append(explanation_details(explanation))
            parts.append(score_table(scores.get(id(explanation), ()), name, language))
            if id(explanation) in audits:
                parts.append(region_table(audits[id(explanation)], name))
        parts.append(agreement_table(maps))
        parts.append(disagreement_part(maps))
    return "\n".join(parts)


def _explanation(explanation: Explanation, opacity: float) -> str:
    return (
        heading(f"{map_title(explanation)}: why {readable(explanation.target_name)}?", 4)
        + paragraph(explanation.method.summary)
        + map_warnings(explanation)
        + explanation_panels(explanation, opacity)
    )


def _colophon(items: Sequence[ReportItem]) -> str:
    hashes = {
        f"{i.reading.source.name} ({i.model['name']})": i.reading.samples[0].sha256 for i in items
    }
    return section(
        "made-with",
        "Created with",
        facts(versions(), "Versions"),
        facts(hashes, "SHA-256 of the files") if hashes else "",
        paragraph(NOTICE),
    )
