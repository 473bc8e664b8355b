"""The service: real processes, really killed."""

import asyncio
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import soundfile

from dashboards.service.catalogue import Catalogue, find_models
from dashboards.service.errors import CancelledJobError, JobError
from dashboards.service.handlers import HANDLERS
from dashboards.service.jobs import Flight
from dashboards.service.pool import Pool
from dashboards.service.process import IDLE, Process
from dashboards.service.requests import (
    Bundle,
    Describe,
    Evaluate,
    Explain,
    FullPicture,
    Predict,
    Prepare,
    ThroughLayers,
    Upload,
    key,
)
from dashboards.service.serialization import pack, unpack
from dashboards.service.service import Service
from dashboards.service.worker import Cancelled
from dashboards.service.worker_context import WorkerContext
from dashboards.state.progress import describe_progress
from dashboards.views.classes import model_label
from tests.conftest import SAMPLES, assert_told
from tests.served import LONG, draw, make_models
from tests.waiting import PATIENCE, eventually, patiently, until
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import Question
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading, read_and_predict
from xai_tf.errors import InputError, ModelError, UnknownNameError
from xai_tf.inputs.sample import Sample, file_sha256

CARD = """---
library_name: keras
name: first
task: mine
classes: [x, y, z]
backbone: cnn
---
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def models(tmp_path_factory, small_cnn):
    """A small model with a card, one that takes its time, and two that cannot be loaded."""
    return make_models(tmp_path_factory.mktemp("models"), small_cnn)


@pytest.fixture(scope="module")
def service(models, tmp_path_factory):
    service = Service(models, tmp_path_factory.mktemp("store"))
    yield service
    service.close()


@pytest.fixture
def picture(tmp_path):
    """A visitor's picture that nobody gave before."""
    return draw(tmp_path, "my cat <b>.png")


def ask(service, *requests):
    """The answers to requests, asked one after the other by one visitor."""

    async def all_of_them():
        visitor = service.visitor()
        return [await visitor.submit(request).result() for request in requests]

    return asyncio.run(patiently(all_of_them()))


