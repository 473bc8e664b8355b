"""A listing, parted into what trains, validates and tests."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np

from xai_tf.datasets.listing import DataOptions, Listing, counted, some
from xai_tf.errors import InputError, SettingError


def part(
    listing: Listing, options: DataOptions, seed: int
) -> tuple[dict[str, Listing], tuple[str, ...]]:
    """Part a listing into "train", "validation" and "test"; and notes on its groups.

    Sets that the listing brings are those sets. What is missing is drawn: the test set first, then
    the validation set from the rest.

    Raises:
        InputError: a class has too few files or groups, or a group is in two sets.
        SettingError: a share is not between 0 and 1.
    """
    sides = {
        side: listing.where(lambda entry, side=side: (entry.split or "train") == side)
        for side in ("train", "validation", "test")
    }
    drawn = [side for side in ("test", "validation") if not sides[side].entries]
    _check_enough(sides["train"], 1 + len(drawn))
    for side in drawn:
        share = getattr(options, side)
        if not 0 < share < 1:
            raise SettingError(f"--{side} {share} is no share. Take one like 0.15.")
        sides["train"], sides[side] = split(sides["train"], share, seed)
    return sides, _group_notes(sides, set(options.allow_leak))


def split(listing: Listing, share: float, seed: int) -> tuple[Listing, Listing]:
    """Part a listing in two, by class and by group: (the rest, about `share` of each class).

    Raises:
        InputError: a class has fewer than two files or groups.
    """
    _check_enough(listing, 2)
    rng, taken = np.random.default_rng(seed), set()
    sizes: dict[str, Counter[int]] = {}
    for entry in listing.entries:
        sizes.setdefault(entry.group, Counter())[entry.label] += 1
    for label in range(len(listing.classes)):
        groups = [group for group, counts in sizes.items() if label in counts]
        order = [groups[number] for number in rng.permutation(len(groups))]
        _draw(order, label, share, sizes, taken)
    parts = tuple(
        listing.where(lambda entry, side=side: (entry.group in taken) == side)
        for side in (False, True)
    )
    if any(side.missing() for side in parts):
        raise InputError(
            f"{len(sizes)} groups cannot be parted so that each class is on both sides; "
            f"{some(sizes)} hold several. Add files of other groups."
        )
    return parts


def _draw(
    order: list[str], label: int, share: float, sizes: dict[str, Counter[int]], taken: set[str]
) -> None:
    """Add groups to those taken, until they hold the share of a class.

    A group is taken where that brings the class nearer to its share: where each file is a group,
    the share is exact to the file. What is the last group of a class is left.
    """
    left = Counter(other for group in sizes if group not in taken for other in sizes[group])
    wanted = max(1, round(share * sum(sizes[group][label] for group in order)))
    got = sum(sizes[group][label] for group in taken)

    def take(group: str) -> None:
        nonlocal got
        if group not in taken and all(left[other] > 1 for other in sizes[group]):
            taken.add(group)
            left.subtract(list(sizes[group]))
            got += sizes[group][label]

    for group in order:
        if abs(got + sizes[group][label] - wanted) < abs(got - wanted):
            take(group)
    for group in sorted(order, key=lambda group: sizes[group][label]):
        if not got:
            take(group)


def _check_enough(listing: Listing, num_sides: int) -> None:
    for label, name in enumerate(listing.classes):
        groups = [entry.group for entry in listing.entries if entry.label == label]
        num_files, num_groups = len(groups), len(set(groups))
        if num_groups < num_sides:
            found = counted(num_files, "file")
            if num_groups < num_files:
                found += f" in {counted(num_groups, 'group')} ({some(dict.fromkeys(groups))})"
            raise InputError(
                f"Class {name!r} has {found}: too few to part in {num_sides}, for training, "
                "validation and test share none. Add some."
            )


def _group_notes(sides: dict[str, Listing], allowed: set[str]) -> tuple[str, ...]:
    """Refuse a group in two sets, unless it is allowed; notes on the groups."""
    groups = {side: {entry.group for entry in files.entries} for side, files in sides.items()}
    notes = []
    for one, other in combinations(groups, 2):
        both = sorted(groups[one] & groups[other])
        refused = [] if "all" in allowed else [group for group in both if group not in allowed]
        if refused:
            raise InputError(
                f"{counted(len(refused), 'group')} in {one} as well as in {other}: "
                f"{some(refused)}. Move the files of each to one side, or allow it with "
                f"--allow-leak {refused[0]} (or all)."
            )
        if both:
            notes.append(f"Groups in {one} as well as in {other}, allowed: {some(both)}.")
    num_files = sum(len(files.entries) for files in sides.values())
    num_groups = len(set.union(*groups.values()))
    if num_groups < num_files:
        notes.append(f"{num_files} files in {counted(num_groups, 'group')}, parted by group.")
    return tuple(notes)
