"""Stage, shortcuts and recorder in a real browser: what a visitor does stays in the browser."""

import io
import re
from dataclasses import replace

import numpy as np
import panel as pn
import panel_material_ui as pmui
import pytest
from PIL import Image

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.components.recorder import Recorder
from dashboards.components.shortcuts import Shortcuts
from tests.browser import (
    axe_faults,
    chromium,
    complaints,
    frames_sent,
    next_said,
    quiet,
    served,
    settled,
)
from tests.conftest import sample_of
from tests.waiting import eventually
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.inputs.sample import Sound
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import partial_viewer_data, sample_viewer_data, viewer_data

NAME = "<img src=x onerror=alert(1)>"


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


@pytest.fixture(scope="module")
def site(explanation, heard):
    """The address of a page with stages, and the list of what each visit built."""
    visits = []
    shown = viewer_data(explanation)
    ramp = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    sounding = partial_viewer_data(heard, METHODS["grad_cam"], ramp)

    def make_page():
        stages = {
            "first": AttributionViewer(**{**shown, "caption": "First"}, group="pair"),
            "second": AttributionViewer(
                **{**shown, "caption": "Second"}, group="pair", controls=False
            ),
            "alone": AttributionViewer(**{**shown, "caption": NAME}),
            "sound": AttributionViewer(**{**sounding, "caption": "Sound"}),
            "bare": AttributionViewer(group="pair"),
        }
        keys = []
        shortcuts = Shortcuts(keys.append)
        text = pn.widgets.TextInput(label="Words")
        visits.append((stages, keys))
        return pn.Column(*stages.values(), text, shortcuts, sizing_mode="stretch_width")

    with served(make_page) as url:
        yield url, visits


@pytest.fixture(scope="module")
def browser():
    with chromium("--use-fake-device-for-media-stream") as browser:
        yield browser


@pytest.fixture(scope="module")
def window(browser):
    """A browser window whose pages share what was loaded once."""
    return browser.new_context(viewport={"width": 900, "height": 900})


@pytest.fixture
def page(site, window):
    page = window.new_page()
    page.sent = frames_sent(page)
    with complaints(page) as found:
        open_page(page, site[0])
        yield page
        assert found == []
    page.close()


def open_page(page, url):
    page.goto(url)
    page.get_by_role("group", name="Sound").wait_for()
    page.wait_for_function("document.fonts.ready")
    quiet(page, page.sent)
    page.sent.clear()


def stage(page, name):
    return page.get_by_role("group", name=name, exact=True)


def mode(page, name):
    return stage(page, name).get_attribute("data-mode")


def value(page, name, variable):
    return float(stage(page, name).evaluate(f"e => e.style.getPropertyValue('--{variable}')"))


def test_a_mode_changes_for_the_whole_group_and_for_nobody_else(page):
    stage(page, "First").get_by_role("button", name="Map").click()

    assert [mode(page, name) for name in ("First", "Second", NAME)] == ["map", "map", "overlay"]
    pressed = stage(page, "First").get_by_role("button", name="Map").get_attribute("aria-pressed")
    assert pressed == "true"
    assert next_said(page, page.sent, "9")


def test_controls_without_a_picture_steer_their_group(page):
    stage(page, "Picture").get_by_role("button", name="Original").click()

    assert mode(page, "Second") == "original"
    assert not stage(page, "Picture").get_by_role("img").is_visible()


def test_opacity_changes_without_asking_the_server(page):
    slider = stage(page, "First").get_by_role("slider", name="Opacity of the map")
    slider.fill("25")

    for name in ("First", "Second"):
        cover = stage(page, name).locator(".cover")
        assert float(cover.evaluate("e => getComputedStyle(e).opacity")) == pytest.approx(0.25)
    assert next_said(page, page.sent, "9")


def test_the_browser_mixes_what_overlay_draws(page, explanation):
    frame = stage(page, NAME).locator(".frame")
    frame.scroll_into_view_if_needed()
    shot = np.asarray(Image.open(io.BytesIO(frame.screenshot())).convert("RGB")).astype(int)

    drawn = heatmaps.overlay(explanation).astype(int)
    height, width = shot.shape[:2]
    for row, column in ((4, 4), (16, 8), (28, 28)):
        seen = shot[int((row + 0.5) * height / 32), int((column + 0.5) * width / 32)]
        np.testing.assert_allclose(seen, drawn[row, column], atol=4)


