"""The state of a visit: what is asked by itself, what on request, and what is never mixed up."""

import asyncio
import gc
import re
import sys
import threading
import weakref
import zipfile
from dataclasses import replace
from functools import partial
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import panel as pn
import pytest
import soundfile
from panel.util import edit_readonly

import weights_keras
from dashboards.app import create_app
from dashboards.files.drops import Drop
from dashboards.files.gallery import GALLERY
from dashboards.files.uploads import Uploads
from dashboards.server.settings import ServeSettings
from dashboards.service.catalogue import find_models
from dashboards.service.jobs import DONE, OVER, Job
from dashboards.service.service import Service
from dashboards.state import workspace as workspace_module
from dashboards.state.comparison import MODELS
from dashboards.state.session import Session
from dashboards.views import compare, sidebar
from dashboards.views.downloads import DownloadsView
from dashboards.views.layer_sweep import LayerSweepPage
from dashboards.views.method import MethodView
from dashboards.views.prediction import PredictionView, about_window
from dashboards.views.sidebar import InputView
from dashboards.views.trust import computed_words
from tests.conftest import SAMPLES
from tests.served import draw, make_models, submitted
from tests.waiting import PATIENCE, patiently, until
from weights_keras import ModelCard
from xai_tf.attribution.methods import DEFAULT_METHOD, METHODS
from xai_tf.errors import InputError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
SLOW = {"rise": {"num_samples": 16384}}  # on `wide`: many seconds


@pytest.fixture(scope="module")
def models(tmp_path_factory, small_cnn):
    """Two of one task, one of another, one that hears, one that is slow, one that is damaged."""
    folder = tmp_path_factory.mktemp("models")
    found = make_models(folder, small_cnn)
    tasks = {"twin": "lung_opacity", "other": "brain_tumor", "ears": "deepfake_audio"}
    for name, task in tasks.items():
        classes = ("c", "a", "b") if name == "twin" else ("a", "b", "c")
        weights_keras.save(
            small_cnn,
            ModelCard(name=name, task=task, classes=classes, backbone="cnn", image_size=(32, 32)),
            folder,
        )
    found = find_models([folder])
    return {name: found[name] for name in ("small", "twin", "other", "ears", "wide", "damaged")}


@pytest.fixture(scope="module")
def service(models, tmp_path_factory):
    service = Service(models, tmp_path_factory.mktemp("store"))
    yield service
    service.close()


def give(session, tmp_path, name="mine.png"):
    """Drop a picture that nobody gave before."""
    session.workspace.add(name, draw(tmp_path, name).path.read_bytes())
    return session.workspace.file


async def over(jobs):
    """Wait until nothing is under way that could come late."""
    await until(lambda: all(job.state in OVER for _, job in jobs))


async def explained(session):
    await until(lambda: session.explorer.explanation or session.explorer.problem)
    return session.explorer.explanation


def fits(session):
    """Whether the answer shown is one to the question asked."""
    explorer, workspace = session.explorer, session.workspace
    request, shown = explorer.request(), explorer.explanation
    classes = workspace.reading.prediction.classes
    return (
        shown.sample.sha256 == workspace.file.sha256
        and shown.method.name == explorer.method
        and shown.target == request.question.target
        and shown.contrast == request.question.contrast
        and shown.prediction.classes == classes == (workspace.model.classes or classes)
        and all(shown.settings[name] == value for name, value in request.question.settings)
        and (request.question.layer is None or shown.layer == request.question.layer)
        and (not shown.method.stochastic or shown.seed == request.question.seed)
    )


def test_a_file_is_predicted_and_gets_its_first_map_unasked(visit, tmp_path):
    working = []

    async def story(session):
        session.workspace.param.watch(lambda event: working.append(event.new), "working")
        give(session, tmp_path)
        await explained(session)
        return session

    session = visit(story)

    assert any(text.startswith("Reading mine.png") for text in working)
    assert session.workspace.working == session.workspace.problem == ""
    assert session.workspace.reading.prediction.classes == ("a", "b", "c")
    assert session.explorer.explanation.method.name == DEFAULT_METHOD
    assert fits(session)


def test_a_slow_method_waits_to_be_asked_can_be_stopped_and_is_kept(visit, tmp_path):
    async def story(session):
        workspace, explorer = session.workspace, session.explorer
        workspace.choose_model("wide")
        give(session, tmp_path)
        await explained(session)
        await until(lambda: workspace.facts)
        explorer.param.update(method="rise", settings=SLOW)
        assert explorer.seconds() > 1.5
        assert explorer.passes() == "16384"
        assert "explain" not in workspace.visitor._slots
        assert (explorer.running, explorer.explanation) == (False, None)

        explorer.run()
        assert explorer.running
        await until(lambda: explorer.partial is not None and 0 < explorer.progress < 1)
        assert "of 16384 passes" in explorer.status
        explorer.stop()
        assert not explorer.running
        assert re.fullmatch(r"Stopped after [\d,]+ of 16,384 passes\.", explorer.status)
        assert explorer.partial is not None  # what there is of the map stays
        await until(lambda: not any(w.doing for w in workspace.service.status().workers))

        explorer.set("rise", "num_samples", 256)
        explorer.run()
        made = await explained(session)
        explorer.method = "saliency"
        await explained(session)
        explorer.method = "rise"
        assert explorer.explanation is made

    visit(story)


