"""The table of interventions, and running one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xai_tf.errors import pick
from xai_tf.interventions.cases import Cases
from xai_tf.interventions.crop import crop
from xai_tf.interventions.finding import Finding
from xai_tf.interventions.hiding import hide_region, show_only
from xai_tf.interventions.locating import Located, locate
from xai_tf.interventions.swap import swap
from xai_tf.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an intervention is done.

    Attributes:
        region: the region, or several of one partition, separated by commas; empty for "crop".
        by: the partitions to look in; those of the task and "frame" if left out.
        seed: of the pairs and of the places of the controls.
        fill: what hides, a name in `FILLS`; None for the mean of the rest, or silence for sounds.
    """

    region: str = ""
    by: Sequence[str] = ()
    seed: int = 0
    fill: str | None = None


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """One way to change the input, to see what the answer follows.

    Attributes:
        name: its key in `INTERVENTIONS`.
        title: the name for people.
        asks: the question it answers.
        run: does it on located files, or on cases where it takes no region.
        takes_region: whether it is about a region.
    """

    name: str
    title: str
    asks: str
    run: Callable[[Located | Cases, Settings, Progress], Finding]
    takes_region: bool = True


def _swap(located: Located | Cases, settings: Settings, progress: Progress) -> Finding:
    assert isinstance(located, Located)
    return swap(located, settings.seed, progress)


def _hide(located: Located | Cases, settings: Settings, progress: Progress) -> Finding:
    assert isinstance(located, Located)
    return hide_region(located, settings.seed, settings.fill, progress)


def _only(located: Located | Cases, settings: Settings, progress: Progress) -> Finding:
    assert isinstance(located, Located)
    return show_only(located, settings.seed, settings.fill, progress)


def _crop(cases: Located | Cases, settings: Settings, progress: Progress) -> Finding:
    assert isinstance(cases, Cases)
    return crop(cases, progress)


INTERVENTIONS = {
    one.name: one
    for one in (
        Intervention(
            name="swap",
            title="Swap",
            asks="Does the answer follow the region or its surroundings?",
            run=_swap,
        ),
        Intervention(
            name="hide",
            title="Hide",
            asks="Does the answer stay without the region?",
            run=_hide,
        ),
        Intervention(
            name="only",
            title="Only",
            asks="Does the answer stay where only the region is left?",
            run=_only,
        ),
        Intervention(
            name="crop",
            title="Crop",
            asks="Does the answer change where the border is cut off?",
            run=_crop,
            takes_region=False,
        ),
    )
}


def intervene(
    name: str,
    files: Cases | Located,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Finding:
    """Change files as one intervention does, and tell what the answer follows.

    Args:
        name: a name in `INTERVENTIONS`.
        files: from `read_cases`; or from `locate`, to find a region once for several interventions.
        settings: how; the region is needed where none is located, unless for "crop".
        progress: called before each file that is searched, and each input that is made.

    Raises:
        UnknownNameError: there is no such intervention, region or partition.
        SettingError: no region is named.
        InputError: the files cannot be used for it.
    """
    start, settings = time.perf_counter(), settings or Settings()
    one = pick(INTERVENTIONS, name, "intervention")
    cases = files if isinstance(files, Cases) else files.cases
    if one.takes_region and isinstance(files, Cases):
        files = locate(files, settings.region, settings.by, progress)
    finding = one.run(files if one.takes_region else cases, settings, progress)
    notes = (*cases.notes, *finding.notes)
    return replace(finding, notes=notes, seconds=time.perf_counter() - start)
