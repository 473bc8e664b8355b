"""The study of errors: labeled files are found, predicted, counted, ranked and explained."""

import asyncio
import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dashboards.service.evaluation import evaluate
from dashboards.service.labeled import (
    TrainingFiles,
    file_record,
    find_files,
    find_sets,
    find_training,
    inside,
    thumbnail,
)
from dashboards.service.requests import Average, Evaluate, ModelEntry
from dashboards.service.service import Service
from dashboards.state.errors import CONTRAST, PAGE, PREDICTED, TRUTH, ErrorStudy
from dashboards.views.errors_labels import LabelsView
from dashboards.views.errors_review import GalleryView, MistakeView
from tests.conftest import SHARED, draw_stripes, several_labels
from tests.served import at_first
from tests.waiting import eventually, until
from weights_keras import ModelCard, save
from xai_tf.attribution.question import Question
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.errors import InputError
from xai_tf.evaluation.predictions import Predictions
from xai_tf.evaluation.results import ALL, RIGHT, WRONG, EvaluationResults
from xai_tf.evaluation.unwarned import UNWARNED
from xai_tf.rendering.viewer import marks_url

XRAYS = SHARED / "chest_xray" / "test"
ENTRY = ModelEntry(
    name="halves",
    path="halves.keras",
    sha256="",
    task=None,
    title="Halves",
    classes=("left", "right"),
    summary="",
)


def nothing(*_):
    """A progress that nobody looks at."""


def draw(path, left, right):
    """A gray picture of two levels, whose logit `halves` makes of (right - left) / 255."""
    picture = np.full((32, 32), left, np.uint8)
    picture[:, 16:] = right
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


@pytest.fixture
def sides(tmp_path):
    """Six pictures of the brighter side; two of them lie in the wrong folder, one of these far."""
    root = tmp_path / "sides"
    draw(root / "left" / "a.png", 200, 100)
    draw(root / "left" / "b.png", 150, 100)
    draw(root / "left" / "wrong.png", 0, 255)
    draw(root / "right" / "c.png", 0, 200)
    draw(root / "right" / "d.png", 100, 140)
    draw(root / "right" / "slip.png", 120, 110)
    return root


@pytest.fixture
def results(halves, sides):
    return EvaluationResults(evaluate(halves, Evaluate(ENTRY, sides), nothing))


def files(predictions):
    return [path.name for path in predictions.files]


# Predicting a folder


def test_logits_and_labels_are_those_that_arithmetic_gives(halves, sides):
    predictions = evaluate(halves, Evaluate(ENTRY, sides), nothing)

    assert files(predictions) == ["a.png", "b.png", "wrong.png", "c.png", "d.png", "slip.png"]
    assert predictions.labels == (0, 0, 0, 1, 1, 1)
    expected = np.array([-100, -50, 255, 200, 40, -10]) / 255
    np.testing.assert_allclose(np.ravel(predictions.logits), expected, atol=1e-6)
    np.testing.assert_allclose(
        np.array(predictions.probabilities)[:, 1], 1 / (1 + np.exp(-expected)), atol=1e-6
    )
    assert predictions.skipped == ()


def test_many_files_are_predicted_in_batches_as_each_alone(three_classes, tmp_path):
    folder = draw_stripes(tmp_path / "stripes", ("a", "b", "c"), 15)
    entry = ModelEntry(
        name="three",
        path=folder,
        sha256="",
        task=None,
        title="Three",
        classes=("a", "b", "c"),
        summary="",
    )

    predictions = evaluate(three_classes, Evaluate(entry, folder), nothing)

    assert predictions.labels == (0,) * 15 + (1,) * 15 + (2,) * 15
    for path, logits in zip(predictions.files, predictions.logits, strict=True):
        alone = read_and_predict(three_classes, path).prediction.logits
        np.testing.assert_allclose(logits, alone, atol=1e-5)


def test_progress_counts_the_files_and_stops_the_work(halves, sides):
    told = []
    evaluate(halves, Evaluate(ENTRY, sides), lambda done, total, what: told.append((done, total)))
    assert told == [(done, 6) for done in range(7)]

    def stop(done, total, what=""):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(halves, Evaluate(ENTRY, sides), stop)


