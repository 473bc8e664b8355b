"""The values that interventions change: the pixels of a picture, the levels of a sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xai_tf.inputs.audio import spectrogram_image
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.resizing import resize
from xai_tf.inputs.sample import Sample


def values_of(sample: Sample, recipe: MelRecipe | None) -> np.ndarray:
    """What of a sample is changed: float32 array of shape (height, width, 3) in [0, 1].

    The pixels of a picture; of a sound its levels, three times the same, because the mean of two
    colors of a spectrogram is the color of no level.
    """
    if sample.sound is None or recipe is None:
        return sample.image
    decibels = resize(sample.sound.decibels[::-1], sample.image.shape[:2])
    levels = np.clip(1 + decibels / recipe.range_decibels, 0, 1)
    return np.repeat(levels[..., None], 3, axis=-1)


def with_values(sample: Sample, values: np.ndarray, recipe: MelRecipe | None) -> Sample:
    """The sample with changed values, as `values_of` gives them; a sound is colored again."""
    if sample.sound is None or recipe is None:
        return replace(sample, image=np.clip(values, 0, 1).astype(np.float32))
    decibels = (values[::-1, :, 0] - 1) * recipe.range_decibels
    return replace(sample, image=spectrogram_image(decibels, sample.image.shape[:2], recipe))
