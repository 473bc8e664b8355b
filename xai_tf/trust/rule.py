"""The rule: from all that is known of a map to a verdict.

Every check gives a reason with a severity. One strong objection makes a map not supported, so that
it cannot be outvoted, and a doubt or a check that was not made keeps it from being well supported,
but for those that hardly tell where the evidence is (`SPARED`). How often that is right where the
truth is known: benchmarks/results.md, Verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.agreement.places import shares_strongest_place
from xai_tf.agreement.questions import by_question
from xai_tf.attribution.convergence import Convergence
from xai_tf.attribution.diagnostics import diagnose, has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.run_diagnostics import diagnose_run
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.ood import OODScore
from xai_tf.classifiers.reading import Reading
from xai_tf.metrics.score import Score
from xai_tf.metrics.verdict import CHANCE, CLEAR
from xai_tf.regions import PARTITIONS, Audit, RegionShare
from xai_tf.trust.sentences import QUOTES, REASONS, Phrase, region_name, written
from xai_tf.trust.verdict import (
    CAUTION,
    DOUBTFUL,
    NOT,
    PARTLY,
    SEVERITIES,
    SUPPORTS,
    UNCHECKED,
    WELL,
    Reason,
    Verdict,
)

# Chosen on the bundled samples and models.
FAR = 1.2  # multiple of the OOD threshold: validation files exceed 1, other subjects mostly 1.4
SURE = 0.8  # probability below which an answer is unsure, as those of broken networks often are
CLOSE = 0.2  # difference of the two highest probabilities below which the answer is close
AVERAGE_DENSITY = 1.0  # evidence by area; an expected region with less has no more than by chance
STABLE = 0.8  # expected rank correlation with the map of another seed
RANDOMISED = 0.7  # correlation with the map of a randomized network
BETTER = 0.5  # share of the fidelity metrics: clearly better than random, and none at chance
# These keep no map from being well supported. Where the truth was known, maps of few samples were
# right as often as others (benchmarks/results.md, Verdict). Regions were found for every map there,
# so that they may be missing is a choice: a model of any subject has none.
SPARED = ("unstable", "stability_unknown", "no_regions")

# What speaks against a map by itself, its severity and its remedy.
_DIAGNOSES = {
    "nan": (DOUBTFUL, "another_method"),
    "constant": (DOUBTFUL, "another_method"),
    "saturated": (DOUBTFUL, "another_method"),
    "border": (DOUBTFUL, "another_method"),
    "single_spot": (CAUTION, "another_method"),
    "incomplete": (CAUTION, "another_method"),
    "undetermined": (CAUTION, "sample_until_stable"),
    "poor_fit": (CAUTION, "sample_until_stable"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Checks:
    """What is known of a map; what was not looked at is left out.

    Attributes:
        explanation: the map.
        reading: its file, with the OOD score and what is a guess about the model.
        audit: its evidence by region.
        scores: its scores; those of fidelity and of model randomisation count.
        others: maps by other methods that answer the same question.
    """

    explanation: Explanation
    reading: Reading | None = None
    audit: Audit | None = None
    scores: Sequence[Score] = ()
    others: Sequence[Explanation] = ()


def verdict(checks: Checks) -> Verdict:
    """How far a map can be trusted. No map is called supported before every check was made.

    >>> import xai_tf
    >>> classifier = xai_tf.load("dogs_mobilenetv2")
    >>> explanation = xai_tf.explain(classifier, classifier.read("dog.jpg"), "saliency")
    >>> verdict(Checks(explanation=explanation)).level
    'partly_supported'

    Args:
        checks: what is known of the map.
    """
    found = [
        *_of_map(checks.explanation, checks.audit),
        *_of_distribution(checks.reading),
        *_of_regions(checks.audit),
        *_of_agreement(checks.explanation, checks.others),
        *_of_scores(checks.scores),
        *_of_stability(checks.explanation.convergence),
        *_of_answer(checks.explanation),
        *_of_model(checks.reading),
    ]
    kinds = list(REASONS)
    order = sorted(found, key=lambda one: (SEVERITIES.index(one.severity), kinds.index(one.kind)))
    return Verdict(tuple(order), _level(order))


def _level(reasons: Sequence[Reason]) -> str:
    """An objection cannot be outvoted, and nothing is well supported that was not checked."""
    if any(reason.severity == DOUBTFUL for reason in reasons):
        return NOT
    deciding = {reason.severity for reason in reasons if reason.kind not in SPARED}
    return WELL if deciding == {SUPPORTS} else PARTLY


def verdicts(
    reading: Reading | None,
    explanations: Sequence[Explanation],
    audits: Sequence[Audit] = (),
    scores: Sequence[Sequence[Score]] = (),
) -> tuple[Verdict, ...]:
    """The verdict on each of several maps of a file, compared with those of the same question.

    Args:
        reading: the file.
        explanations: its maps.
        audits: of each map, or empty.
        scores: of each map, or empty.
    """
    groups = {index: group for group in by_question(explanations) for index in group}
    return tuple(
        verdict(
            Checks(
                explanation=explanation,
                reading=reading,
                audit=audits[index] if audits else None,
                scores=scores[index] if scores else (),
                others=[explanations[other] for other in groups[index] if other != index],
            )
        )
        for index, explanation in enumerate(explanations)
    )


def _reason(
    kind: str,
    severity: str,
    remedy: str = "",
    *,
    region: tuple[str, str] | None = None,
    names: Mapping[str, Phrase] | None = None,
    numbers: Mapping[str, str] | None = None,
) -> Reason:
    """A reason with its sentences filled in.

    Args:
        kind: a key of `REASONS`.
        severity: as in `Reason`.
        remedy: as in `Reason`.
        region: as in `Reason`.
        names: words to fill in, by their name in the template.
        numbers: formatted numbers to fill in, by their name in the template.
    """
    texts = {
        language: template.format(
            **{name: phrase[language] for name, phrase in (names or {}).items()},
            **{name: written(number, language) for name, number in (numbers or {}).items()},
        )
        for language, template in REASONS[kind].items()
    }
    return Reason(
        kind=kind,
        severity=severity,
        english=texts["en"],
        french=texts["fr"],
        remedy=remedy,
        region=region,
    )


def _of_map(explanation: Explanation, audit: Audit | None) -> Iterator[Reason]:
    """What the map and its method say against it; nothing where they are fine."""
    of_run, figures = diagnose_run(explanation), explanation.figures
    numbers = {
        "share": f"{figures.get('completeness_gap', 0):.0%}",
        "count": f"{figures.get('undetermined', 0):.0f}",
        "value": f"{figures.get('r2', 0):.2f}",
    }
    alarms = {(row.partition, row.region) for row in audit.rows if row.alarm} if audit else set()
    for diagnosis in (*diagnose(explanation.attribution), *of_run):
        said_by_regions = diagnosis.name == "border" and ("frame", "border") in alarms
        if diagnosis.name in _DIAGNOSES and not said_by_regions:
            yield _reason(diagnosis.name, *_DIAGNOSES[diagnosis.name], numbers=numbers)
    for text in explanation.warnings:
        if text not in [diagnosis.text for diagnosis in of_run]:
            words = {"text": {"en": text, "fr": text}}
            yield _reason("method_warning", CAUTION, "another_method", names=words)


def _of_distribution(reading: Reading | None) -> Iterator[Reason]:
    score = reading.ood_score if reading else None
    if score is None:
        yield _reason("no_ood_score", UNCHECKED, "fit_ood_detector")
    elif score.out_of_distribution:
        yield _far(score)
    else:
        yield _reason("in_distribution", SUPPORTS, numbers={"ratio": f"{score.ratio:.0%}"})


def _far(score: OODScore) -> Reason:
    placed = {language: score.placeholders(language) for language in REASONS["in_distribution"]}
    names = {
        name: {language: words[name] for language, words in placed.items()} for name in placed["en"]
    }
    severity = DOUBTFUL if score.ratio >= FAR else CAUTION
    return _reason("out_of_distribution", severity, "another_model", names=names)


def _of_regions(audit: Audit | None) -> Iterator[Reason]:
    """Evidence where little is expected, and too little where it is expected."""
    given = audit.rows if audit else ()
    rows = [row for row in given if row.share is not None and not row.guess]
    if not rows:
        yield _reason("no_regions", UNCHECKED, "find_regions")
        return
    objections = [*filter(None, map(_region_objection, rows))]
    yield from objections or [_reason("regions_plausible", SUPPORTS)]


def _region_objection(row: RegionShare) -> Reason | None:
    partition = PARTITIONS.get(row.partition)
    expected = partition is not None and row.region in partition.expected
    missed = expected and row.ratio is not None and row.ratio < AVERAGE_DENSITY
    if not (row.alarm or missed):
        return None
    kind, severity, remedy = (
        ("region", DOUBTFUL, "hide_region")
        if row.alarm
        else ("not_expected", CAUTION, "another_method")
    )
    names = {"region": {language: region_name(row.region, language) for language in QUOTES}}
    numbers = {"share": f"{row.share:.0%}", "area": f"{row.area:.1%}"}
    place = row.partition, row.region
    return _reason(kind, severity, remedy, region=place, names=names, numbers=numbers)


def _of_agreement(explanation: Explanation, others: Sequence[Explanation]) -> Iterator[Reason]:
    """Whether methods of other families point there, too: those of one family share their faults.

    All but one must, of eight or more all but a quarter. That maps are alike beyond chance was
    asked before, and tells less (benchmarks/results.md, Verdict).
    """
    independent = [
        other
        for other in others
        if other.method.family != explanation.method.family
        and other.method.class_specific
        and has_signal(other.attribution)
    ]
    if not independent or not has_signal(explanation.attribution):
        yield _reason("no_other_map", UNCHECKED, "compare_methods")
        return
    agreeing = sum(shares_strongest_place(explanation, other) for other in independent)
    numbers = {"count": str(agreeing), "all": str(len(independent))}
    if agreeing >= max(1, len(independent) - max(1, len(independent) // 4)):
        yield _reason("agreement", SUPPORTS, numbers=numbers)
    else:
        kind = "little_agreement" if agreeing else "disagreement"
        yield _reason(kind, CAUTION, "another_method", numbers=numbers)


def _of_scores(scores: Sequence[Score]) -> Iterator[Reason]:
    """How many fidelity metrics are better than random maps, and whether the weights matter."""
    for one in scores:
        if one.metric.name == "randomisation" and one.value >= RANDOMISED:
            value = {"value": f"{one.value:.2f}"}
            yield _reason("randomised", DOUBTFUL, "another_method", numbers=value)
    rates = [one.better_than_random or 0.0 for one in scores if _tells(one)]
    better, chance = sum(rate >= CLEAR for rate in rates), sum(rate < CHANCE for rate in rates)
    clear, at_chance = ({"count": str(n), "all": str(len(rates))} for n in (better, chance))
    if not rates:
        yield _reason("no_scores", UNCHECKED, "score")
    elif chance > BETTER * len(rates):
        yield _reason("scores_at_chance", DOUBTFUL, "another_method", numbers=at_chance)
    elif better >= BETTER * len(rates) and not chance:
        yield _reason("better_than_random", SUPPORTS, numbers=clear)
    else:
        yield _reason("scores_mixed", CAUTION, "another_method", numbers=clear)


def _tells(score: Score) -> bool:
    """Whether a score says how faithful a map is; not where random maps have the same value."""
    random = score.random
    return (
        score.metric.family == "fidelity"
        and random is not None
        and random.count > 0
        and bool(np.isfinite(score.value))
        and not score.value == random.low == random.high
    )


def _of_stability(convergence: Convergence | None) -> Iterator[Reason]:
    """Whether enough samples were drawn; nothing for a method that draws none."""
    if convergence is None:
        return
    latest, wanted = convergence.latest, convergence.wanted or STABLE
    if convergence.exact:
        yield _reason("stable", SUPPORTS)
    elif latest is None:
        yield _reason("stability_unknown", CAUTION, "sample_until_stable")
    elif latest >= wanted:
        yield _reason("stable", SUPPORTS)
    else:
        value = {"value": f"{latest:.2f}"}
        yield _reason("unstable", CAUTION, "sample_until_stable", numbers=value)


def _of_answer(explanation: Explanation) -> Iterator[Reason]:
    """Whether the answer that is explained is unsure, or hardly more probable than the next one."""
    prediction = explanation.prediction
    if prediction.multi_label or explanation.contrast is not None:
        return
    first, second = prediction.ranked[:2]
    high, low = prediction.probabilities[[first, second]]
    if explanation.target != first:
        return
    if high - low >= CLOSE and high < SURE:
        yield _reason("unsure", CAUTION, "another_class", numbers={"share": f"{high:.1%}"})
    if high - low < CLOSE:
        names = {
            name: {
                language: QUOTES[language].format(readable(prediction.classes[label]))
                for language in QUOTES
            }
            for name, label in (("first", first), ("second", second))
        }
        numbers = {"share": f"{high:.1%}", "other": f"{low:.1%}"}
        yield _reason("close_call", CAUTION, "another_class", names=names, numbers=numbers)


def _of_model(reading: Reading | None) -> Iterator[Reason]:
    """What is a guess about the model."""
    for guess in reading.guesses if reading else ():
        remedy = "settle_preprocessing" if guess == "preprocessing" else "settle_model"
        yield _reason(f"guessed_{guess}", CAUTION, remedy)
