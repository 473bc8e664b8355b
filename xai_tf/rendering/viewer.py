"""The data of the interactive viewer: from samples and explanations to plain data."""

from __future__ import annotations

import base64
import io
import wave
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib import colormaps
from PIL import Image

from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import Method
from xai_tf.classifiers.class_names import readable
from xai_tf.inputs.sample import Sample, Sound
from xai_tf.rendering import heatmaps

COMPRESSION = 1  # PNG level: up to a tenth larger than the default, in a quarter of the time
THUMBNAIL = 96  # pixels
REGION_SCALE = 3  # regions are drawn larger, so that their outlines are thin
MAX_THUMBNAILS = 100  # per sample, about 15 kB each
STRONGEST = 0.1  # share of the pixels of a map that its description is about
NINTHS = (
    *("upper left", "upper center", "upper right"),
    *("middle left", "middle", "middle right"),
    *("lower left", "lower center", "lower right"),
)
# Cached as long as the record exists: users go back and forth, and share explanations.
_samples: WeakKeyDictionary[Sample, dict[str, Any]] = WeakKeyDictionary()
_explanations: WeakKeyDictionary[Explanation, dict[float | None, dict[str, Any]]] = (
    WeakKeyDictionary()
)
_thumbnails: WeakKeyDictionary[Sample, dict[tuple[str, int], str]] = WeakKeyDictionary()
REBUILT_NOTE = (
    "Reconstructed from the image: pitch and rhythm are reliable, timbre and loudness are not."
)


def sample_viewer_data(sample: Sample) -> dict[str, Any]:
    """The viewer's data of a sample without an explanation."""
    if sample not in _samples:
        _samples[sample] = {
            "original": picture_url(heatmaps.image_bytes(sample)),
            "gray": picture_url(heatmaps.gray_bytes(sample)),
            "alt": f"{_describe_sample(sample)}.",
            "caption": "Model input",
            **_no_map(),
            **_sound(sample),
        }
    return _samples[sample]


def viewer_data(explanation: Explanation, end: float | None = None) -> dict[str, Any]:
    """The viewer's data of an explanation.

    Args:
        explanation: the explanation to show.
        end: end of the scale, as in `heatmaps.heatmap`; the same for maps that are compared.
    """
    by_end = _explanations.get(explanation, {})
    if end not in by_end:
        # Only the map on its own scale and the latest shared scale are cached. The dict is replaced
        # and never changed, because several threads may read it.
        own_scale: dict[float | None, dict[str, Any]]
        own_scale = {key: data for key, data in by_end.items() if key is None}
        by_end = own_scale | {end: _viewer_data(explanation, end)}
        _explanations[explanation] = by_end
    return by_end[end]


def thumbnail_url(explanation: Explanation) -> str:
    """A data URL of the overlay of an explanation as a thumbnail."""
    thumbnails = _thumbnails.setdefault(explanation.sample, {})
    content = explanation.method.name, hash(explanation.attribution.tobytes())
    if content not in thumbnails:  # keyed by content: explanations do not live long
        thumbnails[content] = _small_url(heatmaps.overlay(explanation))
        if len(thumbnails) > MAX_THUMBNAILS:
            del thumbnails[next(iter(thumbnails))]
    return thumbnails[content]


def _viewer_data(explanation: Explanation, end: float | None) -> dict[str, Any]:
    prediction, segments = explanation.prediction, explanation.segments
    target, layer = readable(explanation.target_name), explanation.layer
    method = explanation.method.title
    method = f"{method} at layer {layer}" if layer else method
    described = _describe_map(explanation.attribution, explanation.method, explanation.sample, end)
    return {
        **sample_viewer_data(explanation.sample),
        **_map(explanation.attribution, explanation.method, end),
        "outlines": "" if segments is None else picture_url(heatmaps.outlines(segments)),
        "alt": f"{_describe_sample(explanation.sample)}, predicted as "
        f"{readable(prediction.summary)}. {method}, for {target}: {described}",
        "caption": f"{method}: why {target}?"
        + (f" ({heatmaps.SMOOTHED})" if explanation.method.pixel_fine else ""),
    }


