"""The search space as data, and a check that it means what it says before a search begins.

A space is a dict of `Parameter`s by name. A parameter that it does not name has its value in
`DEFAULTS`. The parameters of a dense layer end in the number of the layer: `units_1`, `l1_2`.
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

# The value of a parameter that the space does not name; by name without the number of a layer.
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
# The lowest and the highest valid value.
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
    """The values that one parameter can have.

    Attributes:
        values: every value, in order; empty for a range without steps.
        low, high: the range, where there are no values.
        log: whether the range is sampled on a logarithmic scale.
        end: the requested end of the range, where `values` are its steps.
    """

    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    end: float | None = None

    def __str__(self) -> str:
        if self.values:
            return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in self.values)
        # This text is stored in `study.json` and compared when a search is resumed.
        return f"{self.low:g} to {self.high:g}{', by its logarithm' if self.log else ''}"

    @property
    def count(self) -> float:
        """How many values there are; infinity for a range."""
        return len(self.values) or math.inf


def choice(*values: Value) -> Parameter:
    """These values.

    >>> print(choice("relu", "gelu"))
    relu, gelu
    """
    return Parameter(values)


def ints(low: int, high: int, step: int = 1) -> Parameter:
    """Whole numbers from `low` to `high`, `step` apart.

    >>> print(ints(16, 64, step=16))
    16, 32, 48, 64
    """
    return Parameter(tuple(range(low, high + 1, step)), end=high)


def floats(low: float, high: float, step: float) -> Parameter:
    """Numbers from `low` to `high`, `step` apart.

    >>> print(floats(0.0, 0.5, step=0.25))
    0, 0.25, 0.5
    """
    count = math.floor((high - low) / step + 1e-9) + 1
    return Parameter(tuple(round(low + i * step, 12) for i in range(count)), end=high)


def logs(low: float, high: float) -> Parameter:
    """Any number from `low` to `high`, sampled on a logarithmic scale."""
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


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One point of a space: everything that defines a model and its training."""

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
    """The configuration of a trial: its values, completed by the defaults.

    KerasTuner's own entries (`tuner/epochs` and others) are ignored.
    """

    def get(name: str) -> Any:
        return values.get(name, DEFAULTS[re.sub(r"_\d+$", "", name)])

    dense = tuple(
        Dense(int(get(f"units_{n}")), float(get(f"l1_{n}")), float(get(f"l2_{n}")))
        for n in range(1, int(get("dense_layers")) + 1)
    )
    return Configuration(
        backbone=get("backbone"),
        unfreeze=int(get("unfreeze")),
        pooling=get("pooling"),
        dense=dense,
        activation=get("activation"),
        dropout=float(get("dropout")),
        learning_rate=float(get("learning_rate")),
        optimizer=get("optimizer"),
    )


def lint(space: Space) -> None:
    """Reject a space that would not do what it says.

    Raises:
        UnknownNameError: a parameter or a named value does not exist; the nearest is offered.
        SettingError: a parameter is never used, has no value or the same one twice, leaves its
            valid range, or its steps miss its end.
    """
    depth = space.get("dense_layers", Parameter((DEFAULTS["dense_layers"],)))
    _check_values("dense_layers", "dense_layers", depth)
    deepest = int(max(depth.values)) if depth.values else 0
    for name, parameter in space.items():
        base, number = _parse(name)
        if number > deepest:
            raise SettingError(
                f"Parameter {name!r} is never used: there {'is' if deepest == 1 else 'are'} at "
                f"most {deepest} dense layer{'s' * (deepest != 1)}. Remove it, or increase "
                "dense_layers."
            )
        _check_values(name, base, parameter)


def draw_values(hp: kt.HyperParameters, space: Space) -> dict[str, Value]:
    """Declare a space to KerasTuner, and return the values of its current trial."""
    return {name: _draw(hp, name, parameter) for name, parameter in space.items()}


def num_configurations(space: Space) -> float:
    """How many points a space has; infinity where it has a range."""
    return math.prod(parameter.count for parameter in space.values())


def read_space(path: Path) -> dict[str, Parameter]:
    """Read a space from YAML: `name: [values]`, `name: value`, or `name: {from, to, step | log}`.

    Raises:
        SettingError: the file cannot be read, holds something else, or names a parameter twice.
    """
    import yaml

    class Strict(yaml.SafeLoader):
        """YAML silently takes the last of two equal names; this loader rejects them."""

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        names = [loader.construct_object(key) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise SettingError(
                    f"{path} names the parameter {name!r} twice. Name each parameter once."
                )
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Strict)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingError(
            f"Cannot read {path} as YAML: {_one_line(error)}. Fix the file."
        ) from error
    if not isinstance(loaded, dict):
        raise SettingError(
            f"{path} does not define a search space. Expected lines such as `units_1: [128, 256]`."
        )
    return {str(name): _parameter(str(name), value) for name, value in loaded.items()}


