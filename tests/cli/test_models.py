"""Models by name: what is trained is found by every command, and the package is never written."""

import numpy as np
import pytest
from PIL import Image

import weights_keras
from dashboards.service.catalogue import find_models
from tests.cli.test_commands import TRAIN
from tests.conftest import SAMPLES, result_of
from weights_keras import FOLDER, fetching, names, places
from xai_tf.cli import completion

CAT = SAMPLES / "cat.jpg"


def package_files():
    """What lies in the package, and when each file was written."""
    files = (path for path in FOLDER.rglob("*") if "__pycache__" not in path.parts)
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight pictures of noise of each of two classes."""
    folder, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    for name in ("normal", "opacity"):
        (folder / name).mkdir()
        for number in range(8):
            picture = rng.integers(0, 255, (32, 32), dtype=np.uint8)
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The user's folder of models, which does not exist yet."""
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path / "mine"))
    return tmp_path / "mine" / "models"


def listed(run):
    code, out, _ = run("models", "--json")
    assert code == 0
    return {(row["source"], row["name"]): row for row in result_of(out)}


def test_a_trained_model_is_stored_in_the_data_folder_and_found_by_its_name(run, data, mine):
    before = package_files()

    code, out, _ = run("train", data, *TRAIN, "--name", "noise", "--json")

    assert code == 0
    assert result_of(out)["model"] == str(mine / "noise.keras")
    assert package_files() == before
    assert listed(run)["yours", "noise"]["path"] == str(mine / "noise.keras")
    assert find_models()["noise"].path == mine / "noise.keras"
    assert completion.models("noi") == [("noise", "your model")]
    code, out, err = run("predict", CAT, "--model", "noise", "--json")
    assert code == 0
    assert "your own" not in err
    assert set(result_of(out)[0]["prediction"]["probabilities"]) == {"normal", "opacity"}
    code, out, _ = run("inspect", "noise", "--json")
    assert code == 0
    assert result_of(out)["classes"] == ["normal", "opacity"]


def test_a_searched_model_and_its_search_are_stored_in_the_data_folder(run, data, mine, tmp_path):
    before = package_files()
    quick = ["--backbone", "cnn", "--image-size", 32, "--set", "dense_layers=0", "--max-epochs", 1]

    code, out, _ = run("tune", data, "--task", "lung_opacity", "--name", "found", *quick, "--json")

    assert code == 0
    assert result_of(out)["model"] == str(mine / "found.keras")
    assert (mine.parent / "searches" / "found" / "study.json").is_file()
    assert package_files() == before
    assert run("tune-report", "found")[1].strip() == result_of(out)["report"]
    assert run("predict", CAT, "--model", "found", "--quiet")[0] == 0


def test_the_model_of_the_user_is_used_where_the_package_has_one_of_the_same_name(run, pets, mine):
    mine.mkdir(parents=True)
    (mine / "brain_cnn.keras").write_bytes(pets.read_bytes())

    code, out, err = run(
        "predict", CAT, "--model", "brain_cnn", "--preprocessing", "unit", "--json"
    )

    assert code == 0
    assert len(result_of(out)[0]["prediction"]["probabilities"]) == 3
    assert f"'brain_cnn' is your own model {mine / 'brain_cnn.keras'}" in err
    rows = listed(run)
    assert rows["yours", "brain_cnn"]["used"]
    assert not rows["package", "brain_cnn"]["used"]
    assert find_models()["brain_cnn"].path == mine / "brain_cnn.keras"


def test_the_models_of_the_user_are_listed_below_those_of_the_package(run, pets, mine):
    mine.mkdir(parents=True)
    (mine / "pets.keras").write_bytes(pets.read_bytes())

    _, out, _ = run("models")

    lines = [line for line in out.splitlines() if "package" in line or "yours" in line]
    assert ["yours" in line for line in lines] == [False] * len(names(FOLDER)) + [True]
    assert "pets" in lines[-1]
    assert "xai-tf models fetch dogs_vgg16 (59.2 MB)" in out


def test_the_detector_of_a_model_of_the_package_is_not_fitted_again(run, data):
    before = package_files()

    code, _, err = run("fit-ood", "xray_alexnet", data)

    assert code == 2
    assert "comes with the package, which is never changed. Copy" in err
    assert package_files() == before


def test_a_known_model_that_is_absent_is_to_be_fetched(run, mine):
    code, _, err = run("predict", CAT, "--model", "dogs_vgg16")

    assert code == 2
    assert "`xai-tf models fetch dogs_vgg16`" in err


def test_a_model_is_fetched_from_where_the_environment_says(run, mine, monkeypatch, tmp_path):
    (tmp_path / "xray_alexnet.md").write_bytes((FOLDER / "xray_alexnet.md").read_bytes())
    monkeypatch.setattr(fetching, "FOLDER", tmp_path)
    monkeypatch.setenv("XAI_TF_MODELS_URL", str(FOLDER))

    code, out, err = run("models", "fetch", "xray_alexnet")

    assert code == 0
    assert out.strip() == str(mine / "xray_alexnet.keras")
    assert "Use it with --model xray_alexnet" in err
    # The same file as the package's, so that no warning is due.
    assert run("predict", SAMPLES / "xray_normal.jpg", "--model", "xray_alexnet")[2] == ""


def test_a_fetched_model_is_listed_as_one_of_the_package(run, mine, monkeypatch, tmp_path):
    for name in ("xray_alexnet.md", "dogs_vgg16.md"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    for module in (fetching, places, weights_keras):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    run("models", "fetch", "xray_alexnet", "--from", FOLDER)

    rows = listed(run)

    assert list(rows) == [("package", "dogs_vgg16"), ("package", "xray_alexnet")]
    assert not rows["package", "dogs_vgg16"]["available"]
    assert rows["package", "xray_alexnet"]["path"] == str(mine / "xray_alexnet.keras")
    assert rows["package", "xray_alexnet"]["used"]


@pytest.mark.parametrize(
    ("words", "cause", "next_step"),
    [
        (["dogs_vgg61"], "There is no model 'dogs_vgg61'", "Did you mean 'dogs_vgg16'?"),
        (["dogs_vgg16"], "not known where to fetch", "Give --from FOLDER or URL"),
        (["dogs_vgg16", "--from", "/absent"], "No such file", "Give --from the folder"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line(run, mine, words, cause, next_step):
    code, out, err = run("models", "fetch", *words)

    assert (code, out) == (2, "")
    assert cause in err
    assert next_step in err
    assert err.count("\n") == 1
    assert not mine.exists() or not list(mine.iterdir())
