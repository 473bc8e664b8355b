"""Explanation quality on the page: evidence by region automatically, scores on request."""

import asyncio
import json
import sys
import zipfile
from html import escape
from io import BytesIO

import numpy as np
import pytest

from dashboards.files.uploads import Uploads
from dashboards.service.requests import Judge, Part
from dashboards.service.service import Service
from dashboards.state.explanation_quality import BASIC, RERUN, metrics_of
from dashboards.state.session import Session
from dashboards.views.explanation_quality import ExplanationQualityView, score_words
from dashboards.views.ranking import ranking_words
from dashboards.views.regions import RegionsView
from tests.conftest import SAMPLES
from tests.pages import page_in
from tests.served import at_first, draw, make_models
from tests.waiting import patiently, until
from xai_tf.attribution.methods import DEFAULT_METHOD
from xai_tf.attribution.question import Question
from xai_tf.classifiers.loading import load
from xai_tf.metrics import score, verdict
from xai_tf.regions import regions_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")


@pytest.fixture(scope="module")
def models(tmp_path_factory, small_cnn):
    return make_models(tmp_path_factory.mktemp("models"), small_cnn)


@pytest.fixture(scope="module")
def service(models, tmp_path_factory):
    chosen = {name: models[name] for name in ("small", "wide")}
    service = Service(chosen, tmp_path_factory.mktemp("store"), workers=1)
    yield service
    service.close()


@pytest.fixture
def visit(service, tmp_path, steady_speed):
    """Let a visitor do something with a map of a sample."""

    def run(story, file="xray_opacity.jpg"):
        async def tell():
            session = Session(service, Uploads(tmp_path / "uploads"))
            try:
                session.workspace.choose_model("small")
                session.workspace.add(file, (SAMPLES / file).read_bytes())
                await until(lambda: session.explorer.explanation)
                return await patiently(story(session))
            finally:
                session.close()

        return asyncio.run(tell())

    return run


async def scored(session, level):
    session.quality.run(level)
    await until(lambda: session.quality.done(level) or session.quality.problem)
    return session.quality.scores


def test_evidence_by_region_is_shown_automatically(visit, models):
    async def story(session):
        await until(lambda: session.quality.audit)
        return session

    session = visit(story)
    explanation, audit = session.explorer.explanation, session.quality.audit

    parted = regions_of(explanation.sample, load(models["small"].path).task)
    assert {row.partition for row in audit.rows} == set(parted.partitions)
    strength = np.abs(explanation.attribution)
    for row in audit.rows:
        mask = parted.partitions[row.partition][row.region]
        assert row.area == pytest.approx(mask.mean())
        assert row.share == pytest.approx(strength[mask].sum() / strength.sum(), abs=1e-6)
    shown = RegionsView(quality=session.quality, editor=session.what_if)
    assert {item["label"] for item in shown._list.items} == {row.region for row in audit.rows}
    shown.point(next(iter((row.partition, row.region) for row in audit.rows)))
    assert shown.highlight.startswith("data:image/png")
    shown.point(("frame", "nowhere"))
    assert shown.highlight == ""


def test_regions_are_found_once_for_all_maps_of_a_sample(visit):
    async def story(session):
        await until(lambda: session.quality.audit)
        known, asked = session.quality.audit, []
        submit = session.workspace.visitor.submit
        session.workspace.visitor.submit = lambda request, slot: (
            asked.append(request) or submit(request, slot)
        )
        session.explorer.method = "saliency"
        await until(lambda: session.explorer.explanation and session.quality.audit)
        return known, session.quality.audit, asked

    first, second, asked = visit(story)

    assert first != second
    assert not any(isinstance(request, Part) for request in asked)


def test_a_map_is_scored_as_by_the_library(visit, models):
    async def story(session):
        quality = session.quality
        assert quality.scores == ()
        passes, seconds = quality.passes(BASIC), quality.seconds(BASIC)
        return session.explorer.explanation, await scored(session, BASIC), passes, seconds

    explanation, scores, passes, seconds = visit(story)

    names = metrics_of("grad_cam", BASIC)
    expected = score(load(models["small"].path), explanation, names)
    assert [one.metric.name for one in scores] == list(names)
    np.testing.assert_allclose(
        [one.value for one in scores], [one.value for one in expected], rtol=1e-5
    )
    assert [one.random for one in scores if one.random] != []
    assert 0 < sum(one.cost.evaluations for one in scores) <= passes
    assert seconds > 0
    said = score_words(scores)
    assert verdict(scores) in said
    assert "of random maps" in said


def test_scores_are_shown_again_when_a_map_is_shown_again(visit):
    async def story(session):
        explorer, quality = session.explorer, session.quality
        first = await scored(session, BASIC)
        explorer.method = "saliency"
        await until(lambda: explorer.explanation)
        other = quality.scores
        explorer.method = DEFAULT_METHOD
        await until(lambda: explorer.explanation)
        return first, other, quality.scores

    first, other, again = visit(story)

    assert other == ()
    assert first == again != ()


def test_a_method_is_run_again_only_on_request(visit):
    async def story(session):
        session.explorer.set("smooth_grad", "num_samples", 4)
        session.explorer.method = "smooth_grad"
        await until(lambda: session.explorer.explanation)
        return await scored(session, BASIC), await scored(session, RERUN)

    once, both = visit(story)

    assert {one.metric.family for one in once} == {"fidelity", "form"}
    assert [one.metric.name for one in both[len(once) :]] == list(metrics_of("smooth_grad", RERUN))
    assert "repeat_correlation" in metrics_of("smooth_grad", RERUN)


