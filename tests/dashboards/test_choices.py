"""Radio buttons with pictures and notes, in a real browser."""

import panel_material_ui as pmui
import pytest

from dashboards.components.choices import Choices
from dashboards.views.theme import THEMES
from tests.browser import chromium, served
from tests.waiting import eventually

ITEMS = [{"value": "a", "label": "First"}, {"value": "b", "label": "Second"}]


@pytest.fixture(scope="module")
def site():
    visits = []

    def make_page():
        visits.append(Choices(items=ITEMS, label="Files"))
        return pmui.Page(title="Choices", main=[visits[-1]], theme_config=THEMES)

    with served(make_page) as url, chromium() as browser:
        yield url, browser, visits


def test_a_press_counts_though_the_list_is_drawn_anew_before_the_button_is_released(site):
    url, browser, visits = site
    page = browser.new_page()
    page.goto(url)
    second = page.get_by_role("radio", name="Second")
    box = second.bounding_box()

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    visits[-1].items = [{**item, "note": "seen, 90%"} for item in ITEMS]
    page.get_by_text("seen, 90%").first.wait_for()
    page.mouse.up()

    eventually(lambda: visits[-1].value == "b")
    assert second.get_attribute("aria-checked") == "true"
    assert second.evaluate("button => button.matches(':focus')")


def test_items_come_and_go_in_the_order_given(site):
    url, browser, visits = site
    page = browser.new_page()
    page.goto(url)
    page.get_by_role("radio", name="First").wait_for()

    visits[-1].items = [{"value": "c", "label": "Third"}, ITEMS[0]]

    eventually(lambda: page.get_by_role("radio").all_text_contents() == ["Third", "First"])
