"""A classifier: any image model as a Keras graph that takes RGB in [0, 1] and returns logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weights_keras import ModelCard
from xai_tf.classifiers.access import gives
from xai_tf.classifiers.backbones import default_size, recognize_backbone
from xai_tf.classifiers.detection import Detected, detect_preprocessing, takes_whole_numbers
from xai_tf.classifiers.forward import (
    Passes,
    compile_feature_pass,
    compile_logits_and_means,
    compile_maps,
    compile_passes,
    compile_predictions,
    reaches_input,
)
from xai_tf.classifiers.graph import (
    cut_points,
    flatten,
    forced_training,
    has_opaque_layer,
    inputs_of,
    nodes,
    operations,
    tensors,
)
from xai_tf.classifiers.guided_relu import can_change_relu, with_relu
from xai_tf.classifiers.layout import told_if_not_supported, usual_layout
from xai_tf.classifiers.ood_detector import OODDetector
from xai_tf.classifiers.output_head import LINEAR, OutputHead, linear_head, loss_name
from xai_tf.classifiers.placement import Placement, Places, find_placement, find_places
from xai_tf.classifiers.prediction import DEFAULT_THRESHOLD, Prediction, probabilities
from xai_tf.classifiers.preprocessing import scaling_of, with_preprocessing
from xai_tf.classifiers.returns import LABEL_LOGITS, LOGITS, RETURNS
from xai_tf.classifiers.selection import HeldValue, Selection, output_names, select
from xai_tf.classifiers.tracing import as_graph
from xai_tf.classifiers.training_mode import training_mode_note
from xai_tf.errors import InputError, ModelError, SettingError, UnknownNameError, nearest, pick
from xai_tf.inputs.arrays import white_of
from xai_tf.inputs.options import DEFAULT_OPTIONS, ReadOptions
from xai_tf.inputs.sample import Sample, read_image, read_picture_array
from xai_tf.inputs.task import Task

if TYPE_CHECKING:
    import keras

TOLERANCE = 1e-6  # on probabilities, between a model as it was loaded and with its linear head
BATCH = 32  # images per pass
# What `Classifier.read` takes (an array is anything NumPy can convert), and `Classifier.predict`.
Input = Any
Inputs = Any


class Classifier:
    """A Keras model that takes RGB in [0, 1] and returns logits, with the facts about it.

    A model of your own becomes a classifier with its class names; `xai_tf.load` makes one from a
    file or from a bundled model.

    >>> import keras
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((32, 32, 3)),
    ...         keras.layers.Conv2D(4, 3),
    ...         keras.layers.GlobalAveragePooling2D(),
    ...         keras.layers.Dense(2, activation="softmax"),
    ...     ]
    ... )
    >>> classifier = Classifier(model, ["cat", "dog"], name="pets")
    >>> classifier.image_size, classifier.head.activation
    ((32, 32), 'softmax')

    Attributes:
        model: flat Functional model: (batch, height, width, 3) in [0, 1] to (batch, logits).
        classes: the names of the classes; two for one logit.
        classes_source: where their names are from: "as given", "its card", "its task" or a file;
            empty where they have none and are called "class 0", "class 1", ...
        name: its name in messages and file names.
        task: the task it was trained for, or None.
        card: its model card, or None.
        head: how the model ended when it was loaded.
        size_certain: whether the input size is known; otherwise the model takes any, and
            `warnings` says which was chosen.
        preprocessing: the color scaling in front of the network, a name in `SCALINGS` or one of
            `scaling_of`.
        preprocessing_reason: why it was chosen, in words that follow "because".
        channels: of the network behind the preprocessing: 3, or 1 for gray levels.
        output: the name of the output that is explained, of a model with several; else empty.
        held: the values at which inputs beside the picture are held, by name.
        selection_note: what a person should know about these two, or empty.
        layout_note: what was assumed of an input without the axes of a picture, or empty.
        training_note: what is done about layers that are called with `training=True`, or empty.
        preprocessing_certain: whether it is known; otherwise it is a guess, and `warnings` says so.
        read_options: how files are read where that is not the default, else None.
        thresholds: for a model of several labels the probability from which each is predicted;
            empty for others.
        sha256: the SHA-256 of the model file.
        ood_detector: detects inputs unlike the training data; None where the model has none.
        problems: why a card or class names beside the model file are not used, a sentence each.
        ood_problem: one sentence on why the OOD detector of the model cannot be used; else empty.
    """

    ood_detector: OODDetector | None = None
    problems: tuple[str, ...] = ()
    ood_problem: str = ""

    def __init__(
        self,
        model: keras.Model,
        classes: Sequence[str] | None = None,
        *,
        name: str | None = None,
        task: Task | None = None,
        card: ModelCard | None = None,
        preprocessing: str | None = None,
        read_options: ReadOptions | None = None,
        thresholds: Mapping[str, float] | None = None,
        output: str | None = None,
        inputs: Mapping[str, HeldValue] | None = None,
        loss: Any = None,
        sha256: str = "",
        image_size: tuple[int, int] | None = None,
        returns: str | None = None,
    ) -> None:
        """Flatten a model and replace its output by logits.

        Args:
            model: any Keras image classifier: Sequential, Functional or subclassed.
            classes: the names of its classes. By default those of the card or the task, else
                "class 0", "class 1", ...
            name: its name in messages and file names. By default that of the model.
            task: the task it was trained for; decides how files are read.
            card: its model card.
            preprocessing: a name in `SCALINGS`. By default detected, see
                `xai_tf.classifiers.detection`.
            read_options: how files are read, such as how pictures are resized. By default as its
                card says.
            thresholds: for a model of several labels the probability from which a label is
                predicted, by its name. By default as its card says, else 0.5.
            output: the name of the output to explain, of a model with several. By default the only
                one that is a sigmoid or softmax, or the only one of shape (batch, classes).
            inputs: the values at which inputs beside the picture are held, by name.
            loss: the loss it was trained with, as Keras knows it; by output where there are
                several. By default the one it is compiled with. It says what an output without an
                activation means.
            sha256: the SHA-256 of the model file.
            image_size: (height, width) of the input, for a model that takes any size. By default
                that of its card or backbone.
            returns: what the outputs are, a name in `RETURNS`, for a model that ends in no
                activation, or in a layer that does not show it. By default as its card or the loss
                says, or guessed by their values.

        Raises:
            ModelError: the model takes no images, does not end in class logits, or has several
                outputs or further inputs and it is not said which or what.
            UnknownNameError: there is no such preprocessing, kind of outputs, output or input, or
                no label that has a threshold.
            SettingError: a threshold is not between 0 and 1, the model has no several labels, or
                the value of an input has another shape.
        """
        returns = returns or (card and card.returns) or None
        if returns:
            pick(RETURNS, returns, "kind of output")
        selection = select(as_graph(model, image_size), output, inputs)
        loss = _loss_of(model, selection, loss)
        model, self.layout_note = usual_layout(selection.model)
        _check_input(model)
        self.output, self.held, self.selection_note = (
            selection.output,
            selection.held,
            selection.note,
        )
        self.channels: int = model.input_shape[-1]
        backbone = recognize_backbone({operation.name for operation in operations(model)})
        if preprocessing:
            scaling_of(preprocessing)
            detected = Detected(preprocessing, "as requested", True)
        else:
            detected = detect_preprocessing(model, backbone, card)
        self.preprocessing, self.preprocessing_reason = detected.name, detected.reason
        self.preprocessing_certain = detected.certain
        size, self.size_certain = _input_size(model, backbone, card, image_size)
        flat = flatten(with_preprocessing(model, self.preprocessing, size))
        with told_if_not_supported():
            self.model, self.head = linear_head(flat, loss, returns)
        if card and self.head.num_logits > 1:  # one that was written without `returns` knows it
            self.head = replace(self.head, known=True)
        self.backbone = backbone or (card.backbone if card else None)
        self._check_same_output(model)
        self.training_note = training_mode_note(model, self._outputs, self._prepared)
        self.card, self.task, self.sha256 = card, task, sha256
        if card and card.resize and not (read_options and read_options.resize):
            read_options = replace(read_options or DEFAULT_OPTIONS, resize=card.resize)
        self.read_options = read_options
        self._compiled: dict[Any, Any] = {}
        self.name = name or model.name
        self.classes, self.classes_source = self._class_names(classes)
        self.thresholds = self._thresholds(thresholds or {})

    def __repr__(self) -> str:
        height, width = self.image_size
        return f"<Classifier {self.name}: {len(self.classes)} classes, {height}x{width} pixels>"

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the input in pixels."""
        return self.model.input_shape[1:3]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know about how the model is used, one sentence each."""
        return (
            *(text for _, text in self._guesses()),
            *filter(
                None,
                (self.layout_note, self.clipped_note, self.selection_note, self.training_note),
            ),
            *self.problems,
        )

    @property
    def guesses(self) -> tuple[str, ...]:
        """What is not known of the model: "preprocessing", "size", "outputs", "classes"."""
        return tuple(name for name, _ in self._guesses())

    def _guesses(self) -> Iterator[tuple[str, str]]:
        """What is not known of the model, and the step that settles it."""
        if not self.preprocessing_certain:
            text = (
                f"The preprocessing of {self.name!r} is a guess: {self.preprocessing!r} "
                f"({scaling_of(self.preprocessing).title}), because {self.preprocessing_reason}. "
                "Settle it with: xai-tf inspect MODEL --try-preprocessing LABELED_FOLDER --save, "
                "or give --preprocessing."
            )
            yield "preprocessing", text
        if not self.size_certain:
            height, width = self.image_size
            text = (
                f"The input size of {self.name!r} is a guess: {height}x{width} pixels, because the "
                "network takes any. Give the size it was trained with: --size."
            )
            yield "size", text
        if not self.head.certain:
            kind = "logits" if self.head.activation == LINEAR else "probabilities"
            text = (
                f"The outputs of {self.name!r} are taken for {kind}, because those of noise lie "
                "from 0 to 1 and its last layer cannot be seen. Settle it with --returns: "
                f"{', '.join(RETURNS)}."
            )
            yield "outputs", text
        if self.outputs_guessed:
            text = (
                f"That a picture has just one of the {self.head.num_logits} classes of "
                f"{self.name!r} is a guess: its outputs have no activation, and the file does not "
                "name the loss. A softmax is taken of them; they may be independent labels. Settle "
                f"it with --returns {LOGITS} (one class) or {LABEL_LOGITS} (several labels); "
                "`xai-tf inspect MODEL --returns ... --save` remembers it."
            )
            yield "outputs", text
        elif not (self.head.known or self.classes_source):
            text = (
                f"That {self.name!r} is a classifier is a guess: its one output, without an "
                "activation, is taken for the logit of the second of two classes, but it may be a "
                "quantity, whose probabilities mean nothing. The file does not name the loss. "
                "Settle it by naming the classes, such as --classes ABSENT,PRESENT; of a quantity, "
                "give another model."
            )
            yield "classes", text

    @property
    def clipped_note(self) -> str:
        """What is done about probabilities that the model limits; empty where it limits none."""
        if not self.head.clipped:
            return ""
        return (
            f"{self.name!r} limits its probabilities, so that they may not add up to 1 (layer "
            f"{self.head.layer!r}); those given are divided by their sum."
        )

    @property
    def outputs_guessed(self) -> bool:
        """Whether logits are taken for those of one of several classes without knowing it."""
        return self.head.num_logits > 1 and not self.head.known

    @property
    def baseline(self) -> float:
        """The level in [0, 1] that means "nothing there"."""
        return self.task.baseline if self.task else 0.0

    @cached_property
    def passes(self) -> Passes:
        """The compiled forward and backward passes of the model."""
        if gives(self.access, "gradients"):
            return compile_passes(self.model)
        return compile_predictions(self.model)

    @cached_property
    def access(self) -> str:
        """How much of the network can be seen, a name in `ACCESS`."""
        if has_opaque_layer(self.model):
            return "gradients" if reaches_input(self.model) else "predictions"
        return "feature maps" if self.feature_layers else "layers"

    def read(self, given: Input) -> Sample:
        """Read a file or a picture in memory for this classifier.

        Args:
            given: a path (of a long recording only the first window is read), or an array of shape
                (height, width) with 1, 3 or 4 channels last, or none: uint8 from 0 to 255, or
                floats from 0 to 1 or from 0 to 255. A sample is returned as it is.

        Raises:
            InputError: the file cannot be read, or the array is not a picture.
        """
        if isinstance(given, Sample):
            return given
        if isinstance(given, str | Path):
            return self.windows(given)[0]
        return self._read_array(_array(given))

    def _read_array(self, array: np.ndarray, white: float | None = None) -> Sample:
        options = self.read_options or DEFAULT_OPTIONS
        return read_picture_array(array, self.image_size, options, white)

    def windows(self, path: str | Path) -> list[Sample]:
        """Read a whole file: one sample, or one per window of a long recording."""
        if self.task:
            return self.task.windows(path, self.image_size, self.read_options)
        return read_image(Path(path), self.image_size, self.read_options or DEFAULT_OPTIONS)

    def predict(self, given: Inputs) -> list[Prediction]:
        """Predict files, pictures in memory or samples, in batches.

        Args:
            given: one input as for `read` or a sequence of them, an array of shape (batch, height,
                width, channels), or a `tf.data.Dataset` of pictures or of (pictures, labels) in
                batches.

        Raises:
            InputError: a file cannot be read, an array is not a picture, or a sample does not have
                the input size of the classifier.
        """
        samples = self._samples(given)
        if not samples:
            return []
        (logits,) = self._batched(lambda images: (self.passes.logits(images),), samples)
        return [self.prediction(row) for row in logits]

    def _samples(self, given: Inputs) -> list[Sample]:
        """The samples of what `predict` is given."""
        if hasattr(given, "as_numpy_iterator"):
            batches = (b[0] if isinstance(b, tuple) else b for b in given.as_numpy_iterator())
            given = [picture for batch in batches for picture in batch]
        if isinstance(given, str | Path | Sample):
            return [self.read(given)]
        if not isinstance(given, list | tuple):
            array = _array(given)
            given = list(array) if array.ndim == 4 else [array]
        inputs = [one if isinstance(one, str | Path | Sample) else _array(one) for one in given]
        arrays = [one for one in inputs if isinstance(one, np.ndarray)]
        # One white for all, since a single picture may be black.
        white = max((white_of(array, "the array")[0] for array in arrays), default=None)
        return [
            self._read_array(one, white) if isinstance(one, np.ndarray) else self.read(one)
            for one in inputs
        ]

    def predict_with_means(
        self, samples: Sequence[Sample], layer: str
    ) -> tuple[list[Prediction], np.ndarray]:
        """Predict samples, and in the same pass compute the spatial means of a layer's maps.

        Returns:
            The predictions, and a float32 array of shape (samples, channels).

        Raises:
            InputError: a sample does not have the input size of the classifier.
        """
        logits, means = self._batched(self.logits_and_means(layer), samples)
        return [self.prediction(row) for row in logits], means

    def _batched(
        self, run: Callable[[Any], Sequence[Any]], samples: Sequence[Sample]
    ) -> list[np.ndarray]:
        """Run a pass on samples in batches; each output has the shape (samples, ...)."""
        for sample in samples:
            if sample.image.shape != (*self.image_size, 3):
                raise InputError(
                    f"{sample.source} was read as {sample.image.shape[:2]} pixels; {self.name!r} "
                    f"expects {self.image_size}. Read it with classifier.read()."
                )
        batches = [
            [output.numpy() for output in run(np.stack([s.image for s in samples[i : i + BATCH]]))]
            for i in range(0, len(samples), BATCH)
        ]
        return [np.concatenate(outputs) for outputs in zip(*batches, strict=True)]

    def prediction(self, logits: np.ndarray) -> Prediction:
        """The prediction of logits: those of one sample, or the mean over several windows."""
        return Prediction(
            logits,
            self.probabilities(logits[None])[0],
            self.classes,
            self.head.multi_label,
            self.thresholds,
        )

    def _outputs(self, images: np.ndarray) -> np.ndarray:
        """The output as that of the model that was loaded, for RGB in [0, 1]."""
        return _apply_head(np.asarray(self.model(images, training=False)), self.head)

    def _prepared(self, images: np.ndarray) -> np.ndarray:
        """What the model that was loaded takes, for RGB in [0, 1]."""
        return scaling_of(self.preprocessing).apply(images, self.channels)

    def _check_same_output(self, original: keras.Model) -> None:
        """Raise a ModelError unless the logits give the same output as the model as loaded."""
        import keras

        # Levels of bytes, which a model with an input of whole numbers does not round.
        levels = np.random.default_rng(0).integers(0, 256, (2, *self.image_size, 3))
        images = (levels / 255).astype(np.float32)
        prepared, actual = self._prepared(images), self._outputs(images)
        if takes_whole_numbers(original):
            prepared = np.rint(prepared)
        if forced_training(original):  # the model itself may draw at random
            output = inputs_of(original, prepared, lambda operation: False)[1]
        else:
            output = original(prepared, training=False)
        expected = np.asarray(keras.tree.flatten(output)[0], dtype=np.float64)
        difference = np.abs(expected - actual).max() / max(1.0, np.abs(expected).max())
        layers = original._flatten_layers()  # noqa: SLF001 (the public list leaves out nested layers)
        half = any("16" in layer.compute_dtype for layer in layers)
        # Pooled or averaged probabilities add up to 1 but for rounding.
        single = 10 * TOLERANCE if self.head.recovered else TOLERANCE
        if not difference <= (2e-2 if half else single):
            raise ModelError(
                f"The output of the model changes when it is made linear (by {difference:.1e}). It "
                "may draw random numbers or keep a state, which cannot be explained."
            )

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities of logits: float64 (batch, classes), of an array (batch, logits).

        Each row has the sum 1, unless each class is a question of its own (several labels).
        """
        return probabilities(logits, self.head.multi_label)

    def label(self, name: str | int) -> int:
        """The index of a class that is given by name or index.

        Raises:
            UnknownNameError: there is no such class.
        """
        if name in self.classes:
            return self.classes.index(name)
        if str(name).isdecimal() and int(name) < len(self.classes):
            return int(name)
        raise UnknownNameError(
            f"{self.name!r} has no class {str(name)!r}. {nearest(str(name), list(self.classes))}"
        )

    def target(self, label: int, contrast: int | None = None) -> np.ndarray:
        """The weights of the logits in the explained score: float32 array of shape (logits,).

        With one logit z the score is z for class 1 and -z for class 0. With `contrast` the score is
        the logit of the class minus that of the other class ("why this and not that"); with one
        logit that changes nothing, because z is that difference already.

        Args:
            label: index of the explained class.
            contrast: index of the class it is contrasted with, if any.
        """
        if self.model.output_shape[-1] == 1:
            return np.array([1.0 if label == 1 else -1.0], np.float32)
        weights = np.zeros(len(self.classes), np.float32)
        weights[label] = 1
        if contrast is not None:
            weights[contrast] -= 1
        return weights

    @cached_property
    def feature_layers(self) -> tuple[str, ...]:
        """The layers whose output has a height and a width above 1, in the order of the graph.

        Layers before the first one with more than three channels only change colors or size and
        are skipped.
        """
        maps = {
            name: tensor.shape[-1]
            for name, tensor in tensors(self.model).items()
            if len(tensor.shape) == 4 and min(tensor.shape[1:3]) > 1
        }
        return tuple(dropwhile(lambda name: maps[name] <= 3, maps))

    @property
    def last_feature_layer(self) -> str:
        """The last spatial layer, the default of Grad-CAM.

        Raises:
            ModelError: the model has none.
        """
        if not self.feature_layers:
            raise ModelError(
                f"{self.name!r} has no convolutional feature map, which Grad-CAM and FEM need. "
                "Use a gradient or perturbation method."
            )
        return self.feature_layers[-1]

    @cached_property
    def resolution_layers(self) -> tuple[str, ...]:
        """For each resolution the last layer that all paths go through, finest first."""
        last: dict[int, str] = {}
        cuts, outputs = set(cut_points(self.model)), tensors(self.model)
        kinds = {n.operation.name: type(n.operation).__name__ for n in nodes(self.model)}
        for name in self.feature_layers:
            if name in cuts and kinds[name] != "ZeroPadding2D":
                last[round(np.log2(self.image_size[0] / outputs[name].shape[1]))] = name
        return tuple(last.values())

    @cached_property
    def _places(self) -> dict[str, Places]:
        return find_places(self.model)

    def placement(self, layer: str) -> Placement | None:
        """How the map of a feature layer lies in the input; None where it covers all of it."""
        key = ("placement", layer)
        if key not in self._compiled:
            self._compiled[key] = find_placement(self.model, layer, self._places.get(layer))
        return self._compiled[key]

    def feature_layer(self, name: str | None) -> str:
        """The name of a feature layer, checked; None stands for the last one.

        Raises:
            UnknownNameError: there is no such layer, or its output is no feature map.
        """
        if name is None:
            return self.last_feature_layer
        if name in self.feature_layers:
            return name
        exists = name in tensors(self.model)
        raise UnknownNameError(
            f"The output of layer {name!r} of {self.name!r} is not a feature map. "
            f"The last layer with one is {self.last_feature_layer!r}."
            if exists
            else f"{self.name!r} has no layer {name!r}. {nearest(name, list(self.feature_layers))}"
        )

    def feature_pass(self, layers: tuple[str, ...]) -> Callable[[Any, Any], Any]:
        """The compiled pass to the feature maps of layers and the gradients of the score there."""
        if layers not in self._compiled:
            self._compiled[layers] = compile_feature_pass(self.model, layers)
        return self._compiled[layers]

    def logits_and_means(self, layer: str) -> Callable[[Any], Any]:
        """The compiled pass to the logits and the spatial means of a layer's feature maps."""
        if ("means", layer) not in self._compiled:
            self._compiled["means", layer] = compile_logits_and_means(self.model, layer)
        return self._compiled["means", layer]

    def feature_maps(self, layer: str) -> Callable[[Any], Any]:
        """The compiled pass to the feature maps of a layer."""
        if layer not in self._compiled:
            self._compiled[layer] = compile_maps(self.model, layer)
        return self._compiled[layer]

    def passes_with_relu(self, policy: Callable[..., Any]) -> Passes | None:
        """The passes of a copy whose ReLUs have the gradient of `policy`; None without ReLUs."""
        if not self.has_relu:
            return None
        if policy not in self._compiled:
            self._compiled[policy] = compile_passes(with_relu(self.model, policy))
        return self._compiled[policy]

    @cached_property
    def has_relu(self) -> bool:
        """Whether it has ReLUs whose gradient can be replaced, and no leaky ones."""
        return can_change_relu(self.model)

    def _class_names(self, classes: Sequence[str] | None) -> tuple[tuple[str, ...], str]:
        count = max(2, self.model.output_shape[-1])
        sources = {
            "as given": classes,
            "its card": self.card and self.card.classes,
            "its task": self.task and self.task.classes,
        }
        source, names = next(((s, n) for s, n in sources.items() if n), ("", ()))
        if not names:
            return tuple(f"class {index}" for index in range(count)), ""
        duplicate = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if duplicate:
            raise ModelError(
                f"{self.name!r} has the class {duplicate!r} twice. Give each class its own name."
            )
        if len(names) != count:
            raise ModelError(
                f"{self.name!r} has {count} classes, but {len(names)} names were given "
                f"({', '.join(names)}). Name them all, in the order of the outputs."
            )
        return tuple(names), source

    def _thresholds(self, given: Mapping[str, float]) -> tuple[float, ...]:
        """The threshold of each label: as given, as the card says, or 0.5."""
        if not self.head.multi_label:
            if given:
                raise SettingError(
                    f"Invalid threshold for {next(iter(given))!r}: {self.name!r} predicts one "
                    "class, the most probable one. Thresholds are for models with several labels, "
                    "each with a sigmoid."
                )
            return ()
        limits = dict.fromkeys(range(len(self.classes)), DEFAULT_THRESHOLD)
        of_card = self.card.thresholds if self.card else {}
        for name, limit in (of_card | dict(given)).items():
            if not 0 < limit < 1:
                raise SettingError(
                    f"Invalid threshold for {name!r}: {limit:g}. Expected a probability between 0 "
                    "and 1, such as 0.5."
                )
            limits[self.label(name)] = float(limit)
        return tuple(limits.values())


