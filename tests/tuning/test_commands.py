"""The commands of a search as they are typed: what they print, write and reject."""

import shutil
import sys

import pytest
import tensorflow as tf
from PIL import Image

from tests.conftest import draw_stripes, result_of
from tuning.settings import Mode
from tuning.trials import read_search
from xai_tf.cli import main
from xai_tf.cli.data_options import further_sources
from xai_tf.errors import SettingError

# Five trials on a plain CNN with random weights, frozen.
QUICK = (
    "--task",
    "lung_opacity",
    "--name",
    "quick",
    "--backbone",
    "cnn",
    "--image-size",
    "32",
    "--set",
    "unfreeze=0",
    "--set",
    "dense_layers=1",
    "--set",
    "units_1=8,16",
    "--max-epochs",
    "2",
    "--factor",
    "2",
    "--augmentations",
    "1",
    "--batch-size",
    "8",
)


@pytest.fixture
def tune(monkeypatch, capsys, tmp_path):
    """Type `tune FOLDER` and more; get its exit code, output and messages."""
    space = tmp_path / "space.yaml"
    space.write_text("learning_rate: [0.01, 0.001]\nl1_1: [0.001, 0.0001]\n")

    def typed(folder, *words, quick=QUICK):
        places = ("--space", space, "--root", tmp_path / "root", "--out", tmp_path / "models")
        return type_in(monkeypatch, capsys, "tune", folder, *quick, *places, *words)

    return typed


