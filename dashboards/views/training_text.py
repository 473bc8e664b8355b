"""The texts about trainings: what is planned, and how far each is."""

from __future__ import annotations

from dashboards.service.trainer import DONE, FAILED, STOPPED
from dashboards.service.training_orders import TUNE, TrainingOrder, TrainingPlan
from dashboards.service.trainings import INTERRUPTED, RUNNING, STOPPING, WAITING, TrainingStatus
from dashboards.views.text import bullets, facts, heading, paragraph
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.datasets.listing import some
from xai_tf.progress import duration

KINDS = {"train": "Training", TUNE: "Search"}
ABOUT = {
    "train": "One model is trained on the set by transfer learning, and measured on its test "
    "files. The plan says what it costs before anything starts.",
    TUNE: "Many small heads are tried on one or several backbones, and the best becomes a model. "
    "The plan says what it costs before anything starts.",
}
NO_SETS = (
    "This server has no labeled files. Restart it with --data FOLDER: a folder with one subfolder "
    "of files per class, or a CSV file with the columns path and label."
)
PLANNING = "Making the plan: reading the files and timing a step. This takes about a minute."
FILES = "{train} for training, {validation} for validation, {test} for testing"
TRIALS = "{trials} trials of {configurations} configurations, {epochs} epochs in all"
SEARCH_TIME = "about {total}: {features} for the features, {search} for the trials"
TRAINING_TIME = "about {total}"
START_TIME = ", plus the start of its process, about half a minute"
DISK = "at most {megabytes} MB for the search"
STATES = {
    WAITING: "Waiting: {ahead} before it.",
    RUNNING: "Running.",
    STOPPING: "Stopping.",
    STOPPED: "Stopped.",
    INTERRUPTED: "Interrupted, because the server was stopped.",
    FAILED: "Failed.",
    DONE: "Finished.",
}
KEPT = {
    "train": "A training cannot be continued; it starts again from the beginning.",
    TUNE: "The finished trials are kept, and the search continues where it was.",
}
STEP = "{what}."
STEP_WITH_TIME = "{what}. About {left} left for this step."
PLANNED_TRIALS = "{trials} trials are planned. "
STARTING = "The process is starting."


def plan(ordered: TrainingOrder, planned: TrainingPlan) -> str:
    """What an order will do and what it costs."""
    train, validation, test = planned.files
    preparation, work = planned.seconds
    rows = [
        ("classes", f"{len(planned.classes)}: {_classes(planned)}"),
        ("files", FILES.format(train=train, validation=validation, test=test)),
    ]
    if ordered.kind == TUNE:
        rows.append(
            (
                "trials",
                TRIALS.format(
                    trials=planned.trials,
                    configurations=planned.configurations,
                    epochs=planned.epochs,
                ),
            )
        )
    else:
        rows.append(("epochs", str(planned.epochs)))
    time = (SEARCH_TIME if ordered.kind == TUNE else TRAINING_TIME).format(
        total=duration(preparation + work), features=duration(preparation), search=duration(work)
    )
    rows.append(("time", time + START_TIME))
    if planned.bytes:
        rows.append(("disk space", DISK.format(megabytes=f"{planned.bytes / 1e6:,.0f}")))
    if planned.reason:
        rows.append(("how", planned.reason))
    return heading("The plan", 3) + facts(rows) + bullets(planned.notes, "warning")


def title(status: TrainingStatus) -> str:
    """The name of a training, and what it is."""
    ordered = status.order
    backbones = some((BACKBONES[name].title for name in ordered.backbones), 3)
    about = f"{KINDS[ordered.kind]} on {ordered.data.name} with {backbones}"
    return heading(ordered.name, 3) + paragraph(about, "note")


def state(status: TrainingStatus) -> str:
    """How far a training is, as plain text."""
    text = STATES[status.state].format(ahead=status.ahead)
    if status.state in (RUNNING, STOPPING):
        return f"{text} {_step(status)}"
    if status.state == DONE:
        measured = [f"{name} {value}" for name, value in status.measures]
        results = "Test files: {measures}.".format(measures=", ".join(measured)) if measured else ""
        return f"{text} {results}".strip()
    if status.state in (STOPPED, INTERRUPTED, FAILED):
        return " ".join(filter(None, (text, status.problem, KEPT[status.order.kind])))
    return text


def _step(status: TrainingStatus) -> str:
    if not status.what:
        return STARTING
    trials = status.plan.trials if status.plan and status.what.startswith("bracket") else 0
    planned = PLANNED_TRIALS.format(trials=trials) if trials else ""
    what, left = status.what[0].upper() + status.what[1:], status.seconds_left
    if not left:
        return planned + STEP.format(what=what)
    return planned + STEP_WITH_TIME.format(what=what, left=duration(left))


def _classes(planned: TrainingPlan) -> str:
    return some(planned.classes, 10)
