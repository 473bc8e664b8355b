"""Hide a region, or everything else: does the answer stay?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from xai_tf.inputs.hiding import ERASE, MEAN, hide
from xai_tf.inputs.sample import Sample
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
    judged,
    two_places,
)
from xai_tf.interventions.locating import Located
from xai_tf.interventions.values import values_of, with_values
from xai_tf.progress import Progress, silent
from xai_tf.statistics import Share, share

STAYS = "answer stays"
RARELY = 0.9  # share of answers that must stay where a region should not matter


def hide_region(
    located: Located, seed: int = 0, fill: str | None = None, progress: Progress = silent
) -> Finding:
    """Hide a region, and see whether the answer stays.

    The control hides as much elsewhere: the same shape at a random place, continued at the opposite
    edge where it leaves the picture.

    Where evidence belongs in the region, the answer follows the rest if more than half of what the
    model can tell is left: the share of answers that stay is above the middle between 1 and the
    share of the most frequent class. It follows the region if the share is below that, and below
    that of the control. Where evidence does not belong, that share is 0.9 instead.

    Args:
        located: the region in files.
        seed: of the places of the controls.
        fill: a name in `FILLS`; the mean of what is left for pictures, silence for sounds if left
            out.
        progress: called before each input.
    """
    hidden, elsewhere, lines, examples = _tried(located, seed, fill, keep=False, progress=progress)
    middle = RARELY if located.region.belongs is False else (1 + located.cases.chance) / 2
    if hidden.count < MIN_COUNT:
        verdict = UNKNOWN
    elif is_above(hidden, middle):
        verdict = REST
    elif is_below(hidden, middle) and _apart(hidden, elsewhere):
        verdict = REGION
    else:
        verdict = UNKNOWN
    region = located.region
    told = {
        REGION: f"The class hangs on {region}",
        REST: f"The class can be told without {region}",
        UNKNOWN: f"It cannot be told whether the class hangs on {region}",
    }
    sentence = (
        f"{told[verdict]} ({two_places(hidden)} of the answers stay where the region is hidden, "
        f"{two_places(elsewhere)} where as much is hidden elsewhere; {_files(hidden)})."
    )
    return _finding("hide", located, verdict, sentence, lines, examples)


def show_only(
    located: Located, seed: int = 0, fill: str | None = None, progress: Progress = silent
) -> Finding:
    """Hide everything but a region, and see whether the answer stays.

    The control shows as much elsewhere, as in `hide_region`. The region is enough where the share
    of answers that stay is above the middle between 1 and the share of the most frequent class, and
    as much elsewhere keeps fewer answers. The answer follows the rest where the share is below
    that, and as much elsewhere keeps more. Else the hiding itself may be the cause, or any part is
    as good, and nothing can be told.

    Args:
        located: the region in files.
        seed: of the places of the controls.
        fill: as for `hide_region`.
        progress: called before each input.
    """
    shown, elsewhere, lines, examples = _tried(located, seed, fill, keep=True, progress=progress)
    middle = (1 + located.cases.chance) / 2
    if shown.count < MIN_COUNT:
        verdict = UNKNOWN
    elif is_above(shown, middle) and _apart(elsewhere, shown):
        verdict = REGION
    elif is_below(shown, middle) and _apart(shown, elsewhere):
        verdict = REST
    else:
        verdict = UNKNOWN
    region = located.region
    told = {
        REGION: f"The class can be told by {region} alone",
        REST: f"The class follows what lies outside {region}",
        UNKNOWN: f"It cannot be told whether the class follows {region}",
    }
    sentence = (
        f"{told[verdict]} ({two_places(shown)} of the answers stay where only the region is left, "
        f"{two_places(elsewhere)} where as much is left elsewhere; {_files(shown)})."
    )
    return _finding("only", located, verdict, sentence, lines, examples)


def _apart(lower: Share, higher: Share) -> bool:
    return lower.high is not None and higher.low is not None and lower.high < higher.low


def _files(count: Share) -> str:
    return f"{count.count} file{'s' * (count.count != 1)}"


def _finding(
    name: str,
    located: Located,
    verdict: str,
    sentence: str,
    lines: tuple[Line, ...],
    examples: tuple[Example, ...],
) -> Finding:
    files = len(located.cases.cases)
    few = [f"Less than {MIN_COUNT} files tell nothing. Give more."] if files < MIN_COUNT else []
    return Finding(
        intervention=name,
        region=",".join(located.region.names),
        lines=lines,
        verdict=verdict,
        accuses=judged(verdict, located.region.belongs),
        sentence=sentence,
        notes=(*located.notes, *few),
        files=files,
        passes=2 * files,
        examples=examples,
    )


def _tried(
    located: Located, seed: int, fill: str | None, *, keep: bool, progress: Progress
) -> tuple[Share, Share, tuple[Line, ...], tuple[Example, ...]]:
    """The share of answers that stay without (or with only) the region, and in the control."""
    cases, names = located.cases.cases, located.cases.answers.names
    masks = [*located.masks, *_elsewhere(located.masks, seed)]
    given = list(located.cases.answer(_inputs(located, masks, fill, keep, progress)))
    progress(len(masks), len(masks), "hiding")
    title = " and ".join(located.region.names)
    inputs = f"only {title}" if keep else f"{title} hidden"
    other = "only as much elsewhere" if keep else "as much hidden elsewhere"
    truth = [case.answer for case in cases]
    answers, controls = given[: len(cases)], given[len(cases) :]
    lines = [_line(inputs, truth, answers, names)]
    for label in sorted(set(truth)):
        own = [k for k, one in enumerate(truth) if one == label]
        lines.append(
            _line(
                f"{inputs}, {names[label]}",
                [label] * len(own),
                [answers[k] for k in own],
                names,
            )
        )
    lines.append(_line(other, truth, controls, names, control=True))
    examples = tuple(
        _example(located, masks, given, number, fill, keep)
        for number in np.linspace(0, len(cases) - 1, min(len(cases), MAX_EXAMPLES)).astype(int)
    )
    return lines[0].share, lines[-1].share, tuple(lines), examples


def _elsewhere(masks: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Each mask at a random place, continued at the opposite edge."""
    rng = np.random.default_rng(seed)
    return [np.roll(mask, rng.integers(1, mask.shape), axis=(0, 1)) for mask in masks]


