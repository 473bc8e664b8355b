"""A file as a whole: its windows, what is said of each, and of all together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xai_tf.classifier import Classifier
from xai_tf.prediction import Prediction
from xai_tf.sample import Sample


@dataclass(frozen=True, eq=False)
class Reading:
    """A file, read and predicted.

    Attributes:
        source: the file.
        samples: its windows; one, unless it is a long recording.
        predictions: what the classifier says of each.
        prediction: of the whole: the mean of the windows' logits.
    """

    source: Path
    samples: tuple[Sample, ...]
    predictions: tuple[Prediction, ...]
    prediction: Prediction

    def most_decisive(self, target: np.ndarray, count: int) -> list[int]:
        """The numbers of the windows that speak most for a target, in the order of time.

        Args:
            target: the weights of the logits, from `classifier.target`.
            count: how many at most; 0 for all.
        """
        scores = np.array([prediction.logits @ target for prediction in self.predictions])
        return sorted(np.argsort(-scores, kind="stable")[: count or len(scores)].tolist())


def read_and_predict(classifier: Classifier, path: str | Path) -> Reading:
    """Read a file, predict every window, and average.

    Raises:
        InputError: the file cannot be read.
    """
    samples = classifier.windows(path)
    predictions = classifier.predict(samples)
    mean = np.mean([prediction.logits for prediction in predictions], axis=0)
    whole = classifier.prediction(mean) if len(samples) > 1 else predictions[0]
    return Reading(Path(path), tuple(samples), tuple(predictions), whole)
