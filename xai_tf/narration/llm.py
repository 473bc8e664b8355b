"""Narration by a language model on an Ollama server: the facts in its own words.

The model gets the sentences of the facts and nothing else. Its sentences are checked before they
are shown, and are only final once the answer is complete.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xai_tf.narration.facts import Fact, one_line
from xai_tf.narration.grounding import Claim, fault
from xai_tf.narration.messages import LanguageModelError
from xai_tf.narration.ollama import is_cloud, local_only, same_model, server_status
from xai_tf.narration.parsing import claims_of, claims_so_far
from xai_tf.narration.prompt import MAX_ANSWER, NUM_CONTEXT, fitting, messages, schema

if TYPE_CHECKING:
    from ollama import AsyncClient, ResponseError

MAX_CHARACTERS = 20_000
# The same for every request: another context size would make the server reload the model.
OPTIONS = {"num_ctx": NUM_CONTEXT, "num_predict": MAX_ANSWER, "seed": 0, "temperature": 0.0}


@dataclass(frozen=True)
class Deadlines:
    """Time limits, in seconds.

    Attributes:
        first: until the first token, which includes queueing, loading the model and reading the
            prompt.
        between: from token to token.
        whole: for the complete answer.
    """

    first: float = 120.0
    between: float = 20.0
    whole: float = 300.0


@dataclass(frozen=True)
class GeneratedText:
    """The text generated so far.

    Attributes:
        sentences: those that passed the check.
        withheld: the fault of each of the others, names in `grounding.FAULTS`.
        complete: whether the answer is complete; until then it may still be rejected.
    """

    sentences: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    complete: bool = False


async def generate_text(
    facts: Sequence[Fact],
    language: str,
    model: str,
    url: str,
    deadlines: Deadlines | None = None,
) -> AsyncIterator[GeneratedText]:
    """Let a language model put the facts into words; yields whenever a sentence is finished.

    Makes one request. Close the generator to stop the work of the server.

    Args:
        facts: from `facts`; those that do not fit into the context of the model are left out.
        language: "en" or "fr".
        model: the name of a model on the server.
        url: the URL of the server, from `server_url`.
        deadlines: time limits; the defaults if left out.

    Raises:
        LanguageModelError: there is no usable answer; its state says why.
    """
    import httpx
    from ollama import AsyncClient

    await _check_model(model, url)
    used_facts = fitting(facts, language)
    timeout = httpx.Timeout(None, connect=5)
    async with AsyncClient(url, timeout=timeout, **local_only(url)) as client:
        text, shown = "", GeneratedText()
        chunks = _chunks(client, used_facts, language, model, deadlines or Deadlines())
        async with aclosing(chunks):
            async for chunk in chunks:
                text += chunk
                generated = _checked(claims_so_far(text), used_facts, language)
                if generated != shown:
                    yield (shown := generated)
        try:
            claims = claims_of(text)
        except ValueError as error:
            raise LanguageModelError("unusable", model=model) from error
        yield _checked(claims, used_facts, language, complete=True)


async def _check_model(model: str, url: str) -> None:
    """Raise a LanguageModelError if the model cannot or must not be used."""
    if is_cloud(model):
        raise LanguageModelError("refused", model=model)
    state = await server_status(url)
    if any(same_model(model, name) for name in state.refused):
        raise LanguageModelError("refused", model=model)
    if state.state not in ("ready", "no_model"):
        raise LanguageModelError(state.state, host=state.host)
    if not any(same_model(model, name) for name in state.models):
        raise LanguageModelError(
            "not_pulled" if state.models else "no_model", host=state.host, model=model
        )


async def _chunks(
    client: AsyncClient,
    facts: Sequence[Fact],
    language: str,
    model: str,
    deadlines: Deadlines,
) -> AsyncGenerator[str, None]:
    """The answer in chunks, within the deadlines; ends only when the model has finished."""
    end, wait, size = time.monotonic() + deadlines.whole, deadlines.first, 0
    stream: Any = await client.chat(
        model,
        messages(facts, language),
        format=schema(facts),
        options=OPTIONS,
        think=False,
        stream=True,
    )
    async with aclosing(stream):
        while True:
            with _failures(model):
                async with asyncio.timeout(min(wait, end - time.monotonic())):
                    chunk = await anext(stream, None)
            if chunk is None:  # a stream can end without error before the answer is complete
                raise LanguageModelError("interrupted", model=model)
            content = chunk.message.content or ""
            size += len(content)
            if size > MAX_CHARACTERS:
                raise LanguageModelError("unusable", model=model)
            yield content
            if chunk.done:
                break
            wait = deadlines.between
    if chunk.done_reason != "stop":
        raise LanguageModelError("unusable", model=model)


@contextmanager
def _failures(model: str) -> Iterator[None]:
    """Turn errors while an answer is streamed into a LanguageModelError."""
    import httpx
    from ollama import ResponseError

    try:
        yield
    except TimeoutError as error:
        raise LanguageModelError("too_slow", model=model) from error
    except (httpx.TransportError, ConnectionError) as error:
        raise LanguageModelError("interrupted", model=model) from error
    except ResponseError as error:
        raise LanguageModelError(_state_of(error), model=model) from error
    except (ValueError, TypeError, AttributeError) as error:  # a line that is not a valid chunk
        raise LanguageModelError("unusable", model=model) from error


def _state_of(error: ResponseError) -> str:
    """The state for a refusal of the server, by HTTP status (-1 for errors inside a stream)."""
    states = {404: "not_pulled", 503: "busy", 403: "refused", 401: "refused", 400: "unusable"}
    return states.get(error.status_code, "interrupted")


def _checked(
    claims: Sequence[Claim], facts: Sequence[Fact], language: str, complete: bool = False
) -> GeneratedText:
    faults = [fault(claim, facts, language) for claim in claims]
    passed = [
        one_line(c.text) for c, its_fault in zip(claims, faults, strict=True) if not its_fault
    ]
    return GeneratedText(tuple(dict.fromkeys(passed)), tuple(filter(None, faults)), complete)
