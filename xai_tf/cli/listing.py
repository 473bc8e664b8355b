"""List models, tasks and methods, and look into a model."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

import weights_keras
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli.console import answer
from xai_tf.cli.options import AsJson, Classes, Preprocessing, TaskName, app, load_classifier
from xai_tf.tasks import TASKS


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
        found.append(
            {
                "name": name,
                "task": card.task,
                "classes": list(card.classes),
                "backbone": card.backbone,
                "metrics": measures,
                "here": here,
                "size": card.size,
                "command": card.command,
            }
        )
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
            method.name,
            method.family,
            "yes" if method.signed else "no",
            str(cost.evaluations),
            method.summary,
            ", ".join(f"{k}={v:g}" for k, v in defaults.items()),
        )
        found.append(
            {
                "name": method.name,
                "title": method.title,
                "family": method.family,
                "signed": method.signed,
                "stochastic": method.stochastic,
                "class_specific": method.class_specific,
                "summary": method.summary,
                "paper": method.paper,
                "passes": vars(cost),
                "settings": {k: vars(option) for k, option in method.options.items()},
            }
        )
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
    from xai_tf.bundles.write import describe_classifier
    from xai_tf.classifiers.graph import tensors

    classifier = load_classifier(model, task, classes, preprocessing)
    described = describe_classifier(classifier)
    uses = {name: _use(classifier, name) for name in METHODS}
    layers = [
        {
            "name": name,
            "kind": type(tensor._keras_history.operation).__name__,
            "shape": list(tensor.shape),
            "feature_map": name in classifier.feature_layers,
        }
        for name, tensor in tensors(classifier.model).items()
    ]
    table = Table("what", "found", title=classifier.name)
    for name, value in described.items():
        table.add_row(name, str(value))
    table.add_row("stages (--layer all)", ", ".join(classifier.resolution_layers))
    table.add_row("parameters", f"{classifier.model.count_params():,}")
    for name, use in uses.items():
        table.add_row(f"method {name}", use)
    for layer in layers:
        mark = " (feature map)" if layer["feature_map"] else ""
        table.add_row(f"layer {layer['name']}", f"{layer['kind']} {layer['shape'][1:]}{mark}")
    answer(
        as_json,
        described | {"methods": uses, "stages": classifier.resolution_layers, "layers": layers},
        table,
    )


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
