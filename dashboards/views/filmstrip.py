"""The methods below the picture: what each costs, and a small picture of each map."""

from __future__ import annotations

from typing import Any

import panel as pn
import param

from dashboards.components.filmstrip import Filmstrip
from dashboards.language import number, t
from dashboards.state.explorer import Explorer
from dashboards.state.progress import duration, passes
from dashboards.turns import once_a_turn
from dashboards.views.view import View
from xai_tf.attribution.budget import recommended_method
from xai_tf.attribution.methods import METHODS, Method
from xai_tf.rendering.viewer import thumbnail_url


class FilmstripView(View):
    """A tile per method: click to show or compute, point to preview, Stop in place."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        explorer = self.explorer
        self._strip = Filmstrip(
            explorer.choose, label=t("Methods"), value=explorer.method, margin=0
        )
        self._strip.param.watch(lambda _: explorer.stop(), "stops")
        self._strip.param.watch(self._preview, "hovered")
        explorer.param.watch(
            self._fill,
            ["settings", "target", "contrast", "layer", "seed", "explanation", "remembered"],
        )
        explorer.workspace.param.watch(self._fill, ["facts", "reading", "window"])
        explorer.param.watch(self._mark, ["method", "running", "progress"])
        self._fill()

    @once_a_turn
    def _fill(self) -> None:
        self._strip.items = [self._tile(method) for method in METHODS.values()]
        self._mark()

    def _mark(self, *_: Any) -> None:
        explorer = self.explorer
        self._strip.param.update(
            value=explorer.method,
            running=explorer.method if explorer.running else "",
            progress=explorer.progress or -1.0,
        )

    def _preview(self, event: Any) -> None:
        explorer = self.explorer
        hovered = event.new if event.new in METHODS else ""
        explorer.previewed = "" if hovered == explorer.method else hovered

    def _tile(self, method: Method) -> dict[str, Any]:
        explorer, facts = self.explorer, self.explorer.workspace.facts
        map_, seconds = explorer.cached(method.name), explorer.seconds(method.name)
        unavailable = facts is not None and not method.works_with(facts.access)
        count = explorer.passes(method.name)
        note = ""
        if unavailable:
            note = t("needs {access}", access=t(method.needs))
        elif count:
            note = _passes(count)
        badge = "" if seconds is None or unavailable else _about(seconds)
        return {
            "value": method.name,
            "label": method.title,
            "note": note,
            "badge": badge if map_ is None else f"{number(max(map_.seconds, 0.1), '.1f')} s",
            "picture": "" if map_ is None else thumbnail_url(map_),
            "star": facts is not None and method.name == recommended_method(facts.access),
            "disabled": unavailable or explorer.workspace.reading is None,
        }

    def layout(self) -> pn.viewable.Viewable:
        """The strip."""
        return pn.Column(self._strip, css_classes=["film"], sizing_mode="stretch_width", margin=0)


def _passes(text: str) -> str:
    """A number of passes, such as "1" or "64 to 512", with its noun."""
    least, _, most = text.partition(" to ")
    return t("{least} to {most} passes", least=least, most=most) if most else passes(int(least))


def _about(seconds: float) -> str:
    return "<1 s" if seconds < 1 else f"~{duration(seconds)}"
