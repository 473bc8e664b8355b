"""The command `xai-tf`: a few calls of the library each."""

from __future__ import annotations

import os
import shlex
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

# Before TensorFlow is loaded anywhere: its start-up chatter is no news to a person.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import typer
from rich.markup import escape
from rich.table import Table

import weights_keras
from xai_tf.classifier import ASSUMED, Classifier, load
from xai_tf.console import (
    NOTES,
    answer,
    complain,
    note,
    progress_bar,
    reported,
    with_progress,
)
from xai_tf.dataset import readable_files
from xai_tf.errors import InputError, SettingError, UnknownNameError, XaiTfError, pick
from xai_tf.explanation import (
    ALL_LAYERS,
    Explanation,
    check_contrast,
    explain,
    explain_layers,
    question,
)
from xai_tf.methods import METHODS
from xai_tf.sample import PICTURE_SUFFIXES, Sample
from xai_tf.sound import SOUND_SUFFIXES
from xai_tf.tasks import TASKS
from xai_tf.windows import Reading, read_and_predict

app = typer.Typer(
    help="Explain what Keras image classifiers decide.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
DEFAULT_METHODS = ("grad_cam", "integrated_gradients")

Files = Annotated[list[Path], typer.Argument(help="Files, or folders of files.")]
Model = Annotated[str, typer.Option("--model", "-m", help="A name (see `models`) or a file.")]
TaskName = Annotated[str | None, typer.Option("--task", help="How files are read (see `tasks`).")]
Classes = Annotated[
    str | None, typer.Option("--classes", help="Names of the classes, with commas between.")
]
Preprocessing = Annotated[
    str | None,
    typer.Option("--preprocessing", help="What the network wants: unit, raw, tf, torch, caffe."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def main() -> None:
    """Run the command; a problem the user can solve is one line and exit code 2."""
    try:
        app()
    except SystemExit as stop:
        if stop.code == 130:
            NOTES.print("Stopped; nothing half-written is left.")
        raise
    except XaiTfError as error:
        complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        NOTES.print("Stopped; nothing half-written is left.")
        sys.exit(130)


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

    classifier = _load(model, task, classes, preprocessing)
    found, failed, table = [], 0, Table("file", "class", "probability", "margin", "windows")
    paths = _files(files, classifier)
    for file in with_progress(paths, "predicting"):
        with reported(len(paths)) as outcome:
            reading = read_and_predict(classifier, file)
            found.append(describe_reading(reading))
            table.add_row(*_row(reading))
        failed += outcome.failed
    if found:
        _doubt(classifier)
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
        list[str] | None, typer.Option("--set", help="A setting, as METHOD.NAME=VALUE.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the stochastic methods.")] = 0,
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
    chosen = _settings(settings or [], methods)
    if layer and not any(METHODS[name].needs_layer for name in methods):
        raise SettingError(f"{', '.join(methods)} looks at no layer. Leave --layer out.")
    classifier = _load(model, task, classes, preprocessing)
    for name in filter(None, (target, contrast)):
        classifier.label(name)
    if target is not None and contrast is not None:
        check_contrast(classifier, classifier.label(target), classifier.label(contrast))
    paths = _files(files, classifier)
    names = bundle_names(paths)
    check_page(out)
    for name in names:
        check_place(out / name)
    manifests, failed = {}, 0
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
            manifests[name] = save_bundle(
                out / name, classifier, reading, explanations, opacity, shared_scale
            )
            table.add_row(*_row(reading), escape(str(out / name)))
            _warn(path, explanations)
        failed += outcome.failed
    if manifests:
        page = write_page(out, manifests, f"Explanations by {classifier.name}")
        _doubt(classifier)
        note(f"Look at {page}")
    results = [{"folder": str(out / name), **manifest} for name, manifest in manifests.items()]
    answer(as_json, results, table)
    raise typer.Exit(2 if failed else 0)


@app.command("models")
def list_models(as_json: AsJson = False) -> None:
    """List the trained models that come with this project."""
    table, found = Table("name", "task", "backbone", "test accuracy", "AUC", "weights"), []
    for name in weights_keras.names():
        card = weights_keras.read_card(weights_keras.FOLDER / f"{name}.md")
        here = (weights_keras.FOLDER / f"{name}.keras").is_file()
        measures = {m.name: str(m) for m in card.metrics if m.split == "test"}
        weights = f"{card.size / 1e6:.1f} MB" if here else f"not here; train with: {card.command}"
        table.add_row(
            name, card.task, card.backbone, measures.get("accuracy"), measures.get("auc"), weights
        )
        found.append({"name": name, "task": card.task, "classes": list(card.classes),
                      "backbone": card.backbone, "metrics": measures, "here": here,
                      "size": card.size, "command": card.command})  # fmt: skip
    answer(as_json, found, table)


@app.command("tasks")
def list_tasks(as_json: AsJson = False) -> None:
    """List the tasks: how files are read and what is asked."""
    table, found = Table("name", "question", "classes"), []
    for task in TASKS.values():
        table.add_row(task.name, task.question, ", ".join(task.classes) or "those of the model")
        found.append({"name": task.name, "question": task.question, "classes": list(task.classes)})
    answer(as_json, found, table)


@app.command("methods")
def list_methods(as_json: AsJson = False) -> None:
    """List the methods with their cost at 224x224 and their settings."""
    table = Table("name", "family", "signed", "passes", "what it shows", "settings")
    found = []
    for method in METHODS.values():
        defaults = method.settings({}, baseline=0)
        cost = method.cost(defaults, (224, 224))
        table.add_row(
            method.name, method.family, "yes" if method.signed else "no", str(cost.evaluations),
            method.summary, ", ".join(f"{k}={v:g}" for k, v in defaults.items()),
        )  # fmt: skip
        found.append({
            "name": method.name, "title": method.title, "family": method.family,
            "signed": method.signed, "stochastic": method.stochastic,
            "class_specific": method.class_specific, "summary": method.summary,
            "paper": method.paper, "passes": vars(cost),
            "settings": {k: vars(option) for k, option in method.options.items()},
        })  # fmt: skip
    answer(as_json, found, table)


@app.command("inspect")
def inspect_model(
    model: Annotated[str, typer.Argument(help="A name (see `models`) or a file.")],
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's head, preprocessing and layers, and what each method will use."""
    from xai_tf.bundle import describe_classifier
    from xai_tf.surgery import tensors

    classifier = _load(model, task, classes, preprocessing)
    described = describe_classifier(classifier)
    uses = {name: _use(classifier, name) for name in METHODS}
    layers = [
        {"name": name, "kind": type(tensor._keras_history.operation).__name__,
         "shape": list(tensor.shape), "feature_map": name in classifier.feature_layers}
        for name, tensor in tensors(classifier.model).items()
    ]  # fmt: skip
    table = Table("what", "found", title=classifier.name)
    for name, value in described.items():
        table.add_row(name, str(value))
    table.add_row("stages (--layer all)", ", ".join(classifier.stages))
    table.add_row("parameters", f"{classifier.model.count_params():,}")
    for name, use in uses.items():
        table.add_row(f"method {name}", use)
    for layer in layers:
        mark = " (feature map)" if layer["feature_map"] else ""
        table.add_row(f"layer {layer['name']}", f"{layer['kind']} {layer['shape'][1:]}{mark}")
    answer(
        as_json, described | {"methods": uses, "stages": classifier.stages, "layers": layers}, table
    )


@app.command("train")
def train_model(
    folder: Annotated[Path, typer.Argument(help="Holds a folder a class, or train/ and test/.")],
    name: Annotated[str, typer.Option(help="Of the model.")],
    task: Annotated[str, typer.Option(help="How files are read (see `tasks`).")] = "dog_breeds",
    backbone: Annotated[str, typer.Option(help="A backbone (see `inspect`).")] = "mobilenet_v2",
    weights: Annotated[
        str, typer.Option(help="'imagenet', 'none', or a file of the backbone without its top.")
    ] = "imagenet",
    unfreeze: Annotated[int, typer.Option(help="Last layers to fine-tune; -1 for all.")] = 30,
    copies: Annotated[
        int, typer.Option(min=0, help="Augmented copies of the training set; 0: new every epoch.")
    ] = 6,
    epochs: Annotated[int, typer.Option(min=0, help="Of fine-tuning.")] = 12,
    head_epochs: Annotated[int, typer.Option(min=1, help="For the head alone.")] = 30,
    rate: Annotated[float, typer.Option(help="Highest learning rate of fine-tuning.")] = 1.5e-4,
    image_size: Annotated[int, typer.Option(min=32, help="Side of the image, in pixels.")] = 224,
    also_test: Annotated[
        list[str] | None, typer.Option(help="A further test set, as NAME=FOLDER.")
    ] = None,
    data_license: Annotated[
        list[str] | None, typer.Option(help="A data set and its terms, for the card.")
    ] = None,
    license_: Annotated[str, typer.Option("--license", help="Of the weights.")] = "other",
    seed: int = 0,
    out: Annotated[Path, typer.Option(help="Folder for the model.")] = weights_keras.FOLDER,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on a FOLDER of class folders; write the model and its card."""
    from xai_tf.dataset import read_folder, read_splits
    from xai_tf.models import BACKBONES
    from xai_tf.publish import check_folder, publish
    from xai_tf.training import Recipe, train

    entry = pick(TASKS, task, "task")
    pick(BACKBONES, backbone, "backbone")
    if Path(name).name != name or not name:
        raise SettingError(f"--name {name!r} is no file name. Give a plain one.")
    if not 0 < rate < 1:
        raise SettingError(f"--rate {rate} is no learning rate. Take one like 0.0001.")
    check_folder(out, name)
    recipe = Recipe(
        backbone=backbone, weights=None if weights == "none" else weights, unfreeze=unfreeze,
        copies=copies, head_epochs=head_epochs, epochs=epochs, rate=rate, seed=seed,
    )  # fmt: skip
    with progress_bar() as bar:
        line = bar.add_task("reading", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(line, description=what, completed=done, total=total)

        def reading(done: int, total: int, file: str) -> None:
            report(f"reading {file}", done, total)

        size = (image_size, image_size)
        splits = read_splits(folder, entry, size, seed, reading)
        further = {
            label: read_folder(Path(place), entry, size, splits.test.classes, reading)
            for label, _, place in (text.partition("=") for text in also_test or [])
        }
        trained = train(splits, recipe, entry.augment, report)
        card = publish(
            trained, splits, recipe, entry, name=name, folder=out, further=further,
            command=_typed_command(), datasets=tuple(data_license or ()), license_=license_,
        )  # fmt: skip
    table = Table("set", "measure", "value and 95% interval", "files")
    for measure in card.metrics:
        table.add_row(measure.split, measure.name, str(measure), str(measure.count))
    written = {"model": str(out / f"{name}.keras"), "sha256": card.sha256, "size": card.size}
    answer(as_json, written | {"metrics": [vars(m) for m in card.metrics]}, table)


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


def _load(
    model: str, task: str | None, classes: str | None, preprocessing: str | None
) -> Classifier:
    names = [name.strip() for name in classes.split(",")] if classes else None
    with NOTES.status("loading the model"):
        return load(model, task=task, classes=names, preprocessing=preprocessing)


def _doubt(classifier: Classifier) -> None:
    """Say so where the preprocessing is a guess."""
    if classifier.preprocessing_reason.startswith(ASSUMED):
        note(
            f"{classifier.name}: RGB in [0, 1] goes in as it is, "
            f"{classifier.preprocessing_reason}. If it was trained otherwise, give "
            "--preprocessing.",
            style="yellow",
        )


def _files(given: list[Path], classifier: Classifier) -> list[Path]:
    """The files themselves, with folders replaced by what can be read in them."""
    suffixes = classifier.task.suffixes if classifier.task else PICTURE_SUFFIXES
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            _check_kind(path, classifier)
            found.append(path)
            continue
        inside = readable_files(path, suffixes)
        if not inside:
            raise InputError(
                f"{path} holds no file that {classifier.name!r} reads ({', '.join(suffixes)})."
            )
        found += inside
    return found


def _check_kind(path: Path, classifier: Classifier) -> None:
    readable = classifier.task.suffixes if classifier.task else PICTURE_SUFFIXES
    if path.suffix.lower() in SOUND_SUFFIXES and not set(SOUND_SUFFIXES) & set(readable):
        raise InputError(
            f"{path} is a sound, and {classifier.name!r} looks at pictures. Take a model for "
            "sound, or add --task deepfake_audio if it was trained on spectrograms."
        )


def _settings(given: list[str], methods: list[str]) -> dict[str, dict[str, float]]:
    """Parse METHOD.NAME=VALUE; check methods, names and ranges before any work."""
    for name in methods:
        pick(METHODS, name, "method")
    parsed: dict[str, dict[str, float]] = {}
    for text in given:
        place, _, value = text.partition("=")
        method, _, name = place.partition(".")
        if method not in methods:
            raise UnknownNameError(
                f"--set {text}: {method!r} is not among the methods asked for "
                f"({', '.join(methods)}). Write METHOD.NAME=VALUE."
            )
        try:
            parsed.setdefault(method, {})[name] = _number(value)
        except ValueError as error:
            raise SettingError(f"--set {text}: {value!r} is no number.") from error
    for method, values in parsed.items():
        METHODS[method].settings(values, baseline=0)
    return parsed


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _typed_command() -> str:
    """The command as it was typed, with files and folders by name, not by place."""
    words = [word for before, word in pairwise(sys.argv) if "--out" not in (before, word)]
    return "xai-tf " + shlex.join(map(_without_place, words))


def _without_place(word: str) -> str:
    label, equals, place = word.rpartition("=")
    if "/" not in place or " " in place:
        return word
    parts = Path(place).parts
    return label + equals + "/".join(parts[-2:] if parts[-1] in ("train", "test") else parts[-1:])


def _use(classifier: Classifier, name: str) -> str:
    """What a method will use of a classifier, in words."""
    method = METHODS[name]
    cost = method.cost(method.settings({}, classifier.baseline), classifier.image_size)
    passes = f"{cost.evaluations} pass{'es' * (cost.evaluations != 1)}"
    if method.needs_layer:
        layers = classifier.feature_layers
        return f"{passes}, layer {layers[-1]}" if layers else "cannot be used: no feature map"
    if method.relu_only and not classifier.has_relu:
        return f"{passes}, but the network has no ReLU: the plain gradient"
    return passes


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
