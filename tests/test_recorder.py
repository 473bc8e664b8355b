"""The recorder: with a microphone that beeps, one that is refused, and hostile messages."""

import base64
import io
import wave

import numpy as np
import panel as pn
import pytest
from browser import chromium, eventually, served

from dashboards.components.recorder import CHUNK, MAX_BYTES, Recorder


@pytest.fixture(scope="module")
def browser():
    with chromium("--use-fake-device-for-media-stream") as browser:
        yield browser


@pytest.fixture(scope="module")
def window(browser):
    """A browser window whose pages share what was loaded once."""
    return browser.new_context(viewport={"width": 900, "height": 900})


def piece_of(data, number, last):
    return {"piece": base64.b64encode(data).decode(), "number": number, "last": last}


def test_a_recording_is_taken_whole_or_not_at_all():
    recorder = Recorder()
    for message in (
        piece_of(b"later", 1, True), {"piece": "%%", "number": 0, "last": True}, "text", {},
        piece_of(b"lost", 0, False), piece_of(b"tail", 2, True),
    ):  # fmt: skip
        recorder._handle_msg(message)
    assert not recorder.wav

    recorder._handle_msg(piece_of(b"he", 0, False))
    recorder._handle_msg(piece_of(b"ad", 1, True))
    assert recorder.wav == b"head"


def test_a_recording_cannot_fill_the_memory():
    recorder = Recorder()

    for number in range(MAX_BYTES // CHUNK + 5):
        recorder._handle_msg(piece_of(bytes(CHUNK), number, False))
        assert sum(map(len, recorder._pieces)) <= MAX_BYTES


def test_the_microphone_is_recorded(browser):
    recorders = []

    def make_page():
        recorders.append(Recorder(seconds=2))
        return pn.Column(recorders[-1])

    with served(make_page) as url:
        page = browser.new_context(permissions=["microphone"]).new_page()
        page.goto(url)
        page.get_by_role("button", name="Record from the microphone").click()
        page.get_by_text("Recorded 2.0 s").wait_for()
        eventually(lambda: recorders[-1].wav)
        page.close()

    with wave.open(io.BytesIO(recorders[-1].wav)) as file:
        rate, count = file.getframerate(), file.getnframes()
        heard = np.frombuffer(file.readframes(count), "<i2") / 32768
    assert rate >= 44100
    assert count / rate == pytest.approx(2, abs=0.05)
    assert np.abs(heard).max() > 0.1


def test_a_refused_microphone_is_told_in_words(window):
    with served(lambda: pn.Column(Recorder())) as url:
        page = window.new_page()
        page.goto(url)
        page.get_by_role("button", name="Record from the microphone").click()

        page.get_by_text("The browser may not use the microphone. Allow it").wait_for()
        assert page.get_by_role("button", name="Record").is_enabled()
        page.close()


def test_a_page_that_may_not_record_says_why(window):
    with served(lambda: pn.Column(Recorder())) as url:
        page = window.new_page()
        # What a browser leaves a page that came over http from another machine.
        page.add_init_script("delete Navigator.prototype.mediaDevices")
        page.goto(url)
        page.get_by_role("button", name="Record").click()

        page.get_by_text("only on https or localhost").wait_for()
        page.close()
