"""What changes before the browser has said that the page is drawn arrives there, too."""

import panel_material_ui as pmui
import pytest

from dashboards.components.choices import Choices
from tests.browser import chromium, served
from tests.waiting import eventually


def still_drawing(page):
    """From now on the page never says that it is drawn: that message is kept back."""
    kept = []

    def connect(route):
        server = route.connect_to_server()
        waiting = []

        def pass_on(part):
            waiting.append(part)
            if len(waiting) == 3:  # header, metadata and content; the page sends no buffers
                if "document_ready" in str(part):
                    kept.extend(waiting)
                else:
                    for one in waiting:
                        server.send(one)
                waiting.clear()

        route.on_message(pass_on)

    page.route_web_socket("**/ws*", connect)
    return kept


PARTS = {
    "our component": (
        lambda: Choices(items=[{"value": "a", "label": "Before"}]),
        lambda part: part.param.update(items=[{"value": "b", "label": "After"}]),
    ),
    "a component of Panel": (
        lambda: pmui.Typography("Before"),
        lambda part: part.param.update(object="After"),
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_change_arrives_while_the_page_is_drawn(part):
    make, change = PARTS[part]
    visits = []

    def make_page():
        visits.append(make())
        return pmui.Page(title="Drawn", main=[visits[-1]])

    with served(make_page) as url, chromium() as browser:
        page = browser.new_page()
        kept = still_drawing(page)
        page.goto(url)
        page.get_by_text("Before").wait_for()
        eventually(lambda: kept, lambda: page.wait_for_timeout(20))

        change(visits[-1])

        page.get_by_text("After").wait_for()