def parse_setting(text: str) -> tuple[str, Parameter]:
    """Parse `name=value,value` or `name=low..high`, optionally followed by ` step x` or ` log`.

    Raises:
        SettingError: the text has another form.
    """
    name, equals, rest = text.partition("=")
    match = re.fullmatch(r"(\S+)\.\.(\S+?)(?:\s+step\s+(\S+)|\s+(log))?", rest.strip())
    if not equals or not rest.strip():
        raise SettingError(
            f"Invalid parameter {text!r}. Expected NAME=VALUES, such as units_1=128,256."
        )
    if match:
        low, high, step, log = match.groups()
        bounds = {"from": _number(low), "to": _number(high)}
        bounds |= {"step": _number(step)} if step else {}
        return name.strip(), _parameter(name, bounds | ({"log": True} if log else {}))
    return name.strip(), _parameter(name, [_number(value) for value in rest.split(",")])


def _parse(name: str) -> tuple[str, int]:
    """The base of a parameter's name and the number of its layer, 0 where it has none."""
    match = re.fullmatch(r"(.+)_(\d+)", name)
    if match and match[1] in LAYERED and int(match[2]) > 0:
        return match[1], int(match[2])
    if name in DEFAULTS and name not in LAYERED:
        return name, 0
    names = [n for n in DEFAULTS if n not in LAYERED] + [f"{n}_1" for n in LAYERED]
    raise UnknownNameError(f"There is no parameter {name!r}. {nearest(name, names)}")


def _check_values(name: str, base: str, parameter: Parameter) -> None:
    values = parameter.values or (parameter.low, parameter.high)
    if not parameter.values and not parameter.low < parameter.high:
        raise SettingError(f"Parameter {name!r} has no value: {parameter}. Give at least one.")
    if any(value in values[:place] for place, value in enumerate(values)):
        raise SettingError(
            f"Parameter {name!r} has the same value twice: {parameter}. Name each value once."
        )
    if not parameter.values and isinstance(DEFAULTS[base], int):
        raise SettingError(
            f"Parameter {name!r} is a whole number, but {parameter} includes others. Give a step."
        )
    if not parameter.values and parameter.log and parameter.low <= 0:
        raise SettingError(
            f"Parameter {name!r} starts at {parameter.low:g}, which has no logarithm. Start above "
            "0."
        )
    if parameter.end is not None and abs(float(values[-1]) - parameter.end) > 1e-9:
        raise SettingError(
            f"Parameter {name!r} never reaches {parameter.end:g}: its steps are {parameter}. "
            "Change the step, or end the range at its last step."
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
    number: Any = value if _is_number(value) else math.nan
    if not low <= number <= high or (whole and number != int(number)):
        kind = "a whole number" if whole else "a number"
        raise SettingError(
            f"Invalid value for parameter {name!r}: {value!r}. Expected {kind} from {low:g} to "
            f"{high:g}."
        )


def _draw(hp: kt.HyperParameters, name: str, parameter: Parameter) -> Value:
    if parameter.values:
        kind = type(DEFAULTS[_parse(name)[0]])  # KerasTuner wants all values of one type
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
        raise SettingError(
            f"Invalid range for parameter {name!r}: {value}. Expected something like "
            "{from: 128, to: 512, step: 128}."
        )
    low, high = _number(value["from"]), _number(value["to"])
    if not (_is_finite(low) and _is_finite(high) and low < high):
        raise SettingError(
            f"Invalid range for parameter {name!r}: from {low} to {high}. Expected two increasing "
            "numbers."
        )
    if value.get("log"):
        return logs(low, high)
    step = _number(value.get("step", 0))
    if not _is_finite(step) or step < 0:
        raise SettingError(
            f"Invalid step for parameter {name!r}: {step}. Expected a positive number."
        )
    if all(isinstance(number, int) for number in (low, high, step)):
        return ints(low, high, step or 1)
    return floats(low, high, step) if step else Parameter(low=low, high=high)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _number(text: Any) -> Any:
    """A number where the text is one; YAML takes `1e-3` for a text."""
    if isinstance(text, bool) or not isinstance(text, str):
        return text
    for kind in (int, float):
        try:
            return kind(text.strip())
        except ValueError:
            continue
    return text.strip()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
