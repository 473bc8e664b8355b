"""Where models are: those that come with the package, and those of the user."""

from __future__ import annotations

import os
from pathlib import Path

from weights_keras.formats import SUFFIXES

FOLDER = Path(__file__).parent  # the models of the package; it is only read
HOME = "XAI_TF_HOME"


def home() -> Path:
    """The user's data folder, for what they make: models and searches. It need not exist.

    It is the folder that the environment variable `XAI_TF_HOME` names, or else `xai-tf` where the
    system keeps the data of programs, such as `~/.local/share` on Linux.
    """
    from platformdirs import user_data_path

    given = os.environ.get(HOME)
    return Path(given).expanduser().absolute() if given else user_data_path("xai-tf", False)


def own_folder() -> Path:
    """The user's folder of models: what is trained, tuned and fetched is stored there."""
    return home() / "models"


def find(name: str) -> Path:
    """The file of the model with a name. It need not exist.

    A model of the user comes before one of the same name in the package.
    """
    own = (own_folder() / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in own if path.is_file()), FOLDER / f"{name}.keras")


def own_files() -> list[Path]:
    """The model files in the user's folder, in alphabetical order, with or without a card."""
    files = own_folder().iterdir() if own_folder().is_dir() else ()
    return sorted(path for path in files if path.suffix in SUFFIXES and path.is_file())
