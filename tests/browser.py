"""What the tests of the page share: Debian's Chromium, a served page, and what axe-core says of it.

with served(create_app) as url, chromium() as browser:
    page = browser.new_page()
    page.goto(url)
    assert axe_faults(page) == []
"""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.waiting import PATIENCE, eventually

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
        browser.new_context = _patient(browser.new_context)
        browser.new_page = _patient(browser.new_page)
        api.expect.set_options(timeout=1000 * PATIENCE)
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
        eventually(lambda: _answers(url))
        yield url
    finally:
        server.stop()
        server.join(timeout=PATIENCE)


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


# A button that fades from disabled to enabled has, for a moment, colors of no state.
STILL = """() => {
  const roots = [document]
  for (const root of roots) {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) roots.push(element.shadowRoot)
    }
  }
  return !roots.some((root) => root.getAnimations().some((one) => one instanceof CSSTransition))
}"""


def axe_faults(page: Page, context: str | None = None) -> list[str]:
    """The serious and critical faults axe-core finds, a line each.

    Args:
        page: a page that has been drawn.
        context: a CSS selector of the part to look at; the whole page if left out.
    """
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_function(STILL)
    found = Axe().run(page, context=context).response["violations"]
    return [
        f"{fault['id']} ({fault['impact']}): {fault['help']}: {node['target']} {node['html'][:300]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def tells(page: Page, condition: Callable[[], Any]) -> None:
    """Wait until what the browser tells makes something so; it tells only while it is heard."""
    eventually(condition, lambda: page.wait_for_timeout(50))


def quiet(page: Page, sent: list[str]) -> None:
    """Wait until a page has nothing more to say by itself, as after it was drawn.

    Args:
        page: the page.
        sent: what it says, from `frames_sent`.
    """

    def is_quiet() -> bool:
        before = len(sent)
        page.wait_for_timeout(500)
        return len(sent) == before

    eventually(is_quiet)


def next_said(page: Page, sent: list[str], key: str) -> bool:
    """Whether what a page says next to the server is a key that is pressed now.

    Args:
        page: the page.
        sent: what it says, from `frames_sent`.
        key: one that the server answers.
    """
    page.keyboard.press(key)
    tells(page, lambda: len(sent) >= 3)  # a message is a header, metadata and content
    return f'"{key}"' in sent[2]


def settled(page: Page) -> None:
    """Wait until nothing of a page moves or changes its color, but for what does so for ever."""

    def is_settled() -> bool:
        before = page.evaluate(_LOOKS)
        page.wait_for_timeout(500)
        return page.evaluate(_MOVES) == 0 and page.evaluate(_LOOKS) == before

    eventually(is_settled)


def choose_option(page: Page, menu: str, part: str) -> None:
    """Choose, from a menu that is the browser's own, the first option that contains a text."""
    box = page.get_by_role("combobox", name=menu, exact=True)
    option = box.locator("option", has_text=part).first
    option.wait_for(state="attached")
    box.select_option(option.text_content())


def toggle_theme(page: Page) -> None:
    """Change from the light to the dark theme or back, and wait for the change."""
    ink = "() => getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ink)
    page.get_by_role("button", name=re.compile("theme|dark|light", re.I)).first.click()
    page.wait_for_function(f"(before) => ({ink})() !== before", arg=before)
    settled(page)


def _patient(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(**options: Any) -> Any:
        page = make(**options)
        page.set_default_timeout(1000 * PATIENCE)
        return page

    return made


def _answers(url: str) -> bool:
    try:
        urlopen(f"{url}/favicon.ico", timeout=PATIENCE).close()
    except URLError:
        return False
    return True


_ELEMENTS = """
const elements = (root) => [...root.querySelectorAll("*")].flatMap(
  (element) => element.shadowRoot ? [element, ...elements(element.shadowRoot)] : [element])
"""
_LOOKS = f"""() => {{ {_ELEMENTS}
  const looks = elements(document).map((element) => getComputedStyle(element))
  return looks.map(({{color, backgroundColor}}) => color + backgroundColor).join(" ")
}}"""
_MOVES = f"""() => {{ {_ELEMENTS}
  return elements(document).flatMap((element) => element.getAnimations()).filter(
    (one) => one.playState === "running" && one.effect.getComputedTiming().endTime !== Infinity
  ).length
}}"""
