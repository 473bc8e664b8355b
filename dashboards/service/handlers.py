"""How a worker answers each kind of request."""

from __future__ import annotations

import io
import logging
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from dashboards.service.facts import ModelFacts
from dashboards.service.hiding import WhatIf, what_if
from dashboards.service.listening import SoundClip, listen
from dashboards.service.requests import (
    SAMPLES,
    Average,
    Bundle,
    Describe,
    DrawSearch,
    Evaluate,
    Explain,
    FindSimilar,
    FullPicture,
    Hide,
    Judge,
    Listen,
    Part,
    Predict,
    Prepare,
    ThroughLayers,
    TryModel,
    Upload,
)
from dashboards.service.serialization import FILE
from dashboards.service.trying import try_model
from dashboards.service.worker_context import WorkerContext
from xai_tf.attribution.explain import continue_explaining, explain, explain_layers
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS, default_method
from xai_tf.bundles.write import describe_classifier, save_bundle
from xai_tf.classifiers.access import gives
from xai_tf.classifiers.classifier import BATCH, Classifier
from xai_tf.classifiers.ood import OODScore, ood_scores, predict_with_ood_scores
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading, combine_windows
from xai_tf.errors import OutputError, SettingError
from xai_tf.evaluation.mean_map import MeanMap, mean_map
from xai_tf.evaluation.nearest import Neighbor
from xai_tf.evaluation.predictions import Predictions
from xai_tf.inputs.audio import mel_spectrogram
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.options import DEFAULT_OPTIONS, ReadOptions
from xai_tf.inputs.sample import Sample, read_full_size, read_image
from xai_tf.metrics import Score, score
from xai_tf.packages import has_extra
from xai_tf.regions import Regions, regions_of

THUMBNAIL_SIDE = 96  # pixels
LOSSLESS_SIDE = 640  # pixels; larger pictures are sent as JPEG
MEASURED = 8  # images at once, when a model is timed


def device() -> str:
    """The device that computes, in words."""
    graphics = tf.config.list_physical_devices("GPU")
    if graphics:
        details = tf.config.experimental.get_device_details(graphics[0])
        return details.get("device_name", "GPU")
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"CPU, {count} core{'s' * (count != 1)}"


def warm_up() -> Iterator[Callable[[], Any]]:
    """Work that is slow only the first time, to be done while the worker is idle."""
    yield partial(import_module, "xai_tf.attribution.builders")  # Xplique
    yield partial(import_module, "xai_tf.bundles.write")  # matplotlib
    if not has_extra("audio"):
        return
    recipe = MelRecipe()
    noise = np.random.default_rng(0).normal(0, 0.1, recipe.rate).astype(np.float32)
    yield partial(mel_spectrogram, noise, recipe)  # librosa


def _describe(context: WorkerContext, request: Describe) -> ModelFacts:
    _prepare(context, request)
    classifier = context.classifier(request.model)
    images, targets = _noise(classifier, MEASURED)
    passes, differentiable = classifier.passes, gives(classifier.access, "gradients")
    return ModelFacts(
        name=classifier.name,
        classes=classifier.classes,
        image_size=classifier.image_size,
        backbone=classifier.backbone,
        feature_layers=classifier.feature_layers,
        resolution_layers=classifier.resolution_layers,
        forward_seconds=_seconds(lambda: passes.logits(images)),
        gradient_seconds=_seconds(lambda: passes.gradients(images, targets))
        if differentiable
        else 0.0,
        baseline=classifier.baseline,
        access=classifier.access,
        has_relu=classifier.has_relu,
        description=describe_classifier(classifier),
    )


def _prepare(context: WorkerContext, request: Describe | Prepare) -> None:
    """Compile what the first prediction and the first map need, so that they are fast.

    Whoever cancels it waits for one step only; a repetition finds the earlier ones done.
    """
    classifier = context.classifier(request.model)
    images, targets = _noise(classifier, 1)
    sample = Sample(image=images[0], source=request.model.path, sha256="")
    context.check()
    ood_scores(classifier, [sample])
    if isinstance(request, Prepare) and request.to_recognize:
        return
    context.check()
    if gives(classifier.access, "gradients"):
        classifier.passes.gradients(images, targets)
    context.check()
    method = default_method(classifier.access)
    if METHODS[method].needs_layer:
        explain(classifier, sample, method)
    context.check()


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


