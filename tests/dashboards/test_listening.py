"""Listening on the page: parts of a sound, what is said of them, and what is kept of it."""

import base64
import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import panel as pn
import pytest
import soundfile

import weights_keras
from dashboards.components.mixer import Mixer
from dashboards.components.player import Player
from dashboards.service.catalogue import find_models
from dashboards.service.jobs import OVER
from dashboards.service.listening import (
    MUTE,
    ORIGINAL,
    REMAINDER,
    SOLO,
    SUPPORTING,
    SoundClip,
    listen,
)
from dashboards.service.requests import Explain, Listen, ModelEntry, Upload, key
from dashboards.service.serialization import pack, unpack
from dashboards.service.service import Service
from dashboards.views.listen import ListenView
from tests.browser import axe_faults, chromium, complaints, served
from tests.conftest import EAR_SIZE as SIZE
from tests.conftest import HIGH, MIDDLE, SAMPLES
from tests.served import draw, submitted
from tests.waiting import eventually, until
from weights_keras import ModelCard
from xai_tf.attribution.explain import explain
from xai_tf.attribution.question import Question
from xai_tf.errors import OutputError, SettingError, UnknownNameError
from xai_tf.sonification.masking import NOTHING_LEFT
from xai_tf.tasks import TASKS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
AUDIO, RATE = TASKS["deepfake_audio"], 8000
MODEL = ModelEntry(
    name="ear",
    path=Path("ear.keras"),
    sha256="ab" * 32,
    task="deepfake_audio",
    title="",
    classes=(),
    summary="",
)
FILE = Upload(name="mine.wav", path=Path("cd.wav"), sha256="cd" * 32, size=1, kind="sound")
ASKED = Explain(MODEL, FILE, Question("gradient_input"))


@pytest.fixture(scope="module")
def explained(ear, tmp_path_factory):
    """A loud low tone all the time and a high one from 0.75 to 1.25 s; a map of the high one."""
    time = np.arange(2 * RATE) / RATE
    high = 0.2 * np.sin(2 * np.pi * 2200 * time) * ((time > 0.75) & (time < 1.25))
    noise = 0.003 * np.random.default_rng(0).standard_normal(len(time))
    return explained_of(ear, 0.4 * np.sin(2 * np.pi * 300 * time) + high + noise, tmp_path_factory)


def explained_of(ear, waveform, tmp_path_factory, place=(HIGH, MIDDLE)):
    path = tmp_path_factory.mktemp("sounds") / "cd.wav"
    soundfile.write(path, waveform, RATE)
    made = explain(ear, ear.read(path), "gradient_input", target=1)
    attribution = np.zeros(SIZE, np.float32)
    attribution[place] = 1
    return replace(made, attribution=attribution)


def test_the_original_is_the_sound_as_it_is(ear, explained, tmp_path):
    clip = listen(ear, explained, Listen(ASKED), tmp_path)

    info = soundfile.info(io.BytesIO(clip.wav))
    assert (info.frames, info.samplerate, info.channels) == (2 * RATE, RATE, 1)
    assert info.subtype == "PCM_16"
    assert clip.energy == 1
    assert clip.score == clip.score_before
    assert clip.regions[0].text.endswith("+100%")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("part", "moves"),
    [(SUPPORTING, 1), (REMAINDER, -1), (SOLO, 1), (MUTE, -1)],
    ids=[SUPPORTING, REMAINDER, SOLO, MUTE],
)
def test_the_classifier_is_asked_about_the_very_file(ear, explained, tmp_path, part, moves):
    """What speaks for the class is the high tone: alone it says more, without it less."""
    regions = (1,) if part in (SOLO, MUTE) else ()

    clip = listen(ear, explained, Listen(ASKED, part, regions), tmp_path)

    assert moves * (clip.score - clip.score_before) > 2
    # The high tone has a quarter of the low one's power for a quarter of the time.
    assert clip.energy == pytest.approx(1 / 17 if moves > 0 else 16 / 17, abs=0.02)
    (tmp_path / "again.wav").write_bytes(clip.wav)
    again = ear.predict([ear.read(tmp_path / "again.wav")])[0]
    assert again.logits @ ear.target(1) == pytest.approx(clip.score, abs=1e-3)  # in other company
    assert clip.predicted == again.name
    assert clip.probability == pytest.approx(again.probabilities.max())


