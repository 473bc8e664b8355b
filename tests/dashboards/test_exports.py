"""What is taken home: pictures, arrays, names, the report of a session; and the gallery."""

import base64
import io
import json
import re
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from dashboards.files import exports
from dashboards.files.gallery import GALLERY, SIDE, thumbnail
from tests.browser import axe_faults, chromium
from tests.conftest import SAMPLES
from tests.pages import HOSTILE, Page, png_of
from weights_keras import FOLDER, read_card
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.bundles.write import describe_classifier
from xai_tf.classifiers.reading import Reading
from xai_tf.cli.demo import DEMOS
from xai_tf.inputs.sample import Sound, file_sha256
from xai_tf.metrics import METRICS, score
from xai_tf.metrics.tables import describe_scores
from xai_tf.rendering import heatmaps
from xai_tf.reports import ReportItem, session_report
from xai_tf.tasks import TASKS


@pytest.fixture(scope="module")
def explained(halves, left_bright):
    """Three explanations, as a store gives them back: each with a sample of its own."""
    return tuple(
        replace(explain(halves, left_bright, method), sample=replace(left_bright))
        for method in ("saliency", "integrated_gradients", "kernel_shap")
    )


def reading_of(explanation, name="made.png"):
    sample = replace(explanation.sample, source=Path(name))
    prediction = explanation.prediction
    return Reading(
        source=Path(name), samples=(sample,), predictions=(prediction,), prediction=prediction
    )


@pytest.fixture(scope="module")
def item(explained, halves):
    return ReportItem(
        reading=reading_of(explained[0]),
        explanations=explained,
        model=describe_classifier(halves),
        sentences=("It is bright on the left.", "So it says left."),
        map_sentences=("First in words.", "Second in words.", "Third in words."),
        card=read_card(FOLDER / "xray_mobilenetv2.md"),
    )


@pytest.fixture(scope="module")
def hummed(explained):
    """A tone of one second that is too loud, as an explanation of two windows each."""
    waveform = (1.5 * np.sin(np.arange(8000) * 0.3)).astype(np.float32)
    hertz = np.linspace(50, 3800, 64, dtype=np.float32)

    def at(start):
        seconds = np.linspace(start, start + 1, 126, dtype=np.float32)
        sound = Sound(
            waveform=waveform,
            rate=8000,
            decibels=np.full((64, 126), -40, np.float32),
            hertz=hertz,
            seconds=seconds,
        )
        return replace(explained[0].sample, sound=sound)

    samples = (at(0), at(0.5))
    prediction = explained[0].prediction
    reading = Reading(
        source=Path("hum.wav"),
        samples=samples,
        predictions=(prediction, prediction),
        prediction=prediction,
    )
    return reading, tuple(replace(explained[0], sample=sample) for sample in samples)


def test_the_overlay_is_the_pictures_own(explained):
    for explanation in explained:
        drawn = np.asarray(Image.open(io.BytesIO(exports.overlay_png(explanation, 0.4))))

        np.testing.assert_array_equal(drawn, heatmaps.overlay(explanation, 0.4))


def test_a_picture_can_be_drawn_whatever_the_file_is_called(explained):
    sample = replace(explained[0].sample, source=Path(HOSTILE))

    drawn = Image.open(io.BytesIO(exports.png(replace(explained[0], sample=sample))))

    assert drawn.format == "PNG"
    assert drawn.width > 900


def test_arrays_come_back_bit_for_bit_with_their_settings_and_without_pickle(explained):
    with np.load(io.BytesIO(exports.array(explained)), allow_pickle=False) as loaded:
        settings = json.loads(loaded["settings"].item())
        for number, explanation in enumerate(explained):
            name = f"{number}_{explanation.method.name}"

            assert loaded[name].dtype == np.float32
            np.testing.assert_array_equal(loaded[name], explanation.attribution)
            assert settings[name]["settings"] == dict(explanation.settings)
            assert settings[name]["seed"] == explanation.seed
            assert settings[name]["sha256"] == explanation.sample.sha256
        np.testing.assert_array_equal(loaded["2_kernel_shap_segments"], explained[2].segments)

    assert "made.png" not in json.dumps(settings)


@pytest.mark.parametrize(
    ("source", "parts", "name"),
    [
        ("dog.jpg", ("grad_cam",), "dog_grad_cam.png"),
        ("../../etc/passwd", (), "passwd.png"),
        ("C:\\x\\scan 1.final.tif", ("lime", "no tumor"), "scan_1.final_lime_no_tumor.png"),
        ("école été.jpg", (), "ecole_ete.png"),
        ("图片.png", (), "explanation.png"),
        (".bashrc", (), "bashrc.png"),
        ("con.wav", (), "file_con.png"),
        ("LPT1.a.b", (), "file_LPT1.a.png"),
        ("-rf.png", (), "rf.png"),
        ("a\u202egnp.exe\0\n;.png", (), "agnp.exe.png"),
        ("x" * 300 + ".png", ("grad_cam",), "x" * 80 + ".png"),
        ("", (), "explanation.png"),
    ],
)
def test_a_download_has_a_name_that_every_system_takes(source, parts, name):
    assert exports.file_name(source, *parts, suffix=".png") == name


