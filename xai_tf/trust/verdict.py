"""The records of a verdict, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xai_tf.trust.remedies import REMEDIES, Remedy
from xai_tf.trust.sentences import NOT_CHECKED, SEPARATOR, SUPPORTED, WORDS

# Of a map, the worst first.
NOT, PARTLY, WELL = LEVELS = ("not_supported", "partly_supported", "well_supported")
# Of a reason, the worst first. "unchecked" is no objection, and no support: it is not known.
DOUBTFUL, CAUTION, UNCHECKED, SUPPORTS = SEVERITIES = (
    "doubtful",
    "caution",
    "unchecked",
    "supported",
)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What one check says about a map.

    Attributes:
        kind: a key of `sentences.REASONS`.
        severity: one of `SEVERITIES`.
        english, french: the reason, one sentence.
        remedy: what can be done about it, a key of `REMEDIES`; empty if nothing need be done.
        region: the names of the partition and the region that it is about, or None.
    """

    kind: str
    severity: str
    english: str
    french: str
    remedy: str = ""
    region: tuple[str, str] | None = None

    def text(self, language: str = "en") -> str:
        """The reason in "en" or "fr"."""
        return self.french if language == "fr" else self.english

    @property
    def objects(self) -> bool:
        """Whether it speaks against the map."""
        return self.severity in (DOUBTFUL, CAUTION)


@dataclass(frozen=True)
class Verdict:
    """How far a map can be trusted.

    Attributes:
        reasons: what each check says, the strongest objection first; at least one.
        level: one of `LEVELS`.
    """

    reasons: tuple[Reason, ...]
    level: str

    @property
    def objections(self) -> tuple[Reason, ...]:
        """The reasons that speak against the map."""
        return tuple(reason for reason in self.reasons if reason.objects)

    @property
    def remedy(self) -> Remedy | None:
        """What can be done about the first reason, or None."""
        return REMEDIES.get(self.reasons[0].remedy)

    def word(self, language: str = "en") -> str:
        """The level as a word, in "en" or "fr"."""
        return WORDS[self.level][language]

    def sentence(self, language: str = "en") -> str:
        """The strongest objection, what was not checked, or what makes the map well supported."""
        if self.level == WELL:
            return SUPPORTED[language]
        if self.objections:
            return self.reasons[0].text(language)
        missing = [reason for reason in self.reasons if reason.severity == UNCHECKED]
        separator = SEPARATOR[language]
        names = separator.join(NOT_CHECKED[reason.kind][language] for reason in missing)
        return NOT_CHECKED["lead"][language].format(names=names)


def describe_verdict(verdict: Verdict, language: str = "en") -> dict[str, Any]:
    """A verdict as plain data, with its texts in "en" or "fr"."""
    return {
        "level": verdict.level,
        "word": verdict.word(language),
        "sentence": verdict.sentence(language),
        "reasons": [
            {
                "kind": reason.kind,
                "severity": reason.severity,
                "text": reason.text(language),
                "remedy": reason.remedy or None,
                "partition": reason.region[0] if reason.region else None,
                "region": reason.region[1] if reason.region else None,
            }
            for reason in verdict.reasons
        ],
    }
