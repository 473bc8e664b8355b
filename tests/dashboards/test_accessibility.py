"""Every part of the page with each of its menus open, on a real server, as axe-core judges it."""

import re

import pytest

import weights_keras
from tests.browser import axe_faults, choose_option, chromium, settled
from tests.conftest import SAMPLES, draw_stripes
from tests.dashboards.test_dashboard import FIRST, picture, serving, take, the_map, tile, visit
from tests.made_search import make_search
from weights_keras import ModelCard

WINDOWS = {"wide": (1440, 900), "phone": (390, 844)}
CLASSES = ("a", "b", "c")


@pytest.fixture(scope="module")
def url(tmp_path_factory, small_cnn):
    """A server with a small model, labeled files for it, and a search."""
    folder = tmp_path_factory.mktemp("site")
    card = ModelCard(
        name="small", task="dog_breeds", classes=CLASSES, backbone="cnn", image_size=(32, 32)
    )
    weights_keras.save(small_cnn, card, folder / "models")
    draw_stripes(folder / "data" / "stripes", CLASSES, 3)
    make_search(folder / "searches" / "made", max_epochs=3)
    options = ["--models", folder / "models", "--data", folder / "data"]
    options += ["--searches", folder / "searches"]
    with serving(folder, *map(str, options)) as (url, _):
        yield url


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def opened(page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def settings_of(page, method: str) -> None:
    close = page.get_by_role("button", name="Close the panel")
    if close.is_visible():  # on a phone it lies over the methods
        close.click()
    tile(page, method).first.click()
    opened(page, "Settings")
    page.get_by_text(re.compile(rf"^{re.escape(method)}\. ")).wait_for()


def evaluated(page) -> None:
    """The Errors tab after an evaluation, with a file chosen."""
    opened(page, "Errors")
    choose_option(page, "Model", "small")
    choose_option(page, "Labeled set", "stripes")
    page.locator("button:enabled", has_text="Evaluate").click()
    page.get_by_role("radiogroup", name="File").get_by_role("radio").first.click()
    page.get_by_role("combobox", name="Method", exact=True).wait_for()


def ordered(page, kind: str) -> None:
    """The form of the Tuning tab for a training or a search."""
    opened(page, "Tuning")
    cancel = page.get_by_role("button", name="Cancel")
    if cancel.is_visible():  # the other form
        cancel.click()
    page.get_by_role("button", name=kind).click()
    page.get_by_role("combobox", name="Labeled set").wait_for()


PARTS = {
    "why": (lambda page: opened(page, "Why"), set()),
    "trust": (lambda page: opened(page, "Trust"), set()),
    "settings": (lambda page: settings_of(page, "Grad-CAM"), {"rather than", "Any layer"}),
    "settings_rise": (lambda page: settings_of(page, "RISE"), {"Any class"}),
    "settings_lime": (lambda page: settings_of(page, "LIME"), set()),
    "compare": (
        lambda page: opened(page, "Compare"),
        {"Methods", "Columns", "Agreement on", "Scores for"},
    ),
    "layers": (
        lambda page: opened(page, "Layers"),
        {"Method", "Class explained", "Model on the left", "Model on the right"},
    ),
    "errors": (evaluated, {"Labeled set", "Model", "Split", "Method", "Class (one vs. rest)"}),
    "tuning": (lambda page: opened(page, "Tuning"), {"Search"}),
    "training": (
        lambda page: ordered(page, "Train a model"),
        {"Labeled set", "Its files are read as", "Backbone", "Picture size in pixels"},
    ),
    "search": (lambda page: ordered(page, "New search"), {"Backbones", "Trials"}),
}


def open_drawer(page) -> None:
    """Open the drawer that the files are in, if it is closed."""
    closed = page.get_by_role("button", name="Open drawer")
    closed.or_(page.get_by_role("button", name="Close drawer")).first.wait_for()
    if closed.is_visible():
        closed.click()


@pytest.mark.slow  # two visits to every part of the page
@pytest.mark.parametrize("window", WINDOWS)
def test_no_part_of_the_page_has_a_serious_fault_with_any_menu_open(browser, url, window):
    width, height = WINDOWS[window]
    faults = {}
    with visit(browser, url, has_touch=window == "phone") as page:
        page.set_viewport_size({"width": width, "height": height})
        page.reload()
        page.get_by_role("tab", name="Explain").wait_for()
        page.locator("input[type=file]").first.set_input_files(SAMPLES / "dog.jpg")
        the_map(page, FIRST).wait_for()
        for part, (show, expected) in PARTS.items():
            show(page)
            for name in sorted(expected):
                page.get_by_role("combobox", name=name, exact=True).wait_for()
            settled(page)
            picture(page, f"menus_{window}_{part}")
            faults[part] = axe_faults(page)
            menus = [menu for menu in page.get_by_role("combobox").all() if menu.is_visible()]
            assert len(menus) >= len(expected)
            for number, menu in enumerate(menus):
                menu.click()
                settled(page)
                picture(page, f"menus_{window}_{part}_{number}")
                name = menu.evaluate("menu => menu.labels?.[0]?.textContent ?? menu.outerHTML")
                faults[f"{part}, {name} open"] = axe_faults(page)
                menu.press("Escape")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, part
        page.get_by_role("tab", name="Explain").click()
        open_drawer(page)
        page.locator("input[type=file]").first.set_input_files(SAMPLES / "cat.jpg")
        page.get_by_text("cat.jpg").first.wait_for()
        if window == "phone":  # it closes over a file that was taken
            page.get_by_role("button", name="Open drawer").wait_for()
        open_drawer(page)
        page.get_by_role("button", name="All files").click()
        page.get_by_role("radiogroup", name="All files").wait_for()
        settled(page)
        faults["files"] = axe_faults(page)

    assert {part: found for part, found in faults.items() if found} == {}


FOCUSED = """() => {
  let element = document.activeElement
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
  const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent
  return label ?? element.textContent.trim()
}"""
STOPS = {
    "files": "^Choose files",
    "samples": "^Chest X-ray, opacity",
    "model": "^Model: ",
    "verdict": "^Can this map be trusted",
    "picture tools": "^Original$",
    "methods": FIRST,
    "panel": "^Settings$",
    "classes": "^opacity",
    "exports": "PNG$",
}


def test_the_tab_key_goes_from_the_files_to_the_answer_the_methods_and_the_exports(browser, url):
    with visit(browser, url) as page:
        take(page, "Chest X-ray, opacity")
        page.get_by_role("button", name=re.compile("^Can this map be trusted")).wait_for()
        opened(page, "Settings")
        page.get_by_role("radiogroup", name="Class to explain").get_by_role(
            "radio"
        ).first.wait_for()
        page.locator("button:enabled", has_text="PNG").wait_for()
        page.evaluate("document.activeElement.blur()")
        page.locator("header").get_by_role("link", name="xai-tf").focus()
        passed = []
        while not (passed and re.search(STOPS["exports"], passed[-1])):
            page.keyboard.press("Tab")
            passed.append(page.evaluate(FOCUSED))
            assert len(passed) < 60, passed

    places = [
        next((place for place, name in enumerate(passed) if re.search(pattern, name)), stop)
        for stop, pattern in STOPS.items()
    ]
    assert places == sorted(places), passed
    assert places[list(STOPS).index("model")] < 12  # few stops from the start to the answer
