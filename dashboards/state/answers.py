"""The answer of a model in words."""

from __future__ import annotations

from dashboards.language import number, t
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.prediction import Prediction


def answer_summary(prediction: Prediction) -> str:
    """The findings with their probabilities: "Mass (81.0%), Edema (62.5%)"."""
    if not prediction.findings:
        return t("no finding; closest: {name}", name=_named(prediction, prediction.label))
    return ", ".join(_named(prediction, label) for label in prediction.findings)


def _named(prediction: Prediction, label: int) -> str:
    probability = number(prediction.probabilities[label], ".1%")
    return f"{readable(prediction.classes[label])} ({probability})"
