"""A newcomer who knows nothing of the page: from a file to a report, without scrolling."""

import re
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.conftest import SAMPLES
from tests.dashboards.test_dashboard import FIRST, picture, serving

MOST_CLICKS = 4
TASKS = {
    "deepfake_audio": ("speech_synthetic.wav", "recorded speech", "synthetic"),
    "lung_opacity": ("xray_opacity.jpg", "a chest X-ray", "opacity"),
    "brain_tumor": ("brain_head_notumor.png", "a brain MRI slice", "notumor"),
    "dog_breeds": ("dog.jpg", "a photo of a dog", ""),
}
WINDOWS = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("site")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


class Newcomer:
    """Uses only what is seen: roles and names. Counts clicks, and refuses to scroll."""

    def __init__(self, page):
        self.page, self.clicks = page, 0

    def sees(self, part):
        part.wait_for()
        height = self.page.viewport_size["height"]
        box = part.bounding_box()
        assert box is not None
        assert box["y"] >= 0, "above the window"
        assert box["y"] + min(box["height"], 40) <= height, "below the window"
        return part

    def click(self, part):
        self.sees(part).click(trial=True)  # waits until nothing covers it, as the closing drawer
        box = self.sees(part).bounding_box()
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + min(box["height"], 40) / 2)
        self.clicks += 1


@pytest.mark.slow  # eight visits to a server with all models
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("task", TASKS)
def test_from_a_file_to_a_report_in_few_clicks_without_scrolling(
    browser, url, tmp_path, task, window
):
    sample, kind, answer = TASKS[task]
    file = tmp_path / f"mine.{sample.rsplit('.')[-1]}"
    file.write_bytes((SAMPLES / sample).read_bytes())
    width, height = WINDOWS[window]
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=window == "phone"
    )
    page = context.new_page()
    newcomer = Newcomer(page)
    page.goto(url)
    page.get_by_role("tab", name="Explain").wait_for()

    page.locator("input[type=file]").first.set_input_files(file)  # as a drop does

    newcomer.sees(page.get_by_text(f"Looks like {kind}."))
    newcomer.sees(page.get_by_text(re.compile(rf"^{answer}[\w ]*, \d+\.\d%")).first)
    newcomer.sees(page.get_by_text(re.compile(rf"^{FIRST}: why .+\?$")).first)
    tiles = page.get_by_role("toolbar", name="Methods")
    newcomer.click(tiles.get_by_role("button", name=re.compile("^Grad-CAM\\+\\+")))
    newcomer.sees(page.get_by_text(re.compile(r"^Grad-CAM\+\+: why .+\?$")).first)
    newcomer.click(page.get_by_role("button", name=re.compile("^Can this map be trusted")))
    reasons = page.get_by_role("listitem").filter(has_text="training data")
    newcomer.sees(reasons.first)
    picture(page, f"newcomer_{task}_{window}")
    with page.expect_download() as download:
        newcomer.click(page.get_by_role("button", name="Report", exact=True))

    assert "Grad-CAM++" in Path(download.value.path()).read_text("utf-8")
    assert newcomer.clicks <= MOST_CLICKS
    assert page.evaluate("document.documentElement.scrollTop") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
