"""The page finds the model that knows a file, and says so where none does."""

import sys
from dataclasses import replace

import pytest

import weights_keras
from dashboards.files.uploads import Uploads
from dashboards.service.catalogue import find_models
from dashboards.service.service import Service
from dashboards.state.model_finder import reads
from dashboards.views.sidebar import FilesView
from dashboards.views.strip import StripView, looks_like
from tests.conftest import SAMPLES
from tests.served import draw
from tests.waiting import until
from weights_keras import ModelCard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
KNOWING = ("brain_cnn", "xray_alexnet")  # small ones with detectors


@pytest.fixture(scope="module")
def models(tmp_path_factory, small_cnn):
    """Two models that can tell what they know, and one that cannot."""
    folder = tmp_path_factory.mktemp("models")
    card = ModelCard(
        name="silent", task="photo", classes=("a", "b", "c"), backbone="cnn", image_size=(32, 32)
    )
    weights_keras.save(small_cnn, card, folder)
    found = find_models([folder])
    return {name: found[name] for name in (*KNOWING, "silent")}


@pytest.fixture(scope="module")
def service(models, tmp_path_factory):
    service = Service(models, tmp_path_factory.mktemp("store"))
    yield service
    service.close()


@pytest.fixture
def fresh(visit):
    """A visitor who has not chosen a model."""

    def run(story):
        async def tell(session):
            session.workspace.model = None
            session.workspace._preferred.clear()
            return await story(session)

        return visit(tell)

    return run


def sample(name: str):
    return Uploads.from_path(SAMPLES / name)


async def found(session):
    await until(lambda: session.workspace.match is not None)
    return session.workspace


@pytest.mark.parametrize(
    ("name", "model", "subject"),
    [
        ("xray_opacity.jpg", "xray_alexnet", "a chest X-ray"),
        ("brain_head_notumor.png", "brain_cnn", "a brain MRI slice"),
    ],
)
def test_a_file_is_read_by_the_model_that_knows_it(fresh, name, model, subject):
    async def story(session):
        session.workspace.show(sample(name))
        workspace = await found(session)
        await until(lambda: workspace.reading is not None)
        return workspace.model.name, workspace.match.known, looks_like(workspace.match)

    assert fresh(story) == (model, True, f"Looks like {subject}.")


def test_what_a_file_looks_like_stays_where_its_answers_are_known_already(fresh):
    async def story(session):
        files = FilesView(workspace=session.workspace)
        session.workspace.show(sample("xray_opacity.jpg"))
        workspace = await found(session)
        await until(lambda: workspace.reading is not None)
        return files._files.value == workspace.file.sha256, looks_like(workspace.match)

    fresh(story)  # from now on all is stored

    assert fresh(story) == (True, "Looks like a chest X-ray.")


def test_where_only_one_model_cannot_tell_it_is_taken_and_the_doubt_is_said(fresh):
    async def story(session):
        session.workspace.show(sample("cat.jpg"))
        workspace = await found(session)
        return workspace.model.name, workspace.match.known, looks_like(workspace.match)

    name, known, words = fresh(story)

    assert (name, known) == ("silent", False)
    assert "cannot tell whether it knows such files" in words


def test_no_model_means_no_answer_but_ways_to_go_on(fresh, models):
    async def story(session):
        session.workspace.available.by_name = {name: models[name] for name in KNOWING}
        session.workspace.show(sample("cat.jpg"))
        workspace = await found(session)
        strip = StripView(workspace=workspace)
        unknown = (workspace.model, workspace.reading, strip._unknown.visible)
        texts = [part.object for part in strip._unknown if hasattr(part, "object")]
        buttons = [part.label for part in strip._unknown if hasattr(part, "label")]
        workspace.choose_model(workspace.match.nearest.name)
        await until(lambda: workspace.reading is not None)
        return unknown, texts, buttons, workspace.reading.ood_warning, strip._unknown.visible

    unknown, texts, buttons, warning, visible = fresh(story)

    assert unknown == (None, None, True)
    assert "No model here knows such pictures." in texts[0]
    assert any("says anyway" in label for label in buttons)
    assert "may not be" in warning
    assert not visible


def test_a_chosen_model_is_kept_for_its_file_and_one_that_knows_is_found_for_others(fresh):
    async def story(session):
        workspace = session.workspace
        xray, brain = sample("xray_normal.jpg"), sample("brain_head_notumor.png")
        workspace.show(xray)
        await found(session)
        workspace.choose_model("brain_cnn")
        workspace.show(brain)
        await found(session)
        second = workspace.model.name
        workspace.show(xray)
        return second, workspace.model.name, workspace.match

    assert fresh(story) == ("brain_cnn", "brain_cnn", None)


def test_a_detector_that_cannot_be_used_is_no_sign_of_another_kind_of_file(fresh):
    async def story(session):
        session.workspace.show(sample("xray_opacity.jpg"))
        workspace = await found(session)
        await until(lambda: workspace.reading is not None)
        broken = replace(workspace.reading, ood_score=None, ood_problem="It cannot be checked.")
        far = replace(workspace.reading.ood_score, distance=1e9)
        strip = StripView(workspace=workspace)
        readings = (broken, replace(workspace.reading, ood_score=far))
        return [strip._describe_answer(reading) for reading in readings]

    unchecked, unlike = fresh(story)

    assert "It cannot be checked." in unchecked
    assert "Unlike the training data" not in unchecked
    assert "Unlike the training data" in unlike


def test_a_file_that_cannot_be_read_is_reported_once(fresh, tmp_path, models):
    async def story(session):
        session.workspace.available.by_name = {name: models[name] for name in KNOWING}
        file = draw(tmp_path, "gone.png")
        file.path.write_bytes(b"\x89PNG\r\n\x1a\n no picture")
        session.workspace.show(file)
        workspace = await found(session)
        return workspace.model, workspace.problem

    model, problem = fresh(story)

    assert model is None
    assert "gone.png" in problem


def test_a_model_of_pictures_refuses_a_sound(fresh, models):
    async def story(session):
        workspace = session.workspace
        workspace.add("talk.wav", (SAMPLES / "speech_human.wav").read_bytes())
        workspace.choose_model("silent")
        return workspace.model, workspace.problem, reads(models["silent"], workspace.file)

    assert fresh(story) == (
        None,
        "silent reads pictures, and talk.wav is a sound. Choose a model of sounds.",
        False,
    )
