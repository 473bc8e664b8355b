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


CUT, COVERED, SHRUNK = "cut", "covered", "shrunk"
INPUTS = {CUT: "border of {} cut", COVERED: "border of {} covered", SHRUNK: "shrunk as by {}"}


@dataclass(frozen=True)
class _Cut:
    """How much of each side is changed, and how: `CUT`, `COVERED` or `SHRUNK`."""

    share: float
    kind: str


def crop(cases: Cases, progress: Progress = silent) -> Finding:
    """Cut the border off, stretch the rest to the size of the input, and see what changes.

    2, 5, 10 and 15% of the width and height are cut at each side; of sounds, of the time. Cutting
    enlarges the rest, so the same border is also covered, at the same scale, by the outermost
    pixels of the rest. The control changes the scale the other way: the picture is shrunk, and its
    own outermost pixels go on, so that what is at the border stays there. The answer follows the
    border where 10% cut, and 10% covered, change more than 5% of the answers, and more than the
    control, with the whole interval.

    Args:
        cases: the files.
        progress: called before each input.
    """
    cuts = [_Cut(cut, kind) for cut in CUTS for kind in INPUTS]
    given = list(cases.answer(_inputs(cases, cuts, progress)))
    progress(len(given), len(given), "cropping")
    count = len(cases.cases)
    answers = {cut: given[k * count : (k + 1) * count] for k, cut in enumerate(cuts)}
    lines = tuple(_line(cases, cut, answers[cut]) for cut in cuts)
    verdict, sentence = _verdict(*(lines[cuts.index(_Cut(JUDGED, kind))] for kind in INPUTS))
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
    part = cut.share / (1 - 2 * cut.share) if cut.kind == SHRUNK else cut.share
    down, right = round(part * height), round(part * width)
    down = 0 if sample.sound is not None and recipe else down
    around = ((down, down), (right, right), (0, 0))
    wide = values
    if cut.kind != SHRUNK:
        wide = wide[down : height - down, right : width - right]
    if cut.kind != CUT:
        wide = np.pad(wide, around, mode="edge")
    return with_values(sample, resize(wide, (height, width)), recipe)


def _line(cases: Cases, cut: _Cut, answers: Sequence[int]) -> Line:
    truth = [case.answer for case in cases.cases]
    changed = sum(was != now for was, now in zip(truth, answers, strict=True))
    return Line(
        inputs=INPUTS[cut.kind].format(f"{cut.share:.0%}"),
        measure=CHANGES,
        share=share(changed, len(truth)),
        control=cut.kind == SHRUNK,
        counts=changes(truth, answers, cases.answers.names),
    )


def _verdict(cut: Line, covered: Line, control: Line) -> tuple[str, str]:
    """What the answer follows, and the sentence."""
    verdict, changed = UNKNOWN, (cut.share, covered.share)
    if cut.share.count >= MIN_COUNT:
        least = max(TOLERATED, control.share.high or 0)
        if all(is_above(one, least) for one in changed):
            verdict = REST
        elif all(is_below(one, LIMIT) for one in changed):
            verdict = REGION
    told = {
        REST: "The class depends on the border",
        REGION: "The class does not depend on the border",
        UNKNOWN: "It cannot be told whether the class depends on the border",
    }
    towards = {change.rpartition(" to ")[2] for change in cut.counts}
    direction = f", all to {towards.pop()}" if len(towards) == 1 else ""
    plural = "s" * (cut.share.count != 1)
    return verdict, (
        f"{told[verdict]} (cutting {JUDGED:.0%} off each side changes {two_places(cut.share)} of "
        f"the answers{direction}, covering it {two_places(covered.share)}, shrinking as much "
        f"{two_places(control.share)}; {cut.share.count} file{plural})."
    )


def _examples(cases: Cases, answers: dict[_Cut, list[int]]) -> Iterator[Example]:
    """Files whose answer the judged cut changes, and others where there are too few."""
    names, cuts = cases.answers.names, [_Cut(JUDGED, kind) for kind in INPUTS]
    stays = [one == case.answer for one, case in zip(answers[cuts[0]], cases.cases, strict=True)]
    for number in np.argsort(stays, kind="stable")[:MAX_EXAMPLES]:
        case = cases.cases[number]
        panels = [(f"as it is: {names[case.answer]}", case.sample.image)]
        for cut in cuts:
            made = _changed(cases, case.sample, cut)
            panels.append((f"{cut.kind}: {names[answers[cut][number]]}", made.image))
        yield Example(
            tuple((title, np.rint(image * 255).astype(np.uint8)) for title, image in panels)
        )
