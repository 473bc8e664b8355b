"""Which method finds what people marked in real pictures?

Every method of `METHODS` at its defaults against boxes that people drew around tumors and
pneumonia, beside maps that know nothing of the model. The class explained is the one that the
boxes are about. Methods of few passes are run on all files, the others on a fixed subset: files
of the test set first, then the others evenly.

Run: python -m benchmarks.human_marks DATA [--few 50] [--kept FILE] [--write], where DATA holds
`evidence/SET_boxes.csv` and `SET/` with the pictures. It prints a section for
`benchmarks/results.md`, and writes it with --write. With --kept it goes on where it was stopped.
"""

import argparse
import json
import os
import time
from dataclasses import asdict, fields
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.results_file import write_section
from xai_tf import load
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import InputError
from xai_tf.regions.mark_files import read_marks
from xai_tf.regions.marked import RIGHT, MarkedMap, MarkRow, blind_scores, summarize
from xai_tf.regions.marks import match_marks, place_marks
from xai_tf.regions.yardstick import BLIND_TITLES, FIGURES, MarkScores, mark_scores, tolerance_of

# The sets, each with its models and the class of its boxes where the boxes do not say it.
SETS = {
    "brain_mri": (("brain_mobilenetv2", "brain_cnn"), None),
    "chest_xray_adult": (("xray_mobilenetv2",), "opacity"),
}
FEW_PASSES = 20  # of a method that is run on all files
SMOOTHING = 4  # pixels of 224, of a second look at maps of single pixels
KEPT = {field.name for field in fields(MarkScores)}
TEST = "test"
HEAD = """## What people marked

By `benchmarks/human_marks.py`, {date}. Boxes of tumors in MRI slices and of pneumonia in X-rays of
adults, drawn by people, against maps of the class that they are about, every method at its
defaults. Of answers that are right, if not said otherwise. Pointing: the strongest pixel is on a
box or within {tolerance} pixels of it (of 224); strict pointing: it is on a box; density: share of
the evidence in the boxes divided by their area; IoU with as many of the strongest pixels; AUC of
the map as a ranking of the pixels, and the same of the map smoothed by {smoothing} pixels (of 224).
Lead: the AUC minus that of the best blind map, file by file. In brackets: 95% intervals, Wilson for
both kinds of pointing, else bootstrap over the files. Methods of more than {passes} passes are run
on a fixed subset. Maps in italics know nothing of the model.
"""
COLUMNS = ("method", "files", *FIGURES.values(), "AUC, smoothed", "lead")


