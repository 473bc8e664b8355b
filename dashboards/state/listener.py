"""What a visitor hears of the explanation that is shown: parts of its sound, and what they tell."""

from __future__ import annotations

from typing import Any

import param

from dashboards.service.jobs import OVER
from dashboards.service.listening import BUT, MUTE, ONLY, ORIGINAL, PARTS, SOLO, Clip
from dashboards.service.requests import Explain, Listen
from dashboards.service.service import Job
from dashboards.state.explorer import Explorer
from dashboards.state.progress import describe_progress
from xai_tf.inputs.sample import Sound

SHARES = {"half of it": 0.5, "80% of it": 0.8, "95% of it": 0.95}


class Listener(param.Parameterized):
    """Parts of a sound, one at a time; nothing is computed before it is asked for.

    Attributes:
        share: of all that speaks for the class: what is kept, or left out.
        part: what was asked for, a name in `PARTS`; "" before anything was.
        chosen: numbers of the regions that are heard alone or muted.
        clip: the answer; None while there is none.
        regions: of the map that is shown, known with the first answer.
        status: what is going on, in words; empty when nothing is.
        problem: what went wrong last; stays until something else is asked.
    """

    share = param.Selector(default=0.8, objects=SHARES, label="Of what speaks for it, take")
    part = param.Selector(default="", objects=["", *PARTS])
    chosen = param.ClassSelector(class_=tuple, default=())
    clip = param.ClassSelector(class_=Clip)
    regions = param.ClassSelector(class_=tuple, default=())
    status = param.String()
    problem = param.String()

    def __init__(self, explorer: Explorer, **params: Any) -> None:
        self.explorer = explorer
        self._about: Explain | None = None  # the question whose answer is shown
        self._job: Job | None = None
        super().__init__(**params)
        explorer.param.watch(self._look, "explanation")

    @property
    def sound(self) -> Sound | None:
        """The sound that is looked at: of a long recording the window."""
        sample = self.explorer.workspace.sample
        return sample and sample.sound

    def hear(self, part: str) -> None:
        """Ask for the original, only what speaks for the class, or everything but that."""
        if part in (ORIGINAL, ONLY, BUT):
            self._ask(part, ())

    def toggle(self, part: str, number: int) -> None:
        """Take a region into those that are heard alone or muted, or out of them."""
        if part not in (SOLO, MUTE) or not 0 < number <= len(self.regions):
            return
        before = set(self.chosen) if part == self.part else set()
        chosen = tuple(sorted(before ^ {number}))
        self._ask(part if chosen else ORIGINAL, chosen)

    def _ask(self, part: str, chosen: tuple[int, ...]) -> None:
        if self._about is None or self.sound is None:
            return
        share = self.share if part in (ONLY, BUT) else Listen.share
        self._job = None  # what is cancelled by the next one is not heard
        request = Listen(self._about, part, chosen, share)
        self._job = self.explorer.workspace.visitor.submit(request, "listen")
        if self._job.state not in OVER:
            self.clip = None
        self.param.update(part=part, chosen=chosen, problem="")
        self._job.watch(self._heard)

    @param.depends("share", watch=True)
    def _ask_again(self) -> None:
        if self.part in (ONLY, BUT):
            self._ask(self.part, ())

    def _look(self, *_: Any) -> None:
        """Another map: what was heard was of the one before."""
        self._job = None
        self.explorer.workspace.visitor.cancel("listen")
        shown = self.explorer.explanation is not None
        self._about = self.explorer.request() if shown else None
        self.param.update(part="", chosen=(), clip=None, regions=(), status="", problem="")

    def _heard(self, job: Job) -> None:
        if job is not self._job:
            return
        if job.state == "done":
            self.param.update(clip=job.answer, regions=job.answer.regions, status="")
        elif job.state == "failed":
            self.param.update(clip=None, status="", problem=str(job.error))
        elif job.state != "cancelled":
            self.status = describe_progress(job)
