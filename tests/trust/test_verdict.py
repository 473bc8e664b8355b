"""The verdict on a map: one objection decides, and nothing is supported that was not checked."""

import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.conftest import sample_of
from xai_tf.agreement.places import shares_strongest_place
from xai_tf.attribution.convergence import Convergence
from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import Cost
from xai_tf.attribution.question import Question
from xai_tf.attribution.run_diagnostics import diagnose_run
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import OODScore
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading, combine_windows
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.score import RandomBaseline, Score
from xai_tf.regions import PARTITIONS, Audit, RegionShare
from xai_tf.trust import LEVELS, REMEDIES, SEVERITIES, Checks, describe_verdict, verdict
from xai_tf.trust.sentences import NOT_CHECKED, REASONS, REGION_NAMES_FR, SEVERITY_WORDS, WORDS

SIZE = (64, 64)
CLEAR_ANSWER = Prediction(np.array([3.0, 0.0]), np.array([0.95, 0.05]), ("cat", "dog"))


def spots(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return gaussian_filter(rng.random(SIZE), 3) - 0.45


def explained(method: str = "grad_cam", attribution: np.ndarray | None = None, **parts: object):
    parts = {"prediction": CLEAR_ANSWER, "figures": {}, "warnings": (), **parts}
    return Explanation(
        sample=sample_of(np.zeros((*SIZE, 3))),
        question=Question(method, target=0),
        attribution=(spots(0) if attribution is None else attribution).astype(np.float32),
        cost=Cost(1),
        seconds=0.1,
        **parts,
    )


def read(ratio: float | None = 0.5, guesses: tuple[str, ...] = ()) -> Reading:
    sample = sample_of(np.zeros((*SIZE, 3)))
    return Reading(
        source=Path("cat.png"),
        samples=(sample,),
        predictions=(CLEAR_ANSWER,),
        prediction=CLEAR_ANSWER,
        ood_score=None if ratio is None else OODScore(ratio, 1.0, 0.05),
        guesses=guesses,
    )


def region(name: str, area: float, share: float, alarm: bool = False, partition: str = "chest"):
    return RegionShare(
        partition=partition,
        region=name,
        area=area,
        share=share,
        ratio=share / area,
        supporting=None,
        opposing=None,
        alarm=alarm,
    )


def audited(*rows: RegionShare) -> Audit:
    return Audit(Path("cat.png"), rows or (region("lungs", 0.3, 0.6),), ())


def scored(metric: str, win_rate: float, value: float = 0.5) -> Score:
    return Score(
        metric=METRICS[metric],
        value=value,
        quantity="",
        settings={},
        seed=0,
        cost=Cost(),
        seconds=0.0,
        random=RandomBaseline(0.4, 0.3, 0.6, 20, win_rate),
    )


GOOD_SCORES = (scored("deletion", 1.0), scored("insertion", 0.95), scored("mu_fidelity", 0.85))


def checked(**changes: object) -> Checks:
    """Checks that all passed, but for some."""
    everything = {
        "explanation": explained(),
        "reading": read(),
        "audit": audited(),
        "scores": GOOD_SCORES,
        "others": (explained("saliency", np.abs(spots(0))), explained("rise")),
    }
    return Checks(**everything | changes)


def kinds(checks: Checks) -> list[str]:
    return [reason.kind for reason in verdict(checks).reasons]


LEVEL_OF = {
    "doubtful": "not_supported", "caution": "partly_supported", "supported": "well_supported",
}  # fmt: skip


def test_a_map_is_supported_only_where_every_check_passed():
    passed = verdict(checked())

    assert passed.level == "well_supported"
    assert not passed.objections
    assert "answer may still be wrong" in passed.sentence()
    for missing in ({"reading": None}, {"scores": ()}, {"others": ()}):
        assert verdict(checked(**missing)).level == "partly_supported"


def test_what_says_little_about_the_place_is_told_and_does_not_decide():
    without_regions = verdict(checked(audit=None))

    assert without_regions.level == "well_supported"
    assert "no_regions" in [reason.kind for reason in without_regions.reasons]
    assert without_regions.sentence() == verdict(checked()).sentence()


def pointing(row: int, method: str = "rise") -> Explanation:
    strength = np.zeros(SIZE)
    strength[row : row + 4, 10:14] = 1
    return explained(method, gaussian_filter(strength, 2))


@pytest.mark.parametrize(
    ("there", "elsewhere", "kind"),
    [
        (1, 0, "agreement"), (1, 1, "agreement"), (2, 1, "agreement"), (3, 1, "agreement"),
        (1, 2, "little_agreement"), (2, 2, "little_agreement"), (6, 2, "agreement"),
        (5, 3, "little_agreement"), (0, 1, "disagreement"), (0, 3, "disagreement"),
    ],
)  # fmt: skip
def test_all_methods_but_one_or_a_quarter_must_point_to_the_place(there, elsewhere, kind):
    others = [pointing(20)] * there + [pointing(50)] * elsewhere

    found = verdict(checked(explanation=pointing(21, "grad_cam"), others=others))

    [reason] = [one for one in found.reasons if "agreement" in one.kind]
    assert reason.kind == kind
    assert (found.level == "well_supported") == (kind == "agreement")
    if kind != "disagreement":
        assert f"{there} of {there + elsewhere}" in reason.text()


def test_a_place_of_several_strongest_pixels_counts_by_most_of_them():
    segment = np.zeros(SIZE)
    segment[20:40, 10:30] = 1.0
    segment += np.linspace(0, 0.1, SIZE[0])[:, None] * (segment == 0)
    halves = [np.zeros(SIZE), np.zeros(SIZE)]
    halves[0][25:60, 5:30] = halves[1][36:60, 5:60] = 1

    shared = [
        shares_strongest_place(explained("lime", segment), explained("rise", half))
        for half in halves
    ]

    assert shared == [True, False]
    smaller = explained("rise", halves[0][::2, ::2])
    assert shares_strongest_place(explained("lime", segment), smaller)


def test_regions_that_are_a_guess_are_no_reason():
    alarmed = replace(region("lungs", 0.3, 0.1), guess=True)

    kinds = {reason.kind for reason in verdict(checked(audit=audited(alarmed))).reasons}

    assert "no_regions" in kinds
    assert not kinds & {"not_expected", "regions_plausible"}


def test_what_was_not_checked_is_named_and_no_praise():
    found = verdict(Checks(explanation=explained()))

    assert found.level == "partly_supported"
    for kind in ("no_ood_score", "no_regions", "no_other_map", "no_scores"):
        assert NOT_CHECKED[kind]["en"] in found.sentence("en")
        assert NOT_CHECKED[kind]["fr"] in found.sentence("fr")
    assert found.remedy.name == "fit_ood_detector"


@pytest.mark.parametrize(
    ("change", "kind", "severity", "remedy"),
    [
        ({"reading": read(1.05)}, "out_of_distribution", "caution", "another_model"),
        ({"reading": read(2.5)}, "out_of_distribution", "doubtful", "another_model"),
        ({"reading": read(guesses=("preprocessing",))}, "guessed_preprocessing", "caution",
         "settle_preprocessing"),
        ({"reading": read(guesses=("outputs",))}, "guessed_outputs", "caution", "settle_model"),
        ({"audit": audited(region("marks", 0.01, 0.2, alarm=True))}, "region", "doubtful",
         "hide_region"),
        ({"audit": audited(region("lungs", 0.3, 0.2))}, "not_expected", "caution",
         "another_method"),
        ({"others": (explained("saliency", spots(5)),)}, "disagreement", "caution",
         "another_method"),
        ({"scores": (scored("deletion", 0.5), scored("insertion", 0.6))}, "scores_at_chance",
         "doubtful", "another_method"),
        ({"scores": (scored("deletion", 0.85), scored("insertion", 0.9))}, "scores_mixed",
         "caution", "another_method"),
        ({"scores": (*GOOD_SCORES, scored("randomisation", 0.0, 0.9))}, "randomised", "doubtful",
         "another_method"),
        ({"explanation": explained(warnings=("It has no ReLU.",))}, "method_warning", "caution",
         "another_method"),
        ({"explanation": explained(attribution=np.ones(SIZE))}, "constant", "doubtful",
         "another_method"),
        ({"explanation": explained("lime", figures={"r2": 0.1})}, "poor_fit", "caution",
         "sample_until_stable"),
    ],
)  # fmt: skip
def test_one_objection_decides(change, kind, severity, remedy):
    found = verdict(checked(**change))

    assert (found.reasons[0].severity, found.reasons[0].kind) == (severity, kind)
    assert found.level == LEVEL_OF[severity]
    assert found.sentence() == found.reasons[0].text()
    assert found.remedy.name == remedy


def test_the_strongest_objection_comes_first():
    found = verdict(
        checked(
            reading=read(1.05, guesses=("size",)),
            audit=audited(region("marks", 0.01, 0.2, alarm=True)),
            scores=(),
        )
    )

    severities = [SEVERITIES.index(reason.severity) for reason in found.reasons]
    assert severities == sorted(severities)
    assert found.reasons[0].kind == "region"
    assert found.reasons[0].region == ("chest", "marks")
    assert [reason.kind for reason in found.objections] == [
        "region", "out_of_distribution", "guessed_size",
    ]  # fmt: skip


def test_a_region_is_named_in_both_languages():
    alarm = region("outside the lungs", 0.61, 0.905, alarm=True)
    reason = verdict(checked(audit=audited(alarm))).reasons[0]

    assert reason.text() == (
        "90% of the evidence is in “outside the lungs” (61.0% of the image), where little is "
        "expected."
    )
    assert "90\N{NO-BREAK SPACE}%" in reason.text("fr")
    assert "« hors des poumons » (61,0\N{NO-BREAK SPACE}% de l'image)" in reason.text("fr")


def test_methods_of_the_same_family_are_no_second_opinion():
    gradients = (explained("gradient_input"), explained("square_grad", np.abs(spots(0))))

    alone = kinds(checked(explanation=explained("saliency"), others=gradients))
    with_another = kinds(checked(explanation=explained("saliency"), others=[explained("rise")]))
    of_features = kinds(checked(explanation=explained("saliency"), others=[explained("fem")]))

    assert "no_other_map" in alone
    assert "agreement" in with_another
    assert "no_other_map" in of_features  # FEM explains no class


def test_a_metric_on_which_random_maps_are_all_alike_says_nothing():
    tied = replace(scored("average_gain", 0.5, 0.0), random=RandomBaseline(0, 0, 0, 20, 0.5))

    assert verdict(checked(scores=(*GOOD_SCORES, *(tied,) * 6))).level == "well_supported"
    assert "no_scores" in kinds(checked(scores=(tied,)))


@pytest.mark.parametrize(
    ("latest", "wanted", "severity"),
    [(0.9, None, "supported"), (0.7, None, "caution"), (0.3, None, "caution"),
     (0.9, 0.95, "caution"), (None, None, "caution")],
)  # fmt: skip
def test_that_a_sampled_map_is_not_stable_is_said(latest, wanted, severity):
    values = np.float32([] if latest is None else [latest, latest])
    convergence = Convergence(
        samples=np.int32([16, 32][: len(values)]), stability=values, wanted=wanted, limit=64
    )
    sampled = explained("rise", convergence=convergence)
    sampled = replace(sampled, warnings=tuple(one.text for one in diagnose_run(sampled)))

    found = verdict(checked(explanation=sampled, others=[explained("grad_cam")]))

    [told] = [reason for reason in found.reasons if "stab" in reason.kind]
    assert told.severity == severity
    assert found.level == "well_supported"  # the place may be right all the same
    assert "method_warning" not in [reason.kind for reason in found.reasons]  # it is said once
    assert severity == "supported" or found.remedy.name == "sample_until_stable"


def test_a_close_call_is_an_objection_to_what_explains_it():
    close = Prediction(np.array([0.2, 0.0]), np.array([0.55, 0.45]), ("cat", "dog"))
    contrasted = replace(explained(prediction=close), question=Question(target=0, contrast=1))

    found = verdict(checked(explanation=explained(prediction=close)))

    assert found.sentence() == "The answer is a close call: “cat” (55.0%) or “dog” (45.0%)."
    assert found.remedy.name == "another_class"
    assert "close_call" not in kinds(checked(explanation=contrasted))


def test_an_unsure_answer_keeps_a_map_from_being_well_supported():
    unsure = Prediction(np.array([1.0, 0.0]), np.array([0.73, 0.27]), ("cat", "dog"))

    found = verdict(checked(explanation=explained(prediction=unsure)))

    assert found.level == "partly_supported"
    assert found.sentence() == "The model is not sure of its answer (73.0%)."


def test_one_metric_at_chance_keeps_a_map_from_being_well_supported():
    scores = (scored("deletion", 1.0), scored("insertion", 1.0), scored("mu_fidelity", 0.4))

    found = verdict(checked(scores=scores))

    assert (found.level, found.reasons[0].kind) == ("partly_supported", "scores_mixed")


def test_a_map_on_the_border_is_said_once():
    rim = np.zeros(SIZE)
    rim[:3] = rim[-3:] = rim[:, :3] = rim[:, -3:] = 1
    rim[30:34] += 0.1
    rim += np.random.default_rng(0).random(SIZE) / 100
    alarm = region("border", 0.2, 0.9, alarm=True, partition="frame")
    assert "border" in [one.name for one in diagnose(rim)]

    assert "border" in kinds(checked(explanation=explained(attribution=rim)))
    both = kinds(checked(explanation=explained(attribution=rim), audit=audited(alarm)))
    assert "region" in both
    assert "border" not in both


def test_every_guess_of_a_model_has_its_sentence(small_cnn, blobs):
    classifier = Classifier(small_cnn, ["a", "b", "c"])
    predictions = classifier.predict([blobs])

    reading = combine_windows(classifier, "a.png", [blobs], predictions, None)

    assert reading.guesses == classifier.guesses == ("preprocessing", "outputs")
    explanation = explain(classifier, blobs)
    found = verdict(Checks(explanation=explanation, reading=reading))
    assert {"guessed_preprocessing", "guessed_outputs"} <= {one.kind for one in found.reasons}


def test_sentences_are_complete_in_both_languages():
    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for table in (REASONS, NOT_CHECKED):
        for phrase in table.values():
            assert set(phrase) == {"en", "fr"}
            assert names(phrase["en"]) == names(phrase["fr"])
    assert tuple(WORDS) == LEVELS
    assert tuple(SEVERITY_WORDS) == SEVERITIES
    watched = {
        name
        for partition in PARTITIONS.values()
        for name in (*partition.limits, *partition.expected)
    }
    assert watched == set(REGION_NAMES_FR)
    for remedy in REMEDIES.values():
        assert remedy.label("en")
        assert remedy.label("fr") not in ("", remedy.label("en"))


def test_a_verdict_as_plain_data():
    alarm = region("marks", 0.01, 0.2, alarm=True)
    found = verdict(checked(audit=audited(alarm)))

    described = describe_verdict(found)

    assert described["level"] == "not_supported"
    assert described["word"] == "Not supported"
    assert described["sentence"] == described["reasons"][0]["text"]
    assert described["reasons"][0] == {
        "kind": "region",
        "severity": "doubtful",
        "text": found.sentence(),
        "remedy": "hide_region",
        "partition": "chest",
        "region": "marks",
    }
    assert described["reasons"][-1]["remedy"] is None
    assert describe_verdict(found, "fr")["word"] == "Non étayée"
