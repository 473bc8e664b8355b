"""The metrics: one entry each. The command, the page, the docs and the tests read this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from xai_tf.attribution.methods import Cost, Method, Option, Settings
from xai_tf.errors import SettingError, pick

ALL_METRICS = "all"


@dataclass(frozen=True)
class Metric:
    """A way to judge an explanation.

    Attributes:
        name: the name in `METRICS`.
        title: for people.
        family: "fidelity" (pictures are changed by the map, and the network is asked about them),
            "form" (of the map alone), "rerun" (the method is run again) or "figure" (what the
            method measured of itself).
        direction: "higher" or "lower", whichever is better.
        low, high: the range of the value; None where it has no such end.
        meaning: one plain sentence by language ("en", "fr"), and one more where random maps are no
            has_baseline: why there are none, or why one should be like them.
        paper: where it comes from.
        cost: its passes, from the settings, the (height, width) of the image, and the cost of the
            method that is judged.
        options: its settings.
        applies: whether it says something of a method.
        only: the methods it is for, in words; empty where it is for all.
        has_baseline: whether a good map beats random ones, where there are any; else how many it beats is
            not told.
    """

    name: str
    title: str
    family: str
    direction: str
    low: float | None
    high: float | None
    meaning: Mapping[str, str]
    paper: str
    cost: Callable[[Settings, tuple[int, int], Cost], Cost]
    options: Mapping[str, Option] = field(default_factory=dict)
    applies: Callable[[Method], bool] = lambda _: True
    only: str = ""
    has_baseline: bool = True

    # Checked and completed as those of methods are: from the title and the options.
    settings = Method.settings

    @property
    def better(self) -> str:
        """The range and the better end, in words."""
        high = "no limit" if self.high is None else f"{self.high:g}"
        low = "no limit" if self.low is None else f"{self.low:g}"
        return f"{low} to {high}, {self.direction} is better"


def select_metrics(metrics: Sequence[str] | None, methods: Sequence[Method]) -> list[Metric]:
    """The metrics that say something of at least one of the methods.

    Args:
        metrics: names in `METRICS`, or "all"; all that need no second run of a method if left out.
        methods: what is judged.

    Raises:
        UnknownNameError: there is no such metric.
        SettingError: one that was named says nothing of any of the methods.
    """
    if metrics is None or ALL_METRICS in metrics:
        return [
            metric
            for metric in METRICS.values()
            if (metrics or metric.family != "rerun") and any(map(metric.applies, methods))
        ]
    chosen = [pick(METRICS, name, "metric") for name in dict.fromkeys(metrics)]
    for metric in chosen:
        if not any(map(metric.applies, methods)):
            raise SettingError(
                f"{metric.title} is for {metric.only} only, not for "
                f"{', '.join(method.title for method in methods)}. Leave it out."
            )
    return chosen


def _path_cost(settings: Settings, _size: object, _method: Cost) -> Cost:
    """Both ends, and what lies between them for the map and for each random one."""
    inner = int(settings["steps"]) - 1
    return Cost(forward=2 + inner * (1 + int(settings["num_random"])))


def _average_cost(settings: Settings, _size: object, _method: Cost) -> Cost:
    return Cost(forward=2 + int(settings["num_random"]))


def _sample_cost(settings: Settings, _size: object, _method: Cost) -> Cost:
    return Cost(forward=int(settings["num_samples"]))


def _free(*_: object) -> Cost:
    return Cost()


def _reruns(option: str) -> Callable[[Settings, tuple[int, int], Cost], Cost]:
    def cost(settings: Settings, _size: object, method: Cost) -> Cost:
        count = int(settings[option])
        return Cost(count * method.forward, count * method.gradient)

    return cost


_BASELINE = Option(None, 0, 1, "level that stands for 'nothing there', 0 black to 1 white")
_RANDOM = Option(20, 0, 200, "random maps it is held against")
_PATH = {
    "steps": Option(10, 2, 500, "steps from the first picture to the last"),
    "baseline": _BASELINE,
    "num_random": _RANDOM,
}
_AVERAGE = {"baseline": _BASELINE, "num_random": _RANDOM}
_PLACE = {
    "en": "Random maps have the same value, since they differ in nothing but the place.",
    "fr": "Les cartes au hasard ont la même valeur, car seule la place y change.",
}
_PETSIUK = "Petsiuk et al. 2018, RISE, arXiv:1806.07421"
_BHATT = "Bhatt et al. 2020, Evaluating Feature-based Explanations, arXiv:2005.00631"
_CHATTOPADHAY = "Chattopadhay et al. 2018, Grad-CAM++, arXiv:1710.11063"

_ALL = (
    Metric(
        "deletion", "Deletion", "fidelity", "lower", 0, 1,
        {"en": "The mean probability while the strongest places are taken away first: it falls "
               "soon where the map is right.",
         "fr": "La probabilité moyenne quand on efface d'abord les endroits les plus forts : elle "
               "chute vite si la carte dit vrai."},
        _PETSIUK, _path_cost, _PATH,
    ),
    Metric(
        "insertion", "Insertion", "fidelity", "higher", 0, 1,
        {"en": "The mean probability while the strongest places are put back first: it rises "
               "soon where the map is right.",
         "fr": "La probabilité moyenne quand on remet d'abord les endroits les plus forts : elle "
               "monte vite si la carte dit vrai."},
        _PETSIUK, _path_cost, _PATH,
    ),
    Metric(
        "mu_fidelity", "MuFidelity", "fidelity", "higher", -1, 1,
        {"en": "Whether the probability falls the more, the more of the map is hidden, over "
               "random cells: a rank correlation.",
         "fr": "La probabilité baisse-t-elle d'autant plus qu'on cache une plus grande part de la "
               "carte ? Corrélation de rang sur des cases tirées au hasard."},
        f"{_BHATT} (definition 3)", _sample_cost,
        {"num_samples": Option(200, 20, 4000, "random sets of cells that are hidden"),
         "grid": Option(9, 2, 56, "cells along each side"),
         "hidden": Option(0.2, 0.01, 0.9, "share of the cells that is hidden"),
         "baseline": _BASELINE, "num_random": _RANDOM},
    ),
    Metric(
        "average_drop", "Average drop", "fidelity", "lower", 0, 1,
        {"en": "The share of the probability that is lost where only what the map shows is kept.",
         "fr": "La part de la probabilité perdue quand on ne garde que ce que montre la carte."},
        _CHATTOPADHAY, _average_cost, _AVERAGE,
    ),
    Metric(
        "average_gain", "Average gain", "fidelity", "higher", 0, 1,
        {"en": "The share of the missing probability that is won where only what the map shows "
               "is kept.",
         "fr": "La part de la probabilité manquante gagnée quand on ne garde que ce que montre la "
               "carte."},
        "Zhang et al. 2024, Opti-CAM, arXiv:2301.07002", _average_cost, _AVERAGE,
    ),
    Metric(
        "average_increase", "Average increase", "fidelity", "higher", 0, 1,
        {"en": "Whether the probability grows where only what the map shows is kept: 1 for yes, "
               "0 for no.",
         "fr": "La probabilité croît-elle quand on ne garde que ce que montre la carte : 1 pour "
               "oui, 0 pour non."},
        _CHATTOPADHAY, _average_cost, _AVERAGE,
    ),
    Metric(
        "sparseness", "Sparseness", "form", "higher", 0, 1,
        {"en": "How much of the map lies in few pixels (Gini index): easy to read, which does not "
               f"make it right. {_PLACE['en']}",
         "fr": "Quelle part de la carte tient en peu de pixels (indice de Gini) : facile à lire, "
               f"ce qui ne la rend pas juste. {_PLACE['fr']}"},
        "Chalasani et al. 2020, Concise Explanations of Neural Networks, arXiv:1810.06583", _free,
    ),
    Metric(
        "complexity", "Complexity", "form", "lower", 0, None,
        {"en": "Over how many pixels the map is spread (entropy, at most the logarithm of their "
               f"number): hard to read where it is high. {_PLACE['en']}",
         "fr": "Sur combien de pixels la carte s'étale (entropie, au plus le logarithme de leur "
               f"nombre) : difficile à lire quand elle est élevée. {_PLACE['fr']}"},
        _BHATT, _free,
    ),
    Metric(
        "average_stability", "Average stability", "rerun", "lower", 0, None,
        {"en": "How far the map moves, as a share of itself, where the picture changes by a noise "
               "nobody sees.",
         "fr": "De combien la carte bouge, en part d'elle-même, quand l'image change d'un bruit "
               "que personne ne voit."},
        f"{_BHATT} (definition 2)", _reruns("num_samples"),
        {"num_samples": Option(8, 1, 200, "noisy pictures that are explained"),
         "radius": Option(0.05, 0.001, 0.5, "the most a channel changes; the image spans 0 to 1"),
         "num_random": _RANDOM},
    ),
    Metric(
        "repeat_correlation", "Repeat-run correlation", "rerun", "higher", -1, 1,
        {"en": "How like the map is to those of other random draws (rank correlation of cells): "
               "low where the samples are too few.",
         "fr": "À quel point la carte ressemble à celles d'autres tirages (corrélation de rang "
               "des cases) : faible quand les échantillons manquent."},
        "Visani et al. 2022, Statistical Stability Indices for LIME, arXiv:2001.11757",
        _reruns("num_repeats"),
        {"num_repeats": Option(2, 1, 20, "further runs, each with another seed"),
         "num_random": _RANDOM},
        lambda method: method.stochastic, "methods that draw random numbers",
    ),
    Metric(
        "randomisation", "Model randomisation", "rerun", "lower", 0, 1,
        {"en": "How far the map follows that of a network that has forgotten what it learnt (rank "
               "correlation, whatever its sign): a map that does tells of the picture, not of the "
               "network. Random maps follow nothing: a good map is like them, and need not beat "
               "them.",
         "fr": "À quel point la carte suit celle d'un réseau qui a oublié ce qu'il a appris "
               "(corrélation de rang, quel que soit son signe) : une carte qui la suit parle de "
               "l'image, pas du réseau. Les cartes au hasard ne suivent rien : une bonne carte "
               "leur ressemble, sans avoir à les battre."},
        "Adebayo et al. 2018, Sanity Checks for Saliency Maps, arXiv:1810.03292",
        lambda _settings, _size, method: method,
        {"share": Option(0.25, 0.01, 1, "share of the layers, from the last, that forget"),
         "num_random": _RANDOM},
        has_baseline=False,
    ),
    Metric(
        "completeness_gap", "Completeness gap", "figure", "lower", 0, None,
        {"en": "The share of the change from the baseline to the picture that the map misses. "
               f"{_PLACE['en']}",
         "fr": "La part du changement, de la référence à l'image, que la carte ne retrouve pas. "
               f"{_PLACE['fr']}"},
        "Sundararajan et al. 2017, Axiomatic Attribution, arXiv:1703.01365", _free,
        applies=lambda method: method.complete, only="Integrated gradients",
    ),
    Metric(
        "efficiency_gap", "Efficiency gap", "figure", "lower", 0, None,
        {"en": "The share of the change from the empty picture to the whole that the segments' "
               "weights miss. They are fitted so that it is zero, wherever they lie: more than "
               "rounding is a defect.",
         "fr": "La part du changement, de l'image vide à l'image entière, que les poids des "
               "segments ne retrouvent pas. Ils sont ajustés pour qu'elle soit nulle, où qu'ils "
               "soient : plus qu'un arrondi est un défaut."},
        "Lundberg & Lee 2017, A Unified Approach, arXiv:1705.07874", _free,
        applies=lambda method: method.explainer == "KernelShap", only="Kernel SHAP",
    ),
    Metric(
        "r2", "R2 of the linear model", "figure", "higher", 0, 1,
        {"en": "How well LIME's linear model fits the network near the picture, on the samples it "
               "is fitted to. It is of the model and not of the map, so random maps have none.",
         "fr": "À quel point le modèle linéaire de LIME suit le réseau autour de l'image, sur les "
               "échantillons dont il est tiré. C'est celui du modèle et non de la carte : les "
               "cartes au hasard n'en ont pas."},
        "Ribeiro et al. 2016, 'Why Should I Trust You?', arXiv:1602.04938", _free,
        applies=lambda method: method.explainer == "Lime", only="LIME",
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
