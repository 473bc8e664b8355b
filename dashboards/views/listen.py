"""Listen: the parts of a sound, the prediction for each, and the strongest regions."""

from __future__ import annotations

import base64
from typing import Any

import panel as pn
import param

from dashboards.components.live import Live
from dashboards.components.mixer import Mixer
from dashboards.components.player import Player
from dashboards.components.select import Select
from dashboards.language import language, library_text, mark, number, t
from dashboards.service.listening import MUTE, ORIGINAL, REMAINDER, SOLO, SUPPORTING, SoundClip
from dashboards.state.listener import Listener
from dashboards.views.text import facts, paragraph
from dashboards.views.theme import card, words
from dashboards.views.view import View
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.class_names import readable
from xai_tf.rendering.viewer import REBUILT_NOTE
from xai_tf.sonification import TimeFrequencyRegion
from xai_tf.trust.sentences import written


class ListenView(View):
    """The card for sounds; it is built when the first sound is shown."""

    listener = param.ClassSelector(class_=Listener)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._place = pn.Column(sizing_mode="stretch_width")
        self._parts: _Parts | None = None
        explorer = self.listener.explorer
        explorer.workspace.param.watch(self._show, ["reading", "window"])
        explorer.param.watch(self._show, "explanation")
        self.listener.param.watch(self._show, ["clip", "regions", "part", "chosen"])
        self.listener.param.watch(self._say, ["status", "problem"])
        self._show()

    def _show(self, *_: Any) -> None:
        has_sound = self.listener.sound is not None
        if has_sound and self._parts is None:
            self._parts = _Parts(self.listener)
            self._place.append(self._parts.card)
        self._place.visible = has_sound
        if self._parts and has_sound:
            self._parts.draw()
        elif self._parts:
            self._parts.silence()

    def _say(self, *_: Any) -> None:
        if self._parts:
            self._parts.say()

    def layout(self) -> pn.viewable.Viewable:
        """The column that holds the card once there is a sound."""
        return self._place


class _Parts:
    """The panes of the card."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._intro, self._numbers = words(""), words("")
        self._mixer = Mixer(self._pressed)
        self._player = Player()
        self._status = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._problem = Live(
            variant="error", urgent=True, sizing_mode="stretch_width", margin=(4, 8)
        )
        share = Select.from_param(
            listener.param.share,
            label=t("Share of the supporting evidence"),
            max_width=260,
        )
        self.card = card(
            t("Listen to the evidence"),
            self._intro,
            self._mixer,
            share,
            self._status,
            self._problem,
            self._player,
            self._numbers,
        )

    def draw(self) -> None:
        listener, explanation = self._listener, self._listener.explorer.explanation
        clip, part = listener.clip, _audible_part(listener)
        self._intro.object = _introduction(listener)
        self._mixer.param.update(
            parts=_buttons(explanation),
            regions=[_row(region) for region in listener.regions],
            part=listener.part,
            chosen=list(listener.chosen),
            disabled=explanation is None,
        )
        sound = f"data:audio/wav;base64,{base64.b64encode(clip.wav).decode()}" if clip else ""
        self._player.param.update(label=part, sound=sound)
        self._numbers.object = (
            _measurements(clip, part, explanation) if clip and explanation else ""
        )

    def silence(self) -> None:
        """Stop playing; the sound is not shown any more."""
        self._player.sound = ""

    def say(self) -> None:
        status, problem = self._listener.status, self._listener.problem
        self._status.paragraphs = [status] if status else []
        self._problem.paragraphs = [problem] if problem else []

    def _pressed(self, part: str, number: int) -> None:
        if number:
            self._listener.toggle(part, number)
        else:
            self._listener.play(part)


def _introduction(listener: Listener) -> str:
    sound, reading = listener.sound, listener.explorer.workspace.reading
    text = t(
        "These are parts of the original sound, cut out where the map is strong. Muted parts are "
        "60 dB quieter."
    )
    if len(reading.samples) > 1:
        start, end = float(sound.seconds[0]), float(sound.seconds[-1])
        text += " " + t(
            "You hear the window from {start} to {end} s of this recording.",
            start=number(start, ".2f"),
            end=number(end, ".2f"),
        )
    return paragraph(text, "note") + paragraph(
        library_text(REBUILT_NOTE) if sound.rebuilt else "", "warning"
    )


def _buttons(explanation: Explanation | None) -> list[dict[str, str]]:
    if explanation is None:
        supporting = t("Only the evidence for the class")
    elif explanation.method.signed:
        supporting = t("Only the evidence for {name}", name=readable(explanation.target_name))
    else:
        supporting = t("Only the strongest evidence")
    labels = {ORIGINAL: t("Original"), SUPPORTING: supporting, REMAINDER: t("Everything else")}
    return [{"value": part, "label": label} for part, label in labels.items()]


def _row(region: TimeFrequencyRegion) -> dict[str, str]:
    where, share = region.text.rsplit(": ", 1)
    places = [written(part, language()) for part in where.split(", ")]
    return {"where": ", ".join(places), "share": written(share, language())}


def _audible_part(listener: Listener) -> str:
    """A description of the part that is played."""
    if listener.part in (SOLO, MUTE):
        places = [_row(listener.regions[number - 1])["where"] for number in listener.chosen]
        text = mark("Only {places}") if listener.part == SOLO else mark("Without {places}")
        return t(text, places="; ".join(places))
    buttons = _buttons(listener.explorer.explanation)
    return next((b["label"] for b in buttons if b["value"] == listener.part), "")


def _measurements(clip: SoundClip, part: str, explanation: Explanation) -> str:
    """The measurements of a clip as HTML."""
    rows = [(t("You hear"), part), (t("Remaining energy"), number(clip.energy, ".1%"))]
    if clip.score is None:
        return facts(rows) + paragraph(t("Only silence is left, so there is no prediction for it."))
    change = clip.score - clip.score_before
    rows += [
        (t("Prediction"), f"{readable(clip.predicted)}, {number(clip.probability, '.1%')}"),
        (
            t("Logit for {name}", name=readable(explanation.target_name)),
            t(
                "{after}; original {before} (change {change})",
                after=number(clip.score, "+.2f"),
                before=number(clip.score_before, "+.2f"),
                change=number(change, "+.2f"),
            ),
        ),
    ]
    if not clip.regions:
        rows.append((t("Regions"), t("no region of this map stands out")))
    note = t("The classifier predicted exactly this sound file, not an edited spectrogram.")
    return facts(rows) + paragraph(note, "note")
