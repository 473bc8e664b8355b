"""The dashboard as a person meets it: a real server, real models, a real browser."""

import html
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import keras
import numpy as np
import pytest
from PIL import Image

import weights_keras
from dashboards.state.links import View, to_query
from tests.browser import (
    axe_faults,
    chromium,
    complaints,
    frames_sent,
    next_said,
    quiet,
    toggle_theme,
)
from tests.conftest import SAMPLES
from tests.waiting import PATIENCE, eventually
from weights_keras import ModelCard
from xai_tf.attribution.methods import DEFAULT_METHOD, METHODS
from xai_tf.attribution.question import Question
from xai_tf.inputs.sample import file_sha256

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
FIRST = METHODS[DEFAULT_METHOD].title  # the map that is made by itself
EVIL = "<img src=x onerror=alert(1)>"
SERVE = "import dashboards.commands; from xai_tf.cli import main; main()"


@contextmanager
def serving(folder: Path, *options: str):
    """A server in a process of its own; gives its address and its process."""
    command = [sys.executable, "-c", SERVE, "serve", "--no-browser", "--port", "0"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--cache", str(folder / "cache"), *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http"), (folder / "log").read_text()
        yield url.rstrip("/"), process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def evil_models(tmp_path_factory, small_cnn):
    """A small model whose classes have hostile names."""
    folder = tmp_path_factory.mktemp("models")
    card = ModelCard(
        name="small",
        task="dog_breeds",
        classes=(EVIL, "b", "c"),
        backbone="cnn",
        image_size=(32, 32),
    )
    weights_keras.save(small_cnn, card, folder)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory, evil_models):
    with serving(tmp_path_factory.mktemp("site"), "--models", str(evil_models)) as (url, process):
        yield url, process


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@contextmanager
def visit(browser, url: str, query: str = "", **options):
    """A visitor with a page of their own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    with complaints(page) as found:
        page.goto(f"{url}/{query}")
        tab = page.get_by_role("tab", name=re.compile("Explain|Expliquer"))
        tab.or_(page.get_by_text("could not be built")).first.wait_for()
        assert tab.is_visible(), "The page could not be built."
        try:
            yield page
        except Exception as error:  # a test that waited in vain shows what was there instead
            error.add_note(f"{page.url} showed:\n{page.locator('body').aria_snapshot()}")
            raise
    context.close()
    assert [text for text in found if "WebSocket" not in text] == []


@pytest.fixture
def page(browser, site):
    with visit(browser, site[0]) as page:
        yield page


def take(page, sample: str) -> None:
    """Take a sample and wait for its first map."""
    page.get_by_role("radio", name=sample, exact=True).click()
    the_map(page, FIRST).wait_for()


def the_map(page, method: str):
    """The caption of the picture once a method's map is on it."""
    return page.get_by_text(re.compile(rf"^{re.escape(method)}: why")).first


def tile(page, method: str):
    """The tile of a method below the picture."""
    return page.get_by_role("toolbar", name="Methods").get_by_role(
        "button", name=re.compile(rf"^{re.escape(method)}")
    )


def choose_model(page, title: str) -> None:
    """Choose a model in the strip above the picture."""
    page.get_by_role("button", name=re.compile("^Model: ")).click()
    page.get_by_role("menuitem", name=re.compile(f"^{title}")).first.click()


def open_tab(page, name: str) -> None:
    """Open a tab of the panel beside the picture."""
    page.get_by_role("tab", name=name).click()


def downloaded(page, label: str) -> bytes:
    """What a button gives to take home."""
    with page.expect_download() as download:
        page.get_by_role("button", name=label, exact=True).click()
    return Path(download.value.path()).read_bytes()


