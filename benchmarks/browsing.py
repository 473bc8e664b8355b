"""How long a real Chromium takes until it shows something, by the clock of the page itself."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import ElementHandle, Locator, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT = 120_000  # milliseconds

# What follows runs in the page: it starts a clock at an event of `source` and stops it when the
# prediction, and when a map, was gone or became another and is there, its picture decoded. It
# looks anew in every frame, because parts of the page are replaced when another kind of file comes.
WATCH = """
([source, event]) => {
  const find = (selector, root = document) => {
    const found = root.querySelector(selector);
    if (found) return found;
    for (const each of root.querySelectorAll("*")) {
      const within = each.shadowRoot && find(selector, each.shadowRoot);
      if (within) return within;
    }
    return null;
  };
  const text = (selector) => find(selector)?.textContent;
  const words = text(".look-headline"), title = text("figcaption");
  window.spent = new Promise((done, fail) => {
    const spent = {};
    let start, gone = false, replaced = false;
    setTimeout(() => fail(`nothing was shown: ${JSON.stringify(
      [spent, start, gone, words, text(".look-headline"), title, text("figcaption")])}`), 60000);
    const look = () => {
      const said = text(".look-headline"), caption = find("figcaption");
      gone ||= said !== words;
      if (said && gone) spent.prediction ??= performance.now() - start;
      replaced ||= caption?.textContent !== title;
      if (!(replaced && spent.prediction && caption?.textContent.startsWith("Squared IG"))) {
        requestAnimationFrame(look);
        return;
      }
      const images = [...caption.parentNode.querySelectorAll(".over img, .layers > img")];
      Promise.all(images.filter((i) => i.src && !i.hidden).map((i) => i.decode())).then(() => {
        spent.picture = performance.now() - start;
        done(spent);
      }, () => requestAnimationFrame(look));  // a picture was replaced meanwhile
    };
    const begin = () => {
      start = performance.now();
      look();
    };
    // A list of buttons is drawn anew when the answer of one arrives.
    const heard = event === "click" ? document : source;
    heard.addEventListener(event, begin, {capture: true, once: true});
  });
}
"""
# Clicks a button and waits until an element says, or is, something.
CLICK = """
([button, element, attribute, wanted]) => new Promise((done) => {
  const start = performance.now();
  const value = () => attribute ? element.getAttribute(attribute) : element.textContent;
  const look = () => {
    if (value().startsWith(wanted)) done(performance.now() - start);
    else requestAnimationFrame(look);
  };
  button.click();
  look();
})
"""


@contextmanager
def visit(url: str) -> Iterator[Page]:
    """A page of the dashboard in a browser."""
    path = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.goto(url)
        yield page
        browser.close()


def take(page: Page, sample: str) -> None:
    """Take a sample, if it is not on the page, and wait for its map."""
    button = _sample(page, sample)
    if button.get_attribute("aria-checked") == "true":
        return
    if page.locator(".look-headline").count():
        take_another(page, sample)
    else:
        button.click()
        page.get_by_text(re.compile(r"^Squared IG: why")).first.wait_for()


def drop(page: Page, path: Path) -> tuple[float, float]:
    """Seconds from a file that is dropped to its prediction and to its first map.

    Another file has to be on the page.
    """
    field = page.locator("input[type=file]").first
    _watch(page, field.element_handle(), "change")
    field.set_input_files(path)
    return _spent(page)


def take_another(page: Page, sample: str) -> tuple[float, float]:
    """Seconds from the click on a sample to its prediction and to its first map.

    Another one has to be on the page.
    """
    button = _sample(page, sample)
    _watch(page, button.element_handle(), "click")
    button.click()
    return _spent(page)


def _sample(page: Page, sample: str) -> Locator:
    """Its button, whose name ends with its answer once it was read."""
    return page.get_by_role("radio", name=re.compile(f"^{re.escape(sample)}")).first


def choose_method(page: Page, method: str) -> float:
    """Seconds from the click on a method to the caption of its map."""
    tiles = page.get_by_role("toolbar", name="Methods")
    button = tiles.get_by_role("button", name=re.compile(rf"^{re.escape(method)}")).first
    caption = page.locator("figcaption").first.element_handle()
    return page.evaluate(CLICK, [button.element_handle(), caption, "", method]) / 1000


def choose_mode(page: Page, mode: str) -> float:
    """Seconds from the click on a button of the picture until it is pressed."""
    button = page.get_by_role("button", name=mode, exact=True).first.element_handle()
    return page.evaluate(CLICK, [button, button, "aria-pressed", "true"]) / 1000


def _watch(page: Page, source: ElementHandle, event: str) -> None:
    page.evaluate(WATCH, [source, event])


def _spent(page: Page) -> tuple[float, float]:
    spent = page.evaluate("window.spent")
    return spent["prediction"] / 1000, spent["picture"] / 1000
