"""What a stage is given: the library's pictures, the sound, and a text that states facts."""

import base64
import gc
import io
import re
import wave
import weakref
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.conftest import sample_of
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.inputs.sample import Sound
from xai_tf.rendering import heatmaps, viewer


@pytest.fixture(scope="module")
def explanation(halves, left_bright):
    return explain(halves, left_bright, "gradient_input", target="left")


@pytest.fixture(scope="module")
def heard():
    """A tone of two seconds that starts at one second of its file."""
    seconds = np.linspace(1, 3, 251, dtype=np.float32)
    hertz = np.linspace(53, 3690, 64, dtype=np.float32)
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 8000).astype(np.float32)
    sound = Sound(
        waveform=tone,
        rate=8000,
        decibels=np.zeros((64, 251), np.float32),
        hertz=hertz,
        seconds=seconds,
        rebuilt=True,
    )
    return replace(sample_of(np.random.default_rng(0).random((64, 64, 3))), sound=sound)


def pixels(url):
    image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return np.asarray(image)


def test_cover_outlines_and_gray_make_the_overlay(three_classes, blobs):
    lime = explain(three_classes, blobs, "lime", settings={"num_samples": 32, "num_segments": 9})
    for opacity in (0.3, 0.7, 1):
        mixed = heatmaps.gray_bytes(blobs).astype(float)
        for layer, strength in (
            (heatmaps.cover(lime.attribution, lime.method.signed), opacity),
            (heatmaps.outlines(lime.segments), 1),
        ):
            share = strength * layer[..., 3:] / 255
            mixed = (1 - share) * mixed + share * layer[..., :3]

        drawn = heatmaps.overlay(lime, opacity)

        np.testing.assert_allclose(drawn, mixed, atol=2)


def test_layers_are_the_pictures_of_the_library(explanation):
    shown = viewer.viewer_data(explanation, end=0.5)

    np.testing.assert_array_equal(pixels(shown["heatmap"]), heatmaps.heatmap(explanation, 0.5))
    np.testing.assert_array_equal(
        pixels(shown["original"]), heatmaps.image_bytes(explanation.sample)[..., 0]
    )
    assert [text for _, text in shown["scale"]["ticks"]] == ["-0.5", "0", "0.5"]
    assert set(shown) == set(viewer.sample_viewer_data(explanation.sample))


def test_the_text_states_where_the_strongest_tenth_lies(halves, left_bright, explanation):
    corner = np.zeros((32, 32), np.float32)
    corner[:8, 24:] = np.arange(64).reshape(8, 8) + 1
    text = viewer.viewer_data(replace(explanation, attribution=corner))["alt"]

    assert "for left" in text
    assert re.search(r"6\d% is in the upper right", text)
    assert "made.png" not in text


def test_the_text_of_a_sound_states_seconds_and_hertz(heard):
    spot = np.zeros((64, 64), np.float32)
    spot[20:44, 4:28] = 1  # 576 of 4096 places: more than a tenth
    text = viewer.partial_viewer_data(heard, METHODS["grad_cam"], spot)["alt"]

    assert text.startswith("Spectrogram of 1.00 to 3.00 s, 53 to 3690 Hz")
    low, high, *hertz = map(float, re.findall(r"[\d.]+\d", text.split("half is")[1])[:4])
    assert 1.1 < low < high < 1.9
    assert 1000 < hertz[0] < hertz[1] < 2700


def test_the_sound_is_clipped_not_wrapped(heard):
    loud = replace(heard.sound, waveform=np.array([1, -1, 1.5, -3, 0.5], np.float32))

    with wave.open(io.BytesIO(viewer.wav_bytes(loud))) as file:
        values = np.frombuffer(file.readframes(5), "<i2")
        assert (file.getframerate(), file.getnchannels()) == (8000, 1)

    np.testing.assert_array_equal(values, [32767, -32767, 32767, -32767, 16384])


def test_what_was_drawn_is_drawn_once_and_goes_with_what_it_shows(explanation):
    mine = replace(explanation, sample=replace(explanation.sample))
    first, on_other_scale, tile = (
        viewer.viewer_data(mine),
        viewer.viewer_data(mine, 0.5),
        viewer.thumbnail_url(mine),
    )

    assert viewer.viewer_data(mine) is first
    assert viewer.viewer_data(mine, 0.5) is on_other_scale
    assert viewer.thumbnail_url(replace(mine)) is tile
    assert viewer.thumbnail_url(replace(mine, attribution=mine.attribution[:, ::-1])) != tile

    kept = [weakref.ref(mine), weakref.ref(mine.sample)]
    del mine
    gc.collect()
    assert [found() for found in kept] == [None, None]