def picture(page, name: str) -> None:
    """A screenshot for people to look at, where they ask for one."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


def status(url: str) -> dict:
    with urlopen(f"{url}/healthz", timeout=PATIENCE) as answer:
        return json.load(answer)


def workers_of(pid: int) -> list[int]:
    """The computing processes of a server."""
    found = [
        child
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [
        int(child)
        for child in found
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_a_sample_gets_a_prediction_and_a_map(page):
    take(page, "Chest X-ray, opacity")

    assert page.get_by_text(re.compile(r"^opacity, 9\d\.\d%")).first.is_visible()
    said = re.compile(f"predicted as opacity .* {FIRST}.* strongest tenth")
    page.get_by_role("img", name=said).first.wait_for()


def test_all_of_an_explanation_fits_one_screen(page):
    take(page, "Chest X-ray, opacity")

    for part in (
        page.get_by_text(re.compile(r"^opacity, 9")).first,
        page.get_by_role("button", name=re.compile("^Model: ")),
        page.get_by_role("img", name=re.compile(FIRST)).first,
        page.get_by_role("toolbar", name="Methods"),
        page.get_by_role("tab", name="Trust"),
    ):
        box = part.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 900
    assert page.evaluate("document.documentElement.scrollHeight") <= 900


@pytest.mark.parametrize(
    ("sample", "model", "kind"),
    [
        ("xray_opacity.jpg", "Lung opacity", "a chest X-ray"),
        pytest.param(
            "brain_head_notumor.png", "Brain tumor", "a brain MRI slice", marks=pytest.mark.slow
        ),
        pytest.param("dog.jpg", "Dog breeds", "a photo of a dog", marks=pytest.mark.slow),
        pytest.param(
            "speech_human.wav", "Deepfake audio", "recorded speech", marks=pytest.mark.slow
        ),
    ],
)
def test_a_dropped_file_finds_its_model(page, tmp_path, sample, model, kind):
    file = tmp_path / f"mine{Path(sample).suffix}"
    file.write_bytes((SAMPLES / sample).read_bytes())

    page.locator("input[type=file]").set_input_files(file)

    page.get_by_text(f"Looks like {kind}.").wait_for()
    the_map(page, FIRST).wait_for()
    page.get_by_role("button", name=re.compile(f"^Model: {model}")).wait_for()


def test_a_picture_no_model_knows_goes_to_the_one_that_cannot_tell_and_that_is_said(page, tmp_path):
    stripes = np.tile(np.array([[[255, 0, 128], [0, 255, 0]]], np.uint8), (300, 150, 1))
    Image.fromarray(stripes).save(tmp_path / "stripes.png")

    page.locator("input[type=file]").set_input_files(tmp_path / "stripes.png")

    page.get_by_text(
        "small: Dog breeds, Plain CNN cannot tell whether it knows such files."
    ).wait_for()
    picture(page, "unknown")
    choose_model(page, "Lung opacity, MobileNetV2")
    page.get_by_text("this answer may mean nothing").wait_for()


def test_a_part_is_hidden_by_drawing_on_the_picture(page):
    take(page, "Chest X-ray, opacity")
    page.get_by_role("button", name="Hide with the box").click()
    box = page.get_by_role("img", name=re.compile(FIRST)).first.bounding_box()

    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"], steps=4)
    page.mouse.up()

    page.get_by_text(re.compile(r"^Without 25% of the picture, the answer ")).first.wait_for()
    page.get_by_role("columnheader", name="After").wait_for()
    picture(page, "hidden")
    assert axe_faults(page) == []
    page.get_by_role("button", name="Show all again").click()
    the_map(page, FIRST).wait_for()


@pytest.mark.slow
def test_a_dropped_sound_is_read_by_a_model_that_hears_and_can_be_played(page):
    take(page, "Dog, unknown breed")

    page.locator("input[type=file]").set_input_files(SAMPLES / "speech_human.wav")

    page.get_by_role("button", name="Play").wait_for()
    assert page.get_by_text("Looks like recorded speech.").is_visible()
    page.get_by_role("button", name="Play").click()
    clock = page.get_by_text(re.compile(r"^\d+\.\d+ s of \d")).first
    before = clock.text_content()
    eventually(lambda: clock.text_content() != before)
    assert page.get_by_text("Hz", exact=True).first.is_visible()


@pytest.mark.slow
def test_a_spectrogram_picture_is_heard_with_a_warning(page, tmp_path):
    drawn = SAMPLES.parents[1] / "dashboards/files/thumbnails/speech_human.jpg"
    Image.open(drawn).save(tmp_path / "spectrogram.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "spectrogram.png")
    choose_model(page, "Deepfake audio")

    the_map(page, FIRST).wait_for()
    assert page.get_by_text("timbre and loudness are not").first.is_visible()
    assert page.get_by_role("button", name="Play").first.is_visible()


@pytest.mark.slow
def test_what_decides_of_a_sound_can_be_heard_and_muted(page):
    take(page, "Synthetic speech")
    parts = page.get_by_role("group", name="Part to play")

    parts.get_by_role("button", name=re.compile("^Only the")).click()

    page.get_by_text("predicted exactly this sound file").wait_for()
    audio = page.locator("audio[aria-label^='Only the']")
    eventually(lambda: audio.evaluate("sound => sound.duration") == 2)
    assert audio.evaluate("sound => sound.error") is None
    eventually(lambda: audio.evaluate("sound => sound.currentTime") > 0)
    kept = page.get_by_role("definition").filter(has_text=re.compile("^[0-9.]+%$"))
    assert 0 < float(kept.first.text_content().rstrip("%")) < 100

    mute = page.get_by_role("button", name=re.compile("^Mute: .* s, .* k?Hz$")).first
    mute.click()

    page.locator("audio[aria-label^='Without']").wait_for()
    eventually(lambda: mute.get_attribute("aria-pressed") == "true")
    page.get_by_text(re.compile(r"original [+-]\d")).wait_for()
    page.get_by_role("button", name="Play", exact=True).click()
    eventually(lambda: page.locator("audio[aria-label]").evaluate("sound => sound.paused"))
    assert axe_faults(page) == []
    page.get_by_text("Listen to the evidence").scroll_into_view_if_needed()
    picture(page, "listen")


def test_a_map_says_where_its_evidence_lies_and_is_judged_on_request(page):
    take(page, "Chest X-ray, opacity")
    page.get_by_role("heading", name="Where the evidence lies").wait_for()
    page.get_by_role("button", name="Hide lungs").click()
    page.get_by_text(re.compile(r"^Without \d+% of the picture")).first.wait_for()
    assert page.get_by_role("button", name="Show lungs").get_attribute("aria-pressed") == "true"
    choose_model(page, "small: ")
    page.get_by_role("button", name="Hide corners").wait_for()

    open_tab(page, "Trust")
    judge = page.get_by_role("button", name=re.compile(r"Score this map \(\d+ passes, .*s\)"))
    judge.click()

    page.get_by_text(re.compile("of random maps on")).wait_for()
    row = page.get_by_role("row").filter(has_text="Deletion")
    drawn = row.get_by_role("img", name=re.compile("random maps:"))
    eventually(drawn.is_visible)
    judge.wait_for(state="hidden")
    assert axe_faults(page) == []


@pytest.mark.slow
def test_a_file_that_is_none_for_the_model_is_said_to_be_and_explained_anyway(page):
    page.locator("input[type=file]").set_input_files(SAMPLES / "dog.jpg")
    page.get_by_text("Looks like a photo of a dog.").wait_for()

    choose_model(page, "Lung opacity, MobileNetV2")

    page.get_by_text("this answer may mean nothing").wait_for()
    the_map(page, FIRST).wait_for()
    badge = page.get_by_role("button", name=re.compile("^Can this map be trusted"))
    eventually(lambda: "Not supported" in badge.text_content())
    badge.click()
    page.get_by_role("listitem").filter(has_text="unlike the training").first.wait_for()
    for scheme in ("light", "dark"):
        assert axe_faults(page) == []
        picture(page, f"unfamiliar_{scheme}")
        toggle_theme(page)
    with zipfile.ZipFile(io.BytesIO(downloaded(page, "Bundle"))) as bundle:
        manifest = next(name for name in bundle.namelist() if name.endswith("manifest.json"))
        (told,) = json.loads(bundle.read(manifest))["input"]["warnings"]
    assert "it may not be a chest X-ray" in told
    assert told.endswith("Explained anyway.")
    assert html.escape(told) in downloaded(page, "Report").decode()


def test_a_class_is_a_button_that_asks_why(page):
    take(page, "Chest X-ray, normal")

    open_tab(page, "Settings")
    page.get_by_role("radio", name=re.compile("^opacity")).click()

    page.get_by_text(f"{FIRST}: why opacity?").wait_for()


@pytest.mark.slow
def test_why_this_and_not_that(page):
    take(page, "Dog, unknown breed")

    open_tab(page, "Settings")
    page.get_by_role("combobox", name="rather than").click()
    page.get_by_role("listbox").get_by_role("option").nth(2).click()

    page.get_by_text(re.compile(rf"^{FIRST}: why .* rather than ")).wait_for()


def test_a_slow_method_says_its_cost_shows_what_it_has_and_keeps_it_when_stopped(page, site):
    take(page, "Chest X-ray, opacity")
    # The speed of the model is measured after the first map.
    eventually(lambda: re.search(r"~[\d.]+ (s|min)", tile(page, "RISE").text_content()))

    tile(page, "RISE").click()

    page.get_by_text("RISE, so far").wait_for()
    page.get_by_role("button", name="Stop RISE").click()
    page.get_by_text(re.compile(r"^Stopped after [\d,]+ of [\d,]+ passes\.")).first.wait_for()
    assert page.get_by_text("RISE, so far").is_visible()
    eventually(lambda: status(site[0])["running"] == 0)
    tile(page, "Saliency").click()
    the_map(page, "Saliency").wait_for()


@pytest.mark.slow
def test_a_killed_process_costs_one_retry_and_nothing_else(browser, site):
    view = View(
        sample=file_sha256(SAMPLES / "xray_opacity.jpg"),
        model="xray_mobilenetv2",
        question=Question("rise", settings=(("num_samples", 256),)),
    )
    with visit(browser, site[0], f"?{to_query(view)}") as page:
        tile(page, "RISE").click()
        page.get_by_text("RISE, so far").wait_for()
        kill_all_workers(site[1])

        open_tab(page, "Settings")
        page.get_by_text("is being retried").first.wait_for()
        the_map(page, "RISE").wait_for()
        assert "".join(page.get_by_role("alert").all_text_contents()) == ""


def kill_all_workers(server) -> None:
    """Kill them all at one moment for the server, however busy the machine is."""
    os.kill(server.pid, signal.SIGSTOP)
    for pid in workers_of(server.pid):
        os.kill(pid, signal.SIGKILL)
    os.kill(server.pid, signal.SIGCONT)


def test_a_page_outlives_its_server_with_its_view_and_its_uploads(browser, tmp_path):
    context = browser.new_context()
    foreign = []
    with serving(tmp_path, "--workers", "1") as (url, process):
        page = context.new_page()
        page.on(
            "request", lambda one: one.url.startswith(("http", "ws")) and foreign.append(one.url)
        )
        page.goto(url)
        page.locator("input[type=file]").set_input_files(SAMPLES / "cat.jpg")
        page.get_by_role("radio", name=re.compile(r"^cat\.jpg")).wait_for()
        eventually(lambda: "sample=" in page.url, lambda: page.wait_for_timeout(50))
        view = page.url
        page.reload()
        page.get_by_role("radio", name=re.compile(r"^cat\.jpg"), checked=True).wait_for()
        process.kill()
        process.wait()
        page.get_by_role("alert").get_by_text("The connection to the server is lost").wait_for()
        picture(page, "server_lost")

    port = url.rsplit(":", 1)[1]
    with serving(tmp_path, "--workers", "1", "--port", port):
        page.get_by_text("The connection to the server is lost").wait_for(state="detached")
        page.get_by_role("radio", name=re.compile(r"^cat\.jpg"), checked=True).wait_for()
        assert page.url == view
        context.close()
    assert [address for address in foreign if f":{port}/" not in address] == []


@pytest.mark.slow
def test_a_visitor_brings_a_model_and_finds_it_after_a_reload(page, tmp_path, small_cnn):
    small_cnn.save(tmp_path / "my pets.keras")
    (tmp_path / "labels.txt").write_text(f"cat\ndog\n{EVIL}\n")
    page.get_by_role("radio", name="Cat", exact=True).click()
    page.get_by_role("button", name="Add your model").click()
    dialog = page.get_by_role("dialog")
    files = [tmp_path / "labels.txt", tmp_path / "my pets.keras"]
    dialog.locator("input[type=file]").set_input_files(files)
    dialog.get_by_text("my_pets is stored").wait_for()

    dialog.get_by_role("button", name="Load and try").click()
    dialog.get_by_role("radio", name=re.compile("Keras mode 'caffe'")).click()
    picture(page, "own_model")
    assert axe_faults(page) == []
    dialog.get_by_role("button", name="Use this model").click()

    the_map(page, FIRST).wait_for()
    eventually(lambda: "model=my_pets" in page.url, lambda: page.wait_for_timeout(50))
    page.reload()
    page.get_by_role("button", name=re.compile("^Model: .*my_pets")).wait_for()


def test_keys_choose_methods_files_and_help(page):
    take(page, "Chest X-ray, opacity")
    take(page, "Chest X-ray, normal")
    page.locator("body").click(position={"x": 700, "y": 5})

    page.keyboard.press("4")
    the_map(page, "Saliency").wait_for()
    page.keyboard.press("ArrowLeft")
    page.get_by_text(re.compile("^opacity, 9")).first.wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_text("Keyboard shortcuts").wait_for()


def test_overlay_is_toggled_without_asking_the_server(browser, site):
    with visit(browser, site[0]) as page:
        sent = frames_sent(page)
        page.reload()
        take(page, "Chest X-ray, opacity")
        quiet(page, sent)
        sent.clear()

        page.locator("body").click(position={"x": 700, "y": 5})
        page.keyboard.press("o")
        page.keyboard.press("o")
        page.get_by_role("slider", name=re.compile("Opacity")).first.fill("30")
        page.get_by_role("button", name="Map", exact=True).click()

        assert (
            page.get_by_role("button", name="Map", exact=True).get_attribute("aria-pressed")
            == "true"
        )
        assert next_said(page, sent, "?")


def test_methods_are_compared_on_one_scale_with_their_agreement(page):
    take(page, "Chest X-ray, opacity")
    page.get_by_role("tab", name="Compare").click()

    page.get_by_role("button", name=re.compile("^Compare")).click()

    page.get_by_role("heading", name=re.compile("^Rank correlation")).wait_for()
    page.get_by_text("Consensus of 3 methods").wait_for()
    page.get_by_role("img", name=re.compile("^Conflict: ")).wait_for()
    page.get_by_text("Where the methods disagree most").wait_for()
    for label in ("normal", "opacity"):
        page.get_by_role("img", name=re.compile(f"for {label}")).nth(2).wait_for()
    assert axe_faults(page) == []
    picture(page, "compare")


@pytest.mark.slow
def test_the_layers_of_two_models_stand_side_by_side(page):
    take(page, "Dog, unknown breed")

    page.get_by_role("tab", name="Layers").click()

    page.get_by_text("out_relu").first.wait_for()
    assert page.get_by_role("combobox", name="Model on the right").is_visible()
    assert axe_faults(page) == []
    picture(page, "layers")


def test_a_link_restores_the_view(browser, page, site):
    take(page, "Chest X-ray, opacity")
    open_tab(page, "Settings")
    page.get_by_role("radio", name=re.compile("^normal")).click()
    tile(page, "Saliency").click()
    page.get_by_text("Saliency: why normal?").wait_for()
    page.wait_for_url(re.compile("method=saliency"))  # a map from the cache is there before it
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")

    assert "xray_opacity" not in link
    with visit(browser, site[0], "?" + link.split("?")[1]) as other:
        other.get_by_text("Saliency: why normal?").wait_for()


@pytest.mark.parametrize(
    "query",
    [
        "?method=<script>alert(1)</script>&seed=1e9999&target=-1&sample=../../etc/passwd&tab=admin",
        "?sample=" + "ab" * 32,
        "?" + "a" * 5000,
        "?model=xray_mobilenetv2&window=999999999&layer=%00&settings=%5B&methods=x.y.z",
    ],
)
def test_a_hostile_link_is_told_and_harms_nothing(browser, site, query):
    with visit(browser, site[0], query) as page:
        page.get_by_role("status").filter(has_text="ink").first.wait_for()
        take(page, "Chest X-ray, opacity")


def test_names_are_text_never_markup(browser, site, tmp_path):
    name = f"{EVIL.replace('/', '')}.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / name)
    with visit(browser, site[0]) as page:
        page.on("dialog", lambda dialog: pytest.fail("a name was run"))
        choose_model(page, "small: ")

        page.locator("input[type=file]").set_input_files(tmp_path / name)

        page.get_by_text(EVIL).first.wait_for()
        open_tab(page, "Settings")
        page.get_by_role("radio", name=re.compile(re.escape(EVIL[:8]))).first.wait_for()
        assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.png", b"", "empty.png is empty"),
        (
            "words.png",
            b"these are words, not pixels",
            "words.png does not contain a supported picture",
        ),
        ("x.exe.png", b"MZ" + bytes(5_000_000), "x.exe.png does not contain a supported picture"),
        ("cut.wav", (SAMPLES / "speech_human.wav").read_bytes()[:2000], "cut.wav is truncated"),
    ],
)
def test_a_bad_file_is_a_lasting_message_and_the_page_lives_on(page, name, content, said):
    page.clock.install()
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": content}
    )

    alert = page.get_by_role("alert").filter(has_text=said).first
    alert.wait_for()
    page.clock.fast_forward(60_000)  # milliseconds, after which a passing notice would be gone
    assert alert.is_visible()
    assert "/cache/" not in alert.text_content()
    page.get_by_role("button", name="Close this message").click()
    alert.wait_for(state="hidden")
    take(page, "Chest X-ray, normal")


@pytest.mark.slow
def test_two_dropped_files_of_one_name_are_both_taken_whole(page, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (2, 1400, 1400, 3)).astype(np.uint8)
    for number, pixels in enumerate(noise):  # of 6 MB: two pieces each
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('input'), "
        "{type: 'file', multiple: true, id: 'other'}))"
    )
    page.locator("#other").set_input_files([tmp_path / "0.png", tmp_path / "1.png"])

    page.get_by_text("Choose files, or drop them here").evaluate(
        """(field) => {
          const given = new DataTransfer();
          for (const file of document.getElementById("other").files) {
            given.items.add(new File([file], "scan.png"));
          }
          const how = {bubbles: true, cancelable: true, dataTransfer: given};
          field.dispatchEvent(new DragEvent("drop", how));
        }"""
    )

    files = page.get_by_role("radio", name=re.compile(r"^scan\.png"))
    files.nth(1).wait_for()
    digests = {file_sha256(tmp_path / f"{number}.png") for number in range(2)}
    assert {file.get_attribute("data-value") for file in files.all()} == digests


@pytest.mark.slow
def test_a_file_over_the_limit_is_a_lasting_message(page):
    page.get_by_text("Choose files, or drop them here").evaluate(
        """(field) => {
          const given = new DataTransfer();
          given.items.add(new File([new Uint8Array(201e6)], "long.wav"));
          const how = {bubbles: true, cancelable: true, dataTransfer: given};
          field.dispatchEvent(new DragEvent("drop", how));
        }"""
    )

    alert = page.get_by_role("alert").filter(has_text="long.wav has 201.00 MB").first
    alert.wait_for()
    page.locator("input[type=file]").set_input_files(SAMPLES / "cat.jpg")
    page.get_by_role("radio", name=re.compile(r"^cat\.jpg")).wait_for()
    assert alert.is_visible()


def test_a_file_is_removed_and_brought_back(page):
    page.locator("input[type=file]").set_input_files(SAMPLES / "cat.jpg")
    file = page.get_by_role("radio", name=re.compile(r"^cat\.jpg"))
    file.wait_for()

    page.get_by_role("button", name="Remove").click()
    file.wait_for(state="hidden")
    page.get_by_role("button", name="Undo").click()

    file.wait_for()


@pytest.mark.slow
def test_what_was_explained_can_be_taken_home(page, tmp_path):
    take(page, "Chest X-ray, opacity")
    got = {label: downloaded(page, label) for label in ("PNG", "Array", "Bundle", "Report")}

    assert Image.open(io.BytesIO(got["PNG"])).width > 500
    with np.load(io.BytesIO(got["Array"])) as arrays:
        assert arrays[f"0_{DEFAULT_METHOD}"].shape == (224, 224)
    with zipfile.ZipFile(io.BytesIO(got["Bundle"])) as bundle:
        manifest = next(name for name in bundle.namelist() if name.endswith("manifest.json"))
        assert json.loads(bundle.read(manifest))["input"]["file"] == "xray_opacity.jpg"
    assert b"Content-Security-Policy" in got["Report"]
    assert b"xray_opacity.jpg" in got["Report"]


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_every_part_of_the_page_is_accessible(browser, site, scheme):
    with visit(browser, site[0]) as page:
        take(page, "Human speech")
        if scheme == "dark":
            toggle_theme(page)
        picture(page, f"explain_{scheme}")
        assert axe_faults(page) == []


def test_a_phone_shows_answer_map_and_methods_on_one_screen(browser, site):
    with visit(browser, site[0], has_touch=True) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.reload()
        page.get_by_role("tab", name="Explain").wait_for()
        page.locator("input[type=file]").set_input_files(SAMPLES / "xray_opacity.jpg")
        the_map(page, FIRST).wait_for()
        picture(page, "phone")

        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for part in (
            page.get_by_text(re.compile(r"^opacity, 9")).first,
            page.get_by_role("img", name=re.compile(FIRST)).first,
            tile(page, FIRST).first,
            page.get_by_role("tab", name="Trust"),
        ):
            box = part.bounding_box()
            assert box["y"] + box["height"] <= 844
        open_tab(page, "Trust")
        page.get_by_role("button", name="Close the panel").click()
        page.get_by_role("button", name="Open the panel").wait_for()


def test_the_help_opens_on_request_and_closes_by_escape(page):
    page.get_by_role("button", name="Help and keyboard shortcuts").click()
    page.get_by_role("dialog").get_by_text("How this works").wait_for()

    page.keyboard.press("Escape")

    page.get_by_role("dialog").wait_for(state="hidden")


@pytest.mark.slow  # a server of its own; the refusal itself is tested in test_service.py
def test_a_model_with_code_in_it_is_refused_in_words(browser, tmp_path):
    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.Lambda(lambda x: x * 2)(keras.layers.Flatten()(inputs))
    (tmp_path / "models").mkdir()
    keras.Model(inputs, keras.layers.Dense(2)(outputs)).save(tmp_path / "models" / "evil.keras")
    with (
        serving(tmp_path, "--models", str(tmp_path / "models"), "--workers", "1") as (url, _),
        visit(browser, url) as page,
    ):
        choose_model(page, "evil")
        page.get_by_role("alert").filter(has_text="evil contains code").first.wait_for()
        take(page, "Chest X-ray, opacity")