def test_files_that_cannot_be_read_are_skipped_with_the_reason(halves, sides):
    (sides / "left" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    (sides / "right" / "empty.png").touch()

    predictions = evaluate(halves, Evaluate(ENTRY, sides), nothing)

    assert len(predictions.files) == 6
    told = {path.name: why for path, why in predictions.skipped}
    assert set(told) == {"torn.png", "empty.png"}
    assert "is empty" in told["empty.png"]


def test_a_folder_of_bad_files_only_is_refused(halves, tmp_path):
    for name in ("left", "right"):
        (tmp_path / "bad" / name).mkdir(parents=True)
        (tmp_path / "bad" / name / "x.png").write_text("no picture")

    with pytest.raises(InputError, match=r"Cannot read any file of .*bad"):
        evaluate(halves, Evaluate(ENTRY, tmp_path / "bad"), nothing)


def test_other_folders_are_left_out_and_named(halves, sides):
    draw(sides / "middle" / "m.png", 10, 10)

    predictions = evaluate(halves, Evaluate(ENTRY, sides), nothing)

    assert predictions.skipped == (
        (sides / "middle", "middle is not a class of the model: 1 file skipped."),
    )


def test_folders_that_are_not_the_classes_are_refused_with_both_lists(tmp_path, halves):
    draw_stripes(tmp_path / "stripes", ("normal", "opacity"), 1)

    with pytest.raises(InputError) as caught:
        evaluate(halves, Evaluate(ENTRY, tmp_path / "stripes"), nothing)

    for name in ("normal", "opacity", "left", "right", "halves"):
        assert name in str(caught.value)


def test_synonyms_of_classes_are_understood(tmp_path):
    for name in ("real", "fake"):
        (tmp_path / "speech" / name).mkdir(parents=True)
        (tmp_path / "speech" / name / "x.wav").touch()
    entry = ModelEntry(
        name="audio",
        path=tmp_path,
        sha256="",
        task="deepfake_audio",
        title="",
        classes=("human", "synthetic"),
        summary="",
    )

    found = find_files(Evaluate(entry, tmp_path / "speech"), entry.classes)

    assert {entry.path.parent.name: entry.label for entry in found.entries} == {
        "real": 0,
        "fake": 1,
    }


def test_a_table_names_files_labels_and_parts(halves, sides):
    table = sides / "labels.csv"
    table.write_text(
        "path,label,split\nleft/a.png,left,test\nright/c.png,right,test\n"
        "left/b.png,left,train\nright/d.png,right,train\n"
    )

    every = evaluate(halves, Evaluate(ENTRY, table), nothing)
    test = evaluate(halves, Evaluate(ENTRY, table, "test"), nothing)

    assert files(every) == ["a.png", "c.png", "b.png", "d.png"]
    assert files(test) == ["a.png", "c.png"]
    with pytest.raises(InputError, match="has no split 'validation'; it has test, train"):
        evaluate(halves, Evaluate(ENTRY, table, "validation"), nothing)


def test_the_classes_stand_in_the_order_of_the_model_and_not_of_the_alphabet(halves, sides):
    found = find_files(Evaluate(ENTRY, sides), ("right", "left"))

    assert {entry.path.parent.name: entry.label for entry in found.entries} == {
        "right": 0,
        "left": 1,
    }


def test_a_long_recording_is_the_mean_of_its_windows(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    for name, seconds in (("human", 1), ("synthetic", 5)):
        (tmp_path / "speech" / name).mkdir(parents=True)
        noise = 0.1 * rng.normal(size=8000 * seconds)
        soundfile.write(tmp_path / "speech" / name / "x.wav", noise, 8000)
    classifier = load("audio_mobilenetv2")
    entry = ModelEntry(
        name="audio",
        path=tmp_path,
        sha256="",
        task="deepfake_audio",
        title="",
        classes=classifier.classes,
        summary="",
    )

    predictions = evaluate(classifier, Evaluate(entry, tmp_path / "speech"), nothing)

    reading = read_and_predict(classifier, tmp_path / "speech" / "synthetic" / "x.wav")
    assert len(reading.samples) > 1
    np.testing.assert_allclose(predictions.logits[1], reading.prediction.logits, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not XRAYS.is_dir(), reason="the X-rays of the shared data are not here")
def test_the_whole_test_set_has_the_figures_of_the_card():
    classifier = load("xray_mobilenetv2")
    entry = ModelEntry(
        name="xray",
        path=XRAYS,
        sha256="",
        task="lung_opacity",
        title="",
        classes=classifier.classes,
        summary="",
    )

    measures = EvaluationResults(evaluate(classifier, Evaluate(entry, XRAYS), nothing)).measures()

    card = {m.name: m for m in classifier.card.metrics if m.split == "test"}
    for measure in measures:
        assert measure.value == pytest.approx(card[measure.name].value, abs=1e-3)
        assert measure.count == card[measure.name].count


# Which folders may be looked at


def test_a_folder_below_a_root_is_found_by_any_of_its_names(sides):
    for name in ("left", "sides/left", sides / "left", "sides", sides):
        assert inside(name, [sides]).is_relative_to(sides)


@pytest.mark.parametrize(
    "name",
    ["..", "../..", "left/../..", "/etc", "/", "/etc/passwd", "~", "a\0b", "x" * 5000, "no/such"],
)
def test_what_is_outside_or_not_there_is_refused_in_the_same_words(sides, name):
    with pytest.raises(InputError, match=r"There is no folder .* below sides"):
        inside(name, [sides])


def test_a_neighbor_of_the_same_beginning_is_outside(sides):
    other = sides.with_name("sides2")
    other.mkdir()

    for name in (other, "../sides2", "sides2"):
        with pytest.raises(InputError):
            inside(name, [sides])


def test_a_link_out_of_the_root_is_refused_and_one_within_is_not(sides, tmp_path):
    (tmp_path / "secret" / "left").mkdir(parents=True)
    (sides / "out").symlink_to(tmp_path / "secret")
    (sides / "in").symlink_to(sides / "left")
    (sides / "circle").symlink_to(sides / "circle")

    assert inside("in", [sides]) == sides / "left"
    for name in ("out", "out/left", "circle"):
        with pytest.raises(InputError):
            inside(name, [sides])


def test_without_a_root_nothing_may_be_looked_at(sides):
    with pytest.raises(InputError, match="--data"):
        inside(sides, [])


def test_sets_are_found_with_their_parts_and_tables(tmp_path):
    root = tmp_path / "set"
    for part in ("train", "test"):
        draw_stripes(root / part, ("a", "b"), 1)
    (root / "labels.csv").write_text("path,label\nx.png,a\n")
    (root / "notes.csv").write_text("author,year\n")
    (root / "circle").symlink_to(root)
    draw_stripes(root / ".hidden", ("a", "b"), 1)

    assert find_sets([root]) == {
        "set/labels.csv": root / "labels.csv",
        "set/test": root / "test",
        "set/train": root / "train",
    }


# What comes of it


def test_the_worst_mistakes_come_first(results):
    named = [files(results.predictions)[n] for n in results.ranked(0.5, ALL, None)]

    assert named == ["wrong.png", "slip.png", "d.png", "b.png", "a.png", "c.png"]
    assert [files(results.predictions)[n] for n in results.ranked(0.5, WRONG, None)] == named[:2]
    assert [files(results.predictions)[n] for n in results.ranked(0.5, RIGHT, None)] == named[2:]


def test_a_cell_shows_its_files(results):
    def cell(*place):
        return [files(results.predictions)[n] for n in results.ranked(0.5, WRONG, place)]

    assert cell(0, 1) == ["wrong.png"]
    assert cell(1, 1) == ["d.png", "c.png"]


def test_the_threshold_decides_what_is_called_and_what_is_wrong(results):
    assert results.counts(0.5).tolist() == [[2, 1], [1, 2]]
    assert results.counts(0.0).tolist() == [[0, 3], [0, 3]]
    assert results.counts(1.0).tolist() == [[3, 0], [3, 0]]
    line = 1 / (1 + np.exp(-100 / 255))  # between d.png and c.png
    assert results.counts(line).tolist() == [[2, 1], [2, 1]]
    worst = results.ranked(line, WRONG, None)
    assert [files(results.predictions)[n] for n in worst] == ["wrong.png", "slip.png", "d.png"]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.55, 0.9])
