"""Shell completion of names: quick, from tables that load no TensorFlow.

Each function gets the incomplete word and returns (completion, help) pairs.
"""

from __future__ import annotations

from collections.abc import Iterable

import weights_keras
from xai_tf.attribution.methods import METHODS, Method
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.classifiers.imagenet import APPLICATIONS, PREFIX
from xai_tf.classifiers.preprocessing import SCALINGS
from xai_tf.classifiers.returns import RETURNS
from xai_tf.datasets.csv_labels import UNCERTAIN
from xai_tf.datasets.layouts import LAYOUTS
from xai_tf.inputs.resizing import RESIZERS
from xai_tf.metrics.metric import METRICS, Metric
from xai_tf.regions.registry import PARTITIONS
from xai_tf.tasks import TASKS

Completions = list[tuple[str, str]]


def methods(incomplete: str) -> Completions:
    """Names of attribution methods."""
    return _matching(incomplete, ((m.name, m.title) for m in METHODS.values()))


def method_lists(incomplete: str) -> Completions:
    """Names of attribution methods, after those that are already given before a comma."""
    before, comma, last = incomplete.rpartition(",")
    names = [(m.name, m.title) for m in METHODS.values() if m.name not in before.split(",")]
    return [(f"{before}{comma}{name}", title) for name, title in _matching(last.strip(), names)]


def metrics(incomplete: str) -> Completions:
    """Names of metrics, after those that are already given before a comma."""
    before, comma, last = incomplete.rpartition(",")
    names = ((m.name, m.title) for m in METRICS.values() if m.name not in before.split(","))
    found = _matching(last.strip(), [*names, *([] if comma else [("all", "all metrics")])])
    return [(f"{before}{comma}{name}", title) for name, title in found]


def settings(incomplete: str) -> Completions:
    """METHOD.SETTING= and METRIC.SETTING=, and after these the names of values."""
    entries: list[Method | Metric] = [*METHODS.values(), *METRICS.values()]
    found: Completions = []
    for entry in entries:
        for name, option in entry.options.items():
            setting = f"{entry.name}.{name}="
            found.append((setting, f"{entry.title}: {option.doc}"))
            if incomplete.startswith(setting):
                found += [(f"{setting}{value}", told) for value, told in option.names.items()]
    return _matching(incomplete, found)


def tasks(incomplete: str) -> Completions:
    """Names of tasks."""
    return _matching(incomplete, ((task.name, task.title) for task in TASKS.values()))


def models(incomplete: str) -> Completions:
    """Names of models; where none matches, the shell completes file names."""
    own = {path.stem for path in weights_keras.own_files()}
    found = [(n, "your model" if n in own else "bundled model") for n in weights_keras.names()]
    stock = ((f"{PREFIX}{name}", entry.title) for name, entry in APPLICATIONS.items())
    return _matching(incomplete, [*found, *(stock if incomplete else [])])


def absent_models(incomplete: str) -> Completions:
    """Names of the models that can be fetched."""
    absent = (name for name in weights_keras.names() if not weights_keras.find(name).is_file())
    return _matching(incomplete, ((name, "not fetched yet") for name in absent))


def backbones(incomplete: str) -> Completions:
    """Names of backbones."""
    return _matching(incomplete, ((name, entry.title) for name, entry in BACKBONES.items()))


def returns(incomplete: str) -> Completions:
    """What a model may return."""
    return _matching(incomplete, RETURNS.items())


def resizers(incomplete: str) -> list[tuple[str, str]]:
    """Ways to resize pictures."""
    return _matching(incomplete, ((name, entry.title) for name, entry in RESIZERS.items()))


def preprocessing(incomplete: str) -> Completions:
    """Names of preprocessings."""
    return _matching(incomplete, ((name, entry.title) for name, entry in SCALINGS.items()))


def partitions(incomplete: str) -> Completions:
    """Names of partitions into regions."""
    return _matching(incomplete, ((name, entry.title) for name, entry in PARTITIONS.items()))


def layouts(incomplete: str) -> Completions:
    """Names of data layouts."""
    return _matching(incomplete, ((name, "") for name in ("auto", *LAYOUTS)))


def uncertain(incomplete: str) -> Completions:
    """What an uncertain finding may count as."""
    return _matching(incomplete, ((name, "") for name in UNCERTAIN))


def splits(incomplete: str) -> Completions:
    """Names of splits."""
    return _matching(incomplete, ((name, "") for name in ("train", "validation", "test")))


def _matching(incomplete: str, pairs: Iterable[tuple[str, str]]) -> Completions:
    return [(name, title) for name, title in pairs if name.startswith(incomplete)]
