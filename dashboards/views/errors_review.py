"""The review of mistakes: a gallery, the worst first, and the maps of the selected file."""

from __future__ import annotations

import base64
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.components.choices import Choices
from dashboards.components.progress import Progress
from dashboards.components.select import Select
from dashboards.language import library_text, mark, n, number, t
from dashboards.state.errors import CONTRAST, PREDICTED, TRUTH, ErrorStudy
from dashboards.state.progress import duration
from dashboards.views.neighbors import NeighborsView
from dashboards.views.text import bullets, heading, paragraph
from dashboards.views.theme import card, side_by_side, words
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.class_names import readable
from xai_tf.evaluation.results import ALL, RIGHT, WRONG
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import marks_url, viewer_data

WIDER = ".choices.tiles { grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); }"
FILTERS = {mark("Wrong"): WRONG, mark("Right"): RIGHT, mark("All"): ALL}
TILES = {mark("Pictures"): False, mark("Maps"): True}
MARGIN = mark(
    "Margin: the highest logit of another class minus that of the true class. Above 0, the file is "
    "predicted wrongly."
)
MARGIN_OF_TWO = mark(
    "Margin: how far a file is on the wrong side of the decision threshold, in logits. Above 0, it "
    "is predicted wrongly."
)


NONE = {
    WRONG: mark("No file is wrong."),
    RIGHT: mark("No file is right."),
    ALL: mark("No files."),
}
SOME = {
    WRONG: mark("{files} predicted wrongly, the largest margin first."),
    RIGHT: mark("{files} predicted correctly, the largest margin (the least certain) first."),
    ALL: mark("{files}, wrong and right, the largest margin first."),
}


class GalleryView(pn.viewable.Viewer):
    """Thumbnails of the files shown, one page at a time."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study, small = self.study, {"variant": "outlined", "size": "small"}
        self._filter = pmui.RadioButtonGroup(
            label=t("Show"),
            options={t(title): shown for title, shown in FILTERS.items()},
            value=study.shown,
            size="small",
        )
        self._shown = pmui.RadioButtonGroup(
            label=t("Tiles show"),
            options={t(title): shown for title, shown in TILES.items()},
            value=study.tile_maps.shown,
            size="small",
        )
        self._whole = pmui.Button(label=t("All cells"), icon="close", visible=False, **small)
        self._text = words("")
        self._files = Choices(label=t("File"), layout="tiles", stylesheets=[WIDER])
        self._back = pmui.Button(
            label=t("Previous"), icon="chevron_left", variant="outlined", size="small"
        )
        self._next = pmui.Button(
            label=t("Next"), end_icon="chevron_right", variant="outlined", size="small"
        )
        self._place = words("", sizing_mode=None)
        self._back.on_click(lambda _: study.turn_page(-1))
        self._next.on_click(lambda _: study.turn_page(1))
        self._whole.on_click(lambda _: study.choose_cell(None))
        self._filter.param.watch(self._on_filter, "value")
        self._shown.param.watch(self._on_shown, "value")
        self._files.param.watch(self._on_file, "value")
        study.param.watch(self._draw, ["ranking", "page", "results"])
        study.param.watch(self._draw_maps, "active")
        study.param.watch(self._fill, "thumbnails")
        study.tile_maps.param.watch(self._fill, ["maps", "shown"])
        study.param.watch(self._mark, "selected")

    def _on_filter(self, event: Any) -> None:
        self.study.param.update(shown=event.new, cell=None)

    async def _on_shown(self, event: Any) -> None:
        self.study.tile_maps.shown = event.new
        await self._draw_maps()

    async def _draw_maps(self, *_: Any) -> None:
        await self.study.tile_maps.draw()

    async def _on_file(self, event: Any) -> None:
        number = int(event.new) if event.new else None
        if number is not None and number != self.study.selected:
            await self.study.select(number)

    async def _draw(self, *_: Any) -> None:
        study = self.study
        if study.results is None:
            return
        self._filter.param.update(value=study.shown, disabled=study.cell is not None)
        self._whole.visible = study.cell is not None
        margin = MARGIN_OF_TWO if study.results.binary else MARGIN
        self._text.object = paragraph(_count_text(study)) + paragraph(t(margin), "note")
        self._place.object = paragraph(
            t("Page {page} of {total}", page=study.page + 1, total=max(1, study.num_pages)), "note"
        )
        self._back.disabled = study.page == 0
        self._next.disabled = study.page + 1 >= study.num_pages
        self._fill()
        await study.draw_thumbnails()
        await self._draw_maps()

    def _fill(self, *_: Any) -> None:
        self._files.items = [_tile(self.study, number) for number in self.study.on_page]
        self._mark()

    def _mark(self, *_: Any) -> None:
        selected = self.study.selected
        self._files.value = "" if selected is None else str(selected)

    def __panel__(self) -> pn.viewable.Viewable:
        return card(
            t("Files"),
            pn.FlexBox(self._filter, self._shown, self._whole, gap="8px", align_items="end"),
            self._text,
            self._files,
            pn.FlexBox(self._back, self._next, self._place, gap="8px", align_items="center"),
        )


class MistakeView(pn.viewable.Viewer):
    """The selected file: maps of its predicted and true class, and similar training samples."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._text = words("")
        self._method = Select(
            label=t("Method"),
            options={m.title: m.name for m in METHODS.values()},
            value=study.method,
            width=240,
        )
        self._run = pmui.Button(
            label=t("Compute maps"), icon="play_arrow", color="primary", visible=False
        )
        self._stop = pmui.Button(
            label=t("Stop"),
            icon="stop",
            color="error",
            variant="outlined",
            size="small",
            visible=False,
        )
        self._busy = Progress(label=t("Computing maps"), visible=False)
        self._open = pmui.Button(
            label=t("Open in Explain"), icon="open_in_new", variant="outlined", size="small"
        )
        self._viewers = {
            side: AttributionViewer(group="errors", controls=side == PREDICTED, visible=False)
            for side in (PREDICTED, TRUTH, CONTRAST)
        }
        self._method.param.watch(self._on_method, "value")
        self._run.on_click(self._start)
        self._stop.on_click(lambda _: study.stop_maps())
        self._open.on_click(lambda _: study.open_in_explain())
        study.param.watch(lambda event: setattr(self._method, "value", event.new), "method")
        study.param.watch(
            self._draw,
            ["selected", "file", "maps", "map_problem", "mapping", "threshold", "results"],
        )
        self._card = card(
            t("Why: the evidence in the selected file"),
            self._text,
            pn.FlexBox(
                self._method, self._run, self._stop, self._open, gap="8px", align_items="center"
            ),
            self._busy,
            side_by_side(*self._viewers.values(), least=240),
            NeighborsView(search=study.neighbors),
            visible=False,
        )
        self._draw()

    async def _on_method(self, event: Any) -> None:
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
        self._text.object = _description(study)
        self._open.disabled = study.file is None
        self._busy.visible = self._stop.visible = study.mapping
        waits = study.file is not None and not study.maps and not study.mapping
        self._run.visible = waits
        if waits and study.map_seconds is not None:
            self._run.label = t("Compute maps ({time})", time=duration(study.map_seconds))
        for side, viewer in self._viewers.items():
            viewer.visible = side in study.maps
        if study.maps:
            end = heatmaps.limit([one for side, one in study.maps.items() if side != CONTRAST])
            for side, explanation in study.maps.items():
                viewer = viewer_data(explanation, None if side == CONTRAST else end)
                name = readable(explanation.target_name)
                if study.several is None:
                    name += f" ({_role(study, side)})"
                changed = {
                    "highlight": marks_url(study.marked.pixels) if study.marked else "",
                    "caption": t("Evidence for {name}", name=name),
                    "alt": library_text(viewer["alt"]),
                }
                self._viewers[side].param.update(**viewer | changed)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