def test_a_larger_share_keeps_more(ear, explained, tmp_path):
    slope = explained.attribution * np.linspace(0, 1, SIZE[1], dtype=np.float32)
    sloping = replace(explained, attribution=slope)

    kept = [
        listen(ear, sloping, Listen(ASKED, SUPPORTING, (), s), tmp_path).energy for s in (0.5, 0.95)
    ]

    assert kept[0] < 0.9 * kept[1]


def test_a_map_without_signal_is_said_but_the_original_can_be_heard(ear, explained, tmp_path):
    flat = replace(explained, attribution=np.zeros(SIZE, np.float32))

    clip = listen(ear, flat, Listen(ASKED), tmp_path)

    assert clip.regions == ()
    for part in (SUPPORTING, REMAINDER, SOLO, MUTE):
        with pytest.raises(SettingError, match=r"no part to listen to.*the map is constant"):
            listen(ear, flat, Listen(ASKED, part, (1,)), tmp_path)


def test_where_nothing_speaks_for_the_class_there_is_nothing_to_keep(ear, explained, tmp_path):
    """All of it 60 dB quieter would look like all of it to the classifier."""
    against = replace(explained, attribution=-explained.attribution)

    with pytest.raises(SettingError, match=r"no evidence for .* another class"):
        listen(ear, against, Listen(ASKED, SUPPORTING), tmp_path)


