"""The folder of models: find, verify and load them, and save one atomically."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights_keras.architecture import one_file, two_files
from weights_keras.card import ModelCard, read_card
from weights_keras.errors import ModelFileError as ModelFileError
from weights_keras.formats import CONFIG, KERAS, METADATA, WEIGHTS, fingerprint, with_its_suffix
from weights_keras.formats import SUFFIXES as SUFFIXES
from weights_keras.legacy import (
    UnknownOperationError,
    modernize_config,
    name_operations,
    rename_weights,
)
from weights_keras.legacy import (
    operations as legacy_operations,
)
from weights_keras.places import FOLDER, find, own_files
from weights_keras.saved_model import load_saved_model, saved_model_folder

if TYPE_CHECKING:
    import keras
    import numpy as np

OOD = ".ood.npz"
EARLIER_OOD = ".gate.npz"  # the suffix in the first edition
HALVED_SIZE = 4096  # weights of a kernel from which storing it as float16 saves space
MODEL = "model"  # the array of an OOD file with the SHA-256 of the model file it belongs to
REBUILD = (
    "Rebuild that layer from plain Keras layers and save again. Or, if you trust the file, load it "
    "with keras.models.load_model(path, safe_mode=False) and give the model to xai_tf.load in "
    "Python."
)
OWN_CLASS = (
    "If it is your own, register it with keras.saving.register_keras_serializable, import it, and "
    "load the file in Python. Or rebuild it from plain Keras layers and save again."
)

Arrays = dict[str, "np.ndarray"]


def names(folder: Path | None = None) -> list[str]:
    """The names of the models in a folder that have a card, in alphabetical order.

    Without a folder, those of the package and of the user, whose models need no card.
    """
    if folder is None:
        return sorted({*names(FOLDER), *(path.stem for path in own_files())})
    return sorted(
        path.stem
        for path in folder.glob("*.md")
        if path.with_suffix(".keras").is_file() or is_card(path)
    )


def load(name: str, folder: Path | None = None) -> tuple[keras.Model, ModelCard]:
    """Load a model that has a card by name, after verifying its file against the hash in it.

    >>> model, card = load("brain_mobilenetv2")
    >>> card.classes
    ('glioma', 'meningioma', 'notumor', 'pituitary')

    Args:
        name: the name of the model.
        folder: the folder it is in. By default the user's, or else the package's.

    Raises:
        ModelFileError: there is no such model, its file is missing, or it differs from the card.
    """
    path = folder / f"{name}.keras" if folder else find(name).with_suffix(".keras")
    if not path.with_suffix(".md").is_file():
        raise ModelFileError(f"There is no card of a model {name!r} in {path.parent}.")
    try:
        card = read_card(path.with_suffix(".md"))
    except ValueError as error:
        raise ModelFileError(f"{error}. Restore the card.") from error
    again = f"Train it with: {card.command}"
    if path.parent == FOLDER:
        again = f"Fetch it with `xai-tf models fetch {name}`, or train it with: {card.command}"
    if not path.is_file():
        raise ModelFileError(f"The weights of {name!r} are not on this machine. {again}")
    if card.sha256 and _sha256(path) != card.sha256:
        raise ModelFileError(
            f"{path} is not the file its card describes: the SHA-256 differs. Move it. {again}"
        )
    return load_file(path), card


def load_file(path: Path) -> keras.Model:
    """Load a Keras model without ever running code that is stored in it.

    It is a `.keras` or legacy `.h5` file, whatever its name, an unzipped `.keras` archive, an
    architecture as JSON with its weights beside it (`two_files`), or the folder of a SavedModel.

    Keras' safe mode is on. The configuration is searched for code before that (Lambda layers,
    pickled functions, classes from outside Keras), so that the error can name it.

    Raises:
        ModelFileError: the file is missing or damaged, is no model, or contains code.
    """
    if not path.exists():
        raise ModelFileError(f"There is no model file {path}. Check the name.")
    if folder := saved_model_folder(path):
        return load_saved_model(folder)
    if files := two_files(path):
        with one_file(*files) as whole:
            return _load(path, whole)
    with with_its_suffix(path) as named:
        return _load(path, named)


def _load(path: Path, named: Path) -> keras.Model:
    """Load a model from a file whose name says what it is; messages call it `path`."""
    config = _config(path, named)
    for cause in _code_in(_architecture(config)):
        raise ModelFileError(
            f"{path} contains code: {cause}. It is not loaded, because code in a model can do "
            f"anything to your machine. {OWN_CLASS if cause.startswith('the class') else REBUILD}"
        )
    import keras

    operations: dict[str, type] = {}
    if named.suffix.lower() != ".keras":
        config, operations = name_operations(config)
    try:
        with _readable(named, config, changed=bool(operations)) as file:
            return keras.models.load_model(
                file,
                custom_objects=operations | legacy_operations(),
                compile=False,
                safe_mode=True,
            )
    except UnknownOperationError as error:
        raise ModelFileError(
            f"{path} contains the TensorFlow operation {error}, which Keras 3 cannot load. Save "
            "the model without it; if it scaled the colors, use --preprocessing caffe, tf or "
            "torch."
        ) from error
    except Exception as error:  # Keras raises many types on a damaged file
        if operations:
            listed = ", ".join(kind.__name__ for kind in operations.values())
            raise ModelFileError(
                f"{path} contains operations ({listed}), such as those of preprocess_input, "
                "which a legacy .h5 file cannot hold: Keras itself cannot load it. "
                'Save it again with model.save("model.keras").'
            ) from error
        if unknown := re.search(r"Could not locate class '(\w+)'", str(error)):
            raise ModelFileError(
                f"{path} contains the class {unknown[1]!r}, which Keras does not know. {OWN_CLASS}"
            ) from error
        raise ModelFileError(
            f"Keras {keras.__version__} cannot load {path} ({_reason(error)}). Save it again with "
            "model.save(), from the Keras version it was trained with."
        ) from error


def compiled_loss(path: Path) -> Any:
    """The loss that a model file was compiled with, as Keras stores it; None without one.

    A name, the configuration of a loss, or a list or dict of those by output. Nothing is loaded. A
    SavedModel and an architecture with its weights in two files do not store it.

    Raises:
        ModelFileError: the file is no Keras model.
    """
    if saved_model_folder(path) or two_files(path):
        return None
    with with_its_suffix(path) as named:
        if named.suffix.lower() == ".keras":
            compiled = _config(path, named).get("compile_config")
        else:
            import h5py

            with h5py.File(named) as file:
                compiled = json.loads(file.attrs.get("training_config") or "null")
    return (compiled or {}).get("loss")


def ood_file(path: Path) -> Path:
    """The path of the OOD detector that belongs to a model file: `<name>.ood.npz` beside it.

    Where only the earlier `<name>.gate.npz` exists, that path.
    """
    file, earlier = (path.with_name(f"{path.stem}{suffix}") for suffix in (OOD, EARLIER_OOD))
    return earlier if earlier.is_file() and not file.is_file() else file


def _new_ood_file(path: Path) -> Path:
    return path.with_name(f"{path.stem}{OOD}")


def load_ood_detector(path: Path, sha256: str, card: ModelCard | None = None) -> Arrays | None:
    """Load the arrays of a model's OOD detector; None where the model has none.

    Args:
        path: the model file.
        sha256: the SHA-256 of the model file.
        card: the card of the model, which may name the SHA-256 of the OOD file.

    Raises:
        ModelFileError: the OOD file is damaged, belongs to another model, or differs from the card.
    """
    import numpy as np

    file, expected = ood_file(path), card.ood_sha256 if card else ""
    if not file.is_file():
        if expected:
            raise ModelFileError(f"{file} is missing, though the card of the model names it.")
        return None
    if expected and _sha256(file) != expected:
        raise ModelFileError(f"{file} is not the file its card describes: the SHA-256 differs.")
    try:
        # Opened here, because NumPy leaves a damaged file open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        owner = str(arrays.pop(MODEL))
    except Exception as error:  # zip, zlib and NumPy raise many things on a damaged file
        raise ModelFileError(f"{file} is damaged or truncated ({_reason(error)}).") from error
    if owner != sha256:
        raise ModelFileError(f"{file} belongs to another model file.")
    return arrays


def save_ood_detector(
    arrays: Arrays, path: Path, card: ModelCard | None = None
) -> ModelCard | None:
    """Write the OOD detector of a model file, then the card, each atomically.

    Returns:
        The card as written, with the SHA-256 of the OOD file; None where no card was given.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as scratch:
        file = Path(scratch, _new_ood_file(path).name)
        _write_ood_detector(file, arrays, fingerprint(path))
        if card:
            card = replace(card, ood_sha256=_sha256(file))
            text = Path(scratch, path.with_suffix(".md").name)
            text.write_text(card.to_markdown(), encoding="utf-8")
        file.replace(_new_ood_file(path))
        path.with_name(f"{path.stem}{EARLIER_OOD}").unlink(missing_ok=True)
        if card:
            text.replace(path.with_suffix(".md"))
    return card


