"""A model in two files: its architecture as JSON, and its weights."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weights_keras.errors import ModelFileError

WEIGHTS = ".weights.h5"


def two_files(path: Path) -> tuple[Path, Path] | None:
    """The architecture and the weights of a model that is given by one of them; None if one lacks.

    The weights of `name.json` are `name.weights.h5` or `name.h5` beside it.
    """
    if path.suffix == ".json" and path.is_file():
        found = [path.with_suffix(suffix) for suffix in (WEIGHTS, ".h5")]
        weights = next((file for file in found if file.is_file()), None)
        return (path, weights) if weights else None
    if path.suffix == ".h5" and path.is_file() and _has_only_weights(path):
        name = path.name.removesuffix(".h5").removesuffix(".weights")
        architecture = path.with_name(f"{name}.json")
        return (architecture, path) if architecture.is_file() else None
    return None


@contextmanager
def one_file(architecture: Path, weights: Path) -> Iterator[Path]:
    """Both files as one, in the format that Keras writes whole models in: `.keras` or `.h5`.

    Raises:
        ModelFileError: there is no architecture in the first, or no weights in the second.
    """
    import h5py

    config = _read_architecture(architecture)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with h5py.File(weights) as source:
                legacy = "layer_names" in source.attrs
                whole = Path(scratch, f"{architecture.stem}{'.h5' if legacy else '.keras'}")
                if legacy:
                    _write_h5(whole, config, source)
        except OSError as error:
            raise ModelFileError(f"Cannot read the weights in {weights} ({error}).") from error
        if not legacy:
            with zipfile.ZipFile(whole, "w") as archive:
                version = {"keras_version": config.get("keras_version", "3")}
                archive.writestr("metadata.json", json.dumps(version))
                archive.writestr("config.json", json.dumps(config))
                archive.write(weights, "model.weights.h5")
        yield whole


def _write_h5(path: Path, config: Any, weights: Any) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = str(config.get("keras_version", "2"))
        group = file.create_group("model_weights")
        group.attrs.update(weights.attrs)
        for name in weights:
            weights.copy(name, group)


def _read_architecture(path: Path) -> Any:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"Cannot read the architecture in {path} ({error}).") from error
    if not isinstance(config, dict) or "class_name" not in config:
        raise ModelFileError(
            f"{path} is no architecture of a model. Expected what model.to_json() returns."
        )
    return config


def _has_only_weights(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path) as file:
            return "model_config" not in file.attrs
    except OSError:
        return False
