"""The prediction for a whole file: its windows, the prediction for each, and their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import (
    EXPLAINED_ANYWAY,
    OOD_CAPTION,
    OODScore,
    file_ood_score,
    predict_with_ood_scores,
)
from xai_tf.classifiers.prediction import Prediction
from xai_tf.inputs.sample import Sample


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """A file, read and predicted.

    Attributes:
        source: the file.
        samples: its windows; one, unless it is a long recording.
        predictions: the prediction for each window.
        prediction: the prediction for the file, from the mean of the windows' logits.
        ood_score: how far the file lies from the training data, the median of its windows; None
            where the model has no OOD detector.
        ood_problem: why the OOD detector of the model cannot be used; else empty.
        model_warnings: what a person should know about how the model is used, one sentence each.
        guesses: what is not known of the model, see `Classifier.guesses`.
    """

    source: Path
    samples: tuple[Sample, ...]
    predictions: tuple[Prediction, ...]
    prediction: Prediction
    ood_score: OODScore | None = None
    ood_problem: str = ""
    model_warnings: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()

    @property
    def ood_warning(self) -> str:
        """Why the file may be out of distribution, or is not checked for it; else empty."""
        return self.ood_score.reason if self.ood_score else self.ood_problem

    @property
    def ood_warning_explained(self) -> str:
        """The OOD warning beside an explanation, which was made anyway."""
        return (
            f"{self.ood_warning} {EXPLAINED_ANYWAY['en']}"
            if self.ood_caption
            else (self.ood_warning)
        )

    @property
    def ood_caption(self) -> str:
        """The text for pictures of maps of a file that is out of distribution; else empty."""
        out_of_distribution = self.ood_score is not None and self.ood_score.out_of_distribution
        return OOD_CAPTION if out_of_distribution else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know about the file, one sentence each."""
        return (*self._without_ood(), *filter(None, [self.ood_warning]))

    @property
    def explanation_warnings(self) -> tuple[str, ...]:
        """The warnings beside an explanation of the file."""
        return (*self._without_ood(), *filter(None, [self.ood_warning_explained]))

    def _without_ood(self) -> tuple[str, ...]:
        of_samples = dict.fromkeys(text for sample in self.samples for text in sample.warnings)
        return (*self.model_warnings, *of_samples)

    def most_decisive(self, target: np.ndarray, count: int) -> list[int]:
        """The numbers of the windows with the highest score for a target, in the order of time.

        Args:
            target: the weights of the logits, from `Classifier.target`.
            count: the number of windows at most; 0 for all.
        """
        scores = np.array([prediction.logits @ target for prediction in self.predictions])
        return sorted(np.argsort(-scores, kind="stable")[: count or len(scores)].tolist())

    def most_confident(self, label: int | None = None) -> int:
        """The number of the window with the highest probability of a class.

        Args:
            label: index of the class; that of the answer for the whole file if left out.
        """
        wanted = self.prediction.label if label is None else label
        return int(np.argmax([one.probabilities[wanted] for one in self.predictions]))


def read_and_predict(classifier: Classifier, path: str | Path, label: int | None = None) -> Reading:
    """Read a file, predict all its windows, and average their logits.

    >>> import xai_tf
    >>> file = Path(xai_tf.__file__).parent / "samples" / "brain_head_notumor.png"
    >>> reading = read_and_predict(xai_tf.load("brain_cnn"), file)
    >>> reading.prediction.name
    'notumor'

    Args:
        classifier: the classifier.
        path: the file.
        label: index of its true class, where it is known.

    Raises:
        InputError: the file cannot be read.
    """
    samples = classifier.windows(path)
    if label is not None:
        samples = [replace(sample, label=label) for sample in samples]
    predictions, scores = predict_with_ood_scores(classifier, samples)
    return combine_windows(classifier, path, samples, predictions, scores)


def combine_windows(
    classifier: Classifier,
    path: str | Path,
    samples: Sequence[Sample],
    predictions: Sequence[Prediction],
    scores: Sequence[OODScore] | None,
) -> Reading:
    """The reading of a file from the predictions and the OOD scores of its windows.

    The logits of the file are the mean over its windows, its distance is their median.
    """
    mean = np.mean([prediction.logits for prediction in predictions], axis=0)
    whole = classifier.prediction(mean) if len(samples) > 1 else predictions[0]
    return Reading(
        source=Path(path),
        samples=tuple(samples),
        predictions=tuple(predictions),
        prediction=whole,
        ood_score=file_ood_score(scores),
        ood_problem=classifier.ood_problem,
        model_warnings=classifier.warnings,
        guesses=classifier.guesses,
    )
