"""Lay the region of one file into the surroundings of another: which part decides?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.errors import InputError
from xai_tf.inputs.sample import Sample
from xai_tf.interventions.cases import Case
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
    judged,
    share_of_pairs,
    two_places,
)
from xai_tf.interventions.locating import Located
from xai_tf.interventions.pasting import paste
from xai_tf.interventions.values import values_of, with_values
from xai_tf.progress import Progress, silent
from xai_tf.statistics import share

MIN_CONTROL = 0.8  # share of the controls that must keep their answer
BY_REGION, BY_REST = "answer of the region's file", "answer of the surroundings' file"
Pasting = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Pair = tuple[int, int]  # numbers of two files


@dataclass(frozen=True)
class _Swap:
    """A region in other surroundings, and the answer to it; files by their numbers."""

    region: int
    rest: int
    answer: int


def swap(
    located: Located, seed: int = 0, progress: Progress = silent, pasting: Pasting = paste
) -> Finding:
    """Exchange a region between files of different answers, and see whose answer the model gives.

    Every file is in one pair at most, so the pairs are independent; each gives two inputs. Control
    pairs have the same answer, which the inputs made of them should keep. Where less than 80% do,
    the pasting itself does harm, and nothing is told.

    Args:
        located: the region in files.
        seed: of the pairs.
        progress: called before each input.
        pasting: lays a region into other surroundings, as `paste` does.

    Raises:
        InputError: all files have the same answer.
    """
    cases = located.cases.cases
    answers = [case.answer for case in cases]
    rng = np.random.default_rng(seed)
    pairs, controls = _pairs_of_two(answers, rng), _pairs_of_one(answers, rng)
    if not pairs:
        name = located.cases.answers.names[answers[0]]
        raise InputError(
            f"All files of {located.cases.source} that can be used show {name!r}, so no region can "
            "be swapped with one of another class. Add files of another class. "
            + " ".join((*located.cases.notes, *located.notes))
        )
    both = [one for i, j in (*pairs, *controls) for one in ((i, j), (j, i))]
    examples: list[Example] = []
    given = located.cases.answer(_inputs(located, both, pasting, progress))
    swaps = []
    for (region, rest), answer in zip(both, given, strict=True):
        swaps.append(_Swap(region, rest, answer))
        if len(examples) < MAX_EXAMPLES:
            examples.append(_example(located, swaps[-1], pasting))
    progress(len(both), len(both), "swapping")
    crossed, kept = swaps[: 2 * len(pairs)], swaps[2 * len(pairs) :]
    lines = tuple(_lines(located, crossed, kept))
    verdict, problem = _verdict(lines)
    return Finding(
        intervention="swap",
        region=",".join(located.region.names),
        lines=lines,
        verdict=verdict,
        accuses=judged(verdict, located.region.belongs),
        sentence=_sentence(located, lines, verdict, problem),
        notes=(*located.notes, *_alone(located, controls), *filter(None, [problem])),
        files=len(cases),
        passes=len(both),
        examples=tuple(examples),
    )


def _pairs_of_two(answers: Sequence[int], rng: np.random.Generator) -> list[Pair]:
    """As many pairs of files with different answers as there are, each file in one at most."""
    waiting = _by_answer(answers, rng)
    pairs = []
    while sum(map(bool, waiting.values())) > 1:
        # Of the most frequent answer, so that what is left at the end can be paired.
        most = max(waiting, key=lambda answer: len(waiting[answer]))
        rest = [answer for answer, files in waiting.items() if answer != most for _ in files]
        pairs.append((waiting[most].pop(), waiting[rest[rng.integers(len(rest))]].pop()))
    return pairs


def _pairs_of_one(answers: Sequence[int], rng: np.random.Generator) -> list[Pair]:
    """Pairs of files with the same answer, each file in one at most."""
    return [
        pair
        for files in _by_answer(answers, rng).values()
        for pair in zip(files[::2], files[1::2], strict=False)
    ]


def _by_answer(answers: Sequence[int], rng: np.random.Generator) -> dict[int, list[int]]:
    files = defaultdict[int, list[int]](list)
    for number in rng.permutation(len(answers)).tolist():
        files[answers[number]].append(number)
    return dict(sorted(files.items()))


def _inputs(
    located: Located, both: Sequence[Pair], pasting: Pasting, progress: Progress
) -> Iterator[Sample]:
    for number, (region, rest) in enumerate(both):
        name = located.cases.cases[region].sample.source.name
        progress(number, len(both), f"swapping {name}")
        yield _swapped(located, region, rest, pasting)


def _swapped(located: Located, region: int, rest: int, pasting: Pasting) -> Sample:
    task = located.cases.classifier.task
    recipe = task.recipe if task else None
    onto = located.cases.cases[rest].sample
    values = values_of(located.cases.cases[region].sample, recipe)
    surroundings = values_of(onto, recipe)
    pasted = pasting(values, located.masks[region], surroundings, located.masks[rest])
    return with_values(onto, pasted, recipe)


def _lines(located: Located, crossed: Sequence[_Swap], kept: Sequence[_Swap]) -> Iterator[Line]:
    """All pairs; each answer by itself; the controls."""
    cases, names = located.cases.cases, located.cases.answers.names
    title = " and ".join(located.region.names)
    for measure, by_region in ((BY_REGION, True), (BY_REST, False)):
        hits = sum(_follows(cases, one, by_region) for one in crossed)
        yield Line(
            inputs=f"{title} in surroundings of another class",
            measure=measure,
            share=share_of_pairs(hits, len(crossed) // 2),
            counts=_answers(located, crossed),
        )
    for answer in sorted({cases[one.region].answer for one in crossed}):
        own = [one for one in crossed if cases[one.region].answer == answer]
        yield Line(
            inputs=f"{title} of {names[answer]} in surroundings of another class",
            measure=BY_REGION,
            share=share(sum(_follows(cases, one, True) for one in own), len(own)),
            counts=_answers(located, own),
        )
    yield Line(
        inputs=f"{title} in surroundings of the same class",
        measure=BY_REGION,
        share=share_of_pairs(sum(_follows(cases, one, True) for one in kept), len(kept) // 2),
        control=True,
        counts=_answers(located, kept),
    )


def _follows(cases: Sequence[Case], one: _Swap, by_region: bool) -> bool:
    return one.answer == cases[one.region if by_region else one.rest].answer


def _answers(located: Located, swaps: Sequence[_Swap]) -> dict[str, int]:
    """How often each answer was given."""
    names = located.cases.answers.names
    return {names[k]: n for k, n in sorted(Counter(one.answer for one in swaps).items())}


def _verdict(lines: Sequence[Line]) -> tuple[str, str]:
    """What the answer follows, and why nothing can be told, in a sentence."""
    by_region, by_rest, control = lines[0].share, lines[1].share, lines[-1].share
    if by_region.count < MIN_COUNT or control.count < MIN_COUNT:
        return UNKNOWN, (
            f"There are {by_region.count} pairs and {control.count} control pairs; less than "
            f"{MIN_COUNT} of either tell nothing. Give more files of each class."
        )
    if control.value is not None and control.value < MIN_CONTROL:
        return UNKNOWN, (
            f"The pasting itself changes the answer: it stays in {two_places(control)} of the "
            "controls, where the region and its surroundings show the same. Name another region."
        )
    if is_above(by_rest, 0.5):
        return REST, ""
    return (REGION, "") if is_above(by_region, 0.5) else (UNKNOWN, "")


def _sentence(located: Located, lines: Sequence[Line], verdict: str, problem: str) -> str:
    if problem:
        return ""
    region, (by_region, by_rest) = located.region, (line.share for line in lines[:2])
    told = {
        REGION: f"The class follows {region}",
        REST: f"The class follows what lies outside {region}",
        UNKNOWN: f"It cannot be told whether the class follows {region} or the rest",
    }
    name = located.region.names[0] if len(located.region.names) == 1 else ""
    plain = name and str(region) == f"the {name}"
    return (
        f"{told[verdict]} ({two_places(by_region)} by the {name if plain else 'region'}, "
        f"{two_places(by_rest)} by the rest; {by_region.count} pairs)."
    )


def _alone(located: Located, controls: Sequence[Pair]) -> list[str]:
    """A note on answers that have no control."""
    cases, names = located.cases.cases, located.cases.answers.names
    controlled = {cases[first].answer for first, _ in controls}
    alone = sorted({case.answer for case in cases} - controlled)
    if not alone:
        return []
    return [f"Only one file shows {', '.join(names[k] for k in alone)}, so it has no control."]


def _example(located: Located, one: _Swap, pasting: Pasting) -> Example:
    cases, names = located.cases.cases, located.cases.answers.names
    region, rest = cases[one.region], cases[one.rest]
    made = _swapped(located, one.region, one.rest, pasting)
    panels = (
        (f"region: {names[region.answer]}", region.sample.image),
        (f"surroundings: {names[rest.answer]}", rest.sample.image),
        (f"together: {names[one.answer]}", made.image),
    )
    return Example(tuple((title, np.rint(image * 255).astype(np.uint8)) for title, image in panels))
