"""The OOD detector of a model that is trained already: fitted, measured, and stored beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import weights_keras
from weights_keras import Measure
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import card_beside
from xai_tf.classifiers.ood import file_distances, fit_ood_detector, ood_share
from xai_tf.classifiers.ood_detector import OODDetector
from xai_tf.datasets.dataset import Splits
from xai_tf.datasets.layouts import readable_files
from xai_tf.datasets.listing import DataOptions
from xai_tf.datasets.reading import read_splits
from xai_tf.errors import InputError, OutputError, SettingError
from xai_tf.evaluation.unwarned import UNWARNED
from xai_tf.files import check_free
from xai_tf.inputs.task import Task
from xai_tf.progress import Progress, silent
from xai_tf.training.publish import measure_unwarned, with_ood_detector
from xai_tf.training.train import predict_files

Notify = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class OODSettings:
    """What an OOD detector is fitted to and measured on.

    Attributes:
        source: the labeled files that the model was trained on: a folder or a CSV file.
        data: how they are found, split and read, as for the training.
        seed: that of the training, so that the splits are the same.
        others: folders of out-of-distribution files to measure on, by name.
        overwrite: whether the detector that the model has may be replaced.
    """

    source: Path
    data: DataOptions = field(default_factory=DataOptions)
    seed: int = 0
    others: Mapping[str, Path] = field(default_factory=dict)
    overwrite: bool = False


@dataclass(frozen=True, eq=False)
class StoredDetector:
    """An OOD detector that was fitted and stored.

    Attributes:
        file: where it is.
        detector: the detector.
        measures: the share of files that it warns about, of each set; and of the test set the share
            that is wrong with p > 0.9 and not warned of.
    """

    file: Path
    detector: OODDetector
    measures: tuple[Measure, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "ood_detector": str(self.file),
            "layer": self.detector.layer,
            "threshold": self.detector.threshold,
            "trained": self.detector.trained,
            "validated": self.detector.validated,
            "measures": [vars(measure) for measure in self.measures],
        }


def fit_and_store(
    classifier: Classifier,
    model: Path,
    settings: OODSettings,
    progress: Progress = silent,
    notify: Notify = lambda text: None,
) -> StoredDetector:
    """Fit the OOD detector of a model to its training data, and store it beside the model.

    The card of the model, if there is one, is updated.

    Args:
        classifier: the model, as it is used; its task says how files are read.
        model: the file that it was loaded from.
        settings: what the detector is fitted to and measured on.
        progress: called with (steps done, steps in all, what runs now) of each stage.
        notify: called with each remark, such as a file that cannot be read.

    Raises:
        SettingError: the model has no task.
        InputError: the files cannot be read, or their classes are not those of the model.
        OutputError: the detector would replace another one or cannot be written, or the model is
            one of the package's.
    """
    if model.parent == weights_keras.FOLDER:
        raise OutputError(
            f"{classifier.name!r} comes with the package, which is never changed. Copy {model} and "
            f"its card to {weights_keras.own_folder()}, and give the copy under a name of its own."
        )
    if classifier.ood_detector:  # a damaged one, or that of another model, is no loss
        check_free(weights_keras.ood_file(model), settings.overwrite, "keep it")
    task = classifier.task
    if task is None:
        raise SettingError(f"The task of {classifier.name!r} is unknown. Give --task.")
    others = {name: _files(folder, classifier, task) for name, folder in settings.others.items()}
    splits = read_splits(
        settings.source, task, classifier.image_size, settings.seed, progress, settings.data
    )
    _check_classes(classifier, splits, settings.source)
    detector = fit_ood_detector(classifier, splits.train, splits.validation, progress)
    distances = file_distances(classifier, detector, splits.test)
    flagged = distances > detector.threshold
    said = predict_files(classifier.model, splits.test)
    measures = [
        ood_share(distances, detector, "test"),
        measure_unwarned(classifier, said, splits.test, "test", flagged),
    ]
    for name, paths in others.items():
        distances = _distances(classifier, detector, name, paths, progress, notify)
        if len(distances):
            measures.append(ood_share(distances, detector, name))
        else:
            notify(f"Cannot read any file of {name}, so it is not measured.")
    return StoredDetector(_store(classifier, model, detector, measures), detector, tuple(measures))


def _files(folder: Path, classifier: Classifier, task: Task) -> list[Path]:
    """The files of a further set; looked for before the work, which would else be lost."""
    paths = readable_files(folder, task.suffixes)
    if not paths:
        raise InputError(
            f"{folder} contains no file that {classifier.name!r} can read "
            f"({', '.join(task.suffixes)}). "
            "Give another folder."
        )
    return paths


def _check_classes(classifier: Classifier, splits: Splits, source: Path) -> None:
    if classifier.card and splits.train.classes != classifier.classes:
        raise InputError(
            f"{source} has the classes {', '.join(splits.train.classes)}, but {classifier.name!r} "
            f"has {', '.join(classifier.classes)}. Give the data it was trained on."
        )


def _distances(
    classifier: Classifier,
    detector: OODDetector,
    name: str,
    paths: Sequence[Path],
    progress: Progress,
    notify: Notify,
) -> np.ndarray:
    """The distance of each file that can be read: the median of its windows'."""
    distances = []
    for number, path in enumerate(paths):
        progress(number, len(paths), name)
        try:
            samples = classifier.windows(path)
        except InputError as error:
            notify(f"Left out of {name}: {error}")
            continue
        means = classifier.predict_with_means(samples, detector.layer)[1]
        distances.append(np.median(detector.distances(means)))
    return np.array(distances)


def _store(
    classifier: Classifier, model: Path, detector: OODDetector, measures: Sequence[Measure]
) -> Path:
    """Write a detector beside its model and into the card; returns its file."""
    card, file = card_beside(model, classifier.sha256), weights_keras.ood_file(model)
    if card:
        renewed = {UNWARNED, *(measure.name for measure in measures)}
        remaining = [m for m in card.metrics if m.name not in renewed]
        card = replace(card, metrics=(*remaining, *measures))
        card = with_ood_detector(card, detector)
    try:
        weights_keras.save_ood_detector(detector.arrays(), model, card)
    except OSError as error:
        raise OutputError(
            f"Cannot write {file}: {error.strerror or error}. Free some space, or copy the model "
            "to a folder that you can write to."
        ) from error
    return file
