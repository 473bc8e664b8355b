"""What of a sample is changed."""

import numpy as np
import pytest
from matplotlib import colormaps

from tests.conftest import SAMPLES, sample_of
from xai_tf.inputs.audio import read_sound
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.interventions.values import values_of, with_values

RECIPE = MelRecipe()


@pytest.fixture(scope="module")
def spoken():
    return read_sound(SAMPLES / "speech_human.wav", (96, 128), RECIPE)[0]


def test_a_sound_that_is_not_changed_looks_the_same(spoken):
    levels = values_of(spoken, RECIPE)

    assert levels.shape == (96, 128, 3)
    np.testing.assert_array_equal(with_values(spoken, levels, RECIPE).image, spoken.image)


def test_a_changed_sound_has_colors_of_its_color_map_only(spoken):
    levels = 0.5 * values_of(spoken, RECIPE) + 0.2

    image = with_values(spoken, levels, RECIPE).image

    colors = {tuple(color) for color in colormaps[RECIPE.color_map](np.arange(256))[:, :3].round(4)}
    assert {tuple(color) for color in image.reshape(-1, 3).astype(float).round(4)} <= colors


def test_the_values_of_a_picture_are_its_pixels():
    sample = sample_of(np.random.default_rng(0).random((16, 16, 3)))

    assert values_of(sample, None) is sample.image
    assert with_values(sample, sample.image + 1, None).image.max() == 1
