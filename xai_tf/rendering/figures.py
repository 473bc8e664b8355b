"""Figures that draw text of any script: in a font of the system, or spelled in Latin letters."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

from matplotlib import font_manager, rcParams
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

# How the names of fonts for many scripts begin or go on, the best ones first.
PREFERRED = ("CJK", "Noto Sans", "Source Han", "PingFang", "Hiragino", "YaHei", "Yu Gothic")
SPELLED = ("HANGUL SYLLABLE ", "HIRAGANA LETTER ", "KATAKANA LETTER ")


class ReadableFigure(Figure):
    """A figure whose text is readable in any script.

    Matplotlib draws a box for a character that its font lacks. Here a font of the system that has
    the character steps in; where there is none, the character is spelled (see `spelled`).
    """

    def draw(self, renderer: Any) -> None:
        """Draw the figure, with fonts for all of its text."""
        for text in self.findobj(Text):
            content = text.get_text()
            if families := fallback_fonts(content):
                text.set_fontfamily([*rcParams["font.family"], *families])
            text.set_text(spelled(content))
        super().draw(renderer)


def spelled(text: str) -> str:
    """A text in which characters that no font here has are spelled: syllables by their sound.

    Other characters are given by their number in Unicode, such as [U+732B].
    """
    return "".join(
        one if one.isspace() or _font_of(one) is not None else _spell(one) for one in text
    )


def fallback_fonts(text: str) -> list[str]:
    """The families of the fonts of the system that a text needs beside the usual one."""
    found = dict.fromkeys(_font_of(one) for one in text if not one.isspace())
    return [family for family in found if family]


def _spell(character: str) -> str:
    name = unicodedata.name(character, "")
    for start in SPELLED:
        if name.startswith(start):
            return name.removeprefix(start).split()[-1].lower()
    return f"[U+{ord(character):04X}]"


@cache
def _font_of(character: str) -> str | None:
    """The family of a font that has a character; "" for the usual font, None where none has it."""
    usual = font_manager.findfont(font_manager.FontProperties())
    if ord(character) in _characters(usual):
        return ""
    for entry in _fonts():
        if ord(character) in _characters(entry.fname):
            return str(entry.name)
    return None


@cache
def _fonts() -> list[Any]:
    """The fonts of the system, those for many scripts first."""

    def place(entry: Any) -> tuple[int, bool, str]:
        ranks = [rank for rank, word in enumerate(PREFERRED) if word in entry.name]
        return min(ranks, default=len(PREFERRED)), entry.weight != 400, entry.fname

    # Matplotlib's last resort has a box for every character.
    entries = [one for one in font_manager.fontManager.ttflist if "Last Resort" not in one.name]
    return sorted(entries, key=place)


@cache
def _characters(file: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):  # a damaged font
        return frozenset()
