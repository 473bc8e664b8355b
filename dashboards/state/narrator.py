"""The narrator: a prediction and its maps in words, optionally also by a language model."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

import param

from dashboards.state.protocols import Narrated
from dashboards.turns import once_a_turn
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

MAX_MAPS = 4  # maps that one text describes
# States that belong to one text of the language model; they end when its facts change.
_OF_ANSWER = ("finished", "stopped", "busy", "interrupted", "too_slow", "unusable")


class Narrator(param.Parameterized):
    """A text about a prediction and its explanations.

    The text from templates is always there. On request a language model of a local server writes a
    second text, of which only sentences that agree with the facts are shown.

    Attributes:
        facts: a tuple of `Fact`; changing it stops the language model.
        medical: whether the prediction is about a patient.
        language: "en" or "fr".
        text: the paragraphs from templates.
        wanted: whether the visitor switched the language model on.
        confirmed: whether the visitor accepted the limits of its use with medical data.
        model: the language model; its objects are the models of the server.
        refused: models of the server that run on another machine; they are never used.
        status: a name in `STATES`.
        sentences: sentences of the language model that passed the check.
        withheld: for each rejected sentence, why it was rejected.
    """

    facts = param.ClassSelector(class_=tuple, default=())
    medical = param.Boolean()
    language: param.Selector[str] = param.Selector(default="en", objects=list(LANGUAGES))
    text = param.ClassSelector(class_=tuple, default=())
    wanted = param.Boolean()
    confirmed = param.Boolean()
    model: param.Selector[str | None] = param.Selector(objects=[], check_on_set=False)
    refused = param.ClassSelector(class_=tuple, default=())
    status: param.Selector[str] = param.Selector(default="off", objects=list(STATES))
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
        """Whether the language model can start: switched on, confirmed if medical, and ready."""
        return bool(
            self.wanted and (self.confirmed or not self.medical) and self.facts and self.model
        )

    @property
    def speaking(self) -> bool:
        """Whether the language model is writing."""
        return self.status == "writing"

    def start(self) -> None:
        """Start the language model if `may_speak`. Needs a running event loop."""
        if self.may_speak:
            self._run(self._speak())

    def find_models(self) -> None:
        """List the language models of the server. Needs a running event loop."""
        self._run(self._find_models())

    def stop(self) -> None:
        """Stop the language model, also on its server."""
        if self.speaking:
            self._cancel()
            self.param.update(status="stopped", sentences=(), withheld=())

    def close(self) -> None:
        """Cancel all requests at the end of the session."""
        self._cancel()

    @param.depends("status", "model", "language")
    def message(self) -> str:
        """The state of the language model, with the next step after an error."""
        return describe_state(self.status, self.language, host=self._host, model=self.model or "")

    @param.depends("withheld", "language")
    def withheld_message(self) -> str:
        """How many sentences were rejected, and why."""
        return withheld_notice(self.withheld, self.language)

    @param.depends("refused", "language")
    def left_out_message(self) -> str:
        """Which models cannot be chosen, and why."""
        return excluded_models_notice(self.refused, self.language)

    @param.depends("sentences", "model", "language")
    def label(self) -> str:
        """Which model wrote the sentences and what was checked; empty without sentences."""
        return model_label(self.language, self.model) if self.sentences else ""

    @param.depends("language", "medical")
    def disclaimer(self) -> str:
        """The disclaimer for the text."""
        return disclaimer(self.language, self.medical)

    @param.depends("facts", "language", watch=True, on_init=True)
    def _write_text(self) -> None:
        if self.facts:  # without facts (between two files) the last value stays
            self.medical = is_medical(self.facts)
        self.text = narrate(self.facts, self.language)

    @param.depends("facts", "language", "model", watch=True)
    def _reset_voice(self) -> None:
        """Remove sentences that were about other facts, or in another language or model."""
        if self.speaking:
            self._cancel()
        fresh = "ready" if self.speaking or self.status in _OF_ANSWER else self.status
        self.param.update(status=fresh, sentences=(), withheld=())

    @param.depends("medical", watch=True)
    def _reset_confirmation(self) -> None:
        self.confirmed = False

    @param.depends("confirmed", watch=True)
    def _on_confirmed(self) -> None:
        if self.medical and not self.confirmed:
            self.stop()

    @param.depends("wanted", watch=True)
    def _on_wanted(self) -> None:
        self._cancel()
        self.param.update(status="off", sentences=(), withheld=())
        if self.wanted:
            self.find_models()

    def _follow(self, session: Narrated) -> None:
        """Follow what a session shows, in its language."""
        self._session = session
        session.workspace.param.watch(self._gather, ["reading", "window"])
        session.explorer.param.watch(self._gather, "explanation")
        self.language = session.language
        self._gather()

    @once_a_turn
    def _gather(self) -> None:
        session = self._session
        about = (session.workspace.reading, session.workspace.window, session.explorer.explanation)
        if about != self._about:  # these records compare by identity
            self._about = about
            self.facts = _facts_of(session)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._cancel()
        self._task = asyncio.get_running_loop().create_task(work)

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()
            self._task = None

    async def _find_models(self) -> None:
        self.param.update(status="looking", sentences=(), withheld=())
        try:
            server = await server_status(server_url())
        except LanguageModelError as error:
            self._host, self.status = error.host, error.state
            return
        self._host = server.host
        self.param.model.objects = list(server.models)
        if self.model not in server.models:
            self.model = server.models[0] if server.models else None
        self.param.update(refused=server.refused, status=server.state)

    async def _speak(self) -> None:
        self.param.update(status="writing", sentences=(), withheld=())
        try:
            url = server_url()
            self._host = host_of(url)
            answer: Any = generate_text(self.facts, self.language, self.model, url, self._deadlines)
            # Closed at once when this task is cancelled, which also stops the server.
            async with aclosing(answer):
                async for spoken in answer:
                    self.param.update(sentences=spoken.sentences, withheld=spoken.withheld)
            self.status = "finished"
        except LanguageModelError as error:
            self.param.update(status=error.state, sentences=(), withheld=())


def _facts_of(session: Narrated) -> tuple[Fact, ...]:
    """The facts of the current window: the latest map of each method, the one shown last."""
    workspace, shown = session.workspace, session.explorer.explanation
    if workspace.reading is None:
        return ()
    if shown is None:
        return facts(workspace.reading, medical=workspace.medical)
    current = (workspace.model, workspace.file, workspace.window, shown.target, shown.contrast)
    latest = {shown.method.name: shown}  # one map per method: the text names maps by their method
    for request, earlier in reversed(session.history()):
        about = (request.model, request.file, request.window, earlier.target, earlier.contrast)
        if about == current and len(latest) < MAX_MAPS:
            latest.setdefault(earlier.method.name, earlier)
    maps = [*latest.values()][::-1]
    methods_agree = agreement(maps) if len(maps) > 1 else None
    return facts(workspace.reading, maps, methods_agree, workspace.medical)
