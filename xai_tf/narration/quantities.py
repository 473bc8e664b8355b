"""Numbers as they are displayed: rounded, with a unit, in English and in French."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from xai_tf.narration.templates import LESS_THAN, MORE_THAN
from xai_tf.trust.sentences import NO_BREAK, written


@dataclass(frozen=True)
class Value:
    """A number as it is displayed.

    Attributes:
        number: the rounded number.
        unit: "%", "Hz", "s", or "" for a number without unit.
        bound: ">" where the true number is larger, "<" where it is smaller, else "".
    """

    number: Decimal
    unit: str = ""
    bound: str = ""

    def write(self, language: str) -> str:
        """The number with its unit in "en" or "fr"."""
        digits = f"{self.number:f}"
        tight = self.unit in ("", "%")
        text = written(f"{digits}{'' if tight else NO_BREAK}{self.unit}", language)
        bound = {">": MORE_THAN, "<": LESS_THAN}.get(self.bound)
        return bound[language] + text if bound else text


def rounded(number: float, decimals: int = 0, unit: str = "") -> Value:
    """A number rounded to some decimals; -1 rounds to tens."""
    value = Decimal(f"{round(float(number), decimals):.{max(0, decimals)}f}")
    return Value(value.copy_abs() if value == 0 else value, unit)  # never "-0"


def percent(share: float) -> Value:
    """A share in percent, without decimals."""
    return rounded(100 * share, 0, "%")


def probability(share: float) -> Value:
    """A probability in percent with one decimal, never rounded to 0% or 100%."""
    if share >= 0.9995:
        return Value(Decimal("99.9"), "%", ">")
    if share < 0.0005:
        return Value(Decimal("0.1"), "%", "<")
    return rounded(100 * share, 1, "%")
