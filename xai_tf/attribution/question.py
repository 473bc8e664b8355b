"""What is asked about a prediction: one record for the library, the command, the page and links."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import Any

from xai_tf.attribution.convergence import DEFAULT_STABILITY, LIMIT_FACTOR
from xai_tf.attribution.methods import (
    DEFAULT_METHOD,
    METHODS,
    Method,
    Settings,
    Value,
    working_methods,
)
from xai_tf.classifiers.access import LACKS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.errors import ModelError, SettingError, pick

SAMPLES = "num_samples"  # the setting of all methods that draw samples


@dataclass(frozen=True)
class Question:
    """Why does a classifier predict what it predicts? Everything but the model and the sample.

    A question is hashable, and equal questions have the same answer.

    Attributes:
        method: a name in `METHODS`.
        target: the class to explain, by name or index; None is the predicted one.
        contrast: a second class ("why the target and not this one?"), by name or index, or None.
            Where it is the predicted class and there is no target, the runner-up is explained.
        layer: the feature layer that Grad-CAM, Grad-CAM++ and FEM look at; None is the last one.
        seed: random seed of a stochastic method.
        settings: (name, value) pairs that differ from the method's defaults, sorted by name. Any
            mapping may be given.
        until_stable: for a method that samples, the stability (0 to 1, see
            `xai_tf.attribution.convergence`) at which it stops; `num_samples` is the limit then.
    """

    method: str = DEFAULT_METHOD
    _: KW_ONLY
    target: str | int | None = None
    contrast: str | int | None = None
    layer: str | None = None
    seed: int = 0
    settings: Settings | Iterable[tuple[str, Value]] = ()
    until_stable: float | None = None

    def __post_init__(self) -> None:
        pairs = dict(self.settings).items()
        object.__setattr__(self, "settings", tuple(sorted(pairs)))

    @property
    def entry(self) -> Method:
        """The method's entry in `METHODS`.

        Raises:
            UnknownNameError: there is none.
        """
        return pick(METHODS, self.method, "method")

    @property
    def given(self) -> dict[str, Value]:
        """The settings as a dict."""
        return dict(self.settings)

    @property
    def labels(self) -> tuple[int, int | None]:
        """The indices of target and contrast of a question that is `resolved`.

        Raises:
            TypeError: it is not resolved.
        """
        target, contrast = self.target, self.contrast
        if not isinstance(target, int) or isinstance(contrast, str):
            raise TypeError(f"The question is not resolved: {self}.")
        return target, contrast

    def validated(self, classifier: Classifier) -> Question:
        """The same question with every name and number checked, classes as indices.

        Raises:
            UnknownNameError: no such method, class, layer or setting.
            SettingError: a setting out of its range, a layer for a method that looks at none,
                `until_stable` for a method that draws no samples, a class contrasted with itself.
            ModelError: the model does not give what the method needs, such as feature maps.
        """
        entry = self.entry
        check_access(entry, classifier)
        if self.layer and not entry.needs_layer:
            raise SettingError(f"{entry.title} does not use a layer. Omit the layer.")
        if entry.needs_layer:
            classifier.feature_layer(self.layer)
        if self.until_stable is not None:
            sample_limit(entry, self.until_stable)
        checked = entry.settings(self.given, classifier.baseline)
        target, contrast = (
            None if name is None else classifier.label(name)
            for name in (self.target, self.contrast)
        )
        check_contrast(classifier, target, contrast)
        settings = {name: checked[name] for name in self.given}
        return replace(self, target=target, contrast=contrast, settings=settings)

    def resolved(self, classifier: Classifier, prediction: Prediction) -> Question:
        """The question as it is answered: the target, the layer and all settings filled in.

        Raises:
            XaiTfError: as `validated`.
        """
        question = self.validated(classifier)
        entry = question.entry
        target, _ = resolve_classes(classifier, prediction, question.target, question.contrast)
        limit: dict[str, Value] = (
            {}
            if question.until_stable is None
            else {SAMPLES: sample_limit(entry, question.until_stable)}
        )
        return replace(
            question,
            target=target,
            layer=classifier.feature_layer(question.layer) if entry.needs_layer else None,
            seed=question.seed if entry.stochastic else 0,
            settings=entry.settings(limit | question.given, classifier.baseline),
        )

    def goes_on_from(self, earlier: Question) -> bool:
        """Whether its draws begin with all those of an earlier question; both are resolved.

        That is the same question with fewer samples, of the same method or of another that is a
        statistic of the same draws.
        """
        entry = self.entry
        if not entry.stochastic or self.until_stable is not None:
            return False
        same = earlier.method == self.method or ("" != entry.draws == earlier.entry.draws)
        if not same or (earlier.labels, earlier.seed) != (self.labels, self.seed):
            return False
        wanted, there = self.given, earlier.given
        return int(wanted.pop(SAMPLES)) >= int(there.pop(SAMPLES)) and wanted == there

    def to_dict(self) -> dict[str, Any]:
        """The question as plain data, for JSON."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain | {"settings": self.given}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Question:
        """A question from `to_dict`; names that are unknown here are ignored."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in plain.items() if name in names})

    def key(self) -> str:
        """The SHA-256 that names the question, in hex."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def in_order_of_draws(questions: Sequence[Question]) -> list[int]:
    """The places of questions in the order to answer them: few draws before more of the same."""

    def shared(place: int) -> int:
        entry = questions[place].entry
        return int(entry.settings(questions[place].given, 0.0)[SAMPLES]) if entry.draws else 0

    return sorted(range(len(questions)), key=shared)


