"""The Layers tab: a CAM method through the layers of one or two backbones."""

from __future__ import annotations

from typing import Any

import panel as pn
import param

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.components.select import Select
from dashboards.language import library_text, mark, t
from dashboards.state.answers import answer_summary
from dashboards.state.layer_sweep import SIDES, LayerSweep
from dashboards.views.classes import class_options
from dashboards.views.text import paragraph
from dashboards.views.theme import card, side_by_side, words
from dashboards.views.view import View
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.class_names import readable
from xai_tf.rendering.viewer import viewer_data

MODEL_ON = {SIDES[0]: mark("Model on the left"), SIDES[1]: mark("Model on the right")}
TITLES = {SIDES[0]: mark("Left model"), SIDES[1]: mark("Right model")}
TILE = {"flex": "1 1 170px", "min-width": "0", "max-width": "280px"}


class ModelColumn(View):
    """One model: its maps from the first resolution to the last."""

    layer_sweep = param.ClassSelector(class_=LayerSweep)
    side: param.Selector[str] = param.Selector(objects=list(SIDES))

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._model = Select(label=t(MODEL_ON[self.side]))
        self._words = words("")
        self._viewers: list[AttributionViewer] = []
        # Several in a row, so that layers can be compared without scrolling.
        self._column = pn.FlexBox(gap="8px", sizing_mode="stretch_width")
        self._model.param.watch(self._on_choice, "value")
        self.layer_sweep.param.watch(self._draw, ["maps", "status", "left", "right"])
        self._draw()

    def _on_choice(self, event: Any) -> None:
        if event.new == getattr(self.layer_sweep, self.side):
            return
        # The target is a class index of the left model.
        other = {"target": -1} if self.side == SIDES[0] else {}
        self.layer_sweep.param.update(**{self.side: event.new}, **other)

    def _draw(self, *_: Any) -> None:
        layer_sweep = self.layer_sweep
        names = (
            [model.name for model in layer_sweep.choices()] if layer_sweep.workspace.reading else []
        )
        none = {t("(none)"): ""} if self.side == SIDES[1] else {}
        self._model.param.update(
            options=none | {name: name for name in names}, value=getattr(layer_sweep, self.side)
        )
        maps = layer_sweep.maps.get(self.side, [])
        html = paragraph(layer_sweep.status.get(self.side, ""), "note")
        if maps:
            summary, name = answer_summary(maps[0].prediction), readable(maps[0].target_name)
            html += paragraph(t("{answer}; why {name}?", answer=summary, name=name))
        self._words.object = html
        while len(self._viewers) < len(maps):
            self._viewers.append(
                AttributionViewer(group="layer_sweep", controls=False, styles=TILE)
            )
        for viewer, explanation in zip(self._viewers, maps, strict=False):
            data = viewer_data(explanation)
            alt = library_text(data["alt"])
            viewer.param.update(**data | {"caption": explanation.layer, "alt": alt})
        if len(self._column) != len(maps):
            self._column[:] = self._viewers[: len(maps)]

    def layout(self) -> pn.viewable.Viewable:
        """The card of the model."""
        return card(t(TITLES[self.side]), self._model, self._words, self._column)


class LayerSweepPage(View):
    """Two models side by side."""

    layer_sweep = param.ClassSelector(class_=LayerSweep)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._method = Select.from_param(
            self.layer_sweep.param.method,
            label=t("Method"),
            width=300,
            options={METHODS[name].title: name for name in self.layer_sweep.param.method.objects},
        )
        self._target = Select(label=t("Class explained"), searchable=True)
        self._target.param.watch(self._on_choice, "value")
        self.layer_sweep.param.watch(self._fill, ["left", "target", "maps"])
        self._fill()
        self._controls = AttributionViewer(group="layer_sweep")
        self._words = words(
            paragraph(
                t(
                    "Each map shows the last layer of one resolution, from fine to coarse, on its "
                    "own scale, because layers have no common unit. Early layers respond to edges "
                    "and textures, late layers to evidence for the class."
                )
            )
        )

    def _fill(self, *_: Any) -> None:
        layer_sweep = self.layer_sweep
        options = {t("(predicted class of each model)"): -1} | class_options(layer_sweep.classes())
        self._target.param.update(options=options, value=layer_sweep.target)

    def _on_choice(self, event: Any) -> None:
        if event.new is not None:
            self.layer_sweep.target = event.new

    def layout(self) -> pn.viewable.Viewable:
        """The controls, and the models side by side."""
        sides = side_by_side(
            *(pn.Column(ModelColumn(layer_sweep=self.layer_sweep, side=s)) for s in SIDES),
            least=300,
        )
        return pn.Column(
            self._words,
            self._method,
            self._target,
            self._controls,
            sides,
            sizing_mode="stretch_width",
        )