def test_the_swipe_follows_mouse_and_arrow_keys(page):
    stage(page, "First").get_by_role("button", name="Swipe").click()
    handle = stage(page, "First").get_by_role("slider", name="Swipe: original")
    box = stage(page, "First").locator(".frame").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, y, steps=5)
    page.mouse.up()
    page.mouse.move(box["x"], y)

    assert value(page, "Second", "swipe") == pytest.approx(0.25, abs=0.02)
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert value(page, "First", "swipe") == pytest.approx(0.3, abs=0.02)
    assert handle.get_attribute("aria-valuenow") == "30"
    clip = stage(page, "Second").locator(".over").evaluate("e => getComputedStyle(e).clipPath")
    assert re.search(r"(\d+)", clip.split()[-1])[0] == "30"
    assert next_said(page, page.sent, "9")


def test_a_click_magnifies_where_it_fell_in_all_of_the_group(page):
    layers_box = stage(page, "First").locator(".layers").bounding_box()
    stage(page, "First").locator(".layers").click(
        position={"x": layers_box["width"] * 0.75, "y": layers_box["height"] * 0.25}
    )

    assert [value(page, "Second", name) for name in ("zoom", "x", "y")] == pytest.approx(
        [2, 0.75, 0.25], abs=0.01
    )
    zoom = stage(page, "First").get_by_role("button", name="Zoom")
    zoom.focus()
    page.keyboard.press("ArrowLeft")
    assert value(page, "Second", "x") == pytest.approx(0.65, abs=0.01)
    zoom.click()
    zoom.click()
    assert value(page, "Second", "zoom") == 1


def test_the_enlarged_picture_closes_with_escape_and_gives_the_focus_back(page):
    small = stage(page, "First").locator(".frame").bounding_box()["width"]
    stage(page, "First").get_by_role("button", name="Enlarge").click()

    dialog = page.get_by_role("dialog", name="Enlarged picture")
    assert dialog.locator(".frame").bounding_box()["width"] > small
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    button = stage(page, "First").get_by_role("button", name="Enlarge")
    assert button.evaluate("e => e.getRootNode().activeElement === e")


def test_a_new_layer_leaves_mode_and_opacity_as_the_visitor_set_them(page, site, explanation):
    stages, _ = site[1][-1]
    stage(page, NAME).get_by_role("button", name="Map").click()
    stage(page, NAME).get_by_role("slider", name="Opacity of the map").evaluate(
        "e => { e.value = 40; e.dispatchEvent(new Event('input')) }"
    )
    before = stage(page, NAME).locator(".heatmap").get_attribute("src")
    original = stage(page, NAME).locator("img.original").get_attribute("src")

    other = partial_viewer_data(
        explanation.sample, METHODS["occlusion"], explanation.attribution[::-1, ::-1].copy()
    )
    stages["alone"].param.update(**{**other, "caption": NAME})

    stage(page, NAME).get_by_text("Preview: still").wait_for()
    assert stage(page, NAME).locator(".heatmap").get_attribute("src") != before
    assert stage(page, NAME).locator("img.original").get_attribute("src") == original
    assert mode(page, NAME) == "map"
    assert value(page, NAME, "opacity") == 0.4


def test_a_mode_set_by_the_server_is_shown(page, site):
    stages, _ = site[1][-1]

    stages["first"].mode = "swipe"

    eventually(lambda: mode(page, "Second") == "swipe")


def test_a_map_without_signal_says_so(page, site, explanation):
    stages, _ = site[1][-1]
    empty = replace(explanation, attribution=np.zeros((32, 32), np.float32))

    stages["alone"].param.update(**{**viewer_data(empty), "caption": NAME})

    stage(page, NAME).get_by_text("no signal", exact=True).wait_for()
    assert "map is empty" in stage(page, NAME).get_by_role("img").get_attribute("aria-label")


def test_names_are_text(page):
    assert stage(page, NAME).get_by_text(NAME).is_visible()
    assert page.locator("img[src=x]").count() == 0


def test_the_cursor_moves_while_the_sound_plays(page):
    sounding = stage(page, "Sound")
    # Watched and paused within the page: from outside, the sound may be over before one looks.
    places = sounding.evaluate_handle(
        """(stage) => {
          const places = [], cursor = stage.querySelector(".cursor")
          new MutationObserver(() => {
            const place = parseFloat(cursor.style.left)
            place !== places.at(-1) && places.push(place)
            place > 10 && stage.querySelector("button[aria-label=Pause]")?.click()
          }).observe(cursor, {attributes: true})
          return places
        }"""
    )
    sounding.get_by_role("button", name="Play").click()
    page.wait_for_function("(places) => places.at(-1) > 10", arg=places)
    sounding.get_by_role("button", name="Play").wait_for()
    settled(page)

    passed = places.json_value()
    assert len(passed) > 1
    assert passed == sorted(set(passed))
    settled(page)
    assert places.json_value() == passed
    assert next_said(page, page.sent, "9")


