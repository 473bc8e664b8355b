"""The models of the server, found by their files without loading them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import weights_keras
from dashboards.service.requests import ModelEntry
from weights_keras import ModelCard, is_model_folder, model_files, ood_file
from weights_keras.store import SUFFIXES
from xai_tf.classifiers import imagenet
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.classifiers.loading import card_beside
from xai_tf.classifiers.ood import OUT_OF_DISTRIBUTION
from xai_tf.errors import ModelError
from xai_tf.inputs.sample import file_sha256
from xai_tf.tasks import known_task

Stamp = tuple[tuple[str, int, int], ...]  # name, time and size of each file of a model


class Catalogue:
    """The models of the package and of the user, those in folders, and those in Keras' cache.

    Further models of the same name are numbered (`name-2`). Files that are damaged or contain code
    are listed too; they are rejected when they are loaded. While the server runs, the folders can
    be read again: only files that changed are read, and the others keep their entry and their name.

    Attributes:
        models: the models by name; a new dict whenever it changes.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Read the folders.

        Raises:
            ModelError: a folder does not exist.
        """
        for folder in folders:
            if not folder.is_dir():
                raise ModelError(
                    f"Invalid value for --models: {folder}. Expected an existing folder of model "
                    "files."
                )
        self._folders = tuple(folder.absolute() for folder in folders)
        self._found: dict[Path, tuple[Stamp, ModelEntry]] = {}
        self.models: dict[str, ModelEntry] = {}
        self.refresh()

    def refresh(self) -> dict[str, ModelEntry]:
        """Read what changed in the folders; `models` as it is then."""
        found: dict[Path, tuple[Stamp, ModelEntry]] = {}
        paths = list(dict.fromkeys(_paths(self._folders)))
        names = {self._found[path][1].name for path in paths if path in self._found}
        for path in paths:
            stamp, before = _stamp(path), self._found.get(path)
            if before is not None and before[0] == stamp:
                found[path] = before
                continue
            stock = stock_name(path)
            name = before[1].name if before else free_name(stock or path.stem, names)
            names.add(name)
            entry = _stock_entry(name, path, stock) if stock else model_entry(name, path)
            found[path] = stamp, entry
        models = {entry.name: entry for _, entry in found.values()}
        same = list(models) == list(self.models)
        if not (same and all(models[name] is self.models[name] for name in models)):
            self.models = models
        self._found = found
        return self.models


def find_models(folders: Sequence[Path] = ()) -> dict[str, ModelEntry]:
    """The models of a `Catalogue`, by name.

    Raises:
        ModelError: a folder does not exist.
    """
    return Catalogue(folders).models


def free_name(name: str, taken: set[str]) -> str:
    """A name that is not taken: itself, or with a number."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def model_entry(name: str, path: Path, sha256: str = "") -> ModelEntry:
    """What is known of a model without loading it.

    Args:
        name: its name on the page.
        path: its file or folder.
        sha256: of it; computed where it is not given.
    """
    try:
        digest = sha256 or weights_keras.fingerprint(path)
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


def stock_name(path: Path) -> str:
    """The stock network of Keras whose weights a file in Keras' cache holds, by name; else ""."""
    return next((name for name, file in imagenet.cached().items() if file == path), "")


def _stock_entry(name: str, path: Path, stock: str) -> ModelEntry:
    entry = model_entry(name, path)
    title = f"{imagenet.APPLICATIONS[stock].title}, ImageNet"
    return replace(entry, title=title, classes=imagenet.cached_classes())


def _paths(folders: Sequence[Path]) -> Iterator[Path]:
    for name in weights_keras.names():
        path = weights_keras.find(name)
        if path.is_file():
            yield path
    yield from filter(is_model_folder, _listed(weights_keras.own_folder()))
    for folder in folders:
        for path in _listed(folder):
            if is_model_folder(path) or (path.suffix.lower() in SUFFIXES and path.is_file()):
                yield path
    yield from imagenet.cached().values()


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:  # it was deleted while the server ran, or need not exist
        return []


def _stamp(path: Path) -> Stamp:
    """Changes whenever a file of a model does, its card and OOD detector included."""
    stamp = []
    try:
        for file in (*model_files(path), path.with_suffix(".md"), ood_file(path)):
            if file.is_file():
                status = file.stat()
                stamp.append((str(file), status.st_mtime_ns, status.st_size))
    except OSError:  # it is being written or deleted
        return ()
    return tuple(stamp)


def _title(name: str, card: ModelCard | None) -> str:
    if card is None:
        return name
    known = known_task(card.task)
    task = known.title if known else card.task
    backbone = BACKBONES[card.backbone].title if card.backbone in BACKBONES else card.backbone
    return ", ".join(filter(None, (task, backbone)))


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
