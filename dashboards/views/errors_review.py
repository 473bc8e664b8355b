"""Looking through mistakes: a gallery, the worst first, and the maps of the one chosen."""

from __future__ import annotations

import base64
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.components.choices import Choices
from dashboards.components.progress import Progress
from dashboards.state.errors import CALLED, CONTRAST, TRUTH, ErrorStudy
from dashboards.state.progress import duration
from dashboards.views.neighbors import SimilarView
from dashboards.views.text import heading, paragraph
from dashboards.views.theme import card, side_by_side, words
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.ood import OOD_CAPTION
from xai_tf.evaluation.results import ALL, RIGHT, WRONG
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import stage_of

WIDER = ".choices.tiles { grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); }"
FILTERS = {"Wrong": WRONG, "Right": RIGHT, "All": ALL}


class GalleryView(pn.viewable.Viewer):
    """Thumbnails of the files shown, a page at a time."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study, small = self.study, {"variant": "outlined", "size": "small"}
        self._filter = pmui.RadioButtonGroup(
            label="Show", options=FILTERS, value=study.shown, size="small"
        )
        self._whole = pmui.Button(label="All cells", icon="close", visible=False, **small)
        self._said = words("")
        self._files = Choices(label="File", layout="tiles", stylesheets=[WIDER])
        self._back = pmui.Button(
            label="Previous", icon="chevron_left", variant="outlined", size="small"
        )
        self._next = pmui.Button(
            label="Next", end_icon="chevron_right", variant="outlined", size="small"
        )
        self._place = words("", sizing_mode=None)
        self._back.on_click(lambda _: study.turn(-1))
        self._next.on_click(lambda _: study.turn(1))
        self._whole.on_click(lambda _: study.choose_cell(None))
        self._filter.param.watch(self._filtered, "value")
        self._files.param.watch(self._chosen, "value")
        study.param.watch(self._draw, ["ranking", "page", "results"])
        study.param.watch(self._fill, "thumbnails")
        study.param.watch(self._mark, "selected")

    def _filtered(self, event: Any) -> None:
        self.study.param.update(shown=event.new, cell=None)

    async def _chosen(self, event: Any) -> None:
        number = int(event.new) if event.new else None
        if number is not None and number != self.study.selected:
            await self.study.select(number)

    async def _draw(self, *_: Any) -> None:
        study = self.study
        if study.results is None:
            return
        self._filter.param.update(value=study.shown, disabled=study.cell is not None)
        self._whole.visible = study.cell is not None
        self._said.object = paragraph(_shown(study))
        self._place.object = paragraph(
            f"Page {study.page + 1} of {max(1, study.num_pages)}", "note"
        )
        self._back.disabled = study.page == 0
        self._next.disabled = study.page + 1 >= study.num_pages
        self._fill()
        await study.draw_thumbnails()

    def _fill(self, *_: Any) -> None:
        self._files.items = [_tile(self.study, number) for number in self.study.on_page]
        self._mark()

    def _mark(self, *_: Any) -> None:
        selected = self.study.selected
        self._files.value = "" if selected is None else str(selected)

    def __panel__(self) -> pn.viewable.Viewable:
        return card(
            "Files, the worst mistakes first",
            pn.FlexBox(self._filter, self._whole, gap="8px", align_items="end"),
            self._said,
            self._files,
            pn.FlexBox(self._back, self._next, self._place, gap="8px", align_items="center"),
        )


class MistakeView(pn.viewable.Viewer):
    """The file chosen: what speaks for what it is called, and for what it is; what was similar."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._said = words("")
        self._method = pmui.Select(
            label="Method",
            options={m.title: m.name for m in METHODS.values()},
            value=study.method,
            size="small",
            width=240,
        )
        self._run = pmui.Button(
            label="Compute the maps", icon="play_arrow", color="primary", visible=False
        )
        self._stop = pmui.Button(
            label="Stop",
            icon="stop",
            color="error",
            variant="outlined",
            size="small",
            visible=False,
        )
        self._busy = Progress(label="Computing the maps", visible=False)
        self._open = pmui.Button(
            label="Open in Explain", icon="open_in_new", variant="outlined", size="small"
        )
        self._stages = {
            side: AttributionViewer(group="errors", controls=side == CALLED, visible=False)
            for side in (CALLED, TRUTH, CONTRAST)
        }
        self._method.param.watch(self._other_method, "value")
        self._run.on_click(self._start)
        self._stop.on_click(lambda _: study.stop_maps())
        self._open.on_click(lambda _: study.open_in_explain())
        study.param.watch(lambda event: setattr(self._method, "value", event.new), "method")
        study.param.watch(
            self._draw,
            ["selected", "file", "maps", "map_problem", "mapping", "threshold", "results"],
        )
        self._card = card(
            "Why? What it is called, and what it is",
            self._said,
            pn.FlexBox(
                self._method, self._run, self._stop, self._open, gap="8px", align_items="center"
            ),
            self._busy,
            side_by_side(*self._stages.values(), least=240),
            SimilarView(similar=study.similar),
            visible=False,
        )
        self._draw()

    async def _other_method(self, event: Any) -> None:
        if event.new == self.study.method:
            return
        self.study.method = event.new
        await self.study.explain_if_quick()

    async def _start(self, _: Any) -> None:
        await self.study.explain()

    def _draw(self, *_: Any) -> None:
        study = self.study
        shown = study.results is not None and study.selected is not None
        self._card.visible = shown
        if not shown:
            return
        self._said.object = _told(study)
        self._open.disabled = study.file is None
        self._busy.visible = self._stop.visible = study.mapping
        waits = study.file is not None and not study.maps and not study.mapping
        self._run.visible = waits
        if waits and study.map_seconds is not None:
            self._run.label = f"Compute the maps ({duration(study.map_seconds)})"
        for side, stage in self._stages.items():
            stage.visible = side in study.maps
        if study.maps:
            end = heatmaps.limit([study.maps[CALLED], study.maps[TRUTH]])
            for side, explanation in study.maps.items():
                stage = stage_of(explanation, None if side == CONTRAST else end)
                caption = f"What speaks for {explanation.target_name} ({_role(study, side)})"
                self._stages[side].param.update(**stage | {"caption": caption})

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


