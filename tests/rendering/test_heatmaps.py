"""Honest pictures: zero in the middle, shared scales, no stretched nothing."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES, sample_of
from xai_tf.attribution.explain import explain
from xai_tf.classifiers.reading import Reading
from xai_tf.inputs.sample import read_full_size, read_image
from xai_tf.rendering import heatmaps
from xai_tf.tasks import TASKS


def with_map(explanation, attribution, method="occlusion"):
    return replace(
        explanation,
        attribution=np.asarray(attribution, np.float32),
        question=replace(explanation.question, method=method),
    )


@pytest.fixture(scope="module")
def explanation(halves, left_bright):
    return explain(halves, left_bright, "gradient_input", target="left")


def ramp(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 32 * 32).reshape(32, 32)


def test_zero_is_white_wherever_the_values_lie(explanation):
    for low, high in ((-1, 1), (-0.1, 1), (-5, 0.2)):
        attribution = ramp(low, high)
        attribution[0, 0] = 0

        picture = heatmaps.heatmap(with_map(explanation, attribution))

        assert (picture[0, 0] > 240).all()


def test_for_is_red_and_against_is_blue_of_the_same_strength(explanation):
    attribution = np.zeros((32, 32))
    attribution[:, :8], attribution[:, 24:] = -1, 1

    picture = heatmaps.heatmap(with_map(explanation, attribution)).astype(int)

    assert picture[0, 0, 2] > picture[0, 0, 0] + 50
    assert picture[0, -1, 0] > picture[0, -1, 2] + 50


def test_one_hot_pixel_does_not_darken_the_rest(explanation):
    attribution = ramp(-1, 1)
    attribution[3, 3] = 1000

    assert heatmaps.limit([with_map(explanation, attribution)]) == pytest.approx(0.99, abs=0.02)


def test_a_shared_scale_holds_for_all_maps(explanation):
    weak, strong = (with_map(explanation, ramp(-size, size)) for size in (0.1, 1))
    end = heatmaps.limit([weak, strong])

    faint = heatmaps.heatmap(weak, end).astype(int)

    assert np.abs(faint - heatmaps.heatmap(weak)).max() > 60
    assert (faint.min(axis=-1) > 200).all()


def test_compared_maps_of_one_method_can_share_a_scale(explanation):
    weak, strong = (with_map(explanation, ramp(-size, size)) for size in (0.1, 1))
    other = with_map(explanation, ramp(-9, 9), "rise")

    plot = heatmaps.comparison([weak, strong, other], shared_scale=True)

    ends = [ax.get_ylim()[1] for ax in plot.axes if ax.get_label() == "<colorbar>"]
    assert ends[0] == pytest.approx(ends[1])
    assert ends[2] > 5 * ends[0]


@pytest.mark.parametrize(
    "attribution", [np.zeros((32, 32)), np.full((32, 32), np.nan), np.full((32, 32), 7.0)]
)
@pytest.mark.parametrize("method", ["grad_cam", "integrated_gradients"])
def test_a_map_without_signal_is_drawn_as_none(explanation, attribution, method):
    empty = with_map(explanation, attribution, method)

    assert (heatmaps.heatmap(empty) == 128).all()
    assert (heatmaps.overlay(empty) == heatmaps.gray_bytes(empty.sample)).all()
    texts = [t.get_text() for ax in heatmaps.figure(empty).axes for t in ax.texts]
    assert "no signal" in texts


def test_unsigned_maps_never_borrow_the_signed_colors(explanation):
    attribution = np.zeros((32, 32))
    attribution[5:9, 5:9] = 1

    picture = heatmaps.heatmap(with_map(explanation, attribution, "grad_cam"))

    assert (picture[0, 0] < 10).all()
    assert picture[6, 6].max() > 200


def test_opacity_runs_from_the_bare_picture_to_the_bare_map(explanation):
    bare = heatmaps.overlay(explanation, opacity=0)
    full = heatmaps.overlay(explanation, opacity=1)

    np.testing.assert_array_equal(bare, heatmaps.gray_bytes(explanation.sample))
    seen = heatmaps.drawn(explanation.attribution, explanation.method)
    strongest = np.unravel_index(np.abs(seen).argmax(), (32, 32))
    np.testing.assert_array_equal(full[strongest], heatmaps.heatmap(explanation)[strongest])


def test_single_pixels_are_drawn_smoothed_and_say_so(explanation):
    """A speckle of +1 and -1 has nothing to show on the whole; a patch of +1 has."""
    attribution = np.where(np.indices((32, 32)).sum(axis=0) % 2, 1.0, -1.0)
    attribution[20:28, 20:28] = 1
    fine = with_map(explanation, attribution, "integrated_gradients")
    before = fine.attribution.copy()

    smooth = heatmaps.heatmap(fine, end=1.0).astype(int)
    raw = heatmaps.heatmap(fine, end=1.0, smooth=False).astype(int)

    assert np.ptp(smooth[4:16, 4:16, 0]) < np.ptp(raw[4:16, 4:16, 0])
    np.testing.assert_array_equal(raw, heatmaps.heatmap(with_map(fine, attribution), end=1.0))
    np.testing.assert_array_equal(fine.attribution, before)
    titles = [ax.get_title() for ax in heatmaps.figure(fine).axes]
    assert any("smoothed for display" in title for title in titles)
    titles = [ax.get_title() for ax in heatmaps.figure(fine, smooth=False).axes]
    assert not any("smoothed" in title for title in titles)


def test_what_covers_regions_is_drawn_as_it_is(explanation):
    coarse = with_map(explanation, ramp(-1, 1), "occlusion")

    assert heatmaps.drawn(coarse.attribution, coarse.method) is coarse.attribution


def test_an_overlay_has_the_resolution_and_aspect_of_the_file(explanation):
    sample = read_image(SAMPLES / "dog.jpg", (32, 32))[0]
    attribution = np.zeros((32, 32))
    attribution[8:16, 16:24] = 1
    shown = replace(with_map(explanation, attribution), sample=sample)
    picture = read_full_size(sample)

    over = heatmaps.overlay(shown, picture=picture).astype(int)

    height, width = np.asarray(Image.open(SAMPLES / "dog.jpg")).shape[:2]
    assert over.shape == (height, width, 3)
    red = over[..., 0] - over[..., 2] > 60
    rows, columns = np.argwhere(red).mean(axis=0) / (height, width)
    assert (rows, columns) == pytest.approx((12 / 32, 20 / 32), abs=0.02)


def test_an_x_ray_keeps_its_polarity(explanation):
    sample = read_image(SAMPLES / "xray_normal.jpg", (224, 224))[0]
    original = np.asarray(Image.open(SAMPLES / "xray_normal.jpg").convert("L")).astype(float)

    drawn = heatmaps.gray_bytes(sample)[..., 0].astype(float)

    assert np.corrcoef(drawn.ravel(), original.ravel())[0, 1] > 0.99


def test_segments_are_outlined(three_classes, blobs):
    lime = explain(three_classes, blobs, "lime", settings={"num_samples": 32, "num_segments": 9})

    plain = heatmaps.overlay(replace(lime, segments=None))

    edges = lime.segments[:, 1:] != lime.segments[:, :-1]
    changed = (heatmaps.overlay(lime) != plain).any(axis=-1)
    assert changed[:, 1:][edges].mean() > 0.95
    assert changed.mean() < 0.5


def test_figures_can_be_saved_and_show_hertz_and_seconds(halves, explanation):
    sample = TASKS["deepfake_audio"].read(SAMPLES / "speech_human.wav", (32, 32))
    heard = explain(halves, sample, "occlusion", settings={"patch": 8, "stride": 8})

    plot = heatmaps.comparison([heard, heard], shared_scale=True)

    labels = {ax.get_xlabel() for ax in plot.axes} | {ax.get_ylabel() for ax in plot.axes}
    assert {"seconds", "Hz"} <= labels
    ticks = [t.get_text() for t in plot.axes[0].get_yticklabels()]
    heights = plot.axes[0].get_yticks()
    expected = np.interp(1000, sample.sound.hertz, np.arange(len(sample.sound.hertz)) + 0.5)
    assert heights[ticks.index("1000")] == pytest.approx(
        32 * (1 - expected / len(sample.sound.hertz))
    )
    file = BytesIO()
    plot.savefig(file)
    assert Image.open(file).size[0] > 800


def test_the_timeline_of_a_long_recording_is_drawn(halves):
    samples = TASKS["deepfake_audio"].windows(SAMPLES / "speech_synthetic_long.flac", (32, 32))
    predictions = halves.predict(samples)
    reading = Reading(
        source=samples[0].source,
        samples=tuple(samples),
        predictions=tuple(predictions),
        prediction=predictions[0],
    )

    plot = heatmaps.timeline(reading)

    assert len(plot.axes[1].lines[0].get_xdata()) == len(samples) > 3


def test_a_made_sample_is_drawn_as_the_network_saw_it():
    image = np.random.default_rng(0).random((8, 8, 3))

    drawn = heatmaps.image_bytes(sample_of(image))

    np.testing.assert_allclose(drawn / 255, image, atol=1 / 255)
