"""An index page over a folder of bundles, for a browser without a network."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from html import escape
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xai_tf.agreement.agreement import NO_CONSENSUS
from xai_tf.attribution.convergence import curve
from xai_tf.attribution.methods import METHODS
from xai_tf.bundles.manifest import MANIFEST, read_manifest
from xai_tf.errors import InputError
from xai_tf.files import check_page as check_own_page
from xai_tf.files import write_file
from xai_tf.metrics.tables import SCORE_COLUMNS, score_cells
from xai_tf.narration.notices import NOTICE
from xai_tf.regions.mark_tables import MARK_CAPTION, MARK_COLUMNS, mark_problems, mark_rows

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
.alarm, .doubtful, .not_supported { border-left: 0.3rem solid #c62828; padding-left: 0.6rem; }
.caution, .partly_supported { border-left: 0.3rem solid #b26a00; padding-left: 0.6rem; }
.unchecked { border-left: 0.3rem solid #8888; padding-left: 0.6rem; }
.supported, .well_supported { border-left: 0.3rem solid #2e7d32; padding-left: 0.6rem; }
"""
SHOWN = {
    "consensus": "Consensus: bright where all of these maps are strong:",
    "conflict": "Disagreement: bright where these maps disagree:",
}


def write_page(folder: Path, manifests: Mapping[str, dict[str, Any]], title: str = "") -> Path:
    """Write `index.html` beside the bundles: prediction, pictures and figures of each file.

    The page shows every bundle in the folder, those of earlier runs below the given ones.

    Args:
        folder: holds the bundles.
        manifests: by the name of the bundle, in the order in which they are shown.
        title: of the page; if left out, it names the models.
    """
    manifests = {**manifests, **_earlier(folder, manifests)}
    models = dict.fromkeys(manifest["model"]["name"] for manifest in manifests.values())
    title = title or f"Explanations by {', '.join(models)}"
    sections = "\n".join(_section(name, manifest) for name, manifest in manifests.items())
    page = folder / "index.html"
    text = (
        f'{MARK}\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n'
        f"<h1>{escape(title)}</h1>\n"
        f'<p class="note">{NOTICE}</p>\n{sections}\n</html>\n'
    )
    write_file(page, text)
    return page


def _earlier(folder: Path, known: Collection[str]) -> dict[str, dict[str, Any]]:
    """The manifests of the other bundles in a folder; what is damaged is left out."""
    found = {}
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        name = path.parent.name
        if name not in known and not name.startswith("."):
            with suppress(InputError):
                found[name] = read_manifest(path.parent)
    return found


def check_page(folder: Path) -> None:
    """Raise an OutputError where the index would replace somebody else's page."""
    check_own_page(folder / "index.html", MARK)


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
        f"<p>{escape(model['name'])}</p>{_trust(manifest)}<table>{chances}</table>{notes}{_alarms(manifest)}"
        f"{sounds}{pictures}{_compared(name, manifest)}"
        "<details><summary>Figures</summary><table><tr><th>Method<th>Class explained<th>Passes"
        f"<th>Seconds<th>Figures of the method<th>Diagnostics{rows}</table></details>"
        f"{_agreement(manifest)}{_scores(manifest)}{_regions(manifest)}{_marks(manifest)}</section>"
    )


def _trust(manifest: dict[str, Any]) -> str:
    """The verdict on each map; earlier versions made none."""
    found = [(entry, entry["trust"]) for entry in manifest["explanations"] if "trust" in entry]
    return "".join(
        f'<p class="{trust["level"]}">{escape(METHODS[entry["method"]].title)}: '
        f"<b>{escape(trust['word'])}.</b> {escape(trust['sentence'])}</p>"
        for entry, trust in found
    )


def _suffixes(manifest: dict[str, Any]) -> list[str]:
    windows = sorted({entry["window"] for entry in manifest["explanations"]})
    return [f"_window{number:02d}" for number in windows] if len(windows) > 1 else [""]