def busy(service):
    return [worker for worker in service.status().workers if worker.doing.startswith("Explain")]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def cpu_seconds(pid: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("method", ["grad_cam", "smooth_grad", "kernel_shap"])
def test_maps_are_the_librarys_own_bit_for_bit(service, models, picture, method):
    settings = (("num_samples", 16),) if "num_samples" in METHODS[method].options else ()
    request = Explain(
        models["small"], picture, Question(method, target=0, seed=3, settings=settings)
    )
    classifier = load(models["small"].path)
    sample = classifier.read(picture.path)

    (answer,) = ask(service, request)

    expected = explain(classifier, sample, method, target=0, seed=3, settings=dict(settings))
    np.testing.assert_array_equal(answer.attribution, expected.attribution)
    np.testing.assert_array_equal(answer.sample.image, sample.image)
    assert answer.settings == expected.settings
    assert answer.method is METHODS[method]
    assert answer.target_name == "a"
    assert answer.sample.source == Path(picture.name)
    if expected.segments is not None:
        np.testing.assert_array_equal(answer.segments, expected.segments)
        np.testing.assert_array_equal(answer.segment_weights, expected.segment_weights)


def test_facts_reading_and_layers_come_back_whole(service, models, picture):
    model = models["small"]

    facts, reading, layers = ask(
        service, Describe(model), Predict(model, picture), ThroughLayers(model, picture)
    )

    assert (facts.name, facts.classes, facts.image_size) == ("small", ("a", "b", "c"), (32, 32))
    assert facts.feature_layers == ("conv_a", "half", "conv_b", "relu_b")
    assert facts.forward_seconds > 0
    one, many = (
        facts.seconds(Explain(model, picture, Question(m))) for m in ("saliency", "smooth_grad")
    )
    assert 0 < one == facts.gradient_seconds < many
    expected = read_and_predict(load(model.path), picture.path)
    np.testing.assert_array_equal(reading.prediction.logits, expected.prediction.logits)
    assert reading.prediction.classes == ("a", "b", "c")
    assert [layer.layer for layer in layers] == list(facts.resolution_layers)


def test_a_second_server_finds_what_the_first_computed(service, models, picture, tmp_path):
    picture = replace(picture, public=True)
    request = Explain(models["small"], picture, Question("saliency"))
    (answer,) = ask(service, request)
    other = replace(picture, name="other name.png", path=tmp_path / "elsewhere.png")

    async def ask_again():
        job = second.visitor().submit(replace(request, file=other))
        return job.state, job.cached, job.answer

    second = Service(models, service.answers.store.folder, workers=0)
    state, cached, again = asyncio.run(patiently(ask_again()))
    second.close()

    assert (state, cached) == ("done", True)  # before the event loop went on
    np.testing.assert_array_equal(again.attribution, answer.attribution)
    assert again.sample.source == Path("other name.png")


def test_what_was_found_in_a_file_goes_with_the_last_who_asked(service, models, picture):
    store = service.answers.store
    request = Predict(models["small"], picture)

    def kept():
        return [path.name for path in store.folder.glob(f"{picture.sha256}-*")]

    async def come_and_go():
        first, second = service.visitor(), service.visitor()
        await first.submit(request).result()
        await first.submit(Explain(models["small"], picture, Question("saliency"))).result()
        shared = second.submit(replace(request, file=replace(picture, name="theirs.png")))
        names = kept()
        first.close()
        still_there = kept()
        again = second.submit(request).cached
        second.close()
        return names, still_there, shared.cached and again

    names, still_there, cached = asyncio.run(patiently(come_and_go()))

    assert len(names) == 2
    assert sorted(still_there) == sorted(names)
    assert cached
    assert kept() == []
    assert [store.get(name) for name in names] == [None, None]  # nor in memory
    assert not service.has_answer(request)


def test_an_answer_that_comes_after_its_visitor_left_is_not_kept(service, models, picture):
    async def ask_when_gone():
        visitor = service.visitor()
        visitor.close()
        await visitor.submit(Predict(models["small"], picture)).result()

    asyncio.run(patiently(ask_when_gone()))

    assert list(service.answers.store.folder.glob(f"{picture.sha256}-*")) == []


def test_what_was_found_in_a_sample_stays(service, models, picture):
    request = Predict(models["small"], replace(picture, public=True))

    async def come_and_go():
        visitor = service.visitor()
        await visitor.submit(request).result()
        visitor.close()
        return service.visitor().submit(Predict(models["small"], picture)).cached

    assert asyncio.run(patiently(come_and_go()))
    assert key(request) == key(Predict(models["small"], picture))


def test_a_dead_servers_answers_about_uploads_are_deleted(tmp_path):
    ours, theirs = "a" * 64, "b" * 64
    for name in (ours, f"{theirs}-{ours}"):
        (tmp_path / name).write_bytes(b"an answer")

    Service({}, tmp_path, workers=0).close()

    assert [path.name for path in tmp_path.iterdir()] == [ours]


def test_facts_of_a_model_are_measured_anew_by_each_server(service, models):
    request = Describe(models["small"])
    before = set(service.answers.store.folder.iterdir())

    ask(service, request)

    async def asked_again():
        return service.visitor().submit(request).cached

    assert asyncio.run(patiently(asked_again()))
    assert set(service.answers.store.folder.iterdir()) <= before
    second = Service(models, service.answers.store.folder, workers=0)
    assert not second.has_answer(request)
    second.close()


def test_an_answer_that_cannot_be_kept_is_handed_out(service, models, picture, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("the store is broken")

    monkeypatch.setattr(service.answers.store, "put", broken)

    (reading,) = ask(service, Predict(models["small"], picture))

    assert len(reading.samples) == 1
    assert "the store is broken" in caplog.text


def test_what_two_visitors_ask_is_computed_once(service, models, picture, tmp_path):
    request = Explain(models["small"], picture, Question("smooth_grad"))
    other = replace(picture, name="theirs.png")

    async def both_ask():
        first = service.visitor().submit(request)
        second = service.visitor().submit(replace(request, file=other))
        assert first.flight is second.flight
        assert not second.cached
        return await first.result(), await second.result()

    one, two = asyncio.run(patiently(both_ask()))

    np.testing.assert_array_equal(one.attribution, two.attribution)
    assert one.seconds == two.seconds  # of the one run
    assert (one.sample.source, two.sample.source) == (Path(picture.name), Path("theirs.png"))


def test_the_file_of_one_who_left_is_read_from_one_who_stays(service, models, picture, tmp_path):
    request = Predict(models["small"], picture)
    copy = replace(picture, path=tmp_path / "copy.png")
    copy.path.write_bytes(picture.path.read_bytes())

    async def one_leaves():
        leaving, staying = service.visitor(), service.visitor()
        leaving.submit(request)
        job = staying.submit(replace(request, file=copy))
        picture.path.unlink()
        leaving.close()
        return await job.result()

    assert len(asyncio.run(patiently(one_leaves())).samples) == 1


def test_a_page_that_is_gone_hears_no_more_of_its_jobs(service, models, picture):
    async def leaves_while_it_runs():
        heard, visitor = [], service.visitor()
        job = visitor.submit(Explain(models["wide"], picture, Question("rise", settings=LONG)))
        job.watch(lambda job: heard.append(job.state))
        await until(lambda: "running" in heard)
        before = len(heard)
        visitor.close()
        job.post(state="running", done=1)  # what its process had sent already
        await asyncio.sleep(0)
        return before, len(heard), job.state

    before, after, state = asyncio.run(patiently(leaves_while_it_runs()))

    assert before == after
    assert state == "cancelled"


def test_the_latest_request_of_a_slot_wins(service, models, picture):
    async def change_ones_mind():
        visitor = service.visitor()
        jobs = [
            visitor.submit(Explain(models["small"], picture, Question(method)), slot="map")
            for method in ("rise", "occlusion", "gradient_input")
        ]
        elsewhere = visitor.submit(Explain(models["small"], picture, Question("fem")), slot="other")
        answer, other = await jobs[-1].result(), await elsewhere.result()
        for job in jobs[:-1]:
            with pytest.raises(CancelledJobError):
                await job.result()
        return [job.state for job in jobs], answer, other

    states, answer, other = asyncio.run(patiently(change_ones_mind()))

    assert states == ["cancelled", "cancelled", "done"]
    assert (answer.method.name, other.method.name) == ("gradient_input", "fem")


def test_progress_and_partial_maps_are_told_on_the_event_loop(service, models, picture):
    told = []

    async def watch():
        job = service.visitor().submit(
            Explain(models["wide"], picture, Question("rise", settings=LONG))
        )
        job.watch(lambda job: told.append((asyncio.get_running_loop(), job.state, job.done)))
        await until(lambda: job.partial is not None)
        before, left, after = time.monotonic(), job.seconds_left(), time.monotonic()
        ratio, partial = (job.total - job.done) / job.done, job.partial
        least, most = ((now - job.started) * ratio for now in (before, after))
        job.cancel()
        return asyncio.get_running_loop(), (least, left, most), partial

    loop, (least, left, most), partial = asyncio.run(patiently(watch()))

    assert all(where is loop for where, _, _ in told)
    counts = [done for _, state, done in told if state == "running"]
    assert counts == sorted(counts)
    assert 0 < least <= left <= most
    assert partial.shape == (64, 64)
    assert partial.dtype == np.float32
    assert told[-1][1] == "cancelled"


def test_a_cancelled_job_stops_the_work(service, models, picture, monkeypatch):
    monkeypatch.setattr("dashboards.service.pool.STOP_SECONDS", 2 * PATIENCE)  # it stops by itself
    request = Explain(models["wide"], picture, Question("rise", settings=LONG))

    async def stop():
        visitor = service.visitor()
        job = visitor.submit(request)
        await until(lambda: job.done)
        (worker,) = busy(service)
        visitor.cancel("main")
        done = job.done
        await until(lambda: all(worker.state == "idle" for worker in service.status().workers))
        before = cpu_seconds(worker.pid)
        await asyncio.sleep(0.5)
        assert cpu_seconds(worker.pid) - before < 0.2
        assert job.done == done < job.total
        assert job.answer is None
        assert not service.has_answer(request)  # as it would, had it been computed to its end
        await visitor.submit(Predict(models["wide"], picture)).result()
        return worker.pid

    pid = asyncio.run(patiently(stop()))

    assert pid in [worker.pid for worker in service.status().workers]  # nor was it killed


def test_who_stays_keeps_the_work_that_another_cancels(service, models, picture):
    request = Explain(models["wide"], picture, Question("rise", settings=(("num_samples", 2048),)))

    async def one_cancels():
        first, second = (service.visitor().submit(request) for _ in range(2))
        first.watch(lambda job: job.done and job.cancel())
        answer = await second.result()
        return first.state, answer, second.retries

    state, answer, retries = asyncio.run(patiently(one_cancels()))

    assert (state, retries) == ("cancelled", 0)
    assert np.isfinite(answer.attribution).all()


def test_slow_work_leaves_a_process_for_quick_requests(service, models, tmp_path):
    async def ask_both():
        patient, hasty = service.visitor(), service.visitor()
        slow = [
            patient.submit(
                Explain(models["wide"], draw(tmp_path, "x"), Question("rise", settings=LONG)),
                slot=str(slot),
            )
            for slot in range(3)
        ]
        quick = [
            await hasty.submit(
                Explain(models["small"], draw(tmp_path, "y"), Question("saliency"))
            ).result()
            for _ in range(3)
        ]
        await until(lambda: slow[0].state == "running")
        states = [job.state for job in slow]
        lines = sorted(job.ahead for job in slow)
        patient.close()
        return states, lines, quick

    states, lines, quick = asyncio.run(patiently(ask_both()))

    assert states == ["running", "waiting", "waiting"]
    assert lines == [0, 0, 1]
    assert len(quick) == 3


def test_visitors_take_turns(service, models, tmp_path):
    async def both_ask_much():
        requests = [
            Explain(models["small"], draw(tmp_path, "x"), Question("fem")) for _ in range(8)
        ]
        greedy, modest = service.visitor(), service.visitor()
        jobs = [greedy.submit(request, slot=str(n)) for n, request in enumerate(requests[:7])]
        jobs.append(modest.submit(requests[7]))
        came = time.monotonic()
        for job in jobs:
            await job.result()
        return [job.started for job in jobs], came

    (*greedy, modest), came = asyncio.run(patiently(both_ask_much()))

    # The first turn is the greedy one's, as it came first. On a busy machine it has had more turns
    # before the other came.
    begun = max(1, sum(start <= came for start in greedy))
    assert sum(start < modest for start in greedy) <= begun


def test_problems_name_the_visitors_file_and_no_place(service, models, tmp_path):
    path = tmp_path / "secret-place.png"
    path.write_bytes(b"no picture at all")
    file = Upload(
        name="holiday <i>.png", path=path, sha256=file_sha256(path), size=17, kind="picture"
    )

    with pytest.raises(InputError) as caught:
        ask(service, Predict(models["small"], file))

    assert_told(caught.value, Path("holiday <i>.png"), "not a picture", "Give PNG")
    assert str(tmp_path) not in str(caught.value)


def test_a_problem_is_told_to_each_with_their_own_name(service, models, tmp_path):
    path = tmp_path / "bad.png"
    path.write_bytes(b"no picture either")
    file = Upload(name="mine.png", path=path, sha256=file_sha256(path), size=17, kind="picture")

    async def both_ask():
        names = ("mine.png", "theirs.png")
        jobs = [
            service.visitor().submit(Predict(models["small"], replace(file, name=name)))
            for name in names
        ]
        await until(lambda: all(job.state == "failed" for job in jobs))
        return [str(job.error) for job in jobs]

    mine, theirs = asyncio.run(patiently(both_ask()))

    assert mine.startswith("Cannot read mine.png:")
    assert theirs.startswith("Cannot read theirs.png:")


@pytest.mark.parametrize(
    ("name", "cause", "next_step"),
    [
        ("damaged", "is damaged", "Copy it again"),
        ("changed", "has changed since it was listed", "choose it again"),
    ],
)
def test_models_that_cannot_be_trusted_are_refused(
    service, models, picture, name, cause, next_step
):
    with pytest.raises(ModelError) as caught:
        ask(service, Describe(models[name]))

    assert_told(caught.value, Path(name), cause, next_step)
    assert str(models[name].path) not in str(caught.value)


def test_models_are_listed_without_loading_them(models, tmp_path):
    small, damaged = models["small"], models["damaged"]
    shutil.copy(small.path, tmp_path / "small.keras")
    again = find_models([small.path.parent, tmp_path, small.path.parent])

    assert (small.task, small.title) == ("lung_opacity", "Lung opacity, Plain CNN")
    assert small.classes == ("a", "b", "c")
    assert (damaged.title, damaged.classes, damaged.task) == ("damaged", (), None)
    assert "on 200 test files" in models["xray_mobilenetv2"].summary
    assert again["small-2"].path == tmp_path / "small.keras"
    assert len(again) == len(models) + 1
    with pytest.raises(ModelError, match="Expected an existing folder"):
        find_models([tmp_path / "missing"])


def test_the_catalogue_is_read_again_and_keeps_what_did_not_change(small_cnn, tmp_path):
    small_cnn.save(tmp_path / "first.keras")
    catalogue = Catalogue([tmp_path])
    before = catalogue.models

    assert catalogue.refresh() is before
    small_cnn.save(tmp_path / "a_later_one.keras")
    with_later = catalogue.refresh()
    assert with_later["first"] is before["first"]
    assert with_later["a_later_one"].path == tmp_path / "a_later_one.keras"
    (tmp_path / "first.md").write_text(CARD)
    with_card = catalogue.refresh()
    assert with_card["first"].classes == ("x", "y", "z")
    assert with_card["a_later_one"] is with_later["a_later_one"]
    (tmp_path / "first.keras").unlink()
    assert "first" not in catalogue.refresh()
    shutil.rmtree(tmp_path)
    assert "a_later_one" not in catalogue.refresh()


def test_a_name_stays_with_its_file(small_cnn, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    small_cnn.save(second / "mine.keras")
    catalogue = Catalogue([first, second])
    small_cnn.save(first / "mine.keras")

    models = catalogue.refresh()

    assert models["mine"].path == second / "mine.keras"
    assert models["mine-2"].path == first / "mine.keras"


def test_a_model_of_ones_own_appears_while_the_server_runs(small_cnn, tmp_path, monkeypatch):
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path))
    catalogue = Catalogue()
    (tmp_path / "models").mkdir()
    small_cnn.save(tmp_path / "models" / "tuned.keras")

    assert catalogue.refresh()["tuned"].path == tmp_path / "models" / "tuned.keras"


def test_models_that_are_folders_are_listed_and_loaded(service, picture, small_cnn, tmp_path):
    small_cnn.export(tmp_path / "exported", verbose=False)
    small_cnn.save(tmp_path / "packed.keras")
    with zipfile.ZipFile(tmp_path / "packed.keras") as archive:
        archive.extractall(tmp_path / "unzipped")
    (tmp_path / "packed.keras").unlink()
    (tmp_path / "no model").mkdir()

    found = find_models([tmp_path])

    assert {"exported", "unzipped"} <= set(found)
    assert "no model" not in found
    predicted = [
        ask(service, Predict(found[name], picture))[0].prediction.probabilities
        for name in ("exported", "unzipped")
    ]
    np.testing.assert_allclose(*predicted, atol=1e-6)


@pytest.mark.slow
def test_stock_networks_in_keras_cache_are_listed_and_nothing_is_downloaded(tmp_path, monkeypatch):
    def download(*_, **__):
        raise AssertionError("downloaded")

    cache = tmp_path / "models"
    cache.mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.src.utils.file_utils, "urlretrieve", download)
    network = keras.applications.MobileNetV2(weights=None)
    network.save(cache / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5")
    (cache / "efficientnetb0.h5").write_bytes(b"not what Keras published")

    models = find_models()

    assert {"mobilenetv2", "efficientnetb0"} <= set(models)
    assert model_label(models["mobilenetv2"]) == "MobileNetV2, ImageNet"
    context = WorkerContext(tmp_path, tmp_path, reporter=Quiet())
    classifier = context.classifier(models["mobilenetv2"])
    assert classifier.preprocessing == "tf"
    assert classifier.classes[7] == "class 7"
    (expected,) = Classifier(network, preprocessing="tf").predict(SAMPLES / "dog.jpg")
    (found,) = classifier.predict(SAMPLES / "dog.jpg")
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-5)
    with pytest.raises(ModelError, match="is not Keras' file of EfficientNetB0"):
        context.classifier(models["efficientnetb0"])