def test_what_speaks_against_the_truth_is_above_zero_just_where_it_is_wrong(results, threshold):
    wrong = results.predicted(threshold) != results.labels

    assert ((results.wrong_class_margin(threshold) > 0) == wrong).all()


def test_two_logits_and_one_rank_alike(results):
    one = results.predictions
    two = Predictions(**{**vars(one), "logits": tuple((0.0, value) for (value,) in one.logits)})

    for threshold in (0.3, 0.5, 0.9):
        np.testing.assert_allclose(
            EvaluationResults(two).wrong_class_margin(threshold),
            results.wrong_class_margin(threshold),
        )


def test_of_three_classes_the_most_probable_is_called_whatever_the_threshold(tmp_path):
    logits = ((2.0, 1.0, 0.0), (0.0, 3.0, 1.0), (0.0, 1.0, 0.5))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predictions = Predictions(
        model="m",
        folder=tmp_path,
        classes=("a", "b", "c"),
        files=tuple(tmp_path / n for n in "xyz"),
        labels=(0, 2, 2),
        logits=logits,
        probabilities=tuple(map(tuple, chances.tolist())),
        skipped=(),
    )
    results = EvaluationResults(predictions)

    assert results.predicted(0.9).tolist() == [0, 1, 1]
    assert results.wrong_class_margin(0.5).tolist() == [-1, 2, 0.5]
    assert results.classes_with_curve == (0, 2)
    assert [results.contrast_class(n, 0.5) for n in range(3)] == [1, 1, 1]
    assert [m.name for m in results.measures()] == ["accuracy", UNWARNED]


def test_the_table_holds_every_file_and_no_formula(halves, sides):
    draw(sides / "left" / "=cmd()|x.png", 9, 0)
    (sides / "left" / "torn.png").touch()
    results = EvaluationResults(evaluate(halves, Evaluate(ENTRY, sides), nothing))

    rows = list(csv.DictReader(io.StringIO(results.table(0.5))))

    assert len(rows) == 8
    assert rows[0]["file"] == "left/wrong.png"
    assert (rows[0]["truth"], rows[0]["predicted"], rows[0]["correct"]) == ("left", "right", "no")
    assert float(rows[0]["probability right"]) == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-5)
    assert "is empty" in rows[-1]["skipped"]
    assert not any(cell.startswith("=") for row in rows for cell in row.values())


# What a visitor does


