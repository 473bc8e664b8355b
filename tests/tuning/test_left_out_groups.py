"""A search whose features are cached also says how unknown groups are predicted."""

import pytest

from tests.conftest import draw_stripes
from tuning.left_out_groups import check_groups
from tuning.settings import ExportSettings
from tuning.space import choice
from tuning.study import Study
from xai_tf.classifiers import backbones
from xai_tf.errors import InputError, SettingError
from xai_tf.training.group_out import GROUP_OUT, POOLED, SECTION

RULE = r"(\d)\.png$"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Stripes of two classes; the last digit of a file is its group."""
    return draw_stripes(tmp_path_factory.mktemp("data"), ("normal", "opacity"), 24)


@pytest.fixture
def study(data, tmp_path, monkeypatch):
    """A search on a small backbone, in place of one whose weights are not at hand."""
    small = backbones.build_backbone
    for module in ("tuning.networks", "xai_tf.classifiers.backbones"):
        monkeypatch.setattr(
            f"{module}.build_backbone", lambda name, size, weights: small("cnn", size, None)
        )
    return Study(
        data=data,
        task="lung_opacity",
        name="s",
        space={"dense_layers": choice(0), "learning_rate": choice(1e-2)},
        max_epochs=2,
        image_size=32,
        augmentations=1,
        root=tmp_path,
    )


def test_the_card_of_a_search_begins_with_the_left_out_groups(study, tmp_path):
    study.run()

    card = study.export(tmp_path / "models", ExportSettings(groups=RULE))

    assert [one.split for one in card.metrics][:4] == [GROUP_OUT, GROUP_OUT, POOLED, POOLED]
    assert card.metrics[0].count == 48
    assert "10 times without the files of one or more of 10 groups" in card.text.split(SECTION)[1]


def test_features_of_the_search_are_not_computed_again(study, tmp_path):
    study.run()
    before = set(study.cache.rglob("*.npz"))

    study.export(tmp_path / "models", ExportSettings(groups=RULE))

    after = set(study.cache.rglob("*.npz"))
    assert len(after - before) == 1  # the test files, which the search itself never sees
    assert len({path.parent for path in after}) == 1


def test_what_cannot_be_left_out_is_refused_before_the_search(study, data):
    random = Study(data=data, task="lung_opacity", name="r", backbones=("cnn",), image_size=32)

    with pytest.raises(SettingError, match="'cnn' starts from random weights"):
        check_groups(random.networks(), RULE)
    with pytest.raises(InputError, match="into one group"):
        check_groups(study.networks(), r"\.(png)$")
    with pytest.raises(SettingError, match="has 0 groups in parentheses"):
        ExportSettings(groups="png")