class Quiet:
    """A reporter to whom nobody listens."""

    def progress(self, done, total, what=""):
        pass

    def step(self, name):
        pass

    def partial(self, attribution):
        pass

    def check(self):
        pass


class Impatient(Quiet):
    """A reporter that cancels after a number of looks."""

    left = 0

    def step(self, name):
        self.check()

    def check(self):
        self.left -= 1
        if self.left <= 0:
            raise Cancelled


def test_the_service_follows_its_models(small_cnn, tmp_path, monkeypatch):
    monkeypatch.setattr("dashboards.service.service.MODELS_SECONDS", 0.05)
    catalogue = Catalogue([tmp_path])
    service = Service(catalogue.models, tmp_path / "store", workers=0)
    service.follow_models(catalogue.refresh)
    try:
        small_cnn.save(tmp_path / "tuned.keras")
        eventually(lambda: "tuned" in service.models)
    finally:
        service.close()


@pytest.mark.slow
def test_a_recording_that_is_too_long_for_the_page_says_so(service, models, tmp_path):
    path = tmp_path / "long.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, 8000 * 130)
    soundfile.write(path, noise, 8000)
    file = Upload(
        name="lecture.wav",
        path=path,
        sha256=file_sha256(path),
        size=path.stat().st_size,
        kind="sound",
    )

    with pytest.raises(InputError) as caught:
        ask(service, Predict(models["audio_mobilenetv2"], file))

    assert_told(caught.value, Path("lecture.wav"), "129 windows", "Upload a shorter recording")


