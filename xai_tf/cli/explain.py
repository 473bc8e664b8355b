"""`xai-tf explain` and `xai-tf demo`: explain files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.budget import best_within, passes_of, settings_within
from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import ALL_LAYERS
from xai_tf.attribution.methods import METHODS, Value
from xai_tf.attribution.question import Question, sample_limit
from xai_tf.bundles.folder import (
    BundleRequest,
    FileResult,
    FolderPlan,
    explain_folder,
    plan_folder,
)
from xai_tf.bundles.manifest import ARRAYS, MANIFEST
from xai_tf.bundles.predictions import prediction_row
from xai_tf.bundles.sources import takes_sound
from xai_tf.classifiers.access import FULL_ACCESS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.cli.answers import Answer, Failure, prints_answer
from xai_tf.cli.app import EXPLAIN, OUTPUT, app
from xai_tf.cli.console import complain, note, progress_of, warn
from xai_tf.cli.marks import MarkFile, Tolerance, check_tolerance, judgment_table
from xai_tf.cli.options import (
    DEFAULT_OPACITY,
    Budget,
    Contrast,
    Files,
    Layer,
    Methods,
    Metrics,
    ModelFlags,
    Opacity,
    Overwrite,
    Seed,
    Settings,
    SharedScale,
    Smooth,
    Target,
    UntilStable,
    Windows,
    WithRegions,
    tell_doubt,
)
from xai_tf.cli.predict import table_row
from xai_tf.cli.records import takes_records
from xai_tf.cli.scores import Amount, parse_methods_and_metrics, score_table, tell_costs
from xai_tf.cli.settings import picked_methods
from xai_tf.errors import SettingError
from xai_tf.files import check_free
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.score import seconds_per_pass
from xai_tf.packages import has_extra
from xai_tf.trust import LEVELS, REMEDIES

if TYPE_CHECKING:
    from xai_tf.cli.demo import Demo

# The first two of these that work with a model: what finds most for few passes, that of one pass
# that everybody knows, and those that only need predictions (docs/leaderboard.md).
DEFAULT_METHODS = ("squared_ig", "grad_cam", "occlusion", "rise")

# Of the line that says how far a map can be trusted, by its level.
TRUST_STYLES = {"not_supported": "red", "partly_supported": "yellow", "well_supported": "green"}
# How earlier versions called the levels, in results that are reused.
EARLIER = {
    "doubtful": "not_supported",
    "caution": "partly_supported",
    "unchecked": "partly_supported",
    "supported": "well_supported",
}

BundlesFolder = Annotated[
    Path,
    typer.Option(help="Folder for the results and the page.", rich_help_panel=OUTPUT),
]


@dataclass(frozen=True)
class RequestFlags:
    """`BundleRequest` as options of a command; see `records.takes_records`."""

    method: Methods = None
    target: Target = None
    contrast: Contrast = None
    layer: Layer = None
    settings: Settings = None
    until_stable: UntilStable = None
    budget: Budget = None
    score: Metrics = None
    seed: Seed = 0
    windows: Windows = 3
    opacity: Opacity = DEFAULT_OPACITY
    shared_scale: SharedScale = False
    smooth: Smooth = True
    regions: WithRegions = False
    marks: MarkFile = None
    tolerance: Tolerance = None

    def request(self, classifier: Classifier | None = None) -> BundleRequest:
        """The record that the library takes.

        Args:
            classifier: the model that the default methods, and what a budget allows, are chosen
                by; None before it is loaded, to see whether the options are valid.

        Raises:
            UnknownNameError: there is no such method, metric or setting.
            SettingError: a setting is out of its range, or an option applies to no method.
            InputError: there are no marks, or one is invalid.
        """
        from xai_tf.regions.mark_files import read_marks

        check_tolerance(self.marks, self.tolerance)
        names, within = self._within_budget(classifier)
        methods, metrics, chosen = parse_methods_and_metrics(names, self.score, self.settings)
        chosen |= {name: within[name] | chosen.get(name, {}) for name in within}
        if self.until_stable is not None:
            _tell_limits(methods, self.until_stable, chosen)
        if self.layer and not any(METHODS[name].needs_layer for name in methods):
            raise SettingError(
                f"Invalid value for --layer: {self.layer!r}. {', '.join(methods)} uses no feature "
                "layer; leave --layer out."
            )
        return BundleRequest(
            questions=tuple(self._question(name, chosen.get(name, {})) for name in methods),
            windows=self.windows,
            metrics=tuple(metric.name for metric in metrics),
            metric_settings={m.name: chosen[m.name] for m in metrics if m.name in chosen},
            metric_seed=self.seed,
            regions=self.regions,
            marks=read_marks(self.marks) if self.marks else None,
            tolerance=self.tolerance,
            opacity=self.opacity,
            shared_scale=self.shared_scale,
            smooth=self.smooth,
        )

    def _within_budget(
        self, classifier: Classifier | None
    ) -> tuple[list[str], dict[str, dict[str, Value]]]:
        """The methods, and the settings that the budget allows each of them.

        Raises:
            SettingError: the budget is no number of passes or seconds, or a method needs more.
        """
        given = picked_methods(self.method) if self.method else []
        if self.budget is None or classifier is None:
            if self.budget is not None:
                passes_of(self.budget, METHODS[DEFAULT_METHODS[0]])
            return given or default_methods(classifier.access if classifier else FULL_ACCESS), {}
        size, per_pass = classifier.image_size, seconds_per_pass(classifier)
        if not given:
            best, settings = best_within(self.budget, classifier.access, size, per_pass)
            note(f"For a budget of {self.budget}: {METHODS[best].title}")
            return [best], {best: settings}
        found = {}
        for name in given:
            passes = passes_of(self.budget, METHODS[name], per_pass)
            allowed = settings_within(name, passes, size)
            if allowed is None:
                raise SettingError(
                    f"Invalid value for --budget: {self.budget!r}. {METHODS[name].title} needs "
                    f"more than {passes:,} passes. Allow more, or choose another method."
                )
            found[name] = allowed
        return given, found

    def _question(self, method: str, settings: Mapping[str, Value]) -> Question:
        """The question of one method; options that do not apply to the method are left out."""
        entry = METHODS[method]
        return Question(
            method,
            target=self.target,
            contrast=self.contrast,
            layer=self.layer if entry.needs_layer else None,
            seed=self.seed,
            settings=settings,
            until_stable=self.until_stable if entry.stochastic else None,
        )


@app.command("explain", rich_help_panel=EXPLAIN)
@prints_answer
@takes_records
def explain_files(
    files: Files,
    model: ModelFlags,
    request: RequestFlags,
    out: BundlesFolder = Path("explanations"),
    overwrite: Overwrite = False,
) -> Answer:
    """Explain why a model predicts what it predicts for FILES.

    Writes images, raw arrays and a manifest for each file to --out, and one page that shows all.
    Folders are searched recursively, in the order of the paths; a folder that is named after a
    class gives its files their true class. Links to folders are not followed. Interrupted, the same
    command resumes where it stopped. What another command wrote there is kept. With --marks, maps
    are also judged by what people marked in the pictures, beside maps that know nothing of the
    model.
    """
    asked = request.request()
    classifier = model.load()
    if request.budget or (not request.method and classifier.access != FULL_ACCESS):
        asked = request.request(classifier)
    plan = plan_folder(classifier, files, asked, out, overwrite)
    _tell_plan(plan, out)
    if asked.metrics and plan.to_do:
        _tell_costs(classifier, asked, len(plan.to_do))
    with progress_of("explaining") as progress:
        results = explain_folder(
            classifier,
            files,
            asked,
            out,
            plan=plan,
            progress=progress,
            on_result=partial(_tell_result, classifier),
        )
    done = [result for result in results if result.manifest is not None]
    if done:
        tell_doubt(classifier)
        note(f"Open {out / 'index.html'}")
    return _answer(results, done, asked)


def _answer(
    results: Sequence[FileResult], done: Sequence[FileResult], request: BundleRequest
) -> Answer:
    found = [_described(result) for result in done]
    rows = [
        prediction_row(one["input"]) | {"file": one["file"], "folder": one["folder"]}
        for one in found
    ]
    return Answer(
        result=found,
        table=_table(done, request) if done else None,
        rows=rows,
        failures=[Failure.of(one.path, one.error) for one in results if one.error],
    )


def _described(result: FileResult) -> dict[str, Any]:
    """The bundle of a file as plain data: its manifest, without what only serves to read it."""
    manifest, folder = dict(result.manifest or {}), result.folder
    kept = ("created", "versions", "model")
    explanations = [
        {key: value for key, value in one.items() if key != "record"}
        | {"pictures": [str(folder / name) for name in one["pictures"]]}
        for one in manifest["explanations"]
    ]
    comparisons = [
        one | {"pictures": [str(folder / name) for name in one["pictures"]]}
        for one in manifest.get("comparisons", ())
    ]
    inner = {k: v for k, v in manifest["input"].items() if k not in ("record", "samples")}
    return {
        "file": str(result.path),
        "folder": str(folder),
        "manifest": str(folder / MANIFEST),
        "arrays": str(folder / ARRAYS),
        "reused": result.reused,
        **{key: manifest[key] for key in kept if key in manifest},
        "input": inner | {"file": str(result.path)},
        "explanations": explanations,
        "comparisons": comparisons,
    }


def _table(results: Sequence[FileResult], request: BundleRequest) -> Group:
    table = Table("file", "class", "probability", "margin", "windows", "written to")
    manifests = {one.folder.name: one.manifest for one in results if one.manifest is not None}
    for one in results:
        if one.manifest is not None:
            table.add_row(*table_row(one.manifest["input"]), escape(str(one.folder)))
    tables = [table]
    if request.metrics:
        tables.append(score_table(manifests))
    if request.marks:
        tables.append(judgment_table(manifests))
    return Group(*tables)


@app.command("demo", rich_help_panel=EXPLAIN)
@prints_answer
def run_demo(out: BundlesFolder = Path("demo"), overwrite: Overwrite = False) -> Answer:
    """Explain the bundled samples with the bundled models, and write a page that shows them."""
    from xai_tf.bundles.index import write_page
    from xai_tf.cli.demo import DEMOS, SAMPLES

    manifests = {}
    for demo in DEMOS:
        if demo.needs_audio and not has_extra("audio"):
            note(
                f"{', '.join(demo.files)}: not shown without the extra for sound. To install it: "
                "pip install 'xai-tf[audio]'"
            )
            continue
        classifier = load(demo.model)
        for file in demo.files:
            manifests[Path(file).stem] = _demonstrate(
                classifier, demo, SAMPLES / file, out, overwrite
            )
    page = write_page(out, manifests, "Why did the network say that?")
    rows = [
        {
            "file": str(SAMPLES / manifest["input"]["file"]),
            "class": manifest["input"]["prediction"]["class"],
            "folder": str(out / name),
        }
        for name, manifest in manifests.items()
    ]
    found = {"page": str(page), "files": rows}
    return Answer(result=found, table=f"Done. Open {page.resolve()}", rows=rows)


def _demonstrate(
    classifier: Classifier, demo: Demo, file: Path, out: Path, overwrite: bool
) -> dict[str, Any]:
    """Explain a sample into `out`, and return the manifest."""
    from xai_tf.bundles.resume import differences
    from xai_tf.bundles.write import save_bundle

    folder, question = out / file.stem, {"demo": list(demo.methods)}
    if differences(folder, question, file):
        check_free(folder, overwrite)
    reading = read_and_predict(classifier, file)
    number = reading.most_decisive(classifier.target(reading.prediction.label), 1)[0]
    explanations = [
        explain(classifier, reading.samples[number], name, target=reading.prediction.label)
        for name in demo.methods
    ]
    note(f"{file.name}: {reading.prediction.answer} -> {folder}")
    return save_bundle(folder, classifier, reading, explanations, question=question)


def default_methods(access: str = FULL_ACCESS) -> list[str]:
    """The methods for a model with this `Classifier.access` where none is given."""
    return [name for name in DEFAULT_METHODS if METHODS[name].works_with(access)][:2]


def _tell_plan(plan: FolderPlan, out: Path) -> None:
    """Say how marks were read, and what is reused."""
    for text in plan.notes:
        note(text)
    if plan.reusable:
        note(
            f"{len(plan.reusable)} of {len(plan.paths)} files are explained in {out} already, by "
            "the same request, and are reused. To explain them again add --overwrite."
        )


def _tell_costs(classifier: Classifier, request: BundleRequest, count: int) -> None:
    """Print what the maps and scores of so many files cost."""
    questions = request.questions
    follows_layers = any(question.layer == ALL_LAYERS for question in questions)
    settings: dict[str, Any] = {q.method: dict(q.settings) for q in questions}
    tell_costs(
        classifier,
        [question.method for question in questions],
        [METRICS[name] for name in request.metrics],
        settings | dict(request.metric_settings),
        next((q.until_stable for q in questions if q.until_stable is not None), None),
        Amount(
            count,
            request.windows if takes_sound(classifier) else 1,
            len(classifier.resolution_layers) if follows_layers else 1,
        ),
    )


def _tell_result(classifier: Classifier, result: FileResult) -> None:
    if result.error:
        complain(result.error)
    for text in result.notes:
        if text not in classifier.warnings:  # `tell_doubt` prints those, once for all files
            warn(f"{result.path.name}: {text}")
    for text in result.alarms:
        note(f"{result.path.name}: {text}", style="red")
    _tell_trust(result)


def _tell_trust(result: FileResult) -> None:
    """Print a line for each method: the worst verdict on its maps, and what to do about it."""
    worst: dict[str, Mapping[str, Any]] = {}
    for entry in (result.manifest or {}).get("explanations", ()):
        trust, before = entry.get("trust"), worst.get(entry["method"])
        if trust and (not before or _rank(trust) < _rank(before)):
            worst[entry["method"]] = trust
    for method, trust in worst.items():
        remedy = REMEDIES.get(trust["reasons"][0]["remedy"] or "")
        step = f" {remedy.english}: {remedy.command}" if remedy and remedy.command else ""
        text = f"{METHODS[method].title}: {trust['word']}. {trust['sentence']}{step}"
        note(f"{result.path.name}: {text}", style=TRUST_STYLES[_level(trust)])


def _rank(trust: Mapping[str, Any]) -> int:
    return LEVELS.index(_level(trust))


def _level(trust: Mapping[str, Any]) -> str:
    return EARLIER.get(trust["level"], trust["level"])


def _tell_limits(
    methods: Sequence[str], until_stable: float, settings: Mapping[str, Mapping[str, Value]]
) -> None:
    """Print what sampling until stable costs at most; raise if no method samples."""
    sampled = [METHODS[name] for name in methods if METHODS[name].stochastic]
    for method in sampled or [METHODS[methods[0]]]:
        limit = settings.get(method.name, {}).get("num_samples", sample_limit(method, until_stable))
        note(f"{method.title}: up to {limit:.0f} passes per map, until it is stable")