class Kept:
    """Scores that were computed before, in a file of JSON lines; those of other figures are not."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._known = path, {}
        if path and path.is_file():
            for line in path.read_text().splitlines():
                key, *scores = json.loads(line)
                if all(one is None or one.keys() == KEPT for one in scores):
                    self._known[tuple(key)] = [one and MarkScores(**one) for one in scores]

    def __call__(self, key: tuple[str, ...], compute) -> list[MarkScores | None]:
        """The scores of a key, computed where they are not known."""
        if key not in self._known:
            self._known[key] = compute()
            if self._path:
                with self._path.open("a") as file:
                    file.write(json.dumps([key, *(s and asdict(s) for s in self._known[key])]))
                    file.write("\n")
        return self._known[key]


def passes(classifier: Classifier, name: str) -> int:
    """The passes of a method at its defaults, at most."""
    method = METHODS[name]
    settings = method.settings({}, classifier.baseline)
    return method.costs(settings, classifier.image_size)[1].evaluations


class Judged:
    """A file with its marks, where maps are judged; what does not depend on the map is kept."""

    def __init__(self, classifier: Classifier, path: Path, marks, target: str) -> None:
        self.path, self.target, self._classifier = path, target, classifier
        self.sample = classifier.read(path)
        self._mask = place_marks(self.sample, marks, classifier.read_options)[0]
        self._blind = blind_scores(self.sample, self._mask)
        self.right = False

    def by(self, method: str, kept: Kept) -> tuple[MarkedMap, MarkedMap]:
        """The judgment of the map of a method, and of the same map smoothed."""

        def compute() -> list[MarkScores | None]:
            found = explain(self._classifier, self.sample, method, target=self.target).attribution
            reach = SMOOTHING * min(found.shape) / 224
            return [
                scores_or_none(one, self._mask) for one in (found, gaussian_filter(found, reach))
            ]

        key = (self._classifier.name, method, str(self.path.relative_to(self.path.parents[2])))
        raw, smoothed = (self._judgment(method, scores) for scores in kept(key, compute))
        return raw, smoothed

    def _judgment(self, method: str, scores: MarkScores | None) -> MarkedMap:
        return MarkedMap(
            file=self.path,
            method=method,
            target=self.target,
            right=self.right,
            mask=self._mask,
            scores=scores,
            blind=self._blind,
        )


def scores_or_none(attribution: np.ndarray, mask: np.ndarray) -> MarkScores | None:
    """The scores of a map; None where it has no signal."""
    try:
        return mark_scores(attribution, mask)
    except InputError:
        return None


def subset(files: list[Judged], count: int) -> list[Judged]:
    """Some of the files, those of the test set first, then the others evenly."""
    tests = [one for one in files if TEST in one.path.parts]
    others = [one for one in files if TEST not in one.path.parts]
    wanted = min(max(count - len(tests), 0), len(others))
    spread = np.linspace(0, len(others) - 1, wanted).round().astype(int) if wanted else []
    return [*tests[:count], *(others[index] for index in spread)]


def cells(row: MarkRow, smoothed: MarkRow | None) -> str:
    title = f"*{BLIND_TITLES[row.method]}*" if row.blind else METHODS[row.method].title
    figures = (
        *(getattr(row, name) for name in FIGURES),
        smoothed.auc if smoothed else "-",
        row.lead if row.lead else "-",
    )
    shown = (str(one).replace("[", "(").replace("]", ")").replace(", ", " to ") for one in figures)
    return f"| {title} | {row.files} | {' | '.join(shown)} |"


def table(title: str, maps: list[tuple[MarkedMap, MarkedMap]], answers: str) -> list[str]:
    """A table of one set: the methods, the best AUC first, then the blind maps."""
    rows = [row for row in summarize([one for one, _ in maps]) if row.answers == answers]
    smooth = {
        row.method: row
        for row in summarize([two for _, two in maps])
        if row.answers == answers and not row.blind
    }
    order = sorted(rows, key=lambda row: (row.blind, -(row.auc.value or 0)))
    area = np.mean([row.area for row in rows])
    return [
        "",
        f"{title}; the boxes cover {area:.1%}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"{'|---' * len(COLUMNS)}|",
        *(cells(row, smooth.get(row.method)) for row in order),
    ]


def run(data: Path, name: str, model: str, methods: list[str], few: int, kept: Kept) -> list[str]:
    """The tables of a model on a set."""
    classifier, box_class = load(model), SETS[name][1]
    marks = read_marks(data / "evidence" / f"{name}_boxes.csv").of_classes(classifier.classes)
    files = [data / name / file for file in dict.fromkeys(mark.file for mark in marks.marks)]
    by_file = match_marks(marks, files).by_file
    judged = [
        Judged(classifier, path, of_file, box_class or of_file[0].class_name)
        for path, of_file in by_file.items()
    ]
    predictions = classifier.predict([one.sample for one in judged])
    for one, prediction in zip(judged, predictions, strict=True):
        one.right = prediction.name == one.target
    right = [one for one in judged if one.right]
    wrong = [one for one in judged if not one.right]
    fewer, start = [*subset(right, few), *wrong[: few // 5]], time.perf_counter()
    maps: list[tuple[MarkedMap, MarkedMap]] = []
    for method in sorted(methods, key=lambda one: passes(classifier, one)):
        taken = judged if passes(classifier, method) <= FEW_PASSES else fewer
        maps += [one.by(method, kept) for one in taken]
        print(
            f"{model} {method} {len(taken)} files {time.perf_counter() - start:.0f} s", flush=True
        )
    head = f"`{model}` on {name}"
    lines = table(f"{head}: {len(right)} of {len(judged)} files are answered rightly", maps, RIGHT)
    tests = [pair for pair in maps if TEST in pair[0].file.parts]
    if len({pair[0].file for pair in tests}) > 10:
        lines += table(f"{head}, files of the test set, which the model did not see", tests, RIGHT)
    if len(wrong) > 10:
        lines += table(f"{head}, answered wrongly, the map of the true class", maps, "wrong")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--models", nargs="+", help="only these")
    parser.add_argument("--few", type=int, default=50, help="files for methods of many passes")
    parser.add_argument("--kept", type=Path, help="JSON lines of what was computed")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    lines: list[str] = []
    for name, (models, _) in SETS.items():
        for model in models:
            if not given.models or model in given.models:
                found = run(given.data, name, model, given.methods, given.few, Kept(given.kept))
                lines += found
                print("\n".join(found), flush=True)
    text = HEAD.format(
        date=time.strftime("%Y-%m-%d"),
        tolerance=tolerance_of((224, 224)),
        smoothing=SMOOTHING,
        passes=FEW_PASSES,
    )
    text += "\n".join(lines) + "\n"
    if given.write:
        write_section(text)


if __name__ == "__main__":
    main()