def _predict(context: WorkerContext, request: Predict) -> Reading:
    classifier = context.classifier(request.model)
    return _reading(context, classifier, request.file)


def _reading(context: WorkerContext, classifier: Classifier, file: Upload) -> Reading:
    """As `read_and_predict`, but cancellable, and the samples stay in memory."""
    samples = context.samples(classifier, file)
    predictions: list[Prediction] = []
    scores: list[OODScore] = []
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        batch_predictions, batch_scores = predict_with_ood_scores(classifier, batch)
        predictions += batch_predictions
        scores += batch_scores or []
        context.progress(len(predictions), len(samples))
    return combine_windows(classifier, file.path, samples, predictions, scores)


def _full_picture(context: WorkerContext, request: FullPicture) -> bytes:
    if request.file.kind == "sound":
        return b""
    options = ReadOptions(crop_plot=True) if request.crop_plot else DEFAULT_OPTIONS
    if request.model is None:
        sample = read_image(request.file.path, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), options)[0]
        if request.crop_plot and sample.crop is None:
            return b""
    else:
        classifier = context.classifier(request.model)
        options = classifier.read_options or DEFAULT_OPTIONS
        sample = context.sample(classifier, request.file, 0)
    picture = read_full_size(sample, options)
    return b"" if picture is None else _encoded(picture, request.side)


def _encoded(picture: np.ndarray, side: int) -> bytes:
    """A picture of at most `side` pixels: PNG where it is small, so that nothing is lost."""
    image = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    if max(image.size) <= LOSSLESS_SIDE:
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def _explain(context: WorkerContext, request: Explain) -> Explanation:
    classifier = context.classifier(request.model)
    sample = context.sample(classifier, request.file, request.window)
    begun = _begun(context, request)
    earlier = [] if begun is None else [replace(begun, sample=sample)]
    if earlier and request.question.until_stable is not None:
        return continue_explaining(
            classifier,
            *earlier,
            request.samples - earlier[0].settings[SAMPLES],
            until_stable=request.question.until_stable,
            progress=context.progress,
            preview=context.partial,
        )
    return explain(
        classifier,
        sample,
        request.question,
        progress=context.progress,
        preview=context.partial,
        earlier=earlier,
    )


def _begun(context: WorkerContext, request: Explain) -> Explanation | None:
    """The stored explanation to resume from, if the result equals that of a run from the start."""
    since, wanted = request.since, request.question.until_stable
    if since is None or since.draws != request.draws:
        return None
    if wanted is not None and since.method != request.method:
        return None  # another method's map may be stable with fewer samples
    known = context.known(since, to_go_on=True)
    if known is None or known.convergence is None or known.convergence.state is None:
        return None
    if known.settings[SAMPLES] > request.samples or (
        wanted is not None and known.convergence.stops_before(wanted)
    ):
        return None
    return known


def _through_layers(context: WorkerContext, request: ThroughLayers) -> list[Explanation]:
    classifier = context.classifier(request.model)
    return explain_layers(
        classifier,
        context.sample(classifier, request.file, request.window),
        request.question,
        progress=context.progress,
    )


def _average(context: WorkerContext, request: Average) -> MeanMap:
    classifier = context.classifier(request.model)

    def explanations() -> Iterator[Explanation]:
        for done, file in enumerate(request.files):
            context.progress(done, len(request.files))
            samples, window = context.samples(classifier, file), 0
            if len(samples) > 1:
                predictions, _ = predict_with_ood_scores(classifier, samples)
                reading = combine_windows(classifier, file.path, samples, predictions, None)
                window = reading.most_confident(request.question.target)
            known = context.known(Explain(request.model, file, request.question, window))
            yield known or explain(classifier, samples[window], request.question)

    mean = mean_map(explanations())
    context.progress(len(request.files), len(request.files))
    return mean


