"""The files that interventions change: labeled, and answered rightly as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from xai_tf.classifiers.classifier import BATCH, Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.datasets.listing import Entry, some
from xai_tf.errors import InputError, SettingError
from xai_tf.evaluation.predictions import find_labeled
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress, silent

T = TypeVar("T")
MAX_FILES = 500  # more are drawn from; as many of 224x224 pixels take 300 MB


@dataclass(frozen=True)
class Answers:
    """The answers that are told apart.

    Attributes:
        names: of the answers: the classes; or "not Edema" and "Edema", where one class is asked.
        asked: the index of the class that is asked; None where all classes are.
    """

    names: tuple[str, ...]
    asked: int | None = None

    def given(self, prediction: Prediction) -> int:
        """The index of the answer in a prediction."""
        if self.asked is None:
            return prediction.label
        return int(self.asked in prediction.findings)

    def true(self, entry: Entry) -> int:
        """The index of the right answer for a labeled file."""
        return entry.label if self.asked is None else int(self.asked in entry.labels)

    def probability(self, prediction: Prediction, answer: int) -> float:
        """The probability of an answer, 0 to 1."""
        if self.asked is None:
            return float(prediction.probabilities[answer])
        found = float(prediction.probabilities[self.asked])
        return found if answer else 1 - found


@dataclass(frozen=True, eq=False)
class Case:
    """A file that is answered rightly.

    Attributes:
        sample: the file; of a long recording the window that shows the answer most surely.
        answer: the index of the answer.
    """

    sample: Sample
    answer: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Cases:
    """The files that interventions change.

    Attributes:
        classifier: the model that answers.
        source: the folder or CSV file of the files.
        answers: the answers that are told apart.
        cases: the files that are answered rightly.
        unreadable: (file, reason) for those that cannot be read.
        notes: what was left out, in sentences.
        passes: forward passes that it took to find them.
    """

    classifier: Classifier
    source: Path
    answers: Answers
    cases: tuple[Case, ...]
    unreadable: tuple[tuple[Path, str], ...] = ()
    notes: tuple[str, ...] = ()
    passes: int = 0

    def answer(self, samples: Iterable[Sample]) -> Iterator[int]:
        """The index of the answer for each sample; predicts in batches, as samples are drawn."""
        for batch in _batches(samples):
            for prediction in self.classifier.predict(list(batch)):
                yield self.answers.given(prediction)

    @property
    def chance(self) -> float:
        """The share of the most frequent answer, which a model reaches that sees nothing."""
        return max(Counter(case.answer for case in self.cases).values()) / len(self.cases)


def answers_of(classifier: Classifier, target: str | None = None) -> Answers:
    """The answers of a classifier that are told apart.

    Args:
        classifier: the model.
        target: the class that is asked, by name or index; all classes if left out.

    Raises:
        SettingError: the model has several labels, and none is asked.
        UnknownNameError: there is no such class.
    """
    if target is not None:
        label = classifier.label(target)
        name = classifier.classes[label]
        return Answers((f"not {name}", name), label)
    if classifier.head.multi_label:
        raise SettingError(
            f"{classifier.name!r} has several labels, each a question of its own. Give the one to "
            f"ask: --target {classifier.classes[0]}, for example."
        )
    return Answers(classifier.classes)


def read_cases(
    classifier: Classifier,
    source: Path,
    target: str | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Cases:
    """Read labeled files, and keep those that the classifier answers rightly.

    What is answered wrongly as it is says nothing of what a change does. Of more than 500 files,
    500 are drawn.

    Args:
        classifier: the model.
        source: a folder with a folder for each class, or a CSV file, as for `xai-tf errors`.
        target: the class that is asked; needed for a model of several labels.
        seed: of the files that are drawn.
        progress: called before each file.

    Raises:
        InputError: there are no labeled files, none can be read, or none is answered rightly.
        SettingError, UnknownNameError: see `answers_of`.
    """
    answers = answers_of(classifier, target)
    labeled = find_labeled(
        source,
        classifier.name,
        classifier.classes,
        classifier.task,
        multi_label=classifier.head.multi_label,
    )
    entries, notes = _drawn(labeled.entries, seed)
    notes += [f"{path.name}: {reason}" for path, reason in labeled.left_out]
    unreadable, found = list[tuple[Path, str]](), list[Case]()
    passes = wrong = 0

    def readable() -> Iterator[tuple[Entry, list[Sample]]]:
        for number, entry in enumerate(entries):
            progress(number, len(entries), f"reading {entry.path.name}")
            try:
                yield entry, classifier.windows(entry.path)
            except InputError as error:
                reason = str(error).replace(str(entry.path), entry.path.name)
                unreadable.append((entry.path, reason))

    for batch in _batches(readable()):
        windows = [sample for _, samples in batch for sample in samples]
        predictions = iter(classifier.predict(windows))
        passes += len(windows)
        for entry, samples in batch:
            case = _case(answers, entry, samples, [next(predictions) for _ in samples])
            wrong += case is None
            found += [case] if case else []
    progress(len(entries), len(entries), "reading")
    if not found and not wrong:
        raise InputError(
            f"Cannot read any file of {source}: {some(reason for _, reason in unreadable)}"
        )
    if not found:
        raise InputError(
            f"{classifier.name!r} answers none of the {wrong} files of {source} rightly, so there "
            "is no answer to change. Check that the folder and the preprocessing fit the model."
        )
    if wrong:
        plural = "files that are" if wrong > 1 else "file that is"
        notes.append(f"{wrong} {plural} answered wrongly as they are left out.")
    return Cases(
        classifier=classifier,
        source=source,
        answers=answers,
        cases=tuple(found),
        unreadable=tuple(unreadable),
        notes=tuple(notes),
        passes=passes,
    )


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Lists of as many items as one pass takes; the items are drawn list by list."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _drawn(entries: Sequence[Entry], seed: int) -> tuple[list[Entry], list[str]]:
    if len(entries) <= MAX_FILES:
        return list(entries), []
    chosen = np.random.default_rng(seed).choice(len(entries), MAX_FILES, replace=False)
    note = f"{MAX_FILES} of {len(entries)} files are used, drawn with seed {seed}."
    return [entries[number] for number in sorted(chosen)], [note]


def _case(
    answers: Answers, entry: Entry, samples: list[Sample], predictions: list[Prediction]
) -> Case | None:
    """The window that shows the right answer most surely; None where none shows it."""
    truth = answers.true(entry)
    sure = [answers.probability(prediction, truth) for prediction in predictions]
    best = int(np.argmax(sure))
    if answers.given(predictions[best]) != truth:
        return None
    return Case(replace(samples[best], label=None), truth)
