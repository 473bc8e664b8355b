"""What a worker has at hand: models, samples, and the answers that are stored."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import weights_keras
from dashboards.service.requests import ModelEntry, Request, Upload, stored_names
from dashboards.service.serialization import unpack
from dashboards.service.store import read_answer
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.errors import InputError, ModelError, SettingError
from xai_tf.evaluation.nearest import FeatureIndex
from xai_tf.inputs.sample import Sample, file_sha256

MODELS_KEPT = 4
SAMPLES_KEPT = 128
MAX_WINDOWS = 120  # of a recording; each is 0.7 MB at hand, and 0.15 MB of the answer


class Teller(Protocol):
    """Takes reports of how far the work is; raises where it shall stop."""

    def progress(self, done: int, total: int, what: str = "") -> None: ...

    def partial(self, attribution: np.ndarray) -> None: ...


class WorkerContext:
    """What a worker has at hand.

    Attributes:
        classifiers: the last it used, by entry.
        feature_indexes: features of training files, for `similar`.
        store: the folder of the answers that there are, to read.
        scratch: a folder to write in.
        progress, partial: tell how far the work is.
    """

    def __init__(self, store: Path, scratch: Path, teller: Teller) -> None:
        self.classifiers: OrderedDict[ModelEntry, Classifier] = OrderedDict()
        self.store, self.scratch = store, scratch
        self.progress, self.partial = teller.progress, teller.partial
        self.feature_indexes: OrderedDict[tuple, FeatureIndex] = OrderedDict()
        self._samples: OrderedDict[tuple, list[Sample]] = OrderedDict()

    def classifier(self, entry: ModelEntry) -> Classifier:
        """The classifier of an entry, loaded if it is not at hand.

        Raises:
            ModelError: it cannot be loaded, or its file is another than the server found.
        """
        if entry not in self.classifiers:
            while len(self.classifiers) >= MODELS_KEPT:
                self.classifiers.popitem(last=False)
            self.classifiers[entry] = _load(entry)
        self.classifiers.move_to_end(entry)
        return self.classifiers[entry]

    def samples(self, classifier: Classifier, file: Upload) -> list[Sample]:
        """The windows of a file, read if they are not at hand.

        Raises:
            InputError: it cannot be read, holds something else by now, or lasts too long.
        """
        asked = (classifier.task and classifier.task.name, classifier.image_size, file.sha256)
        if asked not in self._samples:
            found = classifier.windows(file.path)
            if found[0].sha256 != file.sha256:
                raise InputError(f"{file.path} has changed since it was given. Give it again.")
            if len(found) > MAX_WINDOWS:
                raise InputError(
                    f"{file.path} has {len(found)} windows; this page takes {MAX_WINDOWS} (about "
                    "two minutes). Give a shorter piece, or use `xai-tf explain`: it takes an hour."
                )
            self._samples[asked] = found
        self._samples.move_to_end(asked)
        while len(self._samples) > 1 and sum(map(len, self._samples.values())) > SAMPLES_KEPT:
            self._samples.popitem(last=False)
        return self._samples[asked]

    def sample(self, classifier: Classifier, file: Upload, window: int) -> Sample:
        """One window of a file.

        Raises:
            SettingError: it has no such window.
        """
        samples = self.samples(classifier, file)
        if not 0 <= window < len(samples):
            raise SettingError(
                f"{file.path} has no window {window}. Take one from 0 to {len(samples) - 1}."
            )
        return samples[window]

    def known(self, request: Request, to_go_on: bool = False) -> Any:
        """The answer that is stored, or None; with its state, where it is to be gone on from."""
        found = (read_answer(self.store, name) for name in stored_names(request))
        data = next(filter(None, found), None)
        return unpack(data, request, to_go_on=to_go_on) if data else None


def _load(entry: ModelEntry) -> Classifier:
    ours = entry.path.parent == weights_keras.FOLDER  # then the card's hash is checked, too
    try:
        changed = file_sha256(entry.path) != entry.sha256
    except OSError as error:
        raise ModelError(
            f"{entry.path} cannot be read ({error.strerror}). Put it back, or start the server "
            "again without it."
        ) from error
    if changed:
        raise ModelError(
            f"{entry.path} has changed since the server started. Start the server again."
        )
    classifier = load(entry.path.stem if ours else entry.path)
    classifier.name = entry.name
    return classifier