def test_a_file_that_changed_gives_no_answer_under_the_old_key(service, models, picture):
    picture.path.write_bytes((SAMPLES / "cat.jpg").read_bytes())

    with pytest.raises(InputError, match="has changed since it was uploaded"):
        ask(service, Predict(models["small"], picture))


def test_unknown_names_are_told_in_the_librarys_words(service, models, picture):
    with pytest.raises(UnknownNameError, match="Did you mean 'grad_cam'"):
        ask(service, Explain(models["small"], picture, Question("gradcam")))


def test_a_defect_fails_without_a_second_try(service, models, picture, caplog):
    async def ask_nonsense():
        job = service.visitor().submit(Predict(models["small"], replace(picture, path=None)))
        with pytest.raises(JobError, match="a bug in xai-tf"):
            await job.result()
        return job

    assert asyncio.run(patiently(ask_nonsense())).retries == 0
    assert "Traceback" in caplog.text


def test_a_bundle_holds_what_the_command_writes_and_the_visitors_name(service, models, picture):
    asked = tuple(
        Explain(models["small"], picture, Question(method)) for method in ("grad_cam", "saliency")
    )

    async def both_ask():
        theirs = tuple(replace(e, file=replace(picture, name="theirs.png")) for e in asked)
        jobs = [service.visitor().submit(Bundle(part)) for part in (asked, theirs)]
        return [await job.result() for job in jobs]

    mine, theirs = (zipfile.ZipFile(BytesIO(data)) for data in asyncio.run(patiently(both_ask())))

    manifest = json.loads(mine.read("manifest.json"))
    assert manifest["input"]["file"] == picture.name
    assert json.loads(theirs.read("manifest.json"))["input"]["file"] == "theirs.png"
    assert [e["method"] for e in manifest["explanations"]] == ["grad_cam", "saliency"]
    assert {"attributions.npz", "input.png", "grad_cam.png"} <= set(mine.namelist())


