"""The search space as data: one name, one parameter; and a linter that reads it before a search.

A space is a dict of `Parameter`s. What it does not name has the value in `DEFAULTS`. Parameters of
a dense layer end in its number: `units_1`, `l1_2`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.errors import SettingError, UnknownNameError, nearest

if TYPE_CHECKING:
    import keras_tuner as kt

Value = int | float | str
Space = Mapping[str, "Parameter"]

ACTIVATIONS = ("relu", "elu", "selu", "gelu", "swish", "tanh")
OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
POOLINGS = ("average", "flatten")

# What a parameter is where the space does not name it; a layer's number is left out.
DEFAULTS: dict[str, Value] = {
    "backbone": "",
    "unfreeze": 0,
    "pooling": "average",
    "dense_layers": 2,
    "units": 256,
    "activation": "relu",
    "dropout": 0.0,
    "l1": 0.0,
    "l2": 0.0,
    "learning_rate": 1e-3,
    "optimizer": "adam",
}
LAYERED = ("units", "l1", "l2")
# Lowest and highest value that makes sense.
LIMITS: dict[str, tuple[float, float]] = {
    "unfreeze": (-1, 10_000),
    "dense_layers": (0, 8),
    "units": (1, 16_384),
    "dropout": (0, 0.95),
    "l1": (0, 10),
    "l2": (0, 10),
    "learning_rate": (1e-8, 10),
}
NAMES: dict[str, tuple[str, ...]] = {
    "backbone": tuple(BACKBONES),
    "activation": ACTIVATIONS,
    "optimizer": OPTIMIZERS,
    "pooling": POOLINGS,
}


@dataclass(frozen=True)
class Parameter:
    """What one parameter may be.

    Attributes:
        values: every value, in order; empty for a range without steps.
        low, high: the range, where there are no values.
        log: whether the range is drawn by its logarithm.
        end: the end that was asked for, where `values` were counted in steps.
    """

    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    end: float | None = None

    def __str__(self) -> str:
        if self.values:
            return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in self.values)
        return f"{self.low:g} to {self.high:g}{', by its logarithm' if self.log else ''}"

    @property
    def count(self) -> float:
        """How many values there are; infinity for a range."""
        return len(self.values) or math.inf


def choice(*values: Value) -> Parameter:
    """These values."""
    return Parameter(values)


def ints(low: int, high: int, step: int = 1) -> Parameter:
    """Whole numbers from `low` to `high`, `step` apart."""
    return Parameter(tuple(range(low, high + 1, step)), end=high)


def floats(low: float, high: float, step: float) -> Parameter:
    """Numbers from `low` to `high`, `step` apart."""
    count = math.floor((high - low) / step + 1e-9) + 1
    return Parameter(tuple(round(low + i * step, 12) for i in range(count)), end=high)


def logs(low: float, high: float) -> Parameter:
    """Any number between, drawn by its logarithm."""
    return Parameter(low=low, high=high, log=True)


_RATES = choice(1e-3, 1e-4, 1e-5)
SEEDS: dict[str, Parameter] = {
    "units_1": ints(128, 512, step=128),
    "units_2": ints(128, 512, step=128),
    "learning_rate": _RATES,
    "dropout": choice(0.0, 0.1, 0.2),
    "l1_1": _RATES,
    "l2_1": _RATES,
    "l1_2": _RATES,
    "l2_2": _RATES,
}


@dataclass(frozen=True)
class Dense:
    """A dense layer of a head: its width and the penalties on its kernel."""

    units: int
    l1: float
    l2: float


@dataclass(frozen=True)
class Configuration:
    """One point of a space: everything that makes a model and its training."""

    backbone: str
    unfreeze: int
    pooling: str
    dense: tuple[Dense, ...]
    activation: str
    dropout: float
    learning_rate: float
    optimizer: str

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for cards and hashes."""
        return asdict(self)


def configuration(values: Mapping[str, Value]) -> Configuration:
    """Fill up the values of a trial with the defaults. KerasTuner's own entries are left out."""

    def get(name: str) -> Any:
        return values.get(name, DEFAULTS[re.sub(r"_\d+$", "", name)])

    dense = tuple(
        Dense(int(get(f"units_{n}")), float(get(f"l1_{n}")), float(get(f"l2_{n}")))
        for n in range(1, int(get("dense_layers")) + 1)
    )
    return Configuration(
        get("backbone"),
        int(get("unfreeze")),
        get("pooling"),
        dense,
        get("activation"),
        float(get("dropout")),
        float(get("learning_rate")),
        get("optimizer"),
    )


def lint(space: Space) -> None:
    """Refuse a space that would not do what it says.

    Raises:
        UnknownNameError: a parameter or a value has no meaning here; the nearest is offered.
        SettingError: a parameter is never used, has no value or one twice, leaves its range, or
            steps past its end.
    """
    depth = space.get("dense_layers", Parameter((DEFAULTS["dense_layers"],)))
    _check_values("dense_layers", "dense_layers", depth)
    deepest = int(max(depth.values)) if depth.values else 0
    for name, parameter in space.items():
        base, number = _parse(name)
        if number > deepest:
            raise SettingError(
                f"{name!r} is never used: there {'is' if deepest == 1 else 'are'} at most "
                f"{deepest} dense layer{'s' * (deepest != 1)}. Take it out, or raise dense_layers."
            )
        _check_values(name, base, parameter)


def draw_values(hp: kt.HyperParameters, space: Space) -> dict[str, Value]:
    """Declare a space to KerasTuner and take the values of its trial."""
    return {name: _draw(hp, name, parameter) for name, parameter in space.items()}


