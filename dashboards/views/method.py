"""The settings of the chosen method, its layer, and the buttons that start it and stop it."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.choices import Choices
from dashboards.components.live import Live
from dashboards.components.progress import Progress
from dashboards.components.select import Select
from dashboards.language import language, number, t
from dashboards.service.requests import SAMPLES, Explain
from dashboards.state.explorer import QUICK_SECONDS, Explorer
from dashboards.state.progress import about, passes
from dashboards.turns import once_a_turn
from dashboards.views.text import paragraph
from dashboards.views.theme import NUMBER, run_button, section, stop_button, words
from dashboards.views.view import View
from xai_tf.attribution.methods import METHODS, Option, Value, shown
from xai_tf.classifiers.class_names import readable
from xai_tf.errors import SettingError
from xai_tf.rendering.viewer import thumbnail_url
from xai_tf.trust.sentences import written

DEFAULT = ""  # the choice that stands for the default of a setting with names


class MethodView(View):
    """The settings of the chosen method; starts and stops the explanation."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        explorer = self.explorer
        self._summary = words(pn.bind(_summary, explorer.param.method))
        self._forms: dict[str, pn.Column] = {}
        self._form = pn.Column(sizing_mode="stretch_width")
        self._layers = Choices(label=t("Layer"), layout="tiles", visible=False)
        self._layer = Select(label=t("Any layer"), searchable=True)
        self._run, self._stop = run_button(t("Explain"), "play_arrow"), stop_button()
        self._sampling = pn.Row()  # filled when the first stochastic method is chosen
        self._inputs: dict[tuple[str, str], pn.widgets.Widget] = {}
        self._refused: set[tuple[str, str]] = set()  # inputs whose value is not used
        self._bar = Progress(label=t("Progress of the explanation"), visible=False)
        self._status = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._problem = Live(
            variant="error", urgent=True, sizing_mode="stretch_width", margin=(4, 8)
        )
        self._run.on_click(lambda _: explorer.run())
        self._stop.on_click(lambda _: explorer.stop())
        self._layer.param.watch(self._layer_chosen, "value")
        self._layers.param.watch(self._layer_chosen, "value")
        explorer.param.watch(self._show_run, ["settings", "target", "contrast", "explanation"])
        explorer.workspace.param.watch(self._show_run, ["facts", "reading"])
        explorer.workspace.param.watch(self._fill_layers, "facts")
        explorer.param.watch(self._show_form, "method")
        explorer.param.watch(self._show_progress, ["running", "progress"])
        explorer.param.watch(self._show_settings, "settings")
        explorer.param.watch(self._say, ["status", "problem"])
        explorer.param.watch(self._show_layer_maps, "layer_maps")
        explorer.param.watch(self._mark_layer, "layer")
        explorer.param.watch(self._request_layer_maps, "explanation")
        self._fill_layers()
        self._show_form()

    @once_a_turn
    def _show_run(self) -> None:
        explorer = self.explorer
        seconds = explorer.seconds()
        slow = seconds is not None and seconds > QUICK_SECONDS
        self._run.label = t("Explain") + (f" ({about(seconds)})" if slow else "")
        refused = any(method == explorer.method for method, _ in self._refused)
        self._run.disabled = refused or explorer.request() is None
        self._run.visible = explorer.explanation is None and not explorer.running
        self._show_sampling()

    def _show_sampling(self) -> None:
        """Update the buttons that take more samples, with their maximum cost."""
        explorer = self.explorer
        self._sampling.visible = METHODS[explorer.method].stochastic and not explorer.running
        if not self._sampling.visible:
            return
        if not len(self._sampling):
            more = pmui.Button(icon="add", variant="outlined")
            until_stable = pmui.Button(icon="all_inclusive", variant="outlined")
            more.on_click(lambda _: explorer.run_more())
            until_stable.on_click(lambda _: explorer.run_until_stable())
            self._sampling.extend([more, until_stable])
        more, until_stable = self._sampling
        request, count, stable = (
            explorer.request(),
            explorer.next_samples(),
            explorer.until_stable(),
        )
        more.visible, until_stable.visible = count is not None, stable is not None
        if count is not None:
            more.label = t(
                "Run more ({cost})", cost=self._remaining_cost(request.of_samples(count))
            )
        if stable is not None:
            until_stable.label = t("Until stable (up to {cost})", cost=self._remaining_cost(stable))

    def _remaining_cost(self, request: Explain) -> str:
        """The cost of the samples of a request beyond those already taken."""
        shown, facts = self.explorer.explanation, self.explorer.workspace.facts
        resumable = shown and shown.convergence and shown.convergence.kept
        count = request.samples - (shown.settings[SAMPLES] if resumable else 0)
        seconds = facts.seconds(request) * count / request.samples if facts else None
        return passes(count) + ("" if seconds is None else f", {about(seconds)}")

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
        method = self.explorer.method
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
                    label=t("Seed"),
                    sizing_mode="stretch_width",
                    helper_text=t("The same random seed gives the same map."),
                    description="",  # an icon that screen readers cannot name
                    **NUMBER,
                )
            )
        return form

    def _show_settings(self, *_: Any) -> None:
        """Update the inputs: a run until stable changes the number of samples."""
        for (method, name), widget in self._inputs.items():
            default = METHODS[method].options[name].default
            chosen = self.explorer.settings.get(method, {}).get(name, default)
            if isinstance(widget, Select):
                _choose(widget, chosen)
            elif chosen is not None and chosen != widget.value:
                widget.value = chosen

    def _set(self, method: str, name: str, event: Any) -> None:
        if event.new is None:
            return
        try:
            self.explorer.set(method, name, None if event.new == DEFAULT else event.new)
        except SettingError:
            self._refused.add((method, name))
            self._mark_refused(method, name)
        else:
            if (method, name) in self._refused:
                self._refused.discard((method, name))
                option = METHODS[method].options[name]
                event.obj.param.update(error_state=False, helper_text=_limits(option))
        self._show_run()

    def _mark_refused(self, method: str, name: str) -> None:
        """Say at the input what it accepts, and what is used as long as it holds something else."""
        option = METHODS[method].options[name]
        used = self.explorer.settings.get(method, {}).get(name, option.default)
        text = t("Not used. {limits}", limits=_limits(option))
        if used is not None:
            text += " " + t("The map is still made with {value}.", value=_number(used))
        self._inputs[method, name].param.update(error_state=True, helper_text=text)

    def _fill_layers(self, *_: Any) -> None:
        facts = self.explorer.workspace.facts
        if facts is None:
            return
        last = facts.feature_layers[-1] if facts.feature_layers else ""
        self._layer.options = {t("{layer} (the last)", layer=last): ""} | {
            name: name for name in reversed(facts.feature_layers[:-1])
        }
        self._layer.value = self.explorer.layer

    def _request_layer_maps(self, *_: Any) -> None:
        """Request the pictures of the layers after the map itself has been sent."""
        if self.explorer.explanation is not None:
            pn.state.execute(self.explorer.run_layer_maps, schedule=True)

    def _show_layer_maps(self, *_: Any) -> None:
        facts = self.explorer.workspace.facts
        if facts is None:
            return
        self._layers.items = [
            {
                "value": layer_map.layer,
                "label": layer_map.layer,
                "picture": thumbnail_url(layer_map),
            }
            for layer_map in self.explorer.layer_maps
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
        """The settings, the layer and the buttons."""
        return section(
            t("Method"),
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


def _summary(method: str) -> str:
    entry = METHODS[method]
    return paragraph(f"{entry.title}. {t(entry.summary)}") + paragraph(entry.paper, "note")


def _widget(
    name: str, option: Option, value: Value | None
) -> pmui.IntInput | pmui.FloatInput | Select:
    if option.names:
        choices: dict[str, Value] = {t("that of the task"): DEFAULT}
        choices |= {shown(end): end for end in (option.low, option.high)}
        choices |= {f"{word} ({t(meaning)})": word for word, meaning in option.names.items()}
        select = Select(
            label=_label(name, option),
            options=choices,
        )
        _choose(select, value)
        return select
    kind = pmui.IntInput if option.whole else pmui.FloatInput
    default = option.default if option.default is not None else 0.0
    return kind(
        label=_label(name, option),
        helper_text=_limits(option),
        value=default if value is None else value,
        start=0 if option.zero else option.low if not option.whole else int(option.low),
        end=option.high if not option.whole else int(option.high),
        sizing_mode="stretch_width",
        **NUMBER,
    )


def _label(name: str, option: Option) -> str:
    return t("{name}: {meaning}", name=t(readable(name)), meaning=t(option.doc))


def _limits(option: Option) -> str:
    low, high = _number(option.low), _number(option.high)
    if option.zero:
        return t("From {low} to {high}, or 0.", low=low, high=high)
    return t("From {low} to {high}.", low=low, high=high)


def _number(value: Value) -> str:
    whole = not isinstance(value, str) and float(value).is_integer()
    return number(int(value), ",") if whole else written(shown(value), language())


def _choose(select: Select, value: Value | None) -> None:
    """Show the value of a setting; a number that is not among the choices is added to them."""
    if value is not None and value not in select.options.values():
        select.options = {**select.options, shown(value): value}
    select.value = DEFAULT if value is None else value
