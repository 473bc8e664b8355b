"""The metrics: one entry each. The command, the page, the docs and the tests read this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from xai_tf.attribution.methods import Cost, Method, Option, Settings, Value, complete_settings
from xai_tf.errors import SettingError, pick

ALL_METRICS = "all"


# Named, so that scores can be pickled.
def _to_all(_: Method) -> bool:
    return True


def _to_stochastic(method: Method) -> bool:
    return method.stochastic


def _to_complete(method: Method) -> bool:
    return method.complete


def _to_kernel_shap(method: Method) -> bool:
    return method.explainer == "KernelShap"


def _to_lime(method: Method) -> bool:
    return method.explainer == "Lime"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A measure of the quality of an explanation.

    Attributes:
        name: its key in `METRICS`.
        title: the name shown to users.
        family: "fidelity" (masks the image by the map and measures the prediction), "form" (of the
            map alone), "rerun" (runs the method again) or "figure" (what the method computed about
            itself).
        direction: "higher" or "lower", whichever is better.
        low, high: the range of the value; None where it is unbounded.
        meaning: a short explanation by language ("en", "fr"), with a further sentence where random
            maps are no baseline.
        paper: the reference.
        cost: its passes, computed from the settings, the (height, width) of the image, and the
            cost of the method that is evaluated.
        options: its settings by name.
        applies: whether it can evaluate a method.
        only: the methods it applies to, in words; empty where it applies to all.
        needs: what it needs of a model, a name in `ACCESS`.
        has_baseline: whether a good map should score better than random maps; otherwise no win rate
            is reported.
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
    applies: Callable[[Method], bool] = _to_all
    only: str = ""
    needs: str = "predictions"
    has_baseline: bool = True

    def settings(self, given: Settings, baseline: float) -> dict[str, Value]:
        """All settings: the given values, checked, and the defaults; see `complete_settings`."""
        return complete_settings(self.title, self.options, given, baseline)

    @property
    def better(self) -> str:
        """The range and the better direction, in words: "0 to 1, lower is better"."""
        high = "no limit" if self.high is None else f"{self.high:g}"
        low = "no limit" if self.low is None else f"{self.low:g}"
        return f"{low} to {high}, {self.direction} is better"


def select_metrics(metrics: Sequence[str] | None, methods: Sequence[Method]) -> list[Metric]:
    """The metrics that apply to at least one of the methods.

    Args:
        metrics: names in `METRICS`, or "all". If left out, all that do not run the method again.
        methods: the methods to evaluate.

    Raises:
        UnknownNameError: there is no such metric.
        SettingError: a metric that was named applies to none of the methods.
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
                f"The metric {metric.title} applies only to {metric.only}, not to "
                f"{', '.join(method.title for method in methods)}. Omit it."
            )
    return chosen


def _path_cost(settings: Settings, _size: object, _method: Cost) -> Cost:
    """Both ends, and the steps in between for the map and for each random map."""
    inner = int(settings["steps"]) - 1
    return Cost(forward=2 + inner * (1 + int(settings["num_random"])))


def _average_cost(settings: Settings, _size: object, _method: Cost) -> Cost:
    return Cost(forward=2 + int(settings["num_random"]))


def _sample_cost(settings: Settings, _size: object, _method: Cost) -> Cost:
    return Cost(forward=int(settings["num_samples"]))


def _one_run(_settings: Settings, _size: object, method: Cost) -> Cost:
    return method


def _free(*_: object) -> Cost:
    return Cost()


def _reruns(option: str) -> Callable[[Settings, tuple[int, int], Cost], Cost]:
    def cost(settings: Settings, _size: object, method: Cost) -> Cost:
        count = int(settings[option])
        return Cost(count * method.forward, count * method.gradient)

    return cost


_BASELINE = Option(None, 0, 1, "value of masked pixels, from 0 (black) to 1 (white)")
_RANDOM = Option(20, 0, 200, "number of random maps to compare with")
_PATH = {
    "steps": Option(10, 2, 500, "number of steps from the first image to the last"),
    "baseline": _BASELINE,
    "num_random": _RANDOM,
}
_AVERAGE = {"baseline": _BASELINE, "num_random": _RANDOM}
_SAME_FOR_RANDOM = {
    "en": "Random maps have the same value, because only the location differs.",
    "fr": "Les cartes aléatoires ont la même valeur, car seul l'emplacement change.",
}
_PETSIUK = "Petsiuk et al. 2018, RISE, arXiv:1806.07421"
_BHATT = "Bhatt et al. 2020, Evaluating Feature-based Explanations, arXiv:2005.00631"
_CHATTOPADHAY = "Chattopadhay et al. 2018, Grad-CAM++, arXiv:1710.11063"