def region_url(mask: np.ndarray) -> str:
    """A data URL of a region to lie over a picture: its outline, and a veil over the rest.

    Args:
        mask: boolean array of shape (height, width).
    """
    return _outline_url(mask, veil=110)


def marks_url(mask: np.ndarray) -> str:
    """A data URL of the outline of what people marked, to lie over a picture.

    Args:
        mask: boolean array of shape (height, width).
    """
    return _outline_url(mask, veil=0)


def _outline_url(mask: np.ndarray, veil: int) -> str:
    """An outline, and a black veil over the rest of an opacity of 0 to 255."""
    enlarged = np.kron(mask, np.ones((REGION_SCALE, REGION_SCALE), bool))
    layer = np.zeros((*enlarged.shape, 4), np.uint8)
    layer[~enlarged] = (0, 0, 0, veil)
    layer[heatmaps.edges(enlarged)] = (*heatmaps.OUTLINE, 255)
    return picture_url(layer)


def partial_viewer_data(sample: Sample, method: Method, attribution: np.ndarray) -> dict[str, Any]:
    """The viewer's data of a map that is still being computed.

    Args:
        sample: the sample that is explained.
        method: an entry of `METHODS`.
        attribution: float array of shape (height, width), the map so far.
    """
    return {
        **sample_viewer_data(sample),
        **_map(attribution, method, None),
        "alt": f"{_describe_sample(sample)}. {method.title}, a partial map: "
        f"{_describe_map(attribution, method, sample, None)}",
        "caption": f"{method.title}, so far",
        "busy": True,
    }


def picture_url(picture: np.ndarray) -> str:
    """A data URL of a PNG.

    Args:
        picture: uint8 array of shape (height, width, 3) or (height, width, 4).
    """
    gray = picture.shape[2] == 3 and (picture == picture[..., :1]).all()
    return _png_url(Image.fromarray(picture[..., 0] if gray else picture))


