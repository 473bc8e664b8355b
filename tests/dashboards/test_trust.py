"""Trust on the page: the verdict follows what is known; cheap maps come by themselves."""

import asyncio
import sys

import pytest

from dashboards.files.uploads import Uploads
from dashboards.service.service import Service
from dashboards.state.explanation_quality import BASIC
from dashboards.state.session import Session
from dashboards.state.trust import COMPARED, MAX_COMPARED
from dashboards.views.trust import TrustView, VerdictBadge, computed_words
from tests.conftest import SAMPLES
from tests.pages import page_in
from tests.served import make_models
from tests.waiting import patiently, until
from xai_tf.attribution.methods import DEFAULT_METHOD, METHODS
from xai_tf.trust import REMEDIES, Checks, Reason, Verdict, verdict

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")


@pytest.fixture(scope="module")
def service(tmp_path_factory, small_cnn):
    models = make_models(tmp_path_factory.mktemp("models"), small_cnn)
    service = Service({"small": models["small"]}, tmp_path_factory.mktemp("store"), workers=1)
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


def all_compared(session):
    there = [name for name in COMPARED if session.explorer.cached(name)]
    return len(there) == MAX_COMPARED and not session.trust.comparing


def kinds(session):
    return [reason.kind for reason in session.trust.verdict.reasons]


def test_cheap_maps_are_made_by_themselves_and_change_the_verdict(visit):
    async def story(session):
        at_first = kinds(session)
        await until(lambda: all_compared(session) and session.quality.audit)
        explorer = session.explorer
        others = [explorer.cached(name) for name in COMPARED if name != explorer.method]
        by_hand = verdict(
            Checks(
                explanation=explorer.explanation,
                reading=session.workspace.reading,
                audit=session.quality.audit,
                others=[other for other in others if other],
            )
        )
        return at_first, kinds(session), session.trust.verdict, by_hand

    at_first, later, found, by_hand = visit(story)

    assert {"no_other_map", "no_scores"} <= set(at_first)
    assert "no_other_map" not in later
    assert found == by_hand


def test_maps_that_nobody_asked_for_are_in_no_report_until_they_are_shown(visit):
    async def story(session):
        await until(lambda: all_compared(session))
        before = [request.method for request, _ in session.history()]
        session.explorer.method = "saliency"
        await until(lambda: session.explorer.explanation)
        shown = [request.method for request, _ in session.history()]
        session.tab = "compare"
        return before, shown, len(session.history())

    before, shown, on_compare = visit(story)

    assert before == [DEFAULT_METHOD]
    assert sorted(shown) == sorted([DEFAULT_METHOD, "saliency"])
    assert on_compare >= len(shown)


def test_scores_change_the_verdict_and_the_remedy_makes_them(visit):
    async def story(session):
        reason = next(r for r in session.trust.verdict.reasons if r.kind == "no_scores")
        assert session.trust.can(reason)
        session.trust.apply(reason)
        await until(lambda: session.quality.done(BASIC))
        return kinds(session)

    assert "no_scores" not in visit(story)


def test_another_file_has_no_verdict_before_it_has_a_map(visit):
    async def story(session):
        seen = []
        session.trust.param.watch(lambda event: seen.append(event.new), "verdict")
        session.workspace.add("dog.jpg", (SAMPLES / "dog.jpg").read_bytes())
        gone = session.trust.verdict
        await until(lambda: session.trust.verdict)
        return gone, session.explorer.explanation.sample.source.name

    assert visit(story) == (None, "dog.jpg")


def test_another_method_is_one_that_was_not_tried(visit):
    async def story(session):
        await until(lambda: all_compared(session))
        tried = {request.method for request, _ in session.explorer.history.values()}
        remedy = Reason(
            kind="disagreement",
            severity="caution",
            english="",
            french="",
            remedy="another_method",
        )
        session.trust.apply(remedy)
        await until(lambda: session.explorer.explanation)
        return tried, session.explorer.method

    tried, chosen = visit(story)

    assert chosen not in tried
    assert chosen in METHODS


def test_a_reason_has_a_button_for_what_can_be_done_about_it(visit):
    async def story(session):
        await until(lambda: session.quality.audit)
        hidden = []
        view = TrustView(trust=session.trust, actions={"hide_region": hidden.append})
        alarm = Reason(
            kind="region",
            severity="doubtful",
            english="20% of the evidence is in <b>marks</b>.",
            french="20 % des indices sont dans <b>marks</b>.",
            remedy="hide_region",
            region=("chest", "marks"),
        )
        unfit = Reason(
            kind="no_ood_score",
            severity="unchecked",
            english="Unknown.",
            french="Inconnu.",
            remedy="fit_ood_detector",
        )
        session.trust.verdict = Verdict((alarm, unfit), "not_supported")
        items = view._reasons.items
        view._reasons._handle_msg({"button": "region", "number": 0})
        view._reasons._handle_msg({"button": "remedy", "number": 0})
        view._reasons._handle_msg({"button": "remedy", "number": 7})  # of a list that is gone
        view._reasons._handle_msg({"button": "anything", "number": 0})
        sentence = view._sentence.object
        with page_in("fr"):
            view._draw()
        return alarm, items, view.shown_region, hidden, sentence, view._reasons.items

    alarm, items, shown, hidden, sentence, french = visit(story)

    assert [item["remedy"] for item in items] == [REMEDIES["hide_region"].english, ""]
    assert [item["region"] for item in items] == ["Show “marks”", ""]
    assert (shown, hidden) == (("chest", "marks"), [alarm])
    assert "&lt;b&gt;" in sentence  # never markup
    assert french[0]["text"] == alarm.french
    assert french[0]["region"] == "Montrer « marques »"


def test_the_badge_says_a_word_and_can_be_pressed(visit):
    async def story(session):
        badge = VerdictBadge(trust=session.trust)
        found = session.trust.verdict
        said = badge._badge.level, badge._badge.word, badge._badge.description
        badge._badge._handle_msg("press")
        badge._badge._handle_msg("else")
        session.trust.verdict = None
        return found, said, badge.pressed, badge._badge.level

    found, said, pressed, without = visit(story)

    assert said == (found.level, found.word(), found.sentence())
    assert (pressed, without) == (1, "")


def test_how_a_map_was_computed_is_folded(visit):
    async def story(session):
        session.explorer.method = "grad_cam"
        await until(lambda: session.explorer.explanation)
        return session.explorer.explanation

    explanation = visit(story)

    said = computed_words(explanation)
    assert said.startswith("<details>")
    assert explanation.layer in said
    assert "problem" not in said
    assert computed_words(None) == ""
