"""Settings of methods and metrics, as they are typed."""

from __future__ import annotations

from xai_tf.attribution.methods import METHODS
from xai_tf.errors import SettingError, UnknownNameError
from xai_tf.metrics.metric import Metric


def parse_settings(
    given: list[str], methods: list[str], metrics: list[Metric]
) -> dict[str, dict[str, float]]:
    """Parse METHOD.NAME=VALUE and METRIC.NAME=VALUE; check names and ranges before any work."""
    asked = {name: METHODS[name] for name in methods} | {m.name: m for m in metrics}
    parsed: dict[str, dict[str, float]] = {}
    for text in given:
        place, _, value = text.partition("=")
        owner, _, name = place.partition(".")
        if owner not in asked:
            raise UnknownNameError(
                f"--set {text}: {owner!r} is not among what was asked for ({', '.join(asked)}). "
                "Write METHOD.NAME=VALUE or METRIC.NAME=VALUE."
            )
        try:
            parsed.setdefault(owner, {})[name] = _number(value)
        except ValueError as error:
            raise SettingError(f"--set {text}: {value!r} is no number.") from error
    for owner, values in parsed.items():
        asked[owner].settings(values, baseline=0)
    return parsed


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
