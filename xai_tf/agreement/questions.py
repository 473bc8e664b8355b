"""Group explanations by the question they answer, because only those can be compared."""

from __future__ import annotations

from collections.abc import Sequence

from xai_tf.agreement.disagreement import Disagreement, DisagreementMap
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation


def by_question(explanations: Sequence[Explanation]) -> list[list[int]]:
    """Indices of explanations that answer the same question about the same input, by question."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, explanation in enumerate(explanations):
        sample = explanation.sample  # compared by content: stored explanations have their own copy
        start = None if sample.sound is None else float(sample.sound.seconds[0])
        question = sample.sha256, start, explanation.target, explanation.contrast
        groups.setdefault(question, []).append(index)
    return list(groups.values())


def comparable(explanations: Sequence[Explanation]) -> list[list[Explanation]]:
    """The explanations with a signal, by question, for questions with at least two of them."""
    groups = [
        [explanations[index] for index in group if has_signal(explanations[index].attribution)]
        for group in by_question(explanations)
    ]
    return [maps for maps in groups if len(maps) > 1]


def named_disagreements(
    maps: Sequence[Explanation], disagreement: DisagreementMap
) -> tuple[Disagreement, ...]:
    """The disagreements of maps; none if two maps have the same method, and so the same name."""
    distinct = len({e.method.name for e in maps}) == len(maps)
    return disagreement.disagreements if distinct else ()
