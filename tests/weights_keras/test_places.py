"""Where models are found: the user's folder comes before the package's, which is only read."""

from pathlib import Path

import platformdirs
import pytest

import weights_keras
from weights_keras import FOLDER, find, home, names, own_files, own_folder


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """An empty data folder of the user."""
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path / "mine"))
    own_folder().mkdir(parents=True)
    return own_folder()


def test_the_data_folder_is_the_one_that_the_environment_names(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XAI_TF_HOME", "mine")

    assert home() == tmp_path / "mine"
    assert own_folder() == tmp_path / "mine" / "models"


def test_without_that_it_is_where_the_system_keeps_the_data_of_programs(monkeypatch):
    monkeypatch.delenv("XAI_TF_HOME")

    assert home() == Path(platformdirs.user_data_dir("xai-tf", appauthor=False))
    assert home().name == "xai-tf"


def test_without_models_of_the_user_those_of_the_package_are_found(monkeypatch, tmp_path):
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path / "absent"))

    assert own_files() == []
    assert names() == names(FOLDER)
    assert find("brain_cnn") == FOLDER / "brain_cnn.keras"
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("file", ["flowers.keras", "flowers.h5", "flowers.hdf5"])
def test_a_model_of_the_user_is_found_by_name_with_or_without_a_card(mine, file):
    (mine / file).touch()
    (mine / "notes.md").write_text("Mine.")

    assert find("flowers") == mine / file
    assert names() == sorted([*names(FOLDER), "flowers"])


def test_a_model_of_the_user_comes_before_one_of_the_same_name_in_the_package(mine):
    (mine / "brain_cnn.keras").touch()

    assert find("brain_cnn") == mine / "brain_cnn.keras"
    assert names() == names(FOLDER)


def test_absent_weights_of_the_package_can_be_fetched_or_trained(mine):
    with pytest.raises(weights_keras.ModelFileError) as caught:
        weights_keras.load("dogs_vgg16")

    assert "`xai-tf models fetch dogs_vgg16`" in str(caught.value)
    assert "train it with: xai-tf tune dogs" in str(caught.value)