@pytest.fixture(scope="module")
def served_models(halves, three_classes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    entries = {}
    for classifier in (halves, three_classes):
        card = ModelCard(
            name=classifier.name,
            task="none",
            classes=classifier.classes,
            backbone="none",
            image_size=(32, 32),
        )
        digest = save(classifier.model, card, folder).sha256
        entries[classifier.name] = ModelEntry(
            name=classifier.name,
            path=folder / f"{classifier.name}.keras",
            sha256=digest,
            task=None,
            title=classifier.name,
            classes=classifier.classes,
            summary="",
        )
    return entries


@pytest.fixture(scope="module")
def service(served_models, tmp_path_factory):
    service = Service(served_models, tmp_path_factory.mktemp("service"), workers=1)
    yield service
    service.close()


def study_of(service, root, model="halves"):
    return ErrorStudy(service.visitor(), service.models, [root], model=service.models[model])


def test_a_set_is_chosen_costed_and_predicted(service, sides):
    async def visit():
        study = study_of(service, sides)
        await study.find_sets()
        study.folder = "sides"
        await study.check()
        before = (study.sets, study.num_files, study.seconds, study.request)
        told = []
        study.param.watch(lambda event: told.append(event.new), "done")
        await study.run()
        return study, before, told

    study, (sets, num_files, seconds, request), told = asyncio.run(visit())

    assert sets == {"sides": sides}
    assert (num_files, request.folder) == (6, sides)
    assert 0 < seconds < 60
    assert told[-1] == 6
    assert not study.running
    assert study.problem == ""
    assert [files(study.results.predictions)[n] for n in study.ranking] == ["wrong.png", "slip.png"]
    assert study.measures[0].value == pytest.approx(4 / 6, abs=1e-3)


def test_what_is_wrong_with_a_folder_is_told_and_nothing_runs(service, sides):
    async def visit():
        study = study_of(service, sides)
        study.folder = "/etc"
        await study.check()
        outside = study.problem
        study.folder = "sides/left"
        await study.check()
        return study, outside

    study, outside = asyncio.run(visit())

    assert "There is no folder /etc below sides" in outside
    assert "left, right" in study.problem
    assert study.request is None


def test_a_mistake_has_a_map_of_what_it_was_called_and_one_of_what_it_is(service, sides):
    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        study.method = "gradient_input"
        await study.select(study.ranking[0])
        study.open_in_explain()
        return study

    study = asyncio.run(visit())

    assert study.map_problem == ""
    assert study.maps[PREDICTED].target_name == "right"
    assert study.maps[TRUTH].target_name == "left"
    assert (study.maps[PREDICTED].attribution[:, 16:] > 0).all()
    assert (study.maps[TRUTH].attribution[:, 16:] < 0).all()
    assert study.open_request.file.name == "wrong.png"
    assert study.open_request.question.target == 1


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("marks.csv", "file,left,top,right,bottom\nleft/wrong.png,16,4,28,20\n", ""),
        ("marks.csv", "file,left,top,right,bottom\nleft/a.png,16,4,28,20\n", None),
        ("marks.csv", "file,left,top,right,bottom\nwrong.png,99,4,108,20\n", "is outside"),
        ("masks", "", ""),
    ],
)
def test_marks_that_a_set_brings_are_outlined_in_its_maps(service, sides, name, text, told):
    truth = np.zeros((32, 32), bool)
    truth[4:20, 16:28] = True
    if text:
        (sides / name).write_text(text)
    else:
        (sides / name).mkdir()
        Image.fromarray(truth).save(sides / name / "wrong.png")

    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        study.method = "gradient_input"
        await study.select(study.ranking[0])
        view = MistakeView(study=study)
        shown = view._viewers[PREDICTED].highlight, view._text.object
        marked, problem = study.marked, study.map_problem
        await study.select(study.ranking[1])
        return marked, problem, shown, study.marked

    marked, problem, (outline, words), of_the_next = asyncio.run(visit())

    assert of_the_next is None
    if told == "":
        np.testing.assert_array_equal(marked.pixels, truth)
        assert marked.notes
        assert all(note in words for note in marked.notes)
        assert outline == marks_url(truth)
        assert "Outline: what people marked." in words
    else:
        assert marked is None
        assert outline == ""
        assert (told or "") in problem


def test_slow_maps_wait_until_they_are_asked_for(service, sides, monkeypatch):
    monkeypatch.setattr("dashboards.state.errors.QUICK_SECONDS", 0.0)

    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        study.method = "gradient_input"
        await study.select(study.ranking[0])
        waited = dict(study.maps)
        await study.explain()
        return study, waited

    study, waited = asyncio.run(visit())

    assert study.map_seconds > 0
    assert waited == {}
    assert set(study.maps) == {PREDICTED, TRUTH}


def test_maps_that_are_no_more_wanted_are_stopped(service, sides, monkeypatch):
    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        study.method = "integrated_gradients"
        study.selected = study.ranking[0]
        study.file = file_record(sides / "left" / "wrong.png")
        slow = asyncio.create_task(study.explain())
        await asyncio.sleep(0)
        under_way, jobs = study.mapping, list(study._map_jobs)
        monkeypatch.setattr("dashboards.state.errors.QUICK_SECONDS", 0.0)
        study.method = "rise"
        await study.explain_if_quick()
        waiting = study.mapping
        await slow
        later = asyncio.create_task(study.explain())
        await asyncio.sleep(0)
        study.stop_maps()
        await later
        return study, under_way, waiting, jobs

    study, under_way, waiting, jobs = asyncio.run(visit())

    assert under_way
    assert not waiting
    assert [job.state for job in jobs] == ["cancelled"] * 2
    assert not study.mapping
    assert study.maps == {}