def test_a_region_of_silence_tells_nothing(ear, tmp_path_factory, tmp_path):
    """A sound of half a second, and a map of the silence after it."""
    noise = 0.2 * np.random.default_rng(0).standard_normal(RATE // 2)
    place = (HIGH, slice(40, 60))
    explained = explained_of(ear, noise, tmp_path_factory, place)

    clip = listen(ear, explained, Listen(ASKED, SOLO, (1,)), tmp_path)

    assert clip.energy < NOTHING_LEFT
    assert (clip.score, clip.predicted, clip.probability) == (None, None, None)
    assert np.isfinite(clip.score_before)


def test_what_there_is_not_is_refused_in_words(ear, explained, tmp_path):
    with pytest.raises(SettingError, match=r"region: 7\. Expected a whole number from 1 to 1"):
        listen(ear, explained, Listen(ASKED, SOLO, (1, 7)), tmp_path)
    with pytest.raises(SettingError, match="region: 0"):
        listen(ear, explained, Listen(ASKED, MUTE), tmp_path)
    with pytest.raises(UnknownNameError, match="no part 'backwards'"):
        listen(ear, explained, Listen(ASKED, "backwards"), tmp_path)
    with pytest.raises(OutputError, match="disk is full"):
        listen(ear, explained, Listen(ASKED), tmp_path / "gone")


def test_an_answer_comes_back_as_it_was_packed_and_names_no_file(ear, explained, tmp_path):
    clip = listen(ear, explained, Listen(ASKED, SUPPORTING), tmp_path)

    packed = pack(clip)

    assert unpack(packed, Listen(ASKED, SUPPORTING)) == clip
    assert b"mine.wav" not in packed
    assert b"cd.wav" not in packed


def test_a_key_tells_what_is_heard_and_not_who_asks():
    others = [
        Listen(ASKED, SUPPORTING),
        Listen(ASKED, SUPPORTING, (), 0.5),
        Listen(ASKED, SOLO, (1,)),
        Listen(ASKED, SOLO, (1, 2)),
        Listen(ASKED, MUTE, (1,)),
        Listen(replace(ASKED, window=1)),
    ]
    renamed = Listen(replace(ASKED, file=replace(FILE, name="other.wav", path=Path("x.wav"))))

    assert len({key(request) for request in [Listen(ASKED), *others]}) == 7
    assert key(renamed) == key(Listen(ASKED))


@pytest.mark.parametrize(
    "data",
    [
        None,
        "solo",
        {"part": "solo"},
        {"part": 1, "number": 1},
        {"part": "solo", "number": -1},
        {"part": "solo", "number": 10**9},
        {"part": "solo", "number": "1"},
    ],
    ids=str,
)
def test_what_no_button_says_is_not_heard(data):
    pressed = []
    mixer = Mixer(lambda *what: pressed.append(what))

    mixer._handle_msg(data)
    mixer._handle_msg({"part": "solo", "number": 1})

    assert pressed == [("solo", 1)]


# With a service


@pytest.fixture(scope="module")
def service(tmp_path_factory, small_cnn):
    """One model that hears, and one that sees."""
    folder = tmp_path_factory.mktemp("models")
    for name, task in {"ears": "deepfake_audio", "eyes": "lung_opacity"}.items():
        weights_keras.save(
            small_cnn,
            ModelCard(
                name=name, task=task, classes=tuple("abc"), backbone="cnn", image_size=(32, 32)
            ),
            folder,
        )
    found = find_models([folder])
    models = {name: found[name] for name in ("ears", "eyes")}
    service = Service(models, tmp_path_factory.mktemp("store"), workers=1)
    yield service
    service.close()


async def map_of(session, data, name="talk.wav"):
    session.workspace.add(name, data)
    await until(lambda: session.explorer.explanation or session.explorer.problem)
    assert session.explorer.problem == ""


async def heard(listener):
    await until(lambda: listener.clip or listener.problem)
    return listener.clip


def speech():
    return (SAMPLES / "speech_human.wav").read_bytes()


def recording():
    """Four seconds of noise that come as windows; nobody gave them before."""
    rng, sound = np.random.default_rng(), io.BytesIO()
    loudness = np.repeat([0.01, 0.3, 0.1, 0.02], 16000)
    soundfile.write(sound, rng.normal(0, loudness), 16000, format="WAV")
    return sound.getvalue()


def burst():
    """Two seconds of near silence, but for noise in the second quarter."""
    loudness = np.repeat([1e-4, 0.3, 1e-4, 1e-4], 8000)
    sound = io.BytesIO()
    soundfile.write(sound, np.random.default_rng(0).normal(0, loudness), 16000, format="WAV")
    return sound.getvalue()


def test_nothing_is_computed_before_it_is_asked_for(visit):
    async def story(session):
        listener, asked = session.listener, submitted(session.workspace.visitor)
        view = ListenView(listener=listener)
        await map_of(session, recording())
        await until(lambda: all(job.state in OVER for _, job in asked))
        assert "listen" not in [slot for slot, _ in asked]
        assert (listener.clip, listener.regions, view._parts._player.sound) == (None, (), "")
        listener.play(SUPPORTING)
        clip = await heard(listener)
        return (
            [slot for slot, _ in asked].count("listen"),
            type(clip),
            view._parts._player.sound[:22],
        )

    assert visit(story) == (1, SoundClip, "data:audio/wav;base64,")


def test_regions_are_toggled_alone_or_muted(visit):
    async def story(session):
        listener = session.listener
        await map_of(session, burst())
        listener.toggle(SOLO, 1)  # its regions are not known yet
        assert listener.part == ""
        listener.play("solo")
        assert listener.part == ""
        listener.play(ORIGINAL)
        original = await heard(listener)
        assert original.energy == 1
        assert listener.regions
        listener.toggle(SOLO, 1)
        alone = await heard(listener)
        assert (listener.part, listener.chosen) == (SOLO, (1,))
        assert alone.energy > 0.99
        assert alone.wav != original.wav
        listener.toggle(MUTE, 1)
        without = await heard(listener)
        assert (listener.part, listener.chosen) == (MUTE, (1,))
        assert without.energy < 0.01
        listener.toggle(MUTE, 99)
        assert listener.chosen == (1,)
        listener.toggle(MUTE, 1)
        return listener.part, (await heard(listener)).energy

    assert visit(story) == (ORIGINAL, 1)


def test_the_share_counts_for_what_is_heard_of_it(visit):
    async def story(session):
        listener = session.listener
        await map_of(session, speech())
        listener.share = 0.5
        assert listener.part == ""
        listener.play(SUPPORTING)
        half = await heard(listener)
        listener.share = 0.95
        most = await heard(listener)
        listener.play(ORIGINAL)
        original = await heard(listener)
        listener.share = 0.8
        return half.energy < most.energy, listener.clip is original

    assert visit(story) == (True, True)


def test_another_map_ends_what_was_heard_of_the_one_before(visit):
    async def story(session):
        listener, explorer = session.listener, session.explorer
        asked = submitted(session.workspace.visitor)
        await map_of(session, speech())
        listener.play(SUPPORTING)
        await heard(listener)
        explorer.method = "saliency"
        assert (listener.part, listener.clip, listener.regions) == ("", None, ())
        await until(lambda: explorer.explanation)
        listener.play(SUPPORTING)
        explorer.method = "grad_cam"  # before the answer comes
        await until(lambda: all(job.state in OVER for _, job in asked))
        return listener.part, listener.clip, listener.status, listener.problem

    assert visit(story) == ("", None, "", "")


def test_what_goes_wrong_is_a_problem_until_something_else_is_asked(visit, service):
    scratch = Path(service._scratch.name)

    async def story(session):
        listener, view = session.listener, ListenView(listener=session.listener)
        await map_of(session, recording())
        scratch.rename(scratch.with_suffix(".gone"))
        listener.play(REMAINDER)
        await heard(listener)
        said = view._parts._problem.paragraphs
        scratch.with_suffix(".gone").rename(scratch)
        listener.play(ORIGINAL)
        await heard(listener)
        return said, listener.problem, view._parts._problem.paragraphs

    said, problem, now = visit(story)

    assert len(said) == 1
    assert "Cannot write the sound: the server's disk is full" in said[0]
    assert (problem, now) == ("", [])


def test_the_card_is_there_for_sounds_only_and_tells_the_window(visit, tmp_path):
    async def story(session):
        view = ListenView(listener=session.listener)
        session.workspace.choose_model("eyes")
        await map_of(session, draw(tmp_path, "x.png").path.read_bytes(), "x.png")
        assert (len(view._place), view._place.visible) == (0, False)
        await map_of(session, recording())
        assert (len(view._place), view._place.visible) == (1, True)
        parts, start = view._parts, session.workspace.sample.sound.seconds[0]
        assert f"the window from {start:.2f} to" in parts._intro.object
        session.listener.play(REMAINDER)
        await heard(session.listener)
        assert "predicted exactly this sound file" in parts._numbers.object
        assert parts._player.label == "Everything else"
        session.workspace.step(1)
        return view._place.visible

    assert visit(story) is False


def test_a_sound_is_known_again_and_forgotten_with_its_file(visit, service):
    data = recording()

    async def story(session):
        listener = session.listener
        await map_of(session, data)
        listener.play(SUPPORTING)
        await heard(listener)
        request = listener._job.request
        assert service.has_answer(request)
        listener.play(ORIGINAL)
        await heard(listener)
        listener.play(SUPPORTING)
        assert listener._job.cached
        return request

    request = visit(story)

    assert not service.has_answer(request)


# In a browser


def test_one_sound_plays_at_a_time_and_every_button_tells_what_it_does():
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 8000)
    file = io.BytesIO()
    soundfile.write(file, 0.1 * tone, 8000, format="WAV")
    url = f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"
    pressed, players = [], []

    def make_page():
        pair = [Player(label="First"), Player(label="Second")]
        players.append(pair)
        mixer = Mixer(
            lambda *what: pressed.append(what),
            part="solo",
            chosen=[2],
            parts=[{"value": "original", "label": "The <b>original</b>"}],
            regions=[{"where": f"0.{n} s", "share": "+5%"} for n in (1, 2)],
        )
        return pn.Column(mixer, *pair)

    with served(make_page) as address, chromium() as browser:
        page = browser.new_page()
        with complaints(page) as said:
            page.goto(address)
            page.get_by_role("button", name="The <b>original</b>").click()
            page.get_by_role("button", name="Mute: 0.1 s").click()
            eventually(lambda: pressed == [("original", 0), ("mute", 1)])
            solo = page.get_by_role("button", name="Solo: 0.2 s")
            assert solo.get_attribute("aria-pressed") == "true"
            assert page.locator("[aria-pressed=true]").count() == 1
            first, second = (page.locator(f"audio[aria-label={n}]") for n in ("First", "Second"))
            assert not first.is_visible()
            for player, other in ((first, None), (second, first)):
                which = players[-1][0 if other is None else 1]
                which.sound = url
                eventually(lambda player=player: player.evaluate("a => a.currentTime") > 0)
                assert player.evaluate("a => a.duration") == 2
                assert other is None or other.evaluate("a => a.paused")
            assert axe_faults(page) == []
    assert said == []
