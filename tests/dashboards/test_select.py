"""Menus of the page: by mouse and keys in a real browser, and what the server makes of messages."""

import panel as pn
import panel_material_ui as pmui
import param
import pytest

from dashboards.components.select import MultiSelect, Select
from dashboards.views.theme import THEMES
from tests.browser import axe_faults, chromium, complaints, served, toggle_theme
from tests.waiting import eventually

EVIL = "<img src=x onerror=alert(1)>"
MANY = {f"class {number}": number for number in range(300)} | {EVIL: 300}


class Choice(param.Parameterized):
    kind = param.Selector(default="a", objects=["a", "b"])


def test_the_first_option_is_chosen_where_none_is_given():
    assert Select(options={"x": 3, "y": 4}).value == 3
    assert Select(options={"none": None, "y": 4}).value is None
    assert Select().value is None
    assert MultiSelect(options={"x": 3}).value == []


def test_only_what_is_offered_can_be_chosen():
    select = Select(options={"x": 3, "y": 4})

    for message in ({"press": "z"}, {"press": 4}, {"press": ["y"]}, {"other": "y"}, "y", None):
        select._handle_msg(message)
    assert select.value == 3
    select._handle_msg({"press": "y"})
    assert select.value == 4
    select.options = {"z": 5}
    select._handle_msg({"press": "x"})
    assert select.value == 4
    assert select.chosen == []


def test_a_second_press_takes_one_of_several_back_and_no_more_are_taken_than_allowed():
    select = MultiSelect(options={"x": 1, "y": 2, "z": 3}, max_items=2)

    for text in ("z", "x", "y"):
        select._handle_msg({"press": text})
    assert select.value == [3, 1]
    assert select.chosen == ["z", "x"]
    select._handle_msg({"press": "z"})
    assert select.value == [1]


def test_a_menu_follows_its_parameter_both_ways():
    choice = Choice()
    select = Select.from_param(choice.param.kind, label="Kind", options={"A": "a", "B": "b"})

    select.press("B")
    assert choice.kind == "b"
    choice.kind = "a"
    assert select.chosen == ["A"]
    assert select.label == "Kind"


@pytest.fixture(scope="module")
def site():
    visits = []

    def make_page():
        menus = {
            "plain": Select(label="Plain", options={"one": 1, EVIL: 2, "three": 3}),
            "search": Select(label="Search", options=MANY, value=7, searchable=True),
            "several": MultiSelect(label="Several", options=MANY, value=[3, 5], max_items=3),
        }
        visits.append(menus)
        main = [pn.Column(*menus.values(), height=160, styles={"overflow": "hidden"})]
        # The page's own progress bar has no name.
        hidden = {"& .MuiLinearProgress-root": {"display": "none"}}
        return pmui.Page(title="Menus", main=main, theme_config=THEMES, sx=hidden)

    with served(make_page) as url:
        yield url, visits


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(site, browser):
    page = browser.new_page(viewport={"width": 800, "height": 700})
    with complaints(page) as found:
        page.goto(site[0])
        field(page, "Several").wait_for()
        page.menus = site[1][-1]
        yield page
    page.close()
    assert found == []


def field(page, name):
    return page.get_by_role("combobox", name=name)


def option(page, name=None):
    return page.get_by_role("listbox").get_by_role("option", name=name, exact=True)


def test_a_plain_menu_is_the_browsers_own(page):
    field(page, "Plain").select_option(EVIL)

    eventually(lambda: page.menus["plain"].value == 2)
    page.menus["plain"].value = 3
    eventually(lambda: field(page, "Plain").input_value() == "three")
    assert page.locator("img[src=x]").count() == 0


def test_typing_finds_an_option_and_enter_chooses_it(page):
    field(page, "Search").press("Tab")  # out again: a field that is passed opens nothing
    assert page.get_by_role("listbox").count() == 0
    field(page, "Search").click()
    chosen = option(page, "class 7")
    assert chosen.get_attribute("aria-selected") == "true"
    active = field(page, "Search").get_attribute("aria-activedescendant")
    assert chosen.get_attribute("id") == active

    page.keyboard.type("LASS 29")
    assert option(page).count() == 11  # 29 and 290 to 299
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    eventually(lambda: page.menus["search"].value == 290)
    assert field(page, "Search").input_value() == "class 290"
    assert field(page, "Search").get_attribute("aria-expanded") == "false"


def test_escape_and_leaving_keep_the_choice(page):
    for key in ("Escape", "Tab"):
        field(page, "Search").click()
        page.keyboard.type("nothing like this")
        page.get_by_text("Nothing matches.").wait_for()
        page.keyboard.press(key)

        page.get_by_role("listbox").wait_for(state="detached")
        assert field(page, "Search").input_value() == "class 7"
    assert page.menus["search"].value == 7


def test_several_are_chosen_and_taken_back_without_closing(page):
    field(page, "Several").click()
    option(page, "class 1").click()
    eventually(lambda: page.menus["several"].value == [3, 5, 1])

    page.get_by_text("At most 3 can be chosen.").wait_for()
    refused = option(page, "class 0")
    assert refused.get_attribute("aria-disabled") == "true"
    refused.click(force=True)  # as a visitor can
    option(page, "class 5").click()
    eventually(lambda: page.menus["several"].value == [3, 1])
    page.keyboard.press("Backspace")
    eventually(lambda: page.menus["several"].value == [3])
    page.get_by_role("button", name="Remove class 3").click()
    eventually(lambda: page.menus["several"].value == [])


def test_a_list_is_whole_where_its_panel_is_cut_off(page):
    field(page, "Several").click()

    box = page.get_by_role("listbox").bounding_box()
    assert box["height"] > 200
    inside = (box["x"] + box["width"] / 2, box["y"] + box["height"] - 20)
    page.mouse.click(*inside)
    eventually(lambda: len(page.menus["several"].value) == 3)


def test_a_list_opens_where_there_is_room(page):
    page.set_viewport_size({"width": 800, "height": 330})
    field(page, "Several").click()

    box = page.get_by_role("listbox").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 330


@pytest.mark.parametrize("width", [800, 360])
def test_open_and_closed_menus_have_no_serious_fault(page, width):
    page.set_viewport_size({"width": width, "height": 700})
    for _ in range(2):  # light and dark
        assert axe_faults(page) == []
        for name in ("Search", "Several"):
            field(page, name).click()
            assert option(page).count() > 0
            assert axe_faults(page) == []
            page.keyboard.press("Escape")
        toggle_theme(page)
