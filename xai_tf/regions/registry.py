"""The table of partitions, and the regions of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.errors import pick
from xai_tf.inputs.sample import Sample
from xai_tf.inputs.task import Task
from xai_tf.regions.brain import head
from xai_tf.regions.frame import frame
from xai_tf.regions.lungs import chest
from xai_tf.regions.partition import Limit, NotFoundError, Partition
from xai_tf.regions.speech import bands, speech

# At least 96% of the Grad-CAM maps of the shipped MobileNetV2 models stay below each limit, on
# their test files: 181 X-rays of children with certain lungs, 200 MRI slices, 198 sounds, 200
# dogs (see `benchmarks/regions.py`). The X-ray model uses lungs no more than by chance, so the
# limit outside the lungs only detects worse models.
PARTITIONS = {
    partition.name: partition
    for partition in (
        Partition(
            name="frame",
            title="Frame",
            find=frame,
            accuracy="exact",
            limits={"corners": Limit(0.2, 2), "border": Limit(0.25, 1.5)},
        ),
        Partition(
            name="chest",
            title="Chest",
            find=chest,
            accuracy="lungs: IoU 0.77 (0.53 to 0.90), Dice 0.87 with manual outlines in 7 of 8 "
            "X-rays of children and adults, one is a guess with 0.50, as are 19 of 100 X-rays with "
            "opacities; 64% of the area of radiologists' boxes of pneumonia in 18 X-rays of adults "
            "is in them; marks: the letter in 7 of 8. The outlines are not by a radiologist, and "
            "one setting was tuned on them. The other regions are not measured",
            limits={"outside the lungs": Limit(0.8, 1.3), "marks": Limit(0.04, 4)},
            expected=("lungs",),
        ),
        Partition(
            name="head",
            title="Head",
            find=head,
            accuracy="brain: IoU 0.81 (0.70 to 0.89), Dice 0.89 with manual outlines in 8 MRI "
            "slices of all planes, and 98% of the area of experts' boxes of tumors in 31 slices is "
            "in it; the result tends to be too large, and in 22 of 200 slices is a guess. The "
            "outlines are not by a radiologist, and settings were tuned on them. Skull and "
            "background are not measured",
            limits={"skull and scalp": Limit(0.65, 2), "background": Limit(0.25, 0.7)},
            expected=("brain",),
        ),
        Partition(name="pitch", title="Frequency", find=bands, accuracy="exact"),
        Partition(
            name="speech",
            title="Speech",
            find=speech,
            accuracy="95% of the frames of a synthetic sound with known pauses; noise within 16 dB "
            "of the speech level counts as speech",
            limits={"silence": Limit(0.3, 1.3)},
        ),
    )
}
ANYTHING = ("frame",)


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of an image.

    Attributes:
        partitions: bool masks of shape (height, width), by the name of the partition and the name
            of the region. In each partition of `PARTITIONS`, every pixel is in exactly one region.
        warnings: what could not be found or is uncertain, a sentence each.
        guessed: names of the partitions that are a guess.
    """

    partitions: Mapping[str, Mapping[str, np.ndarray]]
    warnings: tuple[str, ...] = ()
    guessed: frozenset[str] = frozenset()


def regions_of(sample: Sample, task: Task | None = None, by: Sequence[str] = ()) -> Regions:
    """Find the regions of an image.

    A partition that cannot be found is left out with a warning, and one that is uncertain is a
    guess with a warning. If none can be found, the partition "frame" is used.

    Args:
        sample: the image.
        task: its partitions are used if none are named; without a task, "frame".
        by: names in `PARTITIONS`.

    Raises:
        UnknownNameError: there is no such partition.
    """
    partitions: dict[str, Mapping[str, np.ndarray]] = {}
    warnings, guessed = [], []
    advice = "Use another --by." if by else "Check that the file matches the task."
    for name in by or (task.regions if task else ANYTHING):
        partition = pick(PARTITIONS, name, "partition")
        try:
            partitions[name] = partition.find(sample)
        except NotFoundError as error:
            if error.guess:
                partitions[name] = error.guess
                guessed.append(name)
                warnings.append(
                    f"The regions of {partition.title.lower()!r} in {sample.source.name} are a "
                    f"guess: {error}. Check their outlines on the picture before you rely on the "
                    "shares."
                )
                continue
            warnings.append(
                f"Cannot find the regions of {partition.title.lower()!r} in {sample.source.name}: "
                f"{error}. {advice}"
            )
    if not partitions:
        partitions = {name: PARTITIONS[name].find(sample) for name in ANYTHING}
    return Regions(partitions, tuple(warnings), frozenset(guessed))
