"""The language of a visitor's page: every text that the page shows passes through `t` or `n`.

The English text is the key, `locale/fr.po` the catalogue. A text that is written down before there
is a page, as in a table of a module, is marked by `mark` and translated when it is shown. Texts of
the browser's components pass through the `t` of `components/dom.js`, and sentences that the library
made in English, with names and numbers filled in, through `library_text`.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from xai_tf.narration.templates import LANGUAGES
from xai_tf.trust.sentences import NO_BREAK, written

if TYPE_CHECKING:
    from bokeh.document import Document

ENGLISH = "en"
CATALOGUE = Path(__file__).with_name("locale") / "fr.po"
COMPONENTS = Path(__file__).with_name("components")
_without_page: ContextVar[str] = ContextVar("language", default="")
LIBRARY = "library"  # the context, in the catalogue, of sentences that the library makes
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_FIELD = re.compile(
    rf"^(msgctxt|msgid|msgid_plural|msgstr|msgstr\[\d\]) ((?:{_QUOTED}\s*)+)", re.MULTILINE
)
_IN_BROWSER = re.compile(rf"\bt\(\s*({_QUOTED})")


@dataclass(frozen=True)
class Catalogue:
    """The translations of a language, by English text.

    Attributes:
        texts: of the page; of a text with a plural, both forms.
        library: of sentences of the library.
    """

    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    library: dict[str, str] = field(default_factory=dict)


def t(text: str, **values: object) -> str:
    """A text in the language of the page, with values in place of its {names}."""
    found = _catalogue(language()).texts.get(text, (text,))[0]
    return found.format(**values) if values else found


def n(one: str, many: str, count: int, **values: object) -> str:
    """A text about {count} things in the language of the page."""
    if language() == ENGLISH:
        found = one if count == 1 else many
    else:  # in French, 0 is singular
        forms = _catalogue(language()).texts.get(one, (one, many))
        found = forms[0] if count < 2 else forms[-1]
    return found.format(count=count, **values)


def mark(text: str) -> str:
    """A text that is translated later, when it is shown."""
    return text


def library_text(text: str) -> str:
    """A text that the library made, in the language of the page; as it is if it is not known."""
    return text if language() == ENGLISH else _from_library(text)


def number(value: float, form: str = "") -> str:
    """A number as the language of the page writes it.

    Args:
        value: the number.
        form: a format specification, such as ".1%".
    """
    return written(format(value, form), language())


def language() -> str:
    """The language of the page that this runs for, "en" or "fr"; "en" where it runs for none."""
    if chosen := _without_page.get():
        return chosen
    panel = sys.modules.get("panel")  # without it there is no page
    document = panel.state.curdoc if panel else None
    return document.template_variables.get("language", ENGLISH) if document else ENGLISH


def wanted_language(query: Mapping[str, list[bytes]], accepted: str) -> str:
    """The language for a visitor: that of the link, else the one their browser prefers.

    Args:
        query: the arguments of the address.
        accepted: the header Accept-Language; browsers name the preferred language first.
    """
    given = query.get("language", [b""])[0].decode("utf-8", "replace")
    preferred = re.split(r"[^a-z]", accepted.strip().lower())[0]
    return next((name for name in (given, preferred) if name in LANGUAGES), ENGLISH)


@contextmanager
def in_language(chosen: str) -> Iterator[None]:
    """What is written meanwhile, where there is no page of a session, is in this language."""
    token = _without_page.set(chosen)
    try:
        yield
    finally:
        _without_page.reset(token)


def set_language(document: Document, chosen: str) -> None:
    """Set the language of a page before it is built."""
    document.template_variables["language"] = chosen
    document.template_variables["texts"] = json.dumps(
        {
            text: forms[0]
            for text, forms in _catalogue(chosen).texts.items()
            if text in _browser_texts()
        }
    )


@cache
def _catalogue(chosen: str) -> Catalogue:
    return Catalogue() if chosen == ENGLISH else read_catalogue(CATALOGUE.read_text("utf-8"))


@lru_cache(maxsize=2000)
def _from_library(text: str) -> str:
    """A text of the library in French; what is filled in is translated as well."""
    for pattern, translation in _patterns():
        if found := pattern.fullmatch(text):
            return translation.format(
                **{name: _from_library(value) for name, value in found.groupdict().items()}
            )
    is_number = re.fullmatch(r"[-+]?[\d.,]+(e[-+]?\d+)?%?", text)
    return written(text, "fr") if is_number else text


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """What a text of the library looks like, that with most words of its own first."""
    known = _catalogue("fr").library
    parts = {text: re.split(r"(\{\w+\})", text) for text in known}
    return [
        (re.compile("".join(map(_as_pattern, parts[text]))), known[text])
        for text in sorted(known, key=lambda text: len("".join(parts[text][::2])), reverse=True)
    ]


def _as_pattern(part: str) -> str:
    name = re.fullmatch(r"\{(\w+)\}", part)
    return f"(?P<{name[1]}>.+?)" if name else re.escape(part)


@cache
def _browser_texts() -> frozenset[str]:
    return frozenset(
        text for path in COMPONENTS.glob("*.js") for text in browser_texts(path.read_text("utf-8"))
    )


def browser_texts(source: str) -> list[str]:
    """The texts that a component in JavaScript shows."""
    return [ast.literal_eval(quoted) for quoted in _IN_BROWSER.findall(source)]


def read_catalogue(source: str) -> Catalogue:
    """Read a .po file and typeset its translations."""
    found = Catalogue()
    context = text = ""
    for name, quoted in _FIELD.findall(source):
        words = "".join(map(ast.literal_eval, re.findall(_QUOTED, quoted)))
        if name == "msgctxt":
            context = words
        elif name == "msgid":
            text = words
        elif name != "msgid_plural" and text:  # the header has no text
            if context == LIBRARY:
                found.library[text] = _typeset(words)
            else:
                found.texts[text] = (*found.texts.get(text, ()), _typeset(words))
            context = "" if name == "msgstr" else context
    return found


def _typeset(words: str) -> str:
    """French puts a space before ":", ";", "?", "!", "%" and within quotes; no line ends there."""
    return re.sub(r" (?=[:;?!%»])|(?<=«) ", NO_BREAK, words)