def save(
    model: keras.Model,
    card: ModelCard,
    folder: Path,
    half: bool = False,
    check: Callable[[Path], None] = lambda file: None,
    ood_detector: Arrays | None = None,
) -> ModelCard:
    """Write `<name>.keras`, `<name>.ood.npz` and `<name>.md`, each atomically and in this order.

    Args:
        model: the model.
        card: its card; the name in it names the files.
        folder: the folder to write to; it is created.
        half: store the weights as float16, in half the space. Keras loads them as float32.
        check: called with the new model file before it replaces the old one; may raise to keep the
            old one.
        ood_detector: the arrays of `OODDetector.arrays`. Without them an OOD file that exists is
            deleted, because it belongs to the older model.

    Returns:
        The card as written, with the SHA-256 of the files and the size of the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
        file = Path(scratch, f"{card.name}.keras")
        model.save(file)
        if half:
            _halve(file)
        check(file)
        card = replace(card, sha256=_sha256(file), size=file.stat().st_size, ood_sha256="")
        ood = Path(scratch, _new_ood_file(file).name)
        if ood_detector is not None:
            _write_ood_detector(ood, ood_detector, card.sha256)
            card = replace(card, ood_sha256=_sha256(ood))
        text = Path(scratch, f"{card.name}.md")
        text.write_text(card.to_markdown(), encoding="utf-8")
        file.replace(folder / file.name)
        for suffix in (OOD, EARLIER_OOD):
            (folder / f"{card.name}{suffix}").unlink(missing_ok=True)
        if ood_detector is not None:
            ood.replace(folder / ood.name)
        text.replace(folder / text.name)
    return card


def save_card(card: ModelCard, path: Path) -> Path:
    """Write the card of a model file beside it, atomically, with the file's SHA-256 and size.

    Returns:
        The file of the card.

    Raises:
        ModelFileError: a file of that name is there that is no card, or it cannot be written.
    """
    file = path.with_suffix(".md")
    if file.exists() and not is_card(file):
        raise ModelFileError(
            f"Cannot write the card {file}: a file of that name exists that is not a model card. "
            "Move it."
        )
    card = replace(card, sha256=fingerprint(path), size=path.stat().st_size)
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".saving-") as scratch:
            text = Path(scratch, file.name)
            text.write_text(card.to_markdown(), encoding="utf-8")
            text.replace(file)
    except OSError as error:
        raise ModelFileError(
            f"Cannot write the card {file}: {error.strerror or error}. Copy the model to a folder "
            "you can write to."
        ) from error
    return file


def _write_ood_detector(file: Path, arrays: Arrays, sha256: str) -> None:
    import numpy as np

    contents: dict[str, Any] = {MODEL: np.array(sha256), **arrays}
    np.savez(file, **contents)


def _halve(path: Path) -> None:
    """Rewrite the large kernels inside a `.keras` file as float16.

    Batch normalization and depthwise kernels are a twentieth of a MobileNetV2, and nearly all of
    the error: as float16 too they move its logits by 0.26, the other kernels by 0.01.
    """
    import h5py
    import numpy as np

    whole = path.with_suffix(".whole")
    path.replace(whole)
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
                            value = item[()]
                            if _tolerates_float16(value):
                                value = value.astype(np.float16)
                            made = target.create_dataset(place, data=value)
                        made.attrs.update(item.attrs)

                    source.visititems(copy)
                content = buffer.getvalue()
            new.writestr(name, content)
    whole.unlink()


def _tolerates_float16(weights: np.ndarray) -> bool:
    """Whether weights are a kernel that mixes many channels, in which roundings cancel out."""
    mixes = weights.ndim > 1 and weights.shape[-1] > 1
    return mixes and weights.dtype == "float32" and weights.size >= HALVED_SIZE


@contextmanager
def _readable(path: Path, config: Any, changed: bool) -> Iterator[Path]:
    """The file itself, or a copy that Keras 3 can read: of a Keras 2 file, or of a changed one."""
    old_keras = _is_keras_2(path)
    if not (old_keras or changed):
        yield path
        return
    new = json.dumps(modernize_config(config) if old_keras else config)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, path.name)
        if path.suffix.lower() == KERAS:
            _with_config(path, copy, new, config)
        else:
            import h5py

            shutil.copy(path, copy)
            with h5py.File(copy, "a") as file:
                file.attrs["model_config"] = new
        yield copy


def _with_config(path: Path, copy: Path, config: str, old_config: Any) -> None:
    """Copy a Keras 2 archive with another configuration, and its weights as Keras 3 names them."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = config.encode() if name == CONFIG else old.read(name)
            new.writestr(name, _renamed(content, old_config) if name == WEIGHTS else content)


