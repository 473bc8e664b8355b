"""The files that interventions change."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.conftest import draw_labels
from tests.interventions.made import draw_chests, network
from xai_tf.errors import InputError, SettingError
from xai_tf.interventions import cases as module
from xai_tf.interventions import intervene, read_cases


@pytest.fixture(scope="module")
def net():
    return network(shortcut=True)


def test_files_that_are_answered_wrongly_are_left_out_and_counted(net, tmp_path):
    folder = draw_chests(tmp_path / "data", 0, count=3)
    shutil.copy(folder / "normal" / "00.png", folder / "opacity" / "wrong.png")

    cases = read_cases(net, folder)

    assert len(cases.cases) == 6
    assert cases.notes == ("1 file that is answered wrongly as they are left out.",)
    assert cases.passes == 7


def test_a_file_that_cannot_be_read_is_told_and_the_rest_is_used(net, tmp_path):
    folder = draw_chests(tmp_path / "data", 0, count=3)
    (folder / "normal" / "bad.png").write_bytes(b"\x89PNG no picture")

    cases = read_cases(net, folder)

    assert len(cases.cases) == 6
    ((path, reason),) = cases.unreadable
    assert path.name == "bad.png"
    assert reason


def test_files_of_two_sizes_are_read_at_that_of_the_model(net, tmp_path):
    folder = draw_chests(tmp_path / "data", 0, count=12)
    for path in sorted(folder.rglob("0*.png")):
        Image.open(path).resize((96, 64), Image.Resampling.NEAREST).save(path)

    cases = read_cases(net, folder)

    assert len(cases.cases) == 24
    assert intervene("crop", cases).accuses


def test_a_folder_without_labels_names_the_classes_and_the_next_step(net, tmp_path):
    folder = draw_chests(tmp_path / "data", 0, count=3)
    loose = tmp_path / "loose"
    shutil.copytree(folder / "normal", loose)

    with pytest.raises(InputError, match=r"loose.*normal, opacity"):
        read_cases(net, loose)


def test_a_model_that_is_always_wrong_has_no_answer_to_change(net, tmp_path):
    folder = draw_chests(tmp_path / "data", 0, count=2)
    (folder / "normal").rename(folder / "x")
    (folder / "opacity").rename(folder / "normal")
    (folder / "x").rename(folder / "opacity")

    with pytest.raises(InputError, match=r"answers none of the 4 files of .*data rightly"):
        read_cases(net, folder)


def test_of_many_files_some_are_drawn(net, tmp_path, monkeypatch):
    folder = draw_chests(tmp_path / "data", 0, count=5)
    monkeypatch.setattr(module, "MAX_FILES", 4)

    cases = read_cases(net, folder, seed=1)

    assert len(cases.cases) == 4
    assert cases.notes == ("4 of 10 files are used, drawn with seed 1.",)


def test_several_labels_are_asked_one_by_one(three_labels, tmp_path):
    table = draw_labels(tmp_path / "data", 4)
    table.write_text("file,left,upper,middle\n00.png,0,0,0\n01.png,1,0,0\n02.png,0,1,0\n")
    for number, bright in enumerate([np.s_[:0], np.s_[:, :16], np.s_[:8]]):
        pixels = np.zeros((32, 32), np.uint8)
        pixels[bright] = 255
        Image.fromarray(pixels).save(table.parent / f"{number:02d}.png")

    with pytest.raises(SettingError, match=r"each a question of its own.*--target left"):
        read_cases(three_labels, table)
    cases = read_cases(three_labels, table, target="left")

    assert cases.answers.names == ("not left", "left")
    assert [case.answer for case in cases.cases] == [0, 1, 0]
