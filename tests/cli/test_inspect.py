"""`xai-tf inspect`: what is known of a model, and how its preprocessing is settled."""

import shutil

import keras
import pytest

from tests.conftest import SAMPLES, SHARED, result_of
from weights_keras import FOLDER, read_card

BRAINS = SHARED / "brain_mri" / "test"
needs_data = pytest.mark.skipif(not BRAINS.is_dir(), reason="the shared data is not here")


@pytest.fixture
def foreign(tmp_path):
    """A trained model of somebody else: a bundled one without its card."""
    return shutil.copy(FOLDER / "brain_cnn.keras", tmp_path / "foreign.keras")


@needs_data
def test_labeled_files_settle_the_preprocessing_and_a_card_remembers_it(run, foreign):
    code, out, err = run("inspect", foreign, "--try-preprocessing", BRAINS, "--save", "--json")

    assert code == 0
    found = result_of(out)
    accuracy = {c["preprocessing"]: c["accuracy"]["value"] for c in found["candidates"]}
    assert found["winner"] == "unit"
    assert accuracy["unit"] == max(accuracy.values()) > 0.6
    assert "alphabetical order" in err
    card = read_card(foreign.with_suffix(".md"))
    assert (card.scaling, card.classes) == (
        "unit",
        ("glioma", "meningioma", "notumor", "pituitary"),
    )

    code, out, err = run(
        "predict", SAMPLES / "brain_head_notumor.png", "--model", foreign, "--json"
    )

    assert result_of(out)[0]["prediction"]["class"] == "notumor"
    assert "guess" not in err


def test_files_without_labels_show_the_answer_under_each_candidate(run, foreign):
    picture = SAMPLES / "brain_head_notumor.png"

    code, out, err = run("inspect", foreign, "--try-preprocessing", picture)

    assert code == 0
    for name in ("unit", "raw", "tf", "torch", "caffe", "bgr", "bgr_raw", "standardized"):
        assert f" {name} " in out
    assert "have no labels" in err


def test_nothing_is_saved_where_nothing_was_settled(run, foreign):
    picture = SAMPLES / "brain_head_notumor.png"

    code, _, err = run("inspect", foreign, "--try-preprocessing", picture, "--save")

    assert code == 2
    assert "have no labels" in err
    assert not foreign.with_suffix(".md").exists()


def test_a_preprocessing_that_is_given_can_be_saved_at_once(run, foreign):
    given = ("--preprocessing", "tf", "--returns", "logits", "--classes", "a,b,c,d")

    code, _, err = run("inspect", foreign, *given, "--save")

    assert code == 0
    assert "Wrote" in err
    card = read_card(foreign.with_suffix(".md"))
    assert (card.scaling, card.classes) == ("tf", ("a", "b", "c", "d"))
    assert card.returns == "logits"


def test_logits_that_may_be_of_several_labels_are_told_until_a_card_settles_it(run, foreign):
    model = ("--model", foreign, "--preprocessing", "tf")
    _, before, told = run("predict", SAMPLES / "cat.jpg", *model, "--json")
    refused, _, why = run("inspect", foreign, "--preprocessing", "tf", "--save")
    saved, _, _ = run(
        "inspect", foreign, "--preprocessing", "tf", "--returns", "label_logits", "--save"
    )
    _, after, silent = run("predict", SAMPLES / "cat.jpg", "--model", foreign, "--json")

    assert "just one of the 4 classes" in told
    assert "--returns logits (one class) or label_logits (several labels)" in told
    assert (refused, saved) == (2, 0)
    assert "Give --returns logits" in why
    assert "guess" not in silent
    assert "findings" not in result_of(before)[0]["prediction"]
    assert "findings" in result_of(after)[0]["prediction"]


def test_a_guess_is_not_saved_as_if_it_were_known(run, foreign):
    code, _, err = run("inspect", foreign, "--save")

    assert code == 2
    assert "is a guess" in err
    assert not foreign.with_suffix(".md").exists()


