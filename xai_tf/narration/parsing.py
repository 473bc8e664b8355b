"""Parse the answer of a language model, while it is streamed and when it is complete."""

from __future__ import annotations

import json
import re
from typing import Any

from xai_tf.narration.grounding import Claim
from xai_tf.narration.prompt import MAX_CITES, MAX_SENTENCES

_START = re.compile(r'\s*\{\s*"sentences"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")


def claims_so_far(text: str) -> list[Claim]:
    """The complete claims of an answer that is still being streamed."""
    start = _START.match(text)
    position, claims = start.end() if start else len(text), []
    while True:
        separator = _BETWEEN.match(text, position)  # always matches, it may be empty
        position = separator.end() if separator else position
        try:
            item, position = json.JSONDecoder().raw_decode(text, position)
            claims.append(_claim(item))
        except ValueError:
            return claims


def claims_of(text: str) -> list[Claim]:
    """The claims of a complete answer.

    Raises:
        ValueError: it is not valid JSON, or does not follow the schema.
    """
    answer = json.loads(text)
    if not isinstance(answer, dict) or set(answer) != {"sentences"}:
        raise ValueError("the answer is not an object with the one key 'sentences'")
    items = answer["sentences"]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_SENTENCES:
        raise ValueError(f"'sentences' is not a list of 1 to {MAX_SENTENCES} items")
    return [_claim(item) for item in items]


def _claim(item: Any) -> Claim:
    if not isinstance(item, dict) or set(item) != {"facts", "text"}:
        raise ValueError("a sentence is not an object with the keys 'facts' and 'text'")
    cites, text = item["facts"], item["text"]
    if not isinstance(text, str) or not isinstance(cites, list) or len(cites) > MAX_CITES:
        raise ValueError("'text' is not a string, or 'facts' is not a short list")
    if not all(isinstance(cite, str) for cite in cites):
        raise ValueError("a citation is not a string")
    return Claim(text, tuple(cites))
