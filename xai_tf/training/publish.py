"""Measure a trained model and write it with its card."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights_keras import FOLDER, ModelCard, read_card, save
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import fit_ood_detector, measure_ood_detector
from xai_tf.classifiers.ood_detector import OODDetector
from xai_tf.datasets.dataset import Dataset, Splits
from xai_tf.errors import OutputError
from xai_tf.evaluation.classification import confusion, evaluate
from xai_tf.inputs.task import Task
from xai_tf.training.train import Trained, predict_files

if TYPE_CHECKING:
    import keras

RESULTS = "## Results"
SECTION = "## Out-of-distribution detector"
EARLIER_SECTION = "## Input gate"
FLATTERY = (
    "Validation figures are those of the epoch they chose, so they flatter; test figures do not."
)


def publish(
    model: keras.Model,
    splits: Splits,
    task: Task,
    *,
    name: str,
    backbone: str,
    story: str,
    folder: Path = FOLDER,
    further: dict[str, Dataset] | None = None,
    command: str = "",
    datasets: tuple[str, ...] = (),
    license_: str = "other",
    tuning: dict[str, Any] | None = None,
    half: bool = False,
    check: Callable[[Path], None] = lambda file: None,
) -> ModelCard:
    """Measure a model on its test set and on further ones, and save it with a card and a gate.

    The gate tells later whether an input is one for the model. The words of a card that is there
    already, up to its results, are kept.

    Args:
        model: RGB in [0, 1] to logits.
        splits: what it was trained, chosen and is tested on.
        task: what it is asked.
        name: of the model.
        backbone: a name in `BACKBONES`.
        story: how it was made, for the card.
        folder: for the three files.
        further: more test sets, by name.
        command: makes it again.
        datasets: what it was trained on, with the terms of each.
        license_: of the weights.
        tuning: what a search adds to the card.
        half: store the weights as float16.
        check: is given the file before it takes its place, and raises where it must not.
    """
    test = splits.test
    sets = {"validation": splits.validation, "test": test} | (further or {})
    classifier = Classifier(model, test.classes, name=name, task=task, preprocessing="unit")
    ood_detector = _ood_detector(classifier, splits)
    metrics, tables = [], []
    for label, data in sets.items():
        chances = predict_files(model, data)
        metrics += evaluate(chances, data.file_labels, label)
        if ood_detector and label != "validation":
            metrics.append(measure_ood_detector(classifier, ood_detector, data, label))
        tables.append(_confusion_table(label, confusion(chances, data.file_labels), data.classes))
    card = ModelCard(
        name=name,
        task=task.name,
        classes=test.classes,
        backbone=backbone,
        image_size=tuple(int(side) for side in test.images.shape[1:3]),
        license=license_,
        datasets=datasets,
        metrics=tuple(metrics),
        command=command,
        tuning=tuning or {},
        text="\n\n".join([_words(name, task, backbone, folder), RESULTS, *tables, story]),
    )
    if ood_detector:
        card = with_ood_detector(card, ood_detector)
    return save(model, card, folder, half, check, ood_detector and ood_detector.arrays())


def with_ood_detector(card: ModelCard, detector: OODDetector) -> ModelCard:
    """A card that describes its out-of-distribution detector; what it said of an older one goes."""
    before, _, after = card.text.replace(EARLIER_SECTION, SECTION).partition(SECTION)
    _, following, rest = after.partition("\n## ")
    words = (
        f"{SECTION}\n\n`{card.name}.ood.npz` tells whether a file is one for this model at all. It "
        f"holds the mean of the features of `{detector.layer}` over {detector.trained} "
        "pictures (those of the training, each once more as another program might have stored it) "
        f"and the {len(detector.axes)} directions in which they differ most, and no picture or "
        f"features of one. Its threshold was set on {detector.validated} validation files, "
        f"so that at most {detector.share:.0%} of them are warned about; `out_of_distribution` "
        "above "
        "is the share of other files that are. A file that is not warned about may still be none "
        "for the model."
    )
    text = f"{before.rstrip()}\n\n{words}\n\n{following.strip()} {rest}".strip()
    return replace(card, text=text)


def training_story(trained: Trained, splits: Splits) -> str:
    """How a model was trained, for its card."""
    _, _, loss, _ = min(trained.history, key=lambda row: row[2])
    return (
        f"Trained on {len(splits.train.file_labels)} files, the epoch chosen on "
        f"{len(splits.validation.file_labels)} others "
        f"(cross-entropy {loss:.3f}), in {trained.seconds:.0f} s. {FLATTERY}"
    )


def check_folder(folder: Path, name: str) -> None:
    """Raise an OutputError where a model could not be written after hours of training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
        if (folder / f"{name}.md").is_file():
            read_card(folder / f"{name}.md")
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Give another --out."
        ) from error
    except ValueError as error:
        raise OutputError(f"{error}. Mend or move it, for its words are kept.") from error


def _ood_detector(classifier: Classifier, splits: Splits) -> OODDetector | None:
    """What tells whether an input is one for the model; None for one without feature maps."""
    if not classifier.feature_layers:
        return None
    return fit_ood_detector(classifier, splits.train, splits.validation)


def _words(name: str, task: Task, backbone: str, folder: Path) -> str:
    path = folder / f"{name}.md"
    if path.is_file():
        return read_card(path).text.split(RESULTS)[0].strip()
    return (
        f"# {name}\n\n{task.question} Built on {BACKBONES[backbone].title}.\n\n"
        "## Data, use and limits\n\nNot described yet."
    )


def _confusion_table(label: str, counts: object, classes: tuple[str, ...]) -> str:
    head = f"Confusion on `{label}` (rows: truth, columns: prediction)\n\n"
    lines = ["| | " + " | ".join(classes) + " |", "| --- " * (len(classes) + 1) + "|"]
    for name, row in zip(classes, counts, strict=True):
        lines.append(f"| **{name}** | " + " | ".join(map(str, row)) + " |")
    return head + "\n".join(lines)
