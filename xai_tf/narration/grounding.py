"""Check the sentences of a language model against the facts they cite: numbers and class names.

Nothing else that a sentence claims is checked, and the page says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal

from xai_tf.attribution.methods import METHODS
from xai_tf.narration.facts import Fact, one_line
from xai_tf.narration.quantities import Value
from xai_tf.narration.templates import LESS_THAN, MORE_THAN

FAULTS = ("citation", "unfinished", "name", "number")
MIN_NAME = 3  # shorter class names are only recognized in quotes

_UNITS = {
    "%": "%",
    "percent": "%",
    "per cent": "%",
    "pour cent": "%",
    "pourcent": "%",
    "hz": "Hz",
    "hertz": "Hz",
    "s": "s",
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "seconde": "s",
    "secondes": "s",
}
_OTHER_UNITS = (
    "khz",
    "kilohertz",
    "mhz",
    "ms",
    "millisecond",
    "milliseconds",
    "milliseconde",
    "millisecondes",
    "min",
    "minute",
    "minutes",
    "db",
    "decibel",
    "decibels",
    "pixel",
    "pixels",
    "px",
    "mm",
    "cm",
    "times",
    "fold",
    "fois",
    "x",
    "×",
    "percentage",
)
_WORDS = {
    "en": {
        "zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
        "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
    },
    "fr": {
        "zéro": 0, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8,
        "neuf": 9, "dix": 10, "onze": 11, "douze": 12,
    },
}  # fmt: skip
# Numbers only before a unit: elsewhere they are articles, or "one of them".
_ONES = {"en": ("one", "single"), "fr": ("un", "une", "seul", "seule")}
# Words allowed before "more than": after "no", "not" or "hardly" the meaning changes.
_BEFORE_BOUND = {
    "en": {"of", "is", "at", "by", "with", "has", "and", "gives"},
    "fr": {"de", "est", "à", "par", "avec", "a", "et", "donne"},
}
# Number words that cannot be compared with digits.
_VAGUE = {
    "en": "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty "
    "sixty seventy eighty ninety hundred hundreds thousand thousands million millions half halves "
    "third thirds quarter quarters fifth fifths tenth tenths twice thrice double triple dozen "
    "dozens",
    "fr": "treize quatorze quinze seize vingt trente quarante cinquante soixante septante huitante "
    "octante nonante cent cents mille million millions moitié demi demie tiers quart quarts "
    "cinquième dixième dixièmes double triple douzaine dizaine dizaines centaine centaines",
}

_SPACE = "[ \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]"
_DIGITS = {
    "en": r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?",
    "fr": rf"[0-9]{{1,3}}(?:{_SPACE}[0-9]{{3}})+(?:,[0-9]+)?|[0-9]+(?:[.,][0-9]+)?",
}
_UNIT = "|".join(sorted(map(re.escape, [*_UNITS, *_OTHER_UNITS]), key=len, reverse=True))
# The pattern must match a number completely: "1.2.3", "3x" and "1e5" are not recognized. A minus
# counts as a sign only where no word or number precedes it.
_NUMBERS = {
    language: re.compile(
        rf"(?<![\w.,])(?P<sign>[-−])?(?P<number>{digits}|{'|'.join(_WORDS[language])}"
        rf"|(?:{'|'.join(_ONES[language])})(?=%|[ -](?:{_UNIT})(?!\w)))"
        rf"(?:(?:{_SPACE}|-)?(?P<unit>{_UNIT}))?(?!\w|[.,][0-9]|{_SPACE}?[%‰°])",
        re.IGNORECASE,
    )
    for language, digits in _DIGITS.items()
}
_QUOTED = re.compile(
    r"\"([^\"]*)\"|“([^”]*)”|„([^“”]*)[“”]|«\s*([^»]*?)\s*»|(?<!\w)['‘](.+?)['’](?!\w)"
)
_QUOTE_LEFT = re.compile('["“”„«»]')
_CITATION = re.compile(r"\bF[0-9]+\b")
_NAMED_QUANTITY = re.compile(r"\bR[2²](?!\w)")


@dataclass(frozen=True)
class Claim:
    """A sentence of a language model, and the ids of the facts it cites."""

    text: str
    cites: tuple[str, ...]


def fault(claim: Claim, facts: Sequence[Fact], language: str) -> str:
    """Check a claim against its facts: a name in `FAULTS`, or "" where no fault was found.

    The claim must end like a sentence and cite existing facts. Every number in it, in digits or in
    words up to twelve ("one" only before a unit), must be a number of a cited fact, equally precise
    or rounded further, in the same unit, and with "more than" or "less than" exactly where the fact
    has it. Other number words are allowed only if a cited fact uses them. Quoted text must be a
    class of a cited fact or a method, and classes of other facts must not appear at all.

    Args:
        claim: the sentence to check.
        facts: all facts that the model was given.
        language: "en" or "fr".
    """
    by_id = {fact.id: fact for fact in facts}
    text = one_line(claim.text)
    mentioned = set(_CITATION.findall(text))
    if not text or not claim.cites or not {*claim.cites} <= {*by_id} or mentioned - {*claim.cites}:
        return "citation"
    if text[-1] not in ".!?…":
        return "unfinished"
    cited = [by_id[name] for name in claim.cites]
    names = {name for fact in cited for name in fact.names}
    others = {name for fact in facts for name in fact.names} - names
    rest = _QUOTED.sub(lambda quote: _unquoted(quote, names), _CITATION.sub(" ", text))
    if _QUOTE_LEFT.search(rest) or any(_names(rest, name) for name in others):
        return "name"
    values = [value for fact in cited for value in fact.values]
    cited_words = {word for fact in cited for word in _words(fact.sentence(language))}
    return "" if _numbers_match(rest, values, cited_words, language) else "number"


def _unquoted(quote: re.Match[str], names: set[str]) -> str:
    """A space in place of an allowed quotation; other quotations keep a quote mark, and fail."""
    content = next(group for group in quote.groups() if group is not None).strip(" .,;:!?")
    allowed = {name.casefold() for name in names} | {m.title.casefold() for m in METHODS.values()}
    return " " if content.casefold() in allowed else '"'


def _names(text: str, name: str) -> bool:
    """Whether a text contains a name as a separate word."""
    pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
    return len(name) >= MIN_NAME and re.search(pattern, text, re.IGNORECASE) is not None


def _numbers_match(
    text: str, values: Sequence[Value], cited_words: set[str], language: str
) -> bool:
    def check(match: re.Match[str]) -> str:
        word = match["number"].casefold()
        is_cited = word.isalpha() and word in cited_words and not match["unit"]
        supported = is_cited or any(_equals(match, value, language) for value in values)
        return " " if supported else "0"

    rest = _NUMBERS[language].sub(check, _NAMED_QUANTITY.sub(" ", text))
    vague = {*_VAGUE[language].split()} - cited_words
    # Any remaining numeral, in any script, was not recognized.
    return not any(char.isnumeric() for char in rest) and not vague & {*_words(rest)}


def _equals(match: re.Match[str], value: Value, language: str) -> bool:
    """Whether a number in a sentence is a value, or the value rounded to fewer decimals."""
    if _bound(match, language) != value.bound:
        return False
    unit = match["unit"] and _UNITS.get(match["unit"].casefold(), "?")
    if unit != value.unit and (unit or value.unit == "%"):
        return False
    if not value.number.is_finite():
        return False
    number = _read(match, language)
    decimals = _decimals(number)
    if decimals >= _decimals(value.number):
        return number.as_tuple() == value.number.as_tuple()
    # Rounding must not turn a high probability into certainty.
    if value.bound or number.copy_abs() in (0, 1, 100):
        return False
    step = Decimal(1).scaleb(-decimals)
    # A final 5 may itself be the result of rounding up, so its direction is ambiguous.
    ways = {value.number.quantize(step, rounding) for rounding in (ROUND_HALF_UP, ROUND_HALF_DOWN)}
    return ways == {number}


def _decimals(number: Decimal) -> int:
    """Digits after the decimal point of a finite number."""
    return -int(number.as_tuple().exponent)


def _bound(match: re.Match[str], language: str) -> str:
    """Bound of a number: ">" after "more than", "<" after "less than", "?" if qualified, or ""."""
    before = match.string[: match.start()].casefold().rstrip()
    for bound, words in ((">", MORE_THAN), ("<", LESS_THAN)):
        phrase = words[language].strip()
        if re.search(rf"(?<!\w){phrase}$", before):
            left = re.search(r"([\w'’]+)\s+$", before.removesuffix(phrase))
            return bound if left is None or left[1] in _BEFORE_BOUND[language] else "?"
    return ""


def _read(match: re.Match[str], language: str) -> Decimal:
    text = match["number"].casefold()
    if text in _WORDS[language]:
        number = Decimal(_WORDS[language][text])
    elif text in _ONES[language]:
        number = Decimal(1)
    elif language == "fr":
        number = Decimal(re.sub(_SPACE, "", text).replace(",", "."))
    else:
        number = Decimal(text.replace(",", ""))
    return number.copy_negate() if match["sign"] else number


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
