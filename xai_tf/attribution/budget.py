"""What can be had for a number of passes: a method's settings, and the method that finds most."""

from __future__ import annotations

import re

from xai_tf.attribution.methods import METHODS, Method, Value, patch_starts
from xai_tf.errors import SettingError

# Of those that work with a model and can do with the passes, the first found most in what was
# measured so far (docs/which_method.md).
BEST = ("squared_ig", "rise", "occlusion")
GRADIENT_PASSES = 2  # forward passes that take as long as one forward and backward pass

_BUDGET = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s?)")
DEFAULT_SIDE = 224  # pixels of the images for which the defaults in pixels are
SAMPLES_PER_SEGMENT = 4  # of a linear model with a weight for each segment
LEAST_SEGMENTS = 8
# More steps than these were not tried; from 32 to 128 they change little.
MOST_STEPS = 128


def recommended_method(access: str) -> str:
    """The method that finds most in a model with this `Classifier.access`, for few passes."""
    return next(name for name in BEST if METHODS[name].works_with(access))


def settings_within(method: str, passes: int, size: tuple[int, int]) -> dict[str, Value] | None:
    """The settings with which a method makes the best of a number of passes.

    Examples:
        >>> settings_within("rise", 128, (224, 224))
        {'num_samples': 128}
        >>> settings_within("occlusion", 128, (224, 224))
        {'patch': 38, 'stride': 19}
        >>> settings_within("grad_cam", 128, (224, 224))
        {}

    Args:
        method: a name in `METHODS`.
        passes: at most so many, forward or forward and backward.
        size: (height, width) of the image that the model sees.

    Returns:
        The settings that differ from the defaults; None where the least the method can do takes
        more passes.
    """
    entry = METHODS[method]
    found = _scaled(entry, passes, size)
    if found is None or any(not entry.options[name].allows(found[name]) for name in found):
        return None
    settings = entry.settings(found, 0.0)
    return found if entry.cost(settings, size).evaluations <= passes else None


def _scaled(method: Method, passes: int, size: tuple[int, int]) -> dict[str, Value] | None:
    options = method.options
    if "num_segments" in options:
        segments = min(int(options["num_segments"].default or 0), passes // SAMPLES_PER_SEGMENT)
        if segments < LEAST_SEGMENTS:
            return None
        found: dict[str, Value] = {"num_samples": min(passes, int(options["num_samples"].high))}
        if segments != options["num_segments"].default:
            found["num_segments"] = segments
        return found
    if "num_samples" in options:
        most = MOST_STEPS if method.family == "gradient" else options["num_samples"].high
        return {"num_samples": int(min(passes, most))}
    if "steps" in options:
        return {"steps": min(passes, MOST_STEPS)}
    if "num_designs" in options:
        one = method.cost({"num_designs": 1, "grid": options["grid"].default or 0}, size)
        designs = passes // one.evaluations
        most = int(options["num_designs"].high)
        return {"num_designs": min(most, 1 << (designs.bit_length() - 1))} if designs else None
    if "patch" in options:
        return _patches(method, passes, size)
    return {}


def _patches(method: Method, passes: int, size: tuple[int, int]) -> dict[str, Value] | None:
    """Patches as close together as can be, and as large as the default's share of the image."""
    least = max(2, round((method.options["patch"].default or 0) * min(size) / DEFAULT_SIDE))
    for stride in range(1, min(size) // 4 + 1):  # a patch hides half of the image at most
        patch = max(least, 2 * stride)
        across = [len(patch_starts(side, patch, stride)) for side in size]
        if 1 + across[0] * across[1] <= passes:
            return {"patch": patch, "stride": stride}
    return None


def best_within(
    budget: str, access: str, size: tuple[int, int], seconds_per_pass: float = 1.0
) -> tuple[str, dict[str, Value]]:
    """The method that finds most for a budget, and its settings for it.

    Examples:
        >>> best_within("128", "feature maps", (224, 224))
        ('squared_ig', {'steps': 128})
        >>> best_within("2s", "predictions", (224, 224), seconds_per_pass=0.02)
        ('rise', {'num_samples': 100})

    Args:
        budget: as for `passes_of`.
        access: the `Classifier.access` of the model.
        size: (height, width) of the image that the model sees.
        seconds_per_pass: how long a forward pass takes.

    Raises:
        SettingError: the budget cannot be read, or no method can do with so little.
    """
    for name in BEST:
        passes = passes_of(budget, METHODS[name], seconds_per_pass)
        settings = settings_within(name, passes, size)
        if METHODS[name].works_with(access) and settings is not None:
            return name, settings
    raise SettingError(
        f"Invalid value for the budget: {budget!r}. No method that works with this model can do "
        "with so few passes. Allow more, such as 128."
    )


def passes_of(budget: str, method: Method, seconds_per_pass: float = 1.0) -> int:
    """The number of passes that a budget allows a method.

    Examples:
        >>> passes_of("128", METHODS["rise"])
        128
        >>> [passes_of("2s", METHODS[name], 0.02) for name in ("rise", "squared_ig")]
        [100, 50]

    Args:
        budget: passes, such as "128", or seconds, such as "2s".
        method: an entry of `METHODS`.
        seconds_per_pass: how long a forward pass takes.

    Raises:
        SettingError: it is neither.
    """
    found = _BUDGET.fullmatch(budget.strip())
    if found is None or not float(found[1]) or not (found[2] or float(found[1]).is_integer()):
        raise SettingError(
            f"Invalid value for the budget: {budget!r}. Expected a number of passes, such as 128, "
            "or seconds, such as 2s."
        )
    if not found[2]:
        return int(found[1])
    forwards = 1 if method.family == "perturbation" else GRADIENT_PASSES
    return max(1, int(float(found[1]) / (seconds_per_pass * forwards)))
