"""A task reads files as its reader does, with or without options."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.sample import read_image
from xai_tf.tasks import TASKS

PICTURES = [name for name, task in TASKS.items() if not task.takes_sound]


@pytest.mark.parametrize("name", PICTURES)
def test_every_task_of_pictures_passes_the_options_on(name, tmp_path):
    frames = [Image.fromarray(np.full((32, 32), level, np.uint8)) for level in (0, 255)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])

    sample = TASKS[name].read(tmp_path / "a.tif", (16, 16), ReadOptions(frame=2))

    assert (sample.image == 1).all()


def test_without_options_the_default_is_read():
    task = TASKS["dog_breeds"]

    (by_position,) = task.windows(SAMPLES / "cat.jpg", (64, 64))
    (by_name,) = task.windows(SAMPLES / "cat.jpg", (64, 64), options=ReadOptions())

    assert (by_position.image == by_name.image).all()


def test_a_reader_of_two_arguments_serves_without_options():
    def read(path, image_size):
        return read_image(path, image_size)

    task = replace(TASKS["dog_breeds"], reader=read)

    assert task.read(SAMPLES / "cat.jpg", (64, 64)).image.shape == (64, 64, 3)
