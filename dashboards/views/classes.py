"""The classes of a model as options of a select widget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import weights_keras
from dashboards.language import t
from dashboards.service.requests import ModelEntry
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.imagenet import cache_folder
from xai_tf.tasks import find_task


def model_title(model: ModelEntry) -> str:
    """What a model is for, and its backbone: "Lung opacity, MobileNetV2"."""
    task = find_task(model.task).title if model.task else ""
    return t(task) + model.title.removeprefix(task) if model.title.startswith(task) else model.title


def model_label(model: ModelEntry) -> str:
    """What a model is called: by its title if it comes with the package or with Keras.

    Else by its name first.
    """
    known = (weights_keras.FOLDER, cache_folder())
    if model.path.parent in known or model.title == model.name:
        return model_title(model)
    return f"{model.name}: {model_title(model)}"


def class_options(classes: Sequence[str]) -> dict[str, int]:
    """Class index by name, in the model's order; duplicate names get their index appended."""
    names = [readable(name) for name in classes]
    count = Counter(names)
    return {
        name if count[name] == 1 else f"{name} ({label})": label for label, name in enumerate(names)
    }