@pytest.mark.parametrize(
    "change",
    [
        {"target": 0},
        {"contrast": 1, "target": 2},
        {"layer": "conv_a"},
        {"method": "smooth_grad", "seed": 3},
        {"method": "smooth_grad", "settings": {"smooth_grad": {"noise": 0.3}}},
    ],
    ids=str,
)
def test_another_question_is_asked_anew(visit, tmp_path, change):
    async def story(session):
        explorer = session.explorer
        give(session, tmp_path)
        await explained(session)
        explorer.param.update(method=change.get("method", "grad_cam"), target=1)
        await until(lambda: explorer.explanation)
        before = explorer.explanation
        explorer.param.update(**change)
        await until(lambda: explorer.explanation not in (None, before))
        return fits(session)

    assert visit(story)


def test_after_many_quick_changes_the_state_fits_the_last_question(visit, tmp_path):
    rng = np.random.default_rng(0)

    async def story(session):
        workspace, explorer = session.workspace, session.explorer
        jobs = submitted(workspace.visitor)
        for number in range(3):
            give(session, tmp_path, f"{number}.png")
        for _ in range(20):
            what = rng.integers(4)
            if what == 0:
                workspace.show(workspace.files[rng.integers(3)])
            elif what == 1:
                workspace.choose_model(["small", "twin", "other"][rng.integers(3)])
            elif what == 2:
                explorer.method = ["grad_cam", "saliency", "fem", "gradient_input"][rng.integers(4)]
            else:
                explorer.target = int(rng.integers(3))
            await asyncio.sleep(rng.choice([0, 0, 0.01, 0.1]))
        await until(lambda: explorer.explanation and not explorer.running)
        await over(jobs)
        assert explorer.problem == workspace.problem == ""
        return fits(session), len(workspace.files)

    assert visit(story) == (True, 3)


def test_the_class_asked_for_belongs_to_a_file_and_a_model(visit, tmp_path):
    async def story(session):
        workspace, explorer = session.workspace, session.explorer
        first = give(session, tmp_path)
        give(session, tmp_path, "second.png")
        for change in (lambda: workspace.show(first), lambda: workspace.choose_model("twin")):
            await explained(session)
            explorer.param.update(target=1, contrast=2)
            change()
            assert (explorer.target, explorer.contrast) == (-1, -1)
        await explained(session)
        return fits(session)

    assert visit(story)


def test_known_answers_ask_nothing_on_the_way(visit, tmp_path):
    async def story(session):
        workspace, explorer = session.workspace, session.explorer
        first = give(session, tmp_path)
        await explained(session)
        give(session, tmp_path)
        await explained(session)
        explorer.target = 1
        asked = submitted(workspace.visitor)
        workspace.show(first)
        slots = [slot for slot, _ in asked if slot != "compared map"]  # those come by themselves
        return slots, explorer.explanation is not None, fits(session)

    assert visit(story) == (["read", "plot", "regions", "picture"], True, True)  # no map


def test_the_answer_and_the_first_map_are_asked_for_before_the_facts_of_a_model(visit, tmp_path):
    async def story(session):
        give(session, tmp_path)
        await explained(session)
        asked = submitted(session.workspace.visitor)
        session.workspace.choose_model("twin")
        await until(lambda: session.workspace.facts)
        return [slot for slot, _ in asked if slot in ("read", "explain", "describe")]

    assert visit(story)[:3] == ["read", "explain", "describe"]


def test_layers_of_another_sample_or_class_are_not_shown(visit, tmp_path):
    async def story(session):
        explorer, jobs = session.explorer, submitted(session.workspace.visitor)
        give(session, tmp_path)
        await explained(session)
        explorer.method = "grad_cam"
        await explained(session)
        explorer.run_layer_maps()
        await until(lambda: explorer.layer_maps)
        explorer.target = 2
        assert explorer.layer_maps == []
        explorer.run_layer_maps()
        file = give(session, tmp_path)
        await explained(session)
        await over(jobs)
        assert explorer.layer_maps == []
        explorer.run_layer_maps()
        await until(lambda: explorer.layer_maps)
        return {stage.sample.sha256 for stage in explorer.layer_maps} == {file.sha256}

    assert visit(story)


def test_a_model_that_cannot_be_loaded_is_a_problem_until_the_next(visit, tmp_path):
    async def story(session):
        workspace = session.workspace
        workspace.choose_model("damaged")
        give(session, tmp_path)
        await until(lambda: workspace.problem)
        assert "damaged" in workspace.problem
        assert workspace.working == ""
        workspace.choose_model("small")
        await explained(session)
        return workspace.problem

    assert visit(story) == ""


def test_a_file_that_is_refused_is_told_although_the_next_is_shown(visit, tmp_path):
    async def story(session):
        session.workspace.add("a <b>.exe", b"MZ" + bytes(100))
        give(session, tmp_path)
        await explained(session)
        return session.workspace.problem, [file.name for file in session.workspace.files]

    problem, names = visit(story)

    assert "a <b>.exe" in problem
    assert names == ["mine.png"]


def test_a_large_file_is_kept_without_blocking_and_in_order(visit, tmp_path, monkeypatch):
    monkeypatch.setattr(workspace_module, "LARGE", 1000)

    async def story(session):
        workspace, add = session.workspace, session.workspace.uploads.add
        here, all_are_given = threading.get_ident(), threading.Event()

        def slowly(name, data):
            assert threading.get_ident() != here, "the event loop keeps a file"
            assert all_are_given.wait(PATIENCE), "not all files were given"
            return add(name, data)

        workspace.uploads.add = slowly
        for name in ("first.png", "second.png"):
            workspace.add(name, draw(tmp_path, name).path.read_bytes())
        workspace.add("bad.png", b"none")
        await asyncio.sleep(0)
        assert workspace.working == "Storing first.png"
        assert workspace.files == []
        all_are_given.set()
        await until(lambda: workspace.problem)
        await explained(session)
        return [file.name for file in workspace.files], workspace.file.name, workspace.problem

    names, shown, problem = visit(story)

    assert names == ["first.png", "second.png"]
    assert shown == "second.png"
    assert "bad.png" in problem


