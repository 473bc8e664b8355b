"""Scores in one sentence: by what a map is better than random ones, and by what it is not."""

from __future__ import annotations

from collections.abc import Sequence

from xai_tf.metrics.score import Score

CLEAR, CHANCE = 0.95, 0.8  # share of the random maps beaten: this is clear; below that is chance

_WORDS = {
    "en": {
        "better": "Better than {share:.0%} of random maps by {count} of {all} metrics{names}.",
        "chance": "No better than chance by {names}.",
        "none": "None of these metrics holds the map against random ones.",
    },
    "fr": {
        "better": "Meilleure que {share:.0%} des cartes tirées au hasard pour {count} des {all} "
        "mesures{names}.",
        "chance": "Pas meilleure que le hasard pour {names}.",
        "none": "Aucune de ces mesures ne compare la carte à des cartes tirées au hasard.",
    },
}


def verdict(scores: Sequence[Score], language: str = "en") -> str:
    """What scores say together, against random maps; empty without scores.

    A metric counts as better where the map beats at least 95% of the random ones, as chance where
    it beats less than 80%. Those whose best value is that of random maps are left out.

    Args:
        scores: of one explanation.
        language: "en" or "fr".
    """
    if not scores:
        return ""
    words = _WORDS[language]
    held = [one for one in scores if one.metric.has_baseline and one.better_than_random is not None]
    if not held:
        return words["none"]
    better = [one.metric.title for one in held if one.better_than_random >= CLEAR]
    chance = [one.metric.title for one in held if one.better_than_random < CHANCE]
    names = f" ({', '.join(better)})" if better else ""
    said = words["better"].format(share=CLEAR, count=len(better), all=len(held), names=names)
    return f"{said} {words['chance'].format(names=', '.join(chance))}" if chance else said
