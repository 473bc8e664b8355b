"""The command as it is typed: what it says, what it writes, and what it refuses."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from html import unescape
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit

import keras
import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.conftest import result_of
from tests.waiting import PATIENCE
from xai_tf import METHODS, TASKS
from xai_tf.classifiers.backbones import build_model

SAMPLES = Path(str(files("xai_tf.samples")))
CAT, DOG = SAMPLES / "cat.jpg", SAMPLES / "dog.jpg"
COMMAND = [sys.executable, "-c", "from xai_tf.cli import main; main()"]


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """A small model of spectrograms with one logit."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("models") / "ears.keras"
    build_model("cnn", 1, (64, 64), weights=None).save(path)
    return path


@pytest.fixture
def bad_picture(tmp_path):
    path = tmp_path / "letter.png"
    path.write_text("Dear all,\n" * 99)
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# What needs no model


@pytest.mark.parametrize("words", [["--help"], ["methods", "--json"], ["tasks"]])
def test_help_and_tables_load_nothing_that_takes_long(words):
    slow = {
        "tensorflow",
        "keras",
        "librosa",
        "matplotlib",
        "scipy.ndimage",
        "scipy.stats",
        "skimage",
    }
    code = (
        "import sys\n"
        "from xai_tf.cli import main\n"
        "try: main()\n"
        f"finally: print(sorted({slow} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)

    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["predict", "explain", "train", "models", "demo", "inspect"])
def test_every_command_explains_itself(run, command):
    code, out, _ = run(command, "--help")

    assert code == 0
    assert command in out


def test_the_methods_are_listed_with_their_settings(run):
    code, out, _ = run("methods", "--json")

    found = {entry["name"]: entry for entry in result_of(out)}
    assert code == 0
    assert list(found) == list(METHODS)
    assert found["rise"]["settings"]["num_samples"]["high"] == 16384
    assert found["rise"]["passes"]["forward"] == 1024


def test_the_tasks_are_listed(run):
    _, as_table, _ = run("tasks")
    _, as_json, _ = run("tasks", "--json")

    assert [entry["name"] for entry in result_of(as_json)] == list(TASKS)
    assert all(name in as_table for name in TASKS)


def test_the_models_are_listed_as_json(run):
    code, out, _ = run("models", "--json")

    assert code == 0
    assert isinstance(result_of(out), list)


# Predictions


def test_a_picture_is_predicted(run, asking):
    code, out, err = run("predict", CAT, *asking, "--json")

    (answer,) = result_of(out)
    chances = answer["prediction"]["probabilities"]
    assert code == 0
    assert err == ""
    assert answer["file"] == str(CAT)
    assert answer["sha256"] == sha256(CAT)
    assert list(chances) == ["cat", "dog", "bird"]
    assert abs(sum(chances.values()) - 1) < 1e-9
    assert answer["prediction"]["class"] == max(chances, key=chances.get)


def test_a_prediction_is_a_table_for_people(run, asking):
    code, out, _ = run("predict", CAT, DOG, *asking)

    assert code == 0
    assert "cat.jpg" in out
    assert "dog.jpg" in out
    assert "%" in out