def test_files_that_come_too_fast_are_not_piled_up(visit, tmp_path):
    async def story(session):
        workspace = session.workspace
        heap = bytes(workspace.uploads.limits.unfinished_bytes - 1)
        workspace.add("heap.png", heap)
        workspace.add("more.png", heap)
        return workspace.problem

    assert "more.png was rejected because other uploads" in visit(story)


def test_a_sound_goes_to_a_model_that_hears(visit):
    async def story(session):
        workspace = session.workspace
        workspace.add("talk.wav", (SAMPLES / "speech_human.wav").read_bytes())
        assert workspace.model.name == "ears"
        await explained(session)
        workspace.add("cat.jpg", (SAMPLES / "cat.jpg").read_bytes())
        workspace.choose_model("small")
        await explained(session)
        workspace.step(1)
        assert (workspace.file.name, workspace.model.name) == ("talk.wav", "ears")
        await explained(session)
        return workspace.problem

    assert visit(story) == ""


def test_a_long_recording_has_windows_to_choose_from(visit):
    rng = np.random.default_rng(0)
    sound = BytesIO()
    soundfile.write(
        sound, rng.normal(0, np.repeat([0.01, 0.3, 0.1, 0.02], 16000)), 16000, format="WAV"
    )

    async def story(session):
        workspace, explorer = session.workspace, session.explorer
        workspace.add("long.wav", sound.getvalue())
        await explained(session)
        reading = workspace.reading
        assert len(reading.samples) > 1
        chances = [p.probabilities[reading.prediction.label] for p in reading.predictions]
        assert workspace.window == int(np.argmax(chances))
        workspace.window = other = (workspace.window + 1) % len(chances)
        assert explorer.explanation is None
        made = await explained(session)
        return np.array_equal(made.sample.image, reading.samples[other].image)

    assert visit(story)


def test_files_are_stepped_through_removed_and_brought_back(visit, tmp_path):
    async def story(session):
        workspace = session.workspace
        for name in "abc":
            give(session, tmp_path, name)
        workspace.step(1)
        assert workspace.file.name == "a"
        workspace.step(-1)
        assert workspace.file.name == "c"
        workspace.remove(workspace.file)
        assert [file.name for file in workspace.files] == ["a", "b"]
        assert workspace.file.name == "b"
        workspace.undo()
        assert workspace.file.name == "c"
        for file in list(workspace.files):
            workspace.remove(file)
        assert (workspace.file, workspace.reading, workspace.working) == (None, None, "")
        assert session.explorer.explanation is None
        workspace.step(1)
        workspace.undo()
        await explained(session)
        return workspace.file.name, fits(session)

    assert visit(story) == ("c", True)


def test_a_removed_file_that_made_room_cannot_come_back(visit, tmp_path):
    async def story(session):
        workspace = session.workspace
        give(session, tmp_path, "gone.png")
        workspace.remove(workspace.file)
        workspace.uploads._removed.popitem()[1].path.unlink()  # as when room is made
        workspace.undo()
        return workspace.problem, workspace.files, workspace.can_undo

    problem, files, can_undo = visit(story)

    assert "gone.png was deleted to make room" in problem
    assert (files, can_undo) == ([], False)


def test_a_grid_fills_shares_its_scale_and_knows_what_was_made(visit, tmp_path):
    async def story(session):
        grid, explorer = session.comparison, session.explorer
        give(session, tmp_path)
        await explained(session)
        assert grid.cells[0, 0].explanation is explorer.explanation
        assert not grid.cells[2, 0].explanation
        explorer.method = "saliency"
        known = await explained(session)
        assert grid.cells[2, 0].explanation is known
        grid.run()
        await until(lambda: all(cell.explanation for cell in grid.cells.values()))
        assert grid.running == 0
        assert len(grid.cells) == 6
        strongest = [abs(grid.cells[2, c].explanation.attribution).max() for c in (0, 1)]
        assert grid.end(2) <= max(strongest)
        assert grid.agreement(0).correlations.shape == (3, 3)
        assert grid.consensus(1).shape == grid.disagreement_map(1).level.shape == (32, 32)
        assert [made.method.name for made in grid.of_column(1)] == grid.methods
        grid.methods = ["saliency"]
        assert grid.cells[0, 1].explanation
        assert grid.agreement(0) is grid.disagreement_map(0) is None
        explorer.seed = 5
        grid.methods = ["smooth_grad"]
        assert grid.cells[0, 0].request.question.seed == 5

    visit(story)


def test_models_are_compared_with_those_of_the_same_task(visit, tmp_path):
    async def story(session):
        grid = session.comparison
        give(session, tmp_path)
        await explained(session)
        grid.across = MODELS
        assert [model.name for model in grid.comparable()] == ["small", "twin"]
        assert grid.columns == ["small", "twin"]
        grid.run()
        await until(lambda: all(cell.explanation for cell in grid.cells.values()))
        names = {cell.explanation.target_name for cell in grid.cells.values()}
        return names == {session.workspace.reading.prediction.name}

    assert visit(story)


@pytest.mark.parametrize("how", ["stop", "leave"])
def test_a_grid_that_is_left_or_stopped_works_no_more(visit, tmp_path, how):
    async def story(session):
        workspace, grid = session.workspace, session.comparison
        workspace.choose_model("wide")
        give(session, tmp_path)
        await explained(session)
        session.explorer.settings = SLOW
        grid.methods = ["rise"]
        grid.run()
        await until(lambda: grid.running)
        if how == "stop":
            grid.stop()
            assert {cell.status for cell in grid.cells.values()} == {"Stopped."}
        else:
            workspace.remove(workspace.file)
            assert grid.cells == {}
        assert grid.running == 0
        await until(lambda: not any(w.doing for w in workspace.service.status().workers))
        return workspace.service.status().waiting

    assert visit(story) == 0


