"""The report of the mistakes of a model of several labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xai_tf.bundles.write import describe_classifier, describe_explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.datasets.listing import counted
from xai_tf.evaluation.label_mistakes import LabelMistake
from xai_tf.evaluation.labels import LabelResult, LabelResults
from xai_tf.narration.notices import NOTICE
from xai_tf.packages import versions
from xai_tf.reports.html import (
    BACK_TO_OVERVIEW,
    Link,
    document,
    facts,
    header,
    navigation,
    paragraph,
    section,
    table,
)
from xai_tf.reports.panels import STYLE, panel_row, player
from xai_tf.reports.sections import explanation_details, map_warnings, model_section

# The columns of `label_cells`, in this order.
LABEL_COLUMNS = (
    "label",
    "threshold",
    "found, true",
    "found, not true",
    "missed",
    "precision",
    "recall",
    "F1",
    "AUC",
)


def label_cells(result: LabelResult) -> list[str]:
    """A row of the table of labels, each share with its 95% interval."""
    hits, false_alarms, missed, _ = result.counts
    outcome, area = result.outcome, result.area
    return [
        result.name,
        f"{result.threshold:g}",
        str(hits),
        str(false_alarms),
        str(missed),
        *map(str, (outcome.precision, outcome.sensitivity, outcome.f1)),
        str(area) if area else "-",
    ]


def label_mistakes_page(
    classifier: Classifier,
    results: LabelResults,
    mistakes: Sequence[LabelMistake],
    left_out: Sequence[tuple[Path, str]] = (),
    opacity: float = 0.7,
) -> str:
    """A self-contained HTML report of the mistakes of a model of several labels.

    Args:
        classifier: the classifier that was evaluated.
        results: its results on all files.
        mistakes: the mistakes to show, the worst first.
        left_out: (file, reason) of what could not be read.
        opacity: opacity of the maps in overlays.
    """
    predictions = results.predictions
    title = f"What {classifier.name} gets wrong in {predictions.folder.name}"
    reasons = [[path.name, why] for path, why in (*predictions.skipped, *left_out)]
    parts = {
        "overview": ("Overview", _overview(results, mistakes)),
        "labels": ("Labels", _labels(results)),
        "left-out": (
            "Left out",
            table(("file", "reason"), reasons, "Files that could not be used") if reasons else "",
        ),
        "model": ("The model", model_section(describe_classifier(classifier), classifier.card)),
        "made-with": ("Created with", facts(versions(), "Versions")),
    }
    shown = {name: part for name, part in parts.items() if part[1]}
    links = [Link(part_title, name) for name, (part_title, _) in shown.items()]
    first = "".join(section(name, *shown.pop(name)) for name in ("overview", "labels"))
    sections = "".join(
        _section(number, classifier, mistake, opacity) for number, mistake in enumerate(mistakes, 1)
    )
    rest = "".join(section(name, *part) for name, part in shown.items())
    head = header(title, paragraph(NOTICE, "warning"), navigation("Parts", links))
    return document(title, f"{head}<main>{first}{sections}{rest}</main>", STYLE)


def describe_label_study(
    classifier: Classifier,
    results: LabelResults,
    mistakes: Sequence[LabelMistake],
    left_out: Sequence[tuple[Path, str]] = (),
) -> Mapping[str, Any]:
    """The report as plain data, without the maps; arguments as `label_mistakes_page`."""
    predictions, classes = results.predictions, classifier.classes
    return {
        "model": describe_classifier(classifier),
        "folder": str(predictions.folder),
        "files": len(predictions.files),
        "classes": list(classes),
        "labels": [_described(result) for result in results.labels],
        "measures": [vars(one) for one in results.measures()],
        "mistakes": [
            {
                "file": str(m.path),
                "label": classes[m.label],
                "true": m.true,
                "probability": m.probability,
                "threshold": m.threshold,
                "margin": m.margin,
                "warnings": list(m.warnings),
                "map": describe_explanation(m.map),
            }
            for m in mistakes
        ],
        "left_out": [
            {"file": str(path), "reason": why} for path, why in (*predictions.skipped, *left_out)
        ],
    }


def _described(result: LabelResult) -> dict[str, Any]:
    names = ("true_positives", "false_positives", "false_negatives", "true_negatives")
    shares = {name: vars(share) for name, share in vars(result.outcome).items()}
    return {
        "label": result.name,
        "threshold": result.threshold,
        **dict(zip(names, result.counts, strict=True)),
        **shares,
        "auc": result.area and vars(result.area),
    }


def _overview(results: LabelResults, mistakes: Sequence[LabelMistake]) -> str:
    """The measures of all labels together, and a sortable table of the mistakes."""
    classes, wrong = results.predictions.classes, len(results.ranked_mistakes())
    summary = (
        f"{counted(wrong, 'mistake')}, each a label of a file, in "
        f"{counted(len(results.truth), 'file')} with {counted(len(classes), 'label')}."
    )
    if wrong > len(mistakes):
        summary += f" The {len(mistakes)} most confident ones are shown below."
    text = paragraph(summary) + "".join(paragraph(f"{m.name} {m}") for m in results.measures())
    if not mistakes:
        return text
    rows = [
        [Link(m.name, f"mistake{number}"), classes[m.label], _kind(m), m.probability, m.threshold]
        for number, m in enumerate(mistakes, 1)
    ]
    head = ("file", "label", "mistake", "its probability", "threshold")
    return text + table(head, rows, "The most confident mistakes", sortable=True)


def _labels(results: LabelResults) -> str:
    caption = (
        "Each label is a question of its own. Files by truth and prediction, and shares with 95% "
        "intervals; - where no file tells"
    )
    return table(LABEL_COLUMNS, [label_cells(one) for one in results.labels], caption)


def _kind(mistake: LabelMistake) -> str:
    return "missed" if mistake.true else "found, not true"


def _section(number: int, classifier: Classifier, mistake: LabelMistake, opacity: float) -> str:
    name, sound = classifier.classes[mistake.label], mistake.map.sample.sound
    window = ""
    if sound is not None:
        window = (
            f" The map explains the window from {sound.seconds[0]:.2f} to "
            f"{sound.seconds[-1]:.2f} s, which has the strongest evidence for {name}."
        )
    what = "is true, and was missed" if mistake.true else "was found, and is not true"
    return section(
        f"mistake{number}",
        f"{number}. {mistake.name}: {name}",
        paragraph(f"{name} {what}.", "warning"),
        paragraph(
            f"Its probability is {mistake.probability:.1%}, its threshold "
            f"{mistake.threshold:.1%}.{window}"
        ),
        *(paragraph(text, "warning") for text in mistake.warnings),
        player(mistake.map.sample),
        panel_row([mistake.map], opacity),
        map_warnings(mistake.map),
        explanation_details(mistake.map),
        BACK_TO_OVERVIEW,
    )
