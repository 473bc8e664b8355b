"""Is this a file for the model at all? How far it lies from what the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from weights_keras import Measure
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood_detector import OODDetector, by_file, fit_detector
from xai_tf.classifiers.prediction import Prediction
from xai_tf.errors import ModelError
from xai_tf.inputs.augmentation import with_storage_artifacts
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress, silent
from xai_tf.statistics import wilson
from xai_tf.tasks import TASKS

if TYPE_CHECKING:
    from xai_tf.datasets.dataset import Dataset

BATCH = 32
OUT_OF_DISTRIBUTION = (
    "out_of_distribution"  # the name of a measure: the share of files that are warned of
)
ANYTHING = {
    "en": "what the model was trained for",
    "fr": "ce pour quoi le modèle a été entraîné",
}
REASON = {
    "en": "{This} lies {ratio} times as far from the training {kind} as {share} of the validation "
    "{kind} do at most: it may not be {subject}, or not one like those the model was trained on.",
    "fr": "{This} est {ratio} fois plus loin des {kind} d'entraînement que le sont au plus "
    "{share} des {kind} de validation : ce n'est peut-être pas {subject}, ou pas du genre de "
    "l'entraînement.",
}
KINDS = {
    "en": {False: ("This picture", "pictures"), True: ("This recording", "recordings")},
    "fr": {False: ("Cette image", "images"), True: ("Cet enregistrement", "enregistrements")},
}
MARK = "explained anyway: unlike what the model was trained on"
ANYWAY = {"en": "Explained anyway.", "fr": "Expliqué malgré tout."}


@dataclass(frozen=True)
class OODScore:
    """How far a sample or a file lies from what a model was trained on.

    Attributes:
        distance: Mahalanobis distance of its features from those of the training files.
        threshold: the distance that only `share` of the validation files exceed.
        share: 0 to 1.
        task: the name of the model's task, or None.
        sound: whether it is a recording.
    """

    distance: float
    threshold: float
    share: float
    task: str | None = None
    sound: bool = False

    @property
    def out_of_distribution(self) -> bool:
        """Whether a person is warned."""
        return not self.distance <= self.threshold

    @property
    def ratio(self) -> float:
        """The distance as a multiple of the threshold."""
        return self.distance / self.threshold

    @property
    def reason(self) -> str:
        """Why a person is warned, in one English sentence; empty where they are not."""
        return self.reason_in("en")

    def reason_in(self, language: str) -> str:
        """The reason in "en" or "fr"."""
        return REASON[language].format(**self.words(language)) if self.out_of_distribution else ""

    def words(self, language: str) -> dict[str, str]:
        """What the sentence is filled in with."""
        subject = (TASKS[self.task].subject if self.task in TASKS else None) or ANYTHING
        this, kind = KINDS[language][self.sound]
        ratio = f"{self.times:.{self.decimals}f}"
        share = f"{1 - self.share:.0%}"
        if language == "fr":
            ratio, share = ratio.replace(".", ","), share.replace("%", "\N{NO-BREAK SPACE}%")
        words = {"This": this, "kind": kind, "subject": subject[language]}
        return {**words, "ratio": ratio, "share": share}

    @property
    def times(self) -> float:
        """The ratio as it is told, rounded to `decimals`: what is beyond 1 never reads as 1."""
        return max(round(self.ratio, self.decimals), 1.01)

    @property
    def decimals(self) -> int:
        """Of the ratio as it is told."""
        return 2 if self.ratio < 1.1 else 1 if self.ratio < 10 else 0


def check(classifier: Classifier, samples: Sequence[Sample]) -> list[OODScore] | None:
    """How far each sample lies from the training files; None where the model has no gate.

    Costs one forward pass; `predict_and_check` gives the predictions of that pass, too.

    Raises:
        InputError: a sample has not the size the classifier takes.
    """
    return predict_and_check(classifier, samples)[1]


def predict_and_check(
    classifier: Classifier, samples: Sequence[Sample]
) -> tuple[list[Prediction], list[OODScore] | None]:
    """Predict samples, and in the same pass see how far each lies from the training files."""
    ood_detector = classifier.ood_detector
    if ood_detector is None:
        return classifier.predict(samples), None
    predictions, means = classifier.predict_with_means(samples, ood_detector.layer)
    task = classifier.task.name if classifier.task else None
    return predictions, [
        OODScore(
            float(distance), ood_detector.threshold, ood_detector.share, task, _is_recording(sample)
        )
        for distance, sample in zip(ood_detector.distances(means), samples, strict=True)
    ]


def _is_recording(sample: Sample) -> bool:
    return sample.sound is not None and not sample.sound.rebuilt


def of_file(found: Sequence[OODScore] | None) -> OODScore | None:
    """The familiarity of a file, from its windows': the median of their distances.

    So a recording is unfamiliar when half of it is: a second of music or of silence is no reason
    to doubt the whole. The threshold was set on files in the same way.
    """
    if not found:
        return None
    return replace(found[0], distance=float(np.median([one.distance for one in found])))


def ood_layer(classifier: Classifier) -> str:
    """The layer a gate looks at: the last of the second coarsest resolution.

    Raises:
        ModelError: the model has no feature map.
    """
    resolution_layers = classifier.resolution_layers or classifier.feature_layers
    if not resolution_layers:
        raise ModelError(
            f"{classifier.name!r} has no convolutional feature map, so its inputs cannot be "
            "checked. Use it without a gate."
        )
    return resolution_layers[-2:][0]


def fit_ood_detector(
    classifier: Classifier,
    train: Dataset,
    validation: Dataset,
    progress: Progress = silent,
) -> OODDetector:
    """Make the gate of a classifier, of what it was trained on and what chose it.

    Of each training picture a copy that is stored otherwise counts as well: else a picture that
    was compressed once more is as unfamiliar as one of something else. Takes two forward passes a
    training picture, and one a validation picture.

    Args:
        classifier: as it is used.
        train, validation: the very files of its training.
        progress: called with (images done, images in all, what is done now).

    Raises:
        ModelError: the model has no feature map.
    """
    layer = ood_layer(classifier)
    rng = np.random.default_rng(0)
    copies = np.stack([with_storage_artifacts(image, rng) for image in train.images])
    seen, again, held_out = (
        means_of(classifier, layer, images, progress)
        for images in (train.images, copies, validation.images)
    )
    return fit_detector(layer, np.concatenate([seen, again]), held_out, validation.files)


def means_of(
    classifier: Classifier,
    layer: str,
    images: np.ndarray,
    progress: Progress = silent,
) -> np.ndarray:
    """A layer's map averaged over its places, of uint8 images: float32, (images, channels)."""
    run, parts = classifier.logits_and_means(layer), []
    for start in range(0, len(images), BATCH):
        progress(start, len(images), "computing features")
        batch = images[start : start + BATCH].astype(np.float32) / 255
        parts.append(run(batch)[1].numpy())
    return np.concatenate(parts)


def measure_ood_detector(
    classifier: Classifier, ood_detector: OODDetector, data: Dataset, split: str
) -> Measure:
    """The share of a set's files that a gate warns of, with Wilson's interval, for the card."""
    distances = ood_detector.distances(means_of(classifier, ood_detector.layer, data.images))
    return ood_share(by_file(distances, data.files), ood_detector, split)


def ood_share(distances: np.ndarray, ood_detector: OODDetector, split: str) -> Measure:
    """The share of distances beyond the threshold, as a measure."""
    part, count = int((distances > ood_detector.threshold).sum()), len(distances)
    values = (part / count, *wilson(part, count))
    return Measure(OUT_OF_DISTRIBUTION, split, *(round(float(value), 4) for value in values), count)
