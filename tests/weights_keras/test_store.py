"""Models are saved whole, checked before they are loaded, and never run code of their own."""

import errno
import sys
import warnings
import zipfile
from importlib import import_module

import keras
import numpy as np
import pytest

import weights_keras
from tests.conftest import assert_told
from weights_keras import Measure, ModelCard, ModelFileError, load, load_file, read_card, save

CARD = ModelCard(
    name="tiny",
    task="lung_opacity",
    classes=("normal", "opacity"),
    backbone="cnn",
    image_size=(8, 12),
    preprocessing="none: 'as it is'",
    license="MIT",
    datasets=("Kermany et al. 2018: CC BY 4.0", "Ünïcödé # set"),
    metrics=(
        Measure(name="accuracy", split="test", value=0.9375, low=0.9012, high=0.9611, count=240),
        Measure(name="auc", split="test", value=1.0, low=1.0, high=1.0, count=240),
    ),
    command='xai-tf train "my folder" --name tiny',
    sha256="00" * 32,
    size=12_345,
    text="# Tiny\n\nWhat it is: a test.\n\n---\n\nAnd a line below a rule.",
)


def tiny_model(*layers):
    """A model of a few weights; with other layers before the last."""
    return keras.Sequential(
        [
            keras.Input((8, 12, 3)),
            *layers,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1),
        ]
    )


def marking_lambda(marker):
    """A layer that touches a file whenever it runs."""

    def touch(x, path=str(marker)):
        open(path, "w").close()  # noqa: PTH123 (a stored Lambda only has the built-ins)
        return x

    layer = keras.layers.Lambda(touch)
    layer(np.zeros((1, 8, 12, 3), np.float32))
    assert marker.exists()
    marker.unlink()
    return layer


@pytest.fixture
def saved(tmp_path):
    """A folder with a model and its card."""
    save(tiny_model(), CARD, tmp_path)
    return tmp_path


def test_float16_keeps_what_does_not_tolerate_it_as_it_was(tmp_path):
    model = tiny_model(
        keras.layers.Conv2D(64, 1),
        keras.layers.DepthwiseConv2D(3),
        keras.layers.BatchNormalization(),
        keras.layers.Conv2D(128, 1),
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 2, weights.shape) for weights in model.get_weights()])

    save(model, CARD, tmp_path, half=True)

    loaded = load_file(tmp_path / "tiny.keras").get_weights()
    rounded = [
        weights.shape
        for weights, stored in zip(model.get_weights(), loaded, strict=True)
        if not np.array_equal(weights, stored)
    ]
    assert rounded == [(1, 1, 64, 128)]


def test_a_card_reads_back_as_it_was_written(tmp_path):
    (tmp_path / "tiny.md").write_text(CARD.to_markdown(), "utf-8")

    assert read_card(tmp_path / "tiny.md") == CARD


def test_a_card_with_little_on_it_reads_back(tmp_path):
    card = ModelCard(name="tiny", task="dog_breeds", classes=("a", "b"), backbone="cnn")
    (tmp_path / "tiny.md").write_text(card.to_markdown(), "utf-8")

    assert read_card(tmp_path / "tiny.md") == card


def test_class_names_that_look_like_other_things_stay_words(tmp_path):
    card = ModelCard(
        name="tiny",
        task="dog_breeds",
        classes=("yes", "no", "1e3", "2024-01-01", "null"),
        backbone="cnn",
    )
    (tmp_path / "tiny.md").write_text(card.to_markdown(), "utf-8")

    assert read_card(tmp_path / "tiny.md").classes == card.classes


def test_a_card_follows_the_convention_of_the_hub():
    lines = CARD.to_markdown().splitlines()

    assert lines[0] == "---"
    assert "library_name: keras" in lines
    assert "license: MIT" in lines


@pytest.mark.parametrize(
    "text",
    ["", "# No front matter\n", "---\nname: tiny\n---\n", "---\nname: [\n---\n", "---\n---\n"],
)
def test_a_card_without_the_needful_is_refused(tmp_path, text):
    (tmp_path / "tiny.md").write_text(text)

    with pytest.raises(ValueError):  # noqa: PT011 (the reader's own words differ by the cause)
        read_card(tmp_path / "tiny.md")


