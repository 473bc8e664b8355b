"""Several methods on one file: compared, described as plain data, and written as a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xai_tf.agreement.disagreement import DisagreementMap, disagreement_map
from xai_tf.attribution.methods import Settings
from xai_tf.attribution.question import resolve_classes
from xai_tf.bundles.agreement import describe_agreement, describe_disagreements
from xai_tf.bundles.index import check_page, write_page
from xai_tf.bundles.manifest import MANIFEST, bundle_names
from xai_tf.bundles.write import (
    describe_classifier,
    describe_explanation,
    describe_reading,
    save_bundle,
)
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import Reading, read_and_predict
from xai_tf.files import check_free, check_place
from xai_tf.metrics.compare import Comparison, compare
from xai_tf.metrics.score import Score
from xai_tf.metrics.tables import describe_metrics, describe_scores
from xai_tf.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """Which methods are compared on a file, and by which metrics.

    Attributes:
        methods: names in `METHODS`.
        metrics: names in `METRICS`; each scores the methods it applies to.
        target: the class to explain; the predicted one if left out.
        contrast: a second class: why the target rather than this one.
        settings: by the name of a method or metric, the settings that differ from its defaults.
        seed: random seed for methods and metrics.
    """

    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    target: str | int | None = None
    contrast: str | int | None = None
    settings: Mapping[str, Settings] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class ComparedFile:
    """Several methods on the decisive window of a file.

    Attributes:
        reading: the file.
        window: the number of the window that was explained.
        comparison: the explanations, their scores, and how far they agree.
        disagreements: where the maps conflict.
    """

    reading: Reading
    window: int
    comparison: Comparison
    disagreements: DisagreementMap

    @property
    def scores(self) -> list[list[Score]]:
        """The scores of each explanation, by the metrics that apply to its method."""
        return [[score for score in row if score] for row in self.comparison.scores]


def compare_file(
    classifier: Classifier,
    path: Path,
    settings: ComparisonSettings,
    progress: Progress = silent,
) -> ComparedFile:
    """Explain a file by several methods, and score each; of a long recording, its decisive window.

    Args:
        classifier: the model.
        path: the file.
        settings: what is compared.
        progress: called with (passes done, passes in all).

    Raises:
        InputError: the file cannot be read.
        XaiTfError: as `compare`.
    """
    reading = read_and_predict(classifier, path)
    target, contrast = resolve_classes(
        classifier, reading.prediction, settings.target, settings.contrast
    )
    window = reading.most_decisive(classifier.target(target, contrast), 1)[0]
    comparison = compare(
        classifier,
        reading.samples[window],
        settings.methods,
        settings.metrics,
        target=target,
        contrast=contrast,
        settings=settings.settings,
        seed=settings.seed,
        progress=progress,
    )
    return ComparedFile(reading, window, comparison, disagreement_map(comparison.explanations))


def comparison_folder(out: Path, path: Path, overwrite: bool = False) -> Path:
    """Where the bundle of a compared file goes; checked before the work.

    Args:
        out: the folder of the bundles.
        path: the file.
        overwrite: whether an earlier bundle may be replaced.

    Raises:
        OutputError: something else is there, or an earlier bundle that may not be replaced.
    """
    folder = out / bundle_names([path])[0]
    check_page(out)
    check_place(folder, MANIFEST)
    check_free(folder, overwrite)
    return folder


def save_comparison(folder: Path, classifier: Classifier, compared: ComparedFile) -> Path:
    """Write a comparison as a bundle, as `explain` writes its own, with the page beside it.

    Args:
        folder: of the bundle, from `comparison_folder`.
        classifier: the model.
        compared: what is written.

    Returns:
        The page.

    Raises:
        OutputError: it cannot be written.
    """
    manifest = save_bundle(
        folder,
        classifier,
        compared.reading,
        compared.comparison.explanations,
        scores=compared.scores,
    )
    return write_page(folder.parent, {folder.name: manifest})


def describe_comparison(classifier: Classifier, compared: ComparedFile) -> dict[str, Any]:
    """A comparison as plain data, without the maps."""
    found = compared.comparison
    scores = describe_scores(found.explanations, compared.scores)
    rows = zip(found.explanations, scores, found.ranks, strict=True)
    methods = [
        {
            **describe_explanation(explanation),
            "scores": described,
            "ranks": {
                metric.name: int(rank)
                for metric, rank in zip(found.metrics, ranks, strict=True)
                if rank
            },
        }
        for explanation, described, ranks in rows
    ]
    return {
        "model": describe_classifier(classifier),
        "input": describe_reading(compared.reading, explained=True),
        "window": compared.window,
        "methods": methods,
        "metrics": describe_metrics(found.metrics),
        "agreement": describe_agreement(found.agreement),
        "conflicts": describe_disagreements(compared.disagreements.disagreements),
    }
