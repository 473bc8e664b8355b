"""Evaluate a trained model, and save it with its card and its OOD detector."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weights_keras import Measure, ModelCard, read_card, save
from weights_keras.formats import SUFFIXES
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import file_distances, fit_ood_detector, ood_share
from xai_tf.classifiers.ood_detector import OODDetector
from xai_tf.datasets.dataset import Dataset, Splits
from xai_tf.errors import OutputError
from xai_tf.evaluation.classification import confusion, evaluate
from xai_tf.evaluation.labels import LABEL_COLUMNS, label_measures, label_results
from xai_tf.evaluation.unwarned import (
    unwarned_errors,
    unwarned_label_errors,
    unwarned_measure,
)
from xai_tf.files import check_free
from xai_tf.inputs.task import Task
from xai_tf.training.group_out import GroupOut
from xai_tf.training.train import Trained, predict_files

if TYPE_CHECKING:
    import keras

RESULTS = "## Results"
SECTION = "## Out-of-distribution detector"
EARLIER_SECTION = "## Input gate"
OPTIMISM_NOTE = (
    "Validation results are optimistic, because they chose the epoch; test results are not."
)


def publish(
    model: keras.Model,
    splits: Splits,
    task: Task,
    *,
    name: str,
    backbone: str,
    story: str,
    folder: Path,
    further: dict[str, Dataset] | None = None,
    command: str = "",
    datasets: tuple[str, ...] = (),
    license_: str = "other",
    tuning: dict[str, Any] | None = None,
    half: bool = False,
    check: Callable[[Path], None] = lambda file: None,
    group_out: GroupOut | None = None,
) -> ModelCard:
    """Evaluate a model on its test sets, and save it with its card and its OOD detector.

    The text of a card that exists already is kept, up to its results.

    Args:
        model: RGB in [0, 1] to logits; for several labels to their probabilities, by a sigmoid.
        splits: the data it was trained on, chosen by and is tested on.
        task: the question it answers.
        name: the name of the model and of its files.
        backbone: a name in `BACKBONES`.
        story: how it was trained, for the card.
        folder: the folder for the three files.
        further: further test sets, by name.
        command: the command that trains it again.
        datasets: the data sets it was trained on, with the terms of each.
        license_: the license of the weights.
        tuning: what a search adds to the card.
        half: store the weights as float16.
        check: called with the new model file before it replaces an old one; may raise.
        group_out: what leaving groups out shows; its figures stand first in the card.

    Returns:
        The card as written.

    Raises:
        OutputError: the folder cannot be written. The model is then in the temporary or the home
            folder, and the text says where.
    """
    test = splits.test
    sets = {"validation": splits.validation, "test": test, **(further or {})}
    classifier = Classifier(model, test.classes, name=name, task=task, preprocessing="unit")
    ood_detector = _ood_detector(classifier, splits)
    metrics, tables = _evaluate_sets(classifier, sets, ood_detector)
    card = ModelCard(
        name=name,
        task=task.key,
        classes=test.classes,
        backbone=backbone,
        image_size=test.images.shape[1:3],
        thresholds=dict(zip(test.classes, classifier.thresholds, strict=False)),
        license=license_,
        datasets=datasets,
        metrics=(*(group_out.measures if group_out else ()), *metrics),
        command=command,
        tuning=tuning or {},
        text="\n\n".join(
            [
                _introduction(name, task, backbone, folder),
                RESULTS,
                *tables,
                story,
                *([group_out.story] if group_out else []),
            ]
        ),
    )
    arrays = ood_detector.arrays() if ood_detector else None
    card = with_ood_detector(card, ood_detector) if ood_detector else card
    return _save(model, card, folder, half, check, arrays)


def _save(
    model: keras.Model,
    card: ModelCard,
    folder: Path,
    half: bool,
    check: Callable[[Path], None],
    arrays: dict[str, np.ndarray] | None,
) -> ModelCard:
    """Save a model, or where that fails write it elsewhere, since hours may have been spent."""
    try:
        return save(model, card, folder, half, check, arrays)
    except OSError as error:
        kept = _save_elsewhere(model, card, half, check, arrays)
        raise OutputError(
            f"Cannot write the model to {folder} ({error.strerror or error}). "
            + (
                f"It was written to {kept} instead: move it, or load it from there."
                if kept
                else "It could not be written to the home or the temporary folder either. Free "
                "some disk space, and run the command again."
            )
        ) from error


def _save_elsewhere(
    model: keras.Model,
    card: ModelCard,
    half: bool,
    check: Callable[[Path], None],
    arrays: dict[str, np.ndarray] | None,
) -> Path | None:
    """Write a trained model where there is room for it; None where there is none."""
    for place in (Path(tempfile.gettempdir()), Path.home()):
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"xai-tf-{card.name}-", dir=place))
            save(model, card, folder, half, check, arrays)
            return folder / f"{card.name}.keras"
        except OSError:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
    return None


def with_ood_detector(card: ModelCard, detector: OODDetector) -> ModelCard:
    """A card with a section on the OOD detector, which replaces that on an older one."""
    before, _, after = card.text.replace(EARLIER_SECTION, SECTION).partition(SECTION)
    _, following, rest = after.partition("\n## ")
    section = (
        f"{SECTION}\n\n`{card.name}.ood.npz` detects files that are unlike the training data. It "
        f"contains the mean of the features of `{detector.layer}` over {detector.trained} pictures "
        "(the training pictures, and a copy of each as another program might have stored it) and "
        f"the {len(detector.axes)} directions in which they vary most, but no picture and no "
        f"features of one. Its threshold was set on {detector.validated} validation files so that "
        f"it flags at most {detector.share:.0%} of them; `out_of_distribution` above is the share "
        "of other files that it flags. A file that is not flagged may still be unsuitable for the "
        "model."
    )
    text = f"{before.rstrip()}\n\n{section}\n\n{following.strip()} {rest}".strip()
    return replace(card, text=text)


def training_story(trained: Trained, splits: Splits) -> str:
    """How a model was trained, for its card."""
    _, _, loss, _ = min(trained.history, key=lambda row: row[2])
    return (
        f"Trained on {len(splits.train.file_labels)} files in {trained.seconds:.0f} s. The epoch "
        f"was chosen on {len(splits.validation.file_labels)} other files (cross-entropy "
        f"{loss:.3f}). {OPTIMISM_NOTE}"
    )


def check_folder(folder: Path, name: str, overwrite: bool = False) -> None:
    """Raise an OutputError now where a model could not be written after hours of training.

    Args:
        folder: for the model.
        name: of the model, and of its files.
        overwrite: whether an earlier model of this name may be replaced.
    """
    for suffix in SUFFIXES:
        check_free(folder / f"{name}{suffix}", overwrite, "use another --name or --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
        if (folder / f"{name}.md").is_file():
            read_card(folder / f"{name}.md")
    except OSError as error:
        raise OutputError(
            f"Cannot write to {folder} ({error.strerror or error}). Use another --out."
        ) from error
    except ValueError as error:
        raise OutputError(
            f"{error}. Fix or move that file: its text is kept in the new card."
        ) from error


def _ood_detector(classifier: Classifier, splits: Splits) -> OODDetector | None:
    """The OOD detector of a trained classifier; None where it has no feature maps."""
    if not classifier.feature_layers:
        return None
    return fit_ood_detector(classifier, splits.train, splits.validation)


def _evaluate_sets(
    classifier: Classifier,
    sets: dict[str, Dataset],
    ood_detector: OODDetector | None,
) -> tuple[tuple[Measure, ...], list[str]]:
    """The measures of all sets, and for each a table in Markdown: the confusion, or the labels."""
    metrics: list[Measure] = []
    tables = []
    for label, data in sets.items():
        probabilities = predict_files(classifier.model, data)
        if data.multi_label:
            limits, truth = np.array(classifier.thresholds), data.file_labels == 1
            metrics += label_measures(probabilities, truth, limits, label)
            tables.append(_label_table(label, classifier, probabilities, truth))
        else:
            metrics += evaluate(probabilities, data.file_labels, label)
            counts = confusion(probabilities, data.file_labels)
            tables.append(_confusion_table(label, counts, data.classes))
        if label == "validation":  # which chose the epoch and set the threshold of the detector
            continue
        flagged = None
        if ood_detector:
            distances = file_distances(classifier, ood_detector, data)
            flagged = distances > ood_detector.threshold
            metrics.append(ood_share(distances, ood_detector, label))
        metrics.append(measure_unwarned(classifier, probabilities, data, label, flagged))
    return tuple(metrics), tables


def measure_unwarned(
    classifier: Classifier,
    probabilities: np.ndarray,
    data: Dataset,
    split: str,
    flagged: np.ndarray | None,
) -> Measure:
    """The share of files that are wrong with p > 0.9 and not warned of, as a measure for the card.

    Args:
        classifier: the classifier.
        probabilities: float array of shape (files, classes), as from `predict_files`.
        data: the files.
        split: the name of the set.
        flagged: bool array of shape (files,), those that the OOD detector flags; None without one.
    """
    labels = data.file_labels
    if data.multi_label:
        limits = np.array(classifier.thresholds)
        unwarned = unwarned_label_errors(probabilities, labels == 1, limits, flagged)
    else:
        unwarned = unwarned_errors(probabilities, labels, flagged)
    return unwarned_measure(unwarned, split)


def _introduction(name: str, task: Task, backbone: str, folder: Path) -> str:
    path = folder / f"{name}.md"
    if path.is_file():
        return read_card(path).text.split(RESULTS)[0].strip()
    return (
        f"# {name}\n\n{task.question} Built on {BACKBONES[backbone].title}.\n\n"
        "## Data, use and limits\n\nNot described yet."
    )


def _confusion_table(label: str, counts: np.ndarray, classes: tuple[str, ...]) -> str:
    head = f"Confusion on `{label}` (rows: truth, columns: prediction)\n\n"
    lines = ["| | " + " | ".join(classes) + " |", "| --- " * (len(classes) + 1) + "|"]
    for name, row in zip(classes, counts, strict=True):
        lines.append(f"| **{name}** | " + " | ".join(map(str, row)) + " |")
    return head + "\n".join(lines)


def _label_table(
    split: str, classifier: Classifier, probabilities: np.ndarray, truth: np.ndarray
) -> str:
    """How well each label is found, as a table of Markdown."""
    results = label_results(classifier.classes, probabilities, truth, classifier.thresholds)
    rows = [LABEL_COLUMNS, *(result.cells for result in results)]
    head, *lines = ["| " + " | ".join(row) + " |" for row in rows]
    rule = "| --- " * len(LABEL_COLUMNS) + "|"
    return "\n".join([f"Labels on `{split}`, with 95% intervals\n", head, rule, *lines])
