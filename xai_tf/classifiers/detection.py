"""Detect the color scaling a network expects: by what it does, and by what it remembers.

The file of a model says more than its author wrote down. What stands in front of its first weights
shows which range it was made for. The statistics that its first BatchNormalization collected in
training show what it was fed, since they must fit the activations of ordinary pictures. Where
neither decides, the name of a known backbone is a guess, and is called one: notebooks train VGG16
with `rescale=1/255` as often as with its own preprocessing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from xai_tf.classifiers.backbones import BACKBONES, RECOGNIZED_BACKBONES
from xai_tf.classifiers.graph import has_opaque_layer, inputs_of
from xai_tf.classifiers.preprocessing import DEFAULT_SIZE, scaling_of

if TYPE_CHECKING:
    import keras

    from weights_keras import ModelCard

SAMPLES = Path(__file__).parents[1] / "samples"
# Pictures of four kinds; a scaling fits if it does for one of them.
PICTURES = {
    "photos": ("cat.jpg", "dog.jpg"),
    "radiographs": ("xray_normal.jpg", "xray_opacity.jpg"),
    "MRI slices": ("brain_head_lesion.png", "brain_head_notumor.png"),
}
# Statistics tell ranges apart, but seldom the order of the colors. A network of one's own may be
# fed BGR, as OpenCV reads pictures; those of Keras are fed RGB by the tools of Keras.
BGR = ("bgr", "bgr_raw")
CANDIDATES = ("unit", "raw", "tf", "torch", "caffe", *BGR)
# What arrives at the first weights is plausible if it has at least this deviation, a mean of at
# most this many deviations, and no level beyond this one. Ordinary pictures have a deviation of
# 0.25 of 1 or 64 of 255, a mean of 1.8 deviations, and levels up to 255.
MIN_DEVIATION = 0.03
MAX_MEAN = 8.0
MAX_LEVEL = 260.0
# Misfits (see `_misfit`) of scalings whose ranges differ are 2 to 18 apart; those of one range
# 0.05 to 5, by how long the network was trained.
CLEAR = 1.5
TIE = 0.3  # misfits nearer than this tell nothing
# The share of the initial statistics (mean 0, variance 1) that may still be in the moving ones.
REMNANTS = (0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5)
IMAGENET_CLASSES = 1000
TOP_LAYER = "predictions"  # the name of the last layer of a stock network of Keras


@dataclass(frozen=True)
class Detected:
    """The preprocessing of a network, and how it is known.

    Attributes:
        name: a name in `SCALINGS`, or one of `scaling_of`.
        reason: why, in words that follow "because".
        certain: whether that settles it; otherwise it is a guess.
    """

    name: str
    reason: str
    certain: bool


def detect_preprocessing(
    model: keras.Model, backbone: str | None, card: ModelCard | None
) -> Detected:
    """Find the color scaling a network expects.

    Args:
        model: as it was loaded, with an input of one or three channels.
        backbone: the known backbone it is built on, if any.
        card: its card, if any.
    """
    if card and card.scaling:
        return Detected(card.scaling, "its card says so", True)
    if card and card.backbone in BACKBONES:
        return Detected("unit", "its card says so", True)
    if takes_whole_numbers(model):
        return Detected("raw", f"its input has the type {model.inputs[0].dtype}", True)
    if has_opaque_layer(model):
        return Detected("unit", "its layers cannot be seen", False)
    inside = _inside(model)
    has_scaling = backbone is not None and _entry(backbone).bare and not _is_stock(model)
    if inside and inside.name == "raw" and has_scaling:
        return _scaled_twice(inside, batchnorm_misfits(model, ("unit", "raw"), in_head=True))
    misfits = batchnorm_misfits(model)
    if inside:
        # A frozen backbone keeps the statistics of its first training, and was trained on RGB.
        return inside if backbone else _with_order(_checked(inside, misfits), model)
    return _by_statistics(misfits, backbone) or _by_backbone(model, backbone, misfits)


def takes_whole_numbers(model: keras.Model) -> bool:
    """Whether the input of a model has a type such as uint8, which rounds RGB in [0, 1] away."""
    return "int" in str(model.inputs[0].dtype)


def _inside(model: keras.Model) -> Detected | None:
    """The range that the layers in front of the first weights bring to a plausible one, if any."""
    arrivals = {}
    for name in ("unit", "raw"):
        pictures = _pictures(model, name, ("photos",))
        values = np.asarray(inputs_of(model, pictures, _has_weights)[1], np.float32)
        arrivals[name] = float(values.mean()), float(values.std()), float(np.abs(values).max())
    plausible = [name for name, arrival in arrivals.items() if _plausible(*arrival)]
    if len(plausible) != 1:
        return None
    (name,) = plausible
    told = {
        one: f"a mean of {mean:.3g} and a deviation of {deviation:.3g}"
        for one, (mean, deviation, _) in arrivals.items()
    }
    reason = (
        f"photos in [0, 255] arrive at its first weights with {told['raw']}, photos in [0, 1] "
        f"with {told['unit']}"
    )
    return Detected(name, reason, True)


def _plausible(mean: float, deviation: float, largest: float) -> bool:
    centered = abs(mean) <= MAX_MEAN * deviation
    return deviation >= MIN_DEVIATION and centered and largest <= MAX_LEVEL


def _checked(inside: Detected, misfits: dict[str, float]) -> Detected:
    """What the layers show, unless what the network was fed contradicts it."""
    # BGR of one picture is RGB of another with a cast, so what fits better only tells the range.
    misfits = {name: misfit for name, misfit in misfits.items() if name not in BGR}
    if not misfits:
        return inside
    fed = min(misfits, key=misfits.__getitem__)
    if misfits[inside.name] - misfits[fed] < CLEAR:
        return inside
    return Detected(
        fed,
        f"{_fits(fed, misfits)}, but its own layers expect {inside.name!r} (misfit "
        f"{misfits[inside.name]:.1f}): {inside.reason}",
        False,
    )


def _scaled_twice(inside: Detected, misfits: dict[str, float]) -> Detected:
    """Whether a backbone with its scaling inside was fed with bytes, or with bytes / 255.

    The second is a common mistake. A BatchNormalization behind a frozen backbone shows it.
    """
    fed = min(misfits, key=misfits.__getitem__, default="")
    if not fed or abs(misfits["unit"] - misfits["raw"]) < CLEAR:
        reason = (
            f"{inside.reason}; but whether it was trained on pictures divided by 255 all the same, "
            "a common mistake, cannot be seen"
        )
        return Detected(inside.name, reason, False)
    if fed == inside.name:
        return inside
    reason = (
        f"the BatchNormalization behind its backbone has seen such (misfit {_listed(misfits)}), "
        f"but its own layers expect {inside.name!r}: {inside.reason}"
    )
    return Detected(fed, reason, False)


def _with_order(detected: Detected, model: keras.Model) -> Detected:
    """The same with what is assumed of the order of the colors, which no layer shows.

    It is no reason for a warning: nearly all networks with a Rescaling of their own come from the
    tools of Keras, which read RGB.
    """
    other = {"unit": "bgr", "raw": "bgr_raw"}.get(detected.name)
    if model.input_shape[-1] == 1 or other is None:
        return detected
    assumed = (
        f"; the order of the colors is assumed to be RGB, as Keras reads pictures: for BGR, as "
        f"OpenCV does, give {other!r}"
    )
    return replace(detected, reason=detected.reason + assumed)


def _by_statistics(misfits: dict[str, float], backbone: str | None) -> Detected | None:
    """What the first BatchNormalization was fed, unless it only confirms a known backbone.

    A frozen backbone keeps the statistics of its first training, whatever it was fed later. And
    what changes each picture in another way, such as by its own minimum and maximum, fits as well:
    statistics are never certain.
    """
    if not misfits:
        return None
    if backbone:
        misfits = {name: misfit for name, misfit in misfits.items() if name not in BGR}
    ranked = sorted(misfits, key=misfits.__getitem__)
    best = ranked[0]
    if backbone and misfits[_expected(backbone)] - misfits[best] < CLEAR:
        return None
    tied = [name for name in ranked if misfits[name] - misfits[best] < TIE]
    plain = next((name for name in ("unit", "raw") if name in tied), None)
    if plain and backbone is None and len(tied) > 1:
        # Networks of one's own are seldom fed with the mean and deviation of ImageNet.
        near = "" if plain == best else ", too near to tell, and more networks are fed so"
        return Detected(plain, _fits(plain, misfits) + near, False)
    return Detected(best, _fits(best, misfits), False)


def _by_backbone(model: keras.Model, backbone: str | None, misfits: dict[str, float]) -> Detected:
    if backbone is None:
        return Detected("unit", "the model has neither preprocessing nor a known backbone", False)
    entry = _entry(backbone)
    if _is_stock(model):
        reason = f"it ends in the {IMAGENET_CLASSES} outputs of {entry.title} for ImageNet"
        return Detected(entry.scaling, reason, True)
    name, fits = _expected(backbone), ""
    if misfits:
        fits = "; the statistics of its first BatchNormalization fit, as those of a frozen one do"
    return Detected(name, f"{entry.title} was first trained with it{fits}", False)


def _expected(backbone: str) -> str:
    """The scaling that a backbone expects in front of it, which has none inside."""
    return _entry(backbone).bare or _entry(backbone).scaling


def _is_stock(model: keras.Model) -> bool:
    """Whether a model ends as a stock network of Keras does.

    A network of one's own with as many classes has another last layer.
    """
    return model.output_shape == (None, IMAGENET_CLASSES) and model.layers[-1].name == TOP_LAYER


def _entry(backbone: str) -> Any:
    return BACKBONES.get(backbone) or RECOGNIZED_BACKBONES[backbone]


def _fits(name: str, misfits: dict[str, float]) -> str:
    ranked = sorted((one for one in misfits if one != name), key=misfits.__getitem__)
    others = _listed({one: misfits[one] for one in ranked[:2]})
    return (
        "the statistics of its first BatchNormalization fit those of ordinary pictures (misfit "
        f"{misfits[name]:.1f}; {others})"
    )


def _listed(misfits: dict[str, float]) -> str:
    return ", ".join(f"{misfit:.1f} for {name!r}" for name, misfit in misfits.items())


def batchnorm_misfits(
    model: keras.Model, names: tuple[str, ...] = CANDIDATES, *, in_head: bool = False
) -> dict[str, float]:
    """How badly each scaling explains the statistics of the first trained BatchNormalization.

    Args:
        model: as it was loaded.
        names: the scalings.
        in_head: take the first one that normalizes vectors, as behind a global pooling, instead.

    Returns:
        The misfit by scaling, 0 for statistics as of our own pictures; empty where the network has
        no BatchNormalization that was trained.
    """
    wanted = _is_trained_in_head if in_head else _is_trained_batchnorm
    layer, _ = inputs_of(model, _pictures(model, "unit", ("photos",))[:1], wanted)
    if layer is None:
        return {}
    mean, variance = (np.asarray(v, np.float64) for v in (layer.moving_mean, layer.moving_variance))
    used = variance > 1e-8
    if not used.any():
        return {}
    misfits = {}
    for name in names:
        fed = _pictures(model, name, tuple(PICTURES))
        values = np.asarray(inputs_of(model, fed, wanted)[1], np.float64)
        kinds = np.split(values.reshape(len(fed), -1, values.shape[-1]), len(PICTURES))
        misfits[name] = min(
            _misfit(kind.reshape(-1, kind.shape[-1])[:, used], mean[used], variance[used])
            for kind in kinds
        )
    return misfits


def _misfit(values: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> float:
    """The median over channels of how far activations are from moving statistics.

    The distance of a channel is the absolute difference of the logarithms of its variances plus
    the squared difference of its means in units of the variance, at most 9. A share of the initial
    statistics that is left in the moving ones is allowed for, at a small price.
    """
    found_mean, found_variance = values.mean(axis=0), values.var(axis=0)
    return min(
        float(
            np.median(
                np.abs(np.log(((1 - rest) * found_variance + rest + 1e-9) / (variance + 1e-9)))
                + np.minimum(((1 - rest) * found_mean - mean) ** 2 / (variance + 1e-9), 9)
            )
        )
        + 0.05 * (rest > 0)
        for rest in REMNANTS
    )


def _pictures(model: keras.Model, scaling: str, kinds: tuple[str, ...]) -> np.ndarray:
    """Bundled pictures as a network would get them: two of each kind, scaled."""
    height, width, channels = model.input_shape[1:]
    size = (width or DEFAULT_SIZE[1], height or DEFAULT_SIZE[0])
    images = [
        np.asarray(Image.open(SAMPLES / file).convert("RGB").resize(size), np.float32) / 255
        for kind in kinds
        for file in PICTURES[kind]
    ]
    return scaling_of(scaling).apply(np.stack(images), channels)


def _has_weights(operation: Any) -> bool:
    """Whether a layer computes with weights of its own, other than to normalize colors."""
    kind = type(operation).__name__
    return bool(getattr(operation, "weights", ())) and kind not in NORMALIZATIONS


NORMALIZATIONS = ("Normalization", "BatchNormalization", "Rescaling")


def _is_trained_batchnorm(operation: Any) -> bool:
    """Whether a layer is a BatchNormalization whose statistics are no longer the initial ones."""
    return (
        type(operation).__name__ == "BatchNormalization"
        and bool(np.any(np.asarray(operation.moving_mean)))
        and not np.allclose(operation.moving_variance, 1)
    )


def _is_trained_in_head(operation: Any) -> bool:
    return _is_trained_batchnorm(operation) and operation.input_spec.ndim == 2
