"""Models that visitors bring: what is taken, what is tried, and who sees them."""

import asyncio
import io
import os
import signal
import zipfile
from dataclasses import replace

import keras
import pytest

from dashboards.files.own_models import OwnModels
from dashboards.files.uploads import Uploads
from dashboards.service import pool
from dashboards.service.requests import Predict, TryModel, is_public
from dashboards.service.service import Service
from dashboards.state.own_model import OwnModel
from dashboards.state.session import Session
from tests.conftest import SAMPLES
from tests.served import draw
from tests.waiting import eventually, until
from xai_tf.errors import InputError

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service({}, tmp_path_factory.mktemp("store"), workers=1)
    yield service
    service.close()


def content(model, tmp_path):
    model.save(tmp_path / "content.keras")
    return (tmp_path / "content.keras").read_bytes()


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("net.pt", b"x", r"net.pt is not a model .* Expected .keras"),
        ("net.keras", bytes(LIMIT + 1), r"the limit is 1 MB"),
        ("net.zip", b"x", r"net.zip is damaged"),
        ("net.zip", zipped({"a.txt": b"x"}), r"0 files saved_model.pb. Expected a .zip"),
        ("net.zip", zipped({"m/saved_model.pb": b"", "../x": b"x"}), r"outside of its folder"),
        ("net.zip", zipped({"saved_model.pb": bytes(LIMIT + 1)}), r"the limit is 1 MB"),
    ],
)
def test_what_is_no_model_is_refused_and_leaves_nothing(tmp_path, name, data, said):
    with pytest.raises(InputError, match=said):
        OwnModels(tmp_path, LIMIT).add(name, data)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_model_that_was_not_used_makes_room_for_the_next(tmp_path):
    models = OwnModels(tmp_path, LIMIT)
    models.add("first.keras", b"1")

    second = models.add("../my net.v2.h5", b"2", taken=["my_net_v2"])

    assert second.name == "my_net_v2-2"
    assert second.private
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["my_net_v2-2.h5"]


def test_the_folder_of_a_saved_model_is_unzipped(tmp_path):
    files = {"out/m/saved_model.pb": b"graph", "out/m/variables/v": b"1", "out/notes": b"no"}

    entry = OwnModels(tmp_path, LIMIT).add("exported.zip", zipped(files))

    assert (entry.path / "saved_model.pb").read_bytes() == b"graph"
    assert (entry.path / "variables" / "v").exists()
    assert not list(tmp_path.rglob("notes"))


def test_a_model_is_tried_used_and_seen_by_its_visitor_alone(service, small_cnn, tmp_path):
    data = content(small_cnn, tmp_path)

    async def story():
        mine, theirs = (Session(service, Uploads(tmp_path / "uploads")) for _ in range(2))
        workspace = mine.workspace
        models = OwnModels(workspace.uploads.folder, LIMIT)
        own = OwnModel(workspace, models)
        workspace.add("cat.png", draw(tmp_path, "cat.png").path.read_bytes())
        await own.add("labels.txt", b"cat\ndog\nowl\n")
        await own.add("pets.keras", data)
        await own.try_it()
        assert own.problem == ""
        assert own.trial.card.classes == ("cat", "dog", "owl")
        assert {tried.name for tried in own.trial.tried} >= {"unit", "caffe", "tf"}
        wanted = next(tried for tried in own.trial.tried if tried.name == "tf")
        own.scaling = "tf"
        await own.use()
        await until(lambda: workspace.reading or workspace.problem)
        shown = (workspace.model.name, workspace.reading.prediction.classes, workspace.problem)
        again = OwnModels(workspace.uploads.folder, LIMIT).entries()
        assert again == workspace.available.own == {"pets": workspace.model}
        assert "pets" not in theirs.workspace.models
        request = Predict(workspace.model, workspace.file)
        probability = float(workspace.reading.prediction.probabilities.max())
        stored = service.has_answer(request)
        own.remove_all()
        folder = workspace.uploads.folder
        assert not list(folder.rglob("*.keras"))
        mine.close()
        theirs.close()
        return shown, wanted, probability, stored, service.has_answer(request)

    shown, wanted, probability, stored, left = asyncio.run(story())

    assert shown == ("pets", ("cat", "dog", "owl"), "")
    assert probability == pytest.approx(wanted.probability, abs=1e-5)
    assert (stored, left) == (True, False)


def test_code_in_a_model_is_refused_in_words(service, tmp_path):
    inputs = keras.Input((32, 32, 3))
    dense = keras.layers.Dense(2)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(dense))
    data = content(model, tmp_path)

    async def story():
        session = Session(service, Uploads(tmp_path / "uploads"))
        own = OwnModel(session.workspace, OwnModels(session.workspace.uploads.folder, LIMIT))
        await own.add("evil.keras", data)
        await own.try_it()
        problem, trial = own.problem, own.trial
        session.close()
        return problem, trial, str(session.workspace.uploads.folder)

    problem, trial, folder = asyncio.run(story())

    assert "evil contains code: a Lambda layer" in problem
    assert folder not in problem
    assert trial is None


@pytest.mark.parametrize("text", ["[1, 2", '{"a": 5}', ""])
def test_class_names_that_cannot_be_read_are_named(service, tmp_path, text):
    async def story():
        session = Session(service, Uploads(tmp_path / "uploads"))
        own = OwnModel(session.workspace, OwnModels(session.workspace.uploads.folder, LIMIT))
        await own.add("class_indices.json", text.encode())
        session.close()
        return own.problem

    assert "class_indices.json" in asyncio.run(story())


@pytest.mark.slow
def test_a_model_that_never_answers_is_stopped(service, small_cnn, tmp_path, monkeypatch):
    entry = OwnModels(tmp_path, LIMIT).add("slow.keras", content(small_cnn, tmp_path))
    eventually(lambda: service.status().workers[0].state == "idle")
    monkeypatch.setattr(pool, "PRIVATE_SECONDS", 0.3)
    pid = service.status().workers[0].pid
    os.kill(pid, signal.SIGSTOP)

    async def story():
        job = service.visitor().submit(TryModel(entry))
        await until(lambda: job.state == "failed")
        return str(job.error)

    said = asyncio.run(story())

    assert "Your model was stopped, because it did not answer" in said
    eventually(lambda: service.status().workers[0].pid != pid)


def test_what_is_found_with_a_model_of_the_visitor_is_no_public_answer(small_cnn, tmp_path):
    entry = OwnModels(tmp_path, LIMIT).add("mine.keras", content(small_cnn, tmp_path))
    cat = Uploads.from_path(SAMPLES / "cat.jpg")

    assert not is_public(Predict(entry, cat))
    assert is_public(Predict(replace(entry, private=False), cat))
