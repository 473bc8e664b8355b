"""A classifier on labelled files: which files those are, and what it says of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.classifiers.classifier import BATCH, Classifier
from xai_tf.classifiers.ood import of_file, predict_and_check
from xai_tf.classifiers.prediction import probabilities
from xai_tf.datasets.layouts import find_listing, label_in_path, readable_files, split_in_path
from xai_tf.datasets.listing import DataOptions, Entry, Listing, counted, some
from xai_tf.errors import InputError
from xai_tf.inputs.sample import PICTURE_SUFFIXES, Sample, read_image
from xai_tf.inputs.task import Task
from xai_tf.progress import Progress, silent

# How a model that knows no task has its files found and read: as pictures.
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
class LabelledFiles:
    """Labelled files of a classifier's classes.

    Attributes:
        source: the folder or CSV file they were found in.
        entries: the files and their labels, indices into the classes asked for.
        left_out: (file or folder, why) of what lies there too.
    """

    source: Path
    entries: tuple[Entry, ...]
    left_out: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Predictions:
    """A classifier on labelled files.

    Attributes:
        model: its name.
        folder: where the files are.
        classes: of the classifier.
        files: the files that could be read.
        labels: index of the true class of each.
        logits: of each, a tuple of floats.
        probabilities: of each, a tuple of floats.
        skipped: (file, why) of those that could not be read.
        out_of_distribution: of each file, whether it is unlike what the model was trained on (see
            `xai_tf.classifiers.ood`); empty where that is not checked.
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


def find_labelled(
    source: Path, model: str, classes: Sequence[str], task: Task | None, split: str = ""
) -> LabelledFiles:
    """Find the labelled files of a folder or CSV file, by the names of classes or their synonyms.

    A folder that lacks a class will do, if it holds nothing but the others; what is missing is said
    in `left_out`.

    Args:
        source: as `find_listing` takes it.
        model: a name for messages.
        classes: of the classifier.
        task: how its files are read; as pictures, if it knows none.
        split: "train", "validation" or "test", where the source says which; all if empty.

    Raises:
        InputError: there are none, or the folders or labels are not those of the classes.
    """
    task = replace(task or PICTURES, classes=tuple(classes))
    listing = _listing(source, model, task)
    left_out = [*_other_files(source, listing.entries, task.suffixes)]
    left_out += [(source, note) for note in listing.notes]
    splits = sorted({entry.split for entry in listing.entries if entry.split})
    chosen = [entry for entry in listing.entries if split in ("", entry.split)]
    if not chosen:
        raise InputError(
            f"{source} has no files for {split}; "
            f"it has {some(splits) or 'no parts'}. Choose another part, or all files."
        )
    return LabelledFiles(source, tuple(chosen), tuple(left_out))


def training_files(found: LabelledFiles) -> LabelledFiles:
    """Those that their source calls training files; all, where it does not say."""
    training = tuple(entry for entry in found.entries if entry.split == "train")
    return replace(found, entries=training or found.entries)


def predict_labelled(
    classifier: Classifier, found: LabelledFiles, progress: Progress = silent
) -> Predictions:
    """Predict labelled files; of a long recording, the mean of its windows.

    Files that cannot be read are skipped. Held at a time are the windows of a batch of files.

    Args:
        classifier: what predicts.
        found: what it is tried on.
        progress: called with (files done, files in all, what is done now); an exception raised in
            it stops the work.

    Raises:
        InputError: none of the files can be read.
    """
    skipped, waiting = list(found.left_out), []
    entries: list[Entry] = []
    logits: list[np.ndarray] = []
    out_of_distribution: list[bool] = []

    def predict_waiting() -> None:
        said, doubted = _answers(classifier, [samples for _, samples in waiting])
        logits.extend(said)
        out_of_distribution.extend(doubted)
        entries.extend(entry for entry, _ in waiting)
        waiting.clear()

    for number, entry in enumerate(found.entries):
        progress(number, len(found.entries), f"predicting {entry.path.name}")
        try:
            waiting.append((entry, classifier.windows(entry.path)))
        except InputError as error:
            why = str(error).replace(str(entry.path), entry.path.name)
            skipped.append((entry.path, why))
        if sum(len(samples) for _, samples in waiting) >= BATCH:
            predict_waiting()
    predict_waiting()
    progress(len(found.entries), len(found.entries), "predicting")
    if not entries:
        raise InputError(
            f"No file of {found.source} can be read: {some(why for _, why in skipped)}"
        )
    return Predictions(
        model=classifier.name,
        folder=found.source,
        classes=classifier.classes,
        files=tuple(entry.path for entry in entries),
        labels=tuple(entry.label for entry in entries),
        logits=tuple(tuple(row.tolist()) for row in logits),
        probabilities=tuple(tuple(row) for row in probabilities(np.stack(logits)).tolist()),
        skipped=tuple(skipped),
        out_of_distribution=tuple(out_of_distribution),
    )


def _listing(source: Path, model: str, task: Task) -> Listing:
    try:
        return find_listing(source, task, DataOptions(skip_bad=True))
    except InputError as error:
        entries = _of_some_classes(source, task)
        if not entries:
            raise InputError(
                f"{error} The classes of {model} are {', '.join(task.classes)}."
            ) from error
        listing = Listing(tuple(entries), task.classes)
        missing = f"There is no file of class {some(listing.missing_classes())}: how often that is missed, "
        return replace(listing, notes=(f"{missing}nobody knows.",))


def _of_some_classes(source: Path, task: Task) -> list[Entry]:
    """The files of a folder that lacks a class, if all lie in folders that are named as classes.

    None where some do not: then a folder may be misnamed, and its files would be missing.
    """
    files = readable_files(source, task.suffixes) if source.is_dir() else []
    labels = [label_in_path(path, source, task.classes) for path in files]
    if None in labels:
        return []
    return [
        Entry(path, label, split_in_path(path, source), str(path))
        for path, label in zip(files, labels, strict=True)
    ]


def _answers(
    classifier: Classifier, files: Sequence[list[Sample]]
) -> tuple[list[np.ndarray], list[bool]]:
    """The logits of each file, the mean of its windows; and, where it is checked, if it is odd."""
    if not files:
        return [], []
    predictions, found = predict_and_check(classifier, [s for samples in files for s in samples])
    logits, out_of_distribution, start = [], [], 0
    for samples in files:
        part = slice(start, start := start + len(samples))
        logits.append(np.mean([one.logits for one in predictions[part]], axis=0))
        if found:
            out_of_distribution.append(of_file(found[part]).out_of_distribution)
    return logits, out_of_distribution


def _other_files(
    source: Path, entries: Sequence[Entry], suffixes: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """Folders beside those of the classes that hold files too, and loose files, of no class."""
    if source.is_file():
        return
    listed = {entry.path for entry in entries}
    within = {place for path in listed for place in path.parents}
    levels = {place for place in within if place.is_relative_to(source)}
    for level in sorted(levels):
        readable = (path for path in level.iterdir() if path.suffix.lower() in suffixes)
        loose = [p for p in readable if p.is_file() and p.name[0] != "." and p not in listed]
        if loose:
            yield level, f"{counted(len(loose), 'file')} in no folder of a class left out."
    beside = sorted(place for level in levels for place in level.iterdir() if place.is_dir())
    for place in beside:
        if place in within or place.name.startswith("."):
            continue
        if files := readable_files(place, suffixes):
            yield (
                place,
                f"{place.name} is no class of the model: {counted(len(files), 'file')} left out.",
            )
