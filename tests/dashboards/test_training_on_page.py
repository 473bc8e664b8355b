"""In a real browser: a model is ordered, trained, and answers on the page it was ordered from."""

import re

import pytest

from tests.browser import axe_faults, chromium
from tests.conftest import draw_stripes
from tests.dashboards.test_dashboard import serving, the_map, visit
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def test_a_model_is_trained_from_the_page_and_used_without_a_restart(tmp_path, monkeypatch):
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path / "home"))
    sets = draw_stripes(tmp_path / "sets" / "stripes", ("lying", "standing"), 24).parent
    with (
        serving(tmp_path, "--data", str(sets)) as (url, _),
        chromium() as browser,
        visit(browser, url) as page,
    ):
        page.get_by_role("radio", name="Cat", exact=True).click()
        the_map(page, "Squared IG").wait_for()
        page.get_by_role("tab", name="Tuning").click()
        page.get_by_role("button", name="Train a model").click()
        page.get_by_label("Labeled set", exact=True).select_option("sets/stripes")
        page.get_by_label("Its files are read as").select_option("Photo")
        page.get_by_label("Backbone", exact=True).select_option("Plain CNN (from scratch)")
        page.get_by_label("Epochs", exact=True).fill("2")
        page.get_by_label("Picture size in pixels").select_option("32 x 32")
        name = page.get_by_label("Name of the model")
        eventually(lambda: name.input_value() == "sets_stripes_cnn")  # what the page suggests
        name.fill("bars")
        page.get_by_role("button", name="Show the plan").click()
        page.get_by_role("heading", name="The plan").wait_for()
        page.get_by_role("button", name="Start", exact=True).click()
        use = page.get_by_role("button", name="Use it here")
        use.wait_for()
        assert axe_faults(page) == []
        use.click()

        page.get_by_role("button", name=re.compile(r"^Model: bars")).wait_for()
        page.get_by_text(re.compile(r"^(lying|standing), \d")).first.wait_for()
        the_map(page, "Squared IG").wait_for()
    assert (tmp_path / "home" / "models" / "bars.md").is_file()