def test_another_model_that_is_picked_leaves_the_maps_of_these_answers_alone(service, sides):
    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        study.method = "gradient_input"
        await study.select(study.ranking[0])
        facts, maps, seconds = study._facts, study.maps, study.map_seconds
        draw_stripes(sides / "stripes", ("a", "b", "c"), 1)
        study.model = next(m for n, m in service.models.items() if n != "halves")
        study.folder = "sides/stripes"
        await study.check()
        return study, facts, maps, seconds

    study, facts, maps, seconds = asyncio.run(visit())

    assert study.num_files == 3
    assert study._facts is facts
    assert (study.map_seconds, study.maps) == (seconds, maps)


def test_of_several_logits_a_mistake_has_a_contrast_besides(service, tmp_path):
    root = draw_stripes(tmp_path / "stripes", ("a", "b", "c"), 2)

    async def visit():
        study = study_of(service, root, "three_classes")
        study.folder = "stripes"
        await study.check()
        await study.run()
        study.method = "gradient_input"
        await study.select(study.ranking[0])
        return study

    study = asyncio.run(visit())

    predicted, truth, contrast = (study.maps[side] for side in (PREDICTED, TRUTH, CONTRAST))
    assert contrast.target_name == f"{predicted.target_name} rather than {truth.target_name}"
    np.testing.assert_allclose(
        contrast.attribution, predicted.attribution - truth.attribution, atol=1e-6
    )


@pytest.mark.parametrize("place", ["set", "set/test"])
def test_the_most_similar_training_samples_of_a_mistake_are_found(service, tmp_path, place):
    root = tmp_path / "set"
    draw(root / "train" / "left" / "near.png", 5, 250)
    draw(root / "train" / "right" / "nearer.png", 2, 252)
    draw(root / "train" / "right" / "far.png", 90, 120)
    draw(root / "test" / "left" / "wrong.png", 0, 255)
    draw(root / "test" / "right" / "c.png", 0, 200)

    async def visit():
        study = study_of(service, root)
        study.param.update(folder=place, split="test" if place == "set" else "")
        await study.check()
        await study.run()
        study.method = "saliency"
        await study.select(study.ranking[0])
        nothing_yet = list(study.neighbors.results)
        await study.neighbors.search()
        found, seeking = list(study.neighbors.results), study.neighbors.searching
        await study.select(None)
        return study, nothing_yet, found, seeking

    study, nothing_yet, found, seeking = asyncio.run(visit())

    assert study.neighbors.problem == ""
    assert study.neighbors.training.count == 3
    assert nothing_yet == []
    assert not seeking
    assert [one.neighbor.sample.path.name for one in found] == ["nearer.png", "near.png", "far.png"]
    assert [one.class_name for one in found] == ["right", "left", "right"]
    assert all(one.picture.startswith(b"\xff\xd8") for one in found)
    assert study.neighbors.results == []


def test_without_training_files_nothing_similar_is_offered(service, sides):
    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        await study.select(study.ranking[0])
        await study.neighbors.search()
        return study.neighbors

    similar = asyncio.run(visit())

    assert similar.training is None
    assert (similar.results, similar.problem, similar.searching) == ([], "", False)


def test_training_files_outside_the_roots_are_not_looked_at(service, tmp_path):
    root = tmp_path / "set"
    for part in ("train", "test"):
        draw(root / part / "left" / "a.png", 9, 0)
        draw(root / part / "right" / "b.png", 0, 9)
    entry = service.models["halves"]

    inside_roots = find_training(root / "test", entry, ("left", "right"), [root])
    outside = find_training(root / "test", entry, ("left", "right"), [root / "test"])

    assert inside_roots == TrainingFiles(root / "train", 2)
    assert outside is None


def test_where_the_folders_lie_is_not_told(service, sides):
    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        (sides / "right").rename(sides / "wrong")
        await study.check()
        return study.problem

    problem = asyncio.run(visit())

    assert "There is no class folder sides/right" in problem
    assert str(sides.parent) not in problem


def test_a_sound_is_not_read_for_its_thumbnail(tmp_path):
    (tmp_path / "no_sound.wav").touch()

    drawn = thumbnail(tmp_path / "no_sound.wav", "deepfake_audio")

    assert Image.open(io.BytesIO(drawn)).size == (96, 96)


def test_models_of_one_title_can_each_be_picked(service, sides):
    from dashboards.views.errors import RunView

    models = {name: replace(m, title="One title") for name, m in service.models.items()}
    study = ErrorStudy(service.visitor(), models, [sides])

    async def offered():
        return RunView(study=study)._model.options

    assert list(asyncio.run(offered()).values()) == list(models)


