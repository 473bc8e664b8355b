"""What tests of the service and of what asks it share: small models, pictures, first events."""

import time
from pathlib import Path

import keras
import numpy as np
from PIL import Image

import weights_keras
from dashboards.service.catalogue import find_models
from dashboards.service.requests import ModelEntry, Upload
from weights_keras import ModelCard
from xai_tf.inputs.sample import file_sha256

LONG = (("num_samples", 16384),)  # of RISE on `wide`: many seconds


def make_models(folder: Path, small_cnn: keras.Model) -> dict[str, ModelEntry]:
    """A small model with a card, one that takes its time, and two that cannot be loaded."""
    card = ModelCard(
        name="small",
        task="lung_opacity",
        classes=("a", "b", "c"),
        backbone="cnn",
        image_size=(32, 32),
    )
    weights_keras.save(small_cnn, card, folder)
    inputs = keras.Input((64, 64, 3))
    features = keras.layers.Conv2D(32, 5, padding="same", activation="relu")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    keras.Model(inputs, keras.layers.Dense(3)(pooled)).save(folder / "wide.keras")
    (folder / "damaged.keras").write_bytes(b"PK no model")
    changed = folder / "changed.keras"
    keras.Model(inputs, keras.layers.Dense(2)(pooled)).save(changed)
    found = find_models([folder])
    changed.write_bytes((folder / "wide.keras").read_bytes())
    return found


def draw(folder: Path, name: str) -> Upload:
    pixels = np.random.default_rng().integers(0, 256, (40, 40, 3)).astype(np.uint8)
    path = folder / f"{time.time_ns():x}.png"
    Image.fromarray(pixels).save(path)
    return Upload(
        name=name, path=path, sha256=file_sha256(path), size=path.stat().st_size, kind="picture"
    )


def at_first(owner, parameter, condition, act):
    """Act as soon as a parameter meets a condition, before anything else can happen."""

    def look(event):
        if condition(event.new):
            owner.param.unwatch(watcher)
            act()

    watcher = owner.param.watch(look, parameter)


def submitted(visitor):
    """The jobs that a visitor submits from now on, by the order in which they come."""
    jobs, submit = [], visitor.submit

    def keep(request, slot="main"):
        job = submit(request, slot)
        jobs.append((slot, job))
        return job

    visitor.submit = keep
    return jobs
