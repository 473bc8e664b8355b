"""The recorder: with a microphone that beeps, one that is refused, and hostile messages."""

import io
import wave

import numpy as np
import panel as pn
import pytest

from dashboards.components.recorder import MAX_BYTES, Recorder
from tests.browser import chromium, served
from tests.waiting import eventually

GOOD = {"file": 0, "name": "recording.wav", "size": 4, "at": 0, "data": b"head"}


@pytest.fixture(scope="module")
def browser():
    with chromium("--use-fake-device-for-media-stream") as browser:
        yield browser


@pytest.fixture(scope="module")
def window(browser):
    """A browser window whose pages share what was loaded once."""
    return browser.new_context(viewport={"width": 900, "height": 900})


@pytest.fixture
def heard():
    """Recordings that have come."""
    return []


@pytest.fixture
def recorder(heard):
    return Recorder(lambda _, data: heard.append(data))


def test_a_recording_is_taken_whole_or_not_at_all(recorder, heard):

    recorder._handle_msg(GOOD | {"at": 1})
    recorder._handle_msg("text")
    recorder._handle_msg(GOOD | {"data": b"he"})
    assert not heard

    recorder._handle_msg(GOOD | {"at": 2, "data": b"ad"})
    assert heard == [b"head"]


def test_a_recording_cannot_fill_the_memory(recorder):
    for number in range(5):
        message = {"file": number, "name": "a.wav", "size": MAX_BYTES, "at": 0, "data": b"x"}
        recorder._handle_msg(message)
    recorder._handle_msg(message | {"size": MAX_BYTES + 1})

    assert "the limit is" in recorder.problem
    assert sum(arrival.size for arrival in recorder._uploads_under_way.values()) <= 2 * MAX_BYTES


def test_the_microphone_is_recorded(browser, heard):
    def take(_, data):
        heard.append(data)

    with served(lambda: pn.Column(Recorder(take, seconds=2))) as url:
        page = browser.new_context(permissions=["microphone"]).new_page()
        page.goto(url)
        page.get_by_role("button", name="Record from the microphone").click()
        page.get_by_text("Recorded 2.0 s").wait_for()
        eventually(lambda: heard)
        page.close()

    with wave.open(io.BytesIO(heard[0])) as file:
        rate, count = file.getframerate(), file.getnframes()
        samples = np.frombuffer(file.readframes(count), "<i2") / 32768
    assert rate >= 44100
    assert count / rate == pytest.approx(2, abs=0.05)
    assert np.abs(samples).max() > 0.1


def test_a_refused_microphone_is_told_in_words(window):
    with served(lambda: pn.Column(Recorder(lambda *_: None))) as url:
        page = window.new_page()
        page.goto(url)
        page.get_by_role("button", name="Record from the microphone").click()

        page.get_by_text("The browser is not allowed to use the microphone. Allow it").wait_for()
        assert page.get_by_role("button", name="Record").is_enabled()
        page.close()


def test_a_page_that_may_not_record_says_why(window):
    with served(lambda: pn.Column(Recorder(lambda *_: None))) as url:
        page = window.new_page()
        # What a browser leaves a page that came over http from another machine.
        page.add_init_script("delete Navigator.prototype.mediaDevices")
        page.goto(url)
        page.get_by_role("button", name="Record").click()

        page.get_by_text("only on https or localhost").wait_for()
        page.close()
