"""Sections of a report about one file: prediction, text, maps, scores and regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from weights_keras import ModelCard
from xai_tf.agreement.agreement import Agreement, agreement, chance_overlap
from xai_tf.agreement.disagreement import disagreement_map
from xai_tf.agreement.questions import comparable, named_disagreements
from xai_tf.attribution.convergence import convergence_text, curve
from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.record import Recording, ReportItem
from xai_tf.bundles.write import describe_explanation
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.prediction import Prediction
from xai_tf.metrics.tables import SCORE_COLUMNS, score_cells
from xai_tf.regions.mark_tables import MARK_CAPTION, MARK_COLUMNS, mark_problems, mark_rows
from xai_tf.reports.html import details, facts, heading, paragraph, table
from xai_tf.reports.panels import agreement_panels, chart

MAX_CLASSES = 10  # shown of a prediction; the others are summarized


def verdict(item: ReportItem) -> str:
    """The prediction for the file in a sentence, and whether it is correct."""
    prediction, truth = item.reading.prediction, item.truth
    if prediction.multi_label:
        return _verdict_of_findings(item)
    sentence = (
        f"{item.model['name']} predicts {readable(prediction.name)}, with a probability of "
        f"{prediction.probabilities[prediction.label]:.1%} and a margin of "
        f"{prediction.margin:.2f} over the next class (difference of the logits)."
    )
    if truth is None:
        return paragraph(sentence)
    if truth == prediction.name:
        return paragraph(f"{sentence} This is correct.")
    return paragraph(f"{sentence} This is wrong: the true class is {readable(truth)}.", "warning")


def _verdict_of_findings(item: ReportItem) -> str:
    """The findings for the file in a sentence, and whether the true class is among them."""
    prediction, truth = item.reading.prediction, item.truth
    sentence = (
        f"{item.model['name']} finds {readable(prediction.summary)}. A label is found where "
        "its probability reaches its threshold."
    )
    if truth is None:
        return paragraph(sentence)
    if item.correct:
        return paragraph(f"{sentence} {readable(truth)}, a true label of the file, is found.")
    return paragraph(
        f"{sentence} {readable(truth)}, a true label of the file, is missed.", "warning"
    )


def trust_section(item: ReportItem) -> str:
    """How far each map can be trusted, and why; empty where earlier versions made no verdict."""
    return "".join(
        _trust(map_title(explanation), found)
        for explanation, found in zip(item.explanations, item.verdicts, strict=False)
    )


def _trust(name: str, found: Mapping[str, Any]) -> str:
    """The verdict on a map as a sentence, with all reasons collapsed."""
    reasons = "".join(paragraph(reason["text"], reason["severity"]) for reason in found["reasons"])
    line = f"<b>{escape(name)}: {escape(found['word'])}.</b> {escape(found['sentence'])}"
    look = escape(found["level"])
    return f'<p class="{look}">{line}</p>' + details(f"All checks of {name}", reasons)


def probability_table(prediction: Prediction) -> str:
    """The classes by probability, as numbers and bars; of several labels all, with thresholds."""
    if prediction.multi_label:
        return _findings_table(prediction)
    shown = [
        (readable(prediction.classes[i]), float(prediction.probabilities[i]))
        for i in prediction.ranked
    ]
    rest = shown[MAX_CLASSES:]
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="number">{share:.1%}</td>'
        f'<td aria-hidden="true"><span class="bar" style="width:{share:.2%}"></span></td></tr>'
        for name, share in shown[:MAX_CLASSES]
    )
    total = sum(share for _, share in rest)
    more = f"The other {len(rest)} classes have {total:.1%} together."
    return (
        '<table class="chances"><caption>Probability of each class</caption><thead><tr>'
        '<th scope="col">Class</th><th scope="col" class="number">Probability</th>'
        f'<td aria-hidden="true"></td></tr></thead><tbody>{rows}</tbody></table>'
        f"{paragraph(more, 'soft') if rest else ''}"
    )


def _findings_table(prediction: Prediction) -> str:
    rows = [
        [
            readable(prediction.classes[label]),
            f"{prediction.probabilities[label]:.1%}",
            f"{prediction.thresholds[label]:.1%}",
            "found" if label in prediction.findings else "",
        ]
        for label in prediction.ranked
    ]
    head = ("label", "probability", "threshold", "finding")
    return table(head, rows, "Probability of each label, each a question of its own")


def narration_section(sentences: Sequence[str], language: str) -> str:
    """The facts about a file as text."""
    return heading("In words") + narration(sentences, language)


def narration(sentences: Sequence[str], language: str) -> str:
    """Paragraphs in a language."""
    text = "".join(map(paragraph, sentences))
    return f'<div lang="{escape(language)}">{text}</div>'


def recording_section(recording: Recording, whole: Prediction) -> str:
    """A long recording over time."""
    rows = [
        [
            number,
            f"{first:.2f} to {last:.2f}",
            readable(prediction.answer),
            f"{prediction.probabilities[prediction.label]:.1%}",
        ]
        for number, ((first, last), prediction) in enumerate(
            zip(recording.spans, recording.predictions, strict=True), 1
        )
    ]
    agree = sum(whole.agrees_with(prediction) for prediction in recording.predictions)
    summary = (
        f"{agree} of {len(rows)} windows are predicted as {readable(whole.answer)}, like the whole "
        "recording."
    )
    return (
        heading("The recording over time")
        + paragraph(summary)
        + chart(
            recording.picture,
            f"Spectrogram of the recording, and the probability of each class by window. {summary}",
            "The spectrogram of the recording, and the prediction for each window. The prediction "
            "for the recording is the mean of the windows' logits.",
        )
        + table(("window", "seconds", "class", "probability"), rows, "Prediction for each window")
    )


def by_window(explanations: Sequence[Explanation]) -> list[list[Explanation]]:
    """Group explanations by window, by time, because stored explanations have their own sample."""
    windows: dict[float, list[Explanation]] = {}
    for explanation in explanations:
        sound = explanation.sample.sound
        start = 0.0 if sound is None else float(sound.seconds[0])
        windows.setdefault(start, []).append(explanation)
    return list(windows.values())


def map_title(explanation: Explanation) -> str:
    """The method, and its layer if it has one."""
    layer = f" at layer {explanation.layer}" if explanation.layer else ""
    return explanation.method.title + layer


def map_warnings(explanation: Explanation) -> str:
    """What a reader should know before trusting the map: warnings and diagnoses."""
    texts = [*explanation.warnings, *(d.text for d in diagnose(explanation.attribution))]
    return "".join(paragraph(text, "warning") for text in texts)


def explanation_details(explanation: Explanation) -> str:
    """Settings and figures of an explanation, collapsed."""
    described, name = describe_explanation(explanation), map_title(explanation)
    diagnoses = "; ".join(diagnosis["name"] for diagnosis in described["diagnoses"])
    values = {
        "settings": described["settings"] or None,
        "seed": described["seed"],
        "layer": described["layer"],
        "passes through the network": sum(described["passes"].values()),
        "seconds": described["seconds"],
        "figures of the method": described["figures"] or None,
        "diagnostics": diagnoses or None,
        "paper": explanation.method.paper,
    }
    return details(
        f"Settings and figures of {name}",
        facts(values, f"{name}: settings and figures"),
        _convergence(explanation),
    )


def _convergence(explanation: Explanation) -> str:
    """The convergence of a sampled map, as text and as a curve."""
    convergence = explanation.convergence
    if convergence is None:
        return ""
    svg = ""
    if not convergence.exact:
        svg = curve(convergence.samples, convergence.stability, convergence.wanted)
    return paragraph(convergence_text(convergence)) + svg


def agreement_table(maps: Sequence[Explanation]) -> str:
    """The pairwise agreement of the maps of a window; empty for fewer than two maps."""
    measured = agreement(maps)
    names = [
        ", ".join(
            filter(None, (maps[i].method.title, maps[i].layer, readable(maps[i].target_name)))
        )
        for i in measured.positions
    ]
    if len(names) < 2:
        return ""
    rows = [
        [name, *("same" if i == j else _pair_cell(measured, (i, j)) for j in range(len(names)))]
        for i, name in enumerate(names)
    ]
    return heading("Do the maps agree?", 4) + table(
        ("map", *names),
        rows,
        "Rank correlation / overlap of the strongest tenth / same sign there, if both maps are "
        f"signed. Identical maps have 1, 100% and 100%; unrelated maps 0, about "
        f"{chance_overlap():.0%} and 50%.",
    )


def _pair_cell(measured: Agreement, pair: tuple[int, int]) -> str:
    signs = "" if np.isnan(measured.signs[pair]) else f" / {measured.signs[pair]:.0%}"
    return f"{measured.correlations[pair]:.2f} / {measured.overlaps[pair]:.0%}{signs}"


def disagreement_part(maps: Sequence[Explanation]) -> str:
    """Consensus and disagreement by question: as images, and the strongest ones in words."""
    parts = []
    for group in comparable(maps):
        disagreement = disagreement_map(group)
        parts.append(agreement_panels(group, disagreement.level))
        listed = named_disagreements(group, disagreement)
        parts += [paragraph(f"{one.place}: {one.text}.") for one in listed]
    return "".join(parts)


def score_table(scores: Sequence[Mapping[str, Any]], name: str, language: str = "en") -> str:
    """The scores of a map, with the meaning of each in a language; empty without scores."""
    rows = [score_cells(score, language) for score in scores]
    return table(SCORE_COLUMNS, rows, f"{name}: scores") if rows else ""


def region_table(audit: Mapping[str, Any], name: str) -> str:
    """The share of a map in each region, and the alarms."""
    head = ("partition", "region", "area", "evidence", "density", "alarm")
    rows = [
        [
            row["partition"],
            row["region"],
            f"{row['area']:.1%}",
            None if row["share"] is None else f"{row['share']:.1%}",
            row["ratio"],
            "ALARM" if row["alarm"] else "",
        ]
        for row in audit["regions"]
    ]
    texts = [*audit["alarms"], *audit["warnings"]]
    return "".join(paragraph(text, "warning") for text in texts) + details(
        f"Evidence of {name} by region",
        table(head, rows, f"{name}: share of the evidence in each region"),
    )


def mark_section(maps: Sequence[Explanation], judgments: Sequence[Mapping[str, Any]]) -> str:
    """How maps of a file fit what people marked, beside maps that know nothing of the model.

    Args:
        maps: the explanations.
        judgments: of each, as `regions.mark_tables.describe_judgment` describes them.
    """
    judged = [(map_title(one), found) for one, found in zip(maps, judgments, strict=True)]
    problems = "".join(paragraph(text, "warning") for text in mark_problems(judged))
    return problems + details(
        "What people marked", table(MARK_COLUMNS, mark_rows(judged), MARK_CAPTION)
    )


def model_section(model: Mapping[str, Any], card: ModelCard | None) -> str:
    """The description of a model, and the metrics on its model card.

    Args:
        model: from `describe_classifier`.
        card: the model card, or None.
    """
    metrics = ""
    if card and card.metrics:
        metrics = table(
            ("metric", "split", "value", "95% from", "to", "files"),
            [[m.name, m.split, m.value, m.low, m.high, m.count] for m in card.metrics],
            f"Performance of {card.name}, from its model card",
        )
    if card:
        datasets = ", ".join(card.datasets)
        terms = paragraph(f"License of the weights: {card.license}. Trained on {datasets}.", "soft")
    else:
        terms = paragraph("There is no model card, so the performance of this model is unknown.")
    described = facts(model, f"{model['name']}, as it was loaded")
    return heading("The model") + metrics + terms + details(f"About {model['name']}", described)
