"""Interventions catch a shortcut that is planted, and accuse no network that has none."""

import numpy as np
import pytest

from tests.interventions.made import CHEST, draw_chests, network
from xai_tf.errors import InputError, UnknownNameError
from xai_tf.interventions import INTERVENTIONS, Settings, draw_examples, intervene, read_cases
from xai_tf.regions.registry import PARTITIONS

SEEDS = range(10)
LUNGS = Settings(region="lungs", by=("chest",))


@pytest.fixture(autouse=True)
def _chest(monkeypatch):
    monkeypatch.setitem(PARTITIONS, "chest", CHEST)


@pytest.fixture(scope="module")
def nets():
    return {shortcut: network(shortcut) for shortcut in (False, True)}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["swap", "hide", "crop"])
def test_a_planted_shortcut_is_caught(nets, tmp_path, name, seed):
    cases = read_cases(nets[True], draw_chests(tmp_path / "data", seed))

    finding = intervene(name, cases, Settings(region="lungs", by=("chest",), seed=seed))

    assert finding.accuses
    assert finding.verdict == "follows what lies outside"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", INTERVENTIONS)
def test_a_clean_network_is_not_accused(nets, tmp_path, name, seed):
    cases = read_cases(nets[False], draw_chests(tmp_path / "data", seed))
    assert len(cases.cases) == 60

    finding = intervene(name, cases, Settings(region="lungs", by=("chest",), seed=seed))

    assert not finding.accuses
    if name in ("swap", "hide"):
        assert finding.accuses is False
        assert finding.verdict == "follows the region"


@pytest.mark.parametrize("name", ["swap", "hide"])
def test_evidence_where_none_belongs_is_accused(nets, tmp_path, name):
    data = draw_chests(tmp_path / "data", 0)

    caught, clean = (
        intervene(name, read_cases(nets[shortcut], data), Settings(region="corners"))
        for shortcut in (True, False)
    )

    assert (caught.verdict, caught.accuses) == ("follows the region", True)
    assert (clean.verdict, clean.accuses) == ("follows what lies outside", False)


def test_the_region_alone_is_enough_for_what_looks_there_only(nets, tmp_path):
    cases = read_cases(nets[True], draw_chests(tmp_path / "data", 0))

    finding = intervene("only", cases, Settings(region="corners"))

    assert finding.verdict == "follows the region"
    assert finding.sentence.startswith("The class can be told by the corners alone (1.00 of")


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_a_finding_tells_its_figures_controls_and_cost(nets, tmp_path, name):
    seen = []
    cases = read_cases(nets[True], draw_chests(tmp_path / "data", 0))

    finding = intervene(name, cases, LUNGS, lambda done, total, what="": seen.append((done, total)))

    assert finding.files == 60
    assert finding.seconds > 0
    assert finding.passes == {"swap": 120, "hide": 120, "only": 120, "crop": 720}[name]
    assert any(line.control for line in finding.lines)
    assert all(line.share.low <= line.share.value <= line.share.high for line in finding.lines)
    assert seen[-1] == (finding.passes, finding.passes)
    assert len(draw_examples(finding).axes) == (20 if name == "crop" else 15)


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_the_same_seed_gives_the_same_figures(nets, tmp_path, name):
    cases = read_cases(nets[True], draw_chests(tmp_path / "data", 0))

    first, again = (intervene(name, cases, LUNGS).lines for _ in range(2))

    assert first == again


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_few_files_tell_nothing(nets, tmp_path, name):
    cases = read_cases(nets[True], draw_chests(tmp_path / "data", 0, count=2))

    finding = intervene(name, cases, LUNGS)

    assert (finding.verdict, finding.accuses) == ("cannot be told", None)
    assert any("tell nothing" in note for note in finding.notes)


def test_an_unknown_intervention_names_those_that_exist(nets, tmp_path):
    cases = read_cases(nets[True], draw_chests(tmp_path / "data", 0, count=1))

    with pytest.raises(UnknownNameError, match="There is no intervention 'swop'"):
        intervene("swop", cases)


def test_a_region_that_covers_everything_or_nothing_is_refused(nets, tmp_path, monkeypatch):
    cases = read_cases(nets[True], draw_chests(tmp_path / "data", 0, count=2))

    def find(sample):
        return {"all": np.ones((32, 32), bool), "none": np.zeros((32, 32), bool)}

    monkeypatch.setitem(PARTITIONS, "chest", type(CHEST)(**{**vars(CHEST), "find": find}))

    for region, cause in (("all", "covers the whole file"), ("none", "is not in the file")):
        with pytest.raises(
            InputError, match=f"No file .* by '{region}': 4 files because it {cause}"
        ):
            intervene("hide", cases, Settings(region=region, by=("chest",)))
