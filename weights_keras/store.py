"""Where the models are: finds, checks and loads them, and saves one whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights_keras.card import ModelCard, read_card
from weights_keras.legacy import UnknownOperation, modernise

if TYPE_CHECKING:
    import keras
    import numpy as np

FOLDER = Path(__file__).parent
SUFFIXES = (".keras", ".h5", ".hdf5")
OOD = ".ood.npz"
EARLIER_OOD = ".gate.npz"  # what the first edition called it
MODEL = "model"  # the array of a side file that names the model file it belongs to

Arrays = dict[str, "np.ndarray"]


class ModelFileError(Exception):
    """A model file that is missing, damaged, changed, or would run code."""


def names(folder: Path = FOLDER) -> list[str]:
    """The names of the models in a folder, those with a card, in alphabetical order."""
    return sorted(
        path.stem
        for path in folder.glob("*.md")
        if path.with_suffix(".keras").is_file() or _is_card(path)
    )


def load(name: str, folder: Path = FOLDER) -> tuple[keras.Model, ModelCard]:
    """Load a model by name, after its file was checked against the hash in its card.

    Raises:
        ModelFileError: no such model, its file is missing here, or it is not the file of the card.
    """
    path = folder / f"{name}.keras"
    if not path.with_suffix(".md").is_file():
        raise ModelFileError(f"There is no model {name!r} in {folder}.")
    try:
        card = read_card(path.with_suffix(".md"))
    except ValueError as error:
        raise ModelFileError(f"{error}. Restore the card.") from error
    if not path.is_file():
        raise ModelFileError(
            f"The weights of {name!r} are not in {folder}. Train them with: {card.command}"
        )
    if card.sha256 and _sha256(path) != card.sha256:
        raise ModelFileError(
            f"{path} is not the file its card describes: the SHA-256 differs. Fetch it again, or "
            f"train it with: {card.command}"
        )
    return load_file(path), card


def load_file(path: Path) -> keras.Model:
    """Load a `.keras` or legacy `.h5` file without ever running code that is stored in it.

    Keras' safe mode is on; before that, the configuration is searched for code (Lambda layers,
    pickled functions, classes from outside Keras), so that the refusal can say what it is.

    Raises:
        ModelFileError: the file is missing, damaged, no model, or holds code.
    """
    if not path.is_file():
        raise ModelFileError(f"There is no model file {path}. Check the name.")
    if path.suffix.lower() not in SUFFIXES:
        raise ModelFileError(
            f"{path} is no Keras model by its name. Give a .keras or .h5 file of a whole model."
        )
    config = _config(path)
    for cause in _code_in(_architecture(config)):
        raise ModelFileError(
            f"{path} holds code: {cause}. It is not loaded, because code in a model can do "
            "anything to your machine. Rebuild that layer from plain Keras layers and save again."
        )
    import keras

    try:
        with _readable(path, config) as file:
            return keras.models.load_model(file, compile=False, safe_mode=True)
    except UnknownOperation as error:
        raise ModelFileError(
            f"{path} holds the TensorFlow operation {error}, which Keras 3 cannot load. Save the "
            "model without it; if it scaled the colours, give --preprocessing caffe, tf or torch."
        ) from error
    except Exception as error:  # Keras raises what it likes on a damaged file
        raise ModelFileError(
            f"{path} cannot be loaded by Keras {keras.__version__} ({_reason(error)}). Save it "
            "again with model.save(), from the Keras it was trained in."
        ) from error


def ood_file(path: Path) -> Path:
    """Where the side file of a model file lies, which tells whether an input is one for it.

    One that lies there under its earlier name, `.gate.npz`, is taken where there is no other.
    """
    file, earlier = (path.with_name(f"{path.stem}{suffix}") for suffix in (OOD, EARLIER_OOD))
    return earlier if earlier.is_file() and not file.is_file() else file


def _new_ood_file(path: Path) -> Path:
    return path.with_name(f"{path.stem}{OOD}")


def load_ood_detector(path: Path, sha256: str, card: ModelCard | None = None) -> Arrays | None:
    """The arrays in the side file of a model file; None where the model has none.

    Args:
        path: the model file.
        sha256: of it.
        card: of the model, which may name the side file's hash.

    Raises:
        ModelFileError: the side file is damaged, or belongs to another model, or is not the file
            of the card.
    """
    import numpy as np

    file, named = ood_file(path), card.ood_sha256 if card else ""
    if not file.is_file():
        if named:
            raise ModelFileError(f"{file} is missing, which the card of the model names.")
        return None
    if named and _sha256(file) != named:
        raise ModelFileError(f"{file} is not the file its card describes: the SHA-256 differs.")
    try:
        # Opened here, for NumPy leaves a damaged file open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        owner = str(arrays.pop(MODEL))
    except Exception as error:  # zip, zlib and NumPy raise many things on a damaged file
        raise ModelFileError(f"{file} is damaged or cut off ({_reason(error)}).") from error
    if owner != sha256:
        raise ModelFileError(f"{file} belongs to another model file.")
    return arrays


def save_ood_detector(
    arrays: Arrays, path: Path, card: ModelCard | None = None
) -> ModelCard | None:
    """Write the side file of a model file, then its card; each appears whole or not at all.

    Returns:
        The card as written, with the side file's SHA-256; None where none was given.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as scratch:
        file = Path(scratch, _new_ood_file(path).name)
        _write_ood_detector(file, arrays, _sha256(path))
        if card:
            card = replace(card, ood_sha256=_sha256(file))
            text = Path(scratch, path.with_suffix(".md").name)
            text.write_text(card.to_markdown(), encoding="utf-8")
        os.replace(file, _new_ood_file(path))
        path.with_name(f"{path.stem}{EARLIER_OOD}").unlink(missing_ok=True)
        if card:
            os.replace(text, path.with_suffix(".md"))
    return card


