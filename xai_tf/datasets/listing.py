"""What labelled data consists of, before any file is read: files with class, split and group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

# Other names of the classes of our tasks, in data sets that people train on.
SYNONYMS = {
    "human": ("real", "bonafide", "bona-fide"),
    "synthetic": ("fake", "spoof", "spoofed"),
}


@dataclass(frozen=True)
class DataOptions:
    """How labelled data is found, parted and read.

    Attributes:
        layout: a name in `layouts.LAYOUTS`, or "auto" to look.
        finding: the column of a CSV file that says whether something was found (1, 0, -1 or blank).
        uncertain: what a finding of -1 counts as: "ignore", "positive" or "negative".
        frontal_only: leave out what a column "Frontal/Lateral" of a CSV file calls lateral.
        group: a regular expression, searched in the path of each file below the source. What its
            first group matches (a patient, a speaker) stays on one side.
        validation: share of the files that validate, where the source does not say which.
        test: share of the files that test, where the source does not say which.
        skip_bad: leave out files that are missing or cannot be read, instead of stopping.
        allow_leak: names of files (or of groups) that may be on two sides; "all" for any.
    """

    layout: str = "auto"
    finding: str | None = None
    uncertain: str = "ignore"
    frontal_only: bool = False
    group: str | None = None
    validation: float = 0.15
    test: float = 0.15
    skip_bad: bool = False
    allow_leak: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A file and what is known of it.

    Attributes:
        path: the file.
        label: index of its class.
        split: "train", "validation" or "test"; empty where the source does not say.
        group: what must stay on one side of a split, such as a patient; the file itself where
            nothing is known.
    """

    path: Path
    label: int
    split: str = ""
    group: str = ""


@dataclass(frozen=True)
class Listing:
    """The files of a data set.

    Attributes:
        entries: the files.
        classes: the names of the classes.
        notes: what a person should know of how they were found, a sentence each.
    """

    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def where(self, wanted: Callable[[Entry], bool]) -> Listing:
        """The entries that are wanted."""
        return replace(self, entries=tuple(filter(wanted, self.entries)))

    def missing(self) -> list[str]:
        """The names of the classes without any file."""
        counts = Counter(entry.label for entry in self.entries)
        return [name for label, name in enumerate(self.classes) if not counts[label]]


def label_of(name: str, classes: Iterable[str]) -> int | None:
    """The index of the class that a name, or a synonym of it, stands for; None if of none."""
    for label, known in enumerate(classes):
        if name == known or name.lower() in SYNONYMS.get(known, ()):
            return label
    return None


def counted(number: int, noun: str) -> str:
    """A number with its noun, for a message."""
    return f"{number} {noun}{'s' * (number != 1)}"


def some(names: Iterable[object], count: int = 3) -> str:
    """The first few of many, for a message."""
    given = [str(name) for name in names]
    rest = f" and {len(given) - count} more" if len(given) > count else ""
    return ", ".join(given[:count]) + rest
