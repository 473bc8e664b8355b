"""Names and settings of methods and metrics, as they are typed."""

from __future__ import annotations

from collections.abc import Sequence

from xai_tf.attribution.methods import METHODS, Value
from xai_tf.errors import UnknownNameError, pick
from xai_tf.metrics.metric import Metric


def picked_methods(given: Sequence[str]) -> list[str]:
    """The names of methods that `--method` gives, each once.

    Args:
        given: values of the option, each of which may hold several names between commas.

    Raises:
        UnknownNameError: there is no such method.
    """
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    for name in names or given:
        pick(METHODS, name, "method")
    return list(dict.fromkeys(names))


def parse_settings(
    given: Sequence[str], methods: Sequence[str], metrics: Sequence[Metric]
) -> dict[str, dict[str, Value]]:
    """Parse METHOD.SETTING=VALUE and METRIC.SETTING=VALUE; check names and ranges.

    Args:
        given: the values of `--set`.
        methods: names of the methods in use.
        metrics: the metrics in use.

    Raises:
        UnknownNameError: there is no such method, metric or setting in use.
        SettingError: a value is not one of the setting.
    """
    in_use = {name: METHODS[name] for name in methods} | {m.name: m for m in metrics}
    parsed: dict[str, dict[str, Value]] = {}
    for text in given:
        key, _, value = text.partition("=")
        owner, _, name = key.partition(".")
        if owner not in in_use:
            raise UnknownNameError(
                f"Invalid value for --set: {text!r}. {owner!r} is not in use; expected a setting "
                f"of {', '.join(in_use)}, written as NAME.SETTING=VALUE."
            )
        parsed.setdefault(owner, {})[name] = _typed(value)
    for owner, values in parsed.items():
        in_use[owner].settings(values, baseline=0)
    return parsed


def _typed(text: str) -> Value:
    """A number, or else the text, for a setting that has names."""
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text
