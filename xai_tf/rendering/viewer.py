"""From the library's records to what a `Stage` shows."""

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
from xai_tf.inputs.sample import Sample, Sound
from xai_tf.rendering import heatmaps

COMPRESSION = 1  # of PNG: up to a tenth larger than by default, in a quarter of the time
TILE = 96  # pixels
MAX_TILES = 100  # of a sample, of some 15 kB each
STRONGEST = 0.1  # of the places of a map
ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")
# What was drawn, as long as somebody has what it shows: visitors go to and fro, and share answers.
_samples: WeakKeyDictionary[Sample, dict[str, Any]] = WeakKeyDictionary()
_explanations: WeakKeyDictionary[Explanation, dict[float | None, dict[str, Any]]] = (
    WeakKeyDictionary()
)
_tiles: WeakKeyDictionary[Sample, dict[tuple[str, int], str]] = WeakKeyDictionary()
NOTE = "Rebuilt from the picture: pitch and rhythm can be trusted, timbre and loudness cannot."


def sample_viewer_data(sample: Sample) -> dict[str, Any]:
    """What a stage shows of a sample that has not been explained."""
    if sample not in _samples:
        _samples[sample] = {
            "original": picture_url(heatmaps.image_bytes(sample)),
            "grey": picture_url(heatmaps.grey_bytes(sample)),
            "alt": f"{_seen(sample)}.",
            "caption": "What the network saw",
            **_nothing_over(),
            **_sound(sample),
        }
    return _samples[sample]


def viewer_data(explanation: Explanation, end: float | None = None) -> dict[str, Any]:
    """What a stage shows of an explanation.

    Args:
        explanation: what to show.
        end: where the scale ends, as in `pictures.heatmap`; the same for maps that are compared.
    """
    known = _explanations.get(explanation, {})
    if end not in known:
        on_own_scale = {key: stage for key, stage in known.items() if key is None}
        known = _explanations[explanation] = on_own_scale | {end: _stage_of(explanation, end)}
    return known[end]


def thumbnail_url(explanation: Explanation) -> str:
    """A data URL of an explanation over its picture, small, for a tile to choose."""
    tiles = _tiles.setdefault(explanation.sample, {})
    content = explanation.method.name, hash(explanation.attribution.tobytes())
    if content not in tiles:  # the explanation itself is gone as soon as another is looked at
        tiles[content] = _tile_url(heatmaps.overlay(explanation))
        if len(tiles) > MAX_TILES:
            del tiles[next(iter(tiles))]
    return tiles[content]


def _stage_of(explanation: Explanation, end: float | None) -> dict[str, Any]:
    prediction, segments = explanation.prediction, explanation.segments
    chance = prediction.probabilities[prediction.label]
    where = f" at layer {explanation.layer}" if explanation.layer else ""
    return {
        **sample_viewer_data(explanation.sample),
        **_map(explanation.attribution, explanation.method, end),
        "outlines": "" if segments is None else picture_url(heatmaps.outlines(segments)),
        "alt": f"{_seen(explanation.sample)}, called {prediction.name} ({chance:.1%}). "
        f"{explanation.method.title}{where}, for {explanation.target_name}: "
        + _said(explanation.attribution, explanation.method, explanation.sample, end),
        "caption": f"{explanation.method.title}{where}: why {explanation.target_name}?",
    }


def partial_viewer_data(sample: Sample, method: Method, attribution: np.ndarray) -> dict[str, Any]:
    """What a stage shows of a map that is still being sampled.

    Args:
        sample: what is explained.
        method: an entry of `METHODS`.
        attribution: float array of shape (height, width), the map so far.
    """
    return {
        **sample_viewer_data(sample),
        **_map(attribution, method, None),
        "alt": f"{_seen(sample)}. {method.title}, a partial map: "
        + _said(attribution, method, sample, None),
        "caption": f"{method.title}, so far",
        "busy": True,
    }


def picture_url(picture: np.ndarray) -> str:
    """A data URL of a PNG.

    Args:
        picture: uint8 array of shape (height, width, 3) or (height, width, 4).
    """
    grey = picture.shape[2] == 3 and (picture == picture[..., :1]).all()
    return _png_url(Image.fromarray(picture[..., 0] if grey else picture))


