"""Which explanations answer the same question, so that they can be compared."""

from __future__ import annotations

from collections.abc import Sequence

from xai_tf.agreement.disagreement import Disagreement, DisagreementMap
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation


def by_question(explanations: Sequence[Explanation]) -> list[list[int]]:
    """Where explanations stand that answer one question about one input, question by question."""
    found: dict[tuple, list[int]] = {}
    for at, explanation in enumerate(explanations):
        sample = explanation.sample  # what came from a store has a sample of its own
        start = None if sample.sound is None else float(sample.sound.seconds[0])
        asked = sample.sha256, start, explanation.target, explanation.contrast
        found.setdefault(asked, []).append(at)
    return list(found.values())


def comparable(explanations: Sequence[Explanation]) -> list[list[Explanation]]:
    """The explanations with a signal, by question; none of those that have no other beside them."""
    groups = [
        [explanations[at] for at in places if has_signal(explanations[at].attribution)]
        for places in by_question(explanations)
    ]
    return [maps for maps in groups if len(maps) > 1]


def named_disagreements(
    maps: Sequence[Explanation], found: DisagreementMap
) -> tuple[Disagreement, ...]:
    """The disputes of maps; none where two maps are of one method, and so are called the same."""
    return found.disagreements if len({e.method.name for e in maps}) == len(maps) else ()