def save(
    model: keras.Model,
    card: ModelCard,
    folder: Path = FOLDER,
    half: bool = False,
    check: Callable[[Path], None] = lambda file: None,
    ood_detector: Arrays | None = None,
) -> ModelCard:
    """Write `<name>.keras`, its side file, then `<name>.md`; each appears whole or not at all.

    Args:
        model: what is saved.
        card: what is known of it.
        folder: where.
        half: store weights as float16, in half the room. Keras makes float32 of them on loading.
        check: is given the file before it takes its place, and raises where it must not.
        ood_detector: what tells whether an input is one for the model, from `OODDetector.arrays`;
            without it a side file that is there goes, for it belongs to the older model.

    Returns:
        The card as written, with the files' SHA-256 and the model's size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
        file = Path(scratch, f"{card.name}.keras")
        model.save(file)
        if half:
            _halve(file)
        check(file)
        card = replace(card, sha256=_sha256(file), size=file.stat().st_size, ood_sha256="")
        side = Path(scratch, _new_ood_file(file).name)
        if ood_detector is not None:
            _write_ood_detector(side, ood_detector, card.sha256)
            card = replace(card, ood_sha256=_sha256(side))
        text = Path(scratch, f"{card.name}.md")
        text.write_text(card.to_markdown(), encoding="utf-8")
        os.replace(file, folder / file.name)
        for suffix in (OOD, EARLIER_OOD):
            (folder / f"{card.name}{suffix}").unlink(missing_ok=True)
        if ood_detector is not None:
            os.replace(side, folder / side.name)
        os.replace(text, folder / text.name)
    return card


def _write_ood_detector(file: Path, arrays: Arrays, sha256: str) -> None:
    import numpy as np

    np.savez(file, **{MODEL: np.array(sha256)}, **arrays)


def _halve(path: Path) -> None:
    """Rewrite the weights inside a `.keras` file as float16."""
    import h5py
    import numpy as np

    whole = path.with_suffix(".whole")
    os.replace(path, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".weights.h5"):
                buffer = io.BytesIO()
                with h5py.File(io.BytesIO(content)) as source, h5py.File(buffer, "w") as target:
                    target.attrs.update(source.attrs)

                    def copy(place: str, item: Any, target: Any = target) -> None:
                        if isinstance(item, h5py.Group):
                            made = target.require_group(place)
                        else:
                            single = item.dtype == np.float32
                            value = item[()].astype(np.float16) if single else item[()]
                            made = target.create_dataset(place, data=value)
                        made.attrs.update(item.attrs)

                    source.visititems(copy)
                content = buffer.getvalue()
            new.writestr(name, content)
    whole.unlink()


@contextmanager
def _readable(path: Path, config: Any) -> Iterator[Path]:
    """The file itself, or for a Keras 2 file a copy that Keras 3 can read."""
    if path.suffix.lower() == ".keras" or not _is_keras_2(path):
        yield path
        return
    import h5py

    new = modernise(config)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copy(path, scratch))
        with h5py.File(copy, "a") as file:
            file.attrs["model_config"] = json.dumps(new)
        yield copy


def _is_keras_2(path: Path) -> bool:
    import h5py

    with h5py.File(path) as file:
        return not str(file.attrs.get("keras_version", "2")).startswith("3")


def _reason(error: Exception) -> str:
    """What Keras complains of, in a line: the cause, which it puts last."""
    text = str(error).split("Exception encountered:")[-1].strip() or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")


def _is_card(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline() == "---\n" and "library_name: keras" in file.readline()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config(path: Path) -> Any:
    """The configuration inside a model file, as plain data."""
    try:
        if path.suffix.lower() == ".keras":
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        import h5py

        with h5py.File(path) as file:
            if "model_config" not in file.attrs:
                raise ModelFileError(
                    f"{path} holds weights without the model they belong to. Save the whole model "
                    "with model.save()."
                )
            return json.loads(file.attrs["model_config"])
    except ModelFileError:
        raise
    except Exception as error:  # zip, zlib, json and h5py raise many things on a damaged file
        raise ModelFileError(
            f"{path} is damaged, cut off, or no Keras model ({error}). Copy it again."
        ) from error


def _architecture(config: Any) -> Any:
    """All of it but what only training would load."""
    if not isinstance(config, dict):
        return config
    return {key: item for key, item in config.items() if key != "compile_config"}


def _is_keras_function(config: dict[str, Any]) -> bool:
    """Whether a function is one of Keras' activations, which it finds by name."""
    import keras

    return callable(getattr(keras.activations, str(config.get("config")), None))


def _code_in(config: Any) -> Iterator[str]:
    """Name every place in a configuration where loading would run code, or a class of others."""
    if isinstance(config, list):
        for item in config:
            yield from _code_in(item)
        return
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    if kind in ("Lambda", "__lambda__", "TFSMLayer"):
        inner = config.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        yield f"a {kind} layer{f' {name!r}' if name else ''}"
    elif kind == "function" and module == "builtins" and not _is_keras_function(config):
        yield f"the function {config.get('config')!r}"
    elif isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins", "tf_keras"):
        yield f"the class {module}.{kind}"
    for item in config.values():
        yield from _code_in(item)
