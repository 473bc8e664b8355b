"""Pictures of plots are noticed, and cropped to the inside of their axes."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image, ImageDraw

import xai_tf
from tests.conftest import SAMPLES
from xai_tf.inputs.audio import sound_reader
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.plots import find_plot
from xai_tf.inputs.sample import read_full_size, read_image

SIZE = (64, 64)
PICTURES = sorted(path for path in SAMPLES.iterdir() if path.suffix in (".jpg", ".png"))


def spectrogram(axes, color_map):
    rng = np.random.default_rng(0)
    _, _, _, picture = axes.specgram(rng.normal(size=16_000), Fs=16_000, cmap=color_map)
    axes.set(xlabel="Time [s]", ylabel="Frequency [Hz]", title="A recording")
    return picture


def photo(axes, color_map):
    return axes.imshow(np.asarray(Image.open(SAMPLES / "cat.jpg").convert("L")), color_map)


def plot(draw, style="default", dpi=100, color_map="viridis", bar=False, kind="png", size=(6, 4)):
    """A plot as a picture, and the rectangle inside the line around its axes."""
    with plt.style.context(style):
        figure, axes = plt.subplots(figsize=size, dpi=dpi)
        drawn = draw(axes, color_map)
        if bar:
            figure.colorbar(drawn)
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=dpi)
        line = axes.spines["left"].get_linewidth() * dpi / 72 / 2
        height = figure.bbox.height
        box = axes.get_window_extent()
        plt.close(figure)
    inside = (box.x0 + line, height - box.y1 + line, box.x1 - line, height - box.y0 - line)
    return np.asarray(Image.open(file).convert("RGB")), inside


@pytest.fixture
def plotted(tmp_path):
    """The file of a plot, and where its axes are."""
    pixels, box = plot(spectrogram, bar=True)
    path = tmp_path / "plot.png"
    Image.fromarray(pixels).save(path)
    return path, box


@pytest.mark.parametrize("draw", [spectrogram, photo])
@pytest.mark.parametrize("style", ["default", "dark_background", "seaborn-v0_8-ticks"])
@pytest.mark.parametrize(
    ("dpi", "color_map", "bar", "kind", "size"),
    [
        (60, "magma", False, "png", (6, 4)),
        (72, "jet", True, "png", (8, 6)),
        (100, "gray", True, "jpeg", (6, 4)),
        (150, "viridis", False, "png", (4, 4)),
        (200, "inferno", True, "png", (5, 6)),
    ],
)
def test_the_inside_of_axes_is_found_to_the_width_of_its_line(
    draw, style, dpi, color_map, bar, kind, size
):
    pixels, expected = plot(draw, style, dpi, color_map, bar, kind, size)

    found = find_plot(pixels)

    assert found is not None
    assert np.abs(np.subtract(found, expected)).max() <= 2.5
    assert find_plot(pixels.astype(np.float32) / 255) == found


@pytest.mark.parametrize("margin", [(214, 214, 222), (40, 44, 52)])
def test_a_drawing_with_rulers_above_and_beside_it_is_found(margin):
    drawing, ink = (90, 40, 1000, 400), tuple(255 - level for level in margin)
    window = Image.new("RGB", drawing[2:], margin)
    rulers = ImageDraw.Draw(window)
    noise = np.random.default_rng(0).integers(60, 255, (360, 910, 3), np.uint8)
    window.paste(Image.fromarray(noise), drawing[:2])
    for number in range(9):
        x, y = 90 + 100 * number, 40 + 45 * number - (number == 8)
        rulers.line([(x, 32), (x, 39)], ink)
        rulers.text((x - 8, 16), f"{number / 2}", ink)
        rulers.line([(83, y), (89, y)], ink)
        rulers.text((50, y - 6), f"{8 - number}k", ink)

    assert find_plot(np.asarray(window)) == drawing


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_no_sample_is_taken_for_a_plot(path):
    assert find_plot(np.asarray(Image.open(path).convert("RGB"))) is None


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_with_plain_borders_is_no_plot(level):
    picture = np.asarray(Image.open(SAMPLES / "cat.jpg").convert("RGB"))
    framed = np.pad(picture, ((40, 40), (40, 40), (0, 0)), constant_values=level)

    assert find_plot(framed) is None


def test_a_plot_is_reported_and_not_cropped(plotted):
    path, _ = plotted

    (sample,) = read_image(path, SIZE)

    (warning,) = sample.warnings
    assert warning.startswith("This looks like a plot with axes: x ")
    assert "of 600x400 pixels" in warning
    assert "--crop-plot" in warning
    assert sample.crop is None


def test_a_plot_is_cropped_on_request(plotted):
    path, expected = plotted

    (sample,) = read_image(path, SIZE, ReadOptions(crop_plot=True))

    assert np.abs(np.subtract(sample.crop, expected)).max() <= 2
    assert sample.warnings[0].startswith("The plot was cropped to the inside of its axes: x ")
    Image.open(path).crop(sample.crop).save(path.with_name("cropped.png"))
    (cropped,) = read_image(path.with_name("cropped.png"), SIZE)
    np.testing.assert_array_equal(sample.image, cropped.image)
    full = read_full_size(sample, ReadOptions(crop_plot=True))
    left, upper, right, lower = sample.crop
    assert full.shape[:2] == (lower - upper, right - left)


def test_a_request_to_crop_says_where_there_is_no_plot():
    (sample,) = read_image(SAMPLES / "cat.jpg", SIZE, ReadOptions(crop_plot=True))

    assert sample.crop is None
    assert sample.warnings == (
        "No plot with axes was found in the picture, so it was not cropped.",
    )


def test_a_plot_of_a_sound_asks_for_the_sound(plotted):
    (sample,) = sound_reader(MelRecipe())(plotted[0], SIZE)

    plot_warning, rebuilt = sample.warnings
    assert plot_warning.startswith("This looks like a plot with axes")
    assert rebuilt.endswith("Give the sound file itself where you have it.")


def test_a_plot_in_memory_is_reported_too(plotted):
    picture = np.asarray(Image.open(plotted[0]).convert("RGB"))
    sample = xai_tf.load("dogs_mobilenetv2").read(picture)

    assert "looks like a plot" in sample.warnings[0]


def test_options_without_a_crop_are_those_of_earlier_versions():
    assert ReadOptions(frame=2).to_dict() == {"frame": 2, "resize": ""}
    assert ReadOptions(crop_plot=True).to_dict()["crop_plot"] is True
