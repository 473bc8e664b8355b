"""The predictions for many files as a table: rows for a data frame, HTML for a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xai_tf.bundles.sources import find_inputs
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import Reading, read_and_predict
from xai_tf.errors import InputError
from xai_tf.progress import Progress, silent
from xai_tf.rendering.notebook import rows_html

SHOWN = ("file", "class", "probability", "margin", "windows", "out_of_distribution")


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """The predictions for many files. A notebook shows it; `pandas.DataFrame(table.to_rows())`.

    Attributes:
        described: by file, what is known of it as plain data: prediction, windows, warnings.
        failures: by file, why it could not be read.
    """

    described: Mapping[Path, Mapping[str, Any]]
    failures: Mapping[Path, InputError]

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each file that was read, with the probability of every class."""
        return [prediction_row(one) for one in self.described.values()]

    def __len__(self) -> int:
        return len(self.described)

    def _repr_html_(self) -> str:
        rows = [{name: row[name] for name in SHOWN} for row in self.to_rows()]
        return rows_html(rows, [f"{path}: {error}" for path, error in self.failures.items()])


def predict_files(
    classifier: Classifier,
    files: str | Path | Sequence[str | Path],
    *,
    progress: Progress = silent,
    on_result: Callable[[Path, Reading | InputError], None] = lambda path, found: None,
) -> PredictionTable:
    """Predict files, and those in folders, one after the other.

    >>> import xai_tf
    >>> folder = Path(xai_tf.__file__).parent / "samples"
    >>> files = [folder / "brain_head_notumor.png", folder / "brain_head_lesion.png"]
    >>> table = xai_tf.predict_files(xai_tf.load("brain_cnn"), files)
    >>> sorted(row.get("class") for row in table.to_rows())
    ['notumor', 'notumor']

    Args:
        classifier: what predicts.
        files: a file, a folder (gone through with all folders in it, in the order of the paths), or
            several of either.
        progress: called with (files done, files in all, the name of the file).
        on_result: called with each file and what was read of it, or why it could not be read.

    Raises:
        InputError: a folder holds no file that the model reads. A single file that cannot be read
            is among the failures.
    """
    from xai_tf.bundles.write import describe_reading

    given = [files] if isinstance(files, str | Path) else list(files)
    paths = find_inputs(list(map(Path, given)), classifier)
    described: dict[Path, dict[str, Any]] = {}
    failures: dict[Path, InputError] = {}
    for number, path in enumerate(paths):
        progress(number, len(paths), path.name)
        found: Reading | InputError
        try:
            found = read_and_predict(classifier, path)
            described[path] = describe_reading(found) | {"file": str(path)}
        except InputError as error:
            found = failures[path] = error
        on_result(path, found)
    progress(len(paths), len(paths), "")
    return PredictionTable(described, failures)


def prediction_row(reading: Mapping[str, Any]) -> dict[str, Any]:
    """A row for a spreadsheet, from `describe_reading`."""
    prediction, checked = reading["prediction"], reading["ood_score"]
    return {
        "file": reading["file"],
        "class": prediction["class"],
        "probability": max(prediction["probabilities"].values()),
        "margin": prediction["margin"],
        "windows": len(reading.get("windows", [1])),
        "out_of_distribution": checked and checked["out_of_distribution"],
        **{f"probability {name}": value for name, value in prediction["probabilities"].items()},
    }
