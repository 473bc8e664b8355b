"""The search space: how it is written, what the linter rejects, and its defaults."""

import math
import subprocess
import sys

import keras_tuner as kt
import pytest

from tuning.space import (
    DEFAULTS,
    SEEDS,
    Dense,
    Parameter,
    choice,
    configuration,
    draw_values,
    floats,
    ints,
    lint,
    logs,
    num_configurations,
    parse_setting,
    read_space,
)
from xai_tf.errors import SettingError, UnknownNameError


def write(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return path


def test_the_space_of_the_seeds_has_1296_points():
    assert num_configurations(SEEDS) == 4 * 4 * 3 * 3 * 81
    lint(SEEDS)


def test_a_space_with_a_range_has_infinitely_many_points():
    assert num_configurations({"dropout": logs(0.1, 0.5), "units_1": ints(1, 2)}) == math.inf


def test_importing_the_package_loads_no_tensorflow():
    code = "import sys, tuning; sys.exit(bool({'tensorflow', 'keras_tuner'} & {*sys.modules}))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("units_1: [128, 256]", choice(128, 256)),
        ("units_1: 128", choice(128)),
        ("units_1: {from: 128, to: 512, step: 128}", ints(128, 512, 128)),
        ("dense_layers: {from: 1, to: 3}", ints(1, 3)),
        ("dropout: {from: 0.0, to: 0.5, step: 0.1}", floats(0.0, 0.5, 0.1)),
        ("dropout: {from: 0.0, to: 0.5}", Parameter(low=0.0, high=0.5)),
        ("learning_rate: {from: 1e-4, to: 1e-2, log: true}", logs(1e-4, 1e-2)),
        ("learning_rate: [1e-3, 0.01]", choice(1e-3, 0.01)),
        ("optimizer: [adam, sgd]", choice("adam", "sgd")),
    ],
)
def test_a_file_says_a_parameter_in_each_of_these_forms(tmp_path, written, meant):
    [parameter] = read_space(write(tmp_path, written)).values()

    assert parameter == meant


@pytest.mark.parametrize(
    ("typed", "name", "meant"),
    [
        ("units_1=128,256", "units_1", choice(128, 256)),
        ("units_1 = 128, 256", "units_1", choice(128, 256)),
        ("units_1=128..512 step 128", "units_1", ints(128, 512, 128)),
        ("dense_layers=0..2", "dense_layers", ints(0, 2)),
        ("dropout=0..0.5", "dropout", Parameter(low=0, high=0.5)),
        ("dropout=0..0.5 step 0.25", "dropout", floats(0, 0.5, 0.25)),
        ("learning_rate=1e-4..1e-2 log", "learning_rate", logs(1e-4, 1e-2)),
        ("optimizer=adam,sgd", "optimizer", choice("adam", "sgd")),
        ("unfreeze=-1", "unfreeze", choice(-1)),
    ],
)
def test_a_setting_is_typed_in_each_of_these_forms(typed, name, meant):
    assert parse_setting(typed) == (name, meant)


@pytest.mark.parametrize("typed", ["units_1", "units_1=", "units_1= "])
def test_a_parameter_without_a_value_is_rejected(typed):
    with pytest.raises(SettingError, match="Expected NAME=VALUES"):
        parse_setting(typed)


def test_a_parameter_that_a_file_names_twice_is_rejected(tmp_path):
    path = write(tmp_path, "units_1: [128]\nunits_2: [64]\nunits_1: [256]\n")

    with pytest.raises(SettingError, match=r"space\.yaml names the parameter 'units_1' twice"):
        read_space(path)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("units_1: [128", "Cannot read .* as YAML"),
        ("- units_1", "does not define a search space"),
        ("units_1: {from: 1}", "Invalid range for parameter 'units_1'"),
        ("units_1: {from: 1, to: 2, stop: 3}", "Invalid range for parameter 'units_1'"),
        ("units_1: {from: 9, to: 2}", "from 9 to 2. Expected two increasing numbers"),
        (
            "units_1: {from: 1, to: 2, step: -1}",
            "Invalid step for parameter 'units_1': -1. Expected a positive number",
        ),
    ],
)
def test_an_invalid_file_is_rejected(tmp_path, written, message):
    with pytest.raises(SettingError, match=message):
        read_space(write(tmp_path, written))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingError, match=r"Cannot read .*nowhere\.yaml"):
        read_space(tmp_path / "nowhere.yaml")