def test_a_card_with_unknown_fields_is_read(tmp_path):
    text = CARD.to_markdown().replace("license: MIT", "license: MIT\ntags: [a, b]")
    (tmp_path / "tiny.md").write_text(text, "utf-8")

    assert read_card(tmp_path / "tiny.md") == CARD


def test_a_saved_model_is_loaded_with_its_card(tmp_path):
    model = tiny_model()
    card = save(model, CARD, tmp_path)

    loaded, read = load("tiny", tmp_path)

    image = np.random.default_rng(0).random((1, 8, 12, 3), np.float32)
    assert np.array_equal(loaded(image), model(image))
    assert read == card
    assert card.sha256 != CARD.sha256
    assert card.size == (tmp_path / "tiny.keras").stat().st_size


def test_saving_leaves_two_files_and_nothing_else(saved):
    assert sorted(path.name for path in saved.iterdir()) == ["tiny.keras", "tiny.md"]


def test_saving_makes_the_folder(tmp_path):
    save(tiny_model(), CARD, tmp_path / "deep" / "er")

    assert (tmp_path / "deep" / "er" / "tiny.keras").is_file()


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    model = tiny_model()
    monkeypatch.setattr(model, "save", _fill_the_disk)

    with pytest.raises(OSError, match="No space left"):
        save(model, CARD, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_older_model_as_it_was(saved, monkeypatch):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    model = tiny_model()
    monkeypatch.setattr(model, "save", _fill_the_disk)

    with pytest.raises(OSError, match="No space left"):
        save(model, CARD, saved)

    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert load("tiny", saved)[1].name == "tiny"


def _fill_the_disk(path):
    path.write_bytes(bytes(100))
    raise OSError(errno.ENOSPC, "No space left on device")


def test_names_are_those_with_a_card(saved):
    (saved / "README.md").write_text("# Not a card\n")
    (saved / "away.md").write_text(CARD.to_markdown(), "utf-8")

    assert weights_keras.names(saved) == ["away", "tiny"]


def test_a_changed_model_is_refused(saved):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(saved / "tiny.keras")

    with pytest.raises(ModelFileError) as caught:
        load("tiny", saved)

    assert str(saved / "tiny.keras") in str(caught.value)
    assert "SHA-256 differs" in str(caught.value)
    assert CARD.command in str(caught.value)


def test_missing_weights_are_named_with_the_command_that_trains_them(saved):
    (saved / "tiny.keras").unlink()

    with pytest.raises(ModelFileError) as caught:
        load("tiny", saved)

    assert "'tiny'" in str(caught.value)
    assert CARD.command in str(caught.value)


def test_a_model_nobody_knows_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="nobody"):
        load("nobody", tmp_path)


@pytest.mark.parametrize("suffix", ["keras", "h5", "hdf5"])
def test_every_format_of_a_whole_model_loads(tmp_path, suffix):
    model = tiny_model()
    model.save(tmp_path / f"a.{suffix}")

    loaded = load_file(tmp_path / f"a.{suffix}")

    image = np.random.default_rng(0).random((1, 8, 12, 3), np.float32)
    assert np.array_equal(loaded(image), model(image))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("depth", ["on top", "nested"])
def test_a_lambda_is_refused_and_does_not_run(tmp_path, suffix, depth):
    marker = tmp_path / "it ran"
    layer = marking_lambda(marker)
    inside = layer if depth == "on top" else keras.Sequential([keras.Input((8, 12, 3)), layer])
    path = tmp_path / f"a.{suffix}"
    tiny_model(inside).save(path)
    marker.unlink(missing_ok=True)

    with pytest.raises(ModelFileError) as caught:
        load_file(path)

    assert str(path) in str(caught.value)
    assert f"a Lambda layer {layer.name!r}" in str(caught.value)
    assert "Rebuild that layer" in str(caught.value)
    assert "safe_mode=False" in str(caught.value)
    assert not marker.exists()


