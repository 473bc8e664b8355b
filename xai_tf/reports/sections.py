"""What a page tells of one file: numbers, words, maps, and what a method says of itself."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
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
from xai_tf.classifiers.prediction import Prediction
from xai_tf.metrics.tables import SCORE_COLUMNS, score_cells
from xai_tf.reports.html import facts, paragraph, table
from xai_tf.reports.panels import agreement_panels, chart

MAX_CLASSES = 10  # shown of a prediction; the others are summed up
PACKAGES = ("xai-tf", "tensorflow", "tensorflow-cpu", "keras", "xplique", "librosa", "numpy")


def verdict(item: ReportItem) -> str:
    """What the model says of the file, in a sentence."""
    prediction, truth = item.reading.prediction, item.truth
    said = (
        f"{item.model['name']} says {prediction.name}, with a probability of "
        f"{prediction.probabilities[prediction.label]:.1%} and a margin of "
        f"{prediction.margin:.2f} over the next class (difference of the logits)."
    )
    if truth is None:
        return paragraph(said)
    if truth == prediction.name:
        return paragraph(f"{said} That is right.")
    return paragraph(f"{said} In truth it is {truth}.", "warning")


def probability_table(prediction: Prediction) -> str:
    """Classes by probability: numbers, and bars for the eye."""
    order = np.argsort(-prediction.probabilities, kind="stable")
    shown = [(prediction.classes[i], float(prediction.probabilities[i])) for i in order]
    rest = shown[MAX_CLASSES:]
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="number">{share:.1%}</td>'
        f'<td aria-hidden="true"><span class="bar" style="width:{share:.2%}"></span></td></tr>'
        for name, share in shown[:MAX_CLASSES]
    )
    more = f"{len(rest)} other classes share {sum(share for _, share in rest):.1%}."
    return (
        '<table class="chances"><caption>Probability of each class</caption><thead><tr>'
        '<th scope="col">Class</th><th scope="col" class="number">Probability</th>'
        f'<td aria-hidden="true"></td></tr></thead><tbody>{rows}</tbody></table>'
        f"{paragraph(more, 'soft') if rest else ''}"
    )


def narration_section(sentences: Sequence[str], language: str) -> str:
    """The facts in sentences."""
    return f'<h3>In words</h3><div lang="{escape(language)}">{paragraph(" ".join(sentences))}</div>'


def recording_section(recording: Recording, whole: Prediction) -> str:
    """A long recording over time."""
    rows = [
        [
            number,
            f"{first:.2f} to {last:.2f}",
            prediction.name,
            f"{prediction.probabilities[prediction.label]:.1%}",
        ]
        for number, ((first, last), prediction) in enumerate(
            zip(recording.spans, recording.predictions, strict=True), 1
        )
    ]
    agree = sum(prediction.label == whole.label for prediction in recording.predictions)
    told = f"{agree} of {len(rows)} windows are called {whole.name}, as the whole is."
    return (
        "<h3>The recording over time</h3>"
        + paragraph(told)
        + chart(
            recording.picture,
            f"Spectrogram of the recording above the probability of each class by window. {told}",
            "The recording's spectrogram, and what is said of each window; the whole is called by "
            "the mean of the windows' logits.",
        )
        + table(("window", "seconds", "class", "probability"), rows, "What is said of each window")
    )


def by_window(explanations: Sequence[Explanation]) -> list[list[Explanation]]:
    """Explanations of the same window together; what came from a store has a sample of its own."""
    windows: dict[float, list[Explanation]] = {}
    for explanation in explanations:
        sound = explanation.sample.sound
        start = 0.0 if sound is None else float(sound.seconds[0])
        windows.setdefault(start, []).append(explanation)
    return list(windows.values())


def map_title(explanation: Explanation) -> str:
    """The method, and the layer where it looks at one."""
    layer = f" at layer {explanation.layer}" if explanation.layer else ""
    return explanation.method.title + layer


def map_warnings(explanation: Explanation) -> str:
    """What a person should know before trusting the map."""
    found = [*explanation.warnings, *(f.text for f in diagnose(explanation.attribution))]
    return "".join(paragraph(text, "warning") for text in found)


def details(explanation: Explanation) -> str:
    """Settings and figures of an explanation, folded up."""
    told, name = describe_explanation(explanation), map_title(explanation)
    found = {
        "settings": told["settings"] or None,
        "seed": told["seed"],
        "layer": told["layer"],
        "passes through the network": sum(told["passes"].values()),
        "seconds": told["seconds"],
        "what the method says of itself": told["figures"] or None,
        "map doctor": "; ".join(f["name"] for f in told["diagnoses"]) or "nothing wrong found",
        "paper": explanation.method.paper,
    }
    return (
        f"<details><summary>Settings and figures of {escape(name)}</summary>"
        f"{facts(found, f'{name}: settings and figures')}{_settling(explanation)}</details>"
    )


def _settling(explanation: Explanation) -> str:
    """How a map that is sampled settled, in words and drawn."""
    found = explanation.convergence
    if found is None:
        return ""
    drawn = "" if found.exact else curve(found.samples, found.stability, found.wanted)
    return paragraph(convergence_text(found)) + drawn


def agreement_table(maps: Sequence[Explanation]) -> str:
    """How alike the maps of a window are, pair by pair."""
    found = agreement(maps)
    names = [
        ", ".join(filter(None, (maps[i].method.title, maps[i].layer, maps[i].target_name)))
        for i in found.positions
    ]
    if len(names) < 2:
        return ""
    rows = [
        [name, *("same" if i == j else _alike(found, (i, j)) for j in range(len(names)))]
        for i, name in enumerate(names)
    ]
    return "<h4>Do the maps agree?</h4>" + table(
        ("map", *names),
        rows,
        "Rank correlation / overlap of the strongest tenth / same sign there, where both tell "
        "signs. Equal maps have 1, 100% and 100%, maps that have nothing to do with each other 0, "
        f"about {chance_overlap():.0%} and 50%.",
    )


def _alike(found: Agreement, pair: tuple[int, int]) -> str:
    signs = "" if np.isnan(found.signs[pair]) else f" / {found.signs[pair]:.0%}"
    return f"{found.correlations[pair]:.2f} / {found.overlaps[pair]:.0%}{signs}"


def disagreement_part(maps: Sequence[Explanation]) -> str:
    """Where the maps of one question conflict: a picture of it each, and the gravest in words."""
    parts = []
    for alike in comparable(maps):
        found = disagreement_map(alike)
        parts.append(agreement_panels(alike, found.level))
        parts += [
            paragraph(f"{one.place}: {one.text}.") for one in named_disagreements(alike, found)
        ]
    return "".join(parts)


def score_table(scores: Sequence[Mapping[str, Any]], name: str, language: str = "en") -> str:
    """The scores of a map, with what each means in a language; nothing where there are none."""
    rows = [score_cells(score, language) for score in scores]
    return table(SCORE_COLUMNS, rows, f"{name}: scores") if rows else ""


def region_table(audit: Mapping[str, Any], name: str) -> str:
    """How much of a map lies in which region, and the alarms."""
    head = ("parted by", "region", "area", "evidence", "density", "alarm")
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
    told = "".join(paragraph(text, "warning") for text in (*audit["alarms"], *audit["warnings"]))
    return (
        f"{told}<details><summary>Where the evidence of {escape(name)} lies</summary>"
        f"{table(head, rows, f'{name}: share of the evidence in each region')}</details>"
    )


def model_section(model: Mapping[str, Any], card: ModelCard | None) -> str:
    """What a model is, of `describe_classifier`, and how good its card says it is."""
    described = facts(model, f"{model['name']}, as it was loaded")
    measured = ""
    if card and card.metrics:
        measured = table(
            ("measure", "on", "value", "95% from", "to", "files"),
            [[m.name, m.split, m.value, m.low, m.high, m.count] for m in card.metrics],
            f"How good {card.name} is, as its card says",
        )
    terms = (
        paragraph(
            f"Licence of the weights: {card.license}. Trained on {', '.join(card.datasets)}.",
            "soft",
        )
        if card
        else paragraph("There is no card: how good this model is, nobody has written down.")
    )
    return (
        f"<h3>The model</h3>{measured}{terms}"
        f"<details><summary>What {escape(str(model['name']))} is</summary>"
        f"{described}</details>"
    )


def installed() -> dict[str, str]:
    """What computes here, without loading TensorFlow."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # TensorFlow goes by one name or the other
    return found
