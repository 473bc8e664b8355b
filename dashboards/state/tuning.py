"""The searches a visitor can follow, the selected one, and its figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import param

from dashboards.language import library_text, t
from dashboards.service.requests import DrawSearch
from dashboards.service.searches import FolderStatus, find_searches, folder_status, read_whole
from dashboards.state.search_facts import label_facts
from tuning.reporting.leaderboard import leader
from tuning.trials import Search, Trial
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from dashboards.service.service import Job, Visitor

REDRAW = 20.0  # seconds between two drawings of a running search


class TuningRuns(param.Parameterized):
    """The searches below some folders, and the one a visitor selected.

    Attributes:
        searches: search folders, the most recently started first.
        folder: the folder of the selected search.
        search: the selected search; None until it is read.
        labels: of a winner of several labels, how well each is found, as names and texts.
        stamp: identifies the state of the files that was read.
        live: whether a process is working on it.
        changed: when one of its files was last changed, in seconds since 1970.
        chosen: id of the selected trial; empty for the leading one.
        problem: why the search cannot be shown in its present state; empty when it can.
        wants_figures: whether the visitor wants the figures.
        figures: PNG by name, as from `draw_search`.
        drawing: the state of drawing the figures, in words; empty when they are not being drawn.
        open_model: the visitor wants to use the exported model, see `model`.
    """

    searches = param.ClassSelector(class_=tuple, default=())
    folder = param.ClassSelector(class_=Path)
    search = param.ClassSelector(class_=Search)
    labels = param.List(default=[])
    stamp = param.String()
    live = param.Boolean()
    changed = param.Number(default=0.0)
    chosen = param.String()
    problem = param.String()
    wants_figures = param.Boolean()
    figures = param.Dict(default={})
    drawing = param.String()
    open_model = param.Event()

    def __init__(self, visitor: Visitor, folders: Iterable[Path], **params: Any) -> None:
        self.visitor, self.folders = visitor, tuple(folders)
        self._damaged = ("", "")  # the stamp of files that could not be read, and the error
        self._drawn, self._drawn_at = "", 0.0
        self._awaited: Path | None = None  # a search that was started and has no folder yet
        self._job: Job | None = None
        super().__init__(**params)

    @property
    def trial(self) -> Trial | None:
        """The selected trial: the chosen one, or the leading one, or the first."""
        if self.search is None:
            return None
        first = next(iter(self.search.trials), None)
        return self.search.by_id.get(self.chosen) or leader(self.search) or first

    @property
    def model(self) -> str:
        """The name of the exported model; empty before the export."""
        return self.search.winner["model"] if self.search and self.search.winner else ""

    async def choose(self, folder: Path) -> None:
        """Select another search; a folder that is not one of `searches` is ignored."""
        if folder in self.searches and folder != self.folder:
            self._reset(folder)
            await self.refresh()

    def follow(self, folder: Path | None) -> None:
        """Select a search that is being started, as soon as its folder is there."""
        self._awaited = folder

    def read_now(self) -> None:
        """Read the folders at once, for the first view of a page."""
        self._apply(self._read(self.folder))

    async def refresh(self) -> None:
        """Read what changed in the folders. Cheap where nothing did; never raises."""
        selected = self.folder
        values = await asyncio.to_thread(self._read, selected)
        if self.folder == selected:  # the visitor did not select another one meanwhile
            self._apply(values)
        if self._awaited in self.searches:
            awaited, self._awaited = self._awaited, None
            await self.choose(awaited)

    def _read(self, selected: Path | None) -> dict[str, Any]:
        """The state of the folders, by parameter. Runs in a thread."""
        searches = find_searches(self.folders)
        folder = selected or next(iter(searches), None)
        look, search, problem = self._read_search(folder)
        values: dict[str, Any] = {
            "searches": searches,
            "folder": folder,
            "problem": problem,
            "live": bool(look and look.live),
        }
        if look:
            values["changed"] = look.changed
        if look and search:
            labels = label_facts(search)  # takes a second, as their intervals are drawn
            values |= {"search": search, "stamp": look.stamp, "labels": labels}
        return values

    def _apply(self, values: dict[str, Any]) -> None:
        # Param takes values that it cannot compare, such as paths, for changed.
        self.param.update(**{n: value for n, value in values.items() if value != getattr(self, n)})
        self._draw()

    def _read_search(self, folder: Path | None) -> tuple[FolderStatus | None, Search | None, str]:
        """Check whether a search changed, and read it if so. Runs in a thread.

        A file that is just being written seems damaged, but is complete when it is read again;
        therefore only lasting damage is a problem.
        """
        look = folder_status(folder) if folder else None
        if folder is None or look is None:
            gone = (
                t("The folder of {name} no longer exists. Choose another search.", name=folder.name)
                if folder
                else ""
            )
            return None, None, gone
        if look.stamp == self.stamp:
            return look, None, ""
        if look.stamp == self._damaged[0]:
            return look, None, self._damaged[1]
        try:
            return look, read_whole(folder), ""
        except InputError as error:
            self._damaged = (look.stamp, _error_text(error, folder))
            return look, None, ""

    def _reset(self, folder: Path | None) -> None:
        self.visitor.cancel("search-figures")
        self._drawn, self._drawn_at, self._job = "", 0.0, None
        self.param.update(
            folder=folder,
            search=None,
            labels=[],
            stamp="",
            chosen="",
            problem="",
            figures={},
            drawing="",
        )

    @param.depends("wants_figures", watch=True)
    def _draw(self) -> None:
        """Request the figures if they are wanted and out of date; for a live search not often."""
        if not self.wants_figures or self.search is None or self._drawn == self.stamp or self._job:
            return
        if self.live and time.monotonic() - self._drawn_at < REDRAW:
            return
        self._drawn, self._drawn_at = self.stamp, time.monotonic()
        self._job = self.visitor.submit(DrawSearch(self.folder, self.stamp), "search-figures")
        self._job.watch(self._on_job)

    def _on_job(self, job: Job) -> None:
        if job.request.folder != self.folder:
            return
        if job.state in ("waiting", "running"):
            self.drawing = "" if self.figures else t("Drawing the figures.")
            return
        self._job = None
        if job.state == "done":
            self.param.update(figures=job.answer, drawing="")
        elif job.state == "failed":
            self.drawing = _error_text(job.error, self.folder)


def _error_text(error: Exception, folder: Path) -> str:
    """The text of an error without the path of the searches on this server."""
    return library_text(str(error).replace(f"{folder.parent}/", ""))