def _shown(study: ErrorStudy) -> str:
    """How many files are shown, and of what."""
    classes, count = study.results.predictions.classes, len(study.ranking)
    files = f"{count} file{'s' * (count != 1)}"
    if study.cell is not None:
        truth, predicted = study.cell
        return f"{files} of {classes[truth]}, called {classes[predicted]}."
    if not count:
        return f"No file is {study.shown}." if study.shown != ALL else "No file."
    return (
        files
        + {
            WRONG: " called wrongly.",
            RIGHT: " called rightly, the closest call first.",
            ALL: ", wrong and right.",
        }[study.shown]
    )


def _tile(study: ErrorStudy, number: int) -> dict[str, Any]:
    results = study.results
    truth, predicted = _classes(study, number)
    chance = results.probabilities[number][int(results.predicted(study.threshold)[number])]
    verdict = f"called {predicted} ({chance:.0%})"
    drawn = study.thumbnails.get(number)
    return {
        "value": str(number),
        "label": results.predictions.files[number].name,
        "note": verdict if truth == predicted else f"is {truth}, {verdict}",
        "picture": _data_url(drawn) if isinstance(drawn, bytes) else "",
    }


def _told(study: ErrorStudy) -> str:
    """The file chosen, in words."""
    results, number = study.results, study.selected
    truth, predicted = _classes(study, number)
    classes, chances = results.predictions.classes, results.probabilities[number]
    ranked = sorted(range(len(classes)), key=lambda label: -chances[label])[:4]
    said = heading(results.name(number), 3)
    said += paragraph(
        f"It is {truth} and was called {predicted}.", "" if truth == predicted else "warning"
    )
    said += paragraph(", ".join(f"{classes[k]} {chances[k]:.1%}" for k in ranked) + ".", "note")
    if (
        any(results.predictions.out_of_distribution)
        and results.predictions.out_of_distribution[number]
    ):
        said += paragraph(f"{OOD_CAPTION[0].upper()}{OOD_CAPTION[1:]}.", "warning")
    if study.file is not None and study.file.kind == "sound":
        said += paragraph("Of a long recording, the maps are of the first window.", "note")
    return said + paragraph(study.map_problem, "error")


def _classes(study: ErrorStudy, number: int) -> tuple[str, str]:
    """The names of the true class of a file and of the one it is called."""
    classes, predicted = study.results.predictions.classes, study.results.predicted(study.threshold)
    return classes[study.results.labels[number]], classes[predicted[number]]


def _role(study: ErrorStudy, side: str) -> str:
    """What a map is about, and on which scale it is drawn."""
    if side == CONTRAST:
        return "on its own scale"
    if side == TRUTH:
        return "true class"
    return "called" if _is_wrong(study) else "next most probable"


def _is_wrong(study: ErrorStudy) -> bool:
    truth, predicted = _classes(study, study.selected)
    return truth != predicted


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