def test_keys_tell_content_and_settings_apart_and_nothing_private(models, picture):
    request = Explain(
        models["small"], picture, Question("rise", settings=(("grid", 5), ("baseline", 0.5)))
    )
    same = replace(
        request,
        file=replace(picture, name="x", path=Path("y")),
        question=Question("rise", settings={"baseline": 0.5, "grid": 5}),
    )
    others = [
        replace(request, file=replace(picture, sha256="0" * 64)),
        replace(request, model=replace(models["small"], sha256="0" * 64)),
        replace(request, question=replace(request.question, seed=1)),
        replace(request, question=replace(request.question, target=0)),
        replace(request, question=replace(request.question, settings=())),
        Predict(models["small"], picture),
        Evaluate(models["small"], Path("folder")),
    ]

    assert key(same) == key(request)
    assert len({key(request), *map(key, others)}) == 1 + len(others)


def test_what_is_packed_holds_neither_place_nor_name(halves, left_bright, picture, models):
    warned = replace(left_bright, source=picture.path, warnings=(f"{picture.path} is odd.",))
    request = Explain(models["small"], picture, Question("saliency"))

    data = pack(explain(halves, warned, "saliency"))

    assert str(picture.path).encode() not in data
    assert picture.path.stem.encode() not in data
    assert unpack(data, request).sample.warnings == (f"{picture.name} is odd.",)


