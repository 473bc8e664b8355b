"""The partitions there are, and those of a picture."""

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

# Each limit is beyond what Grad-CAM shows of at least 96% of the test files of the shipped models
# on MobileNetV2: 181 X-rays of children in which lungs are found, 200 MRI slices, 198 sounds, 200
# dogs; `benchmarks/regions.py` prints it. The X-ray model looks at lungs no more than by chance, so
# the limit outside them finds only what is worse.
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
            accuracy="lungs: IoU 0.77 (0.53 to 0.90), Dice 0.87 with outlines by hand in 7 of 8 "
            "X-rays of children and adults, one refused; marks: the letter in 7 of 8. By eye, by no"
            " radiologist; a setting was chosen with a look at them. The rest is not measured",
            limits={"outside the lungs": Limit(0.8, 1.3), "marks": Limit(0.04, 4)},
            expected=("lungs",),
        ),
        Partition(
            name="head",
            title="Head",
            find=head,
            accuracy="brain: IoU 0.82 (0.70 to 0.90), Dice 0.90 with outlines by hand in 8 MRI "
            "slices of all planes; it errs towards too much. By eye, by no radiologist; a setting "
            "was chosen with a look at them. Skull and background, the rest, are not measured",
            limits={"skull and scalp": Limit(0.65, 2), "background": Limit(0.25, 0.7)},
            expected=("brain",),
        ),
        Partition(name="pitch", title="Frequency", find=bands, accuracy="exact"),
        Partition(
            name="speech",
            title="Speech",
            find=speech,
            accuracy="95% of the frames of a made sound with known pauses; noise within 16 dB of "
            "speech counts as speech",
            limits={"silence": Limit(0.3, 1.3)},
        ),
    )
}
ANYTHING = ("frame",)


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a picture.

    Attributes:
        partitions: by the name of the partition, bool masks of shape (height, width) by the name of
            the region. Of a partition of `PARTITIONS`, every pixel is in exactly one.
        warnings: what was sought and not found, a sentence each.
    """

    partitions: Mapping[str, Mapping[str, np.ndarray]]
    warnings: tuple[str, ...] = ()


def regions_of(sample: Sample, task: Task | None = None, by: Sequence[str] = ()) -> Regions:
    """Part a picture by partitions named, or else as its task says; without a task, by its frame.

    What cannot be found in it is left out with a warning, never guessed; if nothing can, it is
    parted by its frame.

    Raises:
        UnknownNameError: a partition named does not exist.
    """
    found, warnings = {}, []
    for name in by or (task.regions if task else ANYTHING):
        partition = pick(PARTITIONS, name, "partition")
        try:
            found[name] = partition.find(sample)
        except NotFoundError as error:
            warnings.append(
                f"{sample.source.name} is not parted by {partition.title.lower()}: {error}. "
                + ("Take another --by." if by else "Look whether it is what the task is about.")
            )
    if not found:
        found = {name: PARTITIONS[name].find(sample) for name in ANYTHING}
    return Regions(found, tuple(warnings))
