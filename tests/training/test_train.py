"""Training on a folder, from pictures to a model with a card that loads again."""

import tempfile

import keras
import numpy as np
import pytest

import weights_keras
from tests.conftest import SHARED, draw_labels, sample_of
from xai_tf.classifiers.backbones import build_model
from xai_tf.classifiers.loading import load
from xai_tf.datasets.listing import DataOptions
from xai_tf.datasets.reading import read_splits
from xai_tf.errors import InputError, ModelError, OutputError
from xai_tf.evaluation.unwarned import UNWARNED
from xai_tf.inputs import augmentation
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.tasks import TASKS
from xai_tf.training.estimate import estimate_seconds
from xai_tf.training.publish import RESULTS, publish, training_story
from xai_tf.training.run import TrainingSettings, train_on_files
from xai_tf.training.train import Recipe, predict_files, train

SMALL = {"backbone": "cnn", "weights": None, "epochs": 20, "head_epochs": 2, "rate": 3e-3}


@pytest.fixture(scope="module")
def splits(stripes):
    return read_splits(stripes, TASKS["lung_opacity"], (32, 32))


@pytest.fixture(scope="module")
def trained(splits):
    recipe = Recipe(**SMALL, unfreeze=-1, copies=0, smoothing=0.0)
    return train(splits, recipe, augmentation.radiograph), recipe


def test_a_network_learns_what_tells_the_classes_apart(trained, splits):
    model, _ = trained[0].model, trained[1]

    chances = predict_files(model, splits.test)

    assert (chances.argmax(1) == splits.test.file_labels).mean() >= 0.75
    losses = [loss for phase, loss, *_ in trained[0].history if phase == "fine-tuning"]
    assert losses[-1] < losses[0]


def test_the_model_is_published_with_a_card_and_loads_by_its_name(
    trained, splits, stripes, tmp_path, monkeypatch
):
    card = publish(
        trained[0].model,
        splits,
        TASKS["lung_opacity"],
        name="tiny",
        backbone="cnn",
        folder=tmp_path / "models",
        story=training_story(trained[0], splits),
        further={"again": splits.train},
        command="xai-tf train stripes --name tiny",
    )

    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path))
    classifier = load("tiny")
    assert classifier.classes == ("normal", "opacity")
    assert classifier.preprocessing == "unit"
    assert {m.split for m in card.metrics} == {"validation", "test", "again"}
    assert {m.split for m in card.metrics if m.name == UNWARNED} == {"test", "again"}
    assert weights_keras.read_card(tmp_path / "models" / "tiny.md") == card
    parameters = trained[0].model.count_params()
    assert card.size < 4 * parameters + 100_000  # no optimizer beside the weights
    sample = classifier.read(stripes / "opacity" / "00.png")
    expected = trained[0].model(sample.image[None])[0]
    np.testing.assert_allclose(classifier.predict([sample])[0].logits, expected, atol=1e-5)


def test_a_model_that_cannot_be_written_is_kept_elsewhere(trained, splits, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "full").touch()  # not a folder, so nothing can be written there

    with pytest.raises(OutputError) as caught:
        publish(
            trained[0].model,
            splits,
            TASKS["lung_opacity"],
            name="tiny",
            backbone="cnn",
            folder=tmp_path / "full",
            story="Trained.",
        )

    (kept,) = tmp_path.glob("xai-tf-tiny-*/tiny.keras")
    assert f"Cannot write the model to {tmp_path / 'full'}" in str(caught.value)
    assert f"It was written to {kept} instead" in str(caught.value)
    assert load(kept).classes == ("normal", "opacity")


def test_the_words_of_a_card_outlive_a_new_training(trained, splits, tmp_path):
    again = {"name": "tiny", "folder": tmp_path, "backbone": "cnn", "story": "Trained."}
    publish(trained[0].model, splits, TASKS["lung_opacity"], **again)
    path = tmp_path / "tiny.md"
    path.write_text(path.read_text().replace("Not described yet.", "Mind the noise."))

    publish(trained[0].model, splits, TASKS["lung_opacity"], **again)

    assert "Mind the noise." in path.read_text()
    assert path.read_text().count(RESULTS) == 1


def test_the_same_seed_trains_the_same_network(splits):
    recipe = Recipe(**SMALL | {"epochs": 1, "head_epochs": 1}, unfreeze=2, copies=2, seed=3)

    first, second = (train(splits, recipe, augmentation.radiograph).model for _ in range(2))

    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_only_the_unfrozen_layers_move(splits):
    keras.utils.set_random_seed(0)
    start = build_model("cnn", 1, (32, 32), None)
    recipe = Recipe(**SMALL | {"epochs": 3, "head_epochs": 1}, unfreeze=2, copies=1)

    model = train(splits, recipe, augmentation.radiograph).model

    moved = {
        layer.name
        for layer in model.layers
        if any(
            not np.allclose(a, b)
            for a, b in zip(
                layer.get_weights(), start.get_layer(layer.name).get_weights(), strict=True
            )
        )
    }
    assert moved == {"conv4", "logits"}