def test_a_folder_is_predicted_file_by_file(run, asking, tmp_path):
    for name in ("b.png", "a.jpg", "deep/c.bmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.open(CAT).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("Dear all,")

    code, out, _ = run("predict", tmp_path, *asking, "--json")

    assert code == 0
    assert [entry["file"] for entry in result_of(out)] == [
        str(tmp_path / name) for name in ("a.jpg", "b.png", "deep/c.bmp")
    ]


def test_a_long_recording_is_predicted_window_by_window(run, listener):
    recording = SAMPLES / "speech_synthetic_long.flac"

    _, out, _ = run("predict", recording, "--model", listener, "--task", "deepfake_audio", "--json")

    (answer,) = result_of(out)
    logits = [window["logits"][0] for window in answer["windows"]]
    assert list(answer["prediction"]["probabilities"]) == ["human", "synthetic"]
    assert len(logits) > 3
    assert answer["windows"][0]["seconds_span"] == [0, 2]
    assert answer["prediction"]["logits"][0] == pytest.approx(np.mean(logits), abs=1e-6)


@pytest.mark.parametrize("command", ["predict", "explain"])
@pytest.mark.parametrize("given", ["files", "folder"])
def test_one_bad_file_among_good_ones_is_told_and_the_rest_is_done(
    run, asking, bad_picture, tmp_path, command, given
):
    folder = bad_picture.parent
    Image.open(CAT).save(folder / "a.png")
    Image.open(DOG).save(folder / "z.png")
    inputs = [folder] if given == "folder" else sorted(folder.glob("*.png"))
    further = ["--method", "saliency", "--out", tmp_path / "out"] if command == "explain" else []

    code, out, err = run(command, *inputs, *asking, *further, "--json")

    done = [Path(entry["file"]).name for entry in result_of(out)]
    complaints = [line for line in err.splitlines() if line.startswith("xai-tf:")]
    assert code == 2
    assert done == ["a.png", "z.png"]
    assert len(complaints) == 1
    assert str(bad_picture) in complaints[0]


# Explanations


@pytest.fixture(scope="module")
def explained(pets, tmp_path_factory):
    """One full run as a process of its own: (the process, the folder of results)."""
    out = tmp_path_factory.mktemp("results") / "out"
    words = [
        "explain",
        CAT,
        "--model",
        pets,
        "--classes",
        "cat,dog,bird",
        "--target",
        "dog",
        "--contrast",
        "bird",
        "--method",
        "saliency",
        "--method",
        "rise",
        "--set",
        "rise.num_samples=64",
        "--seed",
        "7",
        "--out",
        out,
        "--json",
    ]
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done, out


@pytest.fixture(scope="module")
def manifest(explained):
    return json.loads((explained[1] / "cat" / "manifest.json").read_text())


def test_a_run_succeeds_and_prints_its_manifest_alone(explained, manifest):
    done, out = explained

    (printed,) = result_of(done.stdout)
    assert done.returncode == 0
    assert printed["folder"] == str(out / "cat")
    assert printed["file"] == printed["input"]["file"] == str(CAT)
    assert all(Path(name).is_file() for one in printed["explanations"] for name in one["pictures"])
    for mine, kept in zip(printed["explanations"], manifest["explanations"], strict=True):
        assert mine == {key: kept[key] for key in mine} | {"pictures": mine["pictures"]}


def test_a_bundle_holds_pictures_arrays_and_a_manifest(explained):
    _, out = explained

    assert sorted(path.name for path in out.iterdir()) == ["cat", "index.html"]
    assert {path.name for path in (out / "cat").iterdir()} == {
        "attributions.npz",
        "comparison.png",
        "conflict.png",
        "consensus.png",
        "input.png",
        "manifest.json",
        "rise.png",
        "rise_overlay.png",
        "rise_stability.svg",
        "saliency.png",
        "saliency_overlay.png",
    }


def test_every_picture_of_a_bundle_can_be_looked_at(explained):
    for path in (explained[1] / "cat").glob("*.png"):
        pixels = np.asarray(Image.open(path))
        assert pixels.ndim == 3, path.name
        assert min(pixels.shape[:2]) >= 64, path.name
        assert np.ptp(pixels[..., :3]) > 50, path.name


def test_the_arrays_are_unscaled_and_float32(explained, manifest):
    with np.load(explained[1] / "cat" / "attributions.npz") as arrays:
        assert set(arrays) == {"saliency", "rise", "image"}
        assert all(array.dtype == np.float32 for array in arrays.values())
        assert arrays["image"].shape == (64, 64, 3)
        assert 0 <= arrays["image"].min() < arrays["image"].max() <= 1
        for entry in manifest["explanations"]:
            attribution = arrays[entry["array"]]
            assert attribution.shape == (64, 64)
            assert np.isfinite(attribution).all()
            assert np.abs(attribution).max() > 0


def test_the_manifest_tells_what_was_asked_of_what(manifest, pets):
    saliency, rise = manifest["explanations"]

    assert manifest["schema_version"] == 3
    assert manifest["input"]["file"] == "cat.jpg"
    assert manifest["input"]["sha256"] == sha256(CAT)
    assert manifest["model"]["name"] == "pets"
    assert manifest["model"]["sha256"] == sha256(pets)
    assert manifest["model"]["classes"] == ["cat", "dog", "bird"]
    assert manifest["model"]["image_size"] == [64, 64]
    assert (saliency["method"], rise["method"]) == ("saliency", "rise")
    assert all((e["target"], e["contrast"]) == ("dog", "bird") for e in (saliency, rise))
    assert rise["settings"]["num_samples"] == 64
    assert rise["settings"]["grid"] == METHODS["rise"].options["grid"].default
    assert (saliency["seed"], rise["seed"]) == (None, 7)
    assert rise["passes"] == {"forward": 64, "gradient": 0}
    assert saliency["passes"] == {"forward": 0, "gradient": 1}
    assert {"python", "tensorflow", "keras", "xplique", "xai-tf"} <= set(manifest["versions"])


def test_the_page_shows_the_pictures_of_the_bundle(explained):
    page = (explained[1] / "index.html").read_text()

    assert "cat/comparison.png" in page
    assert "cat.jpg" in page
    assert "http" not in page


def test_a_budget_chooses_a_method_and_limits_those_that_are_named(run, asking, tmp_path):
    def asked(*words: str) -> tuple[int, dict[str, dict[str, object]], str]:
        out = tmp_path / "-".join(words)
        code, _, err = run("explain", CAT, *asking, "--out", out, *words)
        path = out / "cat" / "manifest.json"
        entries = json.loads(path.read_text())["explanations"] if path.is_file() else ()
        return code, {one["method"]: one["settings"] for one in entries}, err

    code, chosen, err = asked("--budget", "24")
    named = asked("--budget", "24", "--method", "rise,saliency", "--set", "rise.grid=5")[1]
    in_seconds = asked("--budget", "5s", "--method", "square_grad")[1]
    too_few = asked("--budget", "24", "--method", "lime")
    unclear = asked("--budget", "soon")

    assert code == 0
    assert chosen["squared_ig"]["steps"] == 24
    assert "For a budget of 24: Squared IG" in err
    assert (named["rise"]["num_samples"], named["rise"]["grid"]) == (24, 5)
    assert 2 <= in_seconds["square_grad"]["num_samples"] <= 128
    assert too_few[0] == unclear[0] == 2
    assert "LIME needs more than 24 passes" in too_few[2]
    assert "such as 128, or seconds, such as 2s" in unclear[2]


def test_a_second_run_replaces_the_bundle_where_it_is_asked_to(run, asking, tmp_path):
    words = ["explain", CAT, *asking, "--out", tmp_path / "out", "--method"]
    run(*words, "saliency")
    assert run(*words, "gradient_input")[0] == 2

    code, _, _ = run(*words, "gradient_input", "--overwrite")

    found = {path.name for path in (tmp_path / "out" / "cat").iterdir()}
    assert code == 0
    assert "gradient_input.png" in found
    assert "saliency.png" not in found
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cat", "index.html"]


def test_a_folder_of_others_is_not_touched(run, asking, tmp_path):
    mine = tmp_path / "out" / "cat" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")

    code, _, err = run("explain", CAT, *asking, "--method", "saliency", "--out", tmp_path / "out")

    assert code == 2
    assert err.count("\n") == 1
    assert str(mine.parent) in err
    assert "Use another --out" in err
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["cat", "thesis.txt"]


def test_an_out_that_is_a_file_is_refused(run, asking, tmp_path):
    (tmp_path / "out").write_text("a file")

    code, _, err = run("explain", CAT, *asking, "--method", "saliency", "--out", tmp_path / "out")

    assert code == 2
    assert err.startswith("xai-tf:")
    assert err.count("\n") == 1
    assert (tmp_path / "out").read_text() == "a file"


def test_files_of_one_name_get_a_bundle_each(run, asking, tmp_path):
    for name in ("one/a.png", "two/a.png"):
        (tmp_path / name).parent.mkdir()
        Image.open(CAT).save(tmp_path / name)

    run(
        "explain",
        tmp_path / "one",
        tmp_path / "two",
        *asking,
        "--method",
        "saliency",
        "--out",
        tmp_path / "out",
    )

    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "a-2", "index.html"}


