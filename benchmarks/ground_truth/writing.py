"""The leaderboard as a page: Markdown, with what follows from the numbers said in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.ground_truth.baselines import BASELINES, TITLES
from benchmarks.ground_truth.candidates import CANDIDATES
from benchmarks.ground_truth.leaderboard import (
    Round,
    Spent,
    Standing,
    is_method,
    rounds_of,
    spent,
    standings,
)
from benchmarks.ground_truth.learning import LEARNERS, MIN_ACCURACY, MIN_FLIPPED
from benchmarks.ground_truth.puzzle import SMALL
from benchmarks.ground_truth.puzzles import CHOSEN_ON, PUZZLES
from benchmarks.ground_truth.running import DEFAULT_SIDE
from benchmarks.ground_truth.scoring import SCORES, interval
from xai_tf.attribution.methods import METHODS
from xai_tf.cli.explain import default_methods
from xai_tf.datasets.listing import counted

BUDGETS = (1, 4, 32, 128, 512, 1024)  # passes
# What "when" is: a name for people, and which rounds it means.
SITUATIONS: dict[str, Callable[[Round], bool]] = {
    "photos": lambda one: one.kind == "photo",
    "X-rays": lambda one: one.kind == "X-ray",
    "MRI slices": lambda one: one.kind == "MRI",
    "sound": lambda one: one.kind == "sound" and one.puzzle != "missing_band",
    "evidence that is missing (the silenced band)": lambda one: one.puzzle == "missing_band",
    f"small plants (under {SMALL:.0%} of the picture)": lambda one: one.small,
    "large plants": lambda one: not one.small,
    **{
        learner.title: lambda one, name=name: one.backbone == name
        for name, learner in LEARNERS.items()
    },
}

HEAD = """\
# Leaderboard: which method finds what decided?

In these puzzles the right answer is known, because it was planted in real files: networks were \
trained that can tell the classes apart by the plant only, and each method was asked, with its \
default settings, where the network sees the plant's class. Written by

    python -m benchmarks.ground_truth --data DATA

- **pointing**: the strongest place of the map is in the plant.
- **energy**: share of the evidence (positive values; the strength of an unsigned map) in the plant.
- **IoU**: overlap of the plant with as many of the strongest pixels.
- **AUC**: how often a pixel of the plant is stronger than one outside.
- **skill**: the mean of these four, each from chance (0) to perfect (1). A constant map has 0.
- **rank**: by skill among all entries in each round (a puzzle on a backbone), then the mean.

Sobel edges, the brightness of the picture, a Gaussian in the centre and random numbers are blind: \
they know nothing of the network, and what does not beat the best of them found nothing. Nearly \
every picture also holds a decoy, in both classes, that stands out as the plant does. Intervals \
are 95% bootstrap intervals over files; another puzzle may lie outside of them.
"""

LIMITS = """\
## What this does not say

The plants are small worlds: one thing decides, it is local, and it was put there. A real question \
may be decided by many weak things, where no mask is the truth. Pictures are 112x112 \
(MobileNetV2: Grad-CAM has 4x4 places, at 224x224 7x7) and 48x48 (plain CNN: 12x12; the splice \
64x64: 16x16), so that all runs within 45 minutes; settings in pixels are scaled with them. The \
mask of a sound is where it is heard in time and mel bands, and a network may well look at its \
start alone. Plants and training were worked on until the networks passed their check on these \
files; no method's score was looked at for that.
"""


BUDGET = """\
## What finds most for so many passes

A pass is one picture through the network, forward or forward and backward. Methods are asked at \
their defaults and with the settings that `xai-tf explain --budget` takes for so many passes. \
Chosen is by the skill on one half of the puzzles ({chosen}); the numbers are those of the other \
half, which no setting was chosen by, with 95% bootstrap intervals over files. Blur and smoothing \
of Squared IG were chosen earlier on puzzles of both halves, but for the line and the splice.
"""

TRIED = "Tried besides, as programs of this benchmark, and no methods of the library:\n"

DEFAULTS = """\
## What is shown unasked, and why

