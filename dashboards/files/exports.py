"""Downloads: pictures, arrays, and names for the files."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.write import describe_explanation
from xai_tf.rendering import heatmaps

MAX_NAME = 80  # characters of a file name without its suffix
# Names that Windows reserves, with any suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def png(explanation: Explanation, opacity: float = 0.7, mark: str = "") -> bytes:
    """One explanation as a PNG with scale and axes. Takes about a second: call it in a thread."""
    file = BytesIO()
    heatmaps.figure(explanation, opacity, mark).savefig(file, format="png")
    return file.getvalue()


def overlay_png(explanation: Explanation, opacity: float = 0.7) -> bytes:
    """The map over its picture as a PNG, at the input size of the network."""
    file = BytesIO()
    Image.fromarray(heatmaps.overlay(explanation, opacity)).save(file, format="png", optimize=True)
    return file.getvalue()


def array(explanations: Sequence[Explanation]) -> bytes:
    """The maps as a `.npz` file, which `np.load` opens without pickle.

    It holds unscaled float32 arrays of shape (height, width), named `0_METHOD`, `1_METHOD`, ...,
    segments and their weights if a method has them, and `settings`: a JSON text with one entry per
    map under the same name. It contains no file names.
    """
    arrays: dict[str, np.ndarray] = {}
    settings: dict[str, Any] = {}
    for number, explanation in enumerate(explanations):
        name = f"{number}_{explanation.method.name}"
        arrays[name] = explanation.attribution.astype(np.float32)
        if explanation.segments is not None:
            arrays[f"{name}_segments"] = explanation.segments
            arrays[f"{name}_segment_weights"] = explanation.segment_weights
        settings[name] = {"sha256": explanation.sample.sha256, **describe_explanation(explanation)}
    file = BytesIO()
    np.savez_compressed(file, **arrays, settings=np.array(json.dumps(settings)))
    return file.getvalue()


def file_name(source: str, *parts: str, suffix: str) -> str:
    """A portable name for a download: letters, digits, dot, dash and underscore.

    Args:
        source: the name of the visitor's file; its folders and suffix are dropped.
        parts: further parts of the name, such as the method.
        suffix: the suffix with its dot.
    """
    stem = re.split(r"[/\\]", source)[-1]
    stem = re.sub(r"(?<=.)\.[^.]*$", "", stem)
    plain = (_plain(part) for part in (stem, *parts))
    name = "_".join(part for part in plain if part)[:MAX_NAME] or "explanation"
    return f"{'file_' if RESERVED.match(name) else ''}{name}{suffix}"


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9.-]+", "_", letters).strip("._-")
