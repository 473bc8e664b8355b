"""Narration by template: the facts as a text, deterministic and without a language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from xai_tf.narration.facts import Fact
from xai_tf.narration.templates import (
    DISCLAIMER,
    LEFT_OUT,
    LIMITS,
    MEDICAL_DISCLAIMER,
    MODEL_LABEL,
    WITHHELD,
)

_MAPS = ("map_signed", "map_unsigned", "map_of_features")
_STARTS = ("answer", "finding", "no_finding", *_MAPS, "agreement", "medical")


def narrate(facts: Sequence[Fact], language: str) -> tuple[str, ...]:
    """Write the facts as plain text, in paragraphs.

    Args:
        facts: from `facts`.
        language: "en" or "fr".

    Returns:
        One paragraph on the prediction, one per map, one on their agreement, one on the limits,
        and the disclaimer. Empty without facts.
    """
    if not facts:
        return ()
    texts = [_paragraph(group, language) for group in _grouped(facts)]
    return (*texts, LIMITS[language], disclaimer(language, is_medical(facts)))


def narrate_maps(facts: Sequence[Fact], language: str) -> tuple[str, ...]:
    """What `narrate` writes of the maps alone: a paragraph for each, in their order."""
    groups = [group for group in _grouped(facts) if group[0].kind in _MAPS]
    return tuple(_paragraph(group, language) for group in groups)


def _grouped(facts: Sequence[Fact]) -> list[list[Fact]]:
    """The facts of each paragraph."""
    groups: list[list[Fact]] = []
    for fact in facts:
        if fact.kind in _STARTS:
            groups.append([fact])
        else:
            groups[-1].append(fact)
    return groups


def _paragraph(group: Sequence[Fact], language: str) -> str:
    first, *others = group
    return " ".join([first.sentence(language), *(f.sentence_after(language) for f in others)])


def is_medical(facts: Sequence[Fact]) -> bool:
    """Whether the facts are about a patient."""
    return any(fact.kind == "medical" for fact in facts)


def disclaimer(language: str, medical: bool) -> str:
    """The disclaimer: what the text must not be used for."""
    return (MEDICAL_DISCLAIMER if medical else DISCLAIMER)[language]


def model_label(language: str, model: str) -> str:
    """A label for generated text: which model wrote it, and what was checked."""
    return MODEL_LABEL[language].format(model=model)


def withheld_notice(faults: Sequence[str], language: str) -> str:
    """How many sentences are not shown, and why.

    Args:
        faults: the fault of each of them, a name in `grounding.FAULTS`.
        language: "en" or "fr".
    """
    return " ".join(
        WITHHELD[fault][language][count > 1].format(count)
        for fault, count in Counter(faults).items()
    )


def excluded_models_notice(models: Sequence[str], language: str) -> str:
    """Which models are not offered, and why; empty if all are offered."""
    return LEFT_OUT[language].format(", ".join(models)) if models else ""
