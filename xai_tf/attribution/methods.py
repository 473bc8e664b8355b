"""The attribution methods: one entry each. The command, the docs and the tests read this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xai_tf.errors import SettingError, UnknownNameError, nearest

Settings = Mapping[str, float]


@dataclass(frozen=True)
class Option:
    """A setting of a method.

    Attributes:
        default: its value unless told otherwise; good for images of 224x224. None stands for the
            baseline of the task.
        low, high: the range, both ends included.
        doc: what it is, with its unit.
        power_of_two: whether it has to be one.
    """

    default: float | None
    low: float
    high: float
    doc: str
    power_of_two: bool = False

    @property
    def kind(self) -> str:
        """What it takes, in words."""
        number = "a whole number" if self.whole else "a number"
        kind = "a power of two" if self.power_of_two else number
        return f"{kind} from {self.low:g} to {self.high:g}"

    @property
    def whole(self) -> bool:
        """Whether it counts something."""
        return isinstance(self.default, int)

    def allows(self, value: float) -> bool:
        """Whether a value is in the range, whole where it counts something, and so on."""
        if not self.low <= value <= self.high or (self.whole and not float(value).is_integer()):
            return False
        return not self.power_of_two or int(value) & (int(value) - 1) == 0

    def number(self, value: float) -> float:
        """An allowed value as int or float."""
        return int(value) if self.whole else float(value)


@dataclass(frozen=True)
class Cost:
    """Passes through the network: `forward` ones, and `gradient` ones (forward and backward)."""

    forward: int = 0
    gradient: int = 0

    @property
    def evaluations(self) -> int:
        """All passes."""
        return self.forward + self.gradient


@dataclass(frozen=True)
class Method:
    """An attribution method.

    Attributes:
        name: the name in `METHODS`.
        title: for people.
        explainer: its class in `xai_tf.attribution.builders`.
        family: "gradient", "activation" (of a feature layer) or "perturbation".
        signed: whether negative values speak against the class; else only strength is shown.
        cost: its passes, from the settings and the (height, width) of the image.
        summary: what the map shows, in a sentence.
        paper: where it comes from.
        options: its settings.
        class_specific: whether the map depends on the class explained.
        stochastic: whether it draws random numbers, and so takes a seed.
        segments: whether it weighs segments of the picture instead of pixels.
        relu_only: whether it is a method of its own only on networks with ReLUs.
        complete: whether the map adds up to the change of the score from the baseline.
    """

    name: str
    title: str
    explainer: str
    family: str
    signed: bool
    cost: Callable[[Settings, tuple[int, int]], Cost]
    summary: str
    paper: str
    options: Mapping[str, Option] = field(default_factory=dict)
    class_specific: bool = True
    stochastic: bool = False
    segments: bool = False
    relu_only: bool = False
    complete: bool = False

    @property
    def needs_layer(self) -> bool:
        """Whether it looks at a feature layer."""
        return self.family == "activation"

    def settings(self, given: Settings, baseline: float) -> dict[str, float]:
        """All settings: those given, checked, and the defaults.

        Raises:
            UnknownNameError: a setting the method has not.
            SettingError: a setting out of its range.
        """
        for name, value in given.items():
            if name not in self.options:
                raise UnknownNameError(
                    f"{self.title} has no setting {name!r}. {nearest(name, list(self.options))}"
                )
            option = self.options[name]
            if not option.allows(value):
                raise SettingError(
                    f"{name}={value:g} does not do for {self.title}. Take {option.kind}."
                )
        defaults = {
            name: baseline if option.default is None else option.default
            for name, option in self.options.items()
        }
        return defaults | {name: self.options[name].number(value) for name, value in given.items()}


def patch_starts(length: int, patch: int, stride: int) -> list[int]:
    """Where the patches of an occlusion start along one side; the last ends at the edge."""
    last = max(0, length - patch)
    return sorted({*range(0, last, stride), last})


def _occlusion_cost(settings: Settings, size: tuple[int, int]) -> Cost:
    across = [patch_starts(side, int(settings["patch"]), int(settings["stride"])) for side in size]
    return Cost(forward=1 + len(across[0]) * len(across[1]))


def _sobol_cost(settings: Settings, _: Any) -> Cost:
    return Cost(forward=int(settings["num_designs"] * (settings["grid"] ** 2 + 2)))


def _gradients(settings: Settings, _: Any) -> Cost:
    return Cost(gradient=int(settings["num_samples"]))


def _one_gradient(*_: Any) -> Cost:
    return Cost(gradient=1)


def _forwards(settings: Settings, _: Any) -> Cost:
    return Cost(forward=int(settings["num_samples"]))


_BASELINE = Option(None, 0, 1, "level that stands for 'nothing there', 0 black to 1 white")
_NOISE = {
    "num_samples": Option(32, 2, 512, "noisy copies of the image"),
    "noise": Option(0.15, 0.0, 1.0, "standard deviation of the noise; the image spans 0 to 1"),
}
_SEGMENTS = Option(48, 2, 400, "segments the picture is parted in, roughly")
_GRID = Option(7, 2, 28, "cells along each side of the grid")

_ALL = (
    Method(
        "grad_cam", "Grad-CAM", "GradCAM", "activation", False, _one_gradient,
        "Where the last feature map speaks for the class; coarse, fast, a good first look.",
        "Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391",
    ),
    Method(
        "grad_cam_pp", "Grad-CAM++", "GradCAMPP", "activation", False, _one_gradient,
        "Grad-CAM with weights that do better on several objects of the class.",
        "Chattopadhyay et al. 2018, Grad-CAM++, arXiv:1710.11063",
    ),
    Method(
        "saliency", "Saliency", "Saliency", "gradient", False, _one_gradient,
        "How much a small change of each pixel would move the score, either way.",
        "Simonyan et al. 2014, Deep Inside Convolutional Networks, arXiv:1312.6034",
    ),
    Method(
        "gradient_input", "Gradient x Input", "GradientInput", "gradient", True, _one_gradient,
        "The gradient times the pixel: a first-order share of the score; black pixels get none.",
        "Shrikumar et al. 2016, Not Just a Black Box, arXiv:1605.01713",
    ),
    Method(
        "guided_backprop", "Guided backprop", "GuidedBackprop", "gradient", True, _one_gradient,
        "Fine edges the network looked at; sharp, but nearly the same for every class.",
        "Springenberg et al. 2015, Striving for Simplicity, arXiv:1412.6806",
        relu_only=True,
    ),
    Method(
        "deconv_net", "DeconvNet", "DeconvNet", "gradient", True, _one_gradient,
        "What the deepest features were made of; sharp, but nearly the same for every class.",
        "Zeiler & Fergus 2014, Visualizing Convolutional Networks, arXiv:1311.2901",
        relu_only=True,
    ),
    Method(
        "integrated_gradients", "Integrated gradients", "IntegratedGradients", "gradient", True,
        lambda settings, _: Cost(forward=2, gradient=int(settings["steps"])),
        "Shares of the score between the baseline and the image; they add up to the difference.",
        "Sundararajan et al. 2017, Axiomatic Attribution, arXiv:1703.01365",
        {"steps": Option(64, 2, 1024, "points on the way from the baseline to the image"),
         "baseline": _BASELINE},
        complete=True,
    ),
    Method(
        "smooth_grad", "SmoothGrad", "SmoothGrad", "gradient", True, _gradients,
        "The gradient averaged over noisy copies of the image: less speckle.",
        "Smilkov et al. 2017, SmoothGrad, arXiv:1706.03825",
        _NOISE, stochastic=True,
    ),
    Method(
        "square_grad", "SquareGrad", "SquareGrad", "gradient", False, _gradients,
        "The squared gradient averaged over noisy copies: where the score is sensitive.",
        "Hooker et al. 2019, A Benchmark for Interpretability Methods, arXiv:1806.10758",
        _NOISE, stochastic=True,
    ),
    Method(
        "var_grad", "VarGrad", "VarGrad", "gradient", False, _gradients,
        "How much the gradient varies over noisy copies of the image.",
        "Adebayo et al. 2018, Local Explanation Methods, arXiv:1810.03307",
        _NOISE, stochastic=True,
    ),
    Method(
        "lime", "LIME", "Lime", "perturbation", True, _forwards,
        "Weights of a linear model of the score near this image, one a segment.",
        "Ribeiro et al. 2016, 'Why Should I Trust You?', arXiv:1602.04938",
        {"num_samples": Option(512, 16, 8192, "pictures with segments taken away"),
         "num_segments": _SEGMENTS, "baseline": _BASELINE},
        stochastic=True, segments=True,
    ),
    Method(
        "kernel_shap", "Kernel SHAP", "KernelShap", "perturbation", True, _forwards,
        "Shapley values of the segments: their fair shares of the score; they add up.",
        "Lundberg & Lee 2017, A Unified Approach, arXiv:1705.07874",
        {"num_samples": Option(512, 16, 8192, "pictures with segments taken away"),
         "num_segments": _SEGMENTS, "baseline": _BASELINE},
        stochastic=True, segments=True,
    ),
    Method(
        "occlusion", "Occlusion", "Occlusion", "perturbation", True, _occlusion_cost,
        "How far the score falls when a square there is blanked.",
        "Zeiler & Fergus 2014, Visualizing Convolutional Networks, arXiv:1311.2901",
        {"patch": Option(32, 2, 512, "side of the square, in pixels"),
         "stride": Option(16, 1, 512, "step from square to square, in pixels"),
         "baseline": _BASELINE},
    ),
    Method(
        "rise", "RISE", "Rise", "perturbation", True, _forwards,
        "The mean score with a place left visible, less the mean score of all masked pictures.",
        "Petsiuk et al. 2018, RISE, arXiv:1806.07421",
        {"num_samples": Option(1024, 16, 16384, "random masks"), "grid": _GRID,
         "visible": Option(0.5, 0.05, 0.95, "share of the picture a mask leaves visible"),
         "baseline": _BASELINE},
        stochastic=True,
    ),
    Method(
        "sobol", "Sobol", "SobolAttributionMethod", "perturbation", False,
        _sobol_cost,
        "The share of the score's variance that a cell has a part in, alone or with others.",
        "Fel et al. 2021, Look at the Variance!, arXiv:2111.04138",
        {"grid": _GRID, "baseline": _BASELINE,
         "num_designs": Option(16, 2, 128, "points of the design", power_of_two=True)},
    ),
    Method(
        "hsic", "HSIC", "HsicAttributionMethod", "perturbation", False, _forwards,
        "How strongly the score depends on whether a cell is there.",
        "Novello et al. 2022, Making Sense of Dependence, arXiv:2206.06219",
        {"num_samples": Option(512, 16, 4096, "masked pictures"), "grid": _GRID,
         "baseline": _BASELINE},
    ),
    Method(
        "fem", "FEM", "FEM", "activation", False, lambda *_: Cost(forward=1),
        "Where the strongest features are, whatever the class: what the network looked at.",
        "Fuad et al. 2020, Features Understanding in 3D CNNs, doi:10.1109/IPTA50016.2020.9286629",
        {"k": Option(2.0, 0, 5, "deviations above the mean that count as strong")},
        class_specific=False,
    ),
)  # fmt: skip

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
