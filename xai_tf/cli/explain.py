"""Explain files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.explain import (
    check_contrast,
    explain,
    explain_layers,
    question,
    sample_limit,
)
from xai_tf.attribution.explanation import ALL_LAYERS, Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.cli.console import answer, note, progress_bar, reported
from xai_tf.cli.files import files_of, hears, kept_answers, truths
from xai_tf.cli.options import (
    AsJson,
    Classes,
    Files,
    Model,
    Preprocessing,
    TaskName,
    app,
    load_classifier,
    tell_doubt,
    tell_warnings,
)
from xai_tf.cli.predict import table_row
from xai_tf.cli.scores import (
    Amount,
    Metrics,
    asked_metrics,
    score_table,
    score_with_bar,
    tell_costs,
)
from xai_tf.cli.settings import parse_settings
from xai_tf.errors import SettingError, pick
from xai_tf.files import check_place
from xai_tf.inputs.sample import Sample

# A first look in one pass, and the best of those that take a few (docs/leaderboard.md).
DEFAULT_METHODS = ("grad_cam", "square_grad")


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
    until_stable: Annotated[
        float | None,
        typer.Option(
            help="For methods that sample: stop where another seed would give a map that agrees so "
            "far (such as 0.9, a rank correlation); METHOD.num_samples is the limit then."
        ),
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
    regions: Annotated[
        bool, typer.Option("--regions", help="Say how much evidence lies in which region.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("explanations"),
    anew: Annotated[
        bool, typer.Option("--anew", help="Explain again what is in --out already.")
    ] = False,
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Explain what a model makes of each of FILES: pictures, raw arrays and a manifest in --out.

    Folders are gone through with all folders in them, in the order of the paths; of a file in a
    folder named as a class, the truth is told too. Interrupted, the same command goes on where it
    was: what is in --out and answers the same question is kept. See `report` for one page of all.
    """
    from xai_tf.bundles.index import check_page, write_page
    from xai_tf.bundles.resume import clear_leftovers
    from xai_tf.bundles.write import MANIFEST, bundle_names, describe_audit, save_bundle
    from xai_tf.regions import audit, regions_of

    methods = list(dict.fromkeys(method or DEFAULT_METHODS))
    for name in methods:
        pick(METHODS, name, "method")
    metrics = asked_metrics(score, methods) if score else []
    chosen = parse_settings(settings or [], methods, metrics)
    if until_stable is not None:
        _tell_limits(methods, until_stable, chosen)
    if layer and not any(METHODS[name].needs_layer for name in methods):
        raise SettingError(f"{', '.join(methods)} looks at no layer. Leave --layer out.")
    classifier = load_classifier(model, task, classes, preprocessing)
    for name in filter(None, (target, contrast)):
        classifier.label(name)
    if target is not None and contrast is not None:
        check_contrast(classifier, classifier.label(target), classifier.label(contrast))
    paths = files_of(files, classifier, out)
    labels = truths(files, paths, classifier.classes)
    names = bundle_names(paths)
    check_page(out)
    for name in names:
        check_place(out / name, MANIFEST)
    asked = {
        "model": classifier.sha256,
        "task": classifier.task.name if classifier.task else None,
        "classes": list(classifier.classes),
        "preprocessing": classifier.preprocessing,
        "methods": methods,
        "settings": chosen,
        "target": target,
        "contrast": contrast,
        "layer": layer,
        "seed": seed,
        "windows": windows,
        "scores": [m.name for m in metrics],
        "regions": regions,
        "opacity": opacity,
        "until stable": until_stable,
        "shared scale": shared_scale,
        "version": version("xai-tf"),
        "gate": classifier.ood_detector and classifier.ood_detector.threshold,
    }
    clear_leftovers(out)
    questions = {path: asked | {"truth": labels.get(path)} for path in paths}
    kept = {} if anew else kept_answers(out, dict(zip(paths, names, strict=True)), questions)
    to_do = [path for path in paths if path not in kept]
    plans = {}
    if metrics and to_do:
        amount = Amount(
            len(to_do),
            windows if hears(classifier) else 1,
            len(classifier.resolution_layers) if layer == ALL_LAYERS else 1,
        )
        plans = tell_costs(classifier, methods, metrics, chosen, until_stable, amount)
    manifests, failed = {}, 0
    for path, name in zip(paths, names, strict=True):
        if path in kept:
            manifests[name] = kept[path]
            continue
        with reported(len(paths)) as outcome:
            reading = read_and_predict(classifier, path, labels.get(path))
            label, other = question(classifier, reading.prediction, target, contrast)
            numbers = reading.most_decisive(classifier.target(label, other), windows)
            explanations = [
                explanation
                for number in numbers
                for explanation in _explain_sample(
                    classifier,
                    reading.samples[number],
                    methods,
                    chosen,
                    {"target": label, "contrast": other},
                    layer,
                    seed,
                    until_stable,
                )
            ]
            scores = [
                score_with_bar(classifier, explanation, plans[explanation.method.name], seed)
                for explanation in explanations
                if plans
            ]
            audits = [
                describe_audit(audit(e, regions_of(e.sample, classifier.task)))
                for e in explanations
                if regions
            ]
            manifests[name] = save_bundle(
                out / name,
                classifier,
                reading,
                explanations,
                opacity,
                shared_scale,
                scores,
                audits,
                questions[path],
            )
            tell_warnings(reading, explained=True)
            _warn(path, explanations)
            for text in dict.fromkeys(text for found in audits for text in found["alarms"]):
                note(f"{path.name}: {text}", style="red")
        failed += outcome.failed
    table = Table("file", "class", "probability", "margin", "windows", "written to")
    for name, manifest in manifests.items():
        table.add_row(*table_row(manifest["input"]), escape(str(out / name)))
    if manifests:
        page = write_page(out, manifests, f"Explanations by {classifier.name}")
        tell_doubt(classifier)
        note(f"Look at {page}")
    results = [{"folder": str(out / name), **manifest} for name, manifest in manifests.items()]
    answer(as_json, results, Group(table, score_table(manifests)) if metrics else table)
    raise typer.Exit(2 if failed else 0)