def test_steps_that_never_reach_the_end_are_rejected():
    name, parameter = parse_setting("units_1=128..512 step 256")

    with pytest.raises(SettingError, match="never reaches 512: its steps are 128, 384"):
        lint({name: parameter})


def test_steps_of_tenths_reach_their_end():
    lint({"dropout": floats(0.0, 0.3, 0.1)})

    assert floats(0.0, 0.3, 0.1).values == (0.0, 0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"units_3": choice(64)}, "'units_3' is never used: there are at most 2 dense layers"),
        ({"dense_layers": choice(0, 1), "l1_2": choice(0.1)}, "at most 1 dense layer. Remove it"),
        ({"dropout": choice(0.0, 1.5)}, "'dropout': 1.5. Expected a number from 0 to 0.95"),
        ({"units_1": choice(0)}, "Expected a whole number from 1 to 16384"),
        ({"units_1": choice(12.5)}, "'units_1': 12.5. Expected a whole number"),
        ({"units_1": choice("many")}, "'units_1': 'many'. Expected"),
        ({"units_1": choice(True)}, "'units_1': True. Expected"),
        ({"units_1": choice(None)}, "'units_1': None. Expected"),
        ({"units_1": choice([64], [32])}, r"'units_1': \[64\]. Expected"),
        ({"dropout": choice(math.nan)}, "'dropout': nan. Expected"),
        ({"l1_1": choice(0.1, 0.1)}, "'l1_1' has the same value twice: 0.1, 0.1"),
        ({"l1_1": choice()}, "'l1_1' has no value"),
        ({"l1_1": logs(0, 0.1)}, "'l1_1' starts at 0, which has no logarithm"),
        ({"units_1": logs(16, 512)}, "'units_1' is a whole number"),
        ({"unfreeze": logs(1, 3)}, "'unfreeze' is a whole number"),
    ],
)
def test_an_inconsistent_space_is_rejected(space, message):
    with pytest.raises(SettingError, match=message):
        lint(space)


@pytest.mark.parametrize(
    ("space", "offered"),
    [
        ({"unit_1": choice(64)}, "units_1"),
        ({"units": choice(64)}, "units_1"),
        ({"learning-rate": choice(0.1)}, "learning_rate"),
        ({"drop_out": choice(0.1)}, "dropout"),
        ({"backbone": choice("mobilenetv2")}, "mobilenet_v2"),
        ({"optimizer": choice("adam", "rms_prop")}, "rmsprop"),
        ({"activation": choice("rellu")}, "relu"),
        ({"pooling": choice("avarage")}, "average"),
    ],
)
def test_for_a_misspelt_name_the_nearest_is_offered(space, offered):
    with pytest.raises(UnknownNameError, match=f"Did you mean '{offered}'"):
        lint(space)


def test_a_parameter_that_a_space_does_not_name_has_its_default():
    config = configuration({})

    assert config.dense == (Dense(DEFAULTS["units"], 0.0, 0.0),) * DEFAULTS["dense_layers"]
    assert (config.activation, config.optimizer, config.pooling) == ("relu", "adam", "average")
    assert (config.dropout, config.learning_rate, config.unfreeze) == (0.0, 1e-3, 0)


def test_a_layer_has_only_its_own_parameters():
    values = {"units_1": 64, "l2_2": 0.5, "dropout": 0.1, "tuner/epochs": 4}

    config = configuration(values)

    assert config.dense == (Dense(64, 0.0, 0.0), Dense(256, 0.0, 0.5))
    assert config.dropout == 0.1


def test_a_head_may_have_no_dense_layer():
    assert configuration({"dense_layers": 0}).dense == ()


def test_integers_and_fractions_may_be_mixed():
    hp = kt.HyperParameters()

    drawn = draw_values(hp, {"dropout": choice(0, 0.5), "units_1": choice(64.0, 128)})

    assert [type(value) for value in drawn.values()] == [float, int]
