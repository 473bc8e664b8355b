"""Out-of-distribution scores: how far a sample or a file lies from the training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from weights_keras import Measure
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood_detector import OODDetector, file_medians, fit_detector
from xai_tf.classifiers.prediction import Prediction
from xai_tf.errors import ModelError
from xai_tf.inputs.augmentation import with_storage_artifacts
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress, silent
from xai_tf.statistics import wilson
from xai_tf.tasks import known_task

if TYPE_CHECKING:
    from xai_tf.datasets.dataset import Dataset

BATCH = 32
OUT_OF_DISTRIBUTION = "out_of_distribution"  # the measure in a card: the share of flagged files
# The subject where the task has none, by language.
DEFAULT_SUBJECT = {
    "en": "what the model was trained for",
    "fr": "ce pour quoi le modèle a été entraîné",
}
REASON = {
    "en": "{This} is unlike the training {kind}: its distance from them is {ratio} times that "
    "within which {share} of the validation {kind} lie, so it may not be {subject}, or "
    "not one like those the model was trained on.",
    "fr": "{This} ne ressemble pas aux {kind} d'entraînement : sa distance vaut {ratio} fois celle "
    "que {share} des {kind} de validation ne dépassent pas ; ce n'est peut-être pas {subject}, ou "
    "pas du type vu à l'entraînement.",
}
KINDS = {
    "en": {False: ("This picture", "pictures"), True: ("This recording", "recordings")},
    "fr": {False: ("Cette image", "images"), True: ("Cet enregistrement", "enregistrements")},
}
# In a picture of a map, and after a warning beside an explanation.
OOD_CAPTION = "explained anyway: unlike the training data"
EXPLAINED_ANYWAY = {"en": "Explained anyway.", "fr": "Expliqué malgré tout."}


@dataclass(frozen=True)
class OODScore:
    """How far a sample or a file lies from the training data of a model.

    Attributes:
        distance: Mahalanobis distance of its features from those of the training files.
        threshold: the distance that at most `share` of the validation files exceed.
        share: that share, 0 to 1.
        task: the key of the model's task, or None.
        sound: whether it is a recording.
    """

    distance: float
    threshold: float
    share: float
    task: str | None = None
    sound: bool = False

    @property
    def out_of_distribution(self) -> bool:
        """Whether the distance is above the threshold, so that a person is warned."""
        return not self.distance <= self.threshold

    @property
    def ratio(self) -> float:
        """The distance as a multiple of the threshold."""
        return self.distance / self.threshold

    @property
    def reason(self) -> str:
        """The warning, one English sentence; empty where it is in distribution."""
        return self.reason_in("en")

    def reason_in(self, language: str) -> str:
        """The warning in "en" or "fr"."""
        if not self.out_of_distribution:
            return ""
        return REASON[language].format(**self.placeholders(language))

    def placeholders(self, language: str) -> dict[str, str]:
        """The values of the placeholders in the warning."""
        task = known_task(self.task)
        subject = {**DEFAULT_SUBJECT, **(task.subject if task else {})}
        this, kind = KINDS[language][self.sound]
        ratio = f"{self.rounded_ratio:.{self.ratio_decimals}f}"
        share = f"{1 - self.share:.0%}"
        if language == "fr":
            ratio, share = ratio.replace(".", ","), share.replace("%", "\N{NO-BREAK SPACE}%")
        names = {"This": this, "kind": kind, "subject": subject[language]}
        return {**names, "ratio": ratio, "share": share}

    @property
    def rounded_ratio(self) -> float:
        """The ratio in the warning, rounded to `ratio_decimals` and never as low as 1."""
        return max(round(self.ratio, self.ratio_decimals), 1.01)

    @property
    def ratio_decimals(self) -> int:
        """The number of decimals of the ratio in the warning."""
        return 2 if self.ratio < 1.1 else 1 if self.ratio < 10 else 0


def ood_scores(classifier: Classifier, samples: Sequence[Sample]) -> list[OODScore] | None:
    """The OOD score of each sample; None where the model has no OOD detector.

    Costs one forward pass; `predict_with_ood_scores` returns the predictions of that pass, too.

    Raises:
        InputError: a sample does not have the input size of the classifier.
    """
    return predict_with_ood_scores(classifier, samples)[1]


def predict_with_ood_scores(
    classifier: Classifier, samples: Sequence[Sample]
) -> tuple[list[Prediction], list[OODScore] | None]:
    """Predict samples, and compute their OOD scores in the same pass.

    Returns:
        The predictions, and the scores; None instead of them where the model has no OOD detector.

    Raises:
        InputError: a sample does not have the input size of the classifier.
    """
    ood_detector = classifier.ood_detector
    if ood_detector is None:
        return classifier.predict(samples), None
    predictions, means = classifier.predict_with_means(samples, ood_detector.layer)
    task = classifier.task.key if classifier.task else None
    return predictions, [
        OODScore(
            float(distance), ood_detector.threshold, ood_detector.share, task, _is_recording(sample)
        )
        for distance, sample in zip(ood_detector.distances(means), samples, strict=True)
    ]


def _is_recording(sample: Sample) -> bool:
    return sample.sound is not None and not sample.sound.rebuilt


def file_ood_score(scores: Sequence[OODScore] | None) -> OODScore | None:
    """The OOD score of a file from those of its windows: the median of their distances.

    So a recording is out of distribution when half of it is; a second of music or of silence does
    not flag the whole. The threshold was set on files in the same way.
    """
    if not scores:
        return None
    return replace(scores[0], distance=float(np.median([score.distance for score in scores])))


def ood_layer(classifier: Classifier) -> str:
    """The layer an OOD detector uses: the last one of the second coarsest resolution.

    Raises:
        ModelError: the model has no feature map.
    """
    resolution_layers = classifier.resolution_layers or classifier.feature_layers
    if not resolution_layers:
        raise ModelError(
            f"Cannot fit an OOD detector: {classifier.name!r} has no convolutional feature map. "
            "Use the model without one."
        )
    return resolution_layers[-2:][0]


def fit_ood_detector(
    classifier: Classifier,
    train: Dataset,
    validation: Dataset,
    progress: Progress = silent,
) -> OODDetector:
    """Fit the OOD detector of a classifier to its training data.

    Each training picture counts twice, the second time with storage artifacts: otherwise a picture
    that was compressed once more would lie as far away as one of something else. Takes two forward
    passes per training picture, and one per validation picture.

    Args:
        classifier: the trained classifier.
        train: the pictures it was trained on.
        validation: the pictures its epoch was chosen by; they set the threshold.
        progress: called with (images done, images in all, what is done now).

    Raises:
        ModelError: the model has no feature map.
    """
    layer = ood_layer(classifier)
    rng = np.random.default_rng(0)
    copies = np.stack([with_storage_artifacts(image, rng) for image in train.images])
    originals, copied, held_out = (
        layer_features(classifier, layer, images, progress)
        for images in (train.images, copies, validation.images)
    )
    return fit_detector(layer, np.concatenate([originals, copied]), held_out, validation.files)


def layer_features(
    classifier: Classifier,
    layer: str,
    images: np.ndarray,
    progress: Progress = silent,
) -> np.ndarray:
    """The spatial means of a layer's feature maps: float32 array of shape (images, channels).

    Args:
        classifier: the classifier the layer is in.
        layer: its name.
        images: uint8 array of shape (images, height, width, 3).
        progress: called with (images done, images in all, what is done now).
    """
    run, batches = classifier.logits_and_means(layer), []
    for start in range(0, len(images), BATCH):
        progress(start, len(images), "computing features")
        batch = images[start : start + BATCH].astype(np.float32) / 255
        batches.append(run(batch)[1].numpy())
    return np.concatenate(batches)


def measure_ood_detector(
    classifier: Classifier, ood_detector: OODDetector, data: Dataset, split: str
) -> Measure:
    """The share of files that an OOD detector flags, as a measure for the card."""
    return ood_share(file_distances(classifier, ood_detector, data), ood_detector, split)


def file_distances(classifier: Classifier, ood_detector: OODDetector, data: Dataset) -> np.ndarray:
    """The distance of each file of a data set: float64 array of shape (files,). One pass a row."""
    distances = ood_detector.distances(layer_features(classifier, ood_detector.layer, data.images))
    return file_medians(distances, data.files)


def ood_share(distances: np.ndarray, ood_detector: OODDetector, split: str) -> Measure:
    """The share of file distances above the threshold, with its Wilson interval, as a measure."""
    flagged, count = int((distances > ood_detector.threshold).sum()), len(distances)
    low, high = wilson(flagged, count)
    value, low, high = (round(float(number), 4) for number in (flagged / count, low, high))
    return Measure(
        name=OUT_OF_DISTRIBUTION, split=split, value=value, low=low, high=high, count=count
    )
