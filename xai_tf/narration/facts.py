"""Facts about a prediction and its explanations: numbered, each one a sentence.

Facts hold only numbers and class names: no file name and no content of the file.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.ood import OODScore
from xai_tf.classifiers.prediction import DEFAULT_THRESHOLD
from xai_tf.classifiers.reading import Reading
from xai_tf.narration import locations
from xai_tf.narration.quantities import Value, percent, probability, rounded
from xai_tf.narration.templates import (
    AND,
    LANGUAGES,
    MAP,
    MAP_AGAIN,
    MAP_OF_CLASS,
    PLACES,
    QUOTES,
    RATHER_THAN,
    SENTENCES,
)

if TYPE_CHECKING:
    from xai_tf.agreement.agreement import Agreement
    from xai_tf.inputs.sample import Sound

Phrase = Mapping[str, str]  # the words in each language

MAX_NAME = 40
ALL_CLASSES, TOP_CLASSES = 4, 3
NARROW = 0.2  # difference of the two highest probabilities below which the answer is close
MIN_NINTH, MAX_NINTHS = 0.15, 3
_QUOTE_MARKS = dict.fromkeys(map(ord, '"“”„«»‘’`'), "'")


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One fact.

    Attributes:
        id: "F1", "F2" and so on.
        kind: a key of `SENTENCES`.
        values: its numbers.
        names: the class names in it, sanitized by `clean_name`.
        english, french: the fact as a full sentence.
        english_after, french_after: the sentence to use after one that has named the map.
    """

    id: str
    kind: str
    values: tuple[Value, ...]
    names: tuple[str, ...]
    english: str
    french: str
    english_after: str
    french_after: str

    def sentence(self, language: str) -> str:
        """The fact as a sentence in "en" or "fr"."""
        return self.french if language == "fr" else self.english

    def sentence_after(self, language: str) -> str:
        """The fact as a sentence in "en" or "fr", after one that has named the map."""
        return self.french_after if language == "fr" else self.english_after


def facts(
    reading: Reading,
    explanations: Sequence[Explanation] = (),
    agreement: Agreement | None = None,
    medical: bool = False,
) -> tuple[Fact, ...]:
    """The facts about one file: the prediction, then each map, then how well the maps agree.

    Args:
        reading: the file and its prediction.
        explanations: of the file's windows.
        agreement: of these explanations, from `xai_tf.agreement.agreement`.
        medical: whether the file is about a patient.
    """
    unnumbered = [
        *_of_prediction(reading),
        *(fact for shown in explanations for fact in _of_map(shown, explanations, reading)),
        *(_of_agreement(agreement, explanations) if agreement else ()),
        *([_fact("medical")] if medical else []),
    ]
    return tuple(replace(fact, id=f"F{number}") for number, fact in enumerate(unnumbered, 1))


def clean_name(name: str) -> str:
    """A class name as safe, readable text: one line, no control characters, at most 40 characters.

    Quotation marks become apostrophes, because names are quoted.
    """
    plain = one_line(readable(name)).translate(_QUOTE_MARKS)
    return (plain if len(plain) <= MAX_NAME else plain[: MAX_NAME - 1].rstrip() + "…") or "?"


