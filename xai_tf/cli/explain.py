"""Explain files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import ALL_LAYERS
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import Question, sample_limit
from xai_tf.bundles.folder import (
    BundleRequest,
    FileResult,
    FolderPlan,
    explain_folder,
    plan_folder,
)
from xai_tf.bundles.sources import takes_sound
from xai_tf.classifiers.classifier import load
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.cli.console import answer, complain, note, passes_bar
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
)
from xai_tf.cli.predict import table_row
from xai_tf.cli.scores import (
    Amount,
    Metrics,
    asked_metrics,
    score_table,
    tell_costs,
)
from xai_tf.cli.settings import parse_settings
from xai_tf.datasets.listing import some
from xai_tf.errors import SettingError, pick

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
        bool, typer.Option("--overwrite", help="Explain again what is in --out already.")
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
    methods = list(dict.fromkeys(method or DEFAULT_METHODS))
    for name in methods:
        pick(METHODS, name, "method")
    metrics = asked_metrics(score, methods) if score else []
    chosen = parse_settings(settings or [], methods, metrics)
    if until_stable is not None:
        _tell_limits(methods, until_stable, chosen)
    if layer and not any(METHODS[name].needs_layer for name in methods):
        raise SettingError(f"{', '.join(methods)} looks at no layer. Leave --layer out.")
    common = {"target": target, "contrast": contrast, "seed": seed}
    request = BundleRequest(
        questions=tuple(
            _question(name, layer, until_stable, settings=chosen.get(name, {}), **common)
            for name in methods
        ),
        windows=windows,
        metrics=tuple(metric.name for metric in metrics),
        metric_settings={m.name: chosen[m.name] for m in metrics if m.name in chosen},
        metric_seed=seed,
        regions=regions,
        opacity=opacity,
        shared_scale=shared_scale,
    )
    classifier = load_classifier(model, task, classes, preprocessing)
    plan = plan_folder(classifier, files, request, out, anew)
    _tell_plan(plan, out)
    if metrics and plan.to_do:
        amount = Amount(
            len(plan.to_do),
            windows if takes_sound(classifier) else 1,
            len(classifier.resolution_layers) if layer == ALL_LAYERS else 1,
        )
        tell_costs(classifier, methods, metrics, chosen, until_stable, amount)
    with passes_bar() as progress:
        results = explain_folder(
            classifier, files, request, out, plan=plan, progress=progress, on_result=_tell_result
        )
    done = {r.folder.name: r.manifest for r in results if r.manifest is not None}
    if done:
        tell_doubt(classifier)
        note(f"Look at {out / 'index.html'}")
    table = Table("file", "class", "probability", "margin", "windows", "written to")
    for name, manifest in done.items():
        table.add_row(*table_row(manifest["input"]), escape(str(out / name)))
    described = [{"folder": str(out / name), **manifest} for name, manifest in done.items()]
    answer(as_json, described, Group(table, score_table(done)) if metrics else table)
    raise typer.Exit(2 if any(result.error for result in results) else 0)


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
            explanations = [
                explain(classifier, reading.samples[number], name, target=reading.prediction.label)
                for name in demo.methods
            ]
            name = Path(file).stem
            manifests[name] = save_bundle(out / name, classifier, reading, explanations)
            note(f"{file}: {reading.prediction.name} -> {out / name}")
    page = write_page(out, manifests, "Why did the network say that?")
    typer.echo(f"Done. Open {page.resolve()}")


def _question(method: str, layer: str | None, until_stable: float | None, **parts: Any) -> Question:
    """The question of one method, of those that are asked together: each takes what it can."""
    entry = METHODS[method]
    return Question(
        method,
        layer=layer if entry.needs_layer else None,
        until_stable=until_stable if entry.stochastic else None,
        **parts,
    )


def _tell_plan(plan: FolderPlan, out: Path) -> None:
    """Say what is reused, and what will be replaced because it answers another request."""
    if plan.reusable:
        note(
            f"{len(plan.reusable)} of {len(plan.paths)} files are explained in {out} already, by "
            "the same request, and are reused. To explain them again add --overwrite."
        )
    if plan.replaced:
        what = ", ".join(sorted(set().union(*plan.replaced.values())))
        note(
            f"{out} holds answers to another request ({what}) about {some(plan.replaced)}; these "
            "will be replaced. To keep them stop now, and give another --out.",
            style="yellow",
        )


def _tell_result(result: FileResult) -> None:
    if result.error:
        complain(result.error)
    for text in result.notes:
        note(f"{result.path.name}: {text}", style="yellow")
    for text in result.alarms:
        note(f"{result.path.name}: {text}", style="red")


def _tell_limits(
    methods: list[str], until_stable: float, settings: Mapping[str, Mapping[str, float]]
) -> None:
    """Say what runs until stable cost at most; raise where no method samples."""
    sampled = [METHODS[name] for name in methods if METHODS[name].stochastic]
    for method in sampled or [METHODS[methods[0]]]:
        limit = settings.get(method.name, {}).get("num_samples", sample_limit(method, until_stable))
        note(f"{method.title}: up to {limit:.0f} passes a map, until it is stable")