def test_a_grid_computes_on_what_a_change_of_settings_does_not_touch(visit, tmp_path):
    async def story(session):
        workspace, grid, explorer = session.workspace, session.comparison, session.explorer
        workspace.choose_model("wide")
        give(session, tmp_path)
        await explained(session)
        explorer.settings = SLOW
        grid.methods = ["rise", "smooth_grad"]
        grid.classes = grid.classes[:1]
        grid.run()
        await until(lambda: grid.cells[0, 0].busy)
        waiting = grid.cells[0, 0].request
        explorer.settings = {**SLOW, "smooth_grad": {"num_samples": 16}}
        assert grid.cells[0, 0].busy
        assert grid.cells[0, 0].request is waiting
        assert "compare 0 0" in workspace.visitor._slots
        assert "compare 1 0" not in workspace.visitor._slots
        assert dict(grid.cells[1, 0].request.question.settings) == {"num_samples": 16}
        assert not grid.cells[1, 0].busy
        assert grid.running == 1
        explorer.settings = {}
        assert not grid.cells[0, 0].busy
        assert grid.running == 0
        await until(lambda: not any(w.doing for w in workspace.service.status().workers))

    visit(story)


def test_two_models_are_followed_through_their_layers_while_looked_at(visit, tmp_path):
    async def story(session):
        layer_sweep = session.layer_sweep
        file = give(session, tmp_path)
        await explained(session)
        assert (layer_sweep.left, layer_sweep.right, layer_sweep.maps) == ("small", "twin", {})
        session.tab = "layers"
        await until(lambda: len(layer_sweep.maps) == 2)
        assert {len(maps) for maps in layer_sweep.maps.values()} == {2}
        assert layer_sweep.status == {"left": "", "right": ""}
        layer_sweep.right = ""
        await until(lambda: "left" in layer_sweep.maps)
        assert "right" not in layer_sweep.maps
        session.tab = "explain"
        assert layer_sweep.maps == {}
        return layer_sweep.active, file.name

    assert visit(story) == (False, "mine.png")


def test_a_link_restores_the_question_about_a_sample(visit):
    item = next(item for item in GALLERY if item.name == "cat.jpg")

    async def ask(session):
        session.workspace.show(Uploads.from_path(item.path), "twin")
        await explained(session)
        session.explorer.param.update(
            method="smooth_grad",
            target=2,
            contrast=1,
            seed=7,
            settings={"smooth_grad": {"noise": 0.3}},
        )
        session.param.update(tab="compare", chosen_language="fr")
        session.explorer.run()
        await explained(session)
        return session.link(), session.view(), session.explorer.explanation.attribution

    link, view, wanted = visit(ask)

    async def follow(session):
        session.restore(f"?{link}")
        return session.view(), await explained(session), session.workspace.notice, fits(session)

    again, made, notice, fit = visit(follow)

    assert again == view
    assert fit
    assert notice == ""
    np.testing.assert_array_equal(made.attribution, wanted)
    assert item.name not in link


def test_a_link_about_a_missing_file_is_followed_when_it_is_dropped(visit, tmp_path):
    file = draw(tmp_path, "mine.png")
    link = f"sample={file.sha256}&model=twin&method=saliency&target=2&layer=no+such&window=7"

    async def story(session):
        session.restore(link)
        assert "Drop the same file to continue" in session.workspace.notice
        give(session, tmp_path, "another.png")
        await explained(session)
        assert session.explorer.method == DEFAULT_METHOD
        session.workspace.add("renamed.png", file.path.read_bytes())
        await until(lambda: session.explorer.method == "saliency" and session.explorer.explanation)
        session.explorer.method = "grad_cam"
        session.workspace.step(1)
        session.workspace.step(1)
        await explained(session)
        return session.workspace.model.name, session.explorer.method, fits(session)

    assert visit(story) == ("twin", "grad_cam", True)


def test_a_link_with_bad_values_does_what_it_can_and_says_the_rest(visit):
    async def story(session):
        session.restore("model=none&method=<b>&target=9&tab=layers&sample=../etc&language=xx")
        return session.tab, session.workspace.model.name, session.language, session.workspace.notice

    tab, model, language, notice = visit(story)

    assert (tab, model, language) == ("layers", "small", "en")
    assert notice.count("Ignored the link's") == 5
    assert "<b>" not in notice


def test_a_link_tells_that_the_model_has_changed(visit):
    async def story(session):
        session.restore("model=twin&fingerprint=00000000")
        return session.workspace.model.name, session.workspace.notice

    name, notice = visit(story)

    assert name == "twin"
    assert "has changed since this link was made" in notice


def test_a_session_can_be_taken_home(visit, tmp_path):
    async def story(session):
        for take in (session.bundle, session.report):
            with pytest.raises(InputError, match="Explain something first"):
                await take()
        give(session, tmp_path, "one <b>.png")
        await explained(session)
        session.explorer.method = "saliency"
        await explained(session)
        return await session.bundle(), (await session.report()).decode()

    bundle, page = visit(story)

    names = zipfile.ZipFile(BytesIO(bundle)).namelist()
    assert "manifest.json" in names
    assert "one &lt;b&gt;.png" in page
    assert METHODS["saliency"].title in page


def test_what_is_kept_of_a_visitor_is_bounded(visit, tmp_path, monkeypatch):
    monkeypatch.setattr("dashboards.state.explorer.MAX_HISTORY", 2)
    monkeypatch.setattr("dashboards.state.trust.MAX_COMPARED", 0)  # no maps unasked

    async def story(session):
        give(session, tmp_path)
        for method in ("grad_cam", "saliency", "gradient_input"):
            session.explorer.method = method
            await explained(session)
        made = session.history()
        assert all(explanation.sample is session.workspace.sample for _, explanation in made)
        return [explanation.method.name for _, explanation in made]

    assert visit(story) == ["saliency", "gradient_input"]