def test_visitors_who_look_at_the_same_share_it(service, models, picture):
    asked = Explain(models["small"], picture, Question("saliency"))
    renamed = replace(asked, file=replace(picture, name="other.png"))

    async def look():
        visitor = service.visitor()
        requests = (Predict(models["small"], picture), asked, asked, renamed)
        answers = [await visitor.submit(request).result() for request in requests]
        visitor.close()
        return answers

    reading, first, second, other = asyncio.run(patiently(look()))
    assert first is second
    assert first.sample is reading.samples[0]
    assert not first.attribution.flags.writeable
    assert other.sample.source.name == "other.png"  # a name is nobody else's
    kept = [weakref.ref(answer) for answer in (reading, first, other)]
    del reading, first, second, other
    gc.collect()
    assert [found() for found in kept] == [None] * 3


def test_an_image_of_few_colors_is_packed_small_and_exactly(models, picture):
    rng = np.random.default_rng(0)
    colors = rng.random((256, 3), np.float32)
    few, many = colors[rng.integers(0, 256, (64, 64))], rng.random((64, 64, 3), np.float32)
    prediction = Prediction(np.zeros(2, np.float32), np.full(2, 0.5, np.float32), ("a", "b"))
    samples = tuple(
        Sample(image=image, source=picture.path, sha256=picture.sha256)
        for image in (few, many, few[:9])
    )
    reading = Reading(
        source=picture.path, samples=samples, predictions=(prediction,) * 3, prediction=prediction
    )

    data = pack(reading)

    again = unpack(data, Predict(models["small"], picture)).samples
    for before, after in zip(samples, again, strict=True):
        assert after.image.dtype == np.float32
        np.testing.assert_array_equal(after.image, before.image)
    assert len(data) < many.nbytes + 0.4 * few.nbytes