def test_the_card_of_another_model_is_not_overwritten(run, foreign):
    card = shutil.copy(FOLDER / "brain_mobilenetv2.md", foreign.with_suffix(".md"))
    before = card.read_bytes()

    code, _, err = run("inspect", foreign, "--preprocessing", "tf", "--save")

    assert code == 2
    assert "describes another file" in err
    assert card.read_bytes() == before


def test_notes_beside_a_model_are_not_overwritten(run, foreign):
    foreign.with_suffix(".md").write_text("My notes.\n")
    given = ("--preprocessing", "tf", "--returns", "logits")

    code, _, err = run("inspect", foreign, *given, "--save")

    assert code == 2
    assert "not a model card" in err
    assert foreign.with_suffix(".md").read_text() == "My notes.\n"


def test_a_card_of_another_file_is_reported_and_not_used(run, foreign):
    shutil.copy(FOLDER / "brain_mobilenetv2.md", foreign.with_suffix(".md"))

    code, out, err = run("predict", SAMPLES / "cat.jpg", "--model", foreign, "--json")

    assert code == 0
    assert "describes another file" in err
    assert result_of(out)[0]["prediction"]["class"].startswith("class ")


def test_a_bundled_model_is_left_as_it_is(run):
    before = (FOLDER / "brain_cnn.md").read_bytes()

    code, _, err = run("inspect", "brain_cnn", "--preprocessing", "tf", "--save")

    assert code == 2
    assert "comes with the package" in err
    assert (FOLDER / "brain_cnn.md").read_bytes() == before


@pytest.fixture
def mixed(tmp_path):
    """A picture of any size and an age to two outputs without activations, in a file."""
    keras.utils.set_random_seed(0)
    picture, age = keras.Input((None, None, 3), name="scan"), keras.Input((1,), name="age")
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(picture))
    joined = keras.layers.Concatenate()([pooled, age])
    outputs = [keras.layers.Dense(n, name=name)(joined) for name, n in (("kind", 3), ("stage", 2))]
    path = tmp_path / "mixed.keras"
    keras.Model([picture, age], outputs).save(path)
    return path


def test_a_card_remembers_the_output_the_held_inputs_the_size_and_what_is_returned(run, mixed):
    picture = SAMPLES / "brain_head_notumor.png"
    chosen = ("--output", "kind", "--input", "age=0.1", "--size", "40x48")
    chosen += ("--preprocessing", "tf", "--returns", "label_logits", "--classes", "a,b,c")

    code, _, err = run("inspect", mixed, *chosen, "--save")

    assert code == 0, err
    card = read_card(mixed.with_suffix(".md"))
    assert (card.output, card.inputs) == ("kind", {"age": 0.1})  # not float32's 0.10000000149
    assert (card.returns, card.image_size) == ("label_logits", (40, 48))
    bare = run("predict", picture, "--model", mixed, "--json")
    full = run("predict", picture, "--model", mixed, *chosen, "--json")
    assert bare[0] == full[0] == 0
    assert result_of(bare[1])[0]["prediction"] == result_of(full[1])[0]["prediction"]
    assert "guess" not in bare[2]


def test_what_a_card_remembers_gives_way_to_what_is_given(run, mixed):
    picture = SAMPLES / "brain_head_notumor.png"
    settled = ("--preprocessing", "tf", "--size", "40", "--input", "age=1", "--returns", "logits")
    run("inspect", mixed, *settled, "--output", "kind", "--classes", "a,b,c", "--save")

    older = run("predict", picture, "--model", mixed, "--input", "age=9", "--json")
    other = run("predict", picture, "--model", mixed, "--output", "stage", "--json")

    assert "age = 9" in older[2]
    assert list(result_of(older[1])[0]["prediction"]["probabilities"]) == ["a", "b", "c"]
    # The names of the classes are those of the other output.
    assert list(result_of(other[1])[0]["prediction"]["probabilities"]) == ["class 0", "class 1"]
    assert "age = 1" in other[2]


def test_a_size_that_is_a_guess_is_not_saved_as_if_it_were_known(run, mixed):
    words = ("--preprocessing", "tf", "--output", "kind", "--input", "age=1")

    code, _, err = run("inspect", mixed, *words, "--save")

    assert code == 2
    assert "Give --size" in err
    assert not mixed.with_suffix(".md").exists()
