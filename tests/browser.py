"""What the tests of the page share: Debian's Chromium, a served page, and what axe-core says of it.

with served(create_app) as url, chromium() as browser:
    page = browser.new_page()
    page.goto(url)
    assert axe_faults(page) == []
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required")


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser without a window; the test is skipped where none is installed.

    Args:
        flags: of Chromium, besides `FLAGS`.
    """
    api = pytest.importorskip("playwright.sync_api", reason="Playwright: pip install playwright")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("There is no Chromium. Install one: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(make_page: Callable[[], Any]) -> Iterator[str]:
    """Serve a page of Panel in a thread, a new one for each visitor; gives its URL."""
    import panel as pn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = pn.serve(
        make_page,
        port=port,
        address="127.0.0.1",
        websocket_origin=f"localhost:{port}",
        threaded=True,
        show=False,
        verbose=False,
    )
    url = f"http://localhost:{port}"
    try:
        _wait_for(url)
        yield url
    finally:
        server.stop()
        server.join(timeout=10)


@contextmanager
def complaints(page: Page) -> Iterator[list[str]]:
    """What a page writes to the console as an error, or throws, meanwhile."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda entry: entry.type == "error" and found.append(entry.text))
    yield found


def frames_sent(page: Page) -> list[str]:
    """What the page says to the server from now on; call it before the page is opened."""
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    return sent


def axe_faults(page: Page, context: str | None = None) -> list[str]:
    """The serious and critical faults axe-core finds, a line each.

    Args:
        page: a page that has been drawn.
        context: a CSS selector of the part to look at; the whole page if left out.
    """
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=context).response["violations"]
    return [
        f"{fault['id']} ({fault['impact']}): {fault['help']}: {node['target']} {node['html'][:300]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def eventually(check: Callable[[], Any], seconds: float = 10) -> None:
    """Wait until something is so, or fail."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _wait_for(url: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urlopen(f"{url}/favicon.ico", timeout=5).close()
            return
        except URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