def test_a_file_that_now_leads_elsewhere_is_neither_drawn_nor_explained(service, sides, tmp_path):
    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        secret = draw(tmp_path / "secret.png", 255, 0)
        (sides / "left" / "wrong.png").replace(tmp_path / "moved.png")
        (sides / "left" / "wrong.png").symlink_to(secret)
        await study.draw_thumbnails()
        await study.select(study.ranking[0])
        return study

    study = asyncio.run(visit())

    assert "any more" in study.map_problem
    assert study.file is None
    assert isinstance(study.thumbnails[study.ranking[0]], str)
    assert isinstance(study.thumbnails[study.ranking[1]], bytes)


def test_stopping_ends_the_run_and_keeps_what_was_shown(service, tmp_path):
    root = tmp_path / "many"
    for number in range(400):
        draw(root / "left" / f"{number}.png", 200, number % 200)
        draw(root / "right" / f"{number}.png", 10, 20)

    async def visit():
        study = study_of(service, root)
        study.folder = "many"
        await study.check()
        at_first(study, "done", lambda done: done >= 3, study.stop)
        await study.run()
        return study

    study = asyncio.run(visit())

    assert 3 <= study.done < 800
    assert (study.running, study.results, study.problem) == (False, None, "")


def test_a_gallery_has_pages(service, tmp_path):
    root = tmp_path / "many"
    for number in range(PAGE + 6):
        draw(root / "left" / f"{number:02d}.png", 0, number + 1)  # all wrong, the last the worst
    draw(root / "right" / "r.png", 0, 255)

    async def visit():
        study = study_of(service, root)
        study.folder = "many"
        await study.check()
        await study.run()
        await study.draw_thumbnails()
        first = (study.on_page, sorted(study.thumbnails))
        study.turn_page(1)
        await study.draw_thumbnails()
        second = (study.on_page, sorted(study.thumbnails))
        study.turn_page(1)
        return study, first, second

    study, first, second = asyncio.run(visit())

    assert [len(first[0]), len(second[0])] == [PAGE, 6]
    assert sorted(first[0]) == first[1]
    assert sorted(second[0]) == second[1]
    assert study.page == 1
    assert study.results.predictions.files[first[0][0]].name == f"{PAGE + 5:02d}.png"


def test_another_filter_starts_at_the_first_page(service, sides):
    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        return study

    study = asyncio.run(visit())
    study.page = 3

    study.choose_cell((1, 1))
    of_cell = [files(study.results.predictions)[n] for n in study.ranking]
    page = study.page
    study.choose_cell((1, 1))

    assert of_cell == ["d.png", "c.png"]
    assert page == 0
    assert study.cell is None


def test_the_tiles_say_the_number_that_they_are_ordered_by(service, sides):
    async def visit():
        study = study_of(service, sides)
        view = GalleryView(study=study)
        study.folder = "sides"
        await study.check()
        await study.run()
        study.shown = ALL
        await until(lambda: len(view._files.items) == 6)
        return view

    view = asyncio.run(visit())

    # (right - left) / 255 is the logit of "right": what speaks against the true class is above 0
    expected = [255, 10, -40, -50, -100, -200]
    shown = [item["badge"] for item in view._files.items]
    assert shown == [f"margin {level / 255:+.2f}" for level in expected]
    assert "the largest margin first" in view._text.object


def test_the_model_of_the_classes_is_taken_by_itself(service, tmp_path):
    draw_stripes(tmp_path / "stripes", ("a", "b", "c"), 1)

    async def visit():
        study = study_of(service, tmp_path, "halves")
        study.folder = "stripes"
        await study.check()
        await study.check()  # as the page does when the model changes
        return study

    study = asyncio.run(visit())

    assert (study.model.name, study.num_files, study.problem) == ("three_classes", 3, "")


# Maps of many files


def test_tiles_get_the_maps_of_what_was_predicted_while_they_are_shown(service, tmp_path):
    root = tmp_path / "many"
    for number in range(PAGE + 6):
        draw(root / "left" / f"{number:02d}.png", 0, number + 1)
    draw(root / "right" / "r.png", 0, 255)

    async def visit():
        study = study_of(service, root)
        study.folder = "many"
        await study.check()
        await study.run()
        maps = study.tile_maps
        await maps.draw()
        unasked = dict(maps.maps)
        maps.shown = True
        at_first(maps, "maps", lambda drawn: len(drawn) == 3, lambda: study.turn_page(1))
        turned = asyncio.create_task(maps.draw())
        await until(lambda: study.page == 1)
        await asyncio.gather(turned, maps.draw())
        of_pages = {number for number, _ in maps.maps}
        second = set(study.on_page)
        study.turn_page(-1)
        study.active = False
        await maps.draw()
        return unasked, of_pages, second, {number for number, _ in maps.maps}, maps.maps

    unasked, of_pages, second, at_last, drawn = asyncio.run(visit())

    assert unasked == {}
    assert second <= of_pages
    assert len(of_pages - second) < PAGE  # the work for the first page has ended
    assert at_last == of_pages  # nothing is computed while another tab is open
    assert all(url.startswith("data:image/png") for url in drawn.values())
    assert {label for _, label in drawn} == {1}


