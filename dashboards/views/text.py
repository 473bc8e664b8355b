"""Words on the page: HTML made of escaped text, so that a name is never markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def paragraph(text: str, look: str = "") -> str:
    """A paragraph, or nothing for no text. `look` is a class of `theme.CSS`."""
    return f'<p class="look-{look}">{escape(text)}</p>' if text else ""


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def bullets(texts: Iterable[str], look: str = "") -> str:
    """A list, or nothing for no texts."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="look-{look}">{items}</ul>' if items else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and their values, in two columns."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f'<dl class="facts">{rows}</dl>' if rows else ""
