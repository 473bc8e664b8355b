"""List models, tasks, methods and metrics."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

import weights_keras
from xai_tf.attribution.methods import METHODS, Cost, Method
from xai_tf.cli.app import MODELS_AND_DATA, app
from xai_tf.cli.console import answer
from xai_tf.cli.options import AsJson
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.tables import describe_metrics
from xai_tf.tasks import TASKS

SIZE = (224, 224)  # of the image that costs are given for


class Language(StrEnum):
    """Languages of the descriptions of metrics."""

    en = "en"
    fr = "fr"


@app.command("models", rich_help_panel=MODELS_AND_DATA)
def list_models(as_json: AsJson = False) -> None:
    """List the bundled models with their task and test accuracy."""
    table, rows = Table("name", "task", "backbone", "test accuracy", "AUC", "weights"), []
    for name in weights_keras.names():
        card = weights_keras.read_card(weights_keras.FOLDER / f"{name}.md")
        here = (weights_keras.FOLDER / f"{name}.keras").is_file()
        measures = {m.name: str(m) for m in card.metrics if m.split == "test"}
        weights = f"{card.size / 1e6:.1f} MB" if here else f"missing; train with: {card.command}"
        table.add_row(
            name, card.task, card.backbone, measures.get("accuracy"), measures.get("auc"), weights
        )
        rows.append(
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
    answer(as_json, rows, table)


@app.command("tasks", rich_help_panel=MODELS_AND_DATA)
def list_tasks(as_json: AsJson = False) -> None:
    """List the tasks with the question and the classes of each."""
    table, rows = Table("name", "question", "classes"), []
    for task in TASKS.values():
        table.add_row(task.name, task.question, ", ".join(task.classes) or "those of the model")
        rows.append({"name": task.name, "question": task.question, "classes": list(task.classes)})
    answer(as_json, rows, table)


@app.command("methods", rich_help_panel=MODELS_AND_DATA)
def list_methods(as_json: AsJson = False) -> None:
    """List the attribution methods with their cost for a 224x224 image and their settings."""
    table = Table("name", "needs", "signed", "passes", "what it shows", "settings")
    rows = []
    for method in METHODS.values():
        defaults = method.settings({}, baseline=0)
        cost = method.cost(defaults, SIZE)
        table.add_row(
            method.name,
            method.needs,
            "yes" if method.signed else "no",
            str(cost.evaluations),
            method.summary,
            ", ".join(f"{k}={v:g}" for k, v in defaults.items()),
        )
        rows.append(_described(method, cost))
    answer(as_json, rows, table)


def _described(method: Method, cost: Cost) -> dict[str, Any]:
    return {
        "name": method.name,
        "title": method.title,
        "family": method.family,
        "needs": method.needs,
        "signed": method.signed,
        "stochastic": method.stochastic,
        "class_specific": method.class_specific,
        "summary": method.summary,
        "paper": method.paper,
        "passes": vars(cost),
        "settings": {k: vars(option) for k, option in method.options.items()},
    }


@app.command("metrics", rich_help_panel=MODELS_AND_DATA)
def list_metrics(
    language: Annotated[Language, typer.Option(help="Language of the descriptions.")] = Language.en,
    as_json: AsJson = False,
) -> None:
    """List the metrics that explanations are scored with."""
    table = Table("name", "range", "what it measures", "for", "settings")
    for metric in METRICS.values():
        defaults = metric.settings({}, baseline=0)
        table.add_row(
            metric.name,
            metric.better,
            metric.meaning[language],
            metric.only or "all methods",
            ", ".join(f"{k}={v:g}" for k, v in defaults.items()),
        )
    answer(as_json, describe_metrics(list(METRICS.values())), table)