def _count_text(study: ErrorStudy) -> str:
    """How many files are shown, which, and in what order."""
    classes = study.results.predictions.classes
    files = n("{count} file", "{count} files", len(study.ranking))
    if study.cell is not None:
        truth, predicted = (readable(classes[int(label)]) for label in study.cell)
        return t(
            "{files} of class {truth}, predicted as {predicted}, the largest margin first.",
            files=files,
            truth=truth,
            predicted=predicted,
        )
    if not study.ranking:
        return t(NONE[study.shown])
    return t(SOME[study.shown], files=files)


def _tile(study: ErrorStudy, place: int) -> dict[str, Any]:
    results = study.results
    truth, predicted = _classes(study, place)
    probability = results.probabilities[place][int(results.predicted(study.threshold)[place])]
    values = {"truth": truth, "predicted": predicted, "share": number(probability, ".0%")}
    if truth == predicted:
        note = t("predicted as {predicted} ({share})", predicted=predicted, share=values["share"])
    else:
        note = t("true class {truth}, predicted as {predicted} ({share})", **values)
    drawn = study.thumbnails.get(place)
    picture = _data_url(drawn) if isinstance(drawn, bytes) else ""
    return {
        "value": str(place),
        "label": results.predictions.files[place].name,
        "badge": t("margin {value}", value=number(study.margins[place], "+.2f")),
        "note": note,
        "picture": study.tile_maps.url(place) or picture,
    }


def _description(study: ErrorStudy) -> str:
    """The selected file, its classes and probabilities as HTML."""
    results, place = study.results, study.selected
    truth, predicted = _classes(study, place)
    classes, probabilities = results.predictions.classes, results.probabilities[place]
    ranked = sorted(range(len(classes)), key=lambda label: -probabilities[label])[:4]
    html = heading(results.name(place), 3)
    html += paragraph(
        t("True class: {truth}. Predicted class: {predicted}.", truth=truth, predicted=predicted),
        "" if truth == predicted else "warning",
    )
    shares = ", ".join(
        f"{readable(classes[label])} {number(probabilities[label], '.1%')}" for label in ranked
    )
    html += paragraph(f"{shares}.", "note")
    if (
        any(results.predictions.out_of_distribution)
        and results.predictions.out_of_distribution[place]
    ):
        html += paragraph(t("Explained anyway: unlike the training data."), "warning")
    if study.file is not None and study.file.kind == "sound":
        html += paragraph(
            t(
                "Of a long recording, the maps show the window that is most confident of the "
                "predicted class."
            ),
            "note",
        )
    if study.marked is not None:
        html += paragraph(t("Outline: what people marked."), "note")
        html += bullets(map(library_text, study.marked.notes), "note")
    return html + paragraph(study.map_problem, "error")


def _classes(study: ErrorStudy, place: int) -> tuple[str, str]:
    """The names of the true and the predicted class of a file."""
    classes, predicted = study.results.predictions.classes, study.results.predicted(study.threshold)
    truth = classes[int(study.results.labels[place])]
    return readable(truth), readable(classes[int(predicted[place])])


def _role(study: ErrorStudy, side: str) -> str:
    """The role of the class that a map explains, or a note on its scale."""
    if side == CONTRAST:
        return t("on its own scale")
    if side == TRUTH:
        return t("true class")
    return t("predicted class") if _is_wrong(study) else t("next most probable class")


def _is_wrong(study: ErrorStudy) -> bool:
    truth, predicted = _classes(study, study.selected)
    return truth != predicted


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
