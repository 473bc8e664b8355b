"""Downloads: the picture, the arrays, the bundle, and the report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.files import exports
from dashboards.language import t
from dashboards.service.errors import CancelledJobError
from dashboards.state.session import Session
from dashboards.turns import once_a_turn
from dashboards.views.text import paragraph
from dashboards.views.theme import words
from dashboards.views.view import View
from xai_tf.errors import XaiTfError


class DownloadsView(View):
    """Buttons for downloads, which are created on demand."""

    session = param.ClassSelector(class_=Session)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._words = words("")
        self._buttons = [
            self._button("PNG", "image", "explanation.png", self._png),
            self._button(t("Array"), "data_object", "explanation.npz", self._array),
            self._button(t("Bundle"), "folder_zip", "bundle.zip", self._bundle),
            self._button(t("Report"), "description", "report.html", self._report),
        ]
        self.session.explorer.param.watch(self._enable, "explanation")
        self.session.comparison.param.watch(self._enable, "cells")
        self.session.workspace.param.watch(self._enable, ["files", "file", "model"])
        self._enable()

    def _button(
        self, label: str, icon: str, name: str, make: Callable[[], Any]
    ) -> pmui.FileDownload:
        async def callback() -> BytesIO | None:
            try:
                data = await make()
            except (XaiTfError, CancelledJobError) as error:
                self._words.object = paragraph(str(error), "error")
                return None
            self._words.object = ""
            return BytesIO(data)

        return pmui.FileDownload(
            callback=callback, filename=name, label=label, icon=icon, size="small", margin=0
        )

    @once_a_turn
    def _enable(self) -> None:
        session, explanation = self.session, self.session.explorer.explanation
        of_file = bool(session.file_history())
        able = (explanation is not None, of_file, of_file, bool(session.history()))
        for button, enabled in zip(self._buttons, able, strict=True):
            button.disabled = not enabled
        if explanation is not None:
            about = (session.workspace.file.name, session.workspace.model.name)
            method = explanation.method.name
            picture, array, bundle, _ = self._buttons
            picture.filename = exports.file_name(*about, method, suffix=".png")
            array.filename = exports.file_name(*about, "maps", suffix=".npz")
            bundle.filename = exports.file_name(*about, suffix=".zip")

    async def _png(self) -> bytes:
        reading, explanation = self.session.workspace.reading, self.session.explorer.explanation
        return await asyncio.to_thread(exports.png, explanation, mark=reading.ood_caption)

    async def _array(self) -> bytes:
        """All maps of the current file and model."""
        maps = [explanation for _, explanation in self.session.file_history()]
        return await asyncio.to_thread(exports.array, maps)

    async def _bundle(self) -> bytes:
        return await self.session.bundle()

    async def _report(self) -> bytes:
        return await self.session.report()

    def layout(self) -> pn.viewable.Viewable:
        """The buttons in a row, and what went wrong."""
        return pn.Column(
            pn.FlexBox(*self._buttons, gap="6px", margin=(4, 8)),
            self._words,
            sizing_mode="stretch_width",
            css_classes=["footer"],
            margin=0,
        )
