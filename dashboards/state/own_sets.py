"""The labeled sets that a visitor brings: a .zip, or a folder that comes file by file."""

from __future__ import annotations

import asyncio

import param

from dashboards.files.drops import Drop
from dashboards.files.own_sets import NewSet, OwnSet, OwnSets
from dashboards.files.uploads import safe_name
from dashboards.language import t
from xai_tf.errors import XaiTfError

TOLD = 25  # files after which the progress is told again


class OwnLabeled(param.Parameterized):
    """A visitor's labeled sets.

    Attributes:
        sets: the sets, by name.
        latest: the set that was added last; None before.
        working: progress text; empty when nothing is stored.
        problem: why the last one was not taken; else empty.
    """

    sets = param.Dict(default={})
    latest = param.ClassSelector(class_=OwnSet)
    working = param.String()
    problem = param.String()

    def __init__(self, store: OwnSets, **params: object) -> None:
        self.store = store
        self._new: NewSet | None = None  # of a folder whose files are coming
        self._drop: Drop | None = None
        self._seen = 0
        self._adding = asyncio.Lock()  # one file after the other
        super().__init__(sets=store.sets(), **params)

    async def add(self, name: str, data: bytes, drop: Drop) -> None:
        """Take a .zip, or the next file of a folder, which is named by its path."""
        async with self._adding:
            try:
                if "/" in name:
                    await asyncio.to_thread(self._of_folder(name, drop).add, name, data)
                    self._count(drop)
                else:
                    self.param.update(
                        working=t("Unpacking {name}.", name=safe_name(name)), problem=""
                    )
                    self._show(await asyncio.to_thread(self.store.add_zip, name, data))
            except XaiTfError as error:
                self.param.update(working="", problem=str(error))

    async def reject(self, name: str, reason: str, drop: Drop) -> None:
        """Take note of a file that did not arrive."""
        async with self._adding:
            try:
                if "/" in name:
                    self._of_folder(name, drop).leave_out(name, reason)
                    self._count(drop)
                else:
                    self.param.update(working="", problem=reason)
            except XaiTfError as error:
                self.param.update(working="", problem=str(error))

    def remove_all(self) -> None:
        """Delete the visitor's sets, but not one that is coming to another of their pages."""
        self.close()
        self.store.clear()
        self.param.update(sets={}, latest=None, working="", problem="")

    def close(self) -> None:
        """End the page: what came of a set that is not complete is deleted."""
        new, self._new, self._drop = self._new, None, None
        if new is not None:
            new.delete()

    def _of_folder(self, name: str, drop: Drop) -> NewSet:
        """The set that the files of a drop go to."""
        if self._new is None or drop != self._drop:
            self.close()
            self._new = self.store.begin(name.split("/")[0])
            self._drop, self._seen = drop, 0
        return self._new

    def _count(self, drop: Drop) -> None:
        """Count a file of a folder; with the last one the set is complete."""
        self._seen += 1
        if self._seen < drop.count:
            if self._seen % TOLD == 1:
                text = t(
                    "{count} of {total} files have arrived.", count=self._seen, total=drop.count
                )
                self.param.update(working=text, problem="")
            return
        new, self._new = self._new, None
        if new is not None:
            self._show(new.finish())

    def _show(self, added: OwnSet) -> None:
        # Another page of the visitor may have added some, too.
        others = {name: one for name, one in self.store.sets().items() if name != added.name}
        self.param.update(
            sets={**others, added.name: added},
            latest=added,
            working="",
            problem="",
        )


def own_title(name: str) -> str:
    """The title of a visitor's own set, which differs from those on the server."""
    return t("{name} (yours)", name=name)
