"""Load a classifier from a model file, with its card and its OOD detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import weights_keras
from weights_keras import ModelCard, ModelFileError
from xai_tf.classifiers.class_names import BESIDE, classes_beside, read_classes
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.graph import tensors
from xai_tf.classifiers.imagenet import PREFIX, load_imagenet
from xai_tf.classifiers.ood_detector import OODDetector
from xai_tf.classifiers.selection import HeldValue, select
from xai_tf.errors import InputError, ModelError, XaiTfError, pick
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.task import Task
from xai_tf.tasks import find_task, known_task

if TYPE_CHECKING:
    import keras


def load(
    model: str | Path | keras.Model,
    *,
    classes: Sequence[str] | None = None,
    task: str | Path | Task | None = None,
    preprocessing: str | None = None,
    read_options: ReadOptions | None = None,
    thresholds: Mapping[str, float] | None = None,
    output: str | None = None,
    inputs: Mapping[str, HeldValue] | None = None,
    image_size: tuple[int, int] | None = None,
    returns: str | None = None,
) -> Classifier:
    """Load a classifier from a file, or a user's, bundled or stock model by name.

    >>> classifier = load("brain_mobilenetv2")
    >>> classifier.classes
    ('glioma', 'meningioma', 'notumor', 'pituitary')

    Args:
        model: a name that `xai-tf models` lists, where a model of the user comes before one of the
            same name in the package; a stock network of Keras with its ImageNet weights, such as
            "imagenet:resnet50" (see `APPLICATIONS`); a `.keras` or `.h5` file; an architecture
            (`.json`) with its weights beside it; the folder of a SavedModel; or a Keras model in
            memory, Sequential, Functional or subclassed.
        classes: the names of the classes, for a file without a card. By default those in a
            labels.txt, class_indices.json or the like beside the file.
        task: how files are read and what the classes are: a name in `TASKS`, a task, or a TOML
            file that defines one. By default that of its card.
        preprocessing: the color scaling the network expects, a name in `SCALINGS`. By default
            detected in the model.
        read_options: how files are read: the frame, and how pictures are resized. By default as its
            card says.
        thresholds: for a model of several labels the probability from which a label is predicted,
            by its name. By default as its card says, else 0.5.
        output: the name of the output to explain, of a model with several. By default as its card
            says, else the only one that is a sigmoid or softmax, or of shape (batch, classes).
        inputs: the values at which inputs beside the picture are held, by name: {"age": 63}. Those
            that are left out are held as its card says.
        image_size: (height, width) of the input, for a model that takes any size.
        returns: what the outputs are, a name in `RETURNS`, where the last layer has no activation,
            or does not show it, as in a SavedModel. By default as its card or the loss says, or
            guessed by their values.

    Raises:
        ModelError: the model is missing or damaged, contains code, or is no image classifier.
        UnknownNameError: there is no such model or task.
    """
    if isinstance(task, str | Path):
        task = find_task(str(task))
    chosen: dict[str, Any] = {
        "preprocessing": preprocessing,
        "read_options": read_options,
        "thresholds": thresholds,
        "output": output,
        "inputs": inputs,
        "image_size": image_size,
        "returns": returns,
    }
    if not isinstance(model, str | Path):
        return Classifier(model, classes, task=task, **chosen)
    if str(model).lower().startswith(PREFIX):
        name = str(model)[len(PREFIX) :]
        return _stock_classifier(name, classes, task, preprocessing, read_options, image_size)
    return _classifier_of(_for_output(_read_file(model), output), classes, task, **chosen)


def _classifier_of(
    file: _ModelFile,
    classes: Sequence[str] | None,
    task: Task | None,
    *,
    output: str | None,
    inputs: Mapping[str, HeldValue] | None,
    returns: str | None,
    **chosen: Any,
) -> Classifier:
    """The classifier in a file. What is not given is as its card says, or as is found beside it."""
    if file.card:
        output = output or file.card.output or None
        inputs = {**file.card.inputs, **(inputs or {})}
        returns = returns or file.card.returns or None
        task = task or known_task(file.card.task)
    beside, problem = None, ""
    if not (classes or (file.card and file.card.classes) or (task and task.classes)):
        beside, classes, problem = _classes_beside(file, output, inputs)
    try:
        classifier = Classifier(
            file.model,
            classes,
            name=file.path.stem,
            task=task,
            card=file.card,
            loss=file.loss,
            sha256=file.sha256,
            output=output,
            inputs=inputs,
            returns=returns,
            **chosen,
        )
    except ModelError as error:
        raise ModelError(f"{file.path}: {error}") from error
    classifier.problems = (*file.problems, *filter(None, [problem]))
    if beside:
        classifier.classes_source = beside
    _add_ood_detector(classifier, file.path)
    return classifier


def load_cached(name: str) -> Classifier:
    """A stock network of Keras by its name, from Keras' cache: nothing is downloaded.

    Raises:
        ModelError: its weights are not in the cache.
    """
    return _stock_classifier(name, download=False)


def _stock_classifier(
    name: str,
    classes: Sequence[str] | None = None,
    task: Task | None = None,
    preprocessing: str | None = None,
    read_options: ReadOptions | None = None,
    image_size: tuple[int, int] | None = None,
    *,
    download: bool = True,
) -> Classifier:
    stock = load_imagenet(name, download)
    names = classes or (task.classes if task else None) or stock.classes
    classifier = Classifier(
        stock.model,
        names,
        name=name.lower(),
        task=task,
        preprocessing=preprocessing or stock.application.scaling,
        read_options=read_options,
        sha256=stock.sha256,
        image_size=image_size,
    )
    if not preprocessing:
        classifier.preprocessing_reason = f"Keras trained {stock.application.title} with it"
    if names is stock.classes:
        classifier.classes_source = "Keras' index of ImageNet" if names else ""
        classifier.problems = tuple(filter(None, [stock.problem]))
    return classifier


@dataclass(frozen=True, kw_only=True)
class _ModelFile:
    """A model file with what lies beside it.

    Attributes:
        path: the file.
        model: as it was loaded.
        card: its card, if there is one that belongs to it.
        sha256: of the file.
        loss: what it was trained with, as Keras stores it; None where the file does not say.
        problems: why a card beside it is not used, one sentence each.
    """

    path: Path
    model: keras.Model
    card: ModelCard | None
    sha256: str
    loss: Any = None
    problems: tuple[str, ...] = ()


def _read_file(model: str | Path) -> _ModelFile:
    path = model_path(model)
    try:
        if path.parent != weights_keras.FOLDER or path == Path(model):
            loaded = weights_keras.load_file(path)
            digest = weights_keras.fingerprint(path)
            card, problem = read_card_beside(path, digest)
            hides = "" if path == Path(model) else _hides(path, digest)
            problems = tuple(filter(None, [problem, hides]))
            return _ModelFile(
                path=path,
                model=loaded,
                card=card,
                sha256=digest,
                loss=weights_keras.compiled_loss(path),
                problems=problems,
            )
        pick(dict.fromkeys(weights_keras.names()), str(model), "model")
        loaded, card = weights_keras.load(str(model))
        # A resumed run recognizes the model by the digest.
        digest = card.sha256 or weights_keras.fingerprint(path)
        return _ModelFile(path=path, model=loaded, card=card, sha256=digest)
    except ModelFileError as error:
        raise ModelError(str(error)) from error


def _for_output(file: _ModelFile, output: str | None) -> _ModelFile:
    """The file, with a card without what it says of another output than the one asked for."""
    card = file.card
    if card is None or not (output and card.output) or output == card.output:
        return file
    card = replace(card, output=output, classes=(), thresholds={}, returns="")
    return replace(file, card=card)


def _hides(path: Path, digest: str) -> str:
    """One sentence where a model of the user hides another one of its name in the package."""
    hidden = weights_keras.FOLDER / f"{path.stem}.keras"
    if not hidden.is_file() or weights_keras.fingerprint(hidden) == digest:
        return ""
    return (
        f"{path.stem!r} is your own model {path}, not the one of the same name that comes with the "
        f"package, {hidden}."
    )


def _classes_beside(
    model: _ModelFile, output: str | None, inputs: Mapping[str, HeldValue] | None
) -> tuple[str | None, tuple[str, ...] | None, str]:
    """A file with class names beside a model: its name and the names, or why it is not used."""
    file = classes_beside(model.path)
    if file is None:
        return None, None, ""
    models = [p for p in model.path.parent.iterdir() if p.suffix in weights_keras.store.SUFFIXES]
    if len(models) > 1 and file.name in BESIDE:
        return (
            None,
            None,
            (
                f"{file.name} beside the model is not used: it may belong to another of the "
                f"{len(models)} models there. Give it with --classes, or rename it to "
                f"{model.path.stem}.labels.txt."
            ),
        )
    try:
        names = read_classes(file)
    except InputError as error:
        return None, None, str(error)
    try:
        count = max(2, select(model.model, output, inputs).model.output_shape[-1])
    except XaiTfError:
        return None, None, ""  # it is not clear of which output; loading says so
    if len(names) == count:
        return file.name, names, ""
    return (
        None,
        None,
        (
            f"{file.name} beside the model is not used: it lists {len(names)} class names, and the "
            f"model has {count} classes."
        ),
    )


def model_path(model: str | Path) -> Path:
    """The file of a model that is given as a path or by its name."""
    path = Path(model)
    if path.suffix.lower() in weights_keras.store.SUFFIXES or path.is_file():
        return path
    if path.is_dir() and path.name not in weights_keras.names():
        return path
    return weights_keras.find(str(model))


def card_beside(path: Path, digest: str) -> ModelCard | None:
    """The card in the `.md` file beside a model file; None unless it has that SHA-256 or none."""
    return read_card_beside(path, digest)[0]


def read_card_beside(path: Path, digest: str) -> tuple[ModelCard | None, str]:
    """The card beside a model file, and one sentence on why it is not used, or ""."""
    file = path.with_suffix(".md")
    if not weights_keras.is_card(file):
        return None, ""  # nothing, or notes of the user's
    try:
        card = weights_keras.read_card(file)
    except (OSError, ValueError) as error:
        cause = str(error).replace(str(file), file.name).rstrip(".")
        return None, f"The card beside the model is not used: {cause}."
    if card.sha256 in ("", digest):
        return card, ""
    return None, (
        f"The card {file.name} beside the model is not used: it describes another file (the "
        "SHA-256 differs). Classes, task and preprocessing are those found in the model."
    )


def _add_ood_detector(classifier: Classifier, path: Path) -> None:
    """Load the OOD detector beside a model file; the model works without it, too."""
    try:
        arrays = weights_keras.load_ood_detector(path, classifier.sha256, classifier.card)
        if arrays is None:
            return
        ood_detector = OODDetector.from_arrays(arrays)
        tensor = tensors(classifier.model).get(ood_detector.layer)
        if tensor is None or tensor.shape[1:] != (*tensor.shape[1:3], len(ood_detector.center)):
            raise ValueError(f"its layer {ood_detector.layer!r} is that of another model")
        classifier.ood_detector = ood_detector
    except (ModelFileError, ValueError, TypeError) as error:
        file = weights_keras.ood_file(path)
        cause = str(error).rstrip(".").replace(str(file), file.name)
        classifier.ood_problem = (
            f"Inputs of {classifier.name!r} are not checked for being out of distribution: "
            f"{cause}. Download {file.name} again, or create it with `xai-tf fit-ood`."
        )
