"""Charts of the winner on the test split: confusion matrix, ROC curves and calibration.

They are drawn from the arrays of `Search.arrays()`: `test_logits` of shape (files, logits),
`test_probabilities` of shape (files, classes), before any calibration, and `test_labels` of shape
(files,), or with several labels (files, classes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuning.calibration import Calibration, calibrated, single_questions
from tuning.reporting.drawing import (
    COLOURS,
    GREY,
    INK,
    color,
    new_figure,
    plain_text,
    text_figure,
    tidy,
)
from xai_tf.classifiers.prediction import DEFAULT_THRESHOLD
from xai_tf.evaluation import curves
from xai_tf.evaluation.classification import confusion, evaluate
from xai_tf.statistics import wilson

NUM_DRAWS = 300  # bootstrap draws of the band; the interval of the area uses 1,000
MOST_BANDS = 4  # with more classes the bands would cover each other


def confusion_matrix(
    arrays: Mapping[str, np.ndarray], classes: Sequence[str], threshold: float | None = None
) -> Figure:
    """Confusion matrix with counts and shares of each true class.

    With several labels each has a row of its own: files by prediction and truth.

    Args:
        arrays: the arrays of the winner.
        classes: the classes, in the order of the outputs.
        threshold: the probability from which the second of two classes is predicted; adds a second
            matrix for it.
    """
    probabilities, labels = arrays["test_probabilities"], arrays["test_labels"]
    if labels.ndim == 2:
        return _label_matrix(probabilities >= DEFAULT_THRESHOLD, labels == 1, classes)
    shown = [("the most probable class", confusion(probabilities, labels))]
    if threshold is not None and len(classes) == 2:
        predicted = np.eye(2)[(probabilities[:, 1] >= threshold).astype(int)]
        title = f"{plain_text(classes[1])} from {threshold:g}"
        shown.append((title, confusion(predicted, labels)))
    side = max(3.2, 0.55 * len(classes) + 1.8)
    plot = new_figure(side + 1.2, side * len(shown))
    axes = np.atleast_1d(plot.subplots(len(shown), 1))
    names = [plain_text(name, 18) for name in classes]
    for ax, (title, counts) in zip(axes, shown, strict=True):
        _draw_counts(ax, counts, names, names)
        ax.set_xlabel("predicted", fontsize=9)
        ax.set_ylabel("true", fontsize=9)
        ax.set_title(f"Predicted: {title}", fontsize=10)
    return plot


def _label_matrix(found: np.ndarray, truth: np.ndarray, classes: Sequence[str]) -> Figure:
    outcomes = {
        "found, true": found & truth,
        "missed": ~found & truth,
        "found, not true": found & ~truth,
        "not found, not true": ~found & ~truth,
    }
    plot = new_figure(5.6, max(2.4, 0.55 * len(classes) + 1.4))
    ax = plot.subplots()
    counts = np.stack([outcome.sum(axis=0) for outcome in outcomes.values()], axis=1)
    _draw_counts(ax, counts, [plain_text(name, 18) for name in classes], list(outcomes))
    ax.set_title(f"Found: from a probability of {DEFAULT_THRESHOLD:g}", fontsize=10)
    return plot


def roc(
    arrays: Mapping[str, np.ndarray], classes: Sequence[str], threshold: float | None = None
) -> Figure:
    """ROC curves: of the second of two classes, of each class against all others, or of each label.

    The area has a 95% interval, the curve a 95% band, both by bootstrap within each class.

    Args:
        arrays: the arrays of the winner.
        classes: the classes, in the order of the outputs.
        threshold: the probability from which the second of two classes is predicted; marked on
            its curve besides 0.5.
    """
    probabilities, labels = arrays["test_probabilities"], arrays["test_labels"]
    binary = len(classes) == 2 and labels.ndim == 1
    one_hot = labels == 1 if labels.ndim == 2 else np.eye(len(classes))[labels] == 1
    candidates = [1] if binary else range(len(classes))
    drawable = [k for k in candidates if 0 < one_hot[:, k].sum() < len(labels)]
    if not drawable:
        return text_figure("All test files are of one class: there is no ROC curve.")
    plot = new_figure(6, 5.2 + (0.22 * len(drawable) if len(drawable) > MOST_BANDS else 0))
    ax = plot.subplots()
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    for label in drawable:
        scores, hit = probabilities[:, label], one_hot[:, label]
        area = evaluate(np.stack([1 - scores, scores], axis=1), hit.astype(int), "test")[1]
        shade = COLOURS[0] if binary else color(label)
        name = plain_text(classes[label], 24)
        text = f"{name}: {area.value:.3f} ({area.low:.3f} to {area.high:.3f})"
        ax.step(
            *_roc(scores, hit),
            where="post",
            color=shade,
            linewidth=2,
            label=text,
            linestyle="-" if label < len(COLOURS) else "--",
        )
        if len(drawable) <= MOST_BANDS:
            ax.fill_between(_GRID, *_band(scores, hit), color=shade, alpha=0.15, linewidth=0)
    if binary:
        _mark_thresholds(ax, probabilities[:, 1], labels == 1, threshold)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    ax.set_xlabel("false positive rate (1 - specificity)", fontsize=9)
    ax.set_ylabel("true positive rate (sensitivity)", fontsize=9)
    tidy(ax)
    ax.legend(title="area under the curve (95%)", title_fontsize=8, fontsize=8, loc="lower right")
    return plot


def reliability(arrays: Mapping[str, np.ndarray], calibration: Calibration | None = None) -> Figure:
    """Reliability diagram: whether files predicted with 80% confidence are correct in 80%.

    With several labels each label of each file counts as one.

    Args:
        arrays: the arrays of the winner.
        calibration: adds a diagram of the calibrated probabilities.
    """
    found, labels = arrays["test_probabilities"], arrays["test_labels"]
    if labels.ndim == 2:
        found, _ = single_questions(found, labels)
        found = np.concatenate([1 - found, found], axis=1)
    shown = [("as trained", found)]
    if calibration and "test_logits" in arrays:
        logits, _ = single_questions(arrays["test_logits"], labels)
        title = f"after {calibration['method']} scaling"
        shown.append((title, calibrated(logits, calibration)))
    labels = labels.reshape(-1)
    plot = new_figure(4.6 * len(shown) + 0.4, 5)
    grid = plot.subplots(2, len(shown), sharex=True, sharey="row", height_ratios=(4, 1))
    for (upper, lower), (title, chances) in zip(grid.reshape(2, -1).T, shown, strict=True):
        _draw_reliability(upper, chances, labels)
        error = curves.calibration_error(chances, labels)
        upper.set_title(f"{title}: calibration error {error:.3f}", fontsize=10)
        lower.hist(chances.max(axis=1), bins=np.linspace(0, 1, curves.BINS + 1), color=GREY)
        lower.set_xlabel("confidence: probability of the predicted class", fontsize=9)
        tidy(lower)
    first = grid.reshape(2, -1)[:, 0]
    first[0].set_ylabel("accuracy", fontsize=9)
    unit = "files" if len(labels) == len(arrays["test_labels"]) else "labels of files"
    first[1].set_ylabel(unit, fontsize=9)
    return plot


def _draw_reliability(ax: Axes, probabilities: np.ndarray, labels: np.ndarray) -> None:
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    bins = curves.reliability(probabilities, labels)
    for b in bins:
        interval = wilson(b.num_correct, b.count)
        ax.plot([b.confidence] * 2, interval, color=COLOURS[0], alpha=0.5, linewidth=2)
    ax.plot(
        [b.confidence for b in bins],
        [b.num_correct / b.count for b in bins],
        "o-",
        color=COLOURS[0],
        markersize=5,
    )
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02))
    tidy(ax)


def _draw_counts(
    ax: Axes, counts: np.ndarray, names: Sequence[str], columns: Sequence[str]
) -> None:
    """Draw counts of shape (names, columns), shaded and labeled by their shares of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    has_room = len(names) <= 10
    for row, column in np.ndindex(*counts.shape):
        share = f"\n{shares[row, column]:.0%}" if has_room else ""
        if counts[row, column] or has_room:
            ax.text(
                column,
                row,
                f"{counts[row, column]}{share}",
                ha="center",
                va="center",
                fontsize=9 if has_room else 7,
                color="white" if shares[row, column] > 0.55 else INK,
            )
    slant: dict[str, Any] = (
        {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(columns) > 3 else {}
    )
    ax.set_xticks(range(len(columns)), columns, fontsize=9, **slant)
    ax.set_yticks(range(len(names)), names, fontsize=9)
    ax.tick_params(length=0)


_GRID = np.linspace(0, 1, 101)


def _roc(scores: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False positive rate and sensitivity, for each threshold."""
    roc_curve = curves.curve(scores, hit)
    return roc_curve.false_positive_rate, roc_curve.sensitivity


def _band(scores: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The band that holds 95% of the curves of resampled files: low and high over `_GRID`."""
    rng, groups = np.random.default_rng(0), (np.flatnonzero(hit), np.flatnonzero(~hit))
    drawn = []
    for _ in range(NUM_DRAWS):
        rows = np.concatenate([rng.choice(group, len(group)) for group in groups])
        drawn.append(np.interp(_GRID, *_roc(scores[rows], hit[rows])))
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return low, high


def _mark_thresholds(
    ax: Axes, scores: np.ndarray, hit: np.ndarray, threshold: float | None
) -> None:
    levels = [(0.5, "o")] + ([(threshold, "D")] if threshold not in (None, 0.5) else [])
    for level, marker in levels:
        predicted = scores >= level
        ax.plot(
            predicted[~hit].mean(),
            predicted[hit].mean(),
            marker,
            color=INK,
            markersize=7,
            fillstyle="none",
            markeredgewidth=1.6,
            linestyle="",
            label=f"from {level:g}: sensitivity {predicted[hit].mean():.0%}, "
            f"false positives {predicted[~hit].mean():.0%}",
        )