def type_in(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["xai-tf", *map(str, words)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main()
    printed = capsys.readouterr()
    return caught.value.code or 0, printed.out, printed.err


def assert_rejected(result, *messages):
    """One line for a person, and nothing for a program."""
    code, out, error = result
    message = " ".join(error.split())
    assert code == 2
    assert out == ""
    assert "Traceback" not in error
    for text in messages:
        assert text in message, message


def test_a_dry_run_shows_the_plan_and_writes_nothing(tune, stripes, tmp_path):
    code, out, error = tune(stripes, "--dry-run", "--json")

    plan = result_of(out)
    assert code == 0
    assert (plan["trials"], plan["epochs"], plan["mode"]) == (5, 7, Mode.BATCHED_HEADS.label)
    assert plan["possible"] == 8
    assert "5 trials" in " ".join(error.split())
    assert not list((tmp_path / "root").glob("quick/*"))
    assert not list((tmp_path / "models").glob("*"))


@pytest.mark.parametrize("names", [("--augmentations", "--dry-run"), ("--copies", "--plan")])
def test_earlier_option_names_still_work(tune, stripes, names):
    augmentations, dry_run = names

    code, out, _ = tune(stripes, augmentations, 2, dry_run, "--float16", "--json")

    assert code == 0
    plan = result_of(out)
    assert (plan["training_rows"], plan["validation_rows"]) == (2 * 34, 6)


def test_the_help_shows_only_current_option_names(monkeypatch, capsys):
    code, out, _ = type_in(monkeypatch, capsys, "tune", "--help")

    assert code == 0
    for name in ("--augmentations", "--dry-run", "--float16", "--seed"):
        assert name in out
    for name in ("--copies", "--plan", "--half"):
        assert name not in out


def test_a_search_ends_in_a_model_a_report_and_logs(tune, stripes, tmp_path):
    more = (
        "--repeats",
        1,
        "--float16",
        "--calibration",
        "platt",
        "--also-test",
        f"again={stripes}",
    )

    code, out, error = tune(stripes, "--json", "--tensorboard", *more)

    written = result_of(out)
    assert code == 0, error
    assert (tmp_path / "models" / "quick.keras").stat().st_size == written["bytes"]
    page = tmp_path / "root" / "quick" / "report.html"
    assert written["report"] == str(page)
    assert "<html" in page.read_text()
    assert (page.parent / "trials.csv").is_file()
    assert {measure["split"] for measure in written["measures"]} == {"validation", "test", "again"}
    assert_readable_by_tensorboard(page.parent)


def assert_readable_by_tensorboard(folder):
    """TensorBoard's own reader finds the curves of the validation set."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for trial in read_search(folder).trials:
        events = EventAccumulator(str(folder / "tensorboard" / trial.id / "validation"))
        events.Reload()
        for name in ("loss", "ce", "accuracy"):
            found = [
                (e.step, float(tf.make_ndarray(e.tensor_proto)))
                for e in events.Tensors(f"epoch_{name}")
            ]
            assert [step for step, _ in found] == [epoch.epoch for epoch in trial.curve]
            for (_, value), epoch in zip(found, trial.curve, strict=True):
                assert value == pytest.approx(getattr(epoch, f"val_{name}"), abs=1e-6)


def test_typed_again_only_the_export_and_the_report_are_repeated(
    tune, stripes, tmp_path, monkeypatch, capsys
):
    assert tune(stripes)[0] == 0
    curves = (tmp_path / "root" / "quick" / "curves.jsonl").read_text()
    (tmp_path / "root" / "quick" / "report.html").unlink()

    assert tune(stripes)[0] == 0

    assert (tmp_path / "root" / "quick" / "curves.jsonl").read_text() == curves
    folder = tmp_path / "root" / "quick"
    assert (folder / "report.html").is_file()
    code, out, _ = type_in(monkeypatch, capsys, "tune-report", folder, "--tensorboard")
    assert code == 0
    assert out.split() == [str(folder / "report.html"), str(folder / "tensorboard")]
    assert_rejected(tune(stripes, "--seed", 2), "seed: was 1, is 2", "another name")


def test_a_report_of_another_folder_is_rejected(monkeypatch, capsys, tmp_path):
    result = type_in(monkeypatch, capsys, "tune-report", tmp_path)

    assert_rejected(
        result, "is not a search folder: study.json is missing", "Give the folder of a search"
    )


@pytest.fixture
def data(stripes, tmp_path):
    """A copy of the pictures that may be harmed."""
    shutil.copytree(stripes, tmp_path / "data")
    return tmp_path / "data"


def test_an_empty_class_is_an_error(tune, data):
    for path in (data / "opacity").iterdir():
        path.unlink()

    assert_rejected(tune(data, "--dry-run"), "opacity")


def test_a_single_class_is_an_error(tune, data):
    shutil.rmtree(data / "opacity")

    assert_rejected(tune(data, "--dry-run"), "opacity")


def test_three_pictures_in_all_are_too_few(tune, tmp_path):
    folder = draw_stripes(tmp_path / "few", ("normal", "opacity"), 2)
    (folder / "opacity" / "00.png").unlink()

    assert_rejected(tune(folder, "--dry-run"), "Class 'normal' has 2 files", "Add some")


def test_a_picture_that_cannot_be_read_is_named(tune, data):
    (data / "normal" / "03.png").write_bytes(b"no picture")

    assert_rejected(tune(data, "--dry-run"), str(data / "normal" / "03.png"), "--skip-bad")


def test_a_picture_that_cannot_be_read_is_left_out_when_asked(tune, data):
    (data / "normal" / "03.png").write_bytes(b"no picture")

    code, out, error = tune(data, "--dry-run", "--json", "--skip-bad")

    assert code == 0
    plan = result_of(out)
    assert plan["training_rows"] + plan["validation_rows"] <= 47 - 7
    assert str(data / "normal" / "03.png") in error.replace("\n", "")


def test_a_picture_of_another_size_or_without_color_is_read(tune, data):
    Image.new("L", (77, 40), 99).save(data / "normal" / "03.png")

    assert tune(data, "--dry-run", "--json")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--backbone", "mobilnet_v2"), "Did you mean 'mobilenet_v2'?"),
        (("--objective", "val_los"), "Did you mean 'val_loss'?"),
        (("--calibration", "plat"), "Expected temperature or platt"),
        (("--seed", "0"), "Invalid value for seed: 0. Expected at least 1"),
        (("--set", "units_1=64"), "--set names the parameter 'units_1' twice"),
        (("--set", "units_3=64"), "'units_3' is never used"),
        (("--set", "unit_1=64"), "Did you mean 'units_1'?"),
        (("--set", "l1_1"), "Invalid parameter 'l1_1'"),
        (("--set", "dropout=0.1..0.4 step 0.2"), "'dropout' never reaches 0.4"),
        (("--set", "optimizer=adam,addam"), "Did you mean 'adam'?"),
        (("--weights", "nowhere.h5", "--backbone", "vgg16"), "nowhere.h5"),
        (("--space", "nowhere.yaml"), "nowhere.yaml as YAML"),
        (("--task", "lung_opacty"), "Did you mean 'lung_opacity'?"),
    ],
)
def test_an_invalid_option_is_an_error_of_one_line(tune, stripes, words, message):
    assert_rejected(tune(stripes, "--dry-run", *words), message)


def test_a_missing_folder_is_an_error(tune, tmp_path):
    assert_rejected(tune(tmp_path / "nowhere", "--dry-run"), str(tmp_path / "nowhere"))


@pytest.mark.parametrize("given", ["nothere", "test=x", "validation=x", "=x"])
def test_a_further_test_set_takes_no_name_that_is_taken(given):
    with pytest.raises(SettingError, match="--also-test"):
        further_sources([given])
