"""A file as a whole: its windows, what is said of each, and of all together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import ANYWAY, MARK, OODScore, of_file, predict_and_check
from xai_tf.classifiers.prediction import Prediction
from xai_tf.inputs.sample import Sample


@dataclass(frozen=True, eq=False)
class Reading:
    """A file, read and predicted.

    Attributes:
        source: the file.
        samples: its windows; one, unless it is a long recording.
        predictions: what the classifier says of each.
        prediction: of the whole: the mean of the windows' logits.
        ood_score: how far the file lies from what the model was trained on, the median of its
            windows; None where that is not checked.
        unchecked: why it could not be checked, where the model brings what it takes; else empty.
    """

    source: Path
    samples: tuple[Sample, ...]
    predictions: tuple[Prediction, ...]
    prediction: Prediction
    ood_score: OODScore | None = None
    unchecked: str = ""

    @property
    def doubt(self) -> str:
        """Why it may be no file for the model, or is not known to be one; empty where it is."""
        return self.ood_score.reason if self.ood_score else self.unchecked

    @property
    def doubt_explained(self) -> str:
        """The doubt beside an explanation that was made in spite of it."""
        return f"{self.doubt} {ANYWAY['en']}" if self.mark else self.doubt

    @property
    def mark(self) -> str:
        """What is written into pictures of maps that were made in spite of a doubt."""
        out_of_distribution = self.ood_score is not None and self.ood_score.out_of_distribution
        return MARK if out_of_distribution else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the file, a sentence each."""
        return (*self._of_samples(), *filter(None, [self.doubt]))

    @property
    def warnings_explained(self) -> tuple[str, ...]:
        """The same beside an explanation."""
        return (*self._of_samples(), *filter(None, [self.doubt_explained]))

    def _of_samples(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(text for one in self.samples for text in one.warnings))

    def most_decisive(self, target: np.ndarray, count: int) -> list[int]:
        """The numbers of the windows that speak most for a target, in the order of time.

        Args:
            target: the weights of the logits, from `classifier.target`.
            count: how many at most; 0 for all.
        """
        scores = np.array([prediction.logits @ target for prediction in self.predictions])
        return sorted(np.argsort(-scores, kind="stable")[: count or len(scores)].tolist())


def read_and_predict(classifier: Classifier, path: str | Path, label: int | None = None) -> Reading:
    """Read a file, predict every window, and average; `label` is its true class, where known.

    Raises:
        InputError: the file cannot be read.
    """
    samples = classifier.windows(path)
    if label is not None:
        samples = [replace(sample, label=label) for sample in samples]
    predictions, found = predict_and_check(classifier, samples)
    mean = np.mean([prediction.logits for prediction in predictions], axis=0)
    whole = classifier.prediction(mean) if len(samples) > 1 else predictions[0]
    return Reading(
        Path(path),
        tuple(samples),
        tuple(predictions),
        whole,
        of_file(found),
        classifier.ood_problem,
    )
