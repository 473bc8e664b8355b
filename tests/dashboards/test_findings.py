"""A model of several labels on the page: a list of findings, each of which can be explained."""

import sys

import numpy as np
import pytest
from PIL import Image

import weights_keras
from dashboards.service.catalogue import find_models
from dashboards.service.service import Service
from dashboards.views.prediction import PredictionView
from dashboards.views.strip import StripView
from tests.conftest import several_labels
from tests.waiting import until
from weights_keras import ModelCard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
LABELS = ("left", "upper", "middle")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    card = ModelCard(
        name="several",
        task="medical_image",
        classes=LABELS,
        backbone="",
        image_size=(32, 32),
        scaling="unit",
        thresholds={"middle": 0.7},
    )
    weights_keras.save(several_labels(), card, folder)
    service = Service(
        {"several": find_models([folder])["several"]}, tmp_path_factory.mktemp("store")
    )
    yield service
    service.close()


def picture(path):
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :16] = 255
    Image.fromarray(pixels).save(path)
    return path.read_bytes()


@pytest.mark.slow  # a server's processes
def test_the_page_lists_the_findings_and_explains_any_label(visit, tmp_path):
    async def story(session):
        view, explorer = PredictionView(explorer=session.explorer), session.explorer
        strip = StripView(workspace=session.workspace, extras=[])
        explorer.method = "saliency"
        session.workspace.add("left.png", picture(tmp_path / "left.png"))
        await until(lambda: explorer.explanation is not None)
        first = explorer.explanation.target_name
        view._classes.value = "2"
        await until(lambda: explorer.explanation and explorer.explanation.target == 2)
        return strip._answer.object, view._words.object, view._classes.items, first

    answer, words, items, first = visit(story)

    assert first == "left"
    assert "left 98%, upper 50%" in answer
    assert "middle" not in answer
    assert "2 findings of 3 labels." in words
    assert [item["note"] for item in items] == [
        "found, threshold 50%",
        "found, threshold 50%",
        "not found, threshold 70%",
    ]