def test_a_callback_that_fails_disturbs_nobody(service, models, picture, caplog):
    seen = []

    async def watch():
        job = service.visitor().submit(Predict(models["small"], picture))
        job.watch(lambda job: 1 / 0)
        job.watch(lambda job: seen.append(job.state))
        await job.result()
        job.watch(lambda job: seen.append("at once"))

    asyncio.run(patiently(watch()))

    assert seen[-2:] == ["done", "at once"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.slow
def test_a_model_that_kills_the_process_that_prepares_it_is_prepared_once(service, models):
    model = replace(models["wide"], name="deadly")

    def preparing():
        return [w.pid for w in service.status().workers if w.doing == "Prepare on deadly"]

    async def kill_and_look():
        await until(lambda: all(w.state == "idle" for w in service.status().workers))
        service._pool.prepare_model(model)
        await until(preparing)  # once no visitor has asked for anything for a while
        (pid,) = preparing()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not preparing() or preparing() != [pid])

        def is_back():  # the other process is idle all the time
            service._pool.prepare_model(model)
            assert preparing() == []
            return all(worker.state == "idle" for worker in service.status().workers)

        await until(is_back)

    asyncio.run(patiently(kill_and_look()))


@pytest.mark.slow
def test_a_visitors_request_comes_before_all_preparation_and_interrupts_it(
    models, picture, tmp_path, monkeypatch
):
    known = {name: models[name] for name in ("small", "wide")}
    service = Service(known, tmp_path / "store", workers=1)
    begun, begin = [], Process.begin

    def record(process, flight):
        begin(process, flight)
        if process in service._pool._processes:  # the services of other tests go on
            begun.append((type(flight.sent), flight.sent.model.name))

    monkeypatch.setattr(Process, "begin", record)

    async def ask_while_it_prepares():
        for name in ("small", "wide"):
            service._pool.prepare_model(models[name])
        await until(lambda: begun)
        job = service.visitor().submit(Predict(models["small"], picture))
        told = describe_progress(job)
        await job.result()
        await until(lambda: len(begun) >= 3)
        return told

    told = asyncio.run(patiently(ask_while_it_prepares()))
    service.close()

    # Where it was interrupted, the preparation goes on afterwards.
    assert begun == [(Prepare, "wide"), (Predict, "small"), (Prepare, "wide")]
    assert told == "A worker process finishes one step of preparing another model first."


def test_what_needs_no_model_leaves_the_process_that_has_it_to_the_map(models, picture, tmp_path):
    pool = Pool(0, tmp_path, tmp_path, lambda *_: None)
    having, empty = (
        SimpleNamespace(state=IDLE, has_ended=False, models=loaded)
        for loaded in ((models["small"],), ())
    )
    pool._processes = [having, empty]

    assert pool._free(Flight("", FullPicture(picture, 96), slow=False)) is empty
    assert pool._free(Flight("", Explain(models["small"], picture), slow=False)) is having