def num_configurations(space: Space) -> float:
    """How many points a space has; infinity where it has a range."""
    return math.prod(parameter.count for parameter in space.values())


def read_space(path: Path) -> dict[str, Parameter]:
    """Read a space from YAML: `name: [values]`, `name: value`, or `name: {from, to, step | log}`.

    Raises:
        SettingError: the file is no such thing, or names a parameter twice.
    """
    import yaml

    class Strict(yaml.SafeLoader):
        """YAML takes the last of two equal names without a word."""

    def mapping(loader: Any, node: Any) -> dict[str, Any]:
        names = [loader.construct_object(key) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise SettingError(f"{path} names {name!r} twice. One name is one parameter.")
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Strict)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} cannot be read as YAML ({_line(error)}). Mend it.") from error
    if not isinstance(loaded, dict):
        raise SettingError(f"{path} holds no space. Write lines such as `units_1: [128, 256]`.")
    return {str(name): _parameter(str(name), value) for name, value in loaded.items()}


def parse_setting(text: str) -> tuple[str, Parameter]:
    """Read `name=value,value` or `name=low..high`, with ` step x` or ` log` behind it.

    Raises:
        SettingError: it is written otherwise.
    """
    name, equals, rest = text.partition("=")
    match = re.fullmatch(r"(\S+)\.\.(\S+?)(?:\s+step\s+(\S+)|\s+(log))?", rest.strip())
    if not equals or not rest.strip():
        raise SettingError(f"{text!r} sets nothing. Write it like units_1=128,256.")
    if match:
        low, high, step, log = match.groups()
        wanted = {"from": _number(low), "to": _number(high)}
        wanted |= {"step": _number(step)} if step else {}
        return name.strip(), _parameter(name, wanted | ({"log": True} if log else {}))
    return name.strip(), _parameter(name, [_number(value) for value in rest.split(",")])


def _parse(name: str) -> tuple[str, int]:
    """The base of a parameter's name and the number of its layer, 0 where it has none."""
    match = re.fullmatch(r"(.+)_(\d+)", name)
    if match and match[1] in LAYERED and int(match[2]) > 0:
        return match[1], int(match[2])
    if name in DEFAULTS and name not in LAYERED:
        return name, 0
    known = [n for n in DEFAULTS if n not in LAYERED] + [f"{n}_1" for n in LAYERED]
    raise UnknownNameError(f"There is no parameter {name!r}. {nearest(name, known)}")


def _check_values(name: str, base: str, parameter: Parameter) -> None:
    values = parameter.values or (parameter.low, parameter.high)
    if not parameter.values and not parameter.low < parameter.high:
        raise SettingError(f"{name!r} has no value: {parameter}. Give at least one.")
    if any(value in values[:place] for place, value in enumerate(values)):
        raise SettingError(f"{name!r} has a value twice: {parameter}. Name each once.")
    if not parameter.values and isinstance(DEFAULTS[base], int):
        raise SettingError(f"{name!r} is a whole number; {parameter} has others. Give a step.")
    if not parameter.values and parameter.log and parameter.low <= 0:
        raise SettingError(f"{name!r} starts at {parameter.low:g}, which has no logarithm.")
    if parameter.end is not None and abs(values[-1] - parameter.end) > 1e-9:
        raise SettingError(
            f"{name!r} never reaches {parameter.end:g}: its steps are {parameter}. Take another "
            "step, or end where the last one does."
        )
    for value in values:
        if base in NAMES and value not in NAMES[base]:
            hint = nearest(str(value), list(NAMES[base]))
            raise UnknownNameError(f"There is no {base} {value!r}. {hint}")
        if base in LIMITS:
            _check_number(name, base, value)


def _check_number(name: str, base: str, value: Value) -> None:
    low, high = LIMITS[base]
    whole = isinstance(DEFAULTS[base], int)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise SettingError(f"{name!r} cannot be {value!r}. Give {kind} from {low:g} to {high:g}.")


def _draw(hp: kt.HyperParameters, name: str, parameter: Parameter) -> Value:
    if parameter.values:
        kind = type(DEFAULTS[_parse(name)[0]])  # `0, 0.5` has two, and KerasTuner takes one
        return hp.Choice(name, [kind(value) for value in parameter.values])
    sampling = "log" if parameter.log else "linear"
    return hp.Float(name, parameter.low, parameter.high, sampling=sampling)


def _parameter(name: str, value: Any) -> Parameter:
    if isinstance(value, list):
        return choice(*map(_number, value))
    if not isinstance(value, dict):
        return choice(_number(value))
    unknown = set(value) - {"from", "to", "step", "log"}
    if unknown or not {"from", "to"} <= set(value):
        raise SettingError(f"{name!r} is no range. Write {{from: 128, to: 512, step: 128}}.")
    low, high = _number(value["from"]), _number(value["to"])
    if not (_is_finite(low) and _is_finite(high) and low < high):
        raise SettingError(f"{name!r} runs from {low} to {high}. Give two rising numbers.")
    if value.get("log"):
        return logs(low, high)
    step = _number(value.get("step", 0))
    if not _is_finite(step) or step < 0:
        raise SettingError(f"{name!r} has the step {step}. Give a positive one.")
    if all(isinstance(number, int) for number in (low, high, step)):
        return ints(low, high, step or 1)
    return floats(low, high, step) if step else Parameter(low=low, high=high)


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _number(text: Any) -> Value:
    """A number where it is one; YAML takes `1e-3` for a text."""
    if isinstance(text, bool) or not isinstance(text, str):
        return text
    for kind in (int, float):
        try:
            return kind(text.strip())
        except ValueError:
            continue
    return text.strip()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
