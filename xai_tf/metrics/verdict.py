"""Summarize scores in a sentence: on which metrics a map is better than random maps."""

from __future__ import annotations

from collections.abc import Sequence

from xai_tf.metrics.score import Score

CLEAR, CHANCE = 0.95, 0.8  # win rates: better than random from CLEAR, due to chance below CHANCE

_WORDS = {
    "en": {
        "better": "Better than {share} of random maps on {count} of {all} metrics{names}.",
        "chance": "No better than chance on {names}.",
        "none": "None of these metrics is compared with random maps.",
    },
    "fr": {
        "better": "Meilleure que {share} des cartes aléatoires selon {count} des {all} "
        "métriques{names}.",
        "chance": "Pas meilleure que le hasard selon {names}.",
        "none": "Aucune de ces métriques n'est comparée à des cartes aléatoires.",
    },
}


def verdict(scores: Sequence[Score], language: str = "en") -> str:
    """Summarize the comparison of scores with random maps; empty without scores.

    A metric counts as better where the map is better than at least 95% of the random maps, and as
    chance where it is better than less than 80%. Metrics without a random baseline are left out.

    Args:
        scores: the scores of one explanation.
        language: "en" or "fr".
    """
    if not scores:
        return ""
    words = _WORDS[language]
    win_rates = {
        one.metric.title: one.better_than_random
        for one in scores
        if one.metric.has_baseline and one.better_than_random is not None
    }
    if not win_rates:
        return words["none"]
    better = [title for title, rate in win_rates.items() if rate >= CLEAR]
    chance = [title for title, rate in win_rates.items() if rate < CHANCE]
    names = f" ({', '.join(better)})" if better else ""
    share = f"{CLEAR:.0%}"
    share = share.replace("%", "\N{NO-BREAK SPACE}%") if language == "fr" else share
    text = words["better"].format(share=share, count=len(better), all=len(win_rates), names=names)
    return f"{text} {words['chance'].format(names=', '.join(chance))}" if chance else text