def _pictures(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    title = (
        f"{manifest['input']['file']} is predicted as {manifest['input']['prediction']['class']}"
    )
    found = [("timeline.png", f"{title}, over time")] if "windows" in manifest["input"] else []
    methods = ", ".join(dict.fromkeys(entry["method"] for entry in manifest["explanations"]))
    return found + [
        (f"comparison{suffix}.png", f"{title}: maps of {methods}") for suffix in _suffixes(manifest)
    ]


def _compared(name: str, manifest: dict[str, Any]) -> str:
    """Consensus and disagreement of the maps of each question."""
    parts = []
    for compared in manifest.get("comparisons", ()):
        methods = escape(", ".join(compared["agreement"]["methods"]))
        if not compared["agreement"].get("beyond_chance", True):  # earlier versions did not say
            parts.append(f"<p>{methods}: {NO_CONSENSUS}")
        for picture in compared["pictures"]:
            shown = SHOWN[re.split(r"[._]", picture)[0]]
            source, caption = f"{quote(name)}/{picture}", f"{shown} {methods}"
            parts.append(f'<p>{caption}<p><img src="{source}" loading="lazy" alt="{caption}">')
        for dispute in compared["conflicts"]:
            parts.append(f"<p>{escape(dispute['place'])}: {escape(dispute['text'])}.")
    return "".join(parts)


def _sounds(manifest: dict[str, Any]) -> list[str]:
    if "seconds_span" not in manifest["explanations"][0]:
        return []
    return [f"sound{suffix}.wav" for suffix in _suffixes(manifest)]


def _row(entry: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {value:.3g}" for name, value in entry["figures"].items())
    diagnoses = " ".join(diagnosis["text"] for diagnosis in entry["diagnoses"])
    against = f" rather than {entry['contrast']}" if entry["contrast"] else ""
    layer = f" at {entry['layer']}" if entry["layer"] else ""
    cells = (
        entry["method"] + layer,
        entry["target"] + against,
        sum(entry["passes"].values()),
        f"{entry['seconds']:.1f}",
        figures,
        " ".join(filter(None, [*entry["warnings"], diagnoses])),
    )
    settled = entry.get("convergence") or {"samples": [], "stability": [], "wanted": None}
    drawn = curve(settled["samples"], settled["stability"], settled["wanted"])
    return "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + drawn


def _scores(manifest: dict[str, Any]) -> str:
    """The scores of the explanations and their meaning; empty without scores."""
    rows = [
        (entry["method"], *score_cells(score))
        for entry in manifest["explanations"]
        for score in entry["scores"]
    ]
    return _folded("Scores", ("method", *SCORE_COLUMNS), rows)


def _agreement(manifest: dict[str, Any]) -> str:
    """The pairwise agreement of the maps of each question."""
    rows = []
    for compared in manifest.get("comparisons", ()):
        found, asked = compared["agreement"], compared["target"]
        for one, other in combinations(range(len(found["methods"])), 2):
            signs = found["sign_agreement"][one][other]
            rows.append(
                (
                    asked,
                    f"{found['methods'][one]} and {found['methods'][other]}",
                    f"{found['rank_correlation'][one][other]:.2f}",
                    f"{found['overlap'][one][other]:.0%}",
                    "-" if signs is None else f"{signs:.0%}",
                )
            )
    head = ("class", "maps", "rank correlation", "overlap of the top tenth", "same sign there")
    return _folded("Agreement", head, rows)


def _alarms(manifest: dict[str, Any]) -> str:
    """The alarms of each map that was audited."""
    audits = [(e["method"], e["audit"]) for e in manifest["explanations"] if "audit" in e]
    alarms = [f"{method}: {text}" for method, audit in audits for text in audit["alarms"]]
    notes = dict.fromkeys(text for _, audit in audits for text in audit["warnings"])
    return "".join(
        f'<p class="{look}">{escape(text)}</p>'
        for look, texts in (("alarm", alarms), ("note", notes))
        for text in texts
    )


def _regions(manifest: dict[str, Any]) -> str:
    """The share of each map by region; empty without an audit."""
    rows = [
        (
            entry["method"],
            row["partition"],
            row["region"],
            f"{row['area']:.1%}",
            "-" if row["share"] is None else f"{row['share']:.1%}",
            "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
            "ALARM" * row["alarm"],
        )
        for entry in manifest["explanations"]
        for row in entry.get("audit", {}).get("regions", ())
    ]
    head = ("method", "partition", "region", "area", "evidence", "density", "alarm")
    return _folded("Where the evidence lies", head, rows)


def _marks(manifest: dict[str, Any]) -> str:
    """How the maps fit what people marked, beside blind maps; empty without marks."""
    judged = [(e["method"], e["marks"]) for e in manifest["explanations"] if "marks" in e]
    problems = "".join(f'<p class="note">{escape(text)}</p>' for text in mark_problems(judged))
    return problems + _folded("What people marked", MARK_COLUMNS, mark_rows(judged), MARK_CAPTION)


def _folded(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = ""
) -> str:
    """A table that opens on a click; nothing where it has no rows."""
    if not rows:
        return ""
    heads = "".join(f"<th>{name[0].upper()}{name[1:]}" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    below = f'<p class="note">{caption}</p>' if caption else ""
    return f"<details><summary>{title}</summary><table><tr>{heads}{lines}</table>{below}</details>"
