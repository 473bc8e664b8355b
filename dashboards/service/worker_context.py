"""The caches of a worker process: models, samples, and stored answers."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dashboards.service.catalogue import stock_name
from dashboards.service.requests import LOADING, ModelEntry, Request, Upload, stored_names
from dashboards.service.serialization import unpack
from dashboards.service.store import read_answer
from weights_keras import fingerprint
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load, load_cached
from xai_tf.errors import InputError, ModelError, SettingError
from xai_tf.evaluation.nearest import FeatureIndex
from xai_tf.inputs.sample import Sample

MODELS_KEPT = 8
SAMPLES_KEPT = 128
MAX_WINDOWS = 120  # of a recording; each takes 0.7 MB of memory and 0.15 MB of the answer


class Reporter(Protocol):
    """Reports progress; its methods raise if the request was cancelled."""

    def progress(self, done: int, total: int, what: str = "") -> None:
        """Report the number of passes done, and in all."""

    def partial(self, attribution: np.ndarray) -> None:
        """Report a preview of the map, float32 of shape (height, width)."""

    def step(self, name: str) -> None:
        """Report what is done before the first pass: `requests.LOADING`, or "" for others."""

    def check(self) -> None:
        """Report nothing."""


class WorkerContext:
    """The state of a worker process.

    Attributes:
        classifiers: the classifiers used last, by entry.
        feature_indexes: features of training files, for `find_similar`.
        store: the folder of stored answers, which is only read.
        scratch: a folder for temporary files.
        progress, partial: callbacks for the progress and for previews of the map.
        check: to be called between steps that report no progress, so that they can be cancelled.
    """

    def __init__(self, store: Path, scratch: Path, reporter: Reporter) -> None:
        self.classifiers: OrderedDict[ModelEntry, Classifier] = OrderedDict()
        self.store, self.scratch = store, scratch
        self.progress, self.partial = reporter.progress, reporter.partial
        self.check, self._step = reporter.check, reporter.step
        self.feature_indexes: OrderedDict[tuple[Any, ...], FeatureIndex] = OrderedDict()
        self._samples: OrderedDict[tuple[Any, ...], list[Sample]] = OrderedDict()

    def classifier(self, entry: ModelEntry) -> Classifier:
        """The classifier of an entry, loaded if it is not cached.

        Raises:
            ModelError: it cannot be loaded, or its file has changed since it was listed.
        """
        if entry not in self.classifiers:
            while len(self.classifiers) >= MODELS_KEPT:
                self.classifiers.popitem(last=False)
            self._step(LOADING)
            self.classifiers[entry] = _load(entry)
            self._step("")
        self.classifiers.move_to_end(entry)
        return self.classifiers[entry]

    def samples(self, classifier: Classifier, file: Upload) -> list[Sample]:
        """The windows of a file, read if they are not cached.

        Raises:
            InputError: the file cannot be read, has changed, or is too long.
        """
        key = (classifier.task and classifier.task.key, classifier.image_size, file.sha256)
        if key not in self._samples:
            samples = classifier.windows(file.path)
            if samples[0].sha256 != file.sha256:
                raise InputError(f"{file.path} has changed since it was uploaded. Upload it again.")
            if len(samples) > MAX_WINDOWS:
                raise InputError(
                    f"{file.path} has {len(samples)} windows; this page accepts at most "
                    f"{MAX_WINDOWS} (about two minutes). Upload a shorter recording, or use "
                    "`xai-tf explain`, which accepts up to an hour."
                )
            self._samples[key] = samples
        self._samples.move_to_end(key)
        while len(self._samples) > 1 and sum(map(len, self._samples.values())) > SAMPLES_KEPT:
            self._samples.popitem(last=False)
        return self._samples[key]

    def sample(self, classifier: Classifier, file: Upload, window: int) -> Sample:
        """One window of a file.

        Raises:
            SettingError: it has no such window.
        """
        samples = self.samples(classifier, file)
        if not 0 <= window < len(samples):
            raise SettingError(
                f"Invalid value for the window of {file.path}: {window}. Expected a whole number "
                f"from 0 to {len(samples) - 1}."
            )
        return samples[window]

    def known(self, request: Request, to_go_on: bool = False) -> Any:
        """The stored answer, or None; with `to_go_on` it includes the state needed to resume."""
        answers = (read_answer(self.store, name) for name in stored_names(request))
        data = next(filter(None, answers), None)
        return unpack(data, request, to_go_on=to_go_on) if data else None


def _load(entry: ModelEntry) -> Classifier:
    try:
        changed = fingerprint(entry.path) != entry.sha256
    except OSError as error:
        raise ModelError(
            f"Cannot read {entry.path} ({error.strerror}). Restore the file, or choose another "
            "model."
        ) from error
    if changed:
        raise ModelError(
            f"{entry.path} has changed since it was listed. Wait a few seconds, and choose it "
            "again."
        )
    stock = stock_name(entry.path)
    classifier = load_cached(stock) if stock else load(entry.path)
    classifier.name = entry.name
    return classifier
