"""The figures of a search as PNG files. Runs in a worker process, as it takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

from dashboards.service.requests import DrawSearch
from dashboards.service.searches import DAMAGE, read_whole
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tuning.trials import Search

DPI = 130


def draw_search(request: DrawSearch) -> dict[str, bytes]:
    """Draw the current state of a search: PNG bytes by the name of the figure.

    Always "learning_curves", "schedule", "parallel_coordinates", "importance" and "penalty"; with
    an exported winner and test files also "confusion_matrix", "roc" and "reliability".

    Raises:
        InputError: a file of the search is damaged, missing, or being written.
    """
    from tuning.reporting import figures

    search = read_whole(request.folder)
    draw: dict[str, Callable[[Search], Figure]] = {
        "learning_curves": figures.learning_curves,
        "schedule": figures.schedule,
        "parallel_coordinates": figures.parallel_coordinates,
        "importance": figures.importance,
        "penalty": figures.penalty,
    }
    try:
        drawn = {name: figure(search) for name, figure in draw.items()} | _charts(search)
    except DAMAGE as error:
        raise InputError(
            f"Cannot draw the figures of {request.folder} ({type(error).__name__}: {error}). "
            "Restore its files, or inspect them with `xai-tf tune-report`."
        ) from error
    return {name: _png(figure) for name, figure in drawn.items()}


def _charts(search: Search) -> dict[str, Figure]:
    """The charts of the exported winner on its test files."""
    from tuning.reporting import charts

    arrays = search.arrays() if search.winner else {}
    if not len(arrays.get("test_probabilities", ())):
        return {}
    classes, threshold = search.study["classes"], search.winner.get("threshold")
    return {
        "confusion_matrix": charts.confusion_matrix(arrays, classes, threshold),
        "roc": charts.roc(arrays, classes, threshold),
        "reliability": charts.reliability(arrays, search.winner.get("calibration")),
    }


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
