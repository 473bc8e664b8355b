"""Searches as a visitor follows them: which there are, the one looked at, and its figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import param

from dashboards.service.requests import DrawSearch
from dashboards.service.searches import FolderStatus, find_searches, folder_status, read_whole
from tuning.reporting.leaderboard import leader
from tuning.trials import Search, Trial
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from dashboards.service.service import Job, Visitor

REDRAW = 20.0  # seconds between two drawings of a search that runs


class TuningRuns(param.Parameterized):
    """The searches below some folders, and the one a visitor looks at.

    Attributes:
        searches: folders, the search begun last first.
        folder: of the search looked at.
        search: what it shows; None until it is read.
        stamp: of what was read; changes with the files.
        live: whether a process works on it.
        changed: when a file of it changed last, in seconds since 1970.
        chosen: id of the trial looked at; empty for the one that leads.
        problem: why the search cannot be shown as it stands; empty when it can.
        wants_figures: whether the figures are looked at.
        figures: PNG by name, as `draw_search` gives them.
        drawing: what is going on with the figures, in words; empty when nothing is.
        open_model: the visitor wants to try the exported model, see `model`.
    """

    searches = param.ClassSelector(class_=tuple, default=())
    folder = param.ClassSelector(class_=Path)
    search = param.ClassSelector(class_=Search)
    stamp = param.String()
    live = param.Boolean()
    changed = param.Number(default=0.0)
    chosen = param.String()
    problem = param.String()
    wants_figures = param.Boolean()
    figures = param.Dict(default={})
    drawing = param.String()
    open_model = param.Event()

    def __init__(self, visitor: Visitor, folders: Sequence[Path], **params: Any) -> None:
        self.visitor, self.folders = visitor, tuple(folders)
        self._damaged = ("", "")  # the stamp of files that could not be read, and why
        self._drawn, self._drawn_at = "", 0.0
        self._job: Job | None = None
        super().__init__(**params)

    @property
    def trial(self) -> Trial | None:
        """The trial looked at: the chosen one, or the one that leads, or the first."""
        if self.search is None:
            return None
        first = next(iter(self.search.trials), None)
        return self.search.by_id.get(self.chosen) or leader(self.search) or first

    @property
    def model(self) -> str:
        """The name of the exported model; empty before the export."""
        return self.search.winner["model"] if self.search and self.search.winner else ""

    async def choose(self, folder: Path) -> None:
        """Look at another search; a folder that holds none of ours changes nothing."""
        if folder in self.searches and folder != self.folder:
            self._forget(folder)
            await self.refresh()

    def look(self) -> None:
        """Take in what the folders hold, at once: what a page shows first."""
        self._apply(self._see(self.folder))

    async def refresh(self) -> None:
        """Take in what changed in the folders. Cheap where nothing did; never raises."""
        asked = self.folder
        seen = await asyncio.to_thread(self._see, asked)
        if self.folder == asked:  # no other one was chosen meanwhile
            self._apply(seen)

    def _see(self, asked: Path | None) -> dict[str, Any]:
        """What is to be known of the folders, by parameter. Runs in a thread."""
        searches = find_searches(self.folders)
        folder = asked or next(iter(searches), None)
        look, search, problem = self._take(folder)
        found = {"searches": searches, "folder": folder, "problem": problem}
        found |= {"live": bool(look and look.live)}
        found |= {"changed": look.changed} if look else {}
        return found | ({"search": search, "stamp": look.stamp} if search else {})

    def _apply(self, found: dict[str, Any]) -> None:
        # What param cannot compare, such as paths, it takes for changed.
        self.param.update(**{n: value for n, value in found.items() if value != getattr(self, n)})
        self._draw()

    def _take(self, folder: Path | None) -> tuple[FolderStatus | None, Search | None, str]:
        """Look at a search and read it where it changed. Runs in a thread.

        A file that is being written is damaged now and whole at the next look, so only damage that
        stays is a problem.
        """
        look = folder_status(folder) if folder else None
        if look is None:
            gone = f"The folder of {folder.name} is gone. Choose another search." if folder else ""
            return None, None, gone
        if look.stamp == self.stamp:
            return look, None, ""
        if look.stamp == self._damaged[0]:
            return look, None, self._damaged[1]
        try:
            return look, read_whole(folder), ""
        except InputError as error:
            self._damaged = (look.stamp, _told(error, folder))
            return look, None, ""

    def _forget(self, folder: Path | None) -> None:
        self.visitor.cancel("search-figures")
        self._drawn, self._drawn_at, self._job = "", 0.0, None
        self.param.update(
            folder=folder, search=None, stamp="", chosen="", problem="", figures={}, drawing=""
        )

    @param.depends("wants_figures", watch=True)
    def _draw(self) -> None:
        """Have the figures drawn where they are wanted and old; of a live search now and then."""
        if not self.wants_figures or self.search is None or self._drawn == self.stamp or self._job:
            return
        if self.live and time.monotonic() - self._drawn_at < REDRAW:
            return
        self._drawn, self._drawn_at = self.stamp, time.monotonic()
        self._job = self.visitor.submit(DrawSearch(self.folder, self.stamp), "search-figures")
        self._job.watch(self._heard)

    def _heard(self, job: Job) -> None:
        if job.request.folder != self.folder:
            return
        if job.state in ("waiting", "running"):
            self.drawing = "" if self.figures else "Drawing the figures."
            return
        self._job = None
        if job.state == "done":
            self.param.update(figures=job.answer, drawing="")
        elif job.state == "failed":
            self.drawing = _told(job.error, self.folder)


def _told(error: Exception, folder: Path) -> str:
    """An error for a visitor, who need not know where searches lie on this server."""
    return str(error).replace(f"{folder.parent}/", "")
