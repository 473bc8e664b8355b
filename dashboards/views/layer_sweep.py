"""The Layers page: Grad-CAM through the blocks of one or two backbones."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.attribution_viewer import Stage
from dashboards.state.layer_sweep import SIDES, Depth
from dashboards.views.classes import class_options
from dashboards.views.text import paragraph
from dashboards.views.theme import card, side_by_side, words
from dashboards.views.view import View
from xai_tf.attribution.methods import METHODS
from xai_tf.rendering.viewer import stage_of


class SideView(View):
    """One model: its maps from the first stage to the last."""

    depth = param.ClassSelector(class_=Depth)
    side = param.Selector(objects=list(SIDES))

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._model = pmui.Select(
            label=f"Model on the {self.side}", size="small", sizing_mode="stretch_width"
        )
        self._words = words("")
        self._stages: list[Stage] = []
        self._column = pn.Column(sizing_mode="stretch_width")
        self._model.param.watch(self._chosen, "value")
        self.depth.param.watch(self._draw, ["maps", "status", "left", "right"])
        self._draw()

    def _chosen(self, event: Any) -> None:
        if event.new is None or event.new == getattr(self.depth, self.side):
            return
        # A class is one of the left model's.
        other = {"target": -1} if self.side == SIDES[0] else {}
        self.depth.param.update(**{self.side: event.new}, **other)

    def _draw(self, *_: Any) -> None:
        depth = self.depth
        names = [model.name for model in depth.choices()] if depth.bench.reading else []
        none = {"(none)": ""} if self.side == SIDES[1] else {}
        self._model.param.update(
            options=none | {name: name for name in names}, value=getattr(depth, self.side)
        )
        found = depth.maps.get(self.side, [])
        said = paragraph(depth.status.get(self.side, ""), "note")
        if found:
            prediction = found[0].prediction
            chance = prediction.probabilities[prediction.label]
            said += paragraph(f"{prediction.name}, {chance:.1%}; why {found[0].target_name}?")
        self._words.object = said
        while len(self._stages) < len(found):
            self._stages.append(Stage(group="depth", controls=not self._stages))
        for stage, explanation in zip(self._stages, found, strict=False):
            stage.param.update(**stage_of(explanation) | {"caption": explanation.layer})
        if len(self._column) != len(found):
            self._column[:] = self._stages[: len(found)]

    def layout(self) -> pn.viewable.Viewable:
        return card(f"{self.side.title()} model", self._model, self._words, self._column)


class DepthPage(View):
    """Two models side by side."""

    depth = param.ClassSelector(class_=Depth)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._method = pmui.Select.from_param(
            self.depth.param.method, size="small", label="Method",
            options={METHODS[name].title: name for name in self.depth.param.method.objects},
        )  # fmt: skip
        self._target = pmui.Select(
            label="Class explained", searchable=True, size="small", sizing_mode="stretch_width"
        )
        self._target.param.watch(self._chosen, "value")
        self.depth.param.watch(self._fill, ["left", "target", "maps"])
        self._fill()
        self._words = words(
            paragraph(
                "Each map is that of the last layer of one resolution, from fine to coarse, on a "
                "scale of its own, for layers have no common unit. Early layers react to edges and "
                "texture, late ones to what speaks for the class."
            )
        )

    def _fill(self, *_: Any) -> None:
        depth = self.depth
        options = {"(what each predicts)": -1} | class_options(depth.classes())
        self._target.param.update(options=options, value=depth.target)

    def _chosen(self, event: Any) -> None:
        if event.new is not None:
            self.depth.target = event.new

    def layout(self) -> pn.viewable.Viewable:
        sides = side_by_side(
            *(pn.Column(SideView(depth=self.depth, side=s)) for s in SIDES), least=300
        )
        return pn.Column(
            self._words, self._method, self._target, sides, sizing_mode="stretch_width"
        )