def test_weights_that_are_not_there_are_named(splits):
    with pytest.raises(ModelError, match=r"no weights file nowhere\.h5"):
        train(splits, Recipe(weights="nowhere.h5"), augmentation.radiograph)


def test_weights_of_another_network_are_refused(splits, tmp_path):
    path = tmp_path / "cnn.weights.h5"
    build_model("cnn", 1, (32, 32), None).save_weights(path)

    with pytest.raises(ModelError, match=r"Cannot build .* with the weights"):
        build_model("mobilenet_v2", 1, (32, 32), path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the ImageNet weights are not at hand")
def test_a_backbone_takes_imagenet_weights_from_a_file():
    path = next((SHARED / "weights").glob("mobilenet*"))

    model = build_model("mobilenet_v2", 1, (96, 96), path)

    kernel = model.get_layer("Conv1").get_weights()[0]
    random = build_model("mobilenet_v2", 1, (96, 96), None).get_layer("Conv1").get_weights()[0]
    assert np.abs(kernel).max() > 3 * np.abs(random).max()


@pytest.mark.parametrize("name", ["photo", "radiograph", "brain_slice"])
def test_augmented_pictures_are_other_pictures_of_the_same_kind(name, blobs):
    rng = np.random.default_rng(0)

    first, second = (getattr(augmentation, name)(blobs, rng) for _ in range(2))

    assert first.shape == blobs.image.shape
    assert not np.allclose(first, second)
    assert 0 <= min(first.min(), second.min()) <= max(first.max(), second.max()) <= 1
    assert abs(first.mean() - blobs.image.mean()) < 0.2


def test_augmented_speech_is_the_same_speech_a_little_changed():
    from tests.conftest import SAMPLES

    sample = TASKS["deepfake_audio"].read(SAMPLES / "speech_human.wav")
    change = augmentation.speech(MelRecipe())

    images = [change(sample, np.random.default_rng(seed)) for seed in range(8)]

    correlations = [np.corrcoef(i.ravel(), sample.image.ravel())[0, 1] for i in images]
    assert max(correlations) < 0.99
    assert np.median(correlations) > 0.6


def test_a_spectrogram_picture_without_sound_is_only_blanked(blobs):
    image = augmentation.speech(MelRecipe())(sample_of(blobs.image), np.random.default_rng(1))

    changed = (image != blobs.image).any(axis=-1)
    assert 0 < changed.mean() < 0.5


def test_a_model_of_several_labels_is_trained_from_a_table(tmp_path):
    again = draw_labels(tmp_path / "again", 12)
    again.write_text(again.read_text().replace("file,red,striped", "file,striped,red"))
    settings = TrainingSettings(
        source=draw_labels(tmp_path / "data", 32),
        task="medical_image",
        name="several",
        recipe=Recipe(**SMALL | {"epochs": 25}, unfreeze=-1, copies=0, smoothing=0.0),
        image_size=32,
        data=DataOptions(allow_leak=("all",)),  # the pictures differ by noise alone
        out=tmp_path,
        further={"swapped": again},  # with the columns named the wrong way round
    )
    notes = []

    card = train_on_files(settings, notify=notes.append)

    assert card.classes == ("red", "striped")
    assert any("labels: red, striped" in note for note in notes)
    measures = {(m.split, m.name): m.value for m in card.metrics}
    assert measures["test", "mean auc"] > 0.9
    assert measures["swapped", "exact match"] < 0.7
    assert "Labels on `test`" in card.text
    classifier = load(tmp_path / "several.keras")
    assert classifier.head.multi_label
    assert classifier.thresholds == (0.5, 0.5)
    answers = classifier.predict([tmp_path / "data" / f"{number:02d}.png" for number in range(4)])
    right = [set(answer.findings) == true for answer, true in zip(answers, TRUE, strict=True)]
    assert sum(right) >= 3


TRUE = [set(), {0}, {1}, {0, 1}]  # of the first four files of `draw_labels`


def test_folders_of_one_class_are_no_further_test_of_several_labels(tmp_path, stripes):
    settings = TrainingSettings(
        source=draw_labels(tmp_path / "data", 24),
        task="medical_image",
        name="several",
        image_size=32,
        data=DataOptions(allow_leak=("all",)),  # the pictures differ by noise alone
        out=tmp_path,
        further={"again": stripes},
    )

    with pytest.raises(InputError, match="Give a CSV file that lists the labels"):
        train_on_files(settings)


def test_the_estimate_is_in_seconds_and_misses_weights_that_do_not_fit(splits, tmp_path):
    augment = TASKS["lung_opacity"].augment
    whole = Recipe(**SMALL, unfreeze=-1, copies=0)
    frozen = Recipe(**SMALL, unfreeze=1, copies=2)

    seconds = [estimate_seconds(splits, recipe, augment) for recipe in (whole, frozen)]

    assert all(0 < value < 10_000 for value in seconds)
    (tmp_path / "wrong.h5").write_bytes(b"no weights")
    wrong = Recipe(backbone="vgg16", weights=tmp_path / "wrong.h5")
    with pytest.raises(ModelError, match=r"wrong\.h5"):
        estimate_seconds(splits, wrong, augment)