def test_asking_twice_for_the_same_is_no_stop(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        session.workspace.choose_model("wide")
        give(session, tmp_path)
        await explained(session)
        explorer.param.update(method="rise", settings=SLOW)
        explorer.run()
        explorer.run()
        assert (explorer.running, explorer.status) != (False, "Stopped.")
        await until(lambda: explorer.progress)
        running = explorer._job.request
        explorer._job.request = replace(
            running, question=replace(running.question, seed=9)
        )  # another one runs
        explorer.run()
        running = explorer.running
        explorer.stop()
        return running, explorer.running

    assert visit(story) == (True, False)


async def sampled(session, count):
    """A map of so many samples by the method chosen."""
    explorer = session.explorer
    if explorer.explanation is None and not explorer.running:
        explorer.run()
    await until(
        lambda: (
            explorer.problem
            or (
                (shown := explorer.explanation)
                and (shown.convergence and shown.settings["num_samples"] == count)
            )
        )
    )
    assert explorer.problem == ""
    return explorer.explanation


def test_run_more_goes_on_from_the_samples_there_are(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        give(session, tmp_path)
        await explained(session)
        explorer.param.update(method="rise", settings={"rise": {"num_samples": 64}})
        some = await sampled(session, 64)
        view = MethodView(explorer=explorer)
        labels = [button.label for button in view._sampling]
        explorer.run_more()
        more = await sampled(session, 128)
        return some, more, explorer._job.total, labels, view._inputs["rise", "num_samples"].value

    some, more, passes, labels, shown = visit(story)

    assert passes == 64  # and not 128
    assert more.cost.forward == 128
    assert more.convergence.samples.tolist()[: len(some.convergence.samples)] == [32, 64]
    assert labels[0].startswith("Run more (64 passes")
    assert labels[1].startswith("Until stable (up to 8128 passes")
    assert shown == 128


def test_a_method_of_the_same_draws_goes_on_from_those_there_are(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        give(session, tmp_path)
        await explained(session)
        explorer.param.update(method="var_grad", settings={"var_grad": {"num_samples": 48}})
        await sampled(session, 48)
        settings = {"smooth_grad": {"num_samples": 64}}
        explorer.param.update(method="smooth_grad", settings=settings)
        shown = await sampled(session, 64)
        return explorer._job.total, shown.method.name, shown.cost.gradient

    assert visit(story) == (16, "smooth_grad", 64)


def test_until_stable_tells_how_many_samples_it_took_and_is_kept_as_that(visit):
    async def story(session):
        explorer = session.explorer
        session.workspace.add("cat.jpg", (SAMPLES / "cat.jpg").read_bytes())  # noise may not settle
        await explained(session)
        explorer.param.update(method="lime", settings={"lime": {"num_samples": 64}})
        await sampled(session, 64)
        explorer.run_until_stable()
        await until(lambda: explorer.explanation and explorer.explanation.convergence.wanted)
        settled = explorer.explanation
        explorer.method = "saliency"
        await explained(session)
        explorer.method = "lime"
        stored = session.workspace.service.has_answer(explorer.request())
        return settled, explorer, computed_words(explorer.explanation), stored

    settled, explorer, said, stored = visit(story)

    taken = settled.settings["num_samples"]
    assert 64 < taken < settled.convergence.limit == 4096
    assert settled.cost.forward == taken
    assert explorer.settings["lime"]["num_samples"] == taken
    assert explorer.explanation is settled
    assert explorer.until_stable() is None
    assert stored  # under the question of so many samples, which others may ask about
    assert "Stability 0.9" in said
    assert "<svg class=" in said


def test_stopping_what_goes_on_leaves_the_map_there_was(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        session.workspace.choose_model("wide")
        give(session, tmp_path)
        await explained(session)
        explorer.param.update(method="rise", settings={"rise": {"num_samples": 32}})
        some = await sampled(session, 32)
        explorer.run_until_stable()
        assert explorer.running
        assert explorer.explanation is None
        explorer.stop()
        return some, explorer.explanation, explorer.status

    some, shown, status = visit(story)

    assert shown is some
    assert status == "Stopped."


def test_an_answer_of_fewer_samples_than_may_be_asked_for_is_shown(visit, tmp_path):
    """As stores of before have it."""

    async def story(session):
        explorer = session.explorer
        give(session, tmp_path)
        await explained(session)
        explorer.param.update(method="rise", settings={"rise": {"num_samples": 32}})
        some = await sampled(session, 32)
        request = explorer.request()
        request = replace(request, question=replace(request.question, until_stable=0.9))
        question = replace(some.question, settings={**some.settings, "num_samples": 8})
        few = replace(some, question=question)
        job = Job(request, session.workspace.visitor)
        explorer._job = job
        explorer.param.update(running=True, explanation=None)
        job.watch(explorer._on_update)
        job.update(state=DONE, answer=few)
        return few, explorer.explanation, explorer.running

    few, shown, running = visit(story)

    assert shown is few
    assert not running


def test_run_more_tells_all_passes_where_the_state_was_too_large(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        give(session, tmp_path)
        await explained(session)
        explorer.param.update(method="rise", settings={"rise": {"num_samples": 64}})
        some = await sampled(session, 64)
        convergence = replace(some.convergence, kept=False)
        explorer.explanation = replace(some, convergence=convergence)
        return [button.label for button in MethodView(explorer=explorer)._sampling]

    more, settle = visit(story)

    assert more.startswith("Run more (128 passes")
    assert settle.startswith("Until stable (up to 8192 passes")


def test_a_partial_map_is_drawn_once(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        session.workspace.choose_model("wide")
        give(session, tmp_path)
        await explained(session)
        explorer.param.update(method="rise", settings=SLOW)
        explorer.run()
        await until(lambda: explorer.partial is not None)
        drawn, ticks = [], []
        explorer.param.watch(drawn.append, "partial")
        explorer.param.watch(ticks.append, "progress")
        await until(lambda: len(ticks) > 3)
        return [event for event in drawn if event.new is event.old]

    assert visit(story) == []


def test_a_picture_goes_back_to_its_model_after_a_sound(visit, tmp_path):
    async def story(session):
        workspace = session.workspace
        workspace.choose_model("twin")
        first = give(session, tmp_path)
        workspace.add("talk.wav", (SAMPLES / "speech_human.wav").read_bytes())
        assert workspace.model.name == "ears"
        workspace.show(first)
        assert workspace.model.name == "twin"
        workspace.step(1)
        assert workspace.model.name == "ears"
        give(session, tmp_path, "fresh.png")
        return workspace.model.name

    assert visit(story) == "twin"


def test_what_is_said_of_a_drop_is_said_together_and_stays(visit, tmp_path):
    async def story(session):
        workspace, said = session.workspace, []
        drop = Drop(1, 3)
        workspace.add("notes.txt", b"text", drop)
        workspace.add("good.png", draw(tmp_path, "good.png").path.read_bytes(), drop)
        workspace.add("broken.jpg", b"", drop)
        said.append(workspace.problem)
        workspace.add("other.png", draw(tmp_path, "other.png").path.read_bytes(), Drop(2))
        said.append(workspace.problem)
        return said

    dropped, after_another = visit(story)

    assert after_another == dropped
    heading, first, second = dropped.splitlines()
    assert heading == "2 of 3 files were not taken:"
    assert first.startswith("notes.txt")
    assert "broken.jpg" in second


def test_the_winner_of_a_search_is_tried_or_said_to_be_missing(visit):
    async def story(session):
        session.tab = "tuning"
        await session.try_model("winner")
        assert session.tab == "tuning"
        assert "There is no model winner on this server" in session.workspace.problem
        await session.try_model("twin")
        return session.tab, session.workspace.model.name

    assert visit(story) == ("explain", "twin")


def test_what_is_taken_home_is_of_the_files_on_the_bench(visit, models, tmp_path):
    async def story(session):
        workspace, explorer = session.workspace, session.explorer
        give(session, tmp_path, "gone.png")
        await explained(session)
        gone = workspace.file
        give(session, tmp_path, "kept.png")
        await explained(session)
        workspace.remove(gone)
        request, explanation = session.file_history()[0]
        explorer.history["bad"] = (replace(request, model=models["damaged"]), explanation)
        reports = await asyncio.gather(session.report(), session.report())
        bundles = await asyncio.gather(session.bundle(), session.bundle())
        explorer.history = {"bad": explorer.history["bad"]}
        with pytest.raises(InputError, match=r"kept\.png with damaged was omitted"):
            await session.report()
        return reports, bundles

    reports, bundles = visit(story)

    assert all(bundles)
    for page in (report.decode() for report in reports):
        assert "kept.png" in page
        assert "gone.png" not in page
        assert "kept.png with damaged was omitted" in page


def test_downloads_are_named_after_what_they_hold(visit, tmp_path):
    async def story(session):
        view = DownloadsView(session=session)
        give(session, tmp_path, "mine <1>.png")
        await explained(session)
        return [button.filename for button in view._buttons]

    assert visit(story) == [
        f"mine_1_small_{DEFAULT_METHOD}.png",
        "mine_1_small_maps.npz",
        "mine_1_small.zip",
        "report.html",
    ]


def test_any_class_can_be_explained_where_not_all_have_a_bar(visit, tmp_path, monkeypatch):
    monkeypatch.setattr("dashboards.views.prediction.MAX_CLASSES", 2)

    async def story(session):
        view = PredictionView(explorer=session.explorer)
        assert not view._any.visible
        give(session, tmp_path)
        await explained(session)
        barred = {int(item["value"]) for item in view._classes.items}
        last = ({0, 1, 2} - barred).pop()
        assert view._any.visible
        view._any.value = last
        assert view._contrast.options == {"(any other)": -1, "a": 0, "b": 1, "c": 2}
        await explained(session)
        return session.explorer.explanation.target == last

    assert visit(story)


def test_the_bars_of_a_window_are_told_from_the_answer_for_the_file():
    windows = [
        SimpleNamespace(sound=SimpleNamespace(seconds=np.array([start, start + 2])))
        for start in (0.0, 1.2)
    ]

    told = about_window(SimpleNamespace(samples=windows), 1)

    assert "of this window alone, 1.2 to 3.2 s" in told
    assert "from all of its 2 windows" in told
    assert about_window(SimpleNamespace(samples=windows[:1]), 0) == ""


def test_a_late_word_of_the_browser_about_other_classes_is_no_choice(visit, tmp_path):
    async def story(session):
        give(session, tmp_path)
        await explained(session)
        layers = LayerSweepPage(layer_sweep=session.layer_sweep)
        columns = compare.ControlsView(comparison=session.comparison)._columns
        session.comparison.active = True
        contrast = PredictionView(explorer=session.explorer)._contrast

        def state():
            chosen = (session.layer_sweep.target, session.comparison.classes)
            return (*chosen, session.explorer.contrast)

        before = state()
        menus = (layers._target, contrast, columns)  # another contrast brings its own columns
        for menu in menus:
            menu._handle_msg({"press": "a class of another model"})
        late = state()
        others = [next(text for text in menu.texts if text not in menu.chosen) for menu in menus]
        for menu, text in zip(menus, others, strict=True):
            menu._handle_msg({"press": text})
        return before, late, state(), [menus[k].options[text] for k, text in enumerate(others)]

    before, late, chosen, (target, against, column) = visit(story)

    assert late == before
    assert (chosen[0], chosen[2]) == (target, against)
    assert column in chosen[1]


def test_progress_redraws_no_map_of_the_grid(visit, tmp_path, monkeypatch):
    drawn = []
    for name in ("sample_viewer_data", "viewer_data", "_tables"):
        drawing = getattr(compare, name)
        monkeypatch.setattr(compare, name, lambda *a, f=drawing, n=name: drawn.append(n) or f(*a))

    async def story(session):
        grid = session.comparison
        give(session, tmp_path)
        await explained(session)
        session.explorer.method = "saliency"
        await explained(session)
        session.tab = "compare"
        view, _ = compare.GridView(comparison=grid), compare.AgreementView(comparison=grid)
        assert sorted(set(drawn)) == ["_tables", "sample_viewer_data", "viewer_data"]
        # The page makes some of these maps by itself, sooner or later.
        grid.cells = grid.cells | {(1, 0): replace(grid.cells[1, 0], explanation=None)}
        drawn.clear()
        grid.cells = {p: replace(cell, status="1 of 9") for p, cell in grid.cells.items()}
        assert drawn == []
        assert "1 of 9" in view._viewers[1, 0].caption
        grid.run()
        await until(lambda: all(cell.explanation for cell in grid.cells.values()))
        return drawn.count("viewer_data") >= 4, view._viewers[2, 0].heatmap != ""

    assert visit(story) == (True, True)


def test_places_of_disagreement_are_outlined_on_both_maps_under_the_numbers_of_their_sentences(
    visit, tmp_path
):
    async def story(session):
        grid = session.comparison
        give(session, tmp_path)
        await explained(session)
        session.tab = "compare"
        cells = compare.GridView(comparison=grid)
        words = compare.AgreementView(comparison=grid)
        grid.run()
        await until(lambda: all(cell.explanation for cell in grid.cells.values()))
        found = grid.disagreement_map(0).disagreements
        numbers = list(range(1, len(found) + 1))
        assert found
        assert [place for place, *_ in words._conflict_viewer.places] == numbers
        for number, region in enumerate(found, 1):
            outlined = {
                METHODS[grid.methods[row]].title
                for (row, column), viewer in cells._viewers.items()
                if column == 0 and (number, *region.box) in viewer.places
            }
            assert outlined == {region.first, region.second}
        said = words._disagreements.object.split("<ol>")[1].split("<li>")[1:]
        assert [region.place in line for region, line in zip(found, said, strict=True)]
        grid.methods = grid.methods[:1]
        assert cells._viewers[0, 0].places == cells._viewers[0, 1].places == []

    visit(story)


def test_layers_are_asked_for_once_and_by_the_name_of_the_class(visit, tmp_path):
    async def story(session):
        layer_sweep, asked = session.layer_sweep, []
        session.tab = "layers"
        submit = session.workspace.visitor.submit

        def count(request, slot):
            asked.append(slot)
            return submit(request, slot)

        session.workspace.visitor.submit = count
        page = LayerSweepPage(layer_sweep=layer_sweep)
        give(session, tmp_path)
        await until(lambda: len(layer_sweep.maps) == 2)
        assert [slot for slot in asked if slot.startswith("layer_sweep")] == [
            "layer_sweep left",
            "layer_sweep right",
        ]
        assert page._target.options == {
            "(predicted class of each model)": -1,
            "a": 0,
            "b": 1,
            "c": 2,
        }
        page._target.value = 0
        await until(lambda: len(layer_sweep.maps) == 2)
        assert {maps[0].target_name for maps in layer_sweep.maps.values()} == {"a"}
        layer_sweep.right = ""
        give(session, tmp_path)
        await until(lambda: "left" in layer_sweep.maps)
        return layer_sweep.right, layer_sweep.target

    assert visit(story) == ("", -1)


def test_a_link_restores_what_is_compared_and_followed(visit):
    item = next(item for item in GALLERY if item.name == "cat.jpg")

    async def ask(session, tab):
        session.workspace.show(Uploads.from_path(item.path), "small")
        await explained(session)
        session.comparison.param.update(across=MODELS, models=["twin"], classes=[2, 0])
        session.layer_sweep.param.update(method="grad_cam_pp", left="twin", right="")
        session.tab = tab
        return session.link()

    async def follow(session, link):
        session.restore(link)
        await explained(session)
        return session.comparison, session.layer_sweep, session.workspace.notice

    grid, _, said = visit(partial(follow, link=visit(partial(ask, tab="compare"))))
    assert (grid.across, grid.models, grid.classes, said) == (MODELS, ["twin"], [2, 0], "")
    _, layer_sweep, said = visit(partial(follow, link=visit(partial(ask, tab="layers"))))
    assert (layer_sweep.method, layer_sweep.left, layer_sweep.right, said) == (
        "grad_cam_pp",
        "twin",
        "",
        "",
    )


def test_a_link_without_a_file_is_about_the_next_one(visit, tmp_path):
    async def story(session):
        session.restore("method=smooth_grad&set_noise=0.3&seed=4")
        give(session, tmp_path)
        await until(lambda: session.workspace.reading)
        return session.explorer.request()

    request = visit(story)

    assert (request.method, request.question.seed, request.question.settings) == (
        "smooth_grad",
        4,
        (("noise", 0.3),),
    )


def test_a_closed_session_leaves_no_work_no_file_and_no_trace(service, tmp_path):
    async def story():
        session = Session(service, Uploads(tmp_path / "uploads"))
        session.workspace.choose_model("wide")
        give(session, tmp_path)
        await explained(session)
        session.explorer.param.update(method="rise", settings=SLOW)
        session.explorer.run()
        while not session.explorer.progress:  # no closure, which would keep the session
            assert not session.explorer.problem
            await asyncio.sleep(0.01)
        parts = (
            session,
            session.workspace,
            session.explorer,
            session.comparison,
            session.layer_sweep,
        )
        traces = [weakref.ref(part) for part in (*parts, session.narrator)]
        session.close()
        del session, parts
        await until(lambda: not any(w.doing for w in service.status().workers))
        return traces

    traces = asyncio.run(patiently(story()))
    gc.collect()

    assert not list((tmp_path / "uploads").iterdir())
    assert [trace() for trace in traces] == [None] * len(traces)


def test_what_is_dropped_or_recorded_comes_on_the_bench(visit, tmp_path):
    picture = draw(tmp_path, "mine.png").path.read_bytes()
    sound = (SAMPLES / "speech_human.wav").read_bytes()

    async def story(session):
        view = InputView(workspace=session.workspace)
        for field, data in ((view._drop, picture), (view._recorder, sound)):
            whole = {"file": 0, "name": "given", "size": len(data), "at": 0, "data": data}
            field._handle_msg(whole)
        return [file.kind for file in session.workspace.files], session.workspace.problem

    assert visit(story) == (["picture", "sound"], "")


def test_a_sample_that_was_read_carries_its_answer_and_its_doubt(visit):
    def notes(view):
        return {item["value"]: item["note"] for item in view._gallery.items if item["note"]}

    async def story(session):
        view, workspace = InputView(workspace=session.workspace), session.workspace
        assert notes(view) == {}
        first, second = GALLERY[:2]
        workspace.answers = {first.sha256: ("a, 90%", False), second.sha256: ("b, 60%", True)}
        assert notes(view) == {first.name: "a, 90%", second.name: "b, 60% (doubtful)"}

    visit(story)


def test_only_who_takes_a_sample_gets_the_model_it_is_meant_for(visit, monkeypatch):
    dog = replace(next(item for item in GALLERY if item.name == "dog.jpg"), model="twin")
    monkeypatch.setattr(sidebar, "GALLERY", (dog,))

    async def story(session):
        workspace = session.workspace
        gallery = InputView(workspace=workspace)._gallery
        workspace.choose_model("small")
        workspace.add("mine.jpg", dog.path.read_bytes())
        dropped = (workspace.model.name, gallery.value)
        workspace.remove(workspace.file)
        gallery.value = dog.name
        return dropped, (workspace.model.name, gallery.value)

    assert visit(story) == (("small", "dog.jpg"), ("twin", "dog.jpg"))


def test_what_is_wrong_with_a_setting_is_said_until_something_else_is_asked(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        give(session, tmp_path)
        await explained(session)
        explorer.method = "occlusion"
        explorer.run()
        explorer.problem = "No such number."
        await explained(session)
        kept = explorer.problem
        explorer.method = "saliency"
        return kept, explorer.problem

    assert visit(story) == ("No such number.", "")


def test_a_page_hears_of_nobody_elses_work_and_is_known_to_nobody_else(visit, service, tmp_path):
    async def story(_):
        def followers():  # of what all pages share: who is listed there is kept for good
            return {name: len(f["value"]) for name, f in pn.state.param.watchers.items()}

        before = followers()
        page = create_app(service, ServeSettings(cache=tmp_path))
        with edit_readonly(pn.state):
            pn.state.busy = True
        try:
            return page.busy, before, followers()
        finally:
            with edit_readonly(pn.state):
                pn.state.busy = False

    busy, before, after = visit(story)

    assert busy is False
    assert before == after


def test_a_number_that_is_refused_is_marked_and_nothing_runs_with_the_old_one(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        give(session, tmp_path)
        await explained(session)
        explorer.method = "rise"
        view = MethodView(explorer=explorer)
        field = view._inputs["rise", "num_samples"]
        seen = [(field.value, field.error_state, field.helper_text, view._run.disabled)]
        for typed in (99_999_999, 128):
            field.value = typed
            seen.append((field.value, field.error_state, field.helper_text, view._run.disabled))
        return seen, explorer.settings

    (first, refused, taken), settings = visit(story)

    assert first[1:] == (False, "From 16 to 16,384.", False)
    assert refused[:2] == (99_999_999, True)
    assert "From 16 to 16,384." in refused[2]
    assert f"still made with {first[0]:,}" in refused[2]
    assert refused[3]
    assert taken == (128, False, "From 16 to 16,384.", False)
    assert settings["rise"] == {"num_samples": 128}


def test_a_setting_with_names_is_a_choice_in_the_form(visit, tmp_path):
    async def story(session):
        explorer = session.explorer
        give(session, tmp_path)
        await explained(session)
        explorer.settings = {"integrated_gradients": {"baseline": 0.3}}  # as of a link
        explorer.method = "integrated_gradients"
        view = MethodView(explorer=explorer)
        widget = view._inputs["integrated_gradients", "baseline"]
        seen = [widget.value]
        for chosen in ("average", 0.0, ""):
            widget.value = chosen
            seen.append(explorer.settings["integrated_gradients"].get("baseline"))
        explorer.set("integrated_gradients", "baseline", "blurred")
        seen.append(widget.value)
        return seen, list(widget.options), explorer.passes("integrated_gradients")

    seen, options, passes = visit(story)

    assert seen == [0.3, "average", 0.0, None, "blurred"]
    assert options[:3] == ["that of the task", "0", "1"]
    assert options[-1] == "0.3"
    assert passes == "64 to 512"
