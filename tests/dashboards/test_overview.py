"""All files at once: an answer, its doubt and a map for each."""

import asyncio
import csv
import io
import sys

import numpy as np
import pytest

from dashboards.files.uploads import Uploads
from dashboards.service.catalogue import find_models
from dashboards.service.service import Service
from dashboards.state.overview import UNKNOWN
from dashboards.state.session import Session
from dashboards.views.overview import OverviewDialog, OverviewView
from tests.conftest import SAMPLES
from weights_keras import ModelCard, save

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
        view = OverviewDialog(overview=session.overview)
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
        view._open()
        [dialog] = view._dialogs
        opened = dialog._dialog.open
        dialog._sheet.value = session.workspace.files[1].sha256
        return session.workspace.file.name, opened, dialog._dialog.open, view._all.visible

    assert visit(story) == ("xray_opacity.jpg", True, False, True)


def test_a_row_is_emptied_when_its_file_gets_another_model(visit):
    async def story(session):
        give(session, FILES[2:])
        overview, workspace = session.overview, session.workspace
        await overview.run()
        before = {row.file.name: row.model.name for row in overview.rows}
        workspace.show(next(file for file in workspace.files if file.name == FILES[2]))
        workspace.choose_model("xray_alexnet")
        emptied = {row.file.name: row.reading is None for row in overview.rows}
        await overview.run()
        return before, emptied, {row.file.name: row.model.name for row in overview.rows}

    before, emptied, after = visit(story)

    assert before == {FILES[2]: "brain_cnn", "=1+1.png": "brain_cnn"}
    assert emptied == {FILES[2]: True, "=1+1.png": False}
    assert after == {FILES[2]: "xray_alexnet", "=1+1.png": "brain_cnn"}


@pytest.mark.parametrize("leave", ["stop", "close"])
def test_the_search_for_a_model_ends_when_it_is_stopped_or_the_page_closes(visit, leave):
    async def story(session):
        give(session)
        overview = session.overview
        run = asyncio.create_task(overview.run())
        while overview._search is None or not overview._search.looking:
            await asyncio.sleep(0)  # the next turn of the loop: the first search may be short
        (overview.stop if leave == "stop" else session.close)()
        await run
        known = [row for row in overview.rows if row.model or row.problem]
        return overview.running, overview.done, known, overview._search.looking

    assert visit(story) == (False, 0, [], False)


def test_of_a_long_recording_the_most_confident_window_is_explained(ear, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    card = ModelCard(
        name="ear",
        task="deepfake_audio",
        classes=ear.classes,
        backbone="none",
        image_size=ear.image_size,
    )
    (tmp_path / "models").mkdir()
    save(ear.model, card, tmp_path / "models")
    rate, rng = 16_000, np.random.default_rng(0)
    time = np.arange(6 * rate) / rate
    heard = 0.2 * np.sin(2 * np.pi * 2200 * time) * ((time > 2.75) & (time < 3.25))
    waveform = 0.4 * np.sin(2 * np.pi * 300 * time) + heard + 0.001 * rng.normal(size=6 * rate)
    soundfile.write(tmp_path / "long.wav", waveform, rate)
    models = {"ear": find_models([tmp_path / "models"])["ear"]}
    service = Service(models, tmp_path / "store", workers=1)

    async def visit():
        session = Session(service, Uploads(tmp_path / "uploads"))
        try:
            session.workspace.choose_model("ear")
            session.workspace.add("long.wav", (tmp_path / "long.wav").read_bytes())
            session.workspace.choose_model("ear")
            await session.overview.run()
            return session.overview.rows[0]
        finally:
            session.close()

    try:
        row = asyncio.run(visit())
    finally:
        service.close()

    assert len(row.reading.samples) == 5  # of two seconds, one begins every second
    assert row.reading.most_confident() == 2
    assert row.explanation.sample.sound.seconds[0] == pytest.approx(2, abs=0.1)
