"""All files at once: an answer, its doubt and a map for each."""

import csv
import io
import sys

import pytest

from dashboards.service.catalogue import find_models
from dashboards.service.service import Service
from dashboards.state.overview import UNKNOWN
from dashboards.views.overview import OverviewView
from tests.conftest import SAMPLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
FILES = ("cat.jpg", "xray_opacity.jpg", "brain_head_lesion.png")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    found = find_models()
    models = {name: found[name] for name in ("brain_cnn", "xray_alexnet")}
    service = Service(models, tmp_path_factory.mktemp("store"))
    yield service
    service.close()


def give(session, names=FILES):
    session.workspace.model = None
    session.workspace._preferred.clear()
    for name in names:
        session.workspace.add(name, (SAMPLES / name).read_bytes())
    session.workspace.add("=1+1.png", (SAMPLES / "brain_head_notumor.png").read_bytes())


def test_each_file_gets_its_model_an_answer_and_a_map(visit):
    async def story(session):
        view = OverviewView(overview=session.overview)
        give(session)
        await session.overview.run()
        session.overview.sort = "doubt"
        return session, view

    session, view = visit(story)
    rows = {row.file.name: row for row in session.overview.rows}

    assert rows["xray_opacity.jpg"].model.name == "xray_alexnet"
    assert rows["brain_head_lesion.png"].model.name == "brain_cnn"
    assert (rows["cat.jpg"].model, rows["cat.jpg"].problem) == (None, UNKNOWN)
    for name in FILES[1:]:
        explanation = rows[name].explanation
        assert explanation.sample.sha256 == rows[name].file.sha256
        assert explanation.target == rows[name].reading.prediction.label
    assert session.overview.rows[0].file.name == "cat.jpg"  # the most doubtful
    assert (session.overview.running, session.overview.done) == (False, 4)
    tiles = {tile["label"]: tile for tile in view._sheet.items}
    assert tiles["xray_opacity.jpg"]["picture"].startswith("data:image/png")
    assert tiles["cat.jpg"]["note"] == UNKNOWN


def test_the_table_holds_every_file_and_no_formula(visit):
    async def story(session):
        give(session, FILES[:1])
        await session.overview.run()
        return session.overview.table()

    rows = list(csv.DictReader(io.StringIO(visit(story).decode())))

    assert [row["file"] for row in rows] == ["cat.jpg", "'=1+1.png"]
    assert rows[0]["doubt"] == UNKNOWN
    assert rows[1]["class"] in ("glioma", "meningioma", "notumor", "pituitary")
    assert 0 < float(rows[1]["probability"]) <= 1


def test_a_file_of_the_sheet_is_opened(visit):
    async def story(session):
        view = OverviewView(overview=session.overview)
        give(session)
        view._dialog.open = True
        view._sheet.value = session.workspace.files[1].sha256
        return session.workspace.file.name, view._dialog.open, view._open.visible

    assert visit(story) == ("xray_opacity.jpg", False, True)