def resolve_classes(
    classifier: Classifier,
    prediction: Prediction,
    target: str | int | None = None,
    contrast: str | int | None = None,
) -> tuple[int, int | None]:
    """The indices of the class to explain and of the one it is contrasted with.

    Without a target it is the predicted class; where that is the contrast, the runner-up.

    Raises:
        UnknownNameError: there is no such class.
        SettingError: a class is contrasted with itself.
    """
    other = None if contrast is None else classifier.label(contrast)
    if target is None:
        return next(label for label in prediction.ranked if label != other), other
    label = classifier.label(target)
    check_contrast(classifier, label, other)
    return label, other


def check_access(method: Method, classifier: Classifier) -> None:
    """Raise a ModelError, which names the methods that work, where a model gives too little."""
    if method.works_with(classifier.access):
        return
    raise ModelError(
        f"{method.title} needs {method.needs}, but {classifier.name!r} {LACKS[method.needs]}. "
        f"Choose from: {', '.join(working_methods(classifier.access))}."
    )


def check_contrast(classifier: Classifier, target: int | None, contrast: int | None) -> None:
    """Raise a SettingError where a class is contrasted with itself."""
    if target is not None and target == contrast:
        raise SettingError(
            f"{classifier.classes[target]!r} cannot be contrasted with itself. "
            "Choose another class as contrast."
        )


def sample_limit(method: Method, until_stable: float) -> int:
    """How many samples a run until stable takes at most, unless told otherwise.

    Raises:
        SettingError: the method draws no samples, or the stability is not between 0 and 1.
    """
    if not method.stochastic:
        able = ", ".join(name for name, one in METHODS.items() if one.stochastic)
        raise SettingError(
            f"{method.title} draws no samples, so its map does not depend on chance. Omit 'until "
            f"stable', or choose one of {able}."
        )
    if not 0 < until_stable < 1:
        raise SettingError(
            f"Invalid value for 'until stable': {until_stable:g}. Expected a number between 0 and "
            f"1, such as {DEFAULT_STABILITY:g}."
        )
    option = method.options[SAMPLES]
    return int(min(option.high, LIMIT_FACTOR * (option.default or 0)))