def _array(given: Any) -> np.ndarray:
    """An array of anything NumPy can convert, and of a picture of Pillow in any mode."""
    return np.asarray(given.convert("RGB") if hasattr(given, "getbands") else given)


def _loss_of(model: keras.Model, selection: Selection, given: Any) -> str:
    """The key in `LOSSES` of the loss of the chosen output; empty where it is unknown."""
    loss = getattr(model, "loss", None) if given is None else given
    if loss is None:
        return ""
    if selection.output:
        names = output_names(model)
        by_name = isinstance(loss, Mapping) and "class_name" not in loss
        if not (by_name or isinstance(loss, list | tuple)):
            return loss_name(loss)  # one for all outputs
        losses = loss if by_name else dict(zip(names, loss, strict=False))
        loss = losses.get(selection.output)
    return "" if loss is None else loss_name(loss)


def _check_input(model: keras.Model) -> None:
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (1, 3):
        raise ModelError(
            f"Invalid model: its input has shape {shape}. Expected (batch, height, width, 3) or "
            "(batch, height, width, 1), as of an image classifier. If it can be fed with a picture "
            "in RGB, give a function that does so to xai_tf.from_function in Python."
        )


def _input_size(
    model: keras.Model,
    backbone: str | None,
    card: ModelCard | None,
    given: tuple[int, int] | None,
) -> tuple[tuple[int, int], bool]:
    """The (height, width) of a model's input, and whether it is known.

    Raises:
        ModelError: the model has another size than the one given.
    """
    height, width = model.input_shape[1:3]
    if height and width:
        if given and given != (height, width):
            raise ModelError(
                f"{model.name!r} takes pictures of {height}x{width} pixels, not of "
                f"{given[0]}x{given[1]}. Omit the size."
            )
        return (height, width), True
    known = given or (card.image_size if card else None)
    size = known or default_size(backbone)
    return (height or size[0], width or size[1]), bool(known)


def _apply_head(logits: np.ndarray, head: OutputHead) -> np.ndarray:
    """The output of the model as it was loaded, from its logits."""
    if head.activation == LINEAR:
        return logits.astype(np.float64)
    found = head.total * probabilities(logits, head.multi_label)
    return found[:, 1:] if head.num_logits == 1 else found