def test_random_names_stay_harmless():
    rng = np.random.default_rng(0)
    for _ in range(500):
        source = "".join(map(chr, rng.integers(0, 0x2FFF, int(rng.integers(40)))))

        name = exports.file_name(source, source, suffix=".npz")

        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}\.npz", name)


def test_a_report_holds_every_map_as_it_is_drawn(item, explained):
    page = Page(session_report([item], opacity=0.3))

    drawn = [png_of(image) for image in page.all("img")]
    assert len(drawn) == 9 + 2  # and what they have in common, and where they conflict
    for number, explanation in enumerate(explained):
        seen, over, alone = drawn[3 * number : 3 * number + 3]
        np.testing.assert_array_equal(seen, heatmaps.image_bytes(explanation.sample))
        np.testing.assert_array_equal(over, heatmaps.overlay(explanation, 0.3))
        np.testing.assert_array_equal(alone, heatmaps.heatmap(explanation))
    assert all(len(image["alt"]) > 20 for image in page.all("img"))


def test_a_report_tells_the_facts(item, explained):
    page = Page(session_report([item], "My session", "A note of mine.", language="fr"))

    for wanted in (
        "My session",
        "A note of mine.",
        "made.png: left",
        "It is bright on the left.",
        "Not a medical device",
        "Do the maps agree?",
        "Performance of xray_mobilenetv2",
        "Disagreement of 2 maps: why left?",
        "num_samples: 512",
        "completeness_gap",
        "0" * 64,
        "numpy",
        *(METHODS[e.method.name].paper for e in explained),
    ):
        assert wanted in page.text, wanted
    assert {"lang": "fr"} in page.all("div")
    assert page.wrong == page.open == []


def test_the_words_of_each_map_stand_under_its_picture(item, explained):
    text = Page(session_report([item])).text

    headings = [text.index(f"{e.method.title}: why left?") for e in explained]
    words = [text.index(sentence) for sentence in item.map_sentences]
    assert sorted([*headings, *words]) == [
        place for pair in zip(headings, words, strict=True) for place in pair
    ]
    assert text.index("It is bright on the left.") < headings[0]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_scores_mean_is_told_in_the_language_of_the_report(item, explained, halves, language):
    scores = [score(halves, e, ["sparseness", "deletion"]) for e in explained]
    judged = tuple(map(tuple, describe_scores(explained, scores)))

    page = Page(session_report([replace(item, scores=judged)], language=language))

    other = {"en": "fr", "fr": "en"}[language]
    for name in ("sparseness", "deletion"):
        assert METRICS[name].meaning[language] in page.text
        assert METRICS[name].meaning[other] not in page.text
    assert "Deletion (probability of left)" in page.text


def test_names_are_text_in_a_report_and_never_html(item, explained):
    classes = ('</td><script>alert("a")</script>', "right")
    prediction = replace(explained[0].prediction, classes=classes)
    hostile = tuple(replace(e, prediction=prediction) for e in explained)
    model = dict(item.model) | {"name": "<svg onload=alert(1)>"}
    reading = reading_of(hostile[0], HOSTILE)

    html = session_report(
        [replace(item, reading=reading, explanations=hostile, model=model, sentences=("<s>x",))],
        title="</title><script>",
        note="<iframe src='//example.org'>",
        language='"><script>',
    )

    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "s"}
    assert {attrs.get("class") for attrs in page.all("svg")} <= {"curve"}  # ours alone
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert HOSTILE in page.text
    assert classes[0] in page.text
    assert page.wrong == page.open == []


def test_a_report_can_load_and_run_nothing(item):
    html = session_report([item])
    page = Page(html)

    policy = next(
        attrs for attrs in page.all("meta") if "content" in attrs and "http-equiv" in attrs
    )
    assert policy["content"] == (
        "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
    )
    assert "http://" not in html
    sources = [attrs["src"] for _, attrs in page.tags if "src" in attrs]
    assert all(source.startswith("data:") for source in sources)


def test_a_map_without_signal_and_its_warnings_are_told(item, explained):
    empty = replace(
        explained[0], attribution=np.zeros((32, 32), np.float32), warnings=("Beware of this.",)
    )

    page = Page(session_report([replace(item, explanations=(empty, explained[1]))]))

    assert "No signal" in page.text
    assert "Beware of this." in page.text
    assert "the map is constant" in page.text
    assert "no signal" in page.all("img")[1]["alt"]
    assert "Do the maps agree?" not in page.text


