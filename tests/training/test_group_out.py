"""A head that was fitted without a group is measured on it, and its figures lead the card."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import draw_stripes
from xai_tf.classifiers import backbones
from xai_tf.cli.train import typed_command
from xai_tf.datasets.dataset import Dataset, Splits
from xai_tf.datasets.groups import Groups
from xai_tf.errors import InputError, SettingError
from xai_tf.training.group_out import (
    GROUP_OUT,
    POOLED,
    SECTION,
    estimate_group_out,
    files_of,
)
from xai_tf.training.left_out_parts import MOST_FOLDS
from xai_tf.training.run import TrainingSettings, train_on_files
from xai_tf.training.train import Recipe


def dataset(labels, files=None, num_files=None):
    """Files without content, whose features are made by `shortcut` or `evidence`."""
    files = np.arange(len(labels)) if files is None else files
    return Dataset(
        images=np.zeros((len(labels), 8, 8, 3), np.uint8),
        labels=np.array(labels),
        files=files,
        paths=tuple(Path(f"{number}.png") for number in range(num_files or len(np.unique(files)))),
        classes=("a", "b"),
        sounds=(None,) * len(labels),
    )


def split_in_three(labels):
    """The same labels three times, as training, validation and test set."""
    return Splits(*(dataset(labels) for _ in range(3)))


def names_of(num_groups, labels):
    """Groups of one class each, all with as many files, for three sets of the same labels."""
    own = {0: range(0, num_groups, 2), 1: range(1, num_groups, 2)}
    seen = {0: 0, 1: 0}
    names = []
    for label in [*labels] * 3:
        names.append(f"g{own[label][seen[label] % len(own[label])]}")
        seen[label] += 1
    return Groups("rule", tuple(names))


LABELS = [0, 1] * 20


def features_by(groups, weight):
    """Features that name the group, and with a weight the class; noise else."""
    names = sorted(set(groups.names))
    state = {"start": 0}

    def extract(data):
        start = state["start"]
        state["start"] += len(data.labels)
        rng = np.random.default_rng(start)
        rows = [names.index(name) for name in groups.names[start : start + len(data.labels)]]
        evidence = (data.labels[:, None] - 0.5) * weight
        noise = rng.normal(size=(len(rows), 3))
        return np.concatenate([4 * np.eye(len(names))[rows], evidence, noise], axis=1)

    return extract


def measures_of(found):
    return {(one.split, one.name): one for one in found.measures}


def test_a_shortcut_by_group_holds_for_left_out_files_and_not_for_left_out_groups():
    splits, groups = split_in_three(LABELS), names_of(6, LABELS)

    found = estimate_group_out(splits, groups, features_by(groups, weight=0))

    measured = measures_of(found)
    assert [one.split for one in found.measures] == [GROUP_OUT, GROUP_OUT, POOLED, POOLED]
    assert measured[POOLED, "accuracy"].value == 1
    assert measured[GROUP_OUT, "accuracy"].value < 0.8
    assert measured[GROUP_OUT, "accuracy"].count == 120
    assert (found.num_folds, found.passes) == (6, 120)
    assert "6 groups with files of one class (g0, g1, g2 and 3 more)" in found.notes[-1]


def test_evidence_of_the_class_holds_for_both():
    splits, groups = split_in_three(LABELS), names_of(6, LABELS)

    found = estimate_group_out(splits, groups, features_by(groups, weight=30))

    assert all(one.value > 0.95 for one in found.measures)


def test_many_groups_are_left_out_in_parts():
    splits, groups = split_in_three(LABELS), names_of(60, LABELS)

    found = estimate_group_out(splits, groups, features_by(groups, weight=30))

    assert found.num_folds == MOST_FOLDS
    assert len(found.groups) == 60


def test_the_windows_of_a_file_are_left_out_together_and_averaged():
    labels, files = [0, 0, 1, 1] * 10, np.repeat(np.arange(20), 2)
    splits = Splits(*(dataset(labels, files) for _ in range(3)))
    groups = Groups("rule", tuple(f"g{number % 4}" for number in range(60)))

    found = estimate_group_out(splits, groups, lambda data: 9.0 * data.labels[:, None])

    assert len(files_of(splits)) == 60
    assert found.measures[0].count == 60
    assert found.measures[0].value == 1


def test_a_group_that_holds_a_class_alone_is_told_of():
    splits = split_in_three([0, 1] * 6)
    groups = Groups("rule", ("only", "x", "only", "y", "only", "z") * 6)

    found = estimate_group_out(splits, groups, lambda data: data.labels[:, None] * 1.0)

    assert {name for name, _ in found.groups} == {"x", "y", "z"}
    assert "only cannot be left out" in found.notes[0]
    assert found.notes[1] == "3 groups tell little of others: the interval is too narrow."


def test_groups_that_each_hold_a_class_alone_are_refused():
    splits = split_in_three([0, 1] * 6)
    groups = Groups("rule", ("a", "b") * 18)

    with pytest.raises(InputError, match=r"no group can be left out\. Give groups that share"):
        estimate_group_out(splits, groups, lambda data: data.labels[:, None] * 1.0)


def test_several_labels_are_right_together_where_groups_are_left_out():
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 1], [1, 1], [0, 0]] * 2)
    sets = [replace(dataset([0] * 12), labels=labels) for _ in range(3)]
    groups = Groups("rule", tuple(f"g{number % 4}" for number in range(36)))

    found = estimate_group_out(Splits(*sets), groups, lambda data: 9.0 * data.labels)

    assert [one.name for one in found.measures] == ["accuracy", "accuracy"]
    assert found.measures[0].value == 1


@pytest.fixture
def sites(tmp_path):
    """Stripes of two classes from three sites, which stand in the names of the files."""
    root = draw_stripes(tmp_path / "sites", ("normal", "opacity"), 18)
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        path.rename(path.with_name(f"site{number % 3}_{path.name}"))
    return root


SMALL = Recipe(backbone="mobilenet_v2", unfreeze=0, head_epochs=1)


def test_the_card_of_a_training_begins_with_the_left_out_groups(sites, tmp_path, monkeypatch):
    random = backbones.build_backbone

    def pretrained(backbone, image_size=(32, 32), weights=None):
        return random("cnn", image_size, None)  # in place of one whose weights are not at hand

    monkeypatch.setattr(backbones, "build_backbone", pretrained)
    settings = TrainingSettings(
        source=sites,
        task="lung_opacity",
        name="tiny",
        recipe=SMALL,
        image_size=32,
        out=tmp_path / "models",
        groups=r"(site\d)_",
    )

    card = train_on_files(settings)

    assert [one.split for one in card.metrics][:5] == [
        *[GROUP_OUT] * 2,
        *[POOLED] * 2,
        "validation",
    ]
    assert card.metrics[0].count == 36
    assert "| site0 |" in card.text.split(SECTION)[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": Recipe(backbone="cnn")}, "'cnn' starts from random weights"),
        ({"recipe": Recipe(weights=None)}, "'mobilenet_v2' starts from random weights"),
        ({"groups": "site"}, "has 0 groups in parentheses"),
    ],
)
def test_what_cannot_be_left_out_is_refused_before_the_training(sites, tmp_path, change, said):
    given = {"recipe": SMALL, "groups": r"(site\d)_"} | change

    with pytest.raises(SettingError, match=said):
        TrainingSettings(
            source=sites, task="lung_opacity", name="tiny", out=tmp_path, **given
        ).check()


def test_the_command_refuses_it_in_one_line(run, sites, tmp_path):
    words = ["--task", "lung_opacity", "--name", "tiny", "--out", tmp_path, "--backbone", "cnn"]

    code, _, err = run("train", sites, *words, "--groups", r"(site\d)_")

    assert code == 2
    assert "Give a pretrained one, or leave out --groups" in err
    assert not (tmp_path / "tiny.keras").exists()


def test_the_command_in_the_card_names_no_place(tmp_path, monkeypatch):
    table = tmp_path / "sites.csv"
    table.write_text("file,site")
    words = ["xai-tf", "train", "photos", "--groups", f"{table}:site", f"--groups={table}:site"]
    monkeypatch.setattr("sys.argv", words)

    assert typed_command() == (
        "xai-tf train photos --groups sites.csv:site --groups=sites.csv:site"
    )
