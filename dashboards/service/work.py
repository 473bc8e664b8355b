"""What a worker does with each kind of request."""

from __future__ import annotations

import io
import logging
import os
import tempfile
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

import weights_keras
from dashboards.service.packing import unpack
from dashboards.service.requests import (
    Bundle,
    Describe,
    DrawSearch,
    Evaluate,
    Evaluation,
    Explain,
    ModelEntry,
    ModelFacts,
    Predict,
    Prepare,
    ThroughLayers,
    Upload,
    stored_names,
)
from dashboards.service.store import read_answer
from xai_tf.bundle import describe_classifier, save_bundle
from xai_tf.classifier import BATCH, Classifier, load
from xai_tf.errors import InputError, ModelError, OutputError, SettingError
from xai_tf.explanation import Explanation, explain, explain_layers
from xai_tf.sample import Sample, file_sha256
from xai_tf.sound import MelRecipe, mel_spectrogram
from xai_tf.windows import Reading

MODELS_KEPT = 4
SAMPLES_KEPT = 128
MAX_WINDOWS = 120  # of a recording; each is 0.7 MB at hand, and 0.15 MB of the answer
MEASURED = 8  # images at once, when a model is timed


class Teller(Protocol):
    """Takes reports of how far the work is; raises where it shall stop."""

    def progress(self, done: int, total: int) -> None: ...

    def partial(self, attribution: np.ndarray) -> None: ...


class Desk:
    """What a worker has at hand.

    Attributes:
        classifiers: the last it used, by entry.
        store: the folder of the answers that there are, to read.
        scratch: a folder to write in.
        progress, partial: tell how far the work is.
    """

    def __init__(self, store: Path, scratch: Path, teller: Teller) -> None:
        self.classifiers: OrderedDict[ModelEntry, Classifier] = OrderedDict()
        self.store, self.scratch = store, scratch
        self.progress, self.partial = teller.progress, teller.partial
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


def device() -> str:
    """What computes, in words."""
    graphics = tf.config.list_physical_devices("GPU")
    if graphics:
        details = tf.config.experimental.get_device_details(graphics[0])
        return details.get("device_name", "GPU")
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"CPU, {count} core{'s' * (count != 1)}"


def warm_up() -> Iterator[Callable[[], Any]]:
    """What is slow the first time only, to be done while nobody asks."""
    yield partial(import_module, "xai_tf.explainers")  # Xplique
    yield partial(import_module, "xai_tf.bundle")  # matplotlib
    recipe = MelRecipe()
    noise = np.random.default_rng(0).normal(0, 0.1, recipe.rate).astype(np.float32)
    yield partial(mel_spectrogram, noise, recipe)  # librosa


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


def _describe(desk: Desk, request: Describe) -> ModelFacts:
    _prepare(desk, request)
    classifier = desk.classifier(request.model)
    images, targets = _noise(classifier, MEASURED)
    passes = classifier.passes
    return ModelFacts(
        name=classifier.name,
        classes=classifier.classes,
        image_size=classifier.image_size,
        backbone=classifier.backbone,
        feature_layers=classifier.feature_layers,
        stages=classifier.stages,
        forward_seconds=_seconds(lambda: passes.logits(images)),
        gradient_seconds=_seconds(lambda: passes.gradients(images, targets)),
        baseline=classifier.baseline,
        has_relu=classifier.has_relu,
        description=describe_classifier(classifier),
    )


def _prepare(desk: Desk, request: Describe | Prepare) -> None:
    """Make the first prediction and the first map fast: what they need is compiled here."""
    classifier = desk.classifier(request.model)
    images, targets = _noise(classifier, 1)
    classifier.passes.gradients(images, targets)
    if classifier.feature_layers:
        explain(classifier, Sample(images[0], request.model.path, ""))


