"""List tasks, methods and metrics."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from xai_tf.attribution.methods import METHODS, Cost, Method
from xai_tf.cli.answers import Answer, prints_answer
from xai_tf.cli.app import MODELS_AND_DATA, app
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.tables import describe_metrics
from xai_tf.tasks import TASKS

SIZE = (224, 224)  # of the image that costs are given for


class Language(StrEnum):
    """Languages of the descriptions of metrics."""

    en = "en"
    fr = "fr"


@app.command("tasks", rich_help_panel=MODELS_AND_DATA)
@prints_answer
def list_tasks() -> Answer:
    """List the tasks with the question and the classes of each."""
    table, rows = Table("name", "question", "classes"), []
    for task in TASKS.values():
        table.add_row(task.name, task.question, ", ".join(task.classes) or "those of the model")
        rows.append({"name": task.name, "question": task.question, "classes": list(task.classes)})
    flat = [row | {"classes": ", ".join(row["classes"])} for row in rows]
    return Answer(result=rows, table=table, rows=flat)


@app.command("methods", rich_help_panel=MODELS_AND_DATA)
@prints_answer
def list_methods() -> Answer:
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
            method.passes(defaults, SIZE),
            method.summary,
            ", ".join(f"{k}={v:g}" for k, v in defaults.items()),
        )
        rows.append(_described(method, cost))
    flat = ("name", "title", "family", "signed", "stochastic", "class_specific", "summary", "paper")
    return Answer(
        result=rows,
        table=table,
        rows=[{k: one[k] for k in flat} | one["passes"] for one in rows],
    )


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
@prints_answer
def list_metrics(
    language: Annotated[Language, typer.Option(help="Language of the descriptions.")] = Language.en,
) -> Answer:
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
    found = describe_metrics(list(METRICS.values()))
    flat = ("name", "title", "family", "better", "low", "high", "only")
    rows = [{k: one[k] for k in flat} | {"meaning": one["meaning"][language]} for one in found]
    return Answer(result=found, table=table, rows=rows)