def test_scoring_can_be_stopped(visit):
    async def story(session):
        session.workspace.choose_model("wide")
        session.explorer.method = "saliency"
        await until(lambda: session.explorer.explanation)
        at_first(session.quality, "progress", lambda progress: progress > 0, session.quality.stop)
        session.quality.run(BASIC)
        await until(lambda: not session.quality.running)
        return session.quality.running, session.quality.status, session.quality.scores

    assert visit(story) == ("", "Stopped.", ())


def test_scores_go_into_the_bundle(visit):
    async def story(session):
        await scored(session, BASIC)
        return await session.bundle()

    with zipfile.ZipFile(BytesIO(visit(story))) as archive:
        manifest = json.loads(archive.read("manifest.json"))

    (entry,) = manifest["explanations"]
    assert [one["metric"] for one in entry["scores"]] == list(metrics_of("grad_cam", BASIC))


def test_each_button_shows_its_cost_and_hides_when_done(visit):
    async def story(session):
        view = ExplanationQualityView(quality=session.quality)
        await until(lambda: session.quality.passes(BASIC))
        button = view._buttons[BASIC]
        before = button.label, button.visible
        await scored(session, BASIC)
        return session.quality.passes(BASIC), before, button.visible

    passes, (label, shown), after = visit(story)

    assert f"({passes} passes, under 1 s)" in label
    assert (shown, after) == (True, False)


def test_a_map_without_signal_is_reported_and_not_scored(visit, tmp_path):
    blank = draw(tmp_path, "blank.png")

    async def story(session):
        from PIL import Image

        Image.new("RGB", (40, 40)).save(blank.path)
        session.workspace.add("blank.png", blank.path.read_bytes())
        await until(
            lambda: session.workspace.file.name == "blank.png" and session.explorer.explanation
        )
        session.explorer.method = "gradient_input"  # the picture is zero, so this is
        await until(lambda: session.explorer.explanation and session.quality.audit)
        return session.quality.audit, await scored(session, BASIC)

    audit, scores = visit(story)

    assert {row.share for row in audit.rows} == {None}
    assert any("no signal" in text for text in audit.warnings)
    assert all(np.isnan(one.value) and one.note for one in scores)
    assert verdict(scores) == "None of these metrics is compared with random maps."


def test_the_key_of_a_request_depends_on_content(models):
    from dashboards.service.requests import Explain, Upload, key

    file = Upload(name="a.png", path=SAMPLES / "cat.jpg", sha256="1" * 64, size=1, kind="picture")
    other = Upload(name="b.png", path=SAMPLES / "dog.jpg", sha256="1" * 64, size=1, kind="picture")
    asked = [
        Judge(Explain(models["small"], f, Question("grad_cam")), ("deletion",))
        for f in (file, other)
    ]

    assert key(asked[0]) == key(asked[1])
    assert key(asked[0]) != key(Judge(asked[0].explanation, ("insertion",)))


def test_the_maps_of_a_column_are_scored_and_ranked(visit):
    async def story(session):
        grid, ranking = session.comparison, session.ranking
        session.tab = "compare"
        grid.run()
        await until(lambda: len([c for c in grid.cells.values() if c.explanation]) == 6)
        passes, _ = ranking.cost()
        empty = ranking.table
        ranking.run()
        await until(lambda: ranking.table and len(ranking.table.methods) == 3)
        await until(lambda: not ranking.running)
        return empty, passes, ranking.cost(), ranking.table

    empty, passes, left, table = visit(story)

    assert empty is None
    assert (passes > 0, left[0]) == (True, 0)
    assert table.methods == ("Squared IG", "Grad-CAM", "Saliency")
    assert table.places.shape == (3, len(table.metrics))
    for column, metric in enumerate(table.metrics):
        values = [row[column].value for row in table.scores]
        best = max(values) if metric.direction == "higher" else min(values)
        assert [v == best for v in values] == [place == 1 for place in table.places[:, column]]
    said = ranking_words(table)
    with page_in("fr"):
        french = ranking_words(table)
    for metric in table.metrics:
        assert escape(metric.meaning["en"]) in said
        assert escape(metric.meaning["fr"]) in french
        assert escape(metric.meaning["en"]) not in french
    assert said.count("<b>") >= len(table.metrics)


def test_a_report_shows_regions_and_scores(visit):
    async def story(session):
        await scored(session, BASIC)
        await until(lambda: session.quality.audit)
        return session.quality.audit.rows, (await session.report()).decode()

    rows, page = visit(story)

    assert "MuFidelity" in page
    assert all(row.region in page for row in rows)


def test_scores_of_a_comparison_are_shown_under_the_map(visit):
    async def story(session):
        grid, ranking, quality = session.comparison, session.ranking, session.quality
        view = ExplanationQualityView(quality=quality)
        session.tab = "compare"
        grid.run()
        await until(lambda: len([c for c in grid.cells.values() if c.explanation]) == 6)
        ranking.run()
        await until(lambda: not ranking.running and quality.done(BASIC))
        return quality.scores, view._buttons[BASIC].visible

    scores, offered = visit(story)

    assert scores != ()
    assert not offered


def test_another_map_is_offered_at_its_own_cost_even_where_no_region_is_known(visit):
    async def story(session):
        view = ExplanationQualityView(quality=session.quality)
        await until(lambda: session.quality.passes(RERUN))
        session.quality._on_regions = lambda job: None  # whatever becomes of the regions
        session.explorer.set("smooth_grad", "num_samples", 8)
        session.explorer.method = "smooth_grad"
        await until(lambda: session.explorer.explanation)
        return session.quality.passes(RERUN), view._buttons[RERUN]

    passes, button = visit(story)

    assert button.visible
    assert button.label.startswith(f"Test how robust it is ({passes} passes")
