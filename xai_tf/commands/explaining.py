"""Predict and explain files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from xai_tf.classifier import Classifier, load
from xai_tf.commands import (
    AsJson,
    Classes,
    Files,
    Model,
    Preprocessing,
    TaskName,
    app,
    load_classifier,
    tell_doubt,
)
from xai_tf.commands.judging import (
    Metrics,
    add_scores,
    asked_metrics,
    score_table,
    score_with_bar,
    tell_costs,
)
from xai_tf.console import answer, note, progress_bar, reported, with_progress
from xai_tf.errors import InputError, SettingError, UnknownNameError, pick
from xai_tf.explanation import (
    ALL_LAYERS,
    Explanation,
    check_contrast,
    explain,
    explain_layers,
    question,
)
from xai_tf.layouts import readable_files
from xai_tf.methods import METHODS
from xai_tf.sample import PICTURE_SUFFIXES, Sample
from xai_tf.scoring.metric import Metric
from xai_tf.sound import SOUND_SUFFIXES
from xai_tf.windows import Reading, read_and_predict

DEFAULT_METHODS = ("grad_cam", "integrated_gradients")


@app.command("predict")
def predict_files(
    files: Files,
    model: Model,
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Say what a model makes of each of FILES."""
    from xai_tf.bundle import describe_reading

    classifier = load_classifier(model, task, classes, preprocessing)
    found, failed, table = [], 0, Table("file", "class", "probability", "margin", "windows")
    paths = files_of(files, classifier)
    for file in with_progress(paths, "predicting"):
        with reported(len(paths)) as outcome:
            reading = read_and_predict(classifier, file)
            found.append(describe_reading(reading))
            table.add_row(*_row(reading))
        failed += outcome.failed
    if found:
        tell_doubt(classifier)
    answer(as_json, found, table)
    raise typer.Exit(2 if failed else 0)


