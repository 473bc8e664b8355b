"""How well files of unknown groups are predicted, on the cached features of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuning import heads
from tuning.augmented_rows import AugmentedRows
from tuning.data import AUGMENTATION_SEED
from tuning.features import cached_features
from xai_tf.datasets.dataset import Dataset
from xai_tf.datasets.groups import Groups, find_groups
from xai_tf.progress import Progress, silent
from xai_tf.training.group_out import (
    GroupOut,
    check_frozen_features,
    estimate_group_out,
    files_of,
)

if TYPE_CHECKING:
    from tuning.networks import Networks


def check_groups(networks: Networks, rule: str | None) -> None:
    """Check before a search that groups can be left out after it.

    Raises:
        SettingError: a backbone starts from random weights.
        InputError: no file has a group, or all have the same.
    """
    if rule is None:
        return
    for backbone in networks.data.study.backbones:
        check_frozen_features(backbone, networks.data.study.weights_of(backbone))
    _groups(networks, rule)


def leave_groups_out(
    networks: Networks, backbone: str, rule: str | None, progress: Progress = silent
) -> GroupOut | None:
    """Refit a linear head without each group; None without a rule.

    Args:
        networks: of the search.
        backbone: the one that won.
        rule: how the group of a file is found, as for `find_groups`.
        progress: is called with steps done, steps in all, and a text.

    Raises:
        SettingError, InputError: as `check_groups` and `estimate_group_out`.
    """
    if rule is None:
        return None
    check_groups(networks, rule)
    data, base = networks.data, networks.base(backbone)
    cut = heads.deepest_cut(base, 0)
    assert cut is not None  # a backbone with pretrained weights has one
    frozen = heads.lower_part(base, cut)

    def extract(rows: Dataset) -> np.ndarray:
        plain = AugmentedRows(rows, 1, data.task, AUGMENTATION_SEED)
        return cached_features(frozen, plain, True, data.study.cache, progress)

    groups = _groups(networks, rule)
    return estimate_group_out(data.splits, groups, extract, data.study.seed, progress)


def _groups(networks: Networks, rule: str) -> Groups:
    study, splits = networks.data.study, networks.data.splits
    return find_groups(files_of(splits), study.data, splits.train.classes, rule)
