"""The Layers page: Grad-CAM through the blocks of one or two backbones."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.state.layer_sweep import SIDES, LayerSweep
from dashboards.views.classes import class_options
from dashboards.views.text import paragraph
from dashboards.views.theme import card, side_by_side, words
from dashboards.views.view import View
from xai_tf.attribution.methods import METHODS
from xai_tf.rendering.viewer import viewer_data


class SidebarView(View):
    """One model: its maps from the first stage to the last."""

    layer_sweep = param.ClassSelector(class_=LayerSweep)
    side = param.Selector(objects=list(SIDES))

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._model = pmui.Select(
            label=f"Model on the {self.side}", size="small", sizing_mode="stretch_width"
        )
        self._words = words("")
        self._stages: list[AttributionViewer] = []
        self._column = pn.Column(sizing_mode="stretch_width")
        self._model.param.watch(self._chosen, "value")
        self.layer_sweep.param.watch(self._draw, ["maps", "status", "left", "right"])
        self._draw()

    def _chosen(self, event: Any) -> None:
        if event.new is None or event.new == getattr(self.layer_sweep, self.side):
            return
        # A class is one of the left model's.
        other = {"target": -1} if self.side == SIDES[0] else {}
        self.layer_sweep.param.update(**{self.side: event.new}, **other)

    def _draw(self, *_: Any) -> None:
        layer_sweep = self.layer_sweep
        names = (
            [model.name for model in layer_sweep.choices()] if layer_sweep.workspace.reading else []
        )
        none = {"(none)": ""} if self.side == SIDES[1] else {}
        self._model.param.update(
            options=none | {name: name for name in names}, value=getattr(layer_sweep, self.side)
        )
        found = layer_sweep.maps.get(self.side, [])
        said = paragraph(layer_sweep.status.get(self.side, ""), "note")
        if found:
            prediction = found[0].prediction
            chance = prediction.probabilities[prediction.label]
            said += paragraph(f"{prediction.name}, {chance:.1%}; why {found[0].target_name}?")
        self._words.object = said
        while len(self._stages) < len(found):
            self._stages.append(AttributionViewer(group="layer_sweep", controls=not self._stages))
        for stage, explanation in zip(self._stages, found, strict=False):
            stage.param.update(**viewer_data(explanation) | {"caption": explanation.layer})
        if len(self._column) != len(found):
            self._column[:] = self._stages[: len(found)]

    def layout(self) -> pn.viewable.Viewable:
        return card(f"{self.side.title()} model", self._model, self._words, self._column)


class LayerSweepPage(View):
    """Two models side by side."""

    layer_sweep = param.ClassSelector(class_=LayerSweep)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._method = pmui.Select.from_param(
            self.layer_sweep.param.method,
            size="small",
            label="Method",
            options={METHODS[name].title: name for name in self.layer_sweep.param.method.objects},
        )
        self._target = pmui.Select(
            label="Class explained", searchable=True, size="small", sizing_mode="stretch_width"
        )
        self._target.param.watch(self._chosen, "value")
        self.layer_sweep.param.watch(self._fill, ["left", "target", "maps"])
        self._fill()
        self._words = words(
            paragraph(
                "Each map is that of the last layer of one resolution, from fine to coarse, on a "
                "scale of its own, for layers have no common unit. Early layers react to edges and "
                "texture, late ones to what speaks for the class."
            )
        )

    def _fill(self, *_: Any) -> None:
        layer_sweep = self.layer_sweep
        options = {"(what each predicts)": -1} | class_options(layer_sweep.classes())
        self._target.param.update(options=options, value=layer_sweep.target)

    def _chosen(self, event: Any) -> None:
        if event.new is not None:
            self.layer_sweep.target = event.new

    def layout(self) -> pn.viewable.Viewable:
        sides = side_by_side(
            *(pn.Column(SidebarView(layer_sweep=self.layer_sweep, side=s)) for s in SIDES),
            least=300,
        )
        return pn.Column(
            self._words, self._method, self._target, sides, sizing_mode="stretch_width"
        )
