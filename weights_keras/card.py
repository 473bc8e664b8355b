"""Model cards: Markdown with YAML front matter, the convention of the Hugging Face Hub."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

# Names in the cards of the first edition, which are still read.
EARLIER_FIELDS = {"gate_sha256": "ood_sha256"}
# Left out where they are empty.
OPTIONAL_FIELDS = (
    *("tuning", "ood_sha256", "scaling", "resize", "thresholds"),
    *("output", "inputs", "returns"),
)
EARLIER_MEASURES = {"unfamiliar": "out_of_distribution"}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number about a model on one named set, with its 95% interval.

    Attributes:
        name: such as "accuracy" or "auc"; "out_of_distribution" is the share of files that the
            model's OOD detector flags, "wrong with p > 0.9, not warned of" that of files which are
            predicted wrongly with such a probability and not flagged.
        split: the name of the set it was measured on.
        value, low, high: the number and the ends of its interval.
        count: the number of files it was measured on.
    """

    name: str
    split: str
    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The facts about a trained model.

    Attributes:
        name: the name of the model and of its files.
        task: the name of its task, or its definition as JSON text where it is a user's own.
        classes: the class names, in the order of the outputs.
        backbone: the name of the pretrained network it is built on.
        image_size: (height, width) of the input.
        preprocessing: what must be done to RGB in [0, 1] before it is given to the model, in words.
        scaling: the same as a name that `xai_tf` applies, such as "caffe"; empty where the card
            does not say.
        resize: how pictures are resized to the input, a name that `xai_tf` knows, such as
            "nearest"; empty for its default.
        returns: what the outputs are, a name that `xai_tf` knows, such as "logits", where the file
            does not show it; empty where it does.
        thresholds: for a model of several labels the probability from which each is predicted, 0.5
            for a label that is not named.
        output: of a model with several outputs the one that classes and thresholds are about; empty
            for its default.
        inputs: the values at which inputs beside the picture are held, by name.
        returns: what the outputs are, a name that `xai_tf` knows, such as "logits"; empty where the
            model shows it.
        license: the license of the weights: an SPDX identifier, or "other".
        datasets: the data sets it was trained on, with the terms of each.
        metrics: the results on the named sets.
        command: the command that trains it again.
        tuning: for a tuned model the search space, the winner and its lineage, the seeds, a digest
            of the data, calibration and threshold; empty for others.
        sha256, size: SHA-256 and bytes of the `.keras` file.
        ood_sha256: SHA-256 of the `.ood.npz` file, the OOD detector; empty where there is none.
        text: the Markdown below the front matter.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    backbone: str
    image_size: tuple[int, int] = (224, 224)
    preprocessing: str = "inside the model: give RGB in [0, 1]"
    scaling: str = ""
    resize: str = ""
    thresholds: dict[str, float] = field(default_factory=dict)
    output: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    returns: str = ""
    license: str = "other"
    datasets: tuple[str, ...] = ()
    metrics: tuple[Measure, ...] = ()
    command: str = ""
    tuning: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    size: int = 0
    ood_sha256: str = ""
    text: str = field(default="", repr=False)

    @property
    def task_name(self) -> str:
        """The name of its task, for people."""
        return json.loads(self.task)["name"] if self.task.startswith("{") else self.task

    def _repr_markdown_(self) -> str:
        return self.text  # as a notebook shows it

    def to_markdown(self) -> str:
        """The text of the card file."""
        import yaml

        front = {"library_name": "keras", "pipeline_tag": "image-classification"}
        front |= {
            name: value
            for name, value in asdict(self).items()
            if name != "text" and (value or name not in OPTIONAL_FIELDS)
        }
        if self.task.startswith("{"):
            front["task"] = json.loads(self.task)
        dumped = yaml.safe_dump(_plain(front), sort_keys=False, allow_unicode=True, width=96)
        return f"---\n{dumped}---\n{self.text.strip()}\n"


def read_card(path: Path) -> ModelCard:
    """Read a card file, of this version or an earlier one.

    Raises:
        ValueError: the file has no front matter, or lacks a name, a task or the classes.
    """
    import yaml

    try:
        _, front, text = path.read_text(encoding="utf-8").split("---\n", 2)
        loaded = _with_current_names(yaml.safe_load(front))
        values = {f.name: loaded[f.name] for f in fields(ModelCard) if f.name in loaded}
        values["metrics"] = tuple(Measure(**measure) for measure in values.get("metrics") or ())
        for name in ("classes", "datasets"):
            values[name] = tuple(map(str, values.get(name) or ()))
        values["image_size"] = tuple(map(int, values.get("image_size") or (224, 224)))
        values["task"] = _task_key(values["task"])
        limits = values.get("thresholds") or {}
        values["thresholds"] = {str(label): float(limit) for label, limit in limits.items()}
        values["inputs"] = {str(name): held for name, held in (values.get("inputs") or {}).items()}
        for name in ("output", "returns"):
            values[name] = str(values.get(name) or "")
        return ModelCard(**values, text=text.strip())
    except (TypeError, KeyError, ValueError, AttributeError, yaml.YAMLError) as error:
        cause = " ".join(str(error).split())
        raise ValueError(f"Cannot read {path} as a model card: {cause}") from error


def _with_current_names(front: dict[str, Any]) -> dict[str, Any]:
    """Front matter in which names of earlier versions are replaced by the current ones."""
    renamed = {EARLIER_FIELDS.get(name, name): value for name, value in front.items()}
    metrics = renamed.get("metrics") or ()
    return renamed | {
        "metrics": [m | {"name": EARLIER_MEASURES.get(m["name"], m["name"])} for m in metrics]
    }


def _task_key(task: Any) -> str:
    """A task by name, or the definition of a user's own as JSON text."""
    if isinstance(task, dict):
        return json.dumps(task, sort_keys=True, ensure_ascii=False)
    return str(task)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
