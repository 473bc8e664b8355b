"""The options that several commands share, and what the commands do with them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from xai_tf.classifiers.class_names import parse_classes
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.preprocessing import SCALINGS
from xai_tf.classifiers.reading import Reading
from xai_tf.classifiers.returns import RETURNS
from xai_tf.cli import completion
from xai_tf.cli.app import ADVANCED, DATA, OUTPUT, QUESTION
from xai_tf.cli.app import app as app
from xai_tf.cli.console import NOTES, VERBOSITY, warn
from xai_tf.errors import SettingError
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.resizing import RESIZERS

_log = logging.getLogger(__name__)

DEFAULT_OPACITY = 0.7

Files = Annotated[
    list[Path],
    typer.Argument(help="Files, or folders that are searched for files."),
]
ModelArgument = Annotated[
    str,
    typer.Argument(
        help="Name of a bundled model (see `xai-tf models`), a stock network such as "
        "imagenet:resnet50, or path to a Keras model file or SavedModel folder.",
        autocompletion=completion.models,
    ),
]

# Question: what is explained, of which model, by which methods.
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Name of a bundled model (see `xai-tf models`), a stock network such as "
        "imagenet:resnet50, or path to a Keras model file or SavedModel folder.",
        rich_help_panel=QUESTION,
        autocompletion=completion.models,
    ),
]
Method = Annotated[
    str,
    typer.Option(
        "--method",
        help="Attribution method (see `xai-tf methods`).",
        rich_help_panel=QUESTION,
        autocompletion=completion.methods,
    ),
]


def methods_option(default: str) -> Any:
    """The option for one method or several; see `settings.picked_methods`.

    Args:
        default: what the help says of a command that is given none.
    """
    return typer.Option(
        "--method",
        help="Attribution method (see `xai-tf methods`), or several, separated by commas.",
        rich_help_panel=QUESTION,
        autocompletion=completion.method_lists,
        show_default=default,
    )


Methods = Annotated[list[str] | None, methods_option("squared_ig, grad_cam")]
Target = Annotated[
    str | None,
    typer.Option(
        help="Class to explain.", rich_help_panel=QUESTION, show_default="the predicted class"
    ),
]
Contrast = Annotated[
    str | None,
    typer.Option(
        help="Explain why the target is predicted rather than this class.",
        rich_help_panel=QUESTION,
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--score",
        help="Metrics to score each explanation with (see `xai-tf metrics`), separated by commas, "
        "or 'all'.",
        rich_help_panel=QUESTION,
        autocompletion=completion.metrics,
    ),
]

# Data: how files are read.
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="Task that says how files are read: a name (see `xai-tf tasks`) or a .toml file.",
        rich_help_panel=DATA,
        autocompletion=completion.tasks,
        show_default="the model's own",
    ),
]
TaskToLearn = Annotated[
    str,
    typer.Option(
        "--task",
        help="Task that says how files are read: a name (see `xai-tf tasks`) or a .toml file.",
        rich_help_panel=DATA,
        autocompletion=completion.tasks,
    ),
]
Classes = Annotated[
    str | None,
    typer.Option(
        "--classes",
        help="Class names in the order of the model's outputs: separated by commas, or a file "
        "such as labels.txt or class_indices.json.",
        rich_help_panel=DATA,
        show_default="the model's own",
    ),
]
Preprocessing = Annotated[
    str | None,
    typer.Option(
        "--preprocessing",
        help=f"Preprocessing that the network expects: {', '.join(SCALINGS)}, or "
        "'mean=R,G,B std=R,G,B' of RGB in [0, 1].",
        rich_help_panel=DATA,
        autocompletion=completion.preprocessing,
        show_default="detected",
    ),
]
OutputName = Annotated[
    str | None,
    typer.Option(
        "--output",
        metavar="NAME",
        help="Output to explain, of a model with several.",
        rich_help_panel=QUESTION,
        show_default="the only sigmoid or softmax",
    ),
]
HeldInputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=NUMBERS",
        help="Value at which an input beside the picture is held, such as age=63 or sex=1,0. "
        "Repeat the option for several.",
        rich_help_panel=QUESTION,
    ),
]
Thresholds = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="LABEL=PROBABILITY",
        help="For a model of several labels: the probability from which a label is predicted. "
        "Repeat the option for several.",
        rich_help_panel=DATA,
        show_default="0.5, or as the card says",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="HEIGHTxWIDTH",
        help="Input size in pixels, such as 224 or 224x320, for a model that takes any.",
        rich_help_panel=DATA,
        show_default="that of its card or backbone",
    ),
]
Returns = Annotated[
    str | None,
    typer.Option(
        "--returns",
        help="What the model returns, where its last layer has no activation or does not show it: "
        f"{', '.join(RETURNS)}.",
        rich_help_panel=DATA,
        autocompletion=completion.returns,
        show_default="detected",
    ),
]
Resize = Annotated[
    str | None,
    typer.Option(
        help=f"How pictures are resized, as in training: {', '.join(RESIZERS)}.",
        rich_help_panel=DATA,
        autocompletion=completion.resizers,
        show_default="bilinear, or as the card says",
    ),
]
Frame = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Frame, page or slice to read of a file that has several.",
        rich_help_panel=DATA,
        show_default="the first, or the middle slice of a volume",
    ),
]
CropPlot = Annotated[
    bool,
    typer.Option(
        "--crop-plot",
        help="Crop a picture of a plot, such as a spectrogram with axes, to the inside of its "
        "axes.",
        rich_help_panel=DATA,
    ),
]
Windows = Annotated[
    int,
    typer.Option(
        min=0,
        help="Most decisive windows of a long recording to explain; 0 explains all.",
        rich_help_panel=DATA,
    ),
]

# Output: where the answer goes, and in which form.
Opacity = Annotated[
    float,
    typer.Option(min=0, max=1, help="Opacity of the heatmap in overlays.", rich_help_panel=OUTPUT),
]
SharedScale = Annotated[
    bool,
    typer.Option(
        "--shared-scale",
        help="Draw all heatmaps of a method on one color scale.",
        rich_help_panel=OUTPUT,
    ),
]
Smooth = Annotated[
    bool,
    typer.Option(
        "--smooth/--no-smooth",
        help="Smooth maps of single pixels in pictures; arrays and scores never are.",
        rich_help_panel=OUTPUT,
    ),
]
WithRegions = Annotated[
    bool,
    typer.Option(
        "--regions",
        help="Also report how much evidence lies in which region (see `xai-tf audit`).",
        rich_help_panel=OUTPUT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Compute again, and replace earlier results.",
        rich_help_panel=OUTPUT,
    ),
]

# Advanced: what most people leave as it is.
Layer = Annotated[
    str | None,
    typer.Option(
        help="Feature layer for Grad-CAM, Grad-CAM++ and FEM, or 'all' for one map at each "
        "resolution.",
        rich_help_panel=ADVANCED,
        show_default="the last one",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME.SETTING=VALUE",
        help="Setting of a method or metric, such as rise.grid=10. Repeat the option for several.",
        rich_help_panel=ADVANCED,
        autocompletion=completion.settings,
    ),
]
UntilStable = Annotated[
    float | None,
    typer.Option(
        help="For stochastic methods: sample until maps from two seeds would agree this well (rank "
        "correlation, such as 0.9). METHOD.num_samples is then the upper limit.",
        rich_help_panel=ADVANCED,
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        help="Passes for each map, such as 128, or seconds, such as 2s: takes the method that "
        "finds most for them, or sets those of --method to as much as they allow.",
        rich_help_panel=QUESTION,
    ),
]
Seed = Annotated[
    int,
    typer.Option(min=0, help="Random seed for methods and metrics.", rich_help_panel=ADVANCED),
]


@dataclass(frozen=True)
class ModelFlags:
    """A model and how it is used, as options of a command; see `records.takes_records`."""

    model: Model
    task: TaskName = None
    classes: Classes = None
    preprocessing: Preprocessing = None
    size: Size = None
    returns: Returns = None
    resize: Resize = None
    frame: Frame = None
    crop_plot: CropPlot = False
    threshold: Thresholds = None
    output: OutputName = None
    held: HeldInputs = None

    def load(self, classes: Sequence[str] | None = None) -> Classifier:
        """Load the model.

        Args:
            classes: the class names, in place of those of `--classes`.
        """
        return load_classifier(
            self.model,
            self.task,
            classes or parse_classes(self.classes),
            self.preprocessing,
            read_options(self.resize, self.frame, self.crop_plot),
            thresholds=parse_thresholds(self.threshold),
            output=self.output,
            inputs=parse_inputs(self.held),
            image_size=parse_size(self.size),
            returns=self.returns,
        )


def parse_thresholds(given: list[str] | None) -> dict[str, float]:
    """The thresholds of `--threshold LABEL=PROBABILITY`, by label.

    Raises:
        SettingError: a value has another form.
    """
    thresholds = {}
    for text in given or []:
        label, _, number = text.rpartition("=")
        try:
            thresholds[label] = float(number)
        except ValueError:
            label = ""
        if not label:
            raise SettingError(
                f"Invalid value for --threshold: {text!r}. Expected LABEL=PROBABILITY, such as "
                "Edema=0.3."
            )
    return thresholds


def parse_inputs(given: list[str] | None) -> dict[str, float | list[float]]:
    """The values of `--input NAME=NUMBERS`, by name: a number, or several separated by commas.

    Raises:
        SettingError: a value has another form.
    """
    inputs: dict[str, float | list[float]] = {}
    for text in given or []:
        name, _, numbers = text.rpartition("=")
        try:
            values = [float(number) for number in numbers.split(",")]
        except ValueError:
            name = ""
        if not name:
            raise SettingError(
                f"Invalid value for --input: {text!r}. Expected NAME=NUMBER, such as age=63, or "
                "numbers separated by commas."
            )
        inputs[name] = values if "," in numbers else values[0]
    return inputs


def parse_size(given: str | None) -> tuple[int, int] | None:
    """The (height, width) that `--size` gives, as "224" or "224x320".

    Raises:
        SettingError: it is no size.
    """
    if given is None:
        return None
    sides = given.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() and int(side) for side in sides):
        raise SettingError(
            f"Invalid value for --size: {given!r}. Expected pixels such as 224, or HEIGHTxWIDTH "
            "such as 224x320."
        )
    return int(sides[0]), int(sides[-1])


def read_options(
    resize: str | None, frame: int | None, crop_plot: bool = False
) -> ReadOptions | None:
    """How files are read by the options given; None where none is."""
    if resize is None and frame is None and not crop_plot:
        return None
    return ReadOptions(frame=frame, resize=resize or "", crop_plot=crop_plot)


def check_classes(classifier: Classifier, *names: str | None) -> None:
    """Raise an UnknownNameError if a name, where there is one, is no class of the model."""
    for name in names:
        if name is not None:
            classifier.label(name)


def load_classifier(
    model: str,
    task: str | None,
    names: Sequence[str] | None,
    preprocessing: str | None,
    options: ReadOptions | None = None,
    **chosen: Any,
) -> Classifier:
    """Load the model that `--model` names, with the options that say how to use it.

    The further arguments are those of `xai_tf.load`.
    """
    start = time.perf_counter()
    with nullcontext() if VERBOSITY.quiet else NOTES.status("loading the model"):
        classifier = load(
            model,
            task=task,
            classes=names,
            preprocessing=preprocessing,
            read_options=options,
            **chosen,
        )
    _log.info(
        "Loaded %s in %.1f s: task %s, classes %s, preprocessing %s (%s)",
        classifier.name,
        time.perf_counter() - start,
        classifier.task.name if classifier.task else "none",
        ", ".join(classifier.classes),
        classifier.preprocessing,
        classifier.preprocessing_reason,
    )
    return classifier


def tell_warnings(reading: Reading, explained: bool = False) -> None:
    """Print the warnings about a file; with `explained`, as they read beside explanations."""
    texts = reading.explanation_warnings if explained else reading.warnings
    for text in texts[len(reading.model_warnings) :]:  # `tell_doubt` prints those of the model
        warn(f"{reading.source.name}: {text}")


def tell_doubt(classifier: Classifier) -> None:
    """Print the warnings about a model, once for all files."""
    for text in classifier.warnings:
        warn(text)
