"""The method: a list with costs, its settings, its layer, and the button that starts it."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.choices import Choices
from dashboards.components.live import Live
from dashboards.components.progress import Progress
from dashboards.service.requests import SAMPLES, Explain
from dashboards.state.explorer import QUICK_SECONDS, Explorer
from dashboards.state.progress import duration
from dashboards.views.text import paragraph
from dashboards.views.theme import card, run_button, stop_button, words
from dashboards.views.view import View
from xai_tf.attribution.methods import METHODS, Option
from xai_tf.errors import XaiTfError
from xai_tf.rendering.viewer import thumbnail_url


class MethodView(View):
    """Choose a method, set it, see its cost, start and stop it."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        explorer = self.explorer
        self._methods = Choices(label="Method", layout="list", value=explorer.method)
        self._summary = words(pn.bind(_summary, explorer.param.method))
        self._forms: dict[str, pn.Column] = {}
        self._form = pn.Column(sizing_mode="stretch_width")
        self._layers = Choices(label="Layer", layout="tiles", visible=False)
        self._layer = pmui.Select(
            label="Any layer", searchable=True, size="small", sizing_mode="stretch_width"
        )
        self._run, self._stop = run_button("Explain", "play_arrow"), stop_button()
        self._sampling = pn.Row()  # is filled for the first method that samples
        self._inputs: dict[tuple[str, str], pn.widgets.Widget] = {}
        self._bar = Progress(label="Progress of the explanation", visible=False)
        self._status = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._problem = Live(look="error", urgent=True, sizing_mode="stretch_width", margin=(4, 8))
        self._run.on_click(lambda _: explorer.run())
        self._stop.on_click(lambda _: explorer.stop())
        self._methods.param.watch(self._chosen, "value")
        self._layer.param.watch(self._layer_chosen, "value")
        self._layers.param.watch(self._layer_chosen, "value")
        explorer.param.watch(self._costs, ["settings", "target", "contrast", "explanation"])
        explorer.workspace.param.watch(self._costs, ["facts", "reading"])
        explorer.workspace.param.watch(self._fill_layers, "facts")
        explorer.param.watch(self._show_form, "method")
        explorer.param.watch(self._show_progress, ["running", "progress"])
        explorer.param.watch(self._show_settings, "settings")
        explorer.param.watch(self._say, ["status", "problem"])
        explorer.param.watch(self._show_stages, "stages")
        explorer.param.watch(self._mark_layer, "layer")
        explorer.param.watch(self._want_stages, "explanation")
        self._costs()
        self._fill_layers()
        self._show_form()

    def _chosen(self, event: Any) -> None:
        self.explorer.method = event.new

    def _costs(self, *_: Any) -> None:
        """Say of each method what it costs, before it runs."""
        explorer = self.explorer
        facts, items = explorer.workspace.facts, []
        for method in METHODS.values():
            seconds, passes = explorer.seconds(method.name), explorer.passes(method.name)
            refused = method.needs_layer and facts is not None and not facts.feature_layers
            done = explorer.known(method.name) is not None
            note = (
                "needs a convolutional layer"
                if refused
                else ("" if passes is None else f"{passes} pass{'es' * (passes != 1)}")
            )
            badge = "done" if done else ("" if seconds is None else _about(seconds))
            items.append(
                {
                    "value": method.name,
                    "label": method.title,
                    "note": note,
                    "badge": badge,
                    "disabled": refused,
                }
            )
        self._methods.items = items
        self._show_run()

    def _show_run(self) -> None:
        explorer = self.explorer
        seconds = explorer.seconds()
        slow = seconds is not None and seconds > QUICK_SECONDS
        self._run.label = f"Explain (about {duration(seconds)})" if slow else "Explain"
        self._run.disabled = explorer.request() is None
        self._run.visible = explorer.explanation is None and not explorer.running
        self._show_sampling()

    def _show_sampling(self) -> None:
        """What goes on with the samples, and what it costs at most."""
        explorer = self.explorer
        self._sampling.visible = METHODS[explorer.method].stochastic and not explorer.running
        if not self._sampling.visible:
            return
        if not len(self._sampling):
            more = pmui.Button(icon="add", variant="outlined")
            settle = pmui.Button(icon="all_inclusive", variant="outlined")
            more.on_click(lambda _: explorer.run_more())
            settle.on_click(lambda _: explorer.run_until_stable())
            self._sampling.extend([more, settle])
        more, settle = self._sampling
        request, count, asked = explorer.request(), explorer.more(), explorer.until_stable()
        more.visible, settle.visible = count is not None, asked is not None
        if count is not None:
            more.label = f"Run more ({self._further(request.of_samples(count))})"
        if asked is not None:
            settle.label = f"Until stable (up to {self._further(asked)})"

    def _further(self, request: Explain) -> str:
        """What taking samples up to those of a request costs."""
        shown, facts = self.explorer.explanation, self.explorer.workspace.facts
        found = shown and shown.convergence
        taken = shown.settings[SAMPLES] if found and found.kept else 0
        count = request.samples - taken
        took = facts.seconds(request) * count / request.samples if facts else None
        return f"{count} passes" + ("" if took is None else f", about {duration(took)}")

    def _show_progress(self, *_: Any) -> None:
        explorer = self.explorer
        self._stop.visible = self._bar.visible = explorer.running
        self._run.visible = explorer.explanation is None and not explorer.running
        self._show_sampling()
        self._bar.value = explorer.progress or -1.0

    def _say(self, *_: Any) -> None:
        explorer = self.explorer
        self._status.paragraphs = [explorer.status] if explorer.status else []
        self._problem.paragraphs = [explorer.problem] if explorer.problem else []

    def _show_form(self, *_: Any) -> None:
        method = self._methods.value = self.explorer.method
        entry = METHODS[method]
        if method not in self._forms and (entry.options or entry.stochastic):
            self._forms[method] = self._settings_form(method)
            self._form.append(self._forms[method])
        for name, form in self._forms.items():
            form.visible = name == method
        self._layers.visible = self._layer.visible = entry.needs_layer
        self._layers.items = []
        self._show_run()

    def _settings_form(self, method: str) -> pn.Column:
        entry, explorer = METHODS[method], self.explorer
        form = pn.Column(sizing_mode="stretch_width")
        for name, option in entry.options.items():
            widget = _widget(name, option, explorer.settings.get(method, {}).get(name))
            widget.param.watch(lambda event, name=name: self._set(method, name, event), "value")
            self._inputs[method, name] = widget
            form.append(widget)
        if entry.stochastic:
            form.append(
                pmui.IntInput.from_param(
                    explorer.param.seed,
                    size="small",
                    sizing_mode="stretch_width",
                    description="The same seed gives the same map.",
                )
            )
        return form

    def _show_settings(self, *_: Any) -> None:
        """A run until stable says how many samples it took."""
        for (method, name), widget in self._inputs.items():
            default = METHODS[method].options[name].default
            chosen = self.explorer.settings.get(method, {}).get(name, default)
            if chosen is not None and chosen != widget.value:
                widget.value = chosen

    def _set(self, method: str, name: str, event: Any) -> None:
        if event.new is None:
            return
        try:
            self.explorer.set(method, name, event.new)
        except XaiTfError as error:
            self.explorer.problem = str(error)

    def _fill_layers(self, *_: Any) -> None:
        facts = self.explorer.workspace.facts
        if facts is None:
            return
        last = facts.feature_layers[-1] if facts.feature_layers else ""
        self._layer.options = {f"{last} (the last)": ""} | {
            name: name for name in reversed(facts.feature_layers[:-1])
        }
        self._layer.value = self.explorer.layer

    def _want_stages(self, *_: Any) -> None:
        """Ask for the pictures of the layers, once the map itself is on its way."""
        if self.explorer.explanation is not None:
            pn.state.execute(self.explorer.run_stages, schedule=True)

    def _show_stages(self, *_: Any) -> None:
        facts = self.explorer.workspace.facts
        if facts is None:
            return
        self._layers.items = [
            {"value": stage.layer, "label": stage.layer, "picture": thumbnail_url(stage)}
            for stage in self.explorer.stages
        ]
        self._mark_layer()

    def _mark_layer(self, *_: Any) -> None:
        facts, layer = self.explorer.workspace.facts, self.explorer.layer
        if facts and facts.feature_layers:
            self._layers.value = layer or facts.feature_layers[-1]
            self._layer.value = layer

    def _layer_chosen(self, event: Any) -> None:
        facts = self.explorer.workspace.facts
        if facts and facts.feature_layers and event.new is not None:
            self.explorer.layer = "" if event.new == facts.feature_layers[-1] else event.new

    def layout(self) -> pn.viewable.Viewable:
        settings = card(
            "Settings",
            self._summary,
            self._form,
            self._layers,
            self._layer,
            pn.Row(self._run, self._stop),
            self._sampling,
            self._bar,
            self._status,
            self._problem,
        )
        return pn.Column(settings, card("Methods", self._methods), sizing_mode="stretch_width")


def _about(seconds: float) -> str:
    return duration(seconds) if seconds < 1 else f"~{duration(seconds)}"


def _summary(method: str) -> str:
    entry = METHODS[method]
    return paragraph(f"{entry.title}. {entry.summary}") + paragraph(entry.paper, "note")


def _widget(name: str, option: Option, value: float | None) -> pn.widgets.Widget:
    kind = pmui.IntInput if option.whole else pmui.FloatInput
    default = option.default if option.default is not None else 0.0
    return kind(
        label=f"{name.replace('_', ' ')}: {option.doc}",
        value=default if value is None else value,
        start=option.low if not option.whole else int(option.low),
        end=option.high if not option.whole else int(option.high),
        size="small",
        sizing_mode="stretch_width",
    )
