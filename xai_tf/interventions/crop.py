"""Cut the border off: does the answer change?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.inputs.resizing import resize
from xai_tf.inputs.sample import Sample
from xai_tf.interventions.cases import Cases
from xai_tf.interventions.finding import (
    MAX_EXAMPLES,
    MIN_COUNT,
    REGION,
    REST,
    UNKNOWN,
    Example,
    Finding,
    Line,
    is_above,
    is_below,
    two_places,
)
from xai_tf.interventions.hiding import changes
from xai_tf.interventions.values import values_of, with_values
from xai_tf.progress import Progress, silent
from xai_tf.statistics import share

CHANGES = "answer changes"
CUTS = (0.02, 0.05, 0.1, 0.15)  # of the width and of the height, at each side
JUDGED = 0.1  # the cut that is judged
TOLERATED = 0.05  # share of answers that a sound model may change with that cut
LIMIT = 0.1  # share of answers that a model whose border does not matter changes at most


@dataclass(frozen=True)
class _Cut:
    """How much of each side is cut off; a control shrinks by as much."""

    share: float
    control: bool


def crop(cases: Cases, progress: Progress = silent) -> Finding:
    """Cut the border off, stretch the rest to the size of the input, and see what changes.

    2, 5, 10 and 15% of the width and height are cut at each side; of sounds, of the time. The
    control changes the scale as much the other way: the picture is shrunk, and its outermost pixels
    go on, so that what is at the border stays there. The answer follows the border where cutting
    10% changes more than 5% of the answers, and more than the control, with the whole interval.

    Args:
        cases: the files.
        progress: called before each input.
    """
    cuts = [_Cut(cut, control) for cut in CUTS for control in (False, True)]
    given = list(cases.answer(_inputs(cases, cuts, progress)))
    progress(len(given), len(given), "cropping")
    count = len(cases.cases)
    answers = {cut: given[k * count : (k + 1) * count] for k, cut in enumerate(cuts)}
    lines = tuple(_line(cases, cut, answers[cut]) for cut in cuts)
    verdict, sentence = _verdict(lines[cuts.index(_Cut(JUDGED, False))], lines[-3])
    few = [f"Less than {MIN_COUNT} files tell nothing. Give more."] if count < MIN_COUNT else []
    return Finding(
        intervention="crop",
        region="",
        lines=lines,
        verdict=verdict,
        accuses=None if verdict == UNKNOWN else verdict == REST,
        sentence=sentence,
        notes=tuple(few),
        files=count,
        passes=len(given),
        examples=tuple(_examples(cases, answers)),
    )


def _inputs(cases: Cases, cuts: Sequence[_Cut], progress: Progress) -> Iterator[Sample]:
    total = len(cuts) * len(cases.cases)
    for number in range(total):
        cut, case = cuts[number // len(cases.cases)], cases.cases[number % len(cases.cases)]
        progress(number, total, f"cropping {case.sample.source.name}")
        yield _changed(cases, case.sample, cut)


def _changed(cases: Cases, sample: Sample, cut: _Cut) -> Sample:
    """The sample after a cut; a sound keeps its frequencies."""
    task = cases.classifier.task
    recipe = task.recipe if task else None
    values = values_of(sample, recipe)
    height, width = values.shape[:2]
    # The control is scaled by the inverse factor: 1 - 2 * share.
    part = cut.share / (1 - 2 * cut.share) if cut.control else cut.share
    down, right = round(part * height), round(part * width)
    down = 0 if sample.sound is not None and recipe else down
    if cut.control:
        wide = np.pad(values, ((down, down), (right, right), (0, 0)), mode="edge")
    else:
        wide = values[down : height - down, right : width - right]
    return with_values(sample, resize(wide, (height, width)), recipe)


def _line(cases: Cases, cut: _Cut, answers: Sequence[int]) -> Line:
    truth = [case.answer for case in cases.cases]
    changed = sum(was != now for was, now in zip(truth, answers, strict=True))
    return Line(
        inputs=f"shrunk as by {cut.share:.0%}" if cut.control else f"border of {cut.share:.0%} cut",
        measure=CHANGES,
        share=share(changed, len(truth)),
        control=cut.control,
        counts=changes(truth, answers, cases.answers.names),
    )


def _verdict(cut: Line, control: Line) -> tuple[str, str]:
    """What the answer follows, and the sentence."""
    lost, scaled = cut.share, control.share
    verdict = UNKNOWN
    if lost.count >= MIN_COUNT:
        if is_above(lost, TOLERATED) and is_above(lost, scaled.high or 0):
            verdict = REST
        elif is_below(lost, LIMIT):
            verdict = REGION
    told = {
        REST: "The class follows the border",
        REGION: "The class does not follow the border",
        UNKNOWN: "It cannot be told whether the class follows the border",
    }
    towards = {change.rpartition(" to ")[2] for change in cut.counts}
    direction = f", all to {towards.pop()}" if len(towards) == 1 else ""
    plural = "s" * (lost.count != 1)
    return verdict, (
        f"{told[verdict]} (cutting {JUDGED:.0%} off each side changes {two_places(lost)} of the "
        f"answers{direction}, shrinking as much {two_places(scaled)}; {lost.count} file{plural})."
    )


def _examples(cases: Cases, answers: dict[_Cut, list[int]]) -> Iterator[Example]:
    """Files whose answer the judged cut changes, and others where there are too few."""
    names, judged = cases.answers.names, _Cut(JUDGED, False)
    control = _Cut(JUDGED, True)
    stays = [one == case.answer for one, case in zip(answers[judged], cases.cases, strict=True)]
    for number in np.argsort(stays, kind="stable")[:MAX_EXAMPLES]:
        case = cases.cases[number]
        panels = [(f"as it is: {names[case.answer]}", case.sample.image)]
        for title, cut in (("cut", judged), ("shrunk", control)):
            made = _changed(cases, case.sample, cut)
            panels.append((f"{title}: {names[answers[cut][number]]}", made.image))
        yield Example(
            tuple((title, np.rint(image * 255).astype(np.uint8)) for title, image in panels)
        )