def _inputs(
    located: Located,
    masks: Sequence[np.ndarray],
    fill: str | None,
    keep: bool,
    progress: Progress,
) -> Iterator[Sample]:
    count = len(located.cases.cases)
    for number, mask in enumerate(masks):
        sample = located.cases.cases[number % count].sample
        progress(number, len(masks), f"hiding in {sample.source.name}")
        yield _without(located, sample, ~mask if keep else mask, fill)


def _without(located: Located, sample: Sample, mask: np.ndarray, fill: str | None) -> Sample:
    """The sample without what is marked; a sound is silent there, unless it is said otherwise."""
    classifier = located.cases.classifier
    recipe = classifier.task.recipe if classifier.task else None
    is_sound = sample.sound is not None and recipe is not None
    baseline = 0.0 if is_sound else classifier.baseline  # the level of silence
    fill = fill or (ERASE if is_sound else MEAN)
    return with_values(sample, hide(values_of(sample, recipe), mask, fill, baseline), recipe)


def _line(
    inputs: str,
    truth: Sequence[int],
    answers: Sequence[int],
    names: Sequence[str],
    control: bool = False,
) -> Line:
    stays = sum(was == now for was, now in zip(truth, answers, strict=True))
    return Line(
        inputs=inputs,
        measure=STAYS,
        share=share(stays, len(truth)),
        control=control,
        counts=changes(truth, answers, names),
    )


def changes(truth: Sequence[int], answers: Sequence[int], names: Sequence[str]) -> dict[str, int]:
    """How many answers changed, by "from to to", the most frequent first."""
    counted = Counter((was, now) for was, now in zip(truth, answers, strict=True) if was != now)
    return {f"{names[was]} to {names[now]}": n for (was, now), n in counted.most_common()}


def _example(
    located: Located,
    masks: Sequence[np.ndarray],
    given: Sequence[int],
    number: int,
    fill: str | None,
    keep: bool,
) -> Example:
    names, case = located.cases.answers.names, located.cases.cases[number]
    panels = [(f"as it is: {names[case.answer]}", case.sample.image)]
    for title, place in (("changed", number), ("control", number + len(located.masks))):
        mask = ~masks[place] if keep else masks[place]
        made = _without(located, case.sample, mask, fill)
        panels.append((f"{title}: {names[given[place]]}", made.image))
    return Example(tuple((title, np.rint(image * 255).astype(np.uint8)) for title, image in panels))
