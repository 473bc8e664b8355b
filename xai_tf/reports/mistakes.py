"""What a classifier got wrong, as one page: counts, then each mistake with its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.bundles.write import describe_classifier
from xai_tf.classifiers.classifier import Classifier
from xai_tf.datasets.listing import counted
from xai_tf.errors import InputError
from xai_tf.evaluation.mistakes import THRESHOLD, Mistake, has_one_logit
from xai_tf.evaluation.nearest import Neighbor
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.narration.notices import NOTICE
from xai_tf.rendering import heatmaps
from xai_tf.reports.html import Link, document, facts, paragraph, section, table
from xai_tf.reports.panels import STYLE, panel_row, player, small_picture
from xai_tf.reports.sections import details, installed, map_warnings, model_section


def mistakes_page(
    classifier: Classifier,
    results: EvaluationResults,
    mistakes: Sequence[Mistake],
    left_out: Sequence[tuple[Path, str]] = (),
    opacity: float = 0.7,
) -> str:
    """The study of mistakes as HTML, everything in it.

    Args:
        classifier: what was studied.
        results: what it said of all files.
        mistakes: those that are shown, the worst first.
        left_out: (file, why) of what could not be read, training samples among them.
        opacity: of the maps.
    """
    predictions = results.predictions
    title = f"What {classifier.name} gets wrong in {predictions.folder.name}"
    parts = {
        "overview": ("Overview", _overview(results, mistakes)),
        "confusion": ("Confusion matrix", _confusion(results)),
        "left-out": ("Left out", _left_out([*predictions.skipped, *left_out])),
        "model": ("The model", model_section(describe_classifier(classifier), classifier.card)),
        "made-with": ("Made with", facts(installed(), "Versions")),
    }
    shown = {name: part for name, part in parts.items() if part[1]}
    links = "".join(f'<a href="#{name}">{named}</a>' for name, (named, _) in shown.items())
    first = "".join(section(name, *shown.pop(name)) for name in ("overview", "confusion"))
    sections = "".join(
        _section(number, classifier, mistake, opacity) for number, mistake in enumerate(mistakes, 1)
    )
    rest = "".join(section(name, *part) for name, part in shown.items())
    created = f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    return document(
        title,
        f"<header><h1>{escape(title)}</h1>{paragraph(created, 'soft')}"
        f'{paragraph(NOTICE, "warning")}<nav aria-label="Parts">{links}</nav></header>\n'
        f"<main>{first}{sections}{rest}</main>",
        STYLE,
    )


def _overview(results: EvaluationResults, mistakes: Sequence[Mistake]) -> str:
    """How good it is, and the mistakes in a table that sorts."""
    classes = results.predictions.classes
    wrong = int((results.predicted(THRESHOLD) != results.labels).sum())
    said = f"{counted(wrong, 'mistake')} among {counted(len(results.labels), 'file')}."
    if wrong > len(mistakes):
        said += f" Below are the {len(mistakes)} that speak most against the truth."
    told = paragraph(said) + "".join(paragraph(f"{m.name} {m}") for m in results.measures())
    if not mistakes:
        return told
    rows = [
        [
            Link(m.name, f"mistake{number}"),
            classes[m.truth],
            classes[m.predicted],
            float(m.probabilities[m.predicted]),
            float(m.probabilities[m.truth]),
            m.wrong_class_margin,
        ]
        for number, m in enumerate(mistakes, 1)
    ]
    head = ("file", "truth", "called", "probability of that", "of the truth", "against the truth")
    caption = "The most confident mistakes; against the truth: the difference of the logits"
    return told + table(head, rows, caption, sortable=True)


def _confusion(results: EvaluationResults) -> str:
    """Files by truth and what they are called."""
    classes, counts = results.predictions.classes, results.counts(THRESHOLD)
    rows = [
        [name, *(_cell(count, row.sum()) for count in row), int(row.sum())]
        for name, row in zip(classes, counts, strict=True)
    ]
    head = ("truth", *(f"called {name}" for name in classes), "files")
    return table(head, rows, "Files of each class (rows) by what they are called, with its share")


def _cell(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})" if total else "0"


def _left_out(skipped: Sequence[tuple[Path, str]]) -> str:
    rows = [[path.name, why] for path, why in skipped]
    return table(("file", "why"), rows, "What could not be used") if rows else ""


def _section(number: int, classifier: Classifier, mistake: Mistake, opacity: float) -> str:
    classes = classifier.classes
    truth, predicted = classes[mistake.truth], classes[mistake.predicted]
    ranked = np.argsort(-mistake.probabilities, kind="stable")[:4]
    chances = ", ".join(f"{classes[k]} {mistake.probabilities[k]:.1%}" for k in ranked)
    sound = mistake.sample.sound
    where = (
        ""
        if sound is None
        else (
            f" The maps are of {sound.seconds[0]:.2f} to {sound.seconds[-1]:.2f} s, which speaks "
            "most "
            "for it."
        )
    )
    return section(
        f"mistake{number}",
        f"{number}. {mistake.name}",
        paragraph(f"It is {truth} and was called {predicted}.", "warning"),
        paragraph(f"{chances}.{where}"),
        *(paragraph(text, "warning") for text in mistake.warnings),
        player(mistake.sample),
        _maps(classifier, mistake, opacity),
        map_warnings(mistake.predicted_map),
        map_warnings(mistake.true_map) if not has_one_logit(classifier) else "",
        details(mistake.predicted_map),
        _similar(classifier, mistake) if mistake.similar else "",
        '<p><a href="#overview">Back to the overview</a></p>',
    )


def _maps(classifier: Classifier, mistake: Mistake, opacity: float) -> str:
    """Both classes on one scale, and the one against the other on its own."""
    truth, predicted = (classifier.classes[k] for k in (mistake.truth, mistake.predicted))
    pair = [mistake.predicted_map, mistake.true_map]
    end = heatmaps.limit(pair)
    captions = [f"For {predicted} (called)", f"For {truth} (true), same scale"]
    if not mistake.predicted_map.method.class_specific:
        said = f"{mistake.predicted_map.method.title} shows the same whatever class is asked about."
        return panel_row(pair[:1], opacity) + paragraph(said, "warning")
    if has_one_logit(classifier):
        said = (
            f"The network has one logit: what speaks for {predicted} rather than {truth} is the "
            "map "
            f"of {predicted}."
        )
        return panel_row(pair, opacity, captions, [end, end]) + paragraph(said, "soft")
    captions.append(f"{predicted} rather than {truth}, its own scale")
    maps = [*pair, mistake.contrast_map]
    return panel_row(maps, opacity, captions, [end, end, None])


def _similar(classifier: Classifier, mistake: Mistake) -> str:
    """The most similar training samples, small, with what they are."""
    classes = classifier.classes
    names = [classes[one.sample.label] for one in mistake.similar]
    alike = sum(one.sample.label == mistake.predicted for one in mistake.similar)
    said = (
        f"{alike} of the {len(names)} training samples that look most similar to the network are "
        f"{classes[mistake.predicted]}."
    )
    known = any(one.same_file for one in mistake.similar)
    leak = "This very file is among the training samples: it says nothing of new ones."
    return (
        f"<h3>Most similar training samples</h3>{paragraph(said)}"
        f"{paragraph(leak, 'warning') if known else ''}"
        f'<div class="smalls">{"".join(_small(classifier, one) for one in mistake.similar)}</div>'
    )


def _small(classifier: Classifier, one: Neighbor) -> str:
    name = classifier.classes[one.sample.label]
    caption = f"{name}: {one.sample.path.name}, distance {one.distance:.2f}"
    try:
        windows = classifier.windows(one.sample.path)
    except InputError as error:
        return paragraph(f"{caption} cannot be read any more: {error}", "soft")
    return small_picture(windows[one.sample.window], f"A training sample of {name}", caption)


def describe_study(
    classifier: Classifier,
    results: EvaluationResults,
    mistakes: Sequence[Mistake],
    left_out: Sequence[tuple[Path, str]] = (),
) -> Mapping[str, Any]:
    """The same as plain data, without the maps."""
    from xai_tf.bundles.write import describe_explanation

    predictions, classes = results.predictions, classifier.classes
    return {
        "model": describe_classifier(classifier),
        "folder": str(predictions.folder),
        "files": len(predictions.files),
        "classes": list(classes),
        "confusion": results.counts(THRESHOLD).tolist(),
        "measures": [vars(measure) for measure in results.measures()],
        "mistakes": [
            {
                "file": m.name,
                "truth": classes[m.truth],
                "called": classes[m.predicted],
                "probabilities": dict(zip(classes, m.probabilities.tolist(), strict=True)),
                "against": m.wrong_class_margin,
                "warnings": list(m.warnings),
                "called_map": describe_explanation(m.predicted_map),
                "true_map": describe_explanation(m.true_map),
                "contrast_map": describe_explanation(m.contrast_map),
                "similar": [
                    {
                        "file": str(one.sample.path),
                        "class": classes[one.sample.label],
                        "window": one.sample.window,
                        "distance": one.distance,
                        "same_file": one.same_file,
                    }
                    for one in m.similar
                ],
            }
            for m in mistakes
        ],
        "left_out": [[str(path), why] for path, why in (*predictions.skipped, *left_out)],
    }