def _renamed(weights: bytes, config: Any) -> bytes:
    import h5py

    buffer = io.BytesIO(weights)
    with h5py.File(buffer, "a") as file:
        rename_weights(file, config)
    return buffer.getvalue()


def _is_keras_2(path: Path) -> bool:
    if path.suffix.lower() == KERAS:
        with zipfile.ZipFile(path) as archive:
            stored = json.loads(archive.read(METADATA)) if METADATA in archive.namelist() else {}
        return str(stored.get("keras_version", "3")).startswith("2")
    import h5py

    with h5py.File(path) as file:
        return not str(file.attrs.get("keras_version", "2")).startswith("3")


def _reason(error: Exception) -> str:
    """The cause that Keras reports, which it puts last, in one line."""
    text = str(error).split("Exception encountered:")[-1].strip() or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")


def is_card(path: Path) -> bool:
    """Whether a file is there and begins like a model card."""
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline() == "---\n" and "library_name: keras" in file.readline()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config(path: Path, named: Path) -> Any:
    """The configuration inside a model file, as plain data."""
    try:
        if named.suffix.lower() == ".keras":
            with zipfile.ZipFile(named) as archive:
                return json.loads(archive.read("config.json"))
        import h5py

        with h5py.File(named) as file:
            if "model_config" not in file.attrs:
                raise ModelFileError(
                    f"{path} contains weights without the model they belong to. Put what "
                    f"model.to_json() returns beside them as {path.name.split('.')[0]}.json; or "
                    "build the model in Python, load them with model.load_weights(), and save both "
                    "with model.save('model.keras')."
                )
            return json.loads(file.attrs["model_config"])
    except ModelFileError:
        raise
    except Exception as error:  # zip, zlib, json and h5py raise many things on a damaged file
        raise ModelFileError(
            f"{path} is damaged, truncated, or not a Keras model ({error}). Copy it again."
        ) from error


def _architecture(config: Any) -> Any:
    """The configuration without the part that only training would load."""
    if not isinstance(config, dict):
        return config
    return {key: item for key, item in config.items() if key != "compile_config"}


def _is_keras_function(config: dict[str, Any]) -> bool:
    """Whether a function is one of Keras' activations, which Keras looks up by name."""
    import keras

    return callable(getattr(keras.activations, str(config.get("config")), None))


def _is_registered(config: dict[str, Any]) -> bool:
    """Whether a class is registered in this process, so that its code has run already."""
    import keras

    name = config.get("registered_name")
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def _code_in(config: Any) -> Iterator[str]:
    """Describe each entry of a configuration that is code, or a class from outside Keras."""
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
    elif (
        isinstance(module, str)
        and module.split(".")[0] not in ("keras", "builtins", "tf_keras")
        and not _is_registered(config)
    ):
        yield f"the class {module}.{kind}"
    for item in config.values():
        yield from _code_in(item)
