"""A visitor of the dashboard without a browser: a websocket that speaks Bokeh's protocol."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

LARGEST = 64 * 2**20  # bytes of a message


class Model:
    """A model of the page: id, kind ("Choices", "AttributionViewer", ...), values by name."""

    def __init__(self, id: str, kind: str) -> None:
        self.id, self.kind = id, kind
        self.values: dict[str, Any] = {}


class Visitor:
    """One browser session, without a picture of it.

    Attributes:
        models: what the page is made of, by id.
        errors: what the server said of a message that it could not take.
        said: (look, words) of all that the page said to screen readers, in order.
        largest: bytes of the longest message that came.
        gone: whether the server hung up.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.models: dict[str, Model] = {}
        self._welcome = False
        self._roots: list[str] = []
        self.errors: list[str] = []
        self.said: list[tuple[str, str]] = []
        self.largest, self.gone = 0, False
        self._news = asyncio.Event()

    async def arrive(self) -> None:
        """Load the page."""
        ask = HTTPRequest(f"{self._url}/", request_timeout=120)
        page = await AsyncHTTPClient().fetch(ask)
        token = re.search(r'"token":"([^"]+)"', page.body.decode()).group(1)
        self._socket: WebSocketClientConnection = await websocket_connect(
            HTTPRequest(f"{self._url.replace('http', 'ws', 1)}/ws", headers={"Origin": self._url}),
            subprotocols=["bokeh", token],
            max_message_size=LARGEST,
        )
        self._listening = asyncio.create_task(self._listen())
        await self.until(lambda: self._welcome, 60)  # before, the server hears nothing
        await self._say("PULL-DOC-REQ", {})
        await self.until(lambda: self.models, 60)
        await self._send({"type": "event", "name": "document_ready", "values": {"type": "map"}})

    def leave(self) -> None:
        """Close the page."""
        self._listening.cancel()
        self._socket.close()

    def all(self, kind: str, **values: Any) -> list[Model]:
        """All models of a kind with these values."""
        return [
            model
            for model in self.models.values()
            if model.kind == kind and all(model.values.get(k) == v for k, v in values.items())
        ]

    def find(self, kind: str, **values: Any) -> Model:
        """The model with these values.

        Raises:
            LookupError: there is none.
        """
        for model in self.all(kind, **values):
            return model
        raise LookupError(f"There is no {kind} with {values}.")

    def button(self, icon: str) -> Model | None:
        """The button with an icon that can be seen and pressed, or None."""
        for button in self.all("Button", icon=icon):
            drawn = self._drawn(button).values
            if drawn.get("visible", True) and not button.values.get("disabled"):
                return button
        return None

    async def set(self, model: Model, name: str, value: Any) -> None:
        """Change a value as a visitor does."""
        model.values[name] = value
        event = {"kind": "ModelChanged", "model": {"id": model.id}, "attr": name, "new": value}
        await self._say("PATCH-DOC", {"events": [event]})

    async def click(self, button: Model) -> None:
        """Press a button: the model that draws it hears of the click."""
        entries = [
            ["model", {"id": self._drawn(button).id}],
            ["node", "click"],
            ["data", {"type": "map"}],
        ]
        await self._send(_event("dom_event", entries))

    async def tell(self, model: Model, data: dict[str, Any]) -> None:
        """Send a message of a component, as its script does."""
        entries = [
            ["model", {"id": self._drawn(model).id}],
            ["data", {"type": "map", "entries": [list(pair) for pair in data.items()]}],
        ]
        await self._send(_event("data_event", entries))

    async def drop(self, path: Path, name: str) -> None:
        """Drop a file, of one piece, on the page."""
        data = path.read_bytes()
        piece = {"type": "bytes", "data": {"id": "piece"}}
        entries = [["file", 0], ["name", name], ["size", len(data)], ["at", 0], ["data", piece]]
        entries = [
            ["model", {"id": self._drawn(self._dropper()).id}],
            ["data", {"type": "map", "entries": entries}],
        ]
        await self._send(_event("data_event", entries), piece=data)

    def _dropper(self) -> Model:
        """The field for files; that for models takes larger ones."""
        return min(self.all("Dropper"), key=lambda one: one.values["max_bytes"])

    async def until(self, check: Callable[[], Any], seconds: float) -> float:
        """Wait until something is so; gives the seconds it took.

        Raises:
            TimeoutError: it did not happen.
            ConnectionError: the server hung up.
        """
        start = time.perf_counter()
        while not check():
            if self.gone:
                raise ConnectionError("The server hung up.")
            self._news.clear()
            left = start + seconds - time.perf_counter()
            await asyncio.wait_for(self._news.wait(), left)
        return time.perf_counter() - start

    async def _say(self, kind: str, content: dict, **buffers: bytes) -> None:
        header = {"msgid": uuid.uuid4().hex, "msgtype": kind, "num_buffers": len(buffers)}
        for part in (header, {}, content):
            await self._socket.write_message(json.dumps(part))
        for name, data in buffers.items():
            await self._socket.write_message(json.dumps({"id": name}))
            await self._socket.write_message(data, binary=True)

    async def _send(self, event: dict, **buffers: bytes) -> None:
        sent = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}
        await self._say("PATCH-DOC", {"events": [sent]}, **buffers)

    async def _listen(self) -> None:
        while (header := await self._socket.read_message()) is not None:
            header = json.loads(header)
            await self._socket.read_message()
            text = await self._socket.read_message()
            for _ in range(2 * header.get("num_buffers", 0)):
                await self._socket.read_message()
            if text is None:
                break
            self.largest = max(self.largest, len(text))
            self._hear(header["msgtype"], json.loads(text))
            self._news.set()
        self.gone = True
        self._news.set()

    def _hear(self, kind: str, content: dict) -> None:
        if kind == "ACK":
            self._welcome = True
        elif kind == "ERROR":
            self.errors.append(content["text"])
        elif kind == "PULL-DOC-REPLY":
            self._roots = list(_ids(self._plain(content["doc"]["roots"])))
        elif kind == "PATCH-DOC":
            for event in content["events"]:
                if event["kind"] == "ModelChanged" and event["model"]["id"] in self.models:
                    self._change(self.models[event["model"]["id"]], event)

    def _change(self, model: Model, event: dict) -> None:
        new = model.values[event["attr"]] = self._plain(event["new"])
        if any(_ids(new)):
            self._forget()
        if event["attr"] == "paragraphs":
            self.said += [(model.values.get("variant", "status"), text) for text in new]

    def _forget(self) -> None:
        """Keep the models that are still part of the page, as a browser does."""
        kept: dict[str, Model] = {}
        left = list(self._roots)
        while left:
            model = self.models.get(left.pop())
            if model and model.id not in kept:
                kept[model.id] = model
                left += _ids(list(model.values.values()))
        self.models = kept

    def _drawn(self, model: Model) -> Model:
        """What draws a model."""
        return next(m for m in self.models.values() if m.values.get("data") == {"id": model.id})

    def _plain(self, value: Any) -> Any:
        """A value as plain data; models in it are kept, and stand in it as {"id": ...}."""
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("type") == "object" and "id" in value:
            model = self.models[value["id"]] = Model(
                value["id"], value["name"].rstrip("0123456789")
            )
            model.values = {k: self._plain(v) for k, v in value.get("attributes", {}).items()}
            return {"id": value["id"]}
        if value.get("type") == "map":
            return {key: self._plain(item) for key, item in value.get("entries", [])}
        return value


def _ids(value: Any) -> Iterator[str]:
    """The models that a plain value refers to."""
    if isinstance(value, list):
        for item in value:
            yield from _ids(item)
    elif isinstance(value, dict):
        if list(value) == ["id"]:
            yield value["id"]
        else:
            yield from _ids(list(value.values()))


def _event(name: str, entries: list) -> dict:
    return {"type": "event", "name": name, "values": {"type": "map", "entries": entries}}
