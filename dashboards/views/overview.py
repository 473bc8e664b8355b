"""All files as a contact sheet: the answer about each, its doubt, and a small map."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.choices import Choices
from dashboards.components.progress import Progress
from dashboards.language import mark, number, t
from dashboards.state.overview import DOUBT, ORDER, FileRow, Overview
from dashboards.views.theme import run_button, stop_button
from dashboards.views.view import Later, View
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.prediction import Prediction
from xai_tf.rendering.viewer import thumbnail_url

SORTS = {mark("As they came"): ORDER, mark("Most doubtful first"): DOUBT}


class OverviewView(View):
    """A button, from the second file on; the dialog with all files is built when it is opened."""

    overview = param.ClassSelector(class_=Overview)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._dialogs: list[OverviewDialog] = []
        self._place = Later(self._make)
        self._all = pmui.Button(
            label=t("All files"), icon="grid_view", variant="text", size="small", visible=False
        )
        self._all.on_click(self._open)
        self.overview.param.watch(self._draw, "rows")
        self._draw()

    def _make(self) -> list[OverviewDialog]:
        self._dialogs.append(OverviewDialog(overview=self.overview))
        return self._dialogs

    def _open(self, *_: Any) -> None:
        self._place.fill()
        self._dialogs[0].open()

    def _draw(self, *_: Any) -> None:
        self._all.visible = len(self.overview.rows) > 1

    def layout(self) -> pn.viewable.Viewable:
        """The button."""
        return pn.Column(self._all, self._place, margin=0)


class OverviewDialog(View):
    """All files as tiles, in an order; a press on one shows it."""

    overview = param.ClassSelector(class_=Overview)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        overview = self.overview
        self._sheet = Choices(label=t("All files"), layout="sheet")
        self._sort = pmui.RadioButtonGroup(
            label=t("Order"),
            options={t(title): sort for title, sort in SORTS.items()},
            value=overview.sort,
            size="small",
        )
        self._run, self._stop = run_button(t("Explain all"), "play_arrow"), stop_button()
        self._bar = Progress(label=t("Files explained"), visible=False)
        self._table = pmui.FileDownload(
            callback=lambda: BytesIO(overview.table()),
            filename="files.csv",
            label=t("Table (CSV)"),
            icon="table_view",
            size="small",
        )
        self._dialog = pmui.Dialog(
            pn.FlexBox(self._run, self._stop, self._sort, self._table, gap="8px"),
            self._bar,
            self._sheet,
            title=t("All files"),
            open=False,
            width_option="lg",
            show_close_button=True,
            close_on_click=True,
        )
        self._run.on_click(self._start)
        self._stop.on_click(lambda _: overview.stop())
        self._sort.param.watch(lambda event: setattr(overview, "sort", event.new), "value")
        self._sheet.param.watch(self._on_file, "value")
        overview.param.watch(self._draw, ["rows", "running", "done"])
        overview.workspace.param.watch(self._draw, "thumbnails")
        self._draw()

    def open(self) -> None:
        """Open the dialog."""
        self._dialog.open = True

    async def _start(self, _: Any) -> None:
        await self.overview.run()

    def _on_file(self, event: Any) -> None:
        file = self.overview.workspace.find(event.new)
        if file is not None and self._dialog.open:
            row = next(row for row in self.overview.rows if row.file.sha256 == file.sha256)
            self.overview.workspace.show(file, row.model.name if row.model else "")
            self._dialog.open = False

    def _draw(self, *_: Any) -> None:
        overview = self.overview
        self._stop.visible = self._bar.visible = overview.running
        self._run.visible = not overview.running
        self._bar.value = overview.done / max(len(overview.rows), 1)
        self._sheet.param.update(items=[self._tile(row) for row in overview.rows], value="")

    def _tile(self, row: FileRow) -> dict[str, Any]:
        small = self.overview.workspace.thumbnails.get(row.file.sha256, "")
        tile = {
            "value": row.file.sha256,
            "label": row.file.name,
            "picture": thumbnail_url(row.explanation) if row.explanation else small,
            "note": row.problem,
        }
        if row.reading is not None:
            prediction = row.reading.prediction
            probability = float(prediction.probabilities[prediction.label])
            tile["badge"] = f"{_answer(prediction)}, {number(probability, '.0%')}"
            tile["share"] = probability
            tile["note"] = t("unlike the training data") if row.reading.ood_caption else ""
        return tile

    def layout(self) -> pn.viewable.Viewable:
        """The dialog."""
        return self._dialog


def _answer(prediction: Prediction) -> str:
    return readable(prediction.answer) if prediction.findings else t("No finding")
