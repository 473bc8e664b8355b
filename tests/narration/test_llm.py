"""The second voice, by a real language model behind Ollama's protocol: states, never words."""

import asyncio
import json
import math
import os
import re
import signal
import socket
import subprocess
from contextlib import aclosing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from dashboards.state.narrator import Narrator
from tests.conftest import SHARED
from tests.narration.test_narrate import corner, explained, predicted, reading_of
from tests.waiting import PATIENCE, patiently, until
from xai_tf.narration import facts
from xai_tf.narration.llm import Deadlines, GeneratedText, generate_text
from xai_tf.narration.messages import STATES, LanguageModelError, describe_state
from xai_tf.narration.ollama import server_status, server_url
from xai_tf.narration.parsing import claims_so_far

STANDIN = SHARED.parent / "tools" / "ollama_standin.sh"
MODEL = "smollm2:135m"
FACTS = facts(reading_of(predicted(0.1274, 0.8726)))
MEDICAL = facts(reading_of(predicted(0.1274, 0.8726)), medical=True)
PATIENT = Deadlines(first=PATIENCE, between=PATIENCE, whole=2 * PATIENCE)
ENDLESS = Deadlines(first=math.inf, between=math.inf, whole=math.inf)


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    """The URL of a server whose model has read the prompt once, so that it is quick."""
    if not STANDIN.exists():
        pytest.skip(f"There is no stand-in for Ollama at {STANDIN}.")
    with _standin(tmp_path_factory.mktemp("standin")) as url:
        arm(url, kind="cut", after=1)
        assert state_of(url) == "interrupted"
        yield url


