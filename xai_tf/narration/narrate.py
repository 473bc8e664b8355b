"""The first voice: the facts as a text, by our own template, the same for the same facts."""

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

_STARTS = ("answer", "map_signed", "map_unsigned", "map_of_features", "agreement", "medical")


def narrate(facts: Sequence[Fact], language: str) -> tuple[str, ...]:
    """The facts as plain text: paragraphs on the answer, each map and how they agree, their limits.

    Args:
        facts: from `facts`; without any there is no text.
        language: "en" or "fr".

    Returns:
        The paragraphs; the last is what the text must not be used for.
    """
    if not facts:
        return ()
    paragraphs: list[list[str]] = []
    for fact in facts:
        if fact.kind in _STARTS:
            paragraphs.append([fact.sentence(language)])
        else:
            paragraphs[-1].append(fact.sentence_after(language))
    told = [" ".join(sentences) for sentences in paragraphs]
    return (*told, LIMITS[language], disclaimer(language, is_medical(facts)))


def is_medical(facts: Sequence[Fact]) -> bool:
    """Whether the facts are about a patient."""
    return any(fact.kind == "medical" for fact in facts)


def disclaimer(language: str, medical: bool) -> str:
    """What the text must not be used for."""
    return (MEDICAL_DISCLAIMER if medical else DISCLAIMER)[language]


def model_label(language: str, model: str) -> str:
    """Who wrote the second voice's sentences, and what was checked."""
    return MODEL_LABEL[language].format(model=model)


def withheld_notice(faults: Sequence[str], language: str) -> str:
    """How many sentences are not shown, and why.

    Args:
        faults: of each of them, a name in `checking.FAULTS`.
        language: "en" or "fr".
    """
    return " ".join(
        WITHHELD[fault][language][count > 1].format(count)
        for fault, count in Counter(faults).items()
    )


def excluded_models_notice(models: Sequence[str], language: str) -> str:
    """Which models are not offered, and why; empty where all are."""
    return LEFT_OUT[language].format(", ".join(models)) if models else ""
