"""What can be had for a number of passes: a method's settings, and the method that finds most."""

from __future__ import annotations

from xai_tf.attribution.methods import METHODS, Method, Value, patch_starts

DEFAULT_SIDE = 224  # pixels of the images for which the defaults in pixels are
SAMPLES_PER_SEGMENT = 4  # of a linear model with a weight for each segment
LEAST_SEGMENTS = 8
# More steps than these change hardly anything (docs/leaderboard.md).
MOST_STEPS = 128


def settings_within(method: str, passes: int, size: tuple[int, int]) -> dict[str, Value] | None:
    """The settings with which a method makes the best of a number of passes.

    Examples:
        >>> settings_within("rise", 128, (224, 224))
        {'num_samples': 128}
        >>> settings_within("occlusion", 128, (224, 224))
        {'patch': 40, 'stride': 20}
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
        return {"num_samples": min(passes, int(options["num_samples"].high))} | (
            {"num_segments": segments} if segments != options["num_segments"].default else {}
        )
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
    for stride in range(1, max(size)):
        patch = max(least, 2 * stride)
        across = [len(patch_starts(side, patch, stride)) for side in size]
        if 1 + across[0] * across[1] <= passes:
            return {"patch": patch, "stride": stride}
    return None