def test_no_model_is_prepared_beside_a_quick_request(service, models, picture):
    async def look():
        visitor = service.visitor()
        await until(lambda: all(w.state == "idle" for w in service.status().workers))
        job = visitor.submit(Predict(models["small"], picture))
        service._pool.prepare_model(replace(models["wide"], name="other"))
        beside = [w.doing for w in service.status().workers if w.doing.startswith("Prepare")]
        await job.result()
        await until(lambda: any("Prepare on other" in w.doing for w in service.status().workers))
        return beside

    assert asyncio.run(patiently(look())) == []


def test_a_cancelled_preparation_keeps_the_steps_it_has_finished(models, tmp_path):
    reporter, loaded = Impatient(), []
    context = WorkerContext(tmp_path, tmp_path, reporter)

    for reporter.left in (1, 2, 3, 4):
        with pytest.raises(Cancelled):
            HANDLERS[Prepare](context, Prepare(models["small"]))
        loaded.append(models["small"] in context.classifiers)
    reporter.left = 5
    HANDLERS[Prepare](context, Prepare(models["small"]))

    assert loaded == [False, True, True, True]


def test_a_lost_process_costs_one_retry_and_nothing_else(service, models, picture, tmp_path):
    request = Explain(models["wide"], picture, Question("rise", settings=(("num_samples", 4096),)))

    async def lose_one():
        job, other = service.visitor().submit(request), service.visitor()
        await until(lambda: job.done)
        os.kill(busy(service)[0].pid, signal.SIGKILL)
        quick = await other.submit(Predict(models["small"], draw(tmp_path, "x"))).result()
        return await job.result(), job.retries, quick

    answer, retries, quick = asyncio.run(patiently(lose_one()))

    assert retries == 1
    assert len(quick.samples) == 1
    classifier = load(models["wide"].path)
    expected = explain(
        classifier, classifier.read(picture.path), "rise", settings=request.question.given
    )
    np.testing.assert_array_equal(answer.attribution, expected.attribution)


@pytest.mark.slow
def test_a_request_that_loses_two_processes_fails(service, models, picture):
    async def lose_two():
        job = service.visitor().submit(
            Explain(models["wide"], picture, Question("rise", settings=LONG))
        )
        for retries in range(2):
            await until(lambda retries=retries: job.done and job.retries == retries)
            os.kill(busy(service)[0].pid, signal.SIGKILL)
            await until(lambda retries=retries: job.retries > retries or job.state == "failed")
        return job

    job = asyncio.run(patiently(lose_two()))

    assert isinstance(job.error, JobError)
    assert "crashed twice" in str(job.error)
    assert "Use fewer samples" in str(job.error)


def test_closing_leaves_no_process_and_no_job_waiting(models, picture, tmp_path):
    service = Service(models, tmp_path / "store", workers=1)
    pids = [service.status().workers[0].pid]

    async def close_while_waiting():
        await until(lambda: service.status().workers[0].pid is not None)
        pids.append(service.status().workers[0].pid)
        job = service.visitor().submit(Predict(models["small"], picture))
        await asyncio.to_thread(service.close)
        with pytest.raises(JobError, match="was stopped"):
            await job.result()
        with pytest.raises(JobError, match="was stopped"):
            await service.visitor().submit(Predict(models["small"], picture)).result()

    asyncio.run(patiently(close_while_waiting()))

    eventually(lambda: not any(alive(pid) for pid in pids if pid))


SERVER = """
import sys, time
from pathlib import Path
from dashboards.service.service import Service
from dashboards.service.worker_context import WorkerContext
from dashboards.views.classes import model_label

if __name__ == "__main__":
    service = Service({}, Path(sys.argv[1]), workers=1)
    while service.status().workers[0].state != sys.argv[2] or not service.status().workers[0].pid:
        time.sleep(0.01)
    print(service.status().workers[0].pid, flush=True)
    sys.stdin.read()  # until the test ends
"""


@contextmanager
def server_at(tmp_path, state):
    """A server in a process of its own, and the pid of its worker, which is in a state."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    server = subprocess.Popen(
        [sys.executable, script, tmp_path / "store", state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SAMPLES.parents[1])},
    )
    try:
        yield server, int(server.stdout.readline())
    finally:
        server.kill()
        server.communicate()


@pytest.mark.parametrize("state", ["starting", pytest.param("idle", marks=pytest.mark.slow)])
def test_a_killed_server_leaves_no_process(tmp_path, state):
    with server_at(tmp_path, state) as (server, pid):
        assert alive(pid)

        server.kill()
        server.wait()

        eventually(lambda: not alive(pid))
