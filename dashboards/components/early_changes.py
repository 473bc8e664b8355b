"""Changes made while the browser still draws the page: Panel 1.9 loses them, here they arrive.

Panel drops what a component changes before the browser reports that all is drawn, as "the document
is serialized in full once the session connects". It was serialized when the browser asked for it,
before it drew: with a page of many parts, or on a slow machine, seconds earlier. An answer that
comes in between would never be seen.
"""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import Any

from bokeh.document import Document
from bokeh.document.events import ModelChangedEvent
from panel.io import document as panel_documents

_drain = panel_documents._drain_unconnected_events  # noqa: SLF001  (Panel offers no other way)


def deliver() -> None:
    """From now on, in this process, send what changes once a browser has its connection.

    A change that the browser already has from the document is sent again, which changes nothing.
    """
    panel_documents._drain_unconnected_events = _drain_and_send  # noqa: SLF001


def _drain_and_send(document: Document, lock: Lock) -> list[Any]:
    changes = [
        event
        for event in document.callbacks._held_events or ()  # noqa: SLF001
        if isinstance(event, ModelChangedEvent)
    ]
    others = _drain(document, lock)
    session = getattr(document.session_context, "session", None)
    if changes and session is not None and session.connection_count:
        # On the document's own thread, under its lock: this one may be another.
        document.add_next_tick_callback(
            partial(panel_documents.retrigger_events, document, changes)
        )
    return others