def _part(context: WorkerContext, request: Part) -> Regions:
    classifier = context.classifier(request.model)
    sample = context.sample(classifier, request.file, request.window)
    return regions_of(replace(sample, source=Path(FILE)), classifier.task)


def _judge(context: WorkerContext, request: Judge) -> tuple[Score, ...]:
    wanted = request.explanation
    explanation = context.known(wanted) or _explain(context, wanted)
    classifier = context.classifier(request.model)
    return tuple(score(classifier, explanation, request.metrics, progress=context.progress))


def _listen(context: WorkerContext, request: Listen) -> SoundClip:
    wanted = request.explanation
    explanation = context.known(wanted) or _explain(context, wanted)
    return listen(context.classifier(request.model), explanation, request, context.scratch)


def _hide(context: WorkerContext, request: Hide) -> WhatIf:
    classifier = context.classifier(request.model)
    sample = context.sample(classifier, request.file, request.window)
    regions, wanted = None, request.strongest
    if request.regions:
        regions = regions_of(replace(sample, source=Path(FILE)), classifier.task)
    explanation = (context.known(wanted) or _explain(context, wanted)) if wanted else None
    return what_if(classifier, sample, request, regions, explanation)


def _bundle(context: WorkerContext, request: Bundle) -> bytes:
    """The bundle that the command writes, as a zip file. Stored explanations are not run again."""
    first = request.explanations[0]
    if any((e.model, e.file) != (first.model, first.file) for e in request.explanations):
        raise SettingError(
            "A bundle holds one file and one model. Select explanations of one file and one model."
        )
    classifier = context.classifier(first.model)
    reading = _reading(context, classifier, first.file)
    name = Path(first.file.name)
    samples = tuple(replace(sample, source=name) for sample in reading.samples)
    reading = replace(reading, source=name, samples=samples)
    explanations = []
    scores: list[list[Score]] = []
    for wanted in request.explanations:
        explanation = context.known(wanted) or _explain(context, wanted)
        explanations.append(replace(explanation, sample=samples[wanted.window]))
        judged = [judge for judge in request.judged if judge.explanation == wanted]
        scores.append(
            [one for judge in judged for one in context.known(judge) or _judge(context, judge)]
        )
    try:
        with tempfile.TemporaryDirectory(dir=context.scratch) as scratch:
            folder = Path(scratch, "bundle")
            save_bundle(folder, classifier, reading, explanations, request.opacity, scores=scores)
            return _zipped(folder)
    except (OSError, OutputError) as error:
        logging.getLogger(__name__).warning("a bundle could not be written: %s", error)
        raise OutputError(
            "Cannot create the bundle: the disk of the server is full or read-only. Contact the "
            "administrator of the server, or download single pictures."
        ) from error


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # pictures and arrays are small already
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return buffer.getvalue()


def _evaluate(context: WorkerContext, request: Evaluate) -> Predictions:
    from dashboards.service.evaluation import evaluate

    return evaluate(context.classifier(request.model), request, context.progress)


def _find_similar(context: WorkerContext, request: FindSimilar) -> list[Neighbor]:
    from dashboards.service.neighbors import find_similar

    return find_similar(context, request)


def _draw_search(_: WorkerContext, request: DrawSearch) -> dict[str, bytes]:
    from dashboards.service.drawing import draw_search

    return draw_search(request)


HANDLERS: dict[type, Callable[[WorkerContext, Any], Any]] = {
    Describe: _describe,
    Prepare: _prepare,
    Predict: _predict,
    FullPicture: _full_picture,
    Explain: _explain,
    ThroughLayers: _through_layers,
    Average: _average,
    Part: _part,
    Judge: _judge,
    Listen: _listen,
    Hide: _hide,
    Bundle: _bundle,
    Evaluate: _evaluate,
    FindSimilar: _find_similar,
    TryModel: try_model,
    DrawSearch: _draw_search,
}
