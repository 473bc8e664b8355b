"""Judge explanations by what people marked: file by file, and all files together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.datasets.listing import counted, label_of, some
from xai_tf.errors import InputError
from xai_tf.inputs.sample import Sample
from xai_tf.regions.audit import Audit, AuditedFile, audit
from xai_tf.regions.marks import Mark, place_marks
from xai_tf.regions.registry import Regions
from xai_tf.regions.yardstick import (
    BLIND_MAPS,
    PRIOR,
    MarkScores,
    check_mask,
    mark_scores,
)
from xai_tf.statistics import Mean, Share, mean, share

PEOPLE = "people"  # the partition
MARKED, UNMARKED = "marked", "not marked"  # its regions
ALL, RIGHT, WRONG = "all", "right", "wrong"  # answers


@dataclass(frozen=True, eq=False, kw_only=True)
class MarkedMap:
    """An explanation and the marks of its file.

    Attributes:
        file: the file.
        method: the name of the method.
        target: the name of the class explained.
        right: whether the answer of the model is right; None where the truth is not known.
        mask: bool array of the size of the map, the marks.
        scores: how well the map finds them; None without signal, or where the marks cover nothing
            or everything.
        blind: the same of maps that know nothing of the model, by their names in `BLIND_MAPS`.
        problem: why there are no scores; "" where there are.
    """

    file: Path
    method: str
    target: str
    right: bool | None
    mask: np.ndarray
    scores: MarkScores | None
    blind: Mapping[str, MarkScores]
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class MarkRow:
    """How well the maps of one method find the marks of many files, or maps that are blind.

    Attributes:
        method: the name of a method, or of a blind map (`BLIND_TITLES`).
        blind: whether the maps know nothing of the model.
        answers: "all", or of the files that the model answers "right" or "wrong".
        files: number of files.
        area: mean share of the picture that is marked.
        pointing: share of the files whose map points at a mark, with its Wilson interval.
        strict_pointing: the same without a tolerance.
        share, density, iou, auc: means of `MarkScores`, with their bootstrap intervals.
        lead: the AUC minus that of the best blind map of the same files, file by file; None for
            blind maps.
    """

    method: str
    blind: bool
    answers: str
    files: int
    area: float
    pointing: Share
    strict_pointing: Share
    share: Mean
    density: Mean
    iou: Mean
    auc: Mean
    lead: Mean | None


def marks_of_class(marks: Sequence[Mark], name: str, only: bool) -> tuple[Mark, ...]:
    """The marks to judge the map of a class by: those of that class and those of any.

    Args:
        marks: the marks of a file.
        name: the class that is explained.
        only: whether there are none else; otherwise all marks count where none is of the class,
            which is predicted wrongly then.
    """
    chosen = tuple(mark for mark in marks if mark.class_name in ("", name))
    return chosen if chosen or only else tuple(marks)


def judge(
    classifier: Classifier,
    explanation: Explanation,
    marks: Sequence[Mark],
    tolerance: int | None = None,
    only: bool = False,
) -> tuple[MarkedMap, tuple[str, ...]]:
    """Judge an explanation of a file by the marks of that file.

    Whether the answer is right is known where the marks are of a class, or the folder of the file
    is named as one. For a model of several labels, the answer is whether the label that is
    explained is found.

    Args:
        classifier: the classifier that was explained.
        explanation: the explanation.
        marks: all marks of its file; those of `marks_of_class` count.
        tolerance: as for `mark_scores`.
        only: as for `marks_of_class`; always so for a model of several labels.

    Returns:
        The judgment, and what a person should know about it, a sentence each.

    Raises:
        InputError: as `place_marks`.
    """
    sample, target = explanation.sample, explanation.target_name
    only = only or explanation.prediction.multi_label
    chosen = marks_of_class(marks, target, only)
    mask, warnings = place_marks(sample, chosen, classifier.read_options)
    scores, blind, problem = None, {}, ""
    try:
        if not chosen:
            raise InputError(f"It has no marks of the class {target}.")
        check_mask(mask, explanation.attribution.shape)
        blind = blind_scores(sample, mask, tolerance)
        scores = mark_scores(explanation.attribution, mask, tolerance)
    except InputError as error:
        problem = str(error)
        warnings = (*warnings, f"{sample.source.name}, {explanation.method.name}: {problem}")
    return (
        MarkedMap(
            file=sample.source,
            method=explanation.method.name,
            target=target,
            right=_is_right(classifier, explanation, chosen),
            mask=mask,
            scores=scores,
            blind=blind,
            problem=problem,
        ),
        warnings,
    )


def blind_scores(
    sample: Sample, mask: np.ndarray, tolerance: int | None = None
) -> dict[str, MarkScores]:
    """How well maps that know nothing of the model find marks, by their names in `BLIND_MAPS`.

    Args:
        sample: the sample.
        mask: bool array of its size, the marks.
        tolerance: as for `mark_scores`.

    Raises:
        InputError: as `mark_scores`.
    """
    seed = int(sample.sha256[:8] or "0", 16)  # of the file, so that its random map stays
    return {
        name: mark_scores(blind_map(sample.image, seed), mask, tolerance)
        for name, blind_map in BLIND_MAPS.items()
    }


def with_marks(audited: AuditedFile, mask: np.ndarray) -> AuditedFile:
    """An audited file with one more partition: what people marked, and the rest."""
    people = {PEOPLE: {MARKED: mask, UNMARKED: ~mask}}
    rows = audit(audited.explanation, Regions(people)).rows
    known = audited.regions
    return replace(
        audited,
        regions=replace(known, partitions={**known.partitions, **people}),
        audit=Audit(audited.audit.source, (*audited.audit.rows, *rows), audited.audit.warnings),
    )


def summarize(judged: Sequence[MarkedMap], tolerance: int | None = None) -> tuple[MarkRow, ...]:
    """All files together: a row for each method and for each map that is blind.

    First of all files, then of those that are answered rightly and wrongly, where both are known.
    Maps without scores are left out. The usual place, the mean of the marks of the other files, is
    there with two files or more.

    Args:
        judged: maps of one size, by one or more methods.
        tolerance: the one that they were judged with.
    """
    scored = [one for one in judged if one.scores is not None]
    blind = _blind_scores(scored, tolerance)
    rows: list[MarkRow] = []
    for answers, wanted in ((ALL, (True, False, None)), (RIGHT, (True,)), (WRONG, (False,))):
        maps = [one for one in scored if one.right in wanted]
        if maps:
            rows += _rows(answers, maps, blind)
    return tuple(rows)


def left_out(judged: Sequence[MarkedMap]) -> str:
    """A sentence on the maps that have no scores; "" where all have."""
    without = [one for one in judged if one.scores is None]
    if not without:
        return ""
    names = some(f"{one.file.name} ({one.method})" for one in without)
    return f"{counted(len(without), 'map')} not judged by the marks: {names}."


def _is_right(
    classifier: Classifier, explanation: Explanation, marks: Sequence[Mark]
) -> bool | None:
    """Whether the answer is right, by the classes of the marks or the folder of the file."""
    classes, prediction = classifier.classes, explanation.prediction
    names = {mark.class_name for mark in marks if mark.class_name}
    if not names:
        label = label_of(explanation.sample.source.parent.name, classes)
        if label is None or prediction.multi_label:
            return None
        names = {classes[label]}
    if prediction.multi_label:
        found = [classes[label] for label in prediction.findings]
        return (explanation.target_name in found) == (explanation.target_name in names)
    return prediction.name in names


def _blind_scores(
    scored: Sequence[MarkedMap], tolerance: int | None
) -> dict[Path, dict[str, MarkScores]]:
    """The scores of all blind maps by file, with the usual place among them."""
    by_file = {one.file: one for one in scored}
    blind = {path: dict(one.blind) for path, one in by_file.items()}
    if len(by_file) > 1:
        total = np.sum([one.mask for one in by_file.values()], axis=0, dtype=np.float64)
        for path, one in by_file.items():
            others = total - one.mask
            if np.ptp(others) > 0:
                blind[path][PRIOR] = mark_scores(others, one.mask, tolerance)
    return blind


def _rows(
    answers: str, maps: Sequence[MarkedMap], blind: Mapping[Path, Mapping[str, MarkScores]]
) -> Iterator[MarkRow]:
    paths = list(dict.fromkeys(one.file for one in maps))
    names = [name for name in (*BLIND_MAPS, PRIOR) if all(name in blind[path] for path in paths)]
    best = max(names, key=lambda name: np.mean([blind[path][name].auc for path in paths]))
    for method in dict.fromkeys(one.method for one in maps):
        scores = {one.file: one.scores for one in maps if one.method == method and one.scores}
        leads = [found.auc - blind[path][best].auc for path, found in scores.items()]
        yield _row(method, answers, list(scores.values()), mean(leads))
    for name in names:
        yield _row(name, answers, [blind[path][name] for path in paths], None)


def _row(method: str, answers: str, scores: Sequence[MarkScores], lead: Mean | None) -> MarkRow:
    return MarkRow(
        method=method,
        blind=lead is None,
        answers=answers,
        files=len(scores),
        area=float(np.mean([one.area for one in scores])),
        pointing=share(sum(one.pointing for one in scores), len(scores)),
        strict_pointing=share(sum(one.strict_pointing for one in scores), len(scores)),
        share=mean([one.share for one in scores if one.share is not None]),
        density=mean([one.density for one in scores if one.density is not None]),
        iou=mean([one.iou for one in scores]),
        auc=mean([one.auc for one in scores]),
        lead=lead,
    )