def _noise(classifier: Classifier, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise, and targets."""
    images = np.random.default_rng(0).random((count, *classifier.image_size, 3), np.float32)
    return images, np.repeat(classifier.target(0)[None], count, axis=0)


def _seconds(run: Callable[[], Any]) -> float:
    """How long a pass takes for each image, when warm."""
    run()
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / MEASURED


def _predict(desk: Desk, request: Predict) -> Reading:
    classifier = desk.classifier(request.model)
    return _reading(desk, classifier, request.file)


def _reading(desk: Desk, classifier: Classifier, file: Upload) -> Reading:
    """As `read_and_predict`, but it can be stopped, and what was read is kept."""
    samples = desk.samples(classifier, file)
    predictions = []
    for start in range(0, len(samples), BATCH):
        predictions += classifier.predict(samples[start : start + BATCH])
        desk.progress(len(predictions), len(samples))
    mean = np.mean([prediction.logits for prediction in predictions], axis=0)
    whole = classifier.prediction(mean) if len(samples) > 1 else predictions[0]
    return Reading(file.path, tuple(samples), tuple(predictions), whole)


def _explain(desk: Desk, request: Explain) -> Explanation:
    classifier = desk.classifier(request.model)
    return explain(
        classifier,
        desk.sample(classifier, request.file, request.window),
        request.method,
        target=request.target,
        contrast=request.contrast,
        layer=request.layer,
        seed=request.seed,
        settings=dict(request.settings),
        progress=desk.progress,
        partial=desk.partial,
    )


def _through_layers(desk: Desk, request: ThroughLayers) -> list[Explanation]:
    classifier = desk.classifier(request.model)
    return explain_layers(
        classifier,
        desk.sample(classifier, request.file, request.window),
        request.method,
        target=request.target,
        contrast=request.contrast,
        progress=desk.progress,
    )


def _bundle(desk: Desk, request: Bundle) -> bytes:
    """What the command writes, as a zip file. Explanations that are stored are not run again."""
    first = request.explanations[0]
    if any((e.model, e.file) != (first.model, first.file) for e in request.explanations):
        raise SettingError("A bundle is about one file and one model. Leave the others out.")
    classifier = desk.classifier(first.model)
    reading = _reading(desk, classifier, first.file)
    name = Path(first.file.name)
    samples = tuple(replace(sample, source=name) for sample in reading.samples)
    reading = replace(reading, source=name, samples=samples)
    explanations = []
    for wanted in request.explanations:
        found = (read_answer(desk.store, name) for name in stored_names(wanted))
        data = next(filter(None, found), None)
        explanation = unpack(data, wanted) if data else _explain(desk, wanted)
        explanations.append(replace(explanation, sample=samples[wanted.window]))
    try:
        with tempfile.TemporaryDirectory(dir=desk.scratch) as scratch:
            folder = Path(scratch, "bundle")
            save_bundle(folder, classifier, reading, explanations, request.opacity)
            return _zipped(folder)
    except (OSError, OutputError) as error:
        logging.getLogger(__name__).warning("a bundle could not be written: %s", error)
        raise OutputError(
            "The bundle could not be put together: the server's disk is full or cannot be written. "
            "Tell who runs the server, or save single pictures."
        ) from error


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # pictures and arrays are small already
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return buffer.getvalue()


def _evaluate(desk: Desk, request: Evaluate) -> Evaluation:
    from dashboards.service.evaluating import evaluate

    return evaluate(desk.classifier(request.model), request, desk.progress)


def _draw_search(_: Desk, request: DrawSearch) -> dict[str, bytes]:
    from dashboards.service.drawing import draw_search

    return draw_search(request)


WORK: dict[type, Callable[[Desk, Any], Any]] = {
    Describe: _describe,
    Prepare: _prepare,
    Predict: _predict,
    Explain: _explain,
    ThroughLayers: _through_layers,
    Bundle: _bundle,
    Evaluate: _evaluate,
    DrawSearch: _draw_search,
}
