"""A guard for the socket of a page: Bokeh's own accepts and unpacks any message of a client."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from bokeh.protocol.exceptions import ProtocolError
from bokeh.protocol.message import Message
from panel.io.server import WSHandler
from tornado.web import Application

TEXT = 2**20  # characters per part; JSON can take twenty times as much memory
BYTES = 20 * 2**20  # of all parts of a message; files come in chunks of 4 MB
NUM_BUFFERS = 16
NUM_OBJECTS = 100  # new models in one message; the page creates hardly any
POLICY_VIOLATION = 1008  # among the codes of RFC 6455
MESSAGES = ("PATCH-DOC", "PULL-DOC-REQ", "SERVER-INFO-REQ")
EVENTS = ("ModelChanged", "MessageSent", "ColumnDataChanged")
NUMBERS = (
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float32",
    "float64",
    "object",
)
_log = logging.getLogger(__name__)


class GuardedSocket(WSHandler):
    """Closes at the first message that is too large, malformed, or not sent by our pages."""

    receiver: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._num_parts, self._size, self._refused = 0, 0, False

    async def _receive(self, fragment: str | bytes) -> Message[Any] | None:
        """Handle a part of a message; returns the message once it is complete."""
        if self._refused:  # a client may go on sending after the close
            return None
        try:
            self._count(fragment)
            message = await self.receiver.consume(fragment)
            if message is not None:
                self._num_parts = self._size = 0
                check(message)
            return message
        except Exception as error:  # malformed messages raise anything; only this socket is closed
            self._refuse(f"{type(error).__name__}: {error}")
            return None

    def _count(self, fragment: str | bytes) -> None:
        self._num_parts += 1
        self._size += len(fragment)
        if isinstance(fragment, str) and len(fragment) > TEXT:
            raise ProtocolError(f"a text of more than {TEXT} characters")
        if self._size > BYTES or self._num_parts > 3 + 2 * NUM_BUFFERS:
            raise ProtocolError(f"more than {BYTES} bytes or {NUM_BUFFERS} buffers")

    def _refuse(self, why: str) -> None:
        self._refused = True
        self.receiver = None  # frees the parts received so far
        _log.warning("Closed a socket: %.200r", why)
        self.close(POLICY_VIOLATION, "Invalid message.")

    # Bokeh's methods put the whole message into the reason, which is limited to 123 bytes.
    _internal_error = _protocol_error = _refuse


def guard_sockets(application: Application) -> None:
    """Replace the socket handlers of a server by guarded ones; Bokeh has no option for it."""
    for rule in application.wildcard_router.rules:
        if rule.target is WSHandler:
            rule.target = GuardedSocket


def check(message: Message[Any]) -> None:
    """Check that unpacking a message takes no more memory than the message itself.

    Raises:
        ProtocolError: it would, or our pages do not send such a message.
    """
    if message.msgtype not in MESSAGES:
        raise ProtocolError(f"a message of type {message.msgtype}")
    if message.msgtype == "PATCH-DOC":
        for event in message.content["events"]:
            if event["kind"] not in EVENTS:
                raise ProtocolError(f"an event of kind {event['kind']}")
    records = list(_records(message.content))
    if sum(record.get("type") == "object" for record in records) > NUM_OBJECTS:
        raise ProtocolError(f"more than {NUM_OBJECTS} new models")
    if any(r.get("type") == "ndarray" and r["dtype"] not in NUMBERS for r in records):
        raise ProtocolError("an array that is not numeric")  # "U99999" takes 400 kB per item
    packed = [record["data"] for record in records if record.get("type") == "bytes"]
    if any(not isinstance(data, dict) for data in packed):
        raise ProtocolError("compressed bytes")  # 260 kB can unpack to 200 MB
    if len({data["id"] for data in packed}) < len(packed):
        raise ProtocolError("a buffer that is used twice")  # each use may be a copy


def _records(content: Any) -> Iterator[dict[str, Any]]:
    """All dicts in JSON content, at any depth."""
    left = [content]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            yield item
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
