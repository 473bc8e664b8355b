"""How far a map can be trusted: a badge, and the verdict with its reasons, scores and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import panel as pn
import param

from dashboards.components.reasons import Reasons
from dashboards.components.verdict_badge import Badge
from dashboards.language import language, library_text, mark, number, t
from dashboards.state.trust import Trust
from dashboards.views.explanation_quality import ExplanationQualityView
from dashboards.views.text import facts, paragraph
from dashboards.views.theme import words
from dashboards.views.view import View
from xai_tf.attribution.convergence import convergence_text, curve
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import shown
from xai_tf.classifiers.class_names import readable
from xai_tf.trust import REMEDIES, Reason
from xai_tf.trust.sentences import SEVERITY_WORDS, region_name

QUESTION = mark("Can this map be trusted?")
Action = Callable[[Reason], None]


class VerdictBadge(View):
    """The verdict as a word with a color and an icon; hidden while there is no map.

    Attributes:
        trust: the state.
        pressed: grows whenever the button is pressed.
    """

    trust = param.ClassSelector(class_=Trust)
    pressed = param.Integer(default=0)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._badge = Badge(on_press=self._on_press)
        self.trust.param.watch(self._draw, "verdict")
        self._draw()

    def _on_press(self) -> None:
        self.pressed += 1

    def _draw(self, *_: Any) -> None:
        found = self.trust.verdict
        self._badge.param.update(
            level=found.level if found else "",
            word=found.word(language()) if found else "",
            description=found.sentence(language()) if found else "",
            label=t(QUESTION),
        )

    def layout(self) -> pn.viewable.Viewable:
        """The button."""
        return self._badge


class TrustView(View):
    """The verdict in a sentence, its reasons, then scores, regions and how the map was computed.

    Attributes:
        trust: the state.
        actions: by the name of a remedy, what the page does about a reason. A remedy that neither
            the page nor the state can apply has no button.
        shown_region: the names of the partition and the region that a visitor wants to see on the
            picture, or None.
    """

    trust = param.ClassSelector(class_=Trust)
    actions: Mapping[str, Action] = param.Dict(default={})
    shown_region = param.Parameter(default=None)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        trust = self.trust
        self._sentence = words("", margin=(4, 8))
        self._reasons = Reasons(on_press=self._on_press)
        self._quality = ExplanationQualityView(quality=trust.quality)
        self._computed = words(pn.bind(computed_words, trust.explorer.param.explanation))
        trust.param.watch(self._draw, ["verdict", "comparing"])
        trust.explorer.param.watch(self._forget_region, "explanation")
        self.param.watch(self._draw, "actions")
        self._draw()

    def _draw(self, *_: Any) -> None:
        found, comparing = self.trust.verdict, self.trust.comparing
        self._sentence.object = paragraph(
            found.sentence(language()) if found else t("No map yet.")
        ) + paragraph(
            t("{method} is being computed to compare with.", method=comparing) if comparing else "",
            "note",
        )
        self._reasons.param.update(
            items=[self._item(reason) for reason in found.reasons] if found else [],
            label=t(QUESTION),
        )

    def _item(self, reason: Reason) -> dict[str, str]:
        region = ""
        if reason.region:
            region = t("Show {name}", name=region_name(reason.region[1], language()))
        applicable = self.trust.can(reason) or reason.remedy in self.actions
        return {
            "text": reason.text(language()),
            "severity": reason.severity,
            "word": SEVERITY_WORDS[reason.severity][language()],
            "remedy": REMEDIES[reason.remedy].label(language()) if applicable else "",
            "region": region,
        }

    def _on_press(self, button: str, number: int) -> None:
        """Apply the remedy of a reason, or show its region; the browser may be late."""
        reasons = self.trust.verdict.reasons if self.trust.verdict else ()
        if number >= len(reasons):
            return
        reason = reasons[number]
        if button == "region":
            self.shown_region = reason.region
        elif reason.remedy in self.actions:
            self.actions[reason.remedy](reason)
        else:
            self.trust.apply(reason)

    def _forget_region(self, *_: Any) -> None:
        self.shown_region = None

    def layout(self) -> pn.viewable.Viewable:
        """The sentence, the reasons, the tables and the figures, one below the other."""
        return pn.Column(
            self._sentence,
            self._reasons,
            *self._quality.parts(),
            self._computed,
            sizing_mode="stretch_width",
        )


def computed_words(explanation: Explanation | None) -> str:
    """How a map was computed, collapsed, as HTML; empty without a map."""
    if explanation is None:
        return ""
    rows = [
        (t("Class"), readable(explanation.target_name)),
        (t("Method"), explanation.method.title),
        *([(t("Layer"), explanation.layer)] if explanation.layer else []),
        *((t(readable(name)), shown(value)) for name, value in explanation.settings.items()),
        *([(t("Seed"), str(explanation.seed))] if explanation.seed is not None else []),
        (
            t("Passes"),
            t(
                "{forward} forward, {gradient} gradient",
                forward=explanation.cost.forward,
                gradient=explanation.cost.gradient,
            ),
        ),
        (t("Time"), f"{number(explanation.seconds, '.2f')} s"),
        *((t(readable(name)), _figure(value)) for name, value in explanation.figures.items()),
    ]
    return (
        f"<details><summary>{t('How it was computed')}</summary>"
        f"{facts(rows)}{_convergence_words(explanation)}</details>"
    )


def _figure(value: float) -> str:
    """A count with all its digits, any other number with three."""
    return number(value, ",.0f" if float(value).is_integer() else ".3g")


def _convergence_words(explanation: Explanation) -> str:
    """How a sampled map converged, as a sentence and a curve."""
    found = explanation.convergence
    if found is None:
        return ""
    text = paragraph(library_text(convergence_text(found)))
    if found.exact or not len(found.samples):
        return text
    label = t(
        "Stability {value} after {count} samples",
        value=number(found.stability[-1], ".2f"),
        count=found.samples[-1],
    )
    return text + curve(found.samples, found.stability, found.wanted, label)