@pytest.fixture
def odd_layer(tmp_path, monkeypatch):
    """A layer class of another module, which touches `it ran` when it is imported."""
    marker = tmp_path / "it ran"
    (tmp_path / "others_layers.py").write_text(
        "import keras\n"
        f"open({str(marker)!r}, 'w').close()\n"
        "class Odd(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return x\n"
        "def odd(x):\n"
        "    return x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module("others_layers")
    sys.modules.pop("others_layers", None)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("what", ["Odd", "odd"])
def test_code_of_another_module_is_refused_by_name_and_not_imported(
    tmp_path, odd_layer, suffix, what
):
    layer = odd_layer.Odd() if what == "Odd" else keras.layers.Activation(odd_layer.odd)
    path = tmp_path / f"a.{suffix}"
    tiny_model(layer).save(path)
    del sys.modules["others_layers"]
    (tmp_path / "it ran").unlink()

    with pytest.raises(ModelFileError) as caught:
        load_file(path)

    assert str(path) in str(caught.value)
    assert what in str(caught.value).replace(str(path), "")
    assert not (tmp_path / "it ran").exists()


def test_a_custom_loss_does_not_keep_a_model_from_being_looked_at(tmp_path, odd_layer):
    model = tiny_model()
    model.compile(loss=odd_layer.odd)
    model.save(tmp_path / "a.keras")
    del sys.modules["others_layers"]
    (tmp_path / "it ran").unlink()

    loaded = load_file(tmp_path / "a.keras")

    assert loaded.input_shape == (None, 8, 12, 3)
    assert not (tmp_path / "it ran").exists()


def test_a_lambda_as_loss_is_left_unread(tmp_path):
    model = tiny_model()
    model.compile(loss=lambda truth, said: truth - said)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras says that a lambda is unsafe: our point
        model.save(tmp_path / "a.keras")

    loaded = load_file(tmp_path / "a.keras")

    assert loaded.input_shape == (None, 8, 12, 3)
    assert not hasattr(loaded, "loss") or loaded.loss is None


def _cut_off(path):
    whole = path.with_name(f"whole{path.suffix}")
    tiny_model().save(whole)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def _weights_only(path):
    whole = path.with_name("whole.weights.h5")
    tiny_model().save_weights(whole)
    path.write_bytes(whole.read_bytes())


def _other_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "Dear all,")


def _broken_config(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": ')


def _no_weights(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Sequential", "module": "keras"}')
        archive.writestr("metadata.json", "{}")


def _text(path):
    path.write_text("Dear all,\n" * 99)


BAD = {
    "missing": ("a.keras", lambda path: None, "no model file", "Check the name"),
    "folder": ("a.keras", lambda path: path.mkdir(), "without a Keras model", "Give a .keras"),
    "empty": ("a.keras", lambda path: path.touch(), "empty (0 bytes)", "Copy it again"),
    "other name": ("a.dat", _text, "not a Keras model file", "Give a .keras or .h5 file"),
    "text": ("a.keras", _text, "damaged, truncated, or not a Keras model", "Copy it again"),
    "text h5": ("a.h5", _text, "damaged, truncated, or not a Keras model", "Copy it again"),
    "cut off": ("a.keras", _cut_off, "damaged, truncated", "Copy it again"),
    "cut off h5": ("a.h5", _cut_off, "damaged, truncated", "Copy it again"),
    "other zip": ("a.keras", _other_zip, "not a Keras model", "Copy it again"),
    "broken config": ("a.keras", _broken_config, "damaged", "Copy it again"),
    "no weights": ("a.keras", _no_weights, "cannot load", "Save it again"),
    "weights only": ("a.h5", _weights_only, "contains weights without the model", "load_weights"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named_with_its_cause_and_the_next_step(tmp_path, case):
    name, make, cause, next_step = BAD[case]
    path = tmp_path / name
    make(path)

    with pytest.raises(ModelFileError) as caught:
        load_file(path)

    assert_told(caught.value, path, cause, next_step)


def test_a_named_model_with_a_broken_card_is_refused(tmp_path):
    (tmp_path / "mine.md").write_text("---\nname: [\n---\n")

    with pytest.raises(ModelFileError, match="as a model card"):
        weights_keras.load("mine", tmp_path)