def test_the_alt_text_says_where_the_strongest_places_are(explained, item):
    corner = np.zeros((32, 32), np.float32)
    corner[:10, 22:] = 1

    said = session_report(
        [replace(item, explanations=(replace(explained[0], attribution=corner),))]
    )

    assert "in the upper right" in Page(said).all("img")[1]["alt"]


def test_a_recording_can_be_heard_in_a_report_window_by_window(hummed, item):
    reading, explanations = hummed

    page = Page(session_report([replace(item, reading=reading, explanations=explanations)]))

    sounds = page.all("audio")
    assert [sound["aria-label"] for sound in sounds] == [
        "Sound from 0.00 to 1.00 seconds",
        "Sound from 0.50 to 1.50 seconds",
    ]
    with wave.open(io.BytesIO(base64.b64decode(sounds[0]["src"].split(",")[1]))) as file:
        assert file.getnframes() == 8000
    assert "2 of 2 windows are predicted as left" in page.text
    assert "Hz" in page.text


def test_a_file_without_explanations_and_an_empty_session_make_reports(item):
    bare = replace(item, explanations=(), card=None, sentences=())

    assert "Model input" in Page(session_report([bare])).text
    assert "Versions" in Page(session_report([])).text


def test_a_report_opens_without_a_network_in_the_light_and_in_the_dark(item, hummed, tmp_path):
    _, explanations = hummed
    prediction = replace(explanations[0].prediction, classes=("a" * 90, "right"))
    explanations = tuple(replace(e, prediction=prediction) for e in explanations)
    hostile = replace(
        item, reading=reading_of(explanations[0], HOSTILE * 2), explanations=explanations
    )
    path = tmp_path / "report.html"
    path.write_text(session_report([item, hostile], "A session"), "utf-8")

    with chromium() as browser:
        for scheme, width in (("light", 1280), ("dark", 1280), ("light", 320)):
            context = browser.new_context(
                offline=True, color_scheme=scheme, viewport={"width": width, "height": 800}
            )
            page, asked = context.new_page(), []
            page.on("request", lambda request, asked=asked: asked.append(request.url[:5]))
            page.goto(path.as_uri())
            page.wait_for_function(
                "[...document.querySelectorAll('audio')].every(sound => sound.duration > 0)"
            )

            assert axe_faults(page) == []
            assert set(asked) <= {"file:", "data:"}
            assert page.title() == "A session"
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.get_by_role("heading", name="made.png: left").is_visible()


def test_the_gallery_holds_every_sample_of_the_demo_for_the_same_model():
    models = {item.name: item.model for item in GALLERY}

    assert all(models[file] == demo.model for demo in DEMOS for file in demo.files)
    assert {item.task for item in GALLERY} <= set(TASKS)


@pytest.mark.parametrize("item", GALLERY, ids=lambda item: item.name)
def test_a_sample_of_the_gallery_is_the_one_whose_source_is_told(item):
    sources = (SAMPLES / "SOURCES.md").read_text("utf-8")
    row = next(line for line in sources.splitlines() if f"{item.name}` |" in line)
    author = {"speech_human.wav": "LibriSpeech", "dog.jpg": "Hans Kemperman"}.get(item.name, "")

    assert re.search(rf"^{file_sha256(item.path)}  (extras/)?{item.name}$", sources, re.MULTILINE)
    assert item.sha256 == file_sha256(item.path)
    assert author in row
    assert author in item.credit
    if "CC BY" in row:
        assert "CC BY 4.0" in item.credit


def test_the_telephone_line_of_a_sample_is_the_one_that_is_told():
    sources, told = (SAMPLES / "SOURCES.md").read_text("utf-8"), {}
    exec(re.search(r"```python\n(.*?)```", sources, re.DOTALL)[1], told)
    clean, rate = soundfile.read(SAMPLES.parents[1] / "tests/data/speech_clean.flac")

    made = told["telephone"](clean, rate)

    stored = soundfile.read(SAMPLES / "speech_synthetic.wav")[0]
    np.testing.assert_allclose(made, stored, atol=2 / 32768)


@pytest.mark.parametrize("item", GALLERY, ids=lambda item: item.name)
def test_a_thumbnail_shows_its_sample(item):
    stored = np.asarray(Image.open(item.thumbnail), np.float32)
    drawn = np.asarray(Image.open(io.BytesIO(thumbnail(item.path, item.task))), np.float32)

    assert stored.shape == (SIDE, SIDE, 3)
    assert np.abs(stored - drawn).mean() < 2  # of 255: JPEG libraries differ in their rounding
    assert item.thumbnail.stat().st_size < 20_000
