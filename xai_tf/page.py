"""An index page over a folder of bundles, for a browser without a network."""

from __future__ import annotations

import os
import tempfile
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xai_tf.convergence import curve
from xai_tf.errors import OutputError
from xai_tf.scoring.told import score_cells

MARK = "<!doctype html><!-- written by xai-tf -->"
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #8888; padding: 1rem 0; }
img { max-width: 100%; height: auto; background: white; }
table { border-collapse: collapse; font-size: 0.9rem; }
td, th { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; vertical-align: top; }
meter { width: 8rem; }
.note { opacity: 0.75; }
"""
MEDICAL = "Not a medical device: nothing here may be used to diagnose or treat anyone."
NOTICE = "Maps show what the network used, which need not be what a person would use. " + MEDICAL


def write_page(folder: Path, manifests: dict[str, dict[str, Any]], title: str) -> Path:
    """Write `index.html` beside the bundles: prediction, pictures and figures of each file.

    Args:
        folder: holds the bundles.
        manifests: by the name of the bundle.
        title: of the page.
    """
    sections = "\n".join(_section(name, manifest) for name, manifest in manifests.items())
    page = folder / "index.html"
    text = (
        f'{MARK}\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n'
        f"<h1>{escape(title)}</h1>\n"
        f'<p class="note">{NOTICE}</p>\n{sections}\n</html>\n'
    )
    try:
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, page)
    except OSError as error:
        raise OutputError(f"{page} cannot be written ({error.strerror or error}).") from error
    return page


def check_page(folder: Path) -> None:
    """Raise an OutputError where the page would take the place of somebody else's."""
    page = folder / "index.html"
    if page.is_file() and MARK not in page.read_text("utf-8", errors="replace")[:200]:
        raise OutputError(f"{page} is there and is not ours. Give another --out.")


def _section(name: str, manifest: dict[str, Any]) -> str:
    read, model = manifest["input"], manifest["model"]
    chances = "".join(
        f'<tr><td>{escape(label)}<td><meter value="{chance:.4f}">{chance:.1%}</meter> {chance:.1%}'
        for label, chance in sorted(
            read["prediction"]["probabilities"].items(), key=lambda item: -item[1]
        )[:5]
    )
    notes = "".join(f'<p class="note">{escape(text)}</p>' for text in read["warnings"])
    pictures = "".join(
        f'<p><img src="{quote(name)}/{picture}" loading="lazy" alt="{escape(text)}">'
        for picture, text in _pictures(manifest)
    )
    sounds = "".join(
        f'<p><audio controls src="{quote(name)}/{sound}"></audio>' for sound in _sounds(manifest)
    )
    rows = "".join(_row(entry) for entry in manifest["explanations"])
    return (
        f"<section><h2>{escape(read['file'])}: {escape(read['prediction']['class'])}</h2>"
        f"<p>{escape(model['name'])}</p><table>{chances}</table>{notes}{sounds}{pictures}"
        "<details><summary>Figures</summary><table><tr><th>Method<th>Class explained<th>Passes"
        f"<th>Seconds<th>What it says of itself<th>Map doctor{rows}</table></details>"
        f"{_scores(manifest)}</section>"
    )


def _suffixes(manifest: dict[str, Any]) -> list[str]:
    windows = sorted({entry["window"] for entry in manifest["explanations"]})
    return [f"_window{number:02d}" for number in windows] if len(windows) > 1 else [""]


def _pictures(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    said = f"{manifest['input']['file']} is called {manifest['input']['prediction']['class']}"
    found = [("timeline.png", f"{said}, over time")] if "windows" in manifest["input"] else []
    methods = ", ".join(dict.fromkeys(entry["method"] for entry in manifest["explanations"]))
    return found + [
        (f"comparison{suffix}.png", f"{said}: maps of {methods}") for suffix in _suffixes(manifest)
    ]


def _sounds(manifest: dict[str, Any]) -> list[str]:
    if "seconds_span" not in manifest["explanations"][0]:
        return []
    return [f"sound{suffix}.wav" for suffix in _suffixes(manifest)]


def _row(entry: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {value:.3g}" for name, value in entry["figures"].items())
    findings = " ".join(finding["text"] for finding in entry["findings"]) or "sound"
    against = f" rather than {entry['contrast']}" if entry["contrast"] else ""
    layer = f" at {entry['layer']}" if entry["layer"] else ""
    cells = (
        entry["method"] + layer, entry["target"] + against, sum(entry["passes"].values()),
        f"{entry['seconds']:.1f}", figures, " ".join([*entry["warnings"], findings]),
    )  # fmt: skip
    settled = entry.get("convergence") or {"samples": [], "stability": [], "wanted": None}
    drawn = curve(settled["samples"], settled["stability"], settled["wanted"])
    return "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + drawn


def _scores(manifest: dict[str, Any]) -> str:
    """The scores of the explanations, with what each means; nothing where none were asked for."""
    rows = "".join(
        _score_row(entry["method"], score)
        for entry in manifest["explanations"]
        for score in entry["scores"]
    )
    if not rows:
        return ""
    return (
        "<details><summary>Scores</summary><table><tr><th>Method<th>Metric<th>Value<th>Range"
        f"<th>Random maps, 5 to 95 %<th>Beats<th>Meaning{rows}</table></details>"
    )


def _score_row(method: str, score: dict[str, Any]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}" for cell in (method, *score_cells(score)))