@contextmanager
def _standin(folder: Path, *options: str):
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["bash", STANDIN, "0", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        line = process.stdout.readline()
        if "http://" not in line:
            pytest.skip(f"The stand-in for Ollama does not start: {(folder / 'log').read_text()}")
        yield line.split()[2]
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        process.stdout.close()


@pytest.fixture
def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def server(answers: dict[str, tuple[int, bytes, dict[str, str]]]):
    """A small HTTP server with fixed answers by path; gives its URL and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.path, body))
            status, content, headers = answers.get(self.path, (404, b"404 page not found", {}))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  (the name that http.server calls)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, args=[0.02], daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()


def tags(*models: dict) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps({"models": list(models)}).encode(), {}


def arm(url: str, **fault) -> None:
    httpx.post(f"{url}/_standin/fault", json=fault, timeout=PATIENCE).raise_for_status()


def say(url: str, *sentences: tuple[str, str]) -> None:
    """Let the model say (text, id of the fact it cites) next."""
    items = [{"facts": [cite], "text": text} for text, cite in sentences]
    arm(url, kind="say", text=json.dumps({"sentences": items}))


async def told(
    url: str, model: str = MODEL, deadlines: Deadlines = PATIENT, **parts
) -> GeneratedText:
    """The last of what is said."""
    asked = parts.get("facts", FACTS), parts.get("language", "en")
    async with aclosing(generate_text(*asked, model, url, deadlines)) as answer:
        return [spoken async for spoken in answer][-1]


@pytest.fixture
def heard(monkeypatch) -> list[str]:
    """The answer so far, at each piece of it that arrived."""
    texts = []

    def look(text):
        texts.append(text)
        return claims_so_far(text)

    monkeypatch.setattr("xai_tf.narration.llm.claims_so_far", look)
    return texts


def state_of(url: str, model: str = MODEL, deadlines: Deadlines = PATIENT) -> str:
    """The state in which speaking ends."""
    with pytest.raises(LanguageModelError) as raised:
        asyncio.run(patiently(told(url, model, deadlines)))
    return raised.value.state


# Where the server is


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://127.0.0.1:8080"),
        ("::", "http://127.0.0.1:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        (":8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:11434/", "http://127.0.0.1:11434"),
        ("gpu-box", "http://gpu-box:11434"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://gpu-box/ollama/", "https://gpu-box:443/ollama"),
        (' "localhost:11435" ', "http://localhost:11435"),
    ],
)
def test_address_is_completed(setting, url):
    assert httpx.URL(server_url(setting)) == httpx.URL(url)


@pytest.mark.parametrize("setting", ["ftp://box", "box:port", "box:99999", "a b", "1:2:3"])
def test_what_is_no_address_is_said_to_be_none(setting):
    with pytest.raises(LanguageModelError) as raised:
        server_url(setting)

    assert raised.value.state == "no_address"
    assert "OLLAMA_HOST" in str(raised.value)


def test_address_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "0.0.0.0:4711")

    assert server_url() == "http://127.0.0.1:4711"


# What it has


def test_server_that_is_not_running_is_told_apart(closed_port):
    assert asyncio.run(server_status(closed_port)).state == "not_running"
    assert state_of(closed_port) == "not_running"


def test_server_without_models_is_told_apart():
    with server({"/api/tags": tags()}) as (url, _):
        assert asyncio.run(server_status(url)).state == "no_model"
        assert state_of(url) == "no_model"


def test_other_servers_are_told_apart():
    elsewhere = (302, b"", {"Location": "http://127.0.0.1:1/api/tags"})
    for answer in (
        (200, b"<html>", {}),
        (200, b"[]", {}),
        (200, b'{"models": [{}]}', {}),
        (500, b"", {}),
        elsewhere,
    ):
        with server({"/api/tags": answer}) as (url, _):
            assert asyncio.run(server_status(url)).state == "not_ollama"


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "gpt-oss:120b-cloud", "model": "gpt-oss:120b-cloud"},
        {"name": "big:cloud", "model": "big:cloud"},
        {"name": "mine:latest", "model": "mine:latest", "remote_host": "https://ollama.com:443"},
        {"name": "mine:latest", "model": "mine:latest", "remote_model": "gpt-oss:120b"},
    ],
)
def test_model_that_would_leave_the_machine_is_refused_unasked(entry):
    with server({"/api/tags": tags(entry, {"name": "local:1b", "model": "local:1b"})}) as (
        url,
        asked,
    ):
        state = asyncio.run(server_status(url))

        assert state.models == ("local:1b",)
        assert state.refused == (entry["name"],)
        assert state_of(url, entry["name"].removesuffix(":latest")) == "refused"
        assert {path for path, _ in asked} == {"/api/tags"}


def test_model_that_only_embeds_is_not_offered():
    entry = {"name": "nomic-embed-text:latest", "capabilities": ["embedding"]}
    with server({"/api/tags": tags(entry)}) as (url, _):
        assert asyncio.run(server_status(url)).state == "no_model"


# What is sent


def test_facts_and_nothing_else_are_sent(monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # must not be used
    answers = {"/api/tags": tags({"name": MODEL}), "/api/chat": (200, b"", {})}
    found = facts(reading_of(predicted(0.1, 0.9)), [explained(corner())])
    with server(answers) as (url, asked), pytest.raises(LanguageModelError):
        asyncio.run(told(url, facts=found))

    (body,) = [json.loads(body) for path, body in asked if path == "/api/chat"]
    assert set(body) == {"model", "messages", "stream", "format", "options", "think", "tools"}
    assert body["think"] is False
    assert body["tools"] == []
    assert body["options"]["num_ctx"] == 4096
    assert body["options"]["temperature"] == 0
    assert body["options"]["seed"] == 0
    assert body["format"]["additionalProperties"] is False
    assert json.dumps(body["format"]) in body["messages"][0]["content"]
    assert all(set(message) == {"role", "content"} for message in body["messages"])
    assert not any(private in json.dumps(body) for private in ("jane_doe", "made.png", "0" * 64))


def test_redirect_is_not_followed(closed_port):
    with server({}) as (elsewhere, asked_elsewhere):
        moved = (307, b"", {"Location": f"{elsewhere}/api/chat"})
        with server({"/api/tags": tags({"name": MODEL}), "/api/chat": moved}) as (url, _):
            assert state_of(url) in STATES
    assert asked_elsewhere == []


# What can happen


def test_model_that_is_not_there_is_told_apart(standin):
    assert state_of(standin, "llama3.2") == "not_pulled"


def test_answer_with_right_numbers_is_told(standin):
    say(standin, ("The answer is 'opacity' with 87.3%.", "F1"), ("Next is 12.7%.", "F2"))

    spoken = asyncio.run(told(standin))

    assert spoken == GeneratedText(
        ("The answer is 'opacity' with 87.3%.", "Next is 12.7%."), (), True
    )


def test_sentence_with_a_wrong_number_is_withheld_and_counted(standin):
    say(standin, ("It is 87.3%.", "F1"), ("It is 97.3%.", "F1"), ("It is 12.7%.", "F1"))

    spoken = asyncio.run(told(standin))

    assert spoken == GeneratedText(("It is 87.3%.",), ("number", "number"), True)


def test_sentences_come_as_they_are_written(standin):
    async def collect() -> list[GeneratedText]:
        async with aclosing(generate_text(FACTS, "en", MODEL, standin, PATIENT)) as answer:
            return [spoken async for spoken in answer]

    say(standin, *[(f"It is 87.3%, {word}.", "F1") for word in ("yes", "sure", "right")])
    seen = asyncio.run(collect())

    assert [len(spoken.sentences) for spoken in seen] == [1, 2, 3, 3]
    assert [spoken.complete for spoken in seen] == [False, False, False, True]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is 87.3%.",
        "[]",
        '{"sentences": []}',
        '{"sentences": [1]}',
        '{"sentences": "a"}',
        '{"sentences": [{"text": "a.", "facts": ["F1"]}], "more": 1}',
        '{"sentences": [{"text": "a.", "facts": "F1"}]}',
        '{"sentences": [{"text": "a.", "facts"',
        '{"sentences": [' + ",".join(['{"text": "a.", "facts": ["F1"]}'] * 7) + "]}",
    ],
)
def test_answer_of_another_form_is_unusable(standin, text):
    arm(standin, kind="say", text=text)

    assert state_of(standin) == "unusable"


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"kind": "status", "code": 503}, "busy"),
        ({"kind": "status", "code": 404, "message": "model 'x' not found"}, "not_pulled"),
        ({"kind": "status", "code": 403, "message": "remote model is unavailable"}, "refused"),
        ({"kind": "status", "code": 500, "message": "llama-server terminated"}, "interrupted"),
        ({"kind": "cut", "after": 3}, "interrupted"),
        ({"kind": "cut", "after": 0}, "interrupted"),
        ({"kind": "error", "after": 3}, "interrupted"),
        ({"kind": "no_done", "after": 3}, "interrupted"),
        ({"kind": "no_done", "after": 0}, "interrupted"),
        ({"kind": "garbage", "after": 3}, "unusable"),
    ],
)
def test_each_fault_has_its_state(standin, fault, state):
    arm(standin, **fault)

    assert state_of(standin) == state


@pytest.mark.parametrize(
    ("fault", "deadlines"),
    [
        ({"kind": "slow_load", "seconds": 2}, replace(ENDLESS, first=0.5)),
        ({"kind": "stall", "after": 3}, replace(ENDLESS, between=0.5)),
        ({"kind": "slow", "seconds": 0.3}, replace(ENDLESS, whole=1)),
    ],
)
def test_each_deadline_holds_and_frees_the_server(standin, fault, deadlines):
    arm(standin, **fault)

    assert state_of(standin, deadlines=deadlines) == "too_slow"

    say(standin, ("It is 87.3%.", "F1"))  # one answer at a time: it must have given up the first
    assert asyncio.run(told(standin)).complete


def test_cancelling_stops_the_work_of_the_server(standin, heard):
    async def cancel() -> GeneratedText:
        arm(standin, kind="stall", after=2)
        task = asyncio.create_task(told(standin, deadlines=ENDLESS))
        await until(lambda: heard)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        say(standin, ("It is 87.3%.", "F1"))
        return await told(standin)  # one answer at a time: it must have given up the first

    assert asyncio.run(patiently(cancel())).complete


def test_answer_that_fills_its_length_is_unusable():
    done = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "length"}
    whole = '{"sentences": [{"facts": ["F1"], "text": "It is 87.3%."}]}'
    part = {"message": {"role": "assistant", "content": whole}, "done": False}
    stream = "\n".join(map(json.dumps, (part, done))).encode()
    with server({"/api/tags": tags({"name": MODEL}), "/api/chat": (200, stream, {})}) as (url, _):
        assert state_of(url) == "unusable"


def test_runner_that_dies_is_an_interruption_and_can_be_asked_again(standin):
    arm(standin, kind="kill_runner", after=2)
    assert state_of(standin) == "interrupted"

    say(standin, ("It is 87.3%.", "F1"))
    assert asyncio.run(told(standin)).complete


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "fr"])
def test_real_model_answers_in_the_form_asked_for(standin, language):
    spoken = asyncio.run(told(standin, language=language))

    assert spoken.complete
    assert len(spoken.sentences) + len(spoken.withheld) > 0


# The narrator


async def settled(narrator: Narrator) -> str:
    """The status once nothing is under way."""
    await until(lambda: narrator.status not in ("looking", "writing"))
    return narrator.status


async def asked(facts=FACTS) -> Narrator:
    """A narrator whose second voice is wanted."""
    narrator = Narrator(facts=facts)
    narrator.wanted = True
    await asyncio.sleep(0)
    await settled(narrator)
    return narrator


async def spoken_by(narrator: Narrator) -> str:
    narrator.start()
    await asyncio.sleep(0)
    return await settled(narrator)


def test_narrator_finds_models_and_tells_what_passed(standin, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", standin.removeprefix("http://"))

    async def visit() -> Narrator:
        narrator = await asked()
        assert (narrator.status, narrator.model) == ("ready", MODEL)
        say(standin, ("It is 87.3%.", "F1"), ("It is 1%.", "F1"))
        assert await spoken_by(narrator) == "finished"
        return narrator

    narrator = asyncio.run(visit())
    assert narrator.sentences == ("It is 87.3%.",)
    assert narrator.withheld == ("number",)
    assert MODEL in narrator.label()
    assert narrator.withheld_message().startswith("1 ")


def test_what_was_said_goes_with_the_facts(standin, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", standin)

    async def visit() -> None:
        narrator = await asked()
        say(standin, ("It is 87.3%.", "F1"))
        await spoken_by(narrator)
        narrator.facts = facts(reading_of(predicted(0.3, 0.7)))
        assert (narrator.sentences, narrator.status) == ((), "ready")

    asyncio.run(visit())


def test_unfinished_answer_is_taken_back(standin, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", standin)

    async def visit() -> None:
        narrator = await asked()
        arm(standin, kind="cut", after=3)
        assert await spoken_by(narrator) == "interrupted"
        assert narrator.sentences == ()
        assert "again" in narrator.message()

    asyncio.run(visit())


def test_stopping_ends_the_voice(standin, heard, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", standin)

    async def visit() -> None:
        narrator = await asked()
        arm(standin, kind="stall", after=1)
        narrator.start()
        await until(lambda: heard)
        assert narrator.speaking
        narrator.stop()
        assert narrator.status == "stopped"
        say(standin, ("It is 87.3%.", "F1"))
        assert await spoken_by(narrator) == "finished"

    asyncio.run(visit())


def test_patient_needs_a_second_word_and_the_next_one_too():
    with (
        server({"/api/tags": tags({"name": MODEL})}) as (url, _),
        pytest.MonkeyPatch.context() as env,
    ):
        env.setenv("OLLAMA_HOST", url)

        async def visit() -> None:
            narrator = await asked(MEDICAL)
            assert not narrator.may_speak
            narrator.start()
            assert narrator.status == "ready"
            narrator.confirmed = True
            assert narrator.may_speak
            narrator.facts = FACTS
            assert narrator.may_speak
            narrator.facts = MEDICAL
            assert not narrator.may_speak

        asyncio.run(visit())


def test_narrator_says_what_is_wrong_with_the_server(closed_port, monkeypatch):
    async def visit() -> Narrator:
        return await asked()

    monkeypatch.setenv("OLLAMA_HOST", closed_port)
    assert asyncio.run(visit()).status == "not_running"
    monkeypatch.setenv("OLLAMA_HOST", "box:port")
    assert asyncio.run(visit()).status == "no_address"


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_words_of_its_own_in_both_languages(state):
    words = [STATES[state][language] for language in ("en", "fr")]

    assert state == "off" or all(words)
    assert sum(other == STATES[state] for other in STATES.values()) == 1


@pytest.mark.slow
def test_page_shows_what_passed_and_says_what_did_not(standin, monkeypatch):
    from dashboards.views.narration import NarrationView
    from tests.browser import axe_faults, chromium, served

    monkeypatch.setenv("OLLAMA_HOST", standin)
    hostile = predicted(0.1274, 0.8726, classes=("normal", "<b>opacity</b>"))
    found = facts(reading_of(hostile), medical=True)
    with (
        served(lambda: NarrationView(narrator=Narrator(facts=found))) as url,
        chromium() as browser,
    ):
        page = browser.new_page()
        page.goto(url)
        page.get_by_text("“<b>opacity</b>”").first.wait_for()
        page.get_by_label("Add a text by a language model").click()
        write = page.get_by_role("button", name="Write")
        write.wait_for()
        assert write.is_disabled()
        page.get_by_label("I understand that").click()
        say(standin, ("It is '<b>opacity</b>', 87.3%.", "F1"), ("It is 1%.", "F1"))
        write.click()

        page.get_by_role("status").get_by_text("It is '<b>opacity</b>', 87.3%.").wait_for()
        page.get_by_text("1 sentence withheld").wait_for()
        page.get_by_text("a language model, from the numbers above").wait_for()
        assert axe_faults(page) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning")
def test_dashboard_lets_the_voice_speak_of_a_photo_and_stops_it(standin, monkeypatch, tmp_path):
    from tests.browser import chromium
    from tests.dashboards.test_dashboard import serving, take, visit

    monkeypatch.setenv("OLLAMA_HOST", standin)
    with (
        serving(tmp_path) as (url, _),
        chromium() as browser,
        visit(browser, url) as page,
    ):
        take(page, "Dog, unknown breed")
        page.get_by_label("Add a text by a language model").click()
        write, stop = (
            page.get_by_role("button", name=name, exact=True) for name in ("Write", "Stop")
        )
        write.click()
        stop.wait_for()
        stop.wait_for(state="hidden")
        said = page.get_by_text("a language model, from the numbers above")
        withheld = page.get_by_text(re.compile(r"^\d+ sentences? withheld"))
        failed = page.get_by_text(describe_state("unusable", model=MODEL))
        said.or_(withheld).or_(failed).first.wait_for()

        arm(standin, kind="stall", after=0)
        write.click()
        stop.click()

        page.get_by_text(STATES["stopped"]["en"]).wait_for()
        assert not said.is_visible()
