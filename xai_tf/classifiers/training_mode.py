"""Layers that run as in training whenever a model runs: what is done about them, and what it costs.

Maps and probabilities must be those of one picture and the same each time. So dropout that stays
active (Monte-Carlo dropout, Gal and Ghahramani 2016) and batch normalization by the batch at hand
run in inference mode here, and the difference to the model as it was saved is measured. Keras 3
does the same in `model.predict`, which passes `training=False` down; `model(x)` and Keras 2 do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.classifiers.graph import forced_training

if TYPE_CHECKING:
    import keras

RUNS = 16  # of the model as it was saved, whose mean is compared
NUM_PICTURES = 8


def training_mode_note(
    model: keras.Model,
    outputs: Callable[[np.ndarray], np.ndarray],
    prepare: Callable[[np.ndarray], np.ndarray],
) -> str:
    """A sentence or two about layers that are called with `training=True`; empty without any.

    Args:
        model: as it was loaded, with one input and one output.
        outputs: the outputs that are used instead, for pictures as float32 RGB in [0, 1].
        prepare: what the model is given for such pictures.
    """
    forced = forced_training(model)
    if not forced:
        return ""
    rng = np.random.default_rng(0)
    pictures = rng.random((NUM_PICTURES, *_size(model), 3), dtype=np.float32)
    pictures *= np.linspace(0.2, 1, NUM_PICTURES, dtype=np.float32)[:, None, None, None]
    given = prepare(pictures)
    drawn = np.mean([np.asarray(model(given)) for _ in range(RUNS)], axis=0)
    difference = float(np.abs(drawn - outputs(pictures)).max())
    named = ", ".join(forced[:3]) + (f" and {len(forced) - 3} more" if len(forced) > 3 else "")
    return (
        f"Called with training=True in the model: {named}. Such layers make the answer depend on "
        "chance or on the other pictures of a batch, so they run in inference mode here (no "
        "dropout, moving statistics). On pictures of noise the output differs by up to "
        f"{difference:.2g} from the mean of {RUNS} runs of model(x); model.predict(x) of Keras 3 "
        "is in inference mode, too."
    )


def _size(model: keras.Model) -> tuple[int, int]:
    from xai_tf.classifiers.preprocessing import DEFAULT_SIZE

    height, width = model.input_shape[1:3]
    return height or DEFAULT_SIZE[0], width or DEFAULT_SIZE[1]
