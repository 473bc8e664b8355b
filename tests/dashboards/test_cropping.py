"""A picture of a plot is noticed on the page, and cropped on request."""

import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dashboards.service.catalogue import find_models
from dashboards.service.service import Service
from tests.conftest import SAMPLES
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service({"xray_alexnet": find_models()["xray_alexnet"]}, tmp_path_factory.mktemp("s"))
    yield service
    service.close()


def drawn_with_axes() -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), dpi=100)
    axes = figure.add_subplot()
    axes.imshow(np.asarray(Image.open(SAMPLES / "xray_normal.jpg").convert("L")), cmap="gray")
    axes.set(title="X-ray", xlabel="x", ylabel="y")
    file = BytesIO()
    figure.savefig(file)
    return file.getvalue()


def test_a_plot_is_noticed_and_its_inside_becomes_a_file_of_its_own(visit):
    async def story(session):
        workspace = session.workspace
        workspace.add("screenshot.png", drawn_with_axes())
        workspace.choose_model("xray_alexnet")
        await until(lambda: workspace.plot)
        before = workspace.reading
        workspace.crop_plot()
        await until(lambda: workspace.reading is not None and workspace.reading is not before)
        await until(lambda: workspace.match is None or workspace.match.file is workspace.file)
        return workspace.file.name, workspace.plot, before, workspace.reading, workspace.problem

    name, plot, before, after, problem = visit(story)

    assert (name, plot, problem) == ("screenshot, cropped", b"", "")
    assert before.ood_score.ratio > after.ood_score.ratio
    with Image.open(SAMPLES / "xray_normal.jpg") as own:
        small = np.asarray(own.convert("L").resize((64, 64)), float)
    shown = np.asarray(
        Image.fromarray((after.samples[0].image[..., 0] * 255).astype(np.uint8)).resize((64, 64)),
        float,
    )
    assert np.corrcoef(small.ravel(), shown.ravel())[0, 1] > 0.98


def test_a_plot_that_no_model_knows_is_noticed_too(visit):
    async def story(session):
        session.workspace.add("screenshot.png", drawn_with_axes())
        await until(lambda: session.workspace.plot)
        return session.workspace.model, session.workspace.reading

    assert visit(story) == (None, None)


def test_a_picture_without_axes_is_no_plot(visit):
    async def story(session):
        workspace = session.workspace
        workspace.add("mine.jpg", (SAMPLES / "xray_normal.jpg").read_bytes())
        workspace.choose_model("xray_alexnet")
        await until(lambda: workspace.reading is not None)
        job = workspace.visitor._slots["plot"]
        await job.result()
        return workspace.plot

    assert visit(story) == b""
