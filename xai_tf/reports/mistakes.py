"""The report of mistakes of a classifier: counts, then each mistake with its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from xai_tf.packages import versions
from xai_tf.rendering import heatmaps
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
from xai_tf.reports.panels import STYLE, panel_row, player, small_picture
from xai_tf.reports.sections import (
    explanation_details,
    map_warnings,
    model_section,
)


def mistakes_page(
    classifier: Classifier,
    results: EvaluationResults,
    mistakes: Sequence[Mistake],
    left_out: Sequence[tuple[Path, str]] = (),
    opacity: float = 0.7,
) -> str:
    """A self-contained HTML report of mistakes.

    Args:
        classifier: the classifier that was evaluated.
        results: its results on all files.
        mistakes: the mistakes to show, the worst first.
        left_out: (file, reason) of what could not be read, including training samples.
        opacity: opacity of the maps in overlays.
    """
    predictions = results.predictions
    title = f"What {classifier.name} gets wrong in {predictions.folder.name}"
    parts = {
        "overview": ("Overview", _overview(results, mistakes)),
        "confusion": ("Confusion matrix", _confusion(results)),
        "left-out": ("Left out", _left_out([*predictions.skipped, *left_out])),
        "model": ("The model", model_section(describe_classifier(classifier), classifier.card)),
        "made-with": ("Created with", facts(versions(), "Versions")),
    }
    shown = {name: part for name, part in parts.items() if part[1]}
    links = [Link(part_title, name) for name, (part_title, _) in shown.items()]
    first = "".join(section(name, *shown.pop(name)) for name in ("overview", "confusion"))
    sections = "".join(
        _section(number, classifier, mistake, opacity) for number, mistake in enumerate(mistakes, 1)
    )
    rest = "".join(section(name, *part) for name, part in shown.items())
    head = header(title, paragraph(NOTICE, "warning"), navigation("Parts", links))
    return document(title, f"{head}<main>{first}{sections}{rest}</main>", STYLE)


def _overview(results: EvaluationResults, mistakes: Sequence[Mistake]) -> str:
    """The performance, and a sortable table of the mistakes."""
    classes = results.predictions.classes
    wrong = int((results.predicted(THRESHOLD) != results.labels).sum())
    summary = f"{counted(wrong, 'mistake')} in {counted(len(results.labels), 'file')}."
    if wrong > len(mistakes):
        summary += f" The {len(mistakes)} most confident ones are shown below."
    text = paragraph(summary) + "".join(paragraph(f"{m.name} {m}") for m in results.measures())
    if not mistakes:
        return text
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
    head = (
        "file",
        "true class",
        "predicted as",
        "its probability",
        "probability of the true class",
        "margin",
    )
    caption = (
        "The most confident mistakes. Margin: the logit of the predicted class minus that of the "
        "true class."
    )
    return text + table(head, rows, caption, sortable=True)


def _confusion(results: EvaluationResults) -> str:
    """The confusion matrix."""
    classes, counts = results.predictions.classes, results.counts(THRESHOLD)
    rows = [
        [name, *(_cell(count, row.sum()) for count in row), int(row.sum())]
        for name, row in zip(classes, counts, strict=True)
    ]
    head = ("true class", *(f"predicted as {name}" for name in classes), "files")
    return table(head, rows, "Files by true class (rows) and predicted class (columns)")


def _cell(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})" if total else "0"


def _left_out(skipped: Sequence[tuple[Path, str]]) -> str:
    rows = [[path.name, why] for path, why in skipped]
    return table(("file", "reason"), rows, "Files that could not be used") if rows else ""


def _section(number: int, classifier: Classifier, mistake: Mistake, opacity: float) -> str:
    classes = classifier.classes
    truth, predicted = classes[mistake.truth], classes[mistake.predicted]
    ranked = np.argsort(-mistake.probabilities, kind="stable")[:4]
    probabilities = ", ".join(f"{classes[k]} {mistake.probabilities[k]:.1%}" for k in ranked)
    sound, window = mistake.sample.sound, ""
    if sound is not None:
        window = (
            f" The maps explain the window from {sound.seconds[0]:.2f} to "
            f"{sound.seconds[-1]:.2f} s, which has the strongest evidence for {predicted}."
        )
    return section(
        f"mistake{number}",
        f"{number}. {mistake.name}",
        paragraph(f"The true class is {truth}; it was predicted as {predicted}.", "warning"),
        paragraph(f"{probabilities}.{window}"),
        *(paragraph(text, "warning") for text in mistake.warnings),
        player(mistake.sample),
        _maps(classifier, mistake, opacity),
        map_warnings(mistake.predicted_map),
        map_warnings(mistake.true_map) if not has_one_logit(classifier) else "",
        explanation_details(mistake.predicted_map),
        _similar(classifier, mistake) if mistake.similar else "",
        BACK_TO_OVERVIEW,
    )


def _maps(classifier: Classifier, mistake: Mistake, opacity: float) -> str:
    """The maps of both classes on one scale, and their contrast on its own scale."""
    truth, predicted = (classifier.classes[k] for k in (mistake.truth, mistake.predicted))
    pair = [mistake.predicted_map, mistake.true_map]
    end = heatmaps.limit(pair)
    captions = [f"For {predicted} (predicted)", f"For {truth} (true), same scale"]
    if not mistake.predicted_map.method.class_specific:
        note = f"{mistake.predicted_map.method.title} has the same map for every class."
        return panel_row(pair[:1], opacity) + paragraph(note, "warning")
    if has_one_logit(classifier):
        note = (
            f"The network has one logit, so the map of {predicted} is also the map of {predicted} "
            f"rather than {truth}."
        )
        return panel_row(pair, opacity, captions, [end, end]) + paragraph(note, "soft")
    captions.append(f"{predicted} rather than {truth}, its own scale")
    maps = [*pair, mistake.contrast_map]
    return panel_row(maps, opacity, captions, [end, end, None])


def _similar(classifier: Classifier, mistake: Mistake) -> str:
    """The most similar training samples as small images with their classes."""
    predicted = classifier.classes[mistake.predicted]
    same_class = sum(one.sample.label == mistake.predicted for one in mistake.similar)
    summary = (
        f"{same_class} of the {len(mistake.similar)} nearest training samples are {predicted}."
    )
    leakage = "This file is itself a training sample, so the mistake says nothing about new files."
    has_leakage = any(one.same_file for one in mistake.similar)
    images = "".join(_small(classifier, one) for one in mistake.similar)
    return (
        heading("Most similar training samples")
        + paragraph(summary)
        + (paragraph(leakage, "warning") if has_leakage else "")
        + f'<div class="smalls">{images}</div>'
    )


def _small(classifier: Classifier, one: Neighbor) -> str:
    name = classifier.classes[one.sample.label]
    caption = f"{name}: {one.sample.path.name}, distance {one.distance:.2f}"
    try:
        windows = classifier.windows(one.sample.path)
    except InputError as error:
        return paragraph(f"Cannot read {caption}: {error}", "soft")
    return small_picture(windows[one.sample.window], f"A training sample of {name}", caption)


def describe_study(
    classifier: Classifier,
    results: EvaluationResults,
    mistakes: Sequence[Mistake],
    left_out: Sequence[tuple[Path, str]] = (),
) -> Mapping[str, Any]:
    """The report as plain data, without the maps.

    Args:
        classifier: the classifier that was evaluated.
        results: its results on all files.
        mistakes: the mistakes to describe.
        left_out: (file, reason) of what could not be read, including training samples.
    """
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
                "file": str(m.path),
                "truth": classes[m.truth],
                "predicted": classes[m.predicted],
                "probabilities": dict(zip(classes, m.probabilities.tolist(), strict=True)),
                "wrong_class_margin": m.wrong_class_margin,
                "warnings": list(m.warnings),
                "predicted_map": describe_explanation(m.predicted_map),
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
        "left_out": [
            {"file": str(path), "reason": why} for path, why in (*predictions.skipped, *left_out)
        ],
    }
