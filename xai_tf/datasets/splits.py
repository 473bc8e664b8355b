"""Split a listing into training, validation and test files, by class and by group."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np

from xai_tf.datasets.listing import DataOptions, Listing, counted, some
from xai_tf.errors import InputError, SettingError

NO_LABEL = -1  # in the counts of files: those that have none of several labels
SPLITS = ("train", "validation", "test")


def make_splits(
    listing: Listing, options: DataOptions, seed: int
) -> tuple[dict[str, Listing], tuple[str, ...]]:
    """Split a listing into "train", "validation" and "test".

    Splits that the listing brings are used as they are. Missing ones are drawn from the training
    files: first the test set, then the validation set from the rest.

    Returns:
        The listings by split, and notes on the groups, one sentence each.

    Raises:
        InputError: a class has too few files or groups, or a group is in two splits.
        SettingError: a share is not between 0 and 1.
    """
    with_split = (replace(entry, split=entry.split or "train") for entry in listing.entries)
    listing = replace(listing, entries=tuple(with_split))
    splits = {name: listing.of_split(name) for name in SPLITS}
    drawn = [name for name in ("test", "validation") if not splits[name].entries]
    _check_enough(splits["train"], 1 + len(drawn))
    for name in drawn:
        share = getattr(options, name)
        if not 0 < share < 1:
            raise SettingError(
                f"Invalid value for --{name}: {share}. Expected a share between 0 and 1, such as "
                "0.15."
            )
        splits["train"], splits[name] = split_off(splits["train"], share, seed)
    return splits, _group_notes(splits, set(options.allow_leak))


def split_off(listing: Listing, share: float, seed: int) -> tuple[Listing, Listing]:
    """Split a listing in two, by class and by group.

    Args:
        listing: the files.
        share: the share of each class that is split off, about.
        seed: random seed of the draw.

    Returns:
        The rest, and what was split off.

    Raises:
        InputError: a class has fewer than two files or groups.
    """
    _check_enough(listing, 2)
    rng, chosen = np.random.default_rng(seed), set[str]()
    sizes: dict[str, Counter[int]] = {}
    for entry in listing.entries:
        sizes.setdefault(entry.group, Counter()).update(entry.labels or (NO_LABEL,))
    for label in (*range(len(listing.classes)), NO_LABEL):
        groups = [group for group, counts in sizes.items() if label in counts]
        if len(groups) < 2:  # only of files without a label; of the classes there are enough
            continue
        order = [groups[number] for number in rng.permutation(len(groups))]
        _choose_groups(order, label, share, sizes, chosen)
    rest = listing.where(lambda entry: entry.group not in chosen)
    split = listing.where(lambda entry: entry.group in chosen)
    if rest.missing_classes() or split.missing_classes():
        raise InputError(
            f"{len(sizes)} groups cannot be split so that each class is in both splits; "
            f"{some(sizes)} contain several classes. Add files of other groups."
        )
    return rest, split


def _choose_groups(
    order: list[str], label: int, share: float, sizes: dict[str, Counter[int]], chosen: set[str]
) -> None:
    """Add groups to the chosen ones until they hold the share of a class.

    A group is chosen where that brings the class nearer to its share: where each file is a group,
    the share is exact to the file. The last group of a class is never chosen.
    """
    remaining = Counter(other for group in sizes if group not in chosen for other in sizes[group])
    wanted = max(1, round(share * sum(sizes[group][label] for group in order)))
    num_chosen = sum(sizes[group][label] for group in chosen)

    def choose(group: str) -> None:
        nonlocal num_chosen
        if group not in chosen and all(remaining[other] > 1 for other in sizes[group]):
            chosen.add(group)
            remaining.subtract(list(sizes[group]))
            num_chosen += sizes[group][label]

    for group in order:
        if abs(num_chosen + sizes[group][label] - wanted) < abs(num_chosen - wanted):
            choose(group)
    for group in sorted(order, key=lambda group: sizes[group][label]):
        if not num_chosen:
            choose(group)


def _check_enough(listing: Listing, num_splits: int) -> None:
    for label, name in enumerate(listing.classes):
        groups = [entry.group for entry in listing.entries if label in entry.labels]
        num_files, num_groups = len(groups), len(set(groups))
        if num_groups < num_splits:
            size = counted(num_files, "file")
            if num_groups < num_files:
                size += f" in {counted(num_groups, 'group')} ({some(dict.fromkeys(groups))})"
            raise InputError(
                f"Class {name!r} has {size}: too few for {num_splits} splits, because training, "
                "validation and test must not share any. Add some."
            )


def _group_notes(splits: dict[str, Listing], allowed: set[str]) -> tuple[str, ...]:
    """Notes on the groups; refuse a group that is in two splits, unless it is allowed."""
    groups = {name: {entry.group for entry in files.entries} for name, files in splits.items()}
    notes = []
    for one, other in combinations(groups, 2):
        in_both = sorted(groups[one] & groups[other])
        refused = [] if "all" in allowed else [group for group in in_both if group not in allowed]
        if refused:
            raise InputError(
                f"{counted(len(refused), 'group')} in {one} as well as in {other}: "
                f"{some(refused)}. Move the files of each group to one split, or allow it with "
                f"--allow-leak {refused[0]} (or all)."
            )
        if in_both:
            notes.append(f"Groups in {one} as well as in {other}, allowed: {some(in_both)}.")
    num_files = sum(len(files.entries) for files in splits.values())
    num_groups = len(set[str]().union(*groups.values()))
    if num_groups < num_files:
        notes.append(f"{num_files} files in {counted(num_groups, 'group')}, split by group.")
    return tuple(notes)
