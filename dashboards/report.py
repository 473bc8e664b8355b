"""A session as one file: an HTML report for a browser without a network, for screen and paper."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from dashboards.plates import STYLE, chart, plates, player, seen
from tuning.reporting.elements import STYLE as TABLE_STYLE
from tuning.reporting.elements import facts, paragraph, section, table
from weights_keras import ModelCard
from xai_tf import pictures
from xai_tf.agreement import agreement, chance_overlap
from xai_tf.bundle import describe_explanation
from xai_tf.doctor import diagnose
from xai_tf.explanation import Explanation
from xai_tf.page import NOTICE
from xai_tf.prediction import Prediction
from xai_tf.windows import Reading

MAX_CLASSES = 10  # shown of a prediction; the others are summed up
PACKAGES = ("xai-tf", "tensorflow", "tensorflow-cpu", "keras", "xplique", "librosa", "numpy")
# Nothing may be loaded from elsewhere and nothing may run, whatever a name holds.
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True, eq=False)
class ReportItem:
    """A file and what one model says of it.

    Attributes:
        reading: the file, as it was read and predicted.
        explanations: of its windows, in the order they are shown.
        model: `xai_tf.bundle.describe_classifier`'s description.
        sentences: the same in words, made by the page.
        card: of the model, or None.
    """

    reading: Reading
    explanations: tuple[Explanation, ...]
    model: Mapping[str, Any]
    sentences: tuple[str, ...] = ()
    card: ModelCard | None = None


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
        language: of the sentences: "en" or "fr".
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
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>{TABLE_STYLE}{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _title(item: ReportItem) -> str:
    return f"{item.reading.source.name}: {item.reading.prediction.name}"


def _contents(items: Sequence[ReportItem]) -> str:
    links = "".join(
        f'<a href="#file{number}">{escape(_title(item))} ({escape(str(item.model["name"]))})</a>'
        for number, item in enumerate(items, 1)
    )
    return f'<nav aria-label="Files">{links}</nav>' if links else ""


def _section(name: str, item: ReportItem, opacity: float, language: str) -> str:
    prediction = item.reading.prediction
    said = (
        f"{item.model['name']} says {prediction.name}, with a probability of "
        f"{prediction.probabilities[prediction.label]:.1%} and a margin of "
        f"{prediction.margin:.2f} over the next class (difference of the logits)."
    )
    return section(
        name,
        _title(item),
        paragraph(said),
        *(paragraph(text, "warning") for text in item.reading.samples[0].warnings),
        _chances(prediction),
        _words(item.sentences, language) if item.sentences else "",
        _recording(item.reading) if len(item.reading.samples) > 1 else "",
        _explanations(item, opacity),
        _model(item),
    )


def _chances(prediction: Prediction) -> str:
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


def _words(sentences: Sequence[str], language: str) -> str:
    return f'<h3>In words</h3><div lang="{escape(language)}">{paragraph(" ".join(sentences))}</div>'


def _recording(reading: Reading) -> str:
    """A long recording over time."""
    rows = [
        [number, f"{sample.sound.seconds[0]:.2f} to {sample.sound.seconds[-1]:.2f}",
         prediction.name, f"{prediction.probabilities[prediction.label]:.1%}"]
        for number, (sample, prediction) in enumerate(
            zip(reading.samples, reading.predictions, strict=True), 1
        )
    ]  # fmt: skip
    whole = reading.prediction
    agree = sum(prediction.label == whole.label for prediction in reading.predictions)
    told = f"{agree} of {len(rows)} windows are called {whole.name}, as the whole is."
    return (
        "<h3>The recording over time</h3>"
        + paragraph(told)
        + chart(
            pictures.timeline(reading),
            f"Spectrogram of the recording above the probability of each class by window. {told}",
            "The recording's spectrogram, and what is said of each window; the whole is called by "
            "the mean of the windows' logits.",
        )
        + table(("window", "seconds", "class", "probability"), rows, "What is said of each window")
    )


def _explanations(item: ReportItem, opacity: float) -> str:
    """The maps of each window, after its sound, and how alike they are."""
    if not item.explanations:
        sample = item.reading.samples[0]
        return f"<h3>The file</h3>{player(sample)}{seen(sample)}"
    parts = ["<h3>Explanations</h3>"]
    for maps in _by_window(item.explanations):
        parts.append(player(maps[0].sample))
        parts += [_explanation(explanation, opacity) for explanation in maps]
        parts.append(_agreement(maps))
    return "\n".join(parts)


def _by_window(explanations: Sequence[Explanation]) -> list[list[Explanation]]:
    """Explanations of the same window together; what came from a store has a sample of its own."""
    windows: dict[float, list[Explanation]] = {}
    for explanation in explanations:
        sound = explanation.sample.sound
        start = 0.0 if sound is None else float(sound.seconds[0])
        windows.setdefault(start, []).append(explanation)
    return list(windows.values())


def _explanation(explanation: Explanation, opacity: float) -> str:
    method = explanation.method
    layer = f" at layer {explanation.layer}" if explanation.layer else ""
    doubts = [*explanation.warnings, *(f.text for f in diagnose(explanation.attribution))]
    told = describe_explanation(explanation)
    details = {
        "settings": told["settings"] or None,
        "seed": told["seed"],
        "layer": told["layer"],
        "passes through the network": sum(told["passes"].values()),
        "seconds": told["seconds"],
        "what the method says of itself": told["figures"] or None,
        "map doctor": "; ".join(f["name"] for f in told["findings"]) or "nothing wrong found",
        "paper": method.paper,
    }
    return (
        f"<h4>{escape(method.title + layer)}: why {escape(explanation.target_name)}?</h4>"
        f"{paragraph(method.summary)}{''.join(paragraph(text, 'warning') for text in doubts)}"
        f"{plates(explanation, opacity)}"
        f"<details><summary>Settings and figures of {escape(method.title + layer)}</summary>"
        f"{facts(details, f'{method.title}{layer}: settings and figures')}</details>"
    )


def _agreement(maps: Sequence[Explanation]) -> str:
    """How alike the maps of a window are, pair by pair."""
    found = agreement(maps)
    names = [
        ", ".join(filter(None, (maps[i].method.title, maps[i].layer, maps[i].target_name)))
        for i in found.positions
    ]
    if len(names) < 2:
        return ""
    rows = [
        [name, *(
            "same" if i == j else f"{found.correlations[i, j]:.2f} / {found.overlaps[i, j]:.0%}"
            for j in range(len(names))
        )]
        for i, name in enumerate(names)
    ]  # fmt: skip
    return "<h4>Do the maps agree?</h4>" + table(
        ("map", *names),
        rows,
        "Rank correlation / overlap of the strongest tenth. Equal maps have 1 and 100%, maps that "
        f"have nothing to do with each other 0 and about {chance_overlap():.0%}.",
    )


def _model(item: ReportItem) -> str:
    described = facts(item.model, f"{item.model['name']}, as it was loaded")
    card = item.card
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
    return f"<h3>The model</h3>{measured}{terms}" \
           f"<details><summary>What {escape(str(item.model['name']))} is</summary>" \
           f"{described}</details>"  # fmt: skip


def _sha256(item: ReportItem) -> str:
    return item.reading.samples[0].sha256


def _colophon(items: Sequence[ReportItem]) -> str:
    hashes = {f"{i.reading.source.name} ({i.model['name']})": _sha256(i) for i in items}
    return section(
        "made-with",
        "Made with",
        facts(_versions(), "Versions"),
        facts(hashes, "SHA-256 of the files") if hashes else "",
        paragraph(NOTICE),
    )


def _versions() -> dict[str, str]:
    """What computed it, without loading TensorFlow."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # TensorFlow goes by one name or the other
    return found
