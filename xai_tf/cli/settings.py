"""Names and settings of methods and metrics, as they are typed."""

from __future__ import annotations

from collections.abc import Sequence

from xai_tf.attribution.methods import METHODS
from xai_tf.errors import SettingError, UnknownNameError, pick
from xai_tf.metrics.metric import Metric


def picked_methods(names: Sequence[str]) -> list[str]:
    """The names of methods, each once.

    Raises:
        UnknownNameError: there is no such method.
    """
    for name in names:
        pick(METHODS, name, "method")
    return list(dict.fromkeys(names))


def parse_settings(
    given: Sequence[str], methods: Sequence[str], metrics: Sequence[Metric]
) -> dict[str, dict[str, float]]:
    """Parse METHOD.SETTING=VALUE and METRIC.SETTING=VALUE; check names and ranges.

    Args:
        given: the values of `--set`.
        methods: names of the methods in use.
        metrics: the metrics in use.

    Raises:
        UnknownNameError: there is no such method, metric or setting in use.
        SettingError: a value is no number, or out of its range.
    """
    in_use = {name: METHODS[name] for name in methods} | {m.name: m for m in metrics}
    parsed: dict[str, dict[str, float]] = {}
    for text in given:
        key, _, value = text.partition("=")
        owner, _, name = key.partition(".")
        if owner not in in_use:
            raise UnknownNameError(
                f"Invalid value for --set: {text!r}. {owner!r} is not in use; expected a setting "
                f"of {', '.join(in_use)}, written as NAME.SETTING=VALUE."
            )
        try:
            parsed.setdefault(owner, {})[name] = _number(value)
        except ValueError as error:
            raise SettingError(
                f"Invalid value for --set: {text!r}. {value!r} is not a number."
            ) from error
    for owner, values in parsed.items():
        in_use[owner].settings(values, baseline=0)
    return parsed


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
