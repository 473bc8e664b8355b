"""Listen: parts of a sound, what the model says of each, and the regions that decide."""

from __future__ import annotations

import base64
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.live import Live
from dashboards.components.mixer import Mixer
from dashboards.components.player import Player
from dashboards.service.listening import BUT, MUTE, ONLY, ORIGINAL, SOLO, Clip
from dashboards.state.listener import Listener
from dashboards.views.text import facts, paragraph
from dashboards.views.theme import card, words
from dashboards.views.view import View
from xai_tf.attribution.explanation import Explanation
from xai_tf.rendering.viewer import REBUILT_NOTE
from xai_tf.sonification import TimeFrequencyRegion


class ListenView(View):
    """A card for sounds; it is built when the first one is looked at."""

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
        sounds = self.listener.sound is not None
        if sounds and self._parts is None:
            self._parts = _Parts(self.listener)
            self._place.append(self._parts.card)
        self._place.visible = sounds
        if self._parts and sounds:
            self._parts.draw()
        elif self._parts:
            self._parts.silence()

    def _say(self, *_: Any) -> None:
        if self._parts:
            self._parts.say()

    def layout(self) -> pn.viewable.Viewable:
        return self._place


class _Parts:
    """The panes of the card, once there is one."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._intro, self._numbers = words(""), words("")
        self._mixer = Mixer(self._pressed)
        self._player = Player()
        self._status = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._problem = Live(look="error", urgent=True, sizing_mode="stretch_width", margin=(4, 8))
        share = pmui.Select.from_param(listener.param.share, size="small", max_width=260)
        self.card = card(
            "Listen to the evidence",
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
        clip, heard = listener.clip, _heard(listener)
        self._intro.object = _introduced(listener)
        self._mixer.param.update(
            parts=_buttons(explanation),
            regions=[_row(region) for region in listener.regions],
            part=listener.part,
            chosen=list(listener.chosen),
            disabled=explanation is None,
        )
        sound = f"data:audio/wav;base64,{base64.b64encode(clip.wav).decode()}" if clip else ""
        self._player.param.update(label=heard, sound=sound)
        self._numbers.object = _measured(clip, heard, explanation) if clip and explanation else ""

    def silence(self) -> None:
        """Stop what plays: its sound is not looked at any more."""
        self._player.sound = ""

    def say(self) -> None:
        status, problem = self._listener.status, self._listener.problem
        self._status.paragraphs = [status] if status else []
        self._problem.paragraphs = [problem] if problem else []

    def _pressed(self, part: str, number: int) -> None:
        if number:
            self._listener.toggle(part, number)
        else:
            self._listener.hear(part)


def _introduced(listener: Listener) -> str:
    sound, reading = listener.sound, listener.explorer.workspace.reading
    text = (
        "Parts of the sound itself, cut out where the map is strong; what is muted is 60 dB "
        "quieter."
    )
    if len(reading.samples) > 1:
        start, end = float(sound.seconds[0]), float(sound.seconds[-1])
        text += f" Of this recording it is the window from {start:.2f} to {end:.2f} s."
    return paragraph(text, "note") + paragraph(REBUILT_NOTE if sound.rebuilt else "", "warning")


def _buttons(explanation: Explanation | None) -> list[dict[str, str]]:
    only = "Only what matters most"
    if explanation is None or explanation.method.signed:
        only = f"Only what speaks for {explanation.target_name if explanation else 'the class'}"
    labels = {ORIGINAL: "The original", ONLY: only, BUT: "Everything but that"}
    return [{"value": part, "label": label} for part, label in labels.items()]


def _row(region: TimeFrequencyRegion) -> dict[str, str]:
    where, share = region.text.rsplit(": ", 1)
    return {"where": where, "share": share}


def _heard(listener: Listener) -> str:
    """What is heard, in words."""
    if listener.part in (SOLO, MUTE):
        places = [_row(listener.regions[number - 1])["where"] for number in listener.chosen]
        return f"{'Only' if listener.part == SOLO else 'Without'} {'; '.join(places)}"
    buttons = _buttons(listener.explorer.explanation)
    return next((b["label"] for b in buttons if b["value"] == listener.part), "")


def _measured(clip: Clip, heard: str, explanation: Explanation) -> str:
    """The numbers of a clip."""
    rows = [("You hear", heard), ("Energy kept", f"{clip.energy:.1%}")]
    if clip.score is None:
        said = "What is left is silence, so there is nothing that the model could say of it."
        return facts(rows) + paragraph(said)
    change = clip.score - clip.score_before
    rows += [
        ("The model says", f"{clip.called}, {clip.chance:.1%}"),
        (
            f"Logit for {explanation.target_name}",
            f"{clip.score:+.2f}; of the original {clip.score_before:+.2f} ({change:+.2f})",
        ),
    ]
    if not clip.regions:
        rows.append(("Regions", "no place of this map stands out"))
    said = "The classifier was asked about this very file, not about a picture painted over."
    return facts(rows) + paragraph(said, "note")
