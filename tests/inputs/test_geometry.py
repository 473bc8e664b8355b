"""Places in a file are found again in the sample, however the file was read."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.conftest import SAMPLES, sample_of
from tests.inputs.test_dicom import dicom
from xai_tf.inputs.audio import read_sound
from xai_tf.inputs.geometry import geometry_of
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.resizing import RESIZERS
from xai_tf.inputs.sample import read_image

SPOT = (slice(30, 60), slice(100, 150))  # rows and columns of a white spot in a file of 90x200


def spotted(path, **saving):
    pixels = np.zeros((90, 200), np.uint8)
    pixels[SPOT] = 255
    Image.fromarray(pixels).save(path, **saving)
    return pixels > 0


@pytest.mark.parametrize("resize", RESIZERS)
def test_a_mark_is_where_its_pixels_are_in_the_sample(tmp_path, resize):
    mark, options = spotted(tmp_path / "spot.png"), ReadOptions(resize=resize)
    (sample,) = read_image(tmp_path / "spot.png", (64, 64), options)

    placed = geometry_of(sample, options).place(mark)

    bright = sample.image[..., 0] > 0.5
    assert placed.any()
    assert (placed != bright).sum() <= 2  # of pixels that are half covered


def test_a_turned_file_has_marks_as_it_is_shown(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    stored = spotted(tmp_path / "turned.png", exif=exif)
    (sample,) = read_image(tmp_path / "turned.png", (64, 64))

    geometry = geometry_of(sample)

    assert geometry.file_size == (200, 90)
    placed = geometry.place(np.rot90(stored, -1))
    assert (placed != (sample.image[..., 0] > 0.5)).sum() <= 2


def test_a_mark_smaller_than_a_pixel_of_the_sample_is_kept(tmp_path):
    spotted(tmp_path / "spot.png")
    (sample,) = read_image(tmp_path / "spot.png", (32, 32))
    tiny = np.zeros((90, 200), bool)
    tiny[45, 101] = True

    placed = geometry_of(sample).place(tiny)

    assert placed.sum() >= 1
    assert placed[45 * 32 // 90, 101 * 32 // 200]


def test_a_mark_that_was_cropped_away_is_nowhere(tmp_path):
    spotted(tmp_path / "spot.png")
    options = ReadOptions(resize="crop")
    (sample,) = read_image(tmp_path / "spot.png", (32, 32), options)
    left = np.zeros((90, 200), bool)
    left[:, :40] = True

    assert not geometry_of(sample, options).place(left).any()


def test_the_way_of_other_samples_is_not_known(tmp_path):
    spotted(tmp_path / "spot.png")
    (sample,) = read_image(tmp_path / "spot.png", (32, 32), ReadOptions(resize="pad"))
    (sound, *_) = read_sound(SAMPLES / "speech_human.wav", (224, 224), MelRecipe())

    assert geometry_of(sample) is None  # read in another way than is said
    assert geometry_of(sound) is None
    assert geometry_of(sample_of(np.zeros((32, 32, 3)))) is None


def test_a_dicom_file_and_its_marks_go_the_same_way(tmp_path):
    mark = spotted(tmp_path / "spot.png")
    path = dicom(
        tmp_path / "spot.dcm", np.where(mark, 4095, 0), WindowCenter=2048, WindowWidth=4096
    )
    (sample,) = read_image(path, (64, 64), ReadOptions(resize="pad"))

    placed = geometry_of(sample, ReadOptions(resize="pad")).place(mark)

    assert placed.any()
    assert (placed != (sample.image[..., 0] > 0.5)).sum() <= 2


def test_marks_of_a_plot_are_cropped_with_it(tmp_path):
    figure = Figure(figsize=(6, 4), dpi=100)
    axes = figure.subplots()
    levels = np.full((40, 60), 0.3)
    levels[10:20, 15:30] = 1
    axes.imshow(levels, cmap="gray", vmin=0, vmax=1, aspect="auto")
    figure.savefig(tmp_path / "plot.png")
    options = ReadOptions(crop_plot=True)
    (sample,) = read_image(tmp_path / "plot.png", (80, 80), options)
    shown = np.asarray(Image.open(tmp_path / "plot.png").convert("L")) / 255
    left, upper, right, lower = sample.crop
    mark = np.zeros(shown.shape, bool)
    mark[upper:lower, left:right] = shown[upper:lower, left:right] > 0.65

    placed = geometry_of(sample, options).place(mark)

    assert 0.05 < placed.mean() < 0.075  # a sixteenth of what is inside the axes
    assert (placed != (sample.image[..., 0] > 0.65)).mean() < 0.005
