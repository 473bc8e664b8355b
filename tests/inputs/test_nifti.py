"""Slices of NIfTI volumes are shown as radiologists look at them."""

import sys

import numpy as np
import pytest

from tests.conftest import assert_told
from xai_tf.errors import InputError
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.sample import read_image

nibabel = pytest.importorskip("nibabel")
SIDE = 40
# Where the marks lie: the patient's right, anterior and superior ends.
ENDS = {"R": 0, "A": 1, "S": 2}


def volume(*marked):
    """A volume whose first axis points right, second anterior, third superior; ends are bright."""
    levels = np.full((SIDE, SIDE, SIDE), 100, np.int16)
    for end in marked:
        axis = np.moveaxis(levels, ENDS[end], 0)
        axis[SIDE - 8 :] = 1000
    return levels


def save(path, levels, codes="RAS"):
    """Write a volume of RAS axes with its axes stored in another order and direction."""
    image = nibabel.Nifti1Image(levels, np.eye(4))
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(codes)
    )
    nibabel.save(image.as_reoriented(turn), path)
    return path


def read(path, **options):
    return read_image(path, (SIDE, SIDE), ReadOptions(**options))[0]


def bright_sides(sample):
    """The sides of the picture that are bright, but for corners."""
    level = sample.image[..., 0]
    middle = slice(12, 28)
    means = {
        "top": level[:4, middle].mean(),
        "bottom": level[-4:, middle].mean(),
        "left": level[middle, :4].mean(),
        "right": level[middle, -4:].mean(),
    }
    return {side for side, mean in means.items() if mean > 0.9}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    ("codes", "marked", "expected"),
    [
        ("RAS", "RA", {"left", "top"}),
        ("LAS", "RA", {"left", "top"}),
        ("LPI", "RA", {"left", "top"}),
        ("ARS", "RA", {"left", "top"}),
        ("RSA", "RS", {"left", "top"}),
        ("LIP", "RS", {"left", "top"}),
        ("ASR", "AS", {"left", "top"}),
        ("PIL", "AS", {"left", "top"}),
    ],
)
def test_slices_are_turned_to_the_usual_view(tmp_path, suffix, codes, marked, expected):
    path = save(tmp_path / f"a{suffix}", volume(*marked), codes)

    assert bright_sides(read(path)) == expected


def test_the_middle_slice_is_read_and_reported(tmp_path):
    levels = np.tile(np.linspace(0, 1, SIDE)[:, None, None], (1, SIDE, SIDE))
    levels[:, :, SIDE // 2] *= 500

    sample = read(save(tmp_path / "a.nii", levels.astype(np.float32)))

    assert sample.warnings[0] == "Frame 21 of 40 was read."
    assert "percentile" in sample.warnings[1]
    assert sample.image.min() == 0
    assert sample.image.max() == 1
    assert sample.gray


def test_another_slice_can_be_chosen(tmp_path):
    levels = volume()
    levels[:, SIDE // 2 :, 2] = 900
    path = save(tmp_path / "a.nii.gz", levels)

    sample = read(path, frame=3)

    assert sample.warnings[0] == "Frame 3 of 40 was read."
    assert (sample.image[: SIDE // 2] == 1).all()
    assert (sample.image[SIDE // 2 :] == 0).all()


def test_of_a_series_the_first_volume_is_read(tmp_path):
    levels = np.stack([volume("A"), volume("R")], axis=-1)

    sample = read(save(tmp_path / "a.nii", levels))

    assert bright_sides(sample) == {"top"}
    assert "Volume 1 of 2 was read." in sample.warnings


def test_a_slice_that_is_not_there_is_refused(tmp_path):
    path = save(tmp_path / "a.nii", volume())

    with pytest.raises(InputError) as caught:
        read(path, frame=41)

    assert_told(caught.value, path, "it has 40 frames", "Choose a frame from 1 to 40")


def test_broken_numbers_are_counted(tmp_path):
    levels = volume().astype(np.float32)
    levels[3, 4:7, SIDE // 2] = np.nan
    path = save(tmp_path / "a.nii", levels)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "3 of its 1600 pixels are NaN", "Replace them")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("length", [60, 1000])
def test_a_damaged_volume_is_refused(tmp_path, name, length):
    noise = np.random.default_rng(0).integers(0, 999, (SIDE, SIDE, SIDE), dtype=np.int16)
    path = save(tmp_path / name, noise)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "damaged", "Copy or export it again")


def test_without_nibabel_the_extra_is_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.nii.gz", volume())
    monkeypatch.setitem(sys.modules, "nibabel", None)

    with pytest.raises(InputError) as caught:
        read(path)

    assert_told(caught.value, path, "NIfTI", "pip install 'xai-tf[nifti]'")
