"""Where a region lies in each of many files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.errors import InputError, SettingError, UnknownNameError, nearest, pick
from xai_tf.inputs.sample import Sample
from xai_tf.inputs.task import Task
from xai_tf.interventions.cases import Case, Cases
from xai_tf.progress import Progress, silent
from xai_tf.regions.partition import NotFoundError
from xai_tf.regions.registry import ANYTHING, PARTITIONS

# Why a file is left out.
GUESS, MISSING = "the region is not found or a guess", "it is not in the file"
EVERYTHING = "it covers the whole file"


@dataclass(frozen=True)
class Region:
    """A region, or several of one partition together.

    Attributes:
        partition: its partition, a name in `PARTITIONS`.
        names: the names of the regions.
    """

    partition: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        """With its article, in the middle of a sentence: "the lungs"."""
        plain = all(name.split()[0] not in _PLACES and not name[0].isdigit() for name in self.names)
        if plain:
            return f"the {' and '.join(self.names)}"
        return f"the region{'s' * (len(self.names) > 1)} " + " and ".join(map(repr, self.names))

    @property
    def belongs(self) -> bool | None:
        """Whether evidence belongs here; None where the partition has no opinion."""
        partition = PARTITIONS[self.partition]
        if set(self.names) <= set(partition.expected):
            return True
        return False if set(self.names) <= set(partition.limits) else None


_PLACES = ("outside", "between", "below", "above", "upper", "lower")


@dataclass(frozen=True, eq=False)
class Located:
    """A region in each of many files.

    Attributes:
        region: the region.
        cases: the files in which it is found for certain, and covers something but not all.
        masks: a bool array of shape (height, width) for each.
        notes: which files were left out, in sentences.
    """

    region: Region
    cases: Cases
    masks: tuple[np.ndarray, ...]
    notes: tuple[str, ...] = ()


def usual_region(task: Task | None) -> str:
    """The region where the evidence of a task is expected, such as "lungs"; else empty."""
    for name in task.regions if task else ():
        if PARTITIONS[name].expected:
            return ",".join(PARTITIONS[name].expected)
    return ""


def locate(
    cases: Cases, region: str, by: Sequence[str] = (), progress: Progress = silent
) -> Located:
    """Find a region in files.

    Args:
        cases: the files.
        region: its name, or several of one partition, separated by commas.
        by: the partitions to look in, names in `PARTITIONS`; those of the task and "frame" if left
            out.
        progress: called before each file.

    Raises:
        UnknownNameError: there is no such region or partition.
        SettingError: no region is named.
        InputError: no file has it, or it covers everything in all.
    """
    names = tuple(name.strip() for name in region.split(",") if name.strip())
    if not names:
        raise SettingError("No region is named. Give one, such as corners.")
    task = cases.classifier.task
    own = (*(task.regions if task else ()), *ANYTHING)
    search = _Search(names, tuple(by) or tuple(dict.fromkeys(own)))
    kept, masks = list[Case](), list[np.ndarray]()
    left_out: Counter[str] = Counter()
    for number, case in enumerate(cases.cases):
        progress(number, len(cases.cases), f"finding {region} in {case.sample.source.name}")
        found = search.mask(case.sample)
        if isinstance(found, str):
            left_out[found] += 1
            continue
        kept.append(case)
        masks.append(found)
    progress(len(cases.cases), len(cases.cases), f"finding {region}")
    if not kept:
        raise InputError(
            f"No file of {cases.source} can be tested by {region!r}: {_told(left_out)}. Name "
            "another region, or check that the files match the task."
        )
    notes = (f"Left out: {_told(left_out)}.",) if left_out else ()
    some = Cases(**{**vars(cases), "cases": tuple(kept)})
    return Located(Region(search.partition, names), some, tuple(masks), notes)


def _told(left_out: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count} file{'s' * (count > 1)} because {why}" for why, count in left_out.items()
    )


class _Search:
    """Looks for regions by name; the partition is the first that has them."""

    def __init__(self, names: tuple[str, ...], partitions: Sequence[str]) -> None:
        for name in partitions:
            pick(PARTITIONS, name, "partition")
        self.partition, self._names, self._partitions = "", names, partitions
        self._known: dict[str, list[str]] = {}

    def mask(self, sample: Sample) -> np.ndarray | str:
        """The mask of the regions together, or why there is none."""
        for name in [self.partition] if self.partition else self._partitions:
            masks, certain = _find(name, sample)
            if masks:
                self._known[name] = list(masks)
            if masks and set(self._names) <= set(masks):
                self.partition = name
                mask = np.any([masks[one] for one in self._names], axis=0)
                if not certain:
                    return GUESS
                return MISSING if not mask.any() else EVERYTHING if mask.all() else mask
        if not self.partition and len(self._known) == len(self._partitions):
            self._refuse()
        return GUESS

    def _refuse(self) -> None:
        known = [region for regions in self._known.values() for region in regions]
        for name in self._names:
            if name not in known:
                raise UnknownNameError(f"There is no region {name!r}. {nearest(name, known)}")
        raise SettingError(
            f"{', '.join(self._names)} are regions of several partitions. Name those of one."
        )


def _find(name: str, sample: Sample) -> tuple[Mapping[str, np.ndarray], bool]:
    """The masks of a partition by region, and whether they are certain; empty without any."""
    try:
        return PARTITIONS[name].find(sample), True
    except NotFoundError as error:
        return error.guess, False