def wav_bytes(sound: Sound) -> bytes:
    """A sound as a 16-bit mono WAV file; what is beyond full scale is clipped, not wrapped."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(sound.rate)
        target.writeframes(np.rint(np.clip(sound.waveform, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _tile_url(picture: np.ndarray) -> str:
    small = Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.BOX)
    return picture_url(np.asarray(small))


def _shaded_url(shades: np.ndarray, colours: np.ndarray) -> str:
    """A data URL of shades in their colours, of shape (256, 3), or (256, 4) with what covers."""
    image = Image.fromarray(shades)
    image.putpalette(colours[:, :3].tobytes())
    covers = {"transparency": colours[:, 3].tobytes()} if colours.shape[1] == 4 else {}
    return _png_url(image, **covers)


def _png_url(image: Image.Image, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=COMPRESSION, **options)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _nothing_over() -> dict[str, Any]:
    return {"heatmap": "", "cover": "", "outlines": "", "scale": {}, "signal": True, "busy": False}


def _map(attribution: np.ndarray, method: Method, end: float | None) -> dict[str, Any]:
    shades, colours = heatmaps.shaded(attribution, method.signed, end)
    signal = has_signal(attribution)
    return {
        "heatmap": _shaded_url(shades, colours[:, :3]),
        "cover": _shaded_url(shades, colours),
        "signal": signal,
        "scale": _scale(method.signed, end or heatmaps.limit_of([attribution])) if signal else {},
    }


def _scale(signed: bool, end: float) -> dict[str, Any]:
    colours = colormaps[heatmaps.SIGNED if signed else heatmaps.UNSIGNED](np.linspace(0, 1, 17))
    numbers = np.linspace(-end if signed else 0, end, 3)
    return {
        "colours": [f"rgb({red} {green} {blue})" for red, green, blue in _bytes(colours)],
        "ticks": [
            (place, f"{number:.2g}") for place, number in zip((0, 0.5, 1), numbers, strict=True)
        ],
        "title": "against ← → for" if signed else "strength",
    }


def _bytes(colours: np.ndarray) -> list[list[int]]:
    return np.rint(colours[:, :3] * 255).astype(int).tolist()


def _sound(sample: Sample) -> dict[str, Any]:
    sound = sample.sound
    if sound is None:
        return {"sound": "", "sound_note": "", "span": (0.0, 0.0), "axes": {}}
    return {
        "sound": f"data:audio/wav;base64,{base64.b64encode(wav_bytes(sound)).decode()}",
        "sound_note": NOTE if sound.rebuilt else "",
        "span": (float(sound.seconds[0]), float(sound.seconds[-1])),
        "axes": {
            "x": {"title": "seconds", "ticks": heatmaps.second_ticks(sound)},
            "y": {"title": "Hz", "ticks": heatmaps.hertz_ticks(sound)},
        },
    }


def _seen(sample: Sample) -> str:
    """What the picture is. No name of a file: where a file lies on the server is nobody's."""
    if sample.sound is None:
        height, width = sample.image.shape[:2]
        return f"Picture of {width} by {height} pixels, as the network saw it"
    start, end = sample.sound.seconds[0], sample.sound.seconds[-1]
    low, high = sample.sound.hertz[0], sample.sound.hertz[-1]
    return f"Spectrogram of {start:.2f} to {end:.2f} s, {low:.0f} to {high:.0f} Hz"


def _said(attribution: np.ndarray, method: Method, sample: Sample, end: float | None) -> str:
    if not has_signal(attribution):
        return "no signal, so there is nothing to see."
    colours = "red for, blue against" if method.signed else "black weak, yellow strong"
    where = _time_and_pitch if sample.sound is not None else _parts
    found = where(*_strongest(attribution), sample)
    limit = end or heatmaps.limit_of([attribution])
    return f"of its strongest tenth {found}. Colours: {colours}; the scale ends at {limit:.2g}."


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


def _parts(rows: np.ndarray, columns: np.ndarray, sample: Sample) -> str:
    """The two ninths of the picture that hold most, and how much."""
    ninths = 3 * (rows * 3).astype(int) + (columns * 3).astype(int)
    shares = np.bincount(ninths, minlength=9) / len(ninths)
    first, second = np.argsort(-shares, kind="stable")[:2]
    text = f"{shares[first]:.0%} lie in the {_ninth(first)}"
    return text + (f" and {shares[second]:.0%} in the {_ninth(second)}" if shares[second] else "")


def _ninth(number: int) -> str:
    row, column = divmod(int(number), 3)
    return "middle" if number == 4 else f"{ROWS[row]} {COLUMNS[column]}"


def _time_and_pitch(rows: np.ndarray, columns: np.ndarray, sample: Sample) -> str:
    """The seconds and the Hz that hold the middle half."""
    sound = sample.sound
    start, end = sound.seconds[0], sound.seconds[-1]
    first, last = start + (end - start) * np.quantile(columns, [0.25, 0.75])
    bands = (1 - np.quantile(rows, [0.75, 0.25])) * len(sound.hertz) - 0.5
    low, high = np.interp(bands, np.arange(len(sound.hertz)), sound.hertz)
    return (
        f"half lies between {first:.2f} and {last:.2f} s, half between {low:.0f} and {high:.0f} Hz"
    )
