"""Text on the page: HTML with everything escaped, so that a name is never markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from xai_tf.reports import html


def paragraph(text: str, variant: str = "") -> str:
    """A paragraph, or "" for no text. The variant names a class of `theme.CSS`, such as "note"."""
    return html.paragraph(text, f"look-{variant}") if text else ""


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return html.heading(text, level)


def bullets(texts: Iterable[str], variant: str = "") -> str:
    """A bulleted list, or "" for no texts."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="look-{variant}">{items}</ul>' if items else ""


def numbered(texts: Iterable[str]) -> str:
    """A numbered list, or "" for no texts."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ol>{items}</ol>" if items else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f'<dl class="facts">{rows}</dl>' if rows else ""
