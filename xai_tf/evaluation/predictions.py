"""Run a classifier on labeled files: find them, and predict each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.classifiers.classifier import BATCH, Classifier
from xai_tf.classifiers.ood import file_ood_score, predict_with_ood_scores
from xai_tf.datasets.layouts import find_listing, label_in_path, readable_files, split_in_path
from xai_tf.datasets.listing import DataOptions, Entry, Listing, counted, some
from xai_tf.errors import InputError
from xai_tf.inputs.sample import PICTURE_SUFFIXES, Sample, read_image
from xai_tf.inputs.task import Task
from xai_tf.progress import Progress, silent

# For a model without a task: its files are found and read as pictures.
PICTURES = Task(
    name="pictures",
    title="Pictures",
    question="What does this picture show?",
    classes=(),
    reader=read_image,
    augment=lambda sample, rng: sample.image,
    suffixes=PICTURE_SUFFIXES,
)


@dataclass(frozen=True)
class LabeledFiles:
    """Labeled files of a classifier's classes.

    Attributes:
        source: the folder or CSV file they were found in.
        entries: the files and their labels, indices into the classes of the classifier.
        left_out: (file or folder, reason) for other files that are there.
    """

    source: Path
    entries: tuple[Entry, ...]
    left_out: tuple[tuple[Path, str], ...]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The predictions of a classifier for labeled files.

    Attributes:
        model: the name of the classifier.
        folder: the folder or CSV file of the files.
        classes: the classes of the classifier.
        files: the files that could be read.
        labels: for each file the index of its true class; empty with `multi_label`.
        label_sets: with `multi_label` for each file the indices of all its true labels.
        logits: for each file a tuple of floats.
        probabilities: for each file a tuple of floats.
        skipped: (file or folder, reason) for those that were not predicted.
        out_of_distribution: for each file whether it is out of distribution (see
            `xai_tf.classifiers.ood`); empty where the model has no OOD detector.
        multi_label: whether each class is a question of its own, so that several may be true.
        thresholds: with `multi_label` the probability of each label from which it is predicted.
    """

    model: str
    folder: Path
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    labels: tuple[int, ...]
    logits: tuple[tuple[float, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]
    skipped: tuple[tuple[Path, str], ...]
    out_of_distribution: tuple[bool, ...] = ()
    multi_label: bool = False
    thresholds: tuple[float, ...] = ()
    label_sets: tuple[tuple[int, ...], ...] = ()

    @property
    def flagged(self) -> np.ndarray | None:
        """`out_of_distribution` as a bool array of shape (files,); None without an OOD detector."""
        return np.array(self.out_of_distribution) if self.out_of_distribution else None

    def name_of(self, path: Path) -> str:
        """The path of a file below the folder."""
        base = self.folder.parent if self.folder.suffix else self.folder
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def find_labeled(
    source: Path,
    model: str,
    classes: Sequence[str],
    task: Task | None,
    split: str = "",
    multi_label: bool = False,
) -> LabeledFiles:
    """Find the labeled files of a folder or CSV file, by the names of classes or their synonyms.

    A folder without files of a class is accepted if it contains only folders of the others; the
    missing class is noted in `left_out`.

    Args:
        source: a folder or a CSV file, as for `find_listing`.
        model: the name of the classifier, for messages.
        classes: the classes of the classifier.
        task: how its files are read; None reads them as pictures.
        split: "train", "validation" or "test", for a source with splits; empty for all files.
        multi_label: whether a file may have several of the classes, or none.

    Raises:
        InputError: there are no files, or the folders or labels do not match the classes.
    """
    task = replace(task or PICTURES, classes=tuple(classes))
    listing = _listing(source, model, task, multi_label)
    left_out = [*_other_files(source, listing.entries, task.suffixes)]
    left_out += [(source, note) for note in listing.notes]
    splits = sorted({entry.split for entry in listing.entries if entry.split})
    chosen = [entry for entry in listing.entries if split in ("", entry.split)]
    if not chosen:
        raise InputError(
            f"{source} has no split {split!r}; it has {some(splits)}. Choose another split, or all "
            "files."
            if splits
            else f"{source} has no split {split!r}: its files are not divided. Use all of them, or "
            "move them into folders named train, validation and test."
        )
    return LabeledFiles(source, tuple(chosen), tuple(left_out))


def training_files(labeled: LabeledFiles) -> LabeledFiles:
    """The files of the training split; all files of a source without splits."""
    training = tuple(entry for entry in labeled.entries if entry.split == "train")
    return replace(labeled, entries=training or labeled.entries)


def predict_labeled(
    classifier: Classifier, labeled: LabeledFiles, progress: Progress = silent
) -> Predictions:
    """Predict labeled files; for a long recording, the mean of its windows.

    Files that cannot be read are skipped. Only one batch of files is in memory at a time.

    Args:
        classifier: the classifier.
        labeled: the files.
        progress: called with (files done, files in all, what is done now); an exception raised in
            it stops the work.

    Raises:
        InputError: none of the files can be read.
    """
    skipped, multi_label = list(labeled.left_out), classifier.head.multi_label
    waiting: list[tuple[Entry, list[Sample]]] = []
    entries: list[Entry] = []
    logits: list[np.ndarray] = []
    out_of_distribution: list[bool] = []

    def predict_waiting() -> None:
        file_logits, flags = predict_windows(classifier, [samples for _, samples in waiting])
        logits.extend(file_logits)
        out_of_distribution.extend(flags)
        entries.extend(entry for entry, _ in waiting)
        waiting.clear()

    for number, entry in enumerate(labeled.entries):
        progress(number, len(labeled.entries), f"predicting {entry.path.name}")
        try:
            waiting.append((entry, classifier.windows(entry.path)))
        except InputError as error:
            reason = str(error).replace(str(entry.path), entry.path.name)
            skipped.append((entry.path, reason))
        if sum(len(samples) for _, samples in waiting) >= BATCH:
            predict_waiting()
    predict_waiting()
    progress(len(labeled.entries), len(labeled.entries), "predicting")
    if not entries:
        raise InputError(
            f"Cannot read any file of {labeled.source}: {some(reason for _, reason in skipped)}"
        )
    return Predictions(
        model=classifier.name,
        folder=labeled.source,
        classes=classifier.classes,
        files=tuple(entry.path for entry in entries),
        labels=() if multi_label else tuple(entry.label for entry in entries),
        label_sets=tuple(entry.labels for entry in entries) if multi_label else (),
        logits=tuple(tuple(row.tolist()) for row in logits),
        probabilities=tuple(
            tuple(row) for row in classifier.probabilities(np.stack(logits)).tolist()
        ),
        skipped=tuple(skipped),
        out_of_distribution=tuple(out_of_distribution),
        multi_label=multi_label,
        thresholds=classifier.thresholds,
    )


def predict_windows(
    classifier: Classifier, files: Sequence[list[Sample]]
) -> tuple[list[np.ndarray], list[bool]]:
    """Predict files that are read, in batches of windows.

    Returns:
        The logits of each file, the mean of its windows'; and whether each is out of distribution,
        empty where the model has no OOD detector.
    """
    if not files:
        return [], []
    windows = [sample for samples in files for sample in samples]
    predictions, scores = predict_with_ood_scores(classifier, windows)
    logits, out_of_distribution, start = [], [], 0
    for samples in files:
        rows = slice(start, start := start + len(samples))
        logits.append(np.mean([prediction.logits for prediction in predictions[rows]], axis=0))
        score = file_ood_score(scores[rows] if scores else None)
        if score:
            out_of_distribution.append(score.out_of_distribution)
    return logits, out_of_distribution


def _listing(source: Path, model: str, task: Task, multi_label: bool) -> Listing:
    try:
        listing = find_listing(source, task, DataOptions(skip_bad=True, multi_label=multi_label))
        absent = some(listing.missing_classes())
        if not absent:
            return listing
        note = f"No file has the label {absent}, so its recall cannot be measured."
        return replace(listing, notes=(*listing.notes, note))
    except InputError as error:
        entries = _entries_of_some_classes(source, task)
        if not entries:
            raise InputError(
                f"{error} The classes of {model} are {', '.join(task.classes)}."
            ) from error
        listing = Listing(tuple(entries), task.classes)
        missing = some(listing.missing_classes())
        note = f"No file of class {missing}, so its recall cannot be measured."
        return replace(listing, notes=(note,))


def _entries_of_some_classes(source: Path, task: Task) -> list[Entry]:
    """The files of a folder that lacks a class, if all are in folders that are named as classes.

    Empty where some are not: a folder may have a wrong name, and its files would be missing.
    """
    entries = []
    for path in readable_files(source, task.suffixes) if source.is_dir() else []:
        label = label_in_path(path, source, task.classes)
        if label is None:
            return []
        entries.append(Entry(path, (label,), split_in_path(path, source), str(path)))
    return entries


def _other_files(
    source: Path, entries: Sequence[Entry], suffixes: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """Notes on files outside class folders, and on folders that are no class of the model."""
    if source.is_file():
        return
    listed = {entry.path for entry in entries}
    parents = {parent for path in listed for parent in path.parents}
    levels = {parent for parent in parents if parent.is_relative_to(source)}
    for level in sorted(levels):
        readable = (path for path in level.iterdir() if path.suffix.lower() in suffixes)
        loose = [p for p in readable if p.is_file() and p.name[0] != "." and p not in listed]
        if loose:
            yield level, f"{counted(len(loose), 'file')} outside of class folders skipped."
    for folder in sorted(path for level in levels for path in level.iterdir() if path.is_dir()):
        if folder in parents or folder.name.startswith("."):
            continue
        if files := readable_files(folder, suffixes):
            skipped = f"{counted(len(files), 'file')} skipped."
            yield folder, f"{folder.name} is not a class of the model: {skipped}"