@app.command("demo")
def run_demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and the page.")] = Path("demo"),
) -> None:
    """Explain the bundled samples with the bundled models, and write a page to look at."""
    from xai_tf.bundles.index import write_page
    from xai_tf.bundles.write import save_bundle
    from xai_tf.cli.demo import DEMOS, SAMPLES

    manifests = {}
    for demo in DEMOS:
        classifier = load(demo.model)
        for file in demo.files:
            reading = read_and_predict(classifier, SAMPLES / file)
            number = reading.most_decisive(classifier.target(reading.prediction.label), 1)[0]
            explanations = _explain_sample(
                classifier,
                reading.samples[number],
                demo.methods,
                {},
                {"target": reading.prediction.label},
                None,
                0,
            )
            name = Path(file).stem
            manifests[name] = save_bundle(out / name, classifier, reading, explanations)
            note(f"{file}: {reading.prediction.name} -> {out / name}")
    page = write_page(out, manifests, "Why did the network say that?")
    typer.echo(f"Done. Open {page.resolve()}")


def _explain_sample(
    classifier: Classifier,
    sample: Sample,
    methods: list[str] | tuple[str, ...],
    settings: dict[str, dict[str, float]],
    question: dict[str, Any],
    layer: str | None,
    seed: int,
    until_stable: float | None = None,
) -> list[Explanation]:
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
                    classifier,
                    sample,
                    method,
                    **question,
                    seed=seed,
                    settings=chosen,
                    layer=layer if entry.needs_layer and layer != ALL_LAYERS else None,
                    until_stable=until_stable if entry.stochastic else None,
                    progress=report,
                )
            )
    return explanations


def _tell_limits(
    methods: list[str], until_stable: float, settings: Mapping[str, Mapping[str, float]]
) -> None:
    """Say what runs until stable cost at most; raise where no method samples."""
    sampled = [METHODS[name] for name in methods if METHODS[name].stochastic]
    for method in sampled or [METHODS[methods[0]]]:
        limit = settings.get(method.name, {}).get("num_samples", sample_limit(method, until_stable))
        note(f"{method.title}: up to {limit:.0f} passes a map, until it is stable")


def _warn(path: Path, explanations: list[Explanation]) -> None:
    from xai_tf.attribution.diagnostics import diagnose

    told = [text for e in explanations for text in e.warnings]
    told += [
        f"{e.method.title}: {finding.text}"
        for e in explanations
        for finding in diagnose(e.attribution)
    ]
    for text in dict.fromkeys(told):
        note(f"{path.name}: {text}", style="yellow")
