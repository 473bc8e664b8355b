"""Sampling: runs that are continued, stop when the map is stable, and always end."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import xai_tf
from dashboards.service.requests import Explain, ModelEntry, Upload, key
from dashboards.service.serialization import pack, unpack
from tests.conftest import result_of, sample_of
from xai_tf.agreement.agreement import rank_correlation
from xai_tf.attribution import convergence
from xai_tf.attribution.explain import continue_explaining, explain
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import Question
from xai_tf.attribution.sampling import HALVES
from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli.run import app
from xai_tf.errors import SettingError
from xai_tf.inputs.sample import Sample
from xai_tf.inputs.segments import segment

SAMPLED = [name for name, method in METHODS.items() if method.stochastic]
GRADIENTS = ("smooth_grad", "square_grad", "var_grad")
SMALL = {"num_segments": 16, "grid": 5}


def small(name: str, **given: float) -> dict[str, float]:
    return {o: v for o, v in (SMALL | given).items() if o in METHODS[name].options}


def explainer_of(classifier: Classifier, sample: Sample, name: str, count: int):
    """The explainer of a method, after so many samples."""
    from xai_tf.attribution.builders import build_explainer, start_pass_counter
    from xai_tf.attribution.setup import Run

    method = METHODS[name]
    settings, parts = method.settings(small(name, num_samples=count), 0.0), segment(sample, 16)
    pass_counter = start_pass_counter(method, classifier, None)
    setup = Run(
        classifier=classifier,
        settings=settings,
        image=sample.image,
        pass_counter=pass_counter,
        segments=parts,
    )
    explainer = build_explainer(method, setup)
    explainer(sample.image[None], classifier.target(1)[None])
    return explainer


@pytest.fixture(scope="module")
def says_the_same(three_classes) -> Classifier:
    """A network that answers everything alike."""
    import keras

    model = keras.models.clone_model(three_classes.model)
    for layer in model.layers:
        layer.set_weights([np.zeros_like(values) for values in layer.get_weights()])
    return Classifier(model, ["a", "b", "c"], name="says_the_same")


@pytest.mark.parametrize("name", SAMPLED)
def test_a_run_that_goes_on_is_the_run_of_all_samples_at_once(three_classes, blobs, name):
    """To the last bit: 64 are whole batches of both kinds."""
    some = explain(three_classes, blobs, name, target=1, settings=small(name, num_samples=64))

    more = continue_explaining(three_classes, some, 64)

    once = explain(three_classes, blobs, name, target=1, settings=small(name, num_samples=128))
    np.testing.assert_array_equal(more.attribution, once.attribution)
    np.testing.assert_array_equal(more.convergence.samples, once.convergence.samples)
    np.testing.assert_array_equal(more.convergence.stability, once.convergence.stability)
    assert (more.cost, more.figures, more.settings) == (once.cost, once.figures, once.settings)
    assert not np.array_equal(some.attribution, once.attribution)


@pytest.mark.parametrize("name", SAMPLED)
def test_it_may_go_on_from_within_a_batch(three_classes, blobs, name):
    some = explain(three_classes, blobs, name, settings=small(name, num_samples=41))

    more = continue_explaining(three_classes, some, 60)

    once = explain(three_classes, blobs, name, settings=small(name, num_samples=101))
    scale = np.abs(once.attribution).max()
    np.testing.assert_allclose(more.attribution, once.attribution, atol=1e-5 * scale)
    assert more.cost == once.cost


@pytest.mark.parametrize("name", SAMPLED)
def test_only_the_passes_to_come_are_run(three_classes, blobs, monkeypatch, name):
    some = explain(three_classes, blobs, name, settings=small(name, num_samples=96))
    ran, told = [], []

    def counted(run):
        return lambda images, targets: (ran.append(len(images)), run(images, targets))[1]

    passes = three_classes.passes
    monkeypatch.setattr(
        three_classes,
        "passes",
        replace(passes, scores=counted(passes.scores), gradients=counted(passes.gradients)),
    )
    continue_explaining(three_classes, some, 32, progress=lambda *now: told.append(now))

    assert sum(ran) == 32
    assert told[-1] == (32, 32)


@pytest.fixture
def ran(three_classes, monkeypatch) -> list[int]:
    """The sizes of the batches that `three_classes` is run on."""
    sizes, passes = [], three_classes.passes

    def counted(run):
        return lambda images, targets: (sizes.append(len(images)), run(images, targets))[1]

    counting = replace(passes, scores=counted(passes.scores), gradients=counted(passes.gradients))
    monkeypatch.setattr(three_classes, "passes", counting)
    return sizes


def test_methods_of_the_same_draws_take_them_once_and_each_has_the_map_it_has_alone(
    three_classes, blobs, ran
):
    counts = {"smooth_grad": 48, "var_grad": 16, "square_grad": 32}
    questions = [
        Question(name, target=1, settings={"num_samples": count}) for name, count in counts.items()
    ]

    together = explain(three_classes, blobs, questions)

    assert sum(ran) == 48
    for question, one in zip(questions, together, strict=True):
        alone = explain(three_classes, blobs, question)
        np.testing.assert_array_equal(one.attribution, alone.attribution)
        assert (one.method.name, one.cost) == (question.method, alone.cost)
        assert one.settings == alone.settings
        assert one.convergence.latest == alone.convergence.latest


@pytest.mark.parametrize(
    "other",
    [
        Question("square_grad", target=1, settings={"num_samples": 32}, seed=1),
        Question("square_grad", target=2, settings={"num_samples": 32}),
        Question("square_grad", target=1, contrast=2, settings={"num_samples": 32}),
        Question("square_grad", target=1, settings={"num_samples": 32, "noise": 0.2}),
        Question("square_grad", target=1, settings={"num_samples": 16}),
        Question("square_grad", target=1, settings={"num_samples": 32}, until_stable=0.9),
        Question("rise", target=1, settings={"num_samples": 32}),
    ],
    ids=["seed", "class", "contrast", "noise", "fewer", "until stable", "draws"],
)
def test_other_draws_are_taken_anew(three_classes, blobs, ran, other):
    noisy = explain(three_classes, blobs, "var_grad", target=1, settings={"num_samples": 32})
    ran.clear()

    found = explain(three_classes, blobs, other, earlier=[noisy])

    alone = explain(three_classes, blobs, other)
    np.testing.assert_array_equal(found.attribution, alone.attribution)
    assert sum(ran) == found.cost.evaluations + alone.cost.evaluations


def test_draws_of_another_picture_are_of_no_use(three_classes, blobs, ran):
    turned = replace(blobs, image=np.ascontiguousarray(blobs.image[::-1]))
    noisy = explain(three_classes, turned, "var_grad", target=1, settings={"num_samples": 32})
    ran.clear()

    explain(three_classes, blobs, "var_grad", target=1, earlier=[noisy])

    assert sum(ran) == 32


def test_draws_of_another_model_are_of_no_use(three_classes, says_the_same, blobs, ran):
    noisy = explain(says_the_same, blobs, "var_grad", target=1, settings={"num_samples": 32})
    ran.clear()

    explain(three_classes, blobs, "var_grad", target=1, earlier=[noisy])

    assert sum(ran) == 32


def test_a_comparison_takes_shared_draws_once_in_whatever_order(three_classes, blobs, ran):
    names = ["smooth_grad", "square_grad", "var_grad"]

    found = xai_tf.compare(three_classes, blobs, names, metrics=[], target=1)

    assert sum(ran) == 128
    assert [one.method.name for one in found.explanations] == names


def test_without_its_state_a_run_starts_over(three_classes, blobs):
    some = explain(three_classes, blobs, "rise", settings={"num_samples": 64})
    object.__setattr__(some.convergence, "state", None)

    more = continue_explaining(three_classes, some, 64)

    once = explain(three_classes, blobs, "rise", settings={"num_samples": 128})
    np.testing.assert_array_equal(more.attribution, once.attribution)
    assert more.cost.forward == 64 + 128


def test_the_progress_of_a_run_that_starts_over_is_out_of_all_it_takes(three_classes, blobs):
    some = explain(three_classes, blobs, "rise", settings={"num_samples": 64})
    told = []

    for _ in range(3):  # each time it has cost more than the samples it has
        object.__setattr__(some.convergence, "state", None)
        some = continue_explaining(three_classes, some, 32, progress=lambda *now: told.append(now))

    assert {total for _, total in told} == {96, 128, 160}
    assert [done for done, total in told if total == 96] == [32, 64, 96]
    assert told[-1] == (160, 160)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_run_until_stable_stops_before_its_limit_with_the_map_of_its_samples(
    three_classes, blobs, name
):
    limit, told = METHODS[name].options["num_samples"].high, []

    settled = explain(
        three_classes,
        blobs,
        name,
        target=1,
        until_stable=0.7,
        settings=small(name, num_samples=limit),
        progress=lambda *now: told.append(now),
    )

    taken, curve = settled.settings["num_samples"], settled.convergence
    assert taken == curve.samples[-1] == settled.figures["samples"] < limit
    assert (curve.stability[-2:] >= 0.7).all()
    assert not any((curve.stability[i : i + 2] >= 0.7).all() for i in range(len(curve.samples) - 2))
    assert settled.figures["stability"] == pytest.approx(curve.stability[-1])
    assert (curve.reached, curve.limit, curve.wanted) == (True, limit, 0.7)
    assert told[0][1] == limit
    assert told[-1] == (limit, limit)
    fixed = explain(three_classes, blobs, name, target=1, settings=small(name, num_samples=taken))
    np.testing.assert_array_equal(settled.attribution, fixed.attribution)
    assert settled.cost == fixed.cost


def test_the_limit_ends_a_run_and_is_told(three_classes, blobs):
    ours = explain(three_classes, blobs, "rise", until_stable=0.999, settings={"num_samples": 100})

    assert ours.settings["num_samples"] == 100
    assert not ours.convergence.reached
    assert "Not stable after 100 samples" in ours.warnings[0]
    assert "0.999" in ours.warnings[0] or "1.00 was requested" in ours.warnings[0]


def test_too_few_samples_are_told_of_although_nobody_asked(three_classes, blobs):
    few, many = (
        explain(three_classes, blobs, "rise", target=1, settings={"num_samples": count})
        for count in (32, 4096)
    )

    assert few.figures["stability"] < 0.5
    assert "Too few" in few.warnings[0]
    assert many.warnings == ()


@pytest.mark.parametrize(
    ("name", "given"),
    [("lime", {"num_samples": 32, "num_segments": 100}), ("smooth_grad", {"num_samples": 3})],
)
def test_samples_that_are_too_few_to_tell_are_told_of(three_classes, blobs, name, given):
    ours = explain(three_classes, blobs, name, target=1, settings=given)

    assert "stability" not in ours.figures
    assert "r2" not in ours.figures
    assert "Too few samples to tell" in ours.warnings[0]


def test_all_coalitions_and_a_silent_network_are_not_told_to_be_too_few(
    halves, left_bright, says_the_same, blobs
):
    exact = explain(
        halves, left_bright, "kernel_shap", settings={"num_segments": 4, "num_samples": 512}
    )
    silent = explain(says_the_same, blobs, "lime")

    assert exact.convergence.exact
    assert not silent.attribution.any()
    assert not [text for e in (exact, silent) for text in e.warnings if "Too few" in text]


def test_unless_told_otherwise_the_limit_is_eight_times_the_default(three_classes, blobs):
    ours = explain(three_classes, blobs, "smooth_grad", until_stable=0.5)

    assert ours.convergence.limit == 8 * METHODS["smooth_grad"].options["num_samples"].default


def test_a_stable_map_that_is_continued_until_stable_stays(three_classes, blobs):
    some = explain(three_classes, blobs, "rise", until_stable=0.6, settings={"num_samples": 4096})

    more = continue_explaining(three_classes, some, 4096, until_stable=0.6)

    assert more.cost == some.cost
    np.testing.assert_array_equal(more.attribution, some.attribution)


def test_stability_is_that_of_a_test_twice_as_long():
    assert convergence.stability(1 / 3, 0.5) == pytest.approx(2 / 3)  # Spearman and Brown
    assert convergence.stability(0.0, 0.5) == pytest.approx(2 / 3)  # never grows by more
    assert convergence.stability(-0.2, 0.5) == pytest.approx(2 / 3)


def test_stability_grows_no_more_where_it_grew_no_more():
    """Few places stand out, and chance orders the rest: twice the samples tell no more."""
    assert convergence.stability(0.7, 0.7) == pytest.approx(0.7)
    assert convergence.stability(0.8, 0.7) == pytest.approx(0.7)
    assert 0.7 < convergence.stability(0.65, 0.7) < 0.75


def test_stability_of_halves_that_agree_in_nothing_or_all():
    assert convergence.stability(0.9, 1.0) == 1
    assert convergence.stability(1.0, 1.0) == 1
    assert convergence.stability(0.0, 0.0) == 0
    assert convergence.stability(0.2, -0.4) == -0.4


def test_checks_are_a_fifth_apart_in_whole_blocks():
    found = convergence.checkpoints(32)

    assert [next(found) for _ in range(4)] == [32, 64, 96, 128]
    late = next(number for number in found if number > 3200)
    assert late % 32 == 0
    assert next(found) == pytest.approx(1.2 * late, abs=32)


@pytest.mark.parametrize("name", SAMPLED)
def test_the_map_of_a_part_is_that_of_its_samples(three_classes, blobs, name):
    """The parts of a sum are the sum; a part that is all is the whole."""
    explainer = explainer_of(three_classes, blobs, name, 128)

    np.testing.assert_allclose(explainer.value((0, 1, 2, 3)), explainer.value(), rtol=1e-6)
    halves = [explainer.value(half) for half in HALVES[0]]
    assert not np.array_equal(*halves)
    if name in ("smooth_grad", "square_grad"):
        np.testing.assert_allclose(np.mean(halves, axis=0), explainer.value(), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["rise", "lime", "kernel_shap", "smooth_grad"])
def test_what_a_run_says_of_itself_holds_against_other_seeds(three_classes, blobs, name):
    """Over six seeds, at a number of samples that leaves the map unsettled."""
    count = {"kernel_shap": 256, "rise": 256, "smooth_grad": 64}.get(name, 160)
    runs = [
        explain(
            three_classes, blobs, name, target=1, seed=seed, settings=small(name, num_samples=count)
        )
        for seed in range(6)
    ]

    said = np.mean([run.figures["stability"] for run in runs])
    real = np.mean([rank_correlation(runs[i], runs[j]) for i in range(6) for j in range(i)])
    assert said == pytest.approx(real, abs=0.1)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_network_that_says_the_same_of_everything_ends_soon_and_is_told(
    says_the_same, blobs, name
):
    ours = explain(says_the_same, blobs, name, target=1, until_stable=0.9, settings=small(name))

    assert ours.settings["num_samples"] <= 4 * 32
    assert "cannot become stable" in ours.warnings[0]
    assert "stability" not in ours.figures
    assert np.abs(ours.attribution).max() < 1e-6


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_a_constant_picture_comes_to_an_end(three_classes, name, level):
    flat = sample_of(np.full((32, 32, 3), level))

    ours = explain(
        three_classes, flat, name, until_stable=0.95, settings=small(name, num_samples=256)
    )

    assert ours.settings["num_samples"] <= 256
    assert np.isfinite(ours.attribution).all()
    assert ours.convergence.reached or ours.warnings


@pytest.mark.parametrize("kind", ["Lime", "KernelShap"])
def test_a_single_segment_comes_to_an_end(three_classes, blobs, monkeypatch, kind):
    from xai_tf.attribution import run as running

    monkeypatch.setattr(running, "segment", lambda *_: np.zeros((32, 32), np.int32))
    name = next(n for n, method in METHODS.items() if method.explainer == kind)

    ours = explain(three_classes, blobs, name, until_stable=0.9, settings={"num_samples": 4096})

    assert ours.settings["num_samples"] <= 160
    assert np.ptp(ours.attribution) == 0
    assert kind == "KernelShap" or "cannot become stable" in ours.warnings[0]


def test_few_segments_are_taken_in_all_coalitions_and_leave_nothing_to_chance(halves, left_bright):
    ours = explain(
        halves, left_bright, "kernel_shap", until_stable=0.9, settings={"num_segments": 9}
    )

    count = len(ours.segment_weights)
    assert ours.settings["num_samples"] == ours.cost.forward == 2**count <= 512
    assert ours.convergence.exact
    assert ours.figures["stability"] == 1
    fixed = explain(
        halves, left_bright, "kernel_shap", settings={"num_segments": 9, "num_samples": 2**count}
    )
    np.testing.assert_array_equal(ours.attribution, fixed.attribution)


def test_so_few_segments_that_their_coalitions_are_fewer_than_samples_may_be(
    halves, left_bright, monkeypatch
):
    from xai_tf.attribution import run as running

    parts = np.arange(left_bright.image.shape[1]) * 3 // left_bright.image.shape[1]
    parts = np.broadcast_to(parts, left_bright.image.shape[:2]).astype(np.int32)
    monkeypatch.setattr(running, "segment", lambda *_: parts)
    told = []

    ours = explain(
        halves,
        left_bright,
        "kernel_shap",
        until_stable=0.9,
        progress=lambda *now: told.append(now),
    )

    assert len(ours.segment_weights) == 3
    assert ours.settings["num_samples"] == 16  # and not 8, which nobody may ask for
    assert ours.convergence.exact
    assert told[-1] == (16, 16)
    again = explain(halves, left_bright, "kernel_shap", settings=ours.settings)
    np.testing.assert_array_equal(ours.attribution, again.attribution)
    more = continue_explaining(halves, ours, 16)
    np.testing.assert_allclose(ours.segment_weights, more.segment_weights, atol=1e-6)


def test_a_map_that_was_stable_in_one_look_alone_is_told_so():
    from xai_tf.attribution.run_diagnostics import _doubts

    values = np.eye(4, dtype=np.float32)
    one = convergence.Convergence(
        samples=np.array([32, 64], np.int32),
        stability=np.array([0.5, 0.95], np.float32),
        wanted=0.9,
        limit=64,
    )
    none = replace(one, stability=np.array([0.5, 0.6], np.float32))
    both = replace(one, stability=np.array([0.91, 0.95], np.float32))

    assert "only at the last check, after 64" in _doubts(one, values)[0]
    assert "2 checks in a row" in _doubts(one, values)[0]
    assert "0.60 with this one, and 0.90 was requested" in _doubts(none, values)[0]
    assert _doubts(both, values) == ()


def test_draws_that_go_on_until_all_coalitions_fit_are_drawn_anew(halves, left_bright):
    some = explain(
        halves, left_bright, "kernel_shap", settings={"num_segments": 9, "num_samples": 32}
    )
    assert not some.convergence.exact

    more = continue_explaining(halves, some, 2048 - 32)

    once = explain(
        halves, left_bright, "kernel_shap", settings={"num_segments": 9, "num_samples": 2048}
    )
    assert more.convergence.exact
    np.testing.assert_array_equal(more.attribution, once.attribution)


def test_a_state_is_small_where_scores_are_all_it_takes(three_classes, blobs):
    for name in SAMPLED:
        found = explain(three_classes, blobs, name, settings=small(name, num_samples=64))
        size = sum(array.nbytes for array in found.convergence.state.values())
        assert size <= (70_000 if name in GRADIENTS else 4 * 64)


def test_raising_in_progress_stops_a_run_until_stable(three_classes, blobs):
    class StopWorkError(Exception):
        pass

    def stop(done, total):
        if done > 64:
            raise StopWorkError

    with pytest.raises(StopWorkError):
        explain(three_classes, blobs, "rise", until_stable=0.99, progress=stop)


def test_what_makes_no_sense_is_refused_with_a_way_out(three_classes, blobs):
    with pytest.raises(SettingError, match=r"draws no samples.*smooth_grad"):
        explain(three_classes, blobs, "saliency", until_stable=0.9)
    with pytest.raises(SettingError, match="between 0 and 1"):
        explain(three_classes, blobs, "rise", until_stable=1.5)
    with pytest.raises(SettingError, match="16 to 16384"):
        explain(three_classes, blobs, "rise", until_stable=0.9, settings={"num_samples": 4})
    some = explain(three_classes, blobs, "smooth_grad")
    with pytest.raises(SettingError, match="2 to 1024"):
        continue_explaining(three_classes, some, 1024)
    with pytest.raises(SettingError, match="draws no samples"):
        continue_explaining(three_classes, explain(three_classes, blobs, "saliency"), 8)


ASKED = Explain(
    ModelEntry(
        name="small",
        path=Path("small.keras"),
        sha256="1" * 64,
        task=None,
        title="small",
        classes=("a", "b", "c"),
        summary="",
    ),
    Upload(name="mine.png", path=Path("mine.png"), sha256="2" * 64, size=1, kind="picture"),
    Question("rise"),
)


def test_a_state_comes_back_from_the_store_for_who_goes_on_and_for_nobody_else(
    three_classes, blobs
):
    some = explain(three_classes, blobs, "rise", settings={"num_samples": 64})

    data = pack(some)

    shown, worked = unpack(data, ASKED), unpack(data, ASKED, to_go_on=True)
    assert shown.convergence.state is None
    np.testing.assert_array_equal(shown.convergence.stability, some.convergence.stability)
    assert shown.convergence.wanted is None
    more = continue_explaining(three_classes, replace(worked, sample=blobs), 64)
    once = explain(three_classes, blobs, "rise", settings={"num_samples": 128})
    np.testing.assert_array_equal(more.attribution, once.attribution)


def test_a_large_state_is_not_kept(three_classes, blobs):
    some = explain(three_classes, blobs, "smooth_grad")
    large = replace(some.convergence, state={"sums": np.zeros((2, 1024, 1024), np.float32)})

    data = pack(replace(some, convergence=large))

    assert len(data) < 2**20
    assert unpack(data, ASKED, to_go_on=True).convergence.state is None
    assert not unpack(data, ASKED).convergence.kept
    assert unpack(pack(some), ASKED).convergence.kept


def test_what_is_gone_on_from_makes_no_other_question():
    since = ASKED.of_samples(64)
    going_on = replace(ASKED, since=since)

    assert key(going_on) == key(ASKED)
    assert going_on == ASKED
    until_stable = replace(ASKED, question=Question("rise", until_stable=0.9))
    assert key(since) != key(ASKED) != key(until_stable)
    assert since.unsampled == ASKED.unsampled
    assert (since.samples, ASKED.samples) == (64, 1024)
    assert since.of_samples(1024) == ASKED


def test_the_curve_is_drawn_for_the_eye_and_told_to_the_ear():
    drawn = convergence.curve([32, 64, 96], [0.2, 0.8, 0.91], 0.9)

    assert 'aria-label="Stability 0.91 after 96 samples"' in drawn
    assert drawn.count(",") == 3
    assert "dasharray" in drawn
    assert "http" not in drawn
    assert convergence.curve([], []) == ""


@pytest.fixture
def picture_file(blobs, tmp_path):
    path = tmp_path / "blobs.png"
    Image.fromarray((blobs.image * 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def model_file(small_cnn, tmp_path):
    small_cnn.save(tmp_path / "small.keras")
    return tmp_path / "small.keras"


def test_the_command_runs_until_stable_and_keeps_the_curve(model_file, picture_file, tmp_path):
    asked = ["explain", str(picture_file), "--model", str(model_file), "--out", str(tmp_path / "o")]
    asked += ["--method", "lime", "--method", "saliency", "--json"]
    asked += ["--score", "randomisation,repeat_correlation"]

    answer = CliRunner().invoke(app, [*asked, "--until-stable", "0.8"])

    assert answer.exit_code == 0, answer.output
    assert "LIME: up to 4096 passes per map" in answer.stderr
    assert "LIME, randomisation: up to 4096 passes per map, about" in answer.stderr
    assert "LIME, repeat_correlation: up to 8192 passes per map, about" in answer.stderr
    assert "Saliency, randomisation: 1 pass" in answer.stderr
    lime, saliency = result_of(answer.stdout)[0]["explanations"]
    assert lime["convergence"]["wanted"] == 0.8
    assert lime["convergence"]["samples"][-1] == lime["settings"]["num_samples"] < 4096
    assert saliency["convergence"] is None
    drawn = (tmp_path / "o" / "blobs" / "lime_stability.svg").read_text()
    assert drawn.startswith('<svg xmlns="http')
    assert "<svg class=" in (tmp_path / "o" / "index.html").read_text()


def test_the_command_refuses_what_does_not_sample(model_file, picture_file, tmp_path):
    asked = ["explain", str(picture_file), "--model", str(model_file), "--out", str(tmp_path / "o")]

    answer = CliRunner().invoke(app, [*asked, "--method", "saliency", "--until-stable", "0.9"])

    assert isinstance(answer.exception, SettingError)
    assert not (tmp_path / "o").exists()
