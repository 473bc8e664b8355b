"""Make the pictures of the README and the site again: `python docs/pictures.py`.

The overlay comes from the real command, the page from a real server in a real Chromium.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser import chromium

IMAGES = ROOT / "docs" / "images"
DOG = ROOT / "xai_tf" / "samples" / "dog.jpg"
COMMAND = [sys.executable, "-c", "from xai_tf.cli import main; main()"]
METHODS = ("squared_ig", "rise", "kernel_shap")
WIDTH = 1200
TIMEOUT = 420_000  # ms, for the first map on a busy machine


def make_overlay() -> None:
    """Explain the bundled dog by three methods and store their comparison."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--model", "dogs_mobilenetv2", "--out", folder]
        for method in METHODS:
            options += ["--method", method]
        subprocess.run([*COMMAND, "explain", str(DOG), *options], check=True, cwd=ROOT)
        _store(Path(folder, "dog", "comparison.png").read_bytes(), "overlay.png")


def make_page() -> None:
    """Serve the page, choose the dog, wait for its map, and store a screenshot."""
    with tempfile.TemporaryDirectory() as cache:
        options = ["--no-browser", "--port", "0", "--cache", cache]
        server = subprocess.Popen(
            [*COMMAND, "serve", *options], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        try:
            url = server.stdout.readline().strip() if server.stdout else ""
            with chromium() as browser:
                context = browser.new_context(viewport={"width": 1280, "height": 860})
                page = context.new_page()
                page.set_default_timeout(TIMEOUT)
                page.goto(url)
                _store(_explained(page), "page.png")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)


def _explained(page: Page) -> bytes:
    page.get_by_role("radio", name="Dog, beagle", exact=True).click()
    page.get_by_text(re.compile("^Squared IG: why")).wait_for()
    page.wait_for_timeout(3000)  # what lies below the map follows it
    return page.screenshot()


def _store(png: bytes, name: str) -> None:
    picture = Image.open(BytesIO(png)).convert("RGB")
    height = round(picture.height * WIDTH / picture.width)
    picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
    # Small, and with the colors of small parts; the median cut leaves most to the greys.
    picture = picture.quantize(256, method=Image.Quantize.FASTOCTREE)
    picture.save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    make_overlay()
    make_page()