def test_a_cell_has_the_mean_of_the_maps_of_its_files(service, sides):
    async def visit():
        study = study_of(service, sides)
        study.folder = "sides"
        await study.check()
        await study.run()
        study.choose_cell((1, 1))  # c.png and d.png
        await study.cell_map.prepare()
        mean, count = study.cell_map.result, study.cell_map.count
        await study.select(study.ranking[0])
        request = Average(
            study.explained_model,
            tuple(study.record(study.results.predictions.files[n]) for n in study.ranking),
            Question(study.quick_method, target=1),
        )
        stored = service.has_answer(request)
        study.choose_cell(None)
        await study.cell_map.prepare()
        return mean, count, stored, study.cell_map.result

    mean, count, stored, after = asyncio.run(visit())

    assert (mean.count, count, mean.target_name) == (2, 2, "right")
    np.testing.assert_allclose(mean.picture[0, [0, 31], 0], [50 / 255, 170 / 255], atol=1e-6)
    assert stored
    assert after is None


# Several labels


@pytest.fixture(scope="module")
def service_of_labels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    card = ModelCard(
        name="labels",
        task="none",
        classes=("left", "upper", "middle"),
        backbone="none",
        image_size=(32, 32),
        preprocessing="inside the model: give RGB in [0, 1]",
        thresholds={"middle": 0.7},
    )
    digest = save(several_labels(), card, folder).sha256
    entry = replace(
        ENTRY,
        name="labels",
        path=folder / "labels.keras",
        sha256=digest,
        classes=card.classes,
    )
    service = Service({"labels": entry}, tmp_path_factory.mktemp("service"), workers=1)
    yield service
    service.close()


@pytest.mark.slow
def test_each_label_has_its_figures_its_mistakes_and_its_map(service_of_labels, tmp_path):
    draw(tmp_path / "left.png", 255, 0)
    draw(tmp_path / "right.png", 0, 255)
    draw(tmp_path / "dark.png", 0, 0)
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nleft.png,left\nright.png,left|upper\ndark.png,No Finding\n")

    async def visit():
        study = study_of(service_of_labels, tmp_path, "labels")
        view = LabelsView(study=study)
        study.folder = "labels.csv"
        await study.check()
        await study.run()
        assert study.problem == ""
        left = (study.threshold, [study.results.name(n) for n in study.ranking])
        rows = {row["label"]: row for row in view._table.rows}
        view._table.value = "middle"
        middle = (study.threshold, study.results.predictions.classes)
        view._table.value = "left"
        await study.select(study.ranking[0])
        return study, rows, left, middle

    study, rows, left, middle = asyncio.run(visit())

    assert left == (0.5, ["right.png"])
    assert middle == (0.7, ("not middle", "middle"))
    assert (rows["left"]["positives"], rows["left"]["mistakes"]) == (2, 1)
    assert rows["left"]["sensitivity"].startswith("0.500 [")
    assert rows["middle"]["auc"] == "-"  # no file has it
    assert {m.name for m in study.measures} == {"exact match", "mean F1", "mean auc", UNWARNED}
    assert list(study.maps) == [PREDICTED]
    assert study.maps[PREDICTED].target_name == "left"


# The page

# The busy indicator of pmui.Page, which has no name; the bars of this tab are not Material's.
PAGES_OWN = "MuiLinearProgress-root"


@pytest.fixture(scope="module")
def opened():
    """What the page asked to open in Explain."""
    return []


@pytest.fixture(scope="module")
def page(service, opened, tmp_path_factory):
    """The page after an evaluation, in a real browser."""
    import panel_material_ui as pmui

    from dashboards.views.errors import ErrorsView
    from dashboards.views.theme import THEMES
    from tests.browser import choose_option, chromium, complaints, served

    root = tmp_path_factory.mktemp("page") / "sides"
    for number in range(30):
        draw(root / "left" / f"{number:02d}.png", 0, number + 1)
        draw(root / "right" / f"{number:02d}.png", 0, 100 + number)
    draw(root / "left" / "<img src=x onerror=document.title='hit'>.png", 0, 255)
    (root / "left" / "<b>torn.png").write_bytes(b"torn")
    for name, level in (("left", 250), ("right", 130)):
        draw(root.parent / "train" / name / "x.png", 0, level)

    def make():
        study = study_of(service, root.parent)
        study.param.watch(lambda event: event.new and opened.append(event.new), "open_request")
        main = [ErrorsView(study=study)]
        return pmui.Page(title="Errors", main=main, theme_config=THEMES, busy_indicator=None)

    with served(make) as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 2200})
        with complaints(page) as found:
            page.goto(url)
            choose_option(page, "Labeled set", "sides")
            page.locator("button:enabled", has_text="Evaluate").click()
            cell(page, "left", "right").wait_for()
            yield page
            assert found == []


def cell(page, truth, predicted):
    return page.get_by_role("button", name=f"true class {truth}, predicted {predicted}:")


def tiles(page):
    return page.get_by_role("radiogroup", name="File").get_by_role("radio")


@pytest.fixture
def fresh(page):
    """The page with nothing filtered."""
    button = page.get_by_role("button", name="All cells")
    if button.is_visible():
        button.click()
        button.wait_for(state="hidden")
    return page


