"""A task: the question a classifier answers, and how a file becomes an input for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from xai_tf.inputs.options import DEFAULT_OPTIONS, ReadOptions

if TYPE_CHECKING:
    import numpy as np

    from xai_tf.inputs.mel_recipe import MelRecipe
    from xai_tf.inputs.sample import Sample

Augment = Callable[["Sample", "np.random.Generator"], "np.ndarray"]


class Reader(Protocol):
    """Reads a file into samples of a given (height, width), as the options ask."""

    def __call__(
        self,
        path: Path,
        image_size: tuple[int, int],
        options: ReadOptions = DEFAULT_OPTIONS,
        /,
    ) -> list[Sample]:
        """One sample, or one per window of a long recording."""
        ...


@dataclass(frozen=True, kw_only=True)
class Task:
    """A question, its possible answers, and how its files are read.

    Attributes:
        name: the name in `TASKS`, or of the user's own file.
        title: the name for people.
        question: the question that the classifier answers.
        classes: the answers, in the order of the model's outputs; empty where a model brings its
            own (such as breeds of dogs).
        reader: reads a file into samples of a given (height, width): one sample, or one per window
            of a long recording.
        augment: returns a changed image of a sample for training, without changing its class.
        suffixes: the file name suffixes of its inputs.
        baseline: the level in [0, 1] that means "nothing there"; perturbation methods and
            Integrated Gradients replace what they remove with it.
        medical: whether the answer is about a patient.
        subject: what its files show, in words, by language: "a chest X-ray".
        regions: the partitions of its pictures for an audit, names in `regions.PARTITIONS`.
        recipe: how a sound becomes a spectrogram; None where its files are no sounds.
        definition: the JSON text it was made from, where it is a user's own; see `task_file`.
    """

    name: str
    title: str
    question: str
    classes: tuple[str, ...]
    reader: Reader
    augment: Augment
    suffixes: tuple[str, ...]
    baseline: float = 0.0
    medical: bool = False
    subject: Mapping[str, str] = field(default_factory=dict)
    regions: tuple[str, ...] = ("frame",)
    recipe: MelRecipe | None = None
    definition: str = ""

    @property
    def key(self) -> str:
        """The text by which `xai_tf.tasks.find_task` finds it: its name, or its definition."""
        return self.definition or self.name

    @property
    def takes_sound(self) -> bool:
        """Whether its files are sounds, which may have many windows."""
        return self.recipe is not None

    def read(
        self,
        path: str | Path,
        image_size: tuple[int, int] = (224, 224),
        options: ReadOptions | None = None,
    ) -> Sample:
        """Read a file; from a long recording only the first window."""
        return self.windows(path, image_size, options)[0]

    def windows(
        self,
        path: str | Path,
        image_size: tuple[int, int] = (224, 224),
        options: ReadOptions | None = None,
    ) -> list[Sample]:
        """Read a whole file: one sample, or one per window of a long recording.

        A reader of two arguments serves as long as no options are given.
        """
        if options is None:
            return self.reader(Path(path), image_size)
        return self.reader(Path(path), image_size, options)
