"""What a model file is, by its content, and what to do with one that Keras cannot load."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weights_keras.architecture import two_files
from weights_keras.errors import ModelFileError
from weights_keras.saved_model import saved_model_folder

KERAS, HDF5 = ".keras", ".h5"
SUFFIXES = (KERAS, HDF5, ".hdf5")
# The members of a .keras archive, which some tools leave unzipped in a folder.
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBERS = (CONFIG, METADATA, WEIGHTS)
CONVERT = "Convert it to Keras, or give what runs it to xai_tf.from_function in Python."


def content_of(path: Path) -> str:
    """The format of a model file: ".keras" or ".h5", whatever its name.

    Raises:
        ModelFileError: it is neither; the text says what it is and what to do.
    """
    if path.is_dir():
        if is_model_folder(path) and not saved_model_folder(path):
            return KERAS
        raise ModelFileError(_of_folder(path))
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise ModelFileError(f"Cannot read {path}: {error.strerror or error}.") from error
    if start == b"\x89HDF\r\n\x1a\n":
        return HDF5
    if start[:4] == b"PK\x03\x04" and _is_keras_archive(path):
        return KERAS
    raise ModelFileError(_of_file(path, start))


@contextmanager
def with_its_suffix(path: Path) -> Iterator[Path]:
    """The file under a name that says what it is, as Keras needs it: itself, or a copy.

    Raises:
        ModelFileError: it is no Keras model.
    """
    kind = content_of(path)
    if path.is_file() and path.suffix in ((kind, ".hdf5") if kind == HDF5 else (kind,)):
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, f"{path.stem or path.name}{kind}")
        if path.is_dir():
            with zipfile.ZipFile(copy, "w") as archive:
                for name in MEMBERS:
                    archive.write(path / name, name)
        else:
            shutil.copy(path, copy)
        yield copy


def fingerprint(path: Path) -> str:
    """The SHA-256 of a model file; of one in several files that of these, one after the other."""
    digest = hashlib.sha256()
    for file in model_files(path):
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def is_model_folder(path: Path) -> bool:
    """Whether a folder holds one model: a SavedModel, or an unzipped `.keras` archive."""
    if not path.is_dir():
        return False
    return saved_model_folder(path) is not None or all((path / name).is_file() for name in MEMBERS)


def model_files(path: Path) -> list[Path]:
    """The files of a model that is given by one of them or by their folder."""
    if folder := saved_model_folder(path):
        return sorted(file for file in folder.rglob("*") if file.is_file())
    if path.is_dir():
        return [path / name for name in MEMBERS]
    return list(two_files(path) or [path])


def _is_keras_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return CONFIG in archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise ModelFileError(
            f"{path} is damaged, truncated, or not a Keras model ({error}). Copy it again."
        ) from error


def _of_folder(path: Path) -> str:
    found = sorted(p.name for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if found:
        return f"{path} is a folder. Give the model file in it, such as {path / found[0]}."
    return f"{path} is a folder without a Keras model. Give a .keras or .h5 file of a whole model."


def _of_file(path: Path, start: bytes) -> str:
    suffix = path.suffix.lower()
    if not start:
        return f"{path} is empty (0 bytes). Copy it again."
    if suffix == ".pb":
        return f"{path} is a frozen TensorFlow graph, which Keras cannot load. {CONVERT}"
    if start[4:8] == b"TFL3" or suffix == ".tflite":
        return f"{path} is a TensorFlow Lite model, which Keras cannot load. {CONVERT}"
    if suffix == ".onnx":
        return f"{path} is an ONNX model, which Keras cannot load. {CONVERT}"
    if suffix in (".pt", ".pth", ".ckpt", ".safetensors") or _is_torch(path, start):
        return f"{path} is a PyTorch file, which Keras cannot load. {CONVERT}"
    if suffix == ".json":
        return (
            f"{path} is the architecture of a model without its weights. Put them beside it as "
            f"{path.stem}.weights.h5 or {path.stem}.h5."
        )
    if suffix in SUFFIXES:
        return (
            f"{path} is damaged, truncated, or not a Keras model: it is neither a .keras nor "
            "an .h5 file. Copy it again."
        )
    return f"{path} is not a Keras model file. Give a .keras or .h5 file of a whole model."


def _is_torch(path: Path, start: bytes) -> bool:
    if start[:4] != b"PK\x03\x04":
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("data.pkl") for name in archive.namelist())