def test_the_predicted_class_is_explained_unless_told_otherwise(run, asking, tmp_path):
    _, out, _ = run(
        "explain", CAT, *asking, "--method", "saliency", "--out", tmp_path / "out", "--json"
    )

    (manifest,) = result_of(out)
    (entry,) = manifest["explanations"]
    assert entry["target"] == manifest["input"]["prediction"]["class"]
    assert entry["contrast"] is None


def test_a_recording_is_explained_in_its_decisive_windows(run, listener, tmp_path):
    out = tmp_path / "out"

    code, _, _ = run(
        "explain",
        SAMPLES / "speech_synthetic_long.flac",
        "--model",
        listener,
        "--task",
        "deepfake_audio",
        "--method",
        "saliency",
        "--windows",
        "2",
        "--out",
        out,
    )

    bundle = out / "speech_synthetic_long"
    manifest = json.loads((bundle / "manifest.json").read_text())
    windows = [entry["window"] for entry in manifest["explanations"]]
    assert code == 0
    assert len(windows) == 2
    assert windows == sorted(windows)
    assert (bundle / "timeline.png").is_file()
    for entry in manifest["explanations"]:
        sound, rate = soundfile.read(bundle / f"sound_window{entry['window']:02d}.wav")
        start, end = entry["seconds_span"]
        assert len(sound) / rate == 2
        assert end - start == pytest.approx(2)