@app.command("explain")
def explain_files(
    files: Files,
    model: Model,
    method: Annotated[
        list[str] | None, typer.Option("--method", help="Once or several times (see `methods`).")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Class to explain; the predicted one if left out.")
    ] = None,
    contrast: Annotated[
        str | None, typer.Option(help="A second class: why the target and not this one?")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Feature layer for Grad-CAM and FEM, or 'all'.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, as METHOD or METRIC.NAME=VALUE.")
    ] = None,
    score: Metrics = None,
    seed: Annotated[int, typer.Option(min=0, help="Of stochastic methods and metrics.")] = 0,
    windows: Annotated[
        int, typer.Option(min=0, help="Windows of a long recording to explain; 0 for all.")
    ] = 3,
    opacity: Annotated[float, typer.Option(min=0, max=1, help="Of the map in overlays.")] = 0.7,
    shared_scale: Annotated[
        bool, typer.Option("--shared-scale", help="One scale for the maps of a method.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("explanations"),
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Explain what a model makes of each of FILES: pictures, raw arrays and a manifest in --out."""
    from xai_tf.bundle import bundle_names, check_place, save_bundle
    from xai_tf.page import check_page, write_page

    methods = list(dict.fromkeys(method or DEFAULT_METHODS))
    for name in methods:
        pick(METHODS, name, "method")
    metrics = asked_metrics(score, methods) if score else []
    chosen = parse_settings(settings or [], methods, metrics)
    if layer and not any(METHODS[name].needs_layer for name in methods):
        raise SettingError(f"{', '.join(methods)} looks at no layer. Leave --layer out.")
    classifier = load_classifier(model, task, classes, preprocessing)
    for name in filter(None, (target, contrast)):
        classifier.label(name)
    if target is not None and contrast is not None:
        check_contrast(classifier, classifier.label(target), classifier.label(contrast))
    paths = files_of(files, classifier)
    names = bundle_names(paths)
    check_page(out)
    for name in names:
        check_place(out / name)
    plans = tell_costs(classifier, methods, metrics, chosen) if metrics else {}
    manifests, failed, judged = {}, 0, score_table()
    table = Table("file", "class", "probability", "margin", "windows", "written to")
    for path, name in zip(paths, names, strict=True):
        with reported(len(paths)) as outcome:
            reading = read_and_predict(classifier, path)
            label, other = question(classifier, reading.prediction, target, contrast)
            numbers = reading.most_decisive(classifier.target(label, other), windows)
            explanations = [
                explanation
                for number in numbers
                for explanation in _explain_sample(
                    classifier, reading.samples[number], methods, chosen,
                    {"target": label, "contrast": other}, layer, seed,
                )
            ]  # fmt: skip
            scores = [
                score_with_bar(classifier, explanation, plans[explanation.method.name], seed)
                for explanation in explanations
                if plans
            ]
            manifests[name] = save_bundle(
                out / name, classifier, reading, explanations, opacity, shared_scale, scores
            )
            for explanation, found in zip(explanations, scores, strict=False):
                add_scores(judged, explanation, found)
            table.add_row(*_row(reading), escape(str(out / name)))
            _warn(path, explanations)
        failed += outcome.failed
    if manifests:
        page = write_page(out, manifests, f"Explanations by {classifier.name}")
        tell_doubt(classifier)
        note(f"Look at {page}")
    results = [{"folder": str(out / name), **manifest} for name, manifest in manifests.items()]
    answer(as_json, results, Group(table, judged) if judged.row_count else table)
    raise typer.Exit(2 if failed else 0)


@app.command("demo")
def run_demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and the page.")] = Path("demo"),
) -> None:
    """Explain the bundled samples with the bundled models, and write a page to look at."""
    from xai_tf.bundle import save_bundle
    from xai_tf.demo import DEMOS, SAMPLES
    from xai_tf.page import write_page

    manifests = {}
    for demo in DEMOS:
        classifier = load(demo.model)
        for file in demo.files:
            reading = read_and_predict(classifier, SAMPLES / file)
            number = reading.most_decisive(classifier.target(reading.prediction.label), 1)[0]
            explanations = _explain_sample(
                classifier, reading.samples[number], demo.methods, {},
                {"target": reading.prediction.label}, None, 0,
            )  # fmt: skip
            name = Path(file).stem
            manifests[name] = save_bundle(out / name, classifier, reading, explanations)
            note(f"{file}: {reading.prediction.name} -> {out / name}")
    page = write_page(out, manifests, "Why did the network say that?")
    typer.echo(f"Done. Open {page.resolve()}")


def _explain_sample(
    classifier: Classifier, sample: Sample, methods: list[str] | tuple[str, ...],
    settings: dict[str, dict[str, float]], question: dict[str, Any], layer: str | None, seed: int,
) -> list[Explanation]:  # fmt: skip
    """Explain one sample by several methods, with a bar."""
    explanations = []
    with progress_bar() as bar:
        for method in methods:
            line = bar.add_task(f"{sample.source.name}: {METHODS[method].title}", total=1)

            def report(done: int, total: int, line: Any = line) -> None:
                bar.update(line, completed=done, total=total)

            chosen, entry = settings.get(method), METHODS[method]
            if layer == ALL_LAYERS and entry.needs_layer and entry.class_specific:
                explanations += explain_layers(
                    classifier, sample, method, **question, progress=report
                )
                continue
            explanations.append(
                explain(
                    classifier, sample, method, **question, seed=seed, settings=chosen,
                    layer=layer if entry.needs_layer and layer != ALL_LAYERS else None,
                    progress=report,
                )
            )  # fmt: skip
    return explanations


def files_of(given: list[Path], classifier: Classifier) -> list[Path]:
    """The files themselves, with folders replaced by what can be read in them."""
    suffixes = classifier.task.suffixes if classifier.task else PICTURE_SUFFIXES
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            check_kind(path, classifier)
            found.append(path)
            continue
        inside = readable_files(path, suffixes)
        if not inside:
            raise InputError(
                f"{path} holds no file that {classifier.name!r} reads ({', '.join(suffixes)})."
            )
        found += inside
    return found


def check_kind(path: Path, classifier: Classifier) -> None:
    """Raise an InputError where a sound is given to a model of pictures."""
    readable = classifier.task.suffixes if classifier.task else PICTURE_SUFFIXES
    if path.suffix.lower() in SOUND_SUFFIXES and not set(SOUND_SUFFIXES) & set(readable):
        raise InputError(
            f"{path} is a sound, and {classifier.name!r} looks at pictures. Take a model for "
            "sound, or add --task deepfake_audio if it was trained on spectrograms."
        )


def parse_settings(
    given: list[str], methods: list[str], metrics: list[Metric]
) -> dict[str, dict[str, float]]:
    """Parse METHOD.NAME=VALUE and METRIC.NAME=VALUE; check names and ranges before any work."""
    asked = {name: METHODS[name] for name in methods} | {m.name: m for m in metrics}
    parsed: dict[str, dict[str, float]] = {}
    for text in given:
        place, _, value = text.partition("=")
        owner, _, name = place.partition(".")
        if owner not in asked:
            raise UnknownNameError(
                f"--set {text}: {owner!r} is not among what was asked for ({', '.join(asked)}). "
                "Write METHOD.NAME=VALUE or METRIC.NAME=VALUE."
            )
        try:
            parsed.setdefault(owner, {})[name] = _number(value)
        except ValueError as error:
            raise SettingError(f"--set {text}: {value!r} is no number.") from error
    for owner, values in parsed.items():
        asked[owner].settings(values, baseline=0)
    return parsed


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _row(reading: Reading) -> list[str]:
    said = reading.prediction
    return [
        escape(reading.source.name), escape(said.name), f"{said.probabilities[said.label]:.1%}",
        f"{said.margin:.2f}", str(len(reading.samples)),
    ]  # fmt: skip


def _warn(path: Path, explanations: list[Explanation]) -> None:
    from xai_tf.doctor import diagnose

    told = [text for e in explanations for text in e.sample.warnings + e.warnings]
    told += [
        f"{e.method.title}: {finding.text}"
        for e in explanations
        for finding in diagnose(e.attribution)
    ]
    for text in dict.fromkeys(told):
        note(f"{path.name}: {text}", style="yellow")
