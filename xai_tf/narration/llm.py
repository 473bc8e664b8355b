"""The second voice: a language model of the Ollama server says the facts in its own words.

It is given the sentences of the facts and nothing else. What it writes is shown only after it was
checked, and counts only once the answer is whole.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from xai_tf.narration.facts import Fact, one_line
from xai_tf.narration.grounding import Claim, fault
from xai_tf.narration.messages import LanguageModelError
from xai_tf.narration.ollama import is_cloud, local_only, same_model, server_status
from xai_tf.narration.parsing import claims_of, claims_so_far
from xai_tf.narration.prompt import MAX_ANSWER, NUM_CONTEXT, fitting, messages, schema

if TYPE_CHECKING:
    from ollama import AsyncClient, ResponseError

MAX_CHARACTERS = 20_000
# The same for every request: another size would make the server load the model anew.
OPTIONS = {"num_ctx": NUM_CONTEXT, "num_predict": MAX_ANSWER, "seed": 0, "temperature": 0.0}


@dataclass(frozen=True)
class Deadlines:
    """How long is waited, in seconds.

    Attributes:
        first: for the first token; waiting in the queue, loading the model and reading the prompt
            look alike from here.
        between: from token to token.
        whole: for the whole answer.
    """

    first: float = 120.0
    between: float = 20.0
    whole: float = 300.0


@dataclass(frozen=True)
class GeneratedText:
    """What the voice has said so far.

    Attributes:
        sentences: those whose numbers hold.
        withheld: why each of the others is not shown, names in `checking.FAULTS`.
        complete: whether the answer is whole; until then it may still be taken back.
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
    """Let a model tell the facts; gives what has been said whenever a sentence is finished.

    Asks once. Close the generator to stop the server's work.

    Args:
        facts: from `facts`; those beyond what the model can read at once are left out.
        language: "en" or "fr".
        model: the name of a model of the server.
        url: of the server, from `server_url`.
        deadlines: the default ones if left out.

    Raises:
        LanguageModelError: there is no answer that counts; its state says why.
    """
    from ollama import AsyncClient

    await _check_model(model, url)
    asked = fitting(facts, language)
    timeout = httpx.Timeout(None, connect=5)
    async with AsyncClient(url, timeout=timeout, **local_only(url)) as client:
        text, shown = "", GeneratedText()
        async with aclosing(
            _parts(client, asked, language, model, deadlines or Deadlines())
        ) as parts:
            async for part in parts:
                text += part
                spoken = _checked(claims_so_far(text), asked, language)
                if spoken != shown:
                    yield (shown := spoken)
        try:
            claims = claims_of(text)
        except ValueError as error:
            raise LanguageModelError("unusable", model=model) from error
        yield _checked(claims, asked, language, complete=True)


async def _check_model(model: str, url: str) -> None:
    """Raise a LanguageModelError where the model cannot or must not be asked."""
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


async def _parts(
    client: AsyncClient,
    facts: Sequence[Fact],
    language: str,
    model: str,
    deadlines: Deadlines,
) -> AsyncIterator[str]:
    """The answer in pieces, within the deadlines; ends only where the model has ended it."""
    end, wait, size = time.monotonic() + deadlines.whole, deadlines.first, 0
    stream = await client.chat(
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
                    part = await anext(stream, None)
            if part is None:  # a stream can end in good order without the end of the answer
                raise LanguageModelError("interrupted", model=model)
            content = part.message.content or ""
            size += len(content)
            if size > MAX_CHARACTERS:
                raise LanguageModelError("unusable", model=model)
            yield content
            if part.done:
                break
            wait = deadlines.between
    if part.done_reason != "stop":
        raise LanguageModelError("unusable", model=model)


@contextmanager
def _failures(model: str) -> Iterator[None]:
    """What can go wrong between the pieces of an answer, as a LanguageModelError."""
    from ollama import ResponseError

    try:
        yield
    except TimeoutError as error:
        raise LanguageModelError("too_slow", model=model) from error
    except (httpx.TransportError, ConnectionError) as error:
        raise LanguageModelError("interrupted", model=model) from error
    except ResponseError as error:
        raise LanguageModelError(_state_of(error), model=model) from error
    except (ValueError, TypeError, AttributeError) as error:  # a line that is no piece of an answer
        raise LanguageModelError("unusable", model=model) from error


def _state_of(error: ResponseError) -> str:
    """Why the server refused: from its status and, inside a stream (-1), none."""
    known = {404: "not_pulled", 503: "busy", 403: "refused", 401: "refused", 400: "unusable"}
    return known.get(error.status_code, "interrupted")


def _checked(
    claims: Sequence[Claim], facts: Sequence[Fact], language: str, complete: bool = False
) -> GeneratedText:
    faults = [fault(claim, facts, language) for claim in claims]
    kept = [one_line(claim.text) for claim, wrong in zip(claims, faults, strict=True) if not wrong]
    return GeneratedText(tuple(dict.fromkeys(kept)), tuple(filter(None, faults)), complete)