def test_a_picture_of_a_spectrogram_is_explained_and_made_audible(run, listener, tmp_path):
    code, _, err = run(
        "explain",
        CAT,
        "--model",
        listener,
        "--task",
        "deepfake_audio",
        "--method",
        "saliency",
        "--out",
        tmp_path / "out",
    )

    sound, rate = soundfile.read(tmp_path / "out" / "cat" / "sound.wav")
    assert code == 0
    assert rate == 8000
    assert np.abs(sound).max() > 0.4
    assert "The sound was reconstructed from the picture" in err


def test_grad_cam_follows_the_layers_through_the_depth(run, asking, tmp_path):
    _, out, _ = run(
        "explain",
        CAT,
        *asking,
        "--method",
        "grad_cam",
        "--method",
        "saliency",
        "--layer",
        "all",
        "--out",
        tmp_path / "out",
        "--json",
    )

    entries = result_of(out)[0]["explanations"]
    with np.load(tmp_path / "out" / "cat" / "attributions.npz") as arrays:
        assert {entry["array"] for entry in entries} <= set(arrays)
    layers = [entry["layer"] for entry in entries if entry["method"] == "grad_cam"]
    assert len(layers) == len(set(layers)) == 3
    assert [entry["layer"] for entry in entries if entry["method"] == "saliency"] == [None]


def test_brackets_in_a_file_name_are_shown(run, asking, tmp_path):
    picture = tmp_path / "cat [copy].png"
    Image.open(CAT).save(picture)

    _, predicted, _ = run("predict", picture, *asking)
    code, explained, _ = run(
        "explain", picture, *asking, "--method", "saliency", "--out", tmp_path / "o"
    )

    assert code == 0
    assert picture.name in predicted
    assert picture.name in explained


@pytest.mark.parametrize("name", ["a b.png", "a#1.png", "what?.png", "50%25.png", "<b>&.png"])
def test_the_page_finds_its_pictures_whatever_the_file_is_called(run, asking, tmp_path, name):
    Image.open(CAT).save(tmp_path / name)

    run("explain", tmp_path / name, *asking, "--method", "saliency", "--out", tmp_path / "out")

    page = tmp_path / "out" / "index.html"
    shown = [unescape(source) for source in re.findall(r'src="([^"]*)"', page.read_text())]
    assert shown
    for source in shown:
        assert (page.parent / unquote(urlsplit(source).path)).is_file(), source


