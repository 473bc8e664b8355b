"""How the pixels of a file became those of a sample, so that places in the file can be followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xai_tf.inputs.options import DEFAULT_OPTIONS, ReadOptions
from xai_tf.inputs.plots import crop
from xai_tf.inputs.resizing import DEFAULT_RESIZER, Box, resize
from xai_tf.inputs.sample import Sample, shown_levels


@dataclass(frozen=True)
class Geometry:
    """The way from a file to a sample: turned upright, cropped, and resized.

    Attributes:
        file_size: (height, width) of the file in pixels, turned as its EXIF data says.
        crop: (left, upper, right, lower) of the part that was kept, in pixels; None for all.
        image_size: (height, width) of the sample.
        resizer: a name in `RESIZERS`; some crop or pad the picture.
    """

    file_size: tuple[int, int]
    crop: Box | None
    image_size: tuple[int, int]
    resizer: str

    def place(self, mask: np.ndarray) -> np.ndarray:
        """Where pixels of the file are in the sample.

        A pixel of the sample counts where at least half of it is covered. What is too small for
        that keeps the pixels that it covers most; what was cropped away has none.

        Args:
            mask: bool array of shape `file_size`.

        Returns:
            bool array of shape `image_size`.
        """
        covered = resize(crop(mask.astype(np.float32), self.crop), self.image_size, self.resizer)
        placed: np.ndarray = covered >= min(0.5, max(float(covered.max()), 1e-6))
        return placed


def geometry_of(sample: Sample, options: ReadOptions = DEFAULT_OPTIONS) -> Geometry | None:
    """How a sample was made of its file: the file is read again, and must give the same pixels.

    Args:
        sample: read from its file with `options`.
        options: the frame, and how it was resized.

    Returns:
        None where the way is not known: for sound, for arrays in memory, and where a reader of the
        user's own did something else.
    """
    levels = shown_levels(sample, options)
    if levels is None:
        return None
    height, width = levels.shape[:2]
    resizer = options.resize or DEFAULT_RESIZER
    size = sample.image.shape[:2]
    return Geometry((height, width), sample.crop, (size[0], size[1]), resizer)
