"""A model on labeled files, and its errors as a page and as JSON: what `xai-tf errors` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xai_tf.attribution.methods import DEFAULT_METHOD, METHODS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.datasets.groups import check_rule, find_groups
from xai_tf.errors import OutputError, SettingError, pick
from xai_tf.evaluation.by_group import GroupResults, evaluate_groups
from xai_tf.evaluation.corruptions import ALL, CORRUPTIONS, Corruption, picked_corruptions
from xai_tf.evaluation.labels import LabelResults
from xai_tf.evaluation.mistakes import Mistake, study_mistakes
from xai_tf.evaluation.nearest import FeatureIndex, build_feature_index
from xai_tf.evaluation.predictions import (
    LabeledFiles,
    find_labeled,
    predict_labeled,
    training_files,
)
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.evaluation.robustness import MOST_TURNED, CorruptionResults, measure_corruptions
from xai_tf.files import check_free, write_file
from xai_tf.progress import Progress, silent
from xai_tf.regions.mark_files import read_marks
from xai_tf.regions.marks import find_marks
from xai_tf.reports.class_mistakes import ClassMistakesReport
from xai_tf.reports.html import check_page
from xai_tf.reports.label_mistakes import LabelMistakesReport
from xai_tf.reports.marks import judge_mistakes

PAGE, DATA = "errors.html", "errors.json"


@dataclass(frozen=True, kw_only=True)
class ErrorSettings:
    """Which files a model is tried on, and how its errors are explained.

    Attributes:
        source: the labeled files: a folder or a CSV file.
        method: a name in `METHODS`.
        top: number of mistakes to explain, at most.
        train: the training data of the model, to find similar samples in; none if left out.
        split: "train", "validation" or "test", where the source has splits. If left out, the test
            split where there is one, else all files.
        out: folder for the page and the JSON file.
        overwrite: whether an earlier page may be replaced.
        marks: places that people marked in the files, as `regions.read_marks` takes them; their
            outlines are drawn and the maps judged by them.
        groups: how the group of a file is found, as for `find_groups`; None evaluates none.
        corrupt: names in `CORRUPTIONS`, or "all", to measure how far the answers hold.
        most_turned: the share of answers that may turn before a level counts as too much, 0 to 1.
    """

    source: Path
    method: str = DEFAULT_METHOD
    top: int = 12
    train: Path | None = None
    split: str | None = None
    out: Path = Path("errors")
    overwrite: bool = False
    marks: Path | None = None
    groups: str | None = None
    corrupt: tuple[str, ...] = ()
    most_turned: float = MOST_TURNED

    def __post_init__(self) -> None:
        # In a notebook people type paths as text.
        for name in ("source", "train", "out", "marks"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(given))

    def check(self) -> None:
        """Check what can be checked before the model is loaded.

        Raises:
            UnknownNameError: there is no such method or corruption.
            InputError: there are no marks, or one is invalid; or there is no file of groups.
            SettingError: the rule of the groups or the share of turned answers is invalid.
            OutputError: the folder is a file, or holds an earlier page, or one that was not
                written by xai-tf.
        """
        pick(METHODS, self.method, "method")
        if self.marks:
            read_marks(self.marks)
        if self.groups is not None:
            check_rule(self.groups)
        for name in self.corrupt:
            if name != ALL:
                pick(CORRUPTIONS, name, "corruption")
        if not 0 <= self.most_turned < 1:
            raise SettingError(
                f"Invalid value for --turned: {self.most_turned}. Expected a share from 0 to below "
                "1, such as 0.05."
            )
        if self.out.exists() and not self.out.is_dir():
            raise OutputError(f"{self.out} is not a folder. Use another --out.")
        check_page(self.out / PAGE)
        check_free(self.out / PAGE, self.overwrite)
        if (self.out / DATA).exists() and not (self.out / PAGE).exists():
            raise OutputError(
                f"{self.out / DATA} exists and was not written by xai-tf. Use another --out."
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class ErrorReport:
    """The errors of a model, explained and written.

    Attributes:
        page: the HTML page.
        results: what the model predicts for all files; `LabelResults` of a model of several labels.
        mistakes: the errors that were explained, the worst first.
        groups: the results on each group, where groups were given.
        corruptions: how far the answers hold, where that was measured.
        unreadable: (file, why) of labeled files that could not be read.
        warnings: what a person should know of the other files, a sentence each.
        described: what is in the JSON file.
    """

    page: Path
    results: EvaluationResults | LabelResults
    mistakes: tuple[Mistake, ...]
    groups: GroupResults | None
    corruptions: CorruptionResults | None
    unreadable: tuple[tuple[Path, str], ...]
    warnings: tuple[str, ...]
    described: Mapping[str, Any]


def report_errors(
    classifier: Classifier,
    settings: ErrorSettings,
    progress: Progress = silent,
    notify: Callable[[str], None] = lambda text: None,
) -> ErrorReport:
    """Predict labeled files, explain the most confident errors, and write a page and JSON.

    Args:
        classifier: the model.
        settings: which files it is tried on, and how its errors are explained.
        progress: called with (steps done, steps in all, what runs now) of each stage.
        notify: called with each remark that is due before the work.

    Raises:
        InputError: the labeled files, the training data or the marks cannot be found or read.
        ModelError: the method needs a feature map, and the model has none.
        OutputError: as `ErrorSettings.check`.
    """
    settings.check()
    if METHODS[settings.method].needs_layer:
        classifier.feature_layer(None)
    labeled = _labeled_files(classifier, settings, notify)
    files = [entry.path for entry in labeled.entries]
    marks = (
        find_marks(read_marks(settings.marks), classifier.classes, files)
        if settings.marks
        else None
    )
    if settings.groups is not None:  # which fails before the work where it would fail after it
        find_groups(files, labeled.source, classifier.classes, settings.groups)
    corruptions = _corruptions(classifier, settings)
    training = _training_files(classifier, settings.train)
    predictions = predict_labeled(classifier, labeled, _named(progress, "predicting"))
    results = (LabelResults if predictions.multi_label else EvaluationResults)(predictions)
    groups = _evaluated_groups(results, settings.groups)
    for text in groups.notes if groups else ():
        notify(text)
    held = (
        measure_corruptions(classifier, labeled, corruptions, settings.most_turned, progress)
        if corruptions
        else None
    )
    index = (
        build_feature_index(classifier, training, _named(progress, "training samples"))
        if training
        else None
    )
    mistakes, lost = study_mistakes(
        classifier, results, settings.method, settings.top, index, _named(progress, "explaining")
    )
    beside = _beside(results, training)
    left_out = [*lost, *beside, *(index.left_out if index else ())]
    kind: Any = LabelMistakesReport if predictions.multi_label else ClassMistakesReport
    judged = judge_mistakes(classifier, mistakes, *marks) if marks else None
    for text in judged.notes if judged else ():
        notify(text)
    report = kind(classifier, results, mistakes, left_out, judged, groups, held)
    described = report.to_dict()
    return ErrorReport(
        page=_write(settings.out, report.page(), described),
        results=results,
        mistakes=tuple(mistakes),
        groups=groups,
        corruptions=held,
        unreadable=(*_unreadable(labeled, results), *lost),
        warnings=_warnings(labeled, results, mistakes, beside, index),
        described=described,
    )


def _corruptions(classifier: Classifier, settings: ErrorSettings) -> tuple[Corruption, ...]:
    """The corruptions to try, which must fit the files of the model."""
    if not settings.corrupt:
        return ()
    sounds = classifier.task is not None and classifier.task.takes_sound
    return picked_corruptions(settings.corrupt, sounds)


def _evaluated_groups(
    results: EvaluationResults | LabelResults, rule: str | None
) -> GroupResults | None:
    if rule is None:
        return None
    found = results.predictions
    return evaluate_groups(results, find_groups(found.files, found.folder, found.classes, rule))


def _write(folder: Path, html: str, described: Mapping[str, Any]) -> Path:
    """Write the page and the JSON file; return the page."""
    write_file(folder / PAGE, html)
    write_file(folder / DATA, json.dumps(described, indent=1, allow_nan=False))
    return folder / PAGE


def _unreadable(
    labeled: LabeledFiles, results: EvaluationResults | LabelResults
) -> list[tuple[Path, str]]:
    """The labeled files that could not be read."""
    paths = _paths(labeled)
    return [one for one in results.predictions.skipped if one[0] in paths]


def _labeled_files(
    classifier: Classifier, settings: ErrorSettings, notify: Callable[[str], None]
) -> LabeledFiles:
    labeled = _find(classifier, settings.source, settings.split or "")
    if settings.split is None and any(entry.split == "test" for entry in labeled.entries):
        labeled = _find(classifier, settings.source, "test")
        notify(f"Using the test split of {settings.source}. Choose another with --split.")
    return labeled


def _training_files(classifier: Classifier, folder: Path | None) -> LabeledFiles | None:
    return training_files(_find(classifier, folder)) if folder else None


def _find(classifier: Classifier, source: Path, split: str = "") -> LabeledFiles:
    names = (classifier.name, classifier.classes, classifier.task)
    return find_labeled(source, *names, split, classifier.head.multi_label)


def _named(progress: Progress, stage: str) -> Progress:
    """A progress that names the stage that runs."""

    def named(done: int, total: int, what: str = "") -> None:
        progress(done, total, what or stage)

    return named


def _beside(
    results: EvaluationResults | LabelResults, training: LabeledFiles | None
) -> list[tuple[Path, str]]:
    """What was left out of the training data, and not of the labeled files too."""
    skipped = results.predictions.skipped
    return [one for one in training.left_out if one not in skipped] if training else []


def _paths(labeled: LabeledFiles) -> set[Path]:
    return {entry.path for entry in labeled.entries}


def _warnings(
    labeled: LabeledFiles,
    results: EvaluationResults | LabelResults,
    mistakes: Sequence[Mistake],
    beside: Sequence[tuple[Path, str]],
    index: FeatureIndex | None,
) -> tuple[str, ...]:
    paths = _paths(labeled)
    left_out = [
        f"{path}: {why}"
        for path, why in (*results.predictions.skipped, *beside)
        if path not in paths
    ]
    samples = [f"Training sample left out: {why}" for _, why in (index.left_out if index else ())]
    of_mistakes = [f"{one.name}: {text}" for one in mistakes for text in one.warnings]
    return (*left_out, *samples, *of_mistakes)
