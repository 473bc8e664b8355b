"""The parts of a sound that a visitor listens to, and the prediction for each."""

from __future__ import annotations

from typing import Any

import param

from dashboards.service.jobs import OVER
from dashboards.service.listening import (
    MUTE,
    ORIGINAL,
    PARTS,
    REMAINDER,
    SOLO,
    SUPPORTING,
    SoundClip,
)
from dashboards.service.requests import Explain, Listen
from dashboards.service.service import Job
from dashboards.state.explorer import Explorer
from dashboards.state.progress import describe_progress, error_text
from xai_tf.inputs.sample import Sound

SHARES = {"50%": 0.5, "80%": 0.8, "95%": 0.95}


class Listener(param.Parameterized):
    """One part of a sound at a time; it is computed when the visitor asks for it.

    Attributes:
        share: share of the supporting evidence that is kept or removed, 0 to 1.
        part: the part chosen, a name in `PARTS`; "" before the first choice.
        chosen: numbers of the regions that are soloed or muted.
        clip: the sound and its prediction, or None.
        regions: the regions of the map that is shown; empty until the first clip.
        status: progress text; empty when nothing runs.
        problem: the last error; stays until another part is chosen.
    """

    share: param.Selector[float] = param.Selector(default=0.8, objects=SHARES)
    part: param.Selector[str] = param.Selector(default="", objects=["", *PARTS])
    chosen = param.ClassSelector(class_=tuple, default=())
    clip = param.ClassSelector(class_=SoundClip)
    regions = param.ClassSelector(class_=tuple, default=())
    status = param.String()
    problem = param.String()

    def __init__(self, explorer: Explorer, **params: Any) -> None:
        self.explorer = explorer
        self._question: Explain | None = None  # the request of the explanation that is shown
        self._job: Job | None = None
        super().__init__(**params)
        explorer.param.watch(self._on_explanation, "explanation")

    @property
    def sound(self) -> Sound | None:
        """The sound of the current sample: in a long recording, of the current window."""
        sample = self.explorer.workspace.sample
        return sample.sound if sample else None

    def play(self, part: str) -> None:
        """Play the original, only the supporting evidence, or the remainder."""
        if part in (ORIGINAL, SUPPORTING, REMAINDER):
            self._submit(part, ())

    def toggle(self, part: str, number: int) -> None:
        """Add a region to those that are soloed or muted, or remove it."""
        if part not in (SOLO, MUTE) or not 0 < number <= len(self.regions):
            return
        before = set(self.chosen) if part == self.part else set()
        chosen = tuple(sorted(before ^ {number}))
        self._submit(part if chosen else ORIGINAL, chosen)

    def _submit(self, part: str, chosen: tuple[int, ...]) -> None:
        if self._question is None or self.sound is None:
            return
        share = self.share if part in (SUPPORTING, REMAINDER) else Listen.share
        self._job = None  # so that the update of the cancelled job is ignored
        request = Listen(self._question, part, chosen, share)
        self._job = self.explorer.workspace.visitor.submit(request, "listen")
        if self._job.state not in OVER:
            self.clip = None
        self.param.update(part=part, chosen=chosen, problem="")
        self._job.watch(self._on_update)

    @param.depends("share", watch=True)
    def _on_share(self) -> None:
        if self.part in (SUPPORTING, REMAINDER):
            self._submit(self.part, ())

    def _on_explanation(self, *_: Any) -> None:
        """Clear the clip of the earlier map."""
        self._job = None
        self.explorer.workspace.visitor.cancel("listen")
        shown = self.explorer.explanation is not None
        self._question = self.explorer.request() if shown else None
        self.param.update(part="", chosen=(), clip=None, regions=(), status="", problem="")

    def _on_update(self, job: Job) -> None:
        if job is not self._job:
            return
        if job.state == "done":
            self.param.update(clip=job.answer, regions=job.answer.regions, status="")
        elif job.state == "failed":
            self.param.update(clip=None, status="", problem=error_text(job.error))
        elif job.state != "cancelled":
            self.status = describe_progress(job)