def test_the_page_counts_every_file_in_a_cell(fresh):
    assert cell(fresh, "left", "right").get_attribute("aria-label").endswith(": 31 files")
    assert cell(fresh, "right", "right").get_attribute("aria-label").endswith(": 30 files")
    assert cell(fresh, "left", "left").get_attribute("aria-label").endswith(": 0 files")


def test_a_cell_shows_its_files_by_keyboard_and_again_all(fresh):
    cell(fresh, "left", "left").focus()
    fresh.keyboard.press("ArrowDown")
    fresh.keyboard.press("ArrowRight")
    fresh.keyboard.press("Enter")

    fresh.get_by_text(
        "30 files of class right, predicted as right, the largest margin first."
    ).wait_for()
    assert cell(fresh, "right", "right").get_attribute("aria-pressed") == "true"
    fresh.keyboard.press("Enter")
    fresh.get_by_text("31 files predicted wrongly, the largest margin first.").wait_for()
    assert cell(fresh, "right", "right").get_attribute("aria-pressed") == "false"


def test_the_gallery_turns_its_pages_and_draws_thumbnails(fresh):
    from playwright.sync_api import expect

    pictures = fresh.locator("button.choice img")
    fresh.get_by_text("Page 1 of 2").wait_for()
    expect(pictures).to_have_count(PAGE)
    fresh.get_by_role("button", name="Next").click()
    fresh.get_by_text("Page 2 of 2").wait_for()
    expect(pictures).to_have_count(31 - PAGE)
    fresh.get_by_role("button", name="Previous").click()
    fresh.get_by_text("Page 1 of 2").wait_for()


def test_names_of_files_are_text(fresh):
    fresh.get_by_text("<img src=x onerror=document.title='hit'>.png").first.wait_for()
    fresh.get_by_text("<b>torn.png: it is not a picture").wait_for()

    assert "hit" not in fresh.title()


def test_a_mistake_opens_two_maps_and_explain(fresh, opened):
    tiles(fresh).first.click()

    fresh.get_by_text("Evidence for right (predicted class)").wait_for()
    fresh.get_by_text("Evidence for left (true class)").wait_for()
    before = len(opened)
    fresh.get_by_role("button", name="Open in Explain").click()
    eventually(lambda: len(opened) > before)
    assert opened[-1].file.name.startswith("<img")
    assert opened[-1].question.target == 1


def test_beside_a_mistake_stand_the_most_similar_training_samples(fresh):
    from playwright.sync_api import expect

    from tests.browser import axe_faults

    tiles(fresh).first.click()
    fresh.get_by_role("button", name="Find similar training samples (2 files:").click()

    expect(fresh.locator("img[alt^='A training sample of']")).to_have_count(2)
    fresh.get_by_text("left: x.png, distance").wait_for()
    assert [fault for fault in axe_faults(fresh) if PAGES_OWN not in fault] == []


def test_the_point_on_the_curve_follows_the_slider(fresh):
    before = fresh.evaluate(_POINT)
    slider = fresh.get_by_role("slider", name="Decision threshold for right")
    slider.focus()
    fresh.keyboard.press("ArrowRight")
    fresh.wait_for_function(f"() => ({_POINT})().threshold[0] === 0.505")
    slider.fill("0.655")
    fresh.wait_for_function(f"() => ({_POINT})().threshold[0] === 0.655")
    after = fresh.evaluate(_POINT)

    # sigmoid(x / 255) >= 0.655 from x = 163.5: one of the 31 of left, none of right
    assert (before["alarms"], before["found"]) == ([1], [1])
    assert (after["alarms"], after["found"]) == ([pytest.approx(1 / 31)], [0])
    fresh.get_by_text("30 files").first.wait_for()
    fresh.get_by_role("button", name="true class right, predicted left: 30 files").wait_for()
    slider.fill("0.5")
    fresh.get_by_text("31 files predicted wrongly, the largest margin first.").wait_for()


@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_has_no_serious_fault_and_no_sideways_scrolling(fresh, width):
    from tests.browser import axe_faults, settled

    fresh.set_viewport_size({"width": width, "height": 2200})
    fresh.wait_for_function("(width) => document.documentElement.scrollWidth <= width", arg=width)
    settled(fresh)

    assert fresh.evaluate("document.documentElement.scrollWidth") <= width
    assert [fault for fault in axe_faults(fresh) if PAGES_OWN not in fault] == []


def test_the_dark_page_has_no_serious_fault(fresh):
    from tests.browser import axe_faults, toggle_theme

    toggle_theme(fresh)
    faults = axe_faults(fresh)
    toggle_theme(fresh)

    assert [fault for fault in faults if PAGES_OWN not in fault] == []


def test_the_table_can_be_taken_along(fresh):
    with fresh.expect_download() as download:
        fresh.get_by_role("button", name="Table (CSV)").click()

    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert len(rows) == 62
    assert rows[0]["file"].startswith("left/<img")


_POINT = """() => {
  const found = [...Bokeh.documents[0]._all_models.values()].filter(
    (m) => m.type === "ColumnDataSource" && m.data.precision?.length === 1)
  return Object.fromEntries(Object.entries(found[0].data).map(([k, v]) => [k, [...v]]))
}"""