_ALL = (
    Metric(
        name="deletion",
        title="Deletion",
        family="fidelity",
        direction="lower",
        low=0,
        high=1,
        meaning={
            "en": "The mean probability while the most important pixels are removed first. It "
            "drops early if the map is right.",
            "fr": "La probabilité moyenne quand on retire d'abord les pixels les plus importants. "
            "Elle chute vite si la carte est juste.",
        },
        paper=_PETSIUK,
        cost=_path_cost,
        options=_PATH,
    ),
    Metric(
        name="insertion",
        title="Insertion",
        family="fidelity",
        direction="higher",
        low=0,
        high=1,
        meaning={
            "en": "The mean probability while the most important pixels are inserted first. It "
            "rises early if the map is right.",
            "fr": "La probabilité moyenne quand on insère d'abord les pixels les plus importants. "
            "Elle monte vite si la carte est juste.",
        },
        paper=_PETSIUK,
        cost=_path_cost,
        options=_PATH,
    ),
    Metric(
        name="mu_fidelity",
        title="MuFidelity",
        family="fidelity",
        direction="higher",
        low=-1,
        high=1,
        meaning={
            "en": "Whether masking more of the map lowers the probability more: a rank "
            "correlation over random sets of cells.",
            "fr": "Masquer une plus grande part de la carte fait-il baisser davantage la "
            "probabilité ? Corrélation de rang sur des ensembles de cellules tirés au hasard.",
        },
        paper=f"{_BHATT} (definition 3)",
        cost=_sample_cost,
        options={
            "num_samples": Option(200, 20, 4000, "number of random sets of masked cells"),
            "grid": Option(9, 2, 56, "cells along each side"),
            "hidden": Option(0.2, 0.01, 0.9, "share of the cells that are masked"),
            "baseline": _BASELINE,
            "num_random": _RANDOM,
        },
    ),
    Metric(
        name="average_drop",
        title="Average drop",
        family="fidelity",
        direction="lower",
        low=0,
        high=1,
        meaning={
            "en": "The share of the probability that is lost when only what the map highlights is "
            "shown.",
            "fr": "La part de la probabilité perdue quand on ne montre que ce que la carte met en "
            "évidence.",
        },
        paper=_CHATTOPADHAY,
        cost=_average_cost,
        options=_AVERAGE,
    ),
    Metric(
        name="average_gain",
        title="Average gain",
        family="fidelity",
        direction="higher",
        low=0,
        high=1,
        meaning={
            "en": "The share of the missing probability that is gained when only what the map "
            "highlights is shown.",
            "fr": "La part de la probabilité manquante gagnée quand on ne montre que ce que la "
            "carte met en évidence.",
        },
        paper="Zhang et al. 2024, Opti-CAM, arXiv:2301.07002",
        cost=_average_cost,
        options=_AVERAGE,
    ),
    Metric(
        name="average_increase",
        title="Average increase",
        family="fidelity",
        direction="higher",
        low=0,
        high=1,
        meaning={
            "en": "Whether the probability increases when only what the map highlights is shown: "
            "1 for yes, 0 for no.",
            "fr": "La probabilité augmente-t-elle quand on ne montre que ce que la carte met en "
            "évidence : 1 pour oui, 0 pour non.",
        },
        paper=_CHATTOPADHAY,
        cost=_average_cost,
        options=_AVERAGE,
    ),
    Metric(
        name="sparseness",
        title="Sparseness",
        family="form",
        direction="higher",
        low=0,
        high=1,
        meaning={
            "en": "How much of the map is concentrated in a few pixels (Gini index). A sparse map "
            f"is easy to read, which does not make it right. {_SAME_FOR_RANDOM['en']}",
            "fr": "Quelle part de la carte est concentrée sur peu de pixels (indice de Gini). Une "
            "carte concentrée est facile à lire, ce qui ne la rend pas juste. "
            f"{_SAME_FOR_RANDOM['fr']}",
        },
        paper="Chalasani et al. 2020, Concise Explanations of Neural Networks, arXiv:1810.06583",
        cost=_free,
    ),
    Metric(
        name="complexity",
        title="Complexity",
        family="form",
        direction="lower",
        low=0,
        high=None,
        meaning={
            "en": "How many pixels the map is spread over (entropy, at most the logarithm of their "
            f"number). A complex map is hard to read. {_SAME_FOR_RANDOM['en']}",
            "fr": "Sur combien de pixels la carte s'étale (entropie, au plus le logarithme de leur "
            f"nombre). Une carte complexe est difficile à lire. {_SAME_FOR_RANDOM['fr']}",
        },
        paper=_BHATT,
        cost=_free,
    ),
    Metric(
        name="average_stability",
        title="Average stability",
        family="rerun",
        direction="lower",
        low=0,
        high=None,
        meaning={
            "en": "How much the map changes, relative to itself, when imperceptible noise is added "
            "to the image.",
            "fr": "De combien la carte change, par rapport à elle-même, quand on ajoute à l'image "
            "un bruit imperceptible.",
        },
        paper=f"{_BHATT} (definition 2)",
        cost=_reruns("num_samples"),
        options={
            "num_samples": Option(8, 1, 200, "number of noisy images to explain"),
            "radius": Option(
                0.05, 0.001, 0.5, "maximum change of a channel; pixel values are 0 to 1"
            ),
            "num_random": _RANDOM,
        },
    ),
    Metric(
        name="repeat_correlation",
        title="Repeat-run correlation",
        family="rerun",
        direction="higher",
        low=-1,
        high=1,
        meaning={
            "en": "How similar the map is to maps of other random seeds (rank correlation of "
            "cells). It is low with too few samples.",
            "fr": "À quel point la carte ressemble à celles d'autres graines aléatoires "
            "(corrélation de rang des cellules). Elle est faible quand les échantillons manquent.",
        },
        paper="Visani et al. 2022, Statistical Stability Indices for LIME, arXiv:2001.11757",
        cost=_reruns("num_repeats"),
        options={
            "num_repeats": Option(2, 1, 20, "number of further runs, each with another seed"),
            "num_random": _RANDOM,
        },
        applies=_to_stochastic,
        only="methods that draw random samples",
    ),
    Metric(
        name="randomisation",
        title="Model randomisation",
        family="rerun",
        direction="lower",
        low=0,
        high=1,
        meaning={
            "en": "How similar the map is to that of a network with randomized weights (absolute "
            "rank correlation). A map that stays similar reflects the image, not the network. "
            "Random maps are not similar to anything: a good map is like them, and need not be "
            "better.",
            "fr": "À quel point la carte ressemble à celle d'un réseau aux poids aléatoires "
            "(valeur absolue de la corrélation de rang). Une carte qui reste semblable reflète "
            "l'image, pas le réseau. Les cartes aléatoires ne ressemblent à rien : une bonne carte "
            "est comme elles, sans devoir être meilleure.",
        },
        paper="Adebayo et al. 2018, Sanity Checks for Saliency Maps, arXiv:1810.03292",
        cost=_one_run,
        options={
            "share": Option(
                0.25, 0.01, 1, "share of the layers that are randomized, from the last"
            ),
            "num_random": _RANDOM,
        },
        needs="layers",
        has_baseline=False,
    ),
    Metric(
        name="completeness_gap",
        title="Completeness gap",
        family="figure",
        direction="lower",
        low=0,
        high=None,
        meaning={
            "en": "The share of the score's change from the baseline to the image that the map "
            f"misses. {_SAME_FOR_RANDOM['en']}",
            "fr": "La part du changement du score, de la référence à l'image, qui manque à la "
            f"carte. {_SAME_FOR_RANDOM['fr']}",
        },
        paper="Sundararajan et al. 2017, Axiomatic Attribution, arXiv:1703.01365",
        cost=_free,
        applies=_to_complete,
        only="Integrated gradients",
    ),
    Metric(
        name="efficiency_gap",
        title="Efficiency gap",
        family="figure",
        direction="lower",
        low=0,
        high=None,
        meaning={
            "en": "The share of the score's change from the empty image to the full one that the "
            "weights of the segments miss. The fit makes it zero whatever their location, so more "
            "than a rounding error is a defect.",
            "fr": "La part du changement du score, de l'image vide à l'image entière, qui manque "
            "aux poids des segments. L'ajustement la rend nulle quel que soit leur emplacement : "
            "plus qu'une erreur d'arrondi est un défaut.",
        },
        paper="Lundberg & Lee 2017, A Unified Approach, arXiv:1705.07874",
        cost=_free,
        applies=_to_kernel_shap,
        only="Kernel SHAP",
    ),
    Metric(
        name="r2",
        title="R2 of the linear model",
        family="figure",
        direction="higher",
        low=0,
        high=1,
        meaning={
            "en": "How well LIME's linear model fits the network around the image, on the samples "
            "it was fitted to. It describes the model and not the map, so random maps have no "
            "value.",
            "fr": "À quel point le modèle linéaire de LIME suit le réseau autour de l'image, sur "
            "les échantillons de son ajustement. C'est une propriété du modèle et non de la "
            "carte : les cartes aléatoires n'ont pas de valeur.",
        },
        paper="Ribeiro et al. 2016, 'Why Should I Trust You?', arXiv:1602.04938",
        cost=_free,
        applies=_to_lime,
        only="LIME",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
