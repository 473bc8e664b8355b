"""Records as HTML, as a notebook shows them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xai_tf.attribution.explanation import Explanation
    from xai_tf.classifiers.prediction import Prediction

SHOWN = 5  # classes
ROWS = 100  # of a table


def prediction_html(prediction: Prediction) -> str:
    """A prediction as a table: the most probable classes, with bars."""
    order = prediction.probabilities.argsort()[::-1]
    rows = [
        (prediction.classes[label], _bar(float(prediction.probabilities[label])))
        for label in order[:SHOWN]
    ]
    if len(order) > SHOWN:
        rows.append((f"{len(order) - SHOWN} more", ""))
    return _table((escape(name), bar) for name, bar in rows)


def explanation_html(explanation: Explanation) -> str:
    """An explanation as its figure, with a table of what was asked and what it cost."""
    from xai_tf.attribution.diagnostics import diagnose
    from xai_tf.attribution.methods import shown
    from xai_tf.rendering.heatmaps import figure

    png = io.BytesIO()
    figure(explanation).savefig(png, format="png")
    source = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
    prediction = explanation.prediction
    chance = prediction.probabilities[prediction.label]
    diagnoses = [one.text for one in diagnose(explanation.attribution)]
    doubts = [*explanation.sample.warnings, *explanation.warnings, *diagnoses]
    values = {
        "prediction": f"{prediction.name} ({chance:.1%})",
        "method": explanation.method.title,
        "evidence for": explanation.target_name,
        "layer": explanation.layer or "",
        "settings": ", ".join(f"{name}={shown(v)}" for name, v in explanation.settings.items()),
        "passes": str(explanation.cost.evaluations),
        "seconds": f"{explanation.seconds:.1f}",
        **{name: f"{value:.3g}" for name, value in explanation.figures.items()},
        "take care": " ".join(doubts),
    }
    alt = f"{values['method']}: evidence for {values['evidence for']}"
    rows = _table((escape(name), escape(value)) for name, value in values.items() if value)
    return f'<img src="{source}" alt="{escape(alt)}" style="max-width: 100%">{rows}'


def rows_html(rows: Sequence[Mapping[str, Any]], notes: Sequence[str] = ()) -> str:
    """Rows with the same keys as a table, of which the first are shown, and notes below it.

    Shares are numbers of the key "probability".
    """
    if not rows:
        return _notes(["No rows.", *notes])
    left = 'style="text-align: left"'
    head = "".join(f"<th {left}>{escape(name.replace('_', ' '))}</th>" for name in rows[0])
    lines = "".join(
        "<tr>" + "".join(f"<td {left}>{_cell(*item)}</td>" for item in row.items()) + "</tr>"
        for row in rows[:ROWS]
    )
    more = [f"{len(rows) - ROWS} more"] if len(rows) > ROWS else []
    return f"<table><tr>{head}</tr>{lines}</table>{_notes([*more, *notes])}"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _bar(value) if name == "probability" else f"{value:.2f}"
    return escape(str(value))


def _notes(texts: Sequence[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def _bar(share: float) -> str:
    return f'<meter value="{share:.4f}" style="width: 8em">{share:.1%}</meter> {share:.1%}'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    left = 'style="text-align: left"'
    lines = "".join(
        f"<tr><th {left}>{name}</th><td {left}>{value}</td></tr>" for name, value in rows
    )
    return f"<table>{''.join(lines)}</table>"
