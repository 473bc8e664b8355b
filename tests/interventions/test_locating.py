"""Where a region lies in many files."""

import numpy as np
import pytest

from tests.interventions.made import CHEST, draw_chests, network
from xai_tf.errors import SettingError
from xai_tf.interventions import locate, read_cases, usual_region
from xai_tf.interventions.locating import Region
from xai_tf.regions.partition import NotFoundError
from xai_tf.regions.registry import PARTITIONS
from xai_tf.tasks import TASKS


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = draw_chests(tmp_path_factory.mktemp("data") / "files", 0, count=3)
    return read_cases(network(shortcut=True), folder)


@pytest.mark.parametrize(
    ("region", "text", "belongs"),
    [
        (Region("chest", ("lungs",)), "the lungs", True),
        (Region("chest", ("marks",)), "the marks", False),
        (Region("frame", ("corners", "border")), "the corners and border", False),
        (Region("frame", ("upper left",)), "the region 'upper left'", None),
        (Region("pitch", ("300 to 1000 Hz",)), "the region '300 to 1000 Hz'", None),
        (Region("chest", ("outside the lungs",)), "the region 'outside the lungs'", False),
    ],
)
def test_a_region_is_told_with_its_article_and_whether_evidence_belongs_there(
    region, text, belongs
):
    assert str(region) == text
    assert region.belongs is belongs


@pytest.mark.parametrize(
    ("task", "region"),
    [("lung_opacity", "lungs"), ("brain_tumor", "brain"), ("deepfake_audio", ""), ("photo", "")],
)
def test_the_usual_region_is_where_evidence_is_expected(task, region):
    assert usual_region(TASKS[task]) == region


def test_several_regions_of_a_partition_are_one(cases):
    located = locate(cases, "corners, border")

    assert located.region.names == ("corners", "border")
    assert located.masks[0][0].all()
    assert not located.masks[0][16, 16]


def test_a_region_that_is_a_guess_is_left_out_and_counted(cases, monkeypatch):
    first = cases.cases[0].sample.image

    def find(sample):
        masks = CHEST.find(sample)
        if np.array_equal(sample.image, first):
            raise NotFoundError("it may be something else", masks)
        return masks

    monkeypatch.setitem(PARTITIONS, "chest", type(CHEST)(**{**vars(CHEST), "find": find}))

    located = locate(cases, "lungs", ("chest",))

    assert len(located.cases.cases) == len(located.masks) == 5
    assert located.notes == ("Left out: 1 file because the region is not found or a guess.",)


def test_regions_of_two_partitions_are_refused(cases, monkeypatch):
    monkeypatch.setitem(PARTITIONS, "chest", CHEST)

    with pytest.raises(SettingError, match="lungs, corners are regions of several partitions"):
        locate(cases, "lungs,corners", ("chest", "frame"))
