"""The texts about trainings: what is planned, and how far each is."""

from __future__ import annotations

from dashboards.language import library_text, mark, number, t
from dashboards.service.trainer import DONE, FAILED, STOPPED
from dashboards.service.training_orders import TUNE, TrainingOrder, TrainingPlan
from dashboards.service.trainings import INTERRUPTED, RUNNING, STOPPING, WAITING, TrainingStatus
from dashboards.state.progress import duration
from dashboards.views.text import bullets, facts, heading, paragraph
from tuning.reporting.conclusions import TITLES
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.datasets.listing import some

KINDS = {
    "train": mark("Training on {data} with {backbones}"),
    TUNE: mark("Search on {data} with {backbones}"),
}
ABOUT = {
    "train": mark(
        "One model is trained on the set by transfer learning, and measured on its test files. The "
        "plan says what it costs before anything starts."
    ),
    TUNE: mark(
        "Many small heads are tried on one or several backbones, and the best becomes a model. The "
        "plan says what it costs before anything starts."
    ),
}
NO_SETS = mark(
    "This server has no labeled files. Restart it with --data FOLDER: a folder with one subfolder "
    "of files per class, or a CSV file with the columns path and label."
)
OWN = mark(
    "All visitors of this server can see the model and the names of its classes. Your files stay "
    "on the server until the training is finished or removed from the list, and only the training "
    "reads them."
)
PLANNING = mark("Making the plan: reading the files and timing a step. This takes about a minute.")
FILES = mark("{train} for training, {validation} for validation, {test} for testing")
TRIALS = mark("{trials} trials of {configurations} configurations, {epochs} epochs in all")
SEARCH_TIME = mark("about {total}: {features} for the features, {search} for the trials")
TRAINING_TIME = mark("about {total}")
START_TIME = mark("{time}, plus the start of its process, about half a minute")
DISK = mark("at most {megabytes} MB for the search")
STATES = {
    WAITING: mark("Waiting: {ahead} before it."),
    RUNNING: mark("Running."),
    STOPPING: mark("Stopping."),
    STOPPED: mark("Stopped."),
    INTERRUPTED: mark("Interrupted, because the server was stopped."),
    FAILED: mark("Failed."),
    DONE: mark("Finished."),
}
KEPT = {
    "train": mark("A training cannot be continued; it starts again from the beginning."),
    TUNE: mark("The finished trials are kept, and the search continues where it was."),
}
STEP = "{what}."
STEP_WITH_TIME = mark("{what}. About {left} left for this step.")
PLANNED_TRIALS = mark("{trials} trials are planned.")
STARTING = mark("The process is starting.")


def plan(ordered: TrainingOrder, planned: TrainingPlan) -> str:
    """What an order will do and what it costs."""
    train, validation, test = planned.files
    preparation, work = planned.seconds
    rows = [
        (
            t("classes"),
            t("{name}: {meaning}", name=len(planned.classes), meaning=_classes(planned)),
        ),
        (t("files"), t(FILES, train=train, validation=validation, test=test)),
    ]
    if ordered.kind == TUNE:
        rows.append(
            (
                t("trials"),
                t(
                    TRIALS,
                    trials=planned.trials,
                    configurations=planned.configurations,
                    epochs=planned.epochs,
                ),
            )
        )
    else:
        rows.append((t("epochs"), str(planned.epochs)))
    time = t(
        SEARCH_TIME if ordered.kind == TUNE else TRAINING_TIME,
        total=duration(preparation + work),
        features=duration(preparation),
        search=duration(work),
    )
    rows.append((t("time"), t(START_TIME, time=time)))
    if planned.bytes:
        rows.append((t("disk space"), t(DISK, megabytes=number(planned.bytes / 1e6, ",.0f"))))
    if planned.reason:
        rows.append((t("how"), library_text(planned.reason)))
    return (
        heading(t("The plan"), 3)
        + facts(rows)
        + bullets(map(library_text, planned.notes), "warning")
    )


def title(status: TrainingStatus) -> str:
    """The name of a training, and what it is."""
    ordered = status.order
    backbones = some((BACKBONES[name].title for name in ordered.backbones), 3)
    about = t(KINDS[ordered.kind], data=ordered.data.name, backbones=backbones)
    return heading(ordered.name, 3) + paragraph(about, "note")


def state(status: TrainingStatus) -> str:
    """How far a training is, as plain text."""
    text = t(STATES[status.state], ahead=status.ahead)
    if status.state in (RUNNING, STOPPING):
        return f"{text} {_step(status)}"
    if status.state == DONE:
        measured = [
            f"{t(TITLES.get(name, name))} {library_text(value)}" for name, value in status.measures
        ]
        results = t("Test files: {measures}.", measures=", ".join(measured)) if measured else ""
        return f"{text} {results}".strip()
    if status.state in (STOPPED, INTERRUPTED, FAILED):
        return " ".join(
            filter(None, (text, library_text(status.problem), t(KEPT[status.order.kind])))
        )
    return text


def _step(status: TrainingStatus) -> str:
    if not status.what:
        return t(STARTING)
    trials = status.plan.trials if status.plan and status.what.startswith("bracket") else 0
    planned = t(PLANNED_TRIALS, trials=trials) + " " if trials else ""
    text, left = library_text(status.what), status.seconds_left
    what = text[0].upper() + text[1:]
    if not left:
        return planned + STEP.format(what=what)
    return planned + t(STEP_WITH_TIME, what=what, left=duration(left))


def _classes(planned: TrainingPlan) -> str:
    return some(planned.classes, 10)