def one_line(text: str) -> str:
    """A text without line breaks, control characters and bidirectional marks."""
    visible = (" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    return " ".join("".join(visible).split())


def _fact(
    kind: str, names: Sequence[str] = (), words: Mapping[str, Phrase] | None = None, **values: Value
) -> Fact:
    """A fact without an id.

    Args:
        kind: a key of `SENTENCES`.
        names: the class names it mentions.
        words: phrases to fill in, by their name in the template.
        values: numbers to fill in, by their name in the template.
    """
    alone, after = words or {}, {**(words or {}), "map": MAP_AGAIN}
    return Fact(
        id="",
        kind=kind,
        values=tuple(values.values()),
        names=tuple(names),
        english=_filled_in(kind, "en", alone, values),
        french=_filled_in(kind, "fr", alone, values),
        english_after=_filled_in(kind, "en", after, values),
        french_after=_filled_in(kind, "fr", after, values),
    )


def _filled_in(
    kind: str, language: str, words: Mapping[str, Phrase], values: Mapping[str, Value]
) -> str:
    parts = {name: phrase[language] for name, phrase in words.items()}
    parts |= {name: value.write(language) for name, value in values.items()}
    if "map" in parts:
        parts["Map"] = parts["map"][0].upper() + parts["map"][1:]
    return SENTENCES[kind][language].format(**parts)


def _of_prediction(reading: Reading) -> Iterator[Fact]:
    prediction = reading.prediction
    ranked, found = prediction.ranked, prediction.findings
    if not found:
        yield _fact("no_finding", count=rounded(len(prediction.classes)))
    shown = len(ranked) if len(ranked) <= ALL_CLASSES else TOP_CLASSES
    for rank, label in enumerate(ranked[:shown]):
        name, share = clean_name(prediction.classes[label]), prediction.probabilities[label]
        if prediction.multi_label:
            kind = "finding" if label in found else "probability"
        else:
            kind = "probability" if rank else "answer"
        yield _fact(kind, [name], {"name": _quoted(name)}, share=probability(share))
        if prediction.multi_label and prediction.thresholds[label] != DEFAULT_THRESHOLD:
            limit = probability(prediction.thresholds[label])
            yield _fact("label_threshold", [name], {"name": _quoted(name)}, share=limit)
    if not prediction.multi_label:
        first, second = prediction.probabilities[ranked[:2]]
        kind = "narrow_margin" if first - second < NARROW else "margin"
        yield _fact(kind, margin=rounded(prediction.margin, 2))
    if len(reading.samples) > 1:
        agreeing = sum(prediction.agrees_with(other) for other in reading.predictions)
        yield _fact("windows", count=rounded(len(reading.samples)), agreeing=rounded(agreeing))
    sound = reading.samples[0].sound
    if sound and sound.rebuilt:
        yield _fact("rebuilt")
    if reading.ood_score and reading.ood_score.out_of_distribution:
        yield _out_of_distribution(reading.ood_score)


def _out_of_distribution(score: OODScore) -> Fact:
    words = {
        name: {language: score.placeholders(language)[name] for language in LANGUAGES}
        for name in ("This", "kind", "subject")
    }
    return _fact(
        "out_of_distribution",
        (),
        words,
        ratio=rounded(score.rounded_ratio, score.ratio_decimals),
        share=percent(1 - score.share),
    )


def _of_map(
    shown: Explanation, explanations: Sequence[Explanation], reading: Reading
) -> Iterator[Fact]:
    method, names = shown.method, _class_names(shown)
    kind = "map_signed" if method.signed else "map_unsigned"
    yield _fact(
        kind if method.class_specific else "map_of_features",
        names,
        {"map": _map(method.title, []), "question": _question(names)},
    )
    words = {"map": _map_among(shown, explanations)}
    if len(reading.samples) > 1 and shown.sample.sound:
        yield _window(shown, shown.sample.sound, words)
    diagnoses = diagnose(shown.attribution)
    for diagnosis in diagnoses:
        yield _fact(diagnosis.name, names, words)
    if not {diagnosis.name for diagnosis in diagnoses} & {"nan", "constant"}:
        yield _place(shown, names, words)
        if method.signed:
            share = locations.share_for(shown.attribution)
            rest = rounded(100 - round(100 * share), 0, "%")
            yield _fact("sides", names, words, share=percent(share), rest=rest)
    yield from _of_figures(shown, names, words)


def _window(shown: Explanation, sound: Sound, words: Mapping[str, Phrase]) -> Fact:
    name, prediction = clean_name(shown.prediction.classes[shown.target]), shown.prediction
    start, end = float(sound.seconds[0]), float(sound.seconds[-1])
    return _fact(
        "window",
        [name],
        {**words, "name": _quoted(name)},
        start=rounded(start, 1, "s"),
        end=rounded(end, 1, "s"),
        share=probability(prediction.probabilities[shown.target]),
    )


def _place(shown: Explanation, names: Sequence[str], words: Mapping[str, Phrase]) -> Fact:
    tenth = locations.strongest_tenth(shown.attribution)
    held = percent(locations.concentration(shown.attribution, tenth))
    if shown.sample.sound:
        low, high = locations.hertz_band(tenth, shown.sample.sound)
        start, end = locations.seconds_span(tenth, shown.sample.sound)
        return _fact(
            "sound_place",
            names,
            words,
            held=held,
            most=percent(locations.MOST),
            low=rounded(low, -1, "Hz"),
            high=rounded(high, -1, "Hz"),
            start=rounded(start, 2, "s"),
            end=rounded(end, 2, "s"),
        )
    shares = locations.ninths(tenth).ravel()
    ranked = np.argsort(-shares, kind="stable")[:MAX_NINTHS]
    named = [ninth for rank, ninth in enumerate(ranked) if rank == 0 or shares[ninth] >= MIN_NINTH]
    values = {f"share_{rank}": percent(shares[ninth]) for rank, ninth in enumerate(named)}
    listed = {
        language: _listed(
            [
                f"{PLACES[ninth][language]} ({value.write(language)})"
                for value, ninth in zip(values.values(), named, strict=True)
            ],
            language,
        )
        for language in LANGUAGES
    }
    return _fact("place", names, {**words, "places": listed}, held=held, **values)


def _of_figures(
    shown: Explanation, names: Sequence[str], words: Mapping[str, Phrase]
) -> Iterator[Fact]:
    figures = shown.figures
    if "completeness_gap" in figures:
        gap = rounded(100 * figures["completeness_gap"], 1, "%")
        yield _fact("completeness", names, words, gap=gap)
    if "r2" in figures:
        yield _fact("fit", names, words, fit=rounded(figures["r2"], 2))
    if "error" in figures:
        yield _fact("error", names, words, error=percent(figures["error"]))
    if figures.get("undetermined"):
        yield _fact("undetermined", names, words, count=rounded(figures["undetermined"]))


def _of_agreement(agreement: Agreement, explanations: Sequence[Explanation]) -> Iterator[Fact]:
    """The two maps that agree least, and with more than two maps, the two that agree most.

    Maps with the same name, such as those of one method at two layers, are not compared.
    """
    maps = [explanations[index] for index in agreement.positions]
    titles = [_map_among(shown, explanations) for shown in maps]
    pairs = [(r, c) for r, c in combinations(range(len(maps)), 2) if titles[r] != titles[c]]
    ranked = sorted(pairs, key=lambda pair: agreement.correlations[pair])
    for pair in dict.fromkeys([*ranked[:1], *ranked[-1:]]):
        first, second = (maps[index] for index in pair)
        words = {"map": titles[pair[0]], "other": titles[pair[1]]}
        yield _fact(
            "agreement",
            [*dict.fromkeys(_class_names(first) + _class_names(second))],
            words,
            correlation=rounded(agreement.correlations[pair], 2),
            overlap=percent(agreement.overlaps[pair]),
        )


def _class_names(shown: Explanation) -> list[str]:
    """The names of the class explained and of its contrast."""
    if not shown.method.class_specific:
        return []
    labels = (shown.target, shown.contrast)
    return [clean_name(shown.prediction.classes[label]) for label in labels if label is not None]


def _map_among(shown: Explanation, explanations: Sequence[Explanation]) -> Phrase:
    """The name of a map in the text: its method, and its class if the method is not unique."""
    alone = sum(other.method == shown.method for other in explanations) == 1
    return _map(shown.method.title, [] if alone else _class_names(shown))


def _map(title: str, names: Sequence[str]) -> Phrase:
    if not names:
        return {language: words.format(method=title) for language, words in MAP.items()}
    question = _question(names)
    return {
        language: words.format(method=title, name=question[language])
        for language, words in MAP_OF_CLASS.items()
    }


def _question(names: Sequence[str]) -> Phrase:
    """The class explained and its contrast, as a phrase."""
    if not names:
        return dict.fromkeys(LANGUAGES, "")
    quoted = [_quoted(name) for name in names]
    if len(quoted) == 1:
        return quoted[0]
    return {
        language: words.format(name=quoted[0][language], other=quoted[1][language])
        for language, words in RATHER_THAN.items()
    }


def _quoted(name: str) -> Phrase:
    return {language: marks.format(name) for language, marks in QUOTES.items()}


def _listed(items: Sequence[str], language: str) -> str:
    return AND[language].join(filter(None, [", ".join(items[:-1]), items[-1]]))
