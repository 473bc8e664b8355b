"""The narrator: an answer and its maps in words, and a second voice for those who ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

import param

from dashboards.state.protocols import Narrated
from xai_tf.agreement.agreement import agreement
from xai_tf.narration import Fact, facts
from xai_tf.narration.llm import Deadlines, generate_text
from xai_tf.narration.messages import STATES, LanguageModelError, describe_state
from xai_tf.narration.narrate import (
    disclaimer,
    excluded_models_notice,
    is_medical,
    model_label,
    narrate,
    withheld_notice,
)
from xai_tf.narration.ollama import host_of, server_status, server_url
from xai_tf.narration.templates import LANGUAGES

MAX_MAPS = 4  # that are told of at once
# These belong to an answer, and end with what it was about.
_OF_ANSWER = ("finished", "stopped", "busy", "interrupted", "too_slow", "unusable")


class Narrator(param.Parameterized):
    """What is told of an answer and its explanations.

    Attributes:
        facts: a tuple of `Fact`; a change ends what the voice is saying.
        medical: whether the answer is about a patient.
        language: "en" or "fr".
        text: the first voice, a paragraph each.
        wanted: whether the visitor asked for the second voice.
        confirmed: whether the visitor was told what it means to use it for a patient.
        model: who speaks; its objects are the models of the server.
        refused: models of the server that run elsewhere; they are never asked.
        status: a name in `STATES`.
        sentences: what the second voice has said, those that passed the check.
        withheld: why each of the others did not pass.
    """

    facts = param.ClassSelector(class_=tuple, default=())
    medical = param.Boolean()
    language = param.Selector(
        default="en", objects={title: code for code, title in LANGUAGES.items()}, label="Language"
    )
    text = param.ClassSelector(class_=tuple, default=())
    wanted = param.Boolean(label="Add a language model's words")
    confirmed = param.Boolean(
        label="I know that a language model can be wrong, and that its words are no diagnosis"
    )
    model = param.Selector(objects=[], check_on_set=False, label="Language model")
    refused = param.ClassSelector(class_=tuple, default=())
    status = param.Selector(default="off", objects=list(STATES))
    sentences = param.ClassSelector(class_=tuple, default=())
    withheld = param.ClassSelector(class_=tuple, default=())

    def __init__(
        self, session: Narrated | None = None, *, deadlines: Deadlines | None = None, **params: Any
    ) -> None:
        self._task: asyncio.Task[None] | None = None
        self._deadlines = deadlines
        self._about: tuple[Any, ...] | None = None
        self._host = ""
        super().__init__(**params)
        if session:
            self._follow(session)

    @property
    def may_speak(self) -> bool:
        """Whether the second voice may begin: asked for, for a patient confirmed, and possible."""
        return bool(
            self.wanted and (self.confirmed or not self.medical) and self.facts and self.model
        )

    @property
    def speaking(self) -> bool:
        """Whether the second voice is at work."""
        return self.status == "writing"

    def start(self) -> None:
        """Let the second voice begin; nothing happens while it may not. Needs a running loop."""
        if self.may_speak:
            self._run(self._speak())

    def look(self) -> None:
        """See which models there are. Needs a running loop."""
        self._run(self._look())

    def stop(self) -> None:
        """End what the second voice is saying; the server's work ends too."""
        if self.speaking:
            self._cancel()
            self.param.update(status="stopped", sentences=(), withheld=())

    def close(self) -> None:
        """End whatever is under way, with the session."""
        self._cancel()

    @param.depends("status", "model", "language")
    def message(self) -> str:
        """What is going on, and the next step where something is wrong."""
        return describe_state(self.status, self.language, host=self._host, model=self.model or "")

    @param.depends("withheld", "language")
    def withheld_message(self) -> str:
        """How many sentences are not shown, and why."""
        return withheld_notice(self.withheld, self.language)

    @param.depends("refused", "language")
    def left_out_message(self) -> str:
        """Which models are not offered, and why."""
        return excluded_models_notice(self.refused, self.language)

    @param.depends("sentences", "model", "language")
    def label(self) -> str:
        """Who wrote the sentences, and what was checked; empty while there are none."""
        return model_label(self.language, self.model) if self.sentences else ""

    @param.depends("language", "medical")
    def disclaimer(self) -> str:
        """What the text must not be used for."""
        return disclaimer(self.language, self.medical)

    @param.depends("facts", "language", watch=True, on_init=True)
    def _tell(self) -> None:
        if self.facts:  # between two pictures nothing is known of the next
            self.medical = is_medical(self.facts)
        self.text = narrate(self.facts, self.language)

    @param.depends("facts", "language", "model", watch=True)
    def _forget(self) -> None:
        """What was said was of other facts, in another language, or by another model."""
        if self.speaking:
            self._cancel()
        fresh = "ready" if self.speaking or self.status in _OF_ANSWER else self.status
        self.param.update(status=fresh, sentences=(), withheld=())

    @param.depends("medical", watch=True)
    def _ask_again(self) -> None:
        self.confirmed = False

    @param.depends("confirmed", watch=True)
    def _confirm(self) -> None:
        if self.medical and not self.confirmed:
            self.stop()

    @param.depends("wanted", watch=True)
    def _switch(self) -> None:
        self._cancel()
        self.param.update(status="off", sentences=(), withheld=())
        if self.wanted:
            self.look()

    def _follow(self, session: Narrated) -> None:
        """Tell what a session shows, in its language."""

        def gather(*_: Any) -> None:
            about = (
                session.workspace.reading,
                session.workspace.window,
                session.explorer.explanation,
            )
            if about != self._about:  # records are equal to themselves only
                self._about = about
                self.facts = _facts_of(session)

        session.workspace.param.watch(gather, ["reading", "window"])
        session.explorer.param.watch(gather, "explanation")
        self.language = session.language
        session.param.watch(lambda event: setattr(self, "language", event.new), "language")
        self.param.watch(lambda event: setattr(session, "language", event.new), "language")
        gather()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._cancel()
        self._task = asyncio.get_running_loop().create_task(work)

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()
            self._task = None

    async def _look(self) -> None:
        self.param.update(status="looking", sentences=(), withheld=())
        try:
            found = await server_status(server_url())
        except LanguageModelError as error:
            self._host, self.status = error.host, error.state
            return
        self._host = found.host
        self.param.model.objects = list(found.models)
        if self.model not in found.models:
            self.model = found.models[0] if found.models else None
        self.param.update(refused=found.refused, status=found.state)

    async def _speak(self) -> None:
        self.param.update(status="writing", sentences=(), withheld=())
        try:
            url = server_url()
            self._host = host_of(url)
            answer = generate_text(self.facts, self.language, self.model, url, self._deadlines)
            # Closed at once when this task is cancelled, and the server's work with it.
            async with aclosing(answer):
                async for spoken in answer:
                    self.param.update(sentences=spoken.sentences, withheld=spoken.withheld)
            self.status = "finished"
        except LanguageModelError as error:
            self.param.update(status=error.state, sentences=(), withheld=())


def _facts_of(session: Narrated) -> tuple[Fact, ...]:
    """What is known of the window on the bench: each method's latest map, the one shown last."""
    workspace, shown = session.workspace, session.explorer.explanation
    if workspace.reading is None:
        return ()
    if shown is None:
        return facts(workspace.reading, medical=workspace.medical)
    asked = (workspace.model, workspace.file, workspace.window, shown.target, shown.contrast)
    latest = {shown.method.name: shown}  # of each method one map, or two would be called the same
    for request, made in reversed(session.made()):
        about = (request.model, request.file, request.window, made.target, made.contrast)
        if about == asked and len(latest) < MAX_MAPS:
            latest.setdefault(made.method.name, made)
    told = [*latest.values()][::-1]
    alike = agreement(told) if len(told) > 1 else None
    return facts(workspace.reading, told, alike, workspace.medical)