# What is refused


@pytest.fixture(scope="module")
def odd_models(pets, tmp_path_factory):
    """Models that cannot be explained, by name."""
    folder = tmp_path_factory.mktemp("odd")
    inputs = keras.Input((8, 8, 8, 3))
    keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs))).save(
        folder / "solid.keras"
    )
    keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Lambda(abs), keras.layers.Flatten()]
    ).save(folder / "lambda.keras")
    (folder / "cut.keras").write_bytes(pets.read_bytes()[:5000])
    return folder


REFUSED = {
    "text": (["{letter}"], "is not a picture"),
    "missing file": (["nowhere.png"], "no file nowhere.png"),
    "sound": (["{sound}"], "is a sound"),
    "empty folder": (["{empty}"], "contains no file"),
    "class": (["--target", "dgo"], "Did you mean 'dog'?"),
    "contrast class": (["--contrast", "fish"], "has no class 'fish'"),
    "contrast": (["--target", "dog", "--contrast", "dog"], "cannot be contrasted with itself"),
    "method": (["--method", "gradcam"], "Did you mean 'grad_cam'?"),
    "alias of a method": (["--method", "shap"], "Did you mean 'kernel_shap'?"),
    "another alias": (["--method", "ig"], "Did you mean 'integrated_gradients'?"),
    "alias with signs": (["--method", "gradcam++"], "Did you mean 'grad_cam_pp'?"),
    "layer": (["--method", "grad_cam", "--layer", "cov4"], "Did you mean 'conv4'?"),
    "layer for none": (["--method", "saliency", "--layer", "nothing"], "uses no feature layer"),
    "range": (["--method", "rise", "--set", "rise.num_samples=4"], "from 16 to 16384"),
    "whole": (["--method", "rise", "--set", "rise.num_samples=99.5"], "whole number"),
    "not a number": (["--method", "rise", "--set", "rise.num_samples=nan"], "from 16 to 16384"),
    "word": (["--method", "rise", "--set", "rise.num_samples=many"], "Expected a whole number"),
    "no value": (["--method", "rise", "--set", "rise.num_samples"], "Expected a whole number"),
    "name": (
        ["--method", "integrated_gradients", "--set", "integrated_gradients.baseline=blue"],
        "Expected a number from 0 to 1, or 'blurred', or 'mean', or 'average'",
    ),
    "setting": (["--method", "rise", "--set", "rise.num_sample=64"], "'num_samples'"),
    "other method": (["--method", "rise", "--set", "lime.num_samples=64"], "is not in use"),
    "lambda": (["--model", "{odd}/lambda.keras"], "a Lambda layer"),
    "cut off": (["--model", "{odd}/cut.keras"], "damaged, truncated"),
    "solid": (["--model", "{odd}/solid.keras"], "input has shape (None, 8, 8, 8, 3)"),
    "model name": (["--model", "nobody"], "no model 'nobody'"),
    "model file": (["--model", "nowhere.keras"], "no model file nowhere.keras"),
    "task": (["--task", "lung_opacty"], "Did you mean 'lung_opacity'?"),
    "class twice": (["--classes", "cat,dog,cat"], "cat"),
    "class count": (["--classes", "cat,dog"], "has 3 classes, but 2 names"),
    "preprocessing": (["--preprocessing", "caffee"], "Did you mean 'caffe'?"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_is_one_line_and_nothing_is_written(
    run, asking, odd_models, bad_picture, tmp_path, case
):
    further, cause = REFUSED[case]
    (tmp_path / "empty").mkdir()
    places = {
        "letter": bad_picture,
        "sound": SAMPLES / "speech_human.wav",
        "odd": odd_models,
        "empty": tmp_path / "empty",
    }
    words = [word.format(**places) for word in further]
    given = [] if case in ("text", "missing file", "sound", "empty folder") else [CAT]

    code, out, err = run("explain", *given, *asking, *words, "--out", tmp_path / "out")

    assert code == 2
    assert out == ""
    assert err.startswith("xai-tf: ")
    assert err.count("\n") == 1
    assert cause in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--windows", "--seed"])
def test_a_number_below_zero_is_refused_at_once(run, asking, tmp_path, option):
    code, out, err = run(
        "explain", CAT, *asking, "--method", "rise", option, "-1", "--out", tmp_path / "out"
    )

    assert code == 2
    assert out == ""
    assert option.strip("-") in err
    assert not (tmp_path / "out").exists()


def test_a_guessed_preprocessing_is_told(run, pets):
    code, _, err = run("predict", CAT, "--model", pets)

    assert code == 0
    assert "is a guess" in err
    assert "--preprocessing" in err


def test_what_is_said_of_the_model_is_said_once_for_all_files(run, pets, tmp_path):
    for name in ("one.jpg", "two.jpg"):
        shutil.copy(CAT, tmp_path / name)

    code, _, err = run(
        "explain", tmp_path, "--model", pets, "--method", "saliency", "--out", tmp_path / "out"
    )

    assert code == 0
    assert err.count("The preprocessing of") == 1


def test_a_contrast_with_the_predicted_class_explains_the_runner_up(run, asking, tmp_path):
    _, out, _ = run("predict", CAT, *asking, "--json")
    chances = result_of(out)[0]["prediction"]["probabilities"]
    first, second, _ = sorted(chances, key=chances.get, reverse=True)

    code, out, _ = run(
        "explain", CAT, *asking, "--contrast", first, "--out", tmp_path / "out", "--json"
    )

    assert code == 0
    entry = result_of(out)[0]["explanations"][0]
    assert (entry["target"], entry["contrast"]) == (second, first)


def test_a_page_of_somebody_else_is_left_alone(run, asking, tmp_path):
    (tmp_path / "index.html").write_text("<h1>My site</h1>")

    code, _, err = run("explain", CAT, *asking, "--out", tmp_path)

    assert code == 2
    assert "was not written by xai-tf" in err
    assert (tmp_path / "index.html").read_text() == "<h1>My site</h1>"
    assert not (tmp_path / "cat").exists()


@pytest.fixture
def two_classes(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("normal", "opacity"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(8):
            picture = rng.integers(0, 255, (32, 32), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


TRAIN = [
    "--task",
    "lung_opacity",
    "--backbone",
    "cnn",
    "--weights",
    "none",
    "--image-size",
    "32",
    "--epochs",
    "1",
    "--head-epochs",
    "1",
    "--augmentations",
    "1",
]


def test_a_model_is_trained_by_one_command_and_listed_in_its_card(run, two_classes, tmp_path):
    code, out, _ = run(
        "train",
        two_classes,
        *TRAIN,
        "--name",
        "tiny",
        "--out",
        tmp_path / "out",
        "--also-test",
        f"again={two_classes}",
        "--json",
    )

    assert code == 0
    written = result_of(out)
    assert sha256(tmp_path / "out" / "tiny.keras") == written["sha256"]
    assert {measure["split"] for measure in written["measures"]} == {"validation", "test", "again"}
    assert "xai-tf train data --task lung_opacity" in (tmp_path / "out" / "tiny.md").read_text()
    code, out, _ = run("predict", CAT, "--model", tmp_path / "out" / "tiny.keras", "--json")
    assert result_of(out)[0]["prediction"]["class"] in ("normal", "opacity")


def test_a_model_is_trained_on_a_table_of_patients(run, two_classes, tmp_path):
    lines = ["Path,Edema,patient"]
    for finding, name in ((0, "normal"), (1, "opacity")):
        for number in range(8):
            lines.append(f"set/{name}/{number}.png,{finding},p{finding}{number // 2}")
    (two_classes / "train.csv").write_text("\n".join(lines))
    (two_classes / "normal" / "3.png").write_text("Dear all")

    code, out, err = run(
        "train",
        two_classes / "train.csv",
        *TRAIN,
        "--name",
        "tiny",
        "--out",
        tmp_path / "out",
        "--finding",
        "Edema",
        "--skip-bad",
        "--json",
    )

    assert code == 0
    assert result_of(out)["measures"]
    assert "16 files in 8 groups, split by group." in err
    assert "normal/3.png: it is not a picture" in err
    card = (tmp_path / "out" / "tiny.md").read_text()
    assert "xai-tf train train.csv --task lung_opacity" in card
    assert "--finding Edema --skip-bad" in card


WASTED = {
    "name": (["--name", "a/b"], "Expected a file name without a folder"),
    "rate": (["--name", "x", "--rate", "nan"], "Expected a learning rate between 0 and 1"),
    "further set": (
        ["--name", "x", "--also-test", "more={bad}"],
        "letter.png: it is not a picture",
    ),
    "out": (["--name", "x", "--out", "{file}"], "Cannot write to"),
    "card": (["--name", "old"], "as a model card"),
    "task": (["--name", "x", "--task", "xray"], "no task 'xray'"),
    "backbone": (["--name", "x", "--backbone", "vgg"], "no backbone 'vgg'"),
    "layout": (["--name", "x", "--layout", "foldr"], "Did you mean 'folder'?"),
    "finding": (
        ["--name", "x", "--finding", "Edema"],
        "findings and views are columns of a CSV file",
    ),
    "group": (["--name", "x", "--group", "(normal|opacity)"], "8 files in 1 group (normal)"),
    "share": (["--name", "x", "--validation", "15"], "Invalid value for --validation: 15.0"),
}


@pytest.mark.parametrize("case", WASTED)
def test_what_would_waste_a_training_is_found_before_it(
    run, two_classes, tmp_path, case, monkeypatch
):
    further, cause = WASTED[case]
    bad = tmp_path / "more"
    shutil.copytree(two_classes, bad)
    (bad / "normal" / "letter.png").write_text("Dear all")
    (tmp_path / "file").write_text("")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.md").write_text("---\nnot: a card\n---\n")
    monkeypatch.setattr("xai_tf.training.run.train", lambda *_: pytest.fail("it was trained"))
    words = [word.format(bad=bad, file=tmp_path / "file") for word in further]

    code, _, err = run("train", two_classes, "--out", tmp_path / "out", *TRAIN, *words)

    assert code == 2
    assert cause in err
    assert err.count("\n") == 1


def test_a_name_among_several_files_does_not_hide_a_wrong_class(run, asking, tmp_path):
    code, _, err = run("explain", CAT, DOG, *asking, "--target", "dgo", "--out", tmp_path / "out")

    assert code == 2
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_strange_card_beside_a_model_does_not_stop_it(run, pets, tmp_path):
    path = tmp_path / "mine.keras"
    path.write_bytes(pets.read_bytes())
    path.with_suffix(".md").write_text("---\ntitle: [notes: to self\n---\nBuy milk.\n")

    code, out, _ = run("predict", CAT, "--model", path, "--json")

    assert code == 0
    assert result_of(out)[0]["prediction"]["class"].startswith("class ")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_an_interruption_leaves_nothing_half_written(pets, tmp_path):
    words = [
        "explain",
        CAT,
        "--model",
        pets,
        "--method",
        "rise",
        "--set",
        "rise.num_samples=16384",
        "--out",
        tmp_path / "out",
    ]
    at_a_terminal = os.environ | {"FORCE_COLOR": "1", "COLUMNS": "120"}
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stderr=subprocess.PIPE,
        env=at_a_terminal,
        # A shell's background job ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    said = b""
    while b"RISE" not in said:
        news = process.stderr.read1()
        assert news, said.decode()
        said += news

    process.send_signal(signal.SIGINT)
    said += process.stderr.read()
    process.wait()
    watchdog.cancel()

    process.stderr.close()
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert b"nothing half-written is left" in said
    assert not (tmp_path / "out").exists()