def test_a_click_on_the_spectrogram_seeks_and_keys_move_and_play(page):
    sounding = stage(page, "Sound")
    position = sounding.get_by_role("slider", name="Position in the sound")
    box = position.bounding_box()
    position.click(position={"x": box["width"] / 2, "y": 10})

    assert sounding.get_by_text("2.00 s of 3.00 s").is_visible()
    page.keyboard.press("ArrowRight")
    assert sounding.get_by_text("2.10 s of 3.00 s").is_visible()
    assert position.get_attribute("aria-valuenow") == "2.1"
    # The second press comes from within the page, before the sound can be over.
    labels = sounding.evaluate_handle(
        """(stage) => {
          const labels = [], play = stage.querySelector("button.play")
          new MutationObserver(() => {
            labels.push(play.getAttribute("aria-label"))
            labels.length === 1 && stage.querySelector(".position").dispatchEvent(
              new KeyboardEvent("keydown", {key: " ", bubbles: true, cancelable: true}))
          }).observe(play, {attributeFilter: ["aria-label"]})
          return labels
        }"""
    )
    page.keyboard.press(" ")
    page.wait_for_function("(labels) => labels.length > 1", arg=labels)
    assert labels.json_value() == ["Pause", "Play"]


def test_the_mouse_reads_hertz_and_seconds(page):
    sounding = stage(page, "Sound")
    box = sounding.locator(".frame").bounding_box()
    sounding.locator(".position").hover(position={"x": box["width"] / 4, "y": box["height"] * 0.5})

    hertz, seconds = re.findall(r"[\d.]+", sounding.locator(".readout").text_content())
    assert float(seconds) == pytest.approx(1.5, abs=0.03)
    assert float(hertz) == pytest.approx(53 + (3690 - 53) / 2, rel=0.03)


def test_a_rebuilt_sound_warns(page):
    assert stage(page, "Sound").get_by_text("timbre and loudness are not").is_visible()


def test_keys_reach_the_server_or_the_stages(page, site):
    _, keys = site[1][-1]
    page.keyboard.press("o")
    assert mode(page, "First") == mode(page, NAME) == "original"
    page.keyboard.press("o")
    assert mode(page, "First") == mode(page, NAME) == "overlay"
    page.keyboard.press("m")
    assert mode(page, "Second") == "map"

    for key in ("3", "ArrowRight", "?", "Control+4", "x"):
        page.keyboard.press(key)
    eventually(lambda: len(keys) >= 3)
    assert keys == ["3", "ArrowRight", "?"]


def test_keys_typed_into_a_field_or_moving_a_slider_are_no_shortcuts(page, site):
    _, keys = site[1][-1]
    page.get_by_label("Words").fill("")
    page.get_by_label("Words").press_sequentially("o3?")
    stage(page, "Sound").get_by_role("slider", name="Position in the sound").press("ArrowLeft")
    page.keyboard.press("9")

    eventually(lambda: keys)
    assert keys == ["9"]
    assert mode(page, "First") == "overlay"
    assert page.get_by_label("Words").input_value() == "o3?"


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_wide_and_narrow_are_readable(window, explanation, heard, dark):
    sounding = {**sample_viewer_data(heard), "caption": "Sound"}
    # The page's own progress bar has no name.
    hidden = {"& .MuiLinearProgress-root": {"display": "none"}}

    def make_page():
        stages = [
            AttributionViewer(**viewer_data(explanation), mode="swipe"),
            AttributionViewer(**sounding),
        ]
        recorder = Recorder(lambda *_: None)
        return pmui.Page(title="Stages", main=[*stages, recorder], dark_theme=dark, sx=hidden)

    with served(make_page) as url:
        page = window.new_page()
        page.goto(url)
        stage(page, "Sound").wait_for()
        for width in (900, 320):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(
                "(width) => document.documentElement.scrollWidth <= width", arg=width
            )
            settled(page)

            assert axe_faults(page) == []
            ink = stage(page, "Sound").evaluate("e => getComputedStyle(e).color")
            assert (sum(map(int, re.findall(r"\d+", ink)[:3])) > 380) == dark
            for figure in page.locator("figure").all():
                box = figure.bounding_box()
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()