def wav_bytes(sound: Sound) -> bytes:
    """A sound as a 16-bit mono WAV file, clipped at full scale."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(sound.rate)
        target.writeframes(np.rint(np.clip(sound.waveform, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _small_url(picture: np.ndarray) -> str:
    size = (THUMBNAIL, THUMBNAIL)
    return picture_url(np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX)))


def _palette_url(shades: np.ndarray, colors: np.ndarray) -> str:
    """A data URL of palette indices with their palette, of shape (256, 3), or (256, 4) for RGBA."""
    image = Image.fromarray(shades)
    image.putpalette(colors[:, :3].tobytes())
    alpha = {"transparency": colors[:, 3].tobytes()} if colors.shape[1] == 4 else {}
    return _png_url(image, **alpha)


def _png_url(image: Image.Image, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=COMPRESSION, **options)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _no_map() -> dict[str, Any]:
    return {"heatmap": "", "cover": "", "outlines": "", "scale": {}, "signal": True, "busy": False}


def _map(attribution: np.ndarray, method: Method, end: float | None) -> dict[str, Any]:
    attribution = heatmaps.drawn(attribution, method)
    shades, colors = heatmaps.shaded(attribution, method.signed, end)
    signal = has_signal(attribution)
    return {
        "heatmap": _palette_url(shades, colors[:, :3]),
        "cover": _palette_url(shades, colors),
        "signal": signal,
        "scale": _scale(method.signed, end or heatmaps.limit_of([attribution])) if signal else {},
    }


def _scale(signed: bool, end: float) -> dict[str, Any]:
    colors = colormaps[heatmaps.SIGNED if signed else heatmaps.UNSIGNED](np.linspace(0, 1, 17))
    numbers = np.linspace(-end if signed else 0, end, 3)
    return {
        "colors": [f"rgb({red} {green} {blue})" for red, green, blue in _bytes(colors)],
        "ticks": [
            (place, f"{number:.2g}") for place, number in zip((0, 0.5, 1), numbers, strict=True)
        ],
        "title": "against ← → for" if signed else "strength",
    }


def _bytes(colors: np.ndarray) -> list[list[int]]:
    return np.rint(colors[:, :3] * 255).astype(int).tolist()


def _sound(sample: Sample) -> dict[str, Any]:
    sound = sample.sound
    if sound is None:
        return {"sound": "", "sound_note": "", "span": (0.0, 0.0), "axes": {}}
    return {
        "sound": f"data:audio/wav;base64,{base64.b64encode(wav_bytes(sound)).decode()}",
        "sound_note": REBUILT_NOTE if sound.rebuilt else "",
        "span": (float(sound.seconds[0]), float(sound.seconds[-1])),
        "axes": {
            "x": {"title": "seconds", "ticks": heatmaps.second_ticks(sound)},
            "y": {"title": "Hz", "ticks": heatmaps.hertz_ticks(sound)},
        },
    }


def _describe_sample(sample: Sample) -> str:
    """A text alternative of the input, without the file name, which is private to the server."""
    if sample.sound is None:
        height, width = sample.image.shape[:2]
        return f"Model input of {width} by {height} pixels"
    start, end = sample.sound.seconds[0], sample.sound.seconds[-1]
    low, high = sample.sound.hertz[0], sample.sound.hertz[-1]
    return f"Spectrogram of {start:.2f} to {end:.2f} s, {low:.0f} to {high:.0f} Hz"


def _describe_map(
    attribution: np.ndarray, method: Method, sample: Sample, end: float | None
) -> str:
    """A text alternative of the map: where it is strong, and its scale."""
    if not has_signal(attribution):
        return "no signal: the map is empty."
    colors = (
        "red supports the class, blue opposes it"
        if method.signed
        else "black is weak, yellow is strong"
    )
    rows, columns = _strongest(attribution)
    sound = sample.sound
    places = _ninths(rows, columns) if sound is None else _time_and_pitch(rows, columns, sound)
    limit = end or heatmaps.limit_of([heatmaps.drawn(attribution, method)])
    return f"of its strongest tenth, {places}. Colors: {colors}; the scale ends at {limit:.2g}."


def _strongest(attribution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns of the strongest tenth, as shares of the height and the width."""
    strength = np.abs(attribution)
    count = max(1, round(STRONGEST * strength.size))
    flat = strength.ravel()
    least = np.partition(flat, -count)[-count]
    above, ties = np.flatnonzero(flat > least), np.flatnonzero(flat == least)
    strongest = np.concatenate([above, ties[: count - len(above)]])
    rows, columns = np.unravel_index(strongest, strength.shape)
    return (rows + 0.5) / strength.shape[0], (columns + 0.5) / strength.shape[1]


def _ninths(rows: np.ndarray, columns: np.ndarray) -> str:
    """The two ninths of the image that hold most, and how much."""
    ninths = 3 * (rows * 3).astype(int) + (columns * 3).astype(int)
    shares = np.bincount(ninths, minlength=9) / len(ninths)
    first, second = np.argsort(-shares, kind="stable")[:2]
    text = f"{shares[first]:.0%} is in the {NINTHS[first]}"
    return f"{text} and {shares[second]:.0%} in the {NINTHS[second]}" if shares[second] else text


def _time_and_pitch(rows: np.ndarray, columns: np.ndarray, sound: Sound) -> str:
    """The time span and the frequency band of the middle half."""
    start, end = sound.seconds[0], sound.seconds[-1]
    first, last = start + (end - start) * np.quantile(columns, [0.25, 0.75])
    bands = (1 - np.quantile(rows, [0.75, 0.25])) * len(sound.hertz) - 0.5
    low, high = np.interp(bands, np.arange(len(sound.hertz)), sound.hertz)
    return f"half is between {first:.2f} and {last:.2f} s, half between {low:.0f} and {high:.0f} Hz"
