"""The models of the server, found by their files without loading them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import weights_keras
from dashboards.service.requests import ModelEntry
from weights_keras import ModelCard, ood_file
from weights_keras.store import SUFFIXES
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.classifiers.loading import card_beside
from xai_tf.classifiers.ood import OUT_OF_DISTRIBUTION
from xai_tf.errors import ModelError
from xai_tf.inputs.sample import file_sha256
from xai_tf.tasks import known_task


def find_models(folders: Sequence[Path] = ()) -> dict[str, ModelEntry]:
    """The models of the package and of the user, then the models in folders, by name.

    Further models of the same name are numbered (`name-2`). Files that are damaged or contain code
    are listed too; they are rejected when they are loaded.

    Raises:
        ModelError: a folder does not exist.
    """
    models: dict[str, ModelEntry] = {}
    for path in _files(folders):
        name, number = path.stem, 2
        while name in models:
            name, number = f"{path.stem}-{number}", number + 1
        models[name] = _entry(name, path)
    return models


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for name in weights_keras.names():
        path = weights_keras.find(name)
        if path.is_file():
            yield path
    for folder in folders:
        if not folder.is_dir():
            raise ModelError(
                f"Invalid value for --models: {folder}. Expected an existing folder of model files."
            )
        paths = sorted(folder.absolute().iterdir())
        yield from (p for p in paths if p.suffix.lower() in SUFFIXES and p.is_file())


def _entry(name: str, path: Path) -> ModelEntry:
    try:
        digest = file_sha256(path)
    except OSError:  # loading the model reports the error
        return ModelEntry(
            name=name, path=path, sha256="", task=None, title=name, classes=(), summary=""
        )
    card = card_beside(path, digest)
    task = known_task(card.task) if card else None
    return ModelEntry(
        name=name,
        path=path,
        sha256=digest,
        task=task.key if task else None,
        title=_title(name, card),
        classes=(card.classes or (task.classes if task else ())) if card else (),
        summary=_summary(card) if card else "",
        ood_sha256=file_sha256(ood_detector) if (ood_detector := ood_file(path)).is_file() else "",
        card_sha256=file_sha256(path.with_suffix(".md")) if card else "",
        accuracy=_accuracy(card) if card else 0.0,
    )


def _title(name: str, card: ModelCard | None) -> str:
    if card is None:
        return name
    known = known_task(card.task)
    task = known.title if known else card.task
    backbone = BACKBONES[card.backbone].title if card.backbone in BACKBONES else card.backbone
    return f"{task}, {backbone}"


def _accuracy(card: ModelCard) -> float:
    tested = [m.value for m in card.metrics if (m.split, m.name) == ("test", "accuracy")]
    return float(tested[0]) if tested else 0.0


def _summary(card: ModelCard) -> str:
    """The test metrics in one line."""
    tested = [m for m in card.metrics if m.split == "test" and m.name != OUT_OF_DISTRIBUTION]
    if not tested:
        return ""
    figures = ", ".join(f"{measure.name} {measure}" for measure in tested)
    return f"{figures} on {tested[0].count} test files"
