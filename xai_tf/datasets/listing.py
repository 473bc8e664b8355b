"""Labeled data before any file is read: paths with class, split and group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

# Names that public data sets use for the classes of the bundled tasks.
SYNONYMS = {
    "human": ("real", "bonafide", "bona-fide"),
    "synthetic": ("fake", "spoof", "spoofed"),
}


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How labeled data is found, split and read.

    Attributes:
        layout: a name in `layouts.LAYOUTS`, or "auto" to detect it.
        findings: the columns of a CSV file with a finding each: 1, 0, -1 (uncertain) or blank. One
            tells two classes apart; several are the labels of a model, of which a file may have
            any number.
        uncertain: how to count a finding of -1: "ignore" (leaves the file out), "positive" or
            "negative".
        multi_label: whether a file may have several labels or none; None for what a CSV file shows.
        frontal_only: skip files that the column "Frontal/Lateral" of a CSV file marks as lateral.
        group: a regular expression, searched in the path of each file below the source. Files for
            which its first group matches the same text (a patient, a speaker) stay in one split.
        validation: share of the files for validation, where the source has no such split.
        test: share of the files for testing, where the source has no such split.
        skip_bad: skip files that are missing or cannot be read, instead of stopping.
        allow_leak: names of files (or of groups) that may be in two splits; "all" for any.
    """

    layout: str = "auto"
    findings: tuple[str, ...] = ()
    uncertain: str = "ignore"
    multi_label: bool | None = None
    frontal_only: bool = False
    group: str | None = None
    validation: float = 0.15
    test: float = 0.15
    skip_bad: bool = False
    allow_leak: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A labeled file.

    Attributes:
        path: the file.
        labels: the index of its class; of several labels, the indices of all that are true.
        split: "train", "validation" or "test"; empty where the source does not say.
        group: a name shared by the files that must stay in one split, such as those of a patient;
            the path where no group is known.
    """

    path: Path
    labels: tuple[int, ...]
    split: str = ""
    group: str = ""

    @property
    def label(self) -> int:
        """The index of its class, where a file has one class."""
        (label,) = self.labels
        return label


@dataclass(frozen=True)
class Listing:
    """The files of a data set.

    Attributes:
        entries: the files.
        classes: the names of the classes.
        notes: what a person should know about how they were found, one sentence each.
        multi_label: whether a file may have several labels or none.
    """

    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    multi_label: bool = False

    def where(self, condition: Callable[[Entry], bool]) -> Listing:
        """The listing with only those entries that fulfil a condition."""
        return replace(self, entries=tuple(filter(condition, self.entries)))

    def of_split(self, split: str) -> Listing:
        """The listing with only the entries of one split."""
        return self.where(lambda entry: entry.split == split)

    def missing_classes(self) -> list[str]:
        """The names of the classes that have no file."""
        counts = Counter(label for entry in self.entries for label in entry.labels)
        return [name for label, name in enumerate(self.classes) if not counts[label]]


def label_of(name: str, classes: Iterable[str]) -> int | None:
    """The index of the class with this name or a synonym of it; None where there is none.

    Upper and lower case differ only where two classes differ by nothing else.

    >>> label_of("bonafide", ("human", "synthetic"))
    0
    >>> label_of("NORMAL", ("normal", "opacity"))
    0
    """
    classes = tuple(classes)
    for label, class_name in enumerate(classes):
        if name == class_name or name.lower() in SYNONYMS.get(class_name, ()):
            return label
    alike = [label for label, one in enumerate(classes) if one.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def counted(number: int, noun: str) -> str:
    """A number with its noun, for a message.

    >>> counted(1, "file"), counted(3, "file")
    ('1 file', '3 files')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def some(names: Iterable[object], count: int = 3) -> str:
    """The first few of many names, for a message.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    texts = [str(name) for name in names]
    rest = f" and {len(texts) - count} more" if len(texts) > count else ""
    return ", ".join(texts[:count]) + rest
