"""The answer of a language model: read while it is written, and accepted when it is whole."""

from __future__ import annotations

import json
import re
from typing import Any

from xai_tf.narration.grounding import Claim
from xai_tf.narration.prompt import MAX_CITES, MAX_SENTENCES

_START = re.compile(r'\s*\{\s*"sentences"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")


def claims_so_far(text: str) -> list[Claim]:
    """The claims that are complete in an answer that is still being written."""
    start = _START.match(text)
    position, claims = start.end() if start else len(text), []
    while True:
        position = _BETWEEN.match(text, position).end()
        try:
            item, position = json.JSONDecoder().raw_decode(text, position)
            claims.append(_claim(item))
        except ValueError:
            return claims


def claims_of(text: str) -> list[Claim]:
    """The claims of a whole answer.

    Raises:
        ValueError: it is no JSON, or not of the schema asked for.
    """
    answer = json.loads(text)
    if not isinstance(answer, dict) or set(answer) != {"sentences"}:
        raise ValueError("no object with sentences alone")
    items = answer["sentences"]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_SENTENCES:
        raise ValueError("no list of sentences, or too long a one")
    return [_claim(item) for item in items]


def _claim(item: Any) -> Claim:
    if not isinstance(item, dict) or set(item) != {"facts", "text"}:
        raise ValueError("a sentence has other parts than those asked for")
    cites, text = item["facts"], item["text"]
    if not isinstance(text, str) or not isinstance(cites, list) or len(cites) > MAX_CITES:
        raise ValueError("a sentence is no text, or cites no list of facts")
    if not all(isinstance(cite, str) for cite in cites):
        raise ValueError("a citation is no text")
    return Claim(text, tuple(cites))
