"""What the socket of a page takes, and what closes it: a real client against a real server."""

import asyncio
import base64
import gzip
import json
import os
from contextlib import suppress
from pathlib import Path

import panel as pn
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

from dashboards.server.settings import ServeSettings
from dashboards.server.socket_guard import NUM_OBJECTS, TEXT
from tests.dashboards.test_serve import Site, token_of
from tests.waiting import PATIENCE, patiently

MEGABYTE = 2**20


class SliderSite(Site):
    """A server whose page is a slider."""

    def build(self, service, settings):
        self.slider = pn.widgets.IntSlider(label="seed", end=9)
        return self.slider


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    site = SliderSite(ServeSettings(port=0, cache=cache, idle_seconds=PATIENCE))
    yield site
    site.close()


def header(kind="PATCH-DOC", num_buffers=0, **more):
    return json.dumps({"msgid": "1", "msgtype": kind, "num_buffers": num_buffers, **more})


def patch(new, model="p0", **event):
    event = {"kind": "ModelChanged", "attr": "tags", "new": new, "model": {"id": model}, **event}
    return [header(), "{}", json.dumps({"events": [event]})]


def with_buffer(parts, data, name="b"):
    return [header(num_buffers=1), *parts[1:], json.dumps({"id": name}), data]


async def connect(site):
    """The socket of a new page, open."""
    request = HTTPRequest(f"{site.url.replace('http', 'ws')}/ws", headers={"Origin": site.url})
    token = token_of(site.get().text)
    connection = await websocket_connect(request, subprotocols=["bokeh", token])
    await answer(connection)
    return connection


async def say(connection, parts):
    """Say a message, as much of it as is listened to; gives the answer."""
    with suppress(WebSocketClosedError):
        for part in parts:
            await connection.write_message(part, binary=isinstance(part, bytes))
    return await answer(connection)


async def answer(connection):
    """Header, metadata and content; the last that came is None where the server hung up."""
    heard = [await connection.read_message()]
    while len(heard) < 3 and heard[-1] is not None:
        heard.append(await connection.read_message())
    return heard


def talk(site, *messages):
    """Say messages; gives the answer to each."""

    async def all_of_them():
        connection = await connect(site)
        heard = [await say(connection, parts) for parts in messages]
        connection.close()
        if heard[-1][-1] is not None:
            assert await connection.read_message() is None
        return heard

    return asyncio.run(patiently(all_of_them()))


def slider_id(site):
    (model,) = site.slider._models.values()
    return model[0].id


def peak(reset=False):
    """The most memory this process, which is also the server, had since the last reset, in MB."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def bomb(megabytes):
    data = base64.b64encode(gzip.compress(bytes(megabytes * MEGABYTE))).decode()
    return {"type": "bytes", "data": data}


def use(name="b"):
    return {"type": "bytes", "data": {"id": name}}


def array(data, dtype, shape=(1,)):
    return {"type": "ndarray", "array": data, "dtype": dtype, "shape": shape, "order": "little"}


def test_what_a_page_sends_arrives(site):
    pull = [header("PULL-DOC-REQ"), "{}", "{}"]

    ((head, _, content),) = talk(site, pull)

    assert "PULL-DOC-REPLY" in head
    root = json.loads(content)["doc"]["roots"][0]
    assert root["attributes"]["end"] == 9


def test_numbers_and_buffers_of_a_page_arrive(site):
    page = patch([array(use(), "float32", [2]), {"type": "map", "entries": [["a", 1]]}])

    answers = talk(site, with_buffer(page, bytes(8)), patch(5))

    # Here by an error: there is no such model. The socket stays open.
    assert all(len(heard) == 3 and "can't resolve reference" in heard[2] for heard in answers)


HOSTILE = {
    "compressed bytes": patch(bomb(1)),
    "compressed, deep down": patch({"type": "map", "entries": [["a", [[{"b": bomb(1)}]]]]}),
    "long letters": patch(array(["a"], "U99999999")),
    "bytes that are none": patch({"type": "bytes"}),
    "a buffer used often": with_buffer(patch([array(use(), "uint8")] * 2), bytes(MEGABYTE)),
    "a text too long": ["x" * (TEXT + 1)],
    "a header too long": [header(), "x" * (TEXT + 1)],
    "many buffers": [
        header(num_buffers=10**9),
        "{}",
        '{"events": []}',
        *[json.dumps({"id": "b"}), b"x"] * 20,
    ],
    "buffers too large": [
        header(num_buffers=3),
        "{}",
        '{"events": []}',
        *[json.dumps({"id": "b"}), bytes(8 * MEGABYTE)] * 3,
    ],
    "too many models": patch(
        [{"type": "object", "name": "Title", "id": str(n)} for n in range(NUM_OBJECTS + 1)]
    ),
    "another document": [header("PUSH-DOC"), "{}", '{"doc": {}}'],
    "a further root": patch(0, kind="RootAdded"),
    "endless columns": patch(0, kind="ColumnsStreamed"),
    "deep lists": [header(), "{}", "[" * 100_000],
    "no header": ["[]", "{}", "{}"],
    "no type": ["{}", "{}", "{}"],
    "no JSON": ["<", "{}", "{}"],
    "no events": [header(), "{}", "[]"],
    "events that are none": [header(), "{}", '{"events": 7}'],
    "bytes for text": [b"\x00\xff"],
    "text for bytes": [header(num_buffers=1), "{}", '{"events": []}', '{"id": "b"}', "x"],
    "a buffer's name missing": [header(num_buffers=1), "{}", '{"events": []}', "{}", b"x"],
    "an unknown type": [header("<b>" * 200), "{}", "{}"],
}


@pytest.mark.parametrize("parts", HOSTILE.values(), ids=HOSTILE)
def test_what_no_page_sends_closes_the_socket(site, parts):
    assert talk(site, parts) == [[None]]


def test_the_others_stay_connected(site):
    talk(site, HOSTILE["compressed bytes"])

    test_what_a_page_sends_arrives(site)


def test_the_slider_of_a_page_moves_and_the_next_message_is_refused(site):
    async def visit():
        connection = await connect(site)
        slider = site.slider
        moved = await say(connection, patch(5, model=slider_id(site), attr="value"))
        await say(connection, [*patch(bomb(1)), *patch(7, model=slider_id(site), attr="value")])
        connection.close()
        return moved, slider.value

    moved, value = asyncio.run(patiently(visit()))

    assert '"OK"' in moved[0]
    assert value == 5


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="looks into /proc")
@pytest.mark.parametrize(
    "parts",
    [
        patch(bomb(300)),
        patch(array(["a"] * 10_000, "U9999")),
        with_buffer(patch([array(use(), "uint8")] * 50), bytes(8 * MEGABYTE)),
        [
            header(num_buffers=10**6),
            "{}",
            '{"events": []}',
            *[json.dumps({"id": "b"}), bytes(MEGABYTE)] * 60,
        ],
    ],
    ids=["compressed", "letters", "copies", "buffers"],
)
def test_an_attack_takes_no_memory(site, parts):
    talk(site, patch(0))
    before = peak(reset=True)

    assert talk(site, parts) == [[None]]

    assert peak() - before < 100