Squared IG is what the page draws first, and what `explain`, `audit`, `errors`, `profile` and the \
functions of Python take where no method is named: for few passes nothing finds more. `explain` \
and `compare` add Grad-CAM, for the one pass it takes: most people know it, it says roughly where, \
and it shares nothing with Squared IG but the network. Where a model gives no gradients, Occlusion \
is drawn first, and RISE (`--method rise`) finds more for more passes. `listen` takes \
Kernel SHAP on times and bands: muting its regions moves the logit as it says \
(benchmarks/results.md, Audible evidence), which is not shown of the others. Passes are those of \
the default settings at 224x224.
"""


def page(results: Sequence[Mapping[str, Any]], picture: str) -> str:
    """The page: Markdown, with the name of the picture that stands beside it."""
    rounds = rounds_of(results)
    if not rounds:
        parts = [HEAD, "No network passed its check, so nothing can be ranked.\n"]
        return "\n".join([*parts, _networks(results)])
    return "\n".join(
        [
            HEAD,
            f"![Skill of each method in each round]({picture})\n",
            _overall(rounds),
            _silent(results),
            _budgets(results),
            _when(rounds),
            _defaults(rounds),
            _networks(results),
            _shortcut(results),
            _undone(results),
            _rounds(rounds),
            LIMITS,
        ]
    )


def title(entry: str) -> str:
    return TITLES[entry] if entry in BASELINES else METHODS[entry].title


def _overall(rounds: Sequence[Round]) -> str:
    rows = [
        (
            str(place),
            title(one.entry),
            f"{one.rank:.1f}",
            f"{one.skill:.2f} ({one.low:.2f} to {one.high:.2f})",
            *(f"{one.scores[name]:.2f}" for name in SCORES),
            f"{one.beats_blind} of {one.rounds}",
        )
        for place, one in enumerate(standings(rounds), start=1)
    ]
    files = sum(len(one.skills["edges"]) for one in rounds)
    heads = ("", "method", "rank", "skill", "pointing", "energy", "IoU", "AUC", "beats blind")
    return f"## Overall: {len(rounds)} rounds, {files} files\n\n{_table(heads, rows)}"


def _budgets(results: Sequence[Mapping[str, Any]]) -> str:
    """What finds most for a number of passes, and what was tried and is no method."""
    entries = spent(results)
    if not entries:
        return ""
    heads = ("passes", "first", "second", "third")
    rows = [
        (
            f"{most}",
            *(
                f"{_entry(one.entry)}: {one.skill:.2f}"
                for one in _first_of_each([one for one in entries if one.passes <= most])[:3]
            ),
        )
        for most in BUDGETS
    ]
    every = [
        (
            _entry(one.entry),
            f"{one.passes}",
            f"{one.chosen:.2f}",
            f"{one.skill:.2f} ({one.low:.2f} to {one.high:.2f})",
            f"{one.pointing:.2f}",
        )
        for one in entries
    ]
    all_heads = ("method", "passes", "skill, chosen on", "skill, reported", "pointing, reported")
    chosen = _list([PUZZLES[name].title for name in CHOSEN_ON])
    text = BUDGET.format(chosen=chosen)
    tried = [one for one in entries if one.entry in CANDIDATES]
    methods = [one for one in entries if is_method(one.entry.partition("@")[0])]
    lines = [
        f"- **{CANDIDATES[one.entry].title}** ({CANDIDATES[one.entry].paper}): skill "
        f"{one.skill:.2f} for {_passes(one.passes)}; "
        f"{_rival(one, methods)}."
        for one in tried
    ]
    return "\n".join(
        [text, _table(heads, rows), _table(all_heads, every), TRIED, "\n".join(lines), ""]
    )


def _first_of_each(entries: Sequence[Spent]) -> list[Spent]:
    """Of each method the entry that comes first."""
    found: dict[str, Spent] = {}
    for one in entries:
        found.setdefault(one.entry.partition("@")[0], one)
    return list(found.values())


def _rival(one: Spent, methods: Sequence[Spent]) -> str:
    """The best method that takes no more passes, or the cheapest where none does."""
    within = [other for other in methods if other.passes <= one.passes] or list(methods)
    best = max(within, key=lambda other: (round(other.skill, 2), -other.passes))
    return f"{title(best.entry.partition('@')[0])} has {best.skill:.2f} for {best.passes}"


def _entry(entry: str) -> str:
    name, _, passes = entry.partition("@")
    shown = CANDIDATES[name].title if name in CANDIDATES else title(name)
    return f"{shown}, {_passes(int(passes))}" if passes else shown


def _passes(count: int) -> str:
    return f"{count} pass" if count == 1 else f"{count} passes"


def _silent(results: Sequence[Mapping[str, Any]]) -> str:
    """Which methods gave maps that say nothing: they score as a constant map does, as chance."""
    counts: dict[str, int] = {}
    for result in results:
        for method, number in result.get("silent", {}).items():
            counts[method] = counts.get(method, 0) + number
    told = _list([f"{METHODS[name].title} ({number})" for name, number in counts.items()])
    return f"Maps without any signal, which score as chance: {told or 'none'}.\n"


def _when(rounds: Sequence[Round]) -> str:
    lines = ["## Which to trust when\n"]
    everywhere = standings(rounds)
    lines.append(f"Over all rounds {_best(everywhere)}.")
    every = [title(s.entry) for s in everywhere if is_method(s.entry) and s.beats_blind == s.rounds]
    never = [
        title(s.entry) for s in everywhere if is_method(s.entry) and s.beats_blind <= s.rounds / 2
    ]
    if every:
        lines.append(f"The best of the blind is beaten in every round by {_list(every)};")
    else:
        lines.append("No method beats the best of the blind in every round;")
    lines.append(
        f"in half of them or fewer by {_list(never)}.\n" if never else "all others do in most.\n"
    )
    for situation, which in SITUATIONS.items():
        found = standings(rounds, which)
        if not found:
            continue
        blind = max(s.skill for s in found if s.entry in BASELINES)
        worse = [title(s.entry) for s in found if is_method(s.entry) and s.skill <= blind]
        text = f"- **{situation[0].upper()}{situation[1:]}** "
        text += f"({counted(found[0].rounds, 'round')}): {_best(found)}."
        text += f" Not better than the best of the blind: {_list(worse)}." if worse else ""
        lines.append(text)
    return "\n".join(lines) + "\n"


def _defaults(rounds: Sequence[Round]) -> str:
    """What the numbers mean for what is shown without being asked."""
    size = (DEFAULT_SIDE, DEFAULT_SIDE)
    rows = []
    for one in (one for one in standings(rounds) if is_method(one.entry)):
        method = METHODS[one.entry]
        rows.append(
            (
                method.title,
                method.passes(method.settings({}, 0.0), size),
                f"{one.rank:.1f}",
                f"{one.skill:.2f}",
                f"{one.beats_blind} of {one.rounds}",
                "yes" if one.entry in default_methods() else "",
            )
        )
    table = _table(("method", "passes", "rank", "skill", "beats blind", "default"), rows)
    return f"{DEFAULTS}\n{table}"


def _best(found: Sequence[Standing]) -> str:
    methods = [s for s in found if is_method(s.entry)]
    first = [f"{title(s.entry)} (skill {s.skill:.2f})" for s in methods[:3]]
    return f"{_list(first)} find most"


def _networks(results: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            PUZZLES[one["puzzle"]].title,
            LEARNERS[one["backbone"]].title,
            f"{one['check']['accuracy']:.1%}",
            f"{one['check']['flipped']:.1%}",
            f"{np.mean(one['areas']):.1%}" if "areas" in one else "",
            _used(one),
            f"{sum(one['seconds'].values()):.0f}",
        )
        for one in results
    ]
    heads = ("puzzle", "network", "accuracy", "flipped", "area", "ranked", "seconds")
    files = results[0]["check"]["files"] if results else 0
    plants = "\n".join(
        f"- **{PUZZLES[name].title}**: {PUZZLES[name].plant_text}."
        for name in dict.fromkeys(one["puzzle"] for one in results)
    )
    text = (
        f"## The plants, and the networks\n\n{plants}\n\nOn {files} test files, each with the "
        "plant and without (all else alike): accuracy, and the share of files whose logit changes "
        "its sign when the plant is taken away, from its class to the other. Below "
        f"{MIN_ACCURACY:.0%} or {MIN_FLIPPED:.0%} a network is not ranked on."
    )
    return f"{text}\n\n{_table(heads, rows)}"


def _used(result: Mapping[str, Any]) -> str:
    if not result["check"]["passed"]:
        return "no: failed"
    return "yes" if "scores" in result else "no: for the audit"


def _shortcut(results: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            PUZZLES[one["puzzle"]].title,
            LEARNERS[one["backbone"]].title,
            METHODS[method].title,
            f"{said['alarm']} of {said['files']}",
            ", ".join(f"{region}: {alarm}" for region, alarm in said["folder"].items()) or "none",
            ", ".join(f"{region} {share:.0%}" for region, share in said["shares"].items()),
        )
        for one in results
        for method, said in one.get("audit", {}).items()
    ]
    heads = (
        "puzzle",
        "network",
        "method",
        "files with an alarm",
        "alarms of the folder",
        "evidence in",
    )
    text = (
        "## The shortcut, and what the region audit says\n\nA tag in a corner gives the class "
        "away. The audit (`xai-tf audit`) has to expose it, and to be silent about corners and "
        "marks where the plant is in the lungs."
    )
    return f"{text}\n\n{_table(heads, rows)}"


def _undone(results: Sequence[Mapping[str, Any]]) -> str:
    known = [one["undone"] for one in results if "undone" in one]
    rows = [
        (
            METHODS[method].title,
            *(
                f"{np.mean([one[method][state][name] for one in known]):.2f}"
                for name in SCORES
                for state in ("trained", "undone")
            ),
        )
        for method in (known[0] if known else ())
    ]
    heads = ("method", *(f"{name}, {s}" for name in SCORES for s in ("trained", "random weights")))
    text = (
        "## A network with random weights\n\nOne method of each kind on the trained network and on "
        "the same with all weights drawn anew, means over all rounds: what is left is what a "
        "method shows of the picture alone."
    )
    return f"{text}\n\n{_table(heads, rows)}"


def _rounds(rounds: Sequence[Round]) -> str:
    parts = ["## Each round\n"]
    for puzzle in dict.fromkeys(one.puzzle for one in rounds):
        for one in (r for r in rounds if r.puzzle == puzzle):
            rows = [
                (
                    title(entry),
                    f"{one.ranks[entry]:.0f}",
                    f"{np.nanmean(one.skills[entry]):.2f}",
                    *(_interval(one.scores[entry][name]) for name in SCORES),
                )
                for entry in sorted(one.ranks, key=one.ranks.__getitem__)
            ]
            parts += [
                f"### {PUZZLES[puzzle].title}: {LEARNERS[one.backbone].title}\n",
                f"The plant covers {one.area:.1%}; {len(one.skills['edges'])} files.\n",
                _table(("method", "rank", "skill", *SCORES), rows),
            ]
    return "\n".join(parts)


def _interval(values: Sequence[float]) -> str:
    mean, low, high = interval(values)
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _list(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
