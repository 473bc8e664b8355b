"""The attribution methods: one entry each. The command, the docs and the tests read this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xai_tf.attribution.baselines import BASELINES, num_baselines
from xai_tf.classifiers.access import gives
from xai_tf.errors import SettingError, UnknownNameError, nearest

Value = float | str  # of a setting
Settings = Mapping[str, Value]

# Integrated Gradients without a number of steps: so many are placed, until the gap is so small.
MIN_STEPS, MAX_STEPS = 64, 512
MAX_GAP = 0.05  # as a share of the score's change
# What the methods of a family need of a model, names in `ACCESS`.
NEEDS = {"perturbation": "predictions", "gradient": "gradients", "activation": "feature maps"}


@dataclass(frozen=True)
class Option:
    """A setting of a method or a metric.

    Attributes:
        default: the value used when none is given, chosen for images of 224x224 pixels. None
            stands for the baseline of the task.
        low, high: the range, both ends included.
        doc: what it sets, with its unit.
        power_of_two: whether the value must be a power of two.
        zero: what 0 stands for, in words, where it is allowed besides the range; else empty.
        names: the names that are allowed besides numbers, and what each stands for.
    """

    default: float | None
    low: float
    high: float
    doc: str
    power_of_two: bool = False
    zero: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What the option accepts, in words: "a whole number from 2 to 28"."""
        number = "a whole number" if self.whole else "a number"
        kind = "a power of two" if self.power_of_two else number
        besides = f", or 0 for {self.zero}" if self.zero else ""
        names = "".join(f", or {name!r}" for name in self.names)
        return f"{kind} from {self.low:g} to {self.high:g}{besides}{names}"

    @property
    def whole(self) -> bool:
        """Whether the value is a whole number."""
        return isinstance(self.default, int)

    def allows(self, value: Value) -> bool:
        """Whether a value is in range, and a whole number or a power of two where required."""
        if isinstance(value, str):
            return value in self.names
        if value == 0 and self.zero:
            return True
        if not self.low <= value <= self.high or (self.whole and not float(value).is_integer()):
            return False
        return not self.power_of_two or int(value) & (int(value) - 1) == 0

    def typed(self, value: Value) -> Value:
        """An allowed value as int or float, or a name as it is."""
        if isinstance(value, str):
            return value
        return int(value) if self.whole else float(value)


@dataclass(frozen=True)
class Cost:
    """Passes through the network: `forward` only, and `gradient` (forward and backward)."""

    forward: int = 0
    gradient: int = 0

    @property
    def evaluations(self) -> int:
        """All passes."""
        return self.forward + self.gradient


@dataclass(frozen=True, kw_only=True)
class Method:
    """An attribution method.

    Attributes:
        name: its key in `METHODS`.
        title: the name shown to users.
        explainer: its builder in `xai_tf.attribution.builders`.
        family: "gradient", "activation" (of a feature layer) or "perturbation".
        signed: whether negative values are evidence against the class; otherwise the map only
            shows strength.
        cost: its passes, computed from the settings and the (height, width) of the image; the most
            where they depend on what is found on the way.
        least_cost: the fewest passes, where that differs from `cost`.
        summary: what the map shows, in one sentence.
        paper: the reference.
        options: its settings by name.
        class_specific: whether the map depends on the class explained.
        stochastic: whether it draws random numbers, and therefore takes a seed.
        segments: whether it weights segments of the image instead of pixels.
        relu_only: whether it differs from the plain gradient only on networks with ReLUs.
        complete: whether the map sums to the change of the score from the baseline.
        draws: the name of the random draws that it shares with the methods of the same name, which
            are statistics of the same passes; "" where no other method takes them.
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
    draws: str = ""
    least_cost: Callable[[Settings, tuple[int, int]], Cost] | None = None

    @property
    def needs(self) -> str:
        """What it needs of a model, a name in `ACCESS`."""
        return "layers" if self.relu_only else NEEDS[self.family]

    def works_with(self, access: str) -> bool:
        """Whether it can explain a model with this `Classifier.access`."""
        return gives(access, self.needs)

    @property
    def needs_layer(self) -> bool:
        """Whether it explains a feature layer."""
        return self.family == "activation"

    @property
    def pixel_fine(self) -> bool:
        """Whether it gives each pixel a value of its own, so that neighbors differ as speckle."""
        return self.family == "gradient"

    def settings(self, given: Settings, baseline: float) -> dict[str, Value]:
        """All settings: the given values, checked, and the defaults; see `complete_settings`."""
        return complete_settings(self.title, self.options, given, baseline)

    def costs(self, settings: Settings, size: tuple[int, int]) -> tuple[Cost, Cost]:
        """The least and the greatest cost with all settings, for an image (height, width)."""
        most = self.cost(settings, size)
        return (self.least_cost(settings, size) if self.least_cost else most), most

    def passes(self, settings: Settings, size: tuple[int, int]) -> str:
        """The number of passes in words: "1" or "64 to 512"."""
        least, most = (cost.evaluations for cost in self.costs(settings, size))
        return f"{most}" if least == most else f"{least} to {most}"


def working_methods(access: str) -> list[str]:
    """The names of the methods that can explain a model with this `Classifier.access`."""
    return [name for name, method in METHODS.items() if method.works_with(access)]


def default_method(access: str) -> str:
    """The method for a first look at a model with this `Classifier.access`."""
    return next(name for name in FIRST_CHOICES if METHODS[name].works_with(access))


def complete_settings(
    title: str, options: Mapping[str, Option], given: Settings, baseline: float
) -> dict[str, Value]:
    """Check the given settings of a method or metric and add the defaults of the others.

    Args:
        title: of the method or metric, for error messages.
        options: its settings by name.
        given: the values that differ from the defaults.
        baseline: the default of options whose default is None.

    Raises:
        UnknownNameError: there is no such setting.
        SettingError: a value is out of range.
    """
    for name, value in given.items():
        if name not in options:
            raise UnknownNameError(
                f"{title} has no setting {name!r}. {nearest(name, list(options))}"
            )
        if not options[name].allows(value):
            told = repr(value) if isinstance(value, str) else shown(value)
            raise SettingError(
                f"Invalid value for {title} setting {name!r}: {told}. "
                f"Expected {options[name].kind}."
            )
    defaults = {
        name: baseline if option.default is None else option.default
        for name, option in options.items()
    }
    return defaults | {name: options[name].typed(value) for name, value in given.items()}


def shown(value: Value) -> str:
    """The value of a setting as it is typed."""
    return value if isinstance(value, str) else f"{value:g}"


def patch_starts(length: int, patch: int, stride: int) -> list[int]:
    """Where the patches of an occlusion start along one side; the last ends at the edge."""
    last = max(0, length - patch)
    return sorted({*range(0, last, stride), last})


def _occlusion_cost(settings: Settings, size: tuple[int, int]) -> Cost:
    across = [patch_starts(side, int(settings["patch"]), int(settings["stride"])) for side in size]
    return Cost(forward=1 + len(across[0]) * len(across[1]))


def _path_cost(settings: Settings, _: Any) -> Cost:
    return Cost(gradient=_num_paths(settings) * (int(settings["steps"]) or MAX_STEPS))


def _least_path_cost(settings: Settings, _: Any) -> Cost:
    return Cost(gradient=_num_paths(settings) * (int(settings["steps"]) or MIN_STEPS))


def _steps(settings: Settings, _: Any) -> Cost:
    return Cost(gradient=int(settings["steps"]))


def _num_paths(settings: Settings) -> int:
    return num_baselines(settings["baseline"])


def _sobol_cost(settings: Settings, _: Any) -> Cost:
    return Cost(forward=int(settings["num_designs"]) * (int(settings["grid"]) ** 2 + 2))


def _gradients(settings: Settings, _: Any) -> Cost:
    return Cost(gradient=int(settings["num_samples"]))


def _one_gradient(*_: Any) -> Cost:
    return Cost(gradient=1)


def _one_forward(*_: Any) -> Cost:
    return Cost(forward=1)


def _forwards(settings: Settings, _: Any) -> Cost:
    return Cost(forward=int(settings["num_samples"]))


_BASELINE = Option(None, 0, 1, "value of masked pixels, from 0 (black) to 1 (white)")
_NOISE = {
    "num_samples": Option(32, 2, 512, "number of noisy copies of the image"),
    "noise": Option(0.15, 0.0, 1.0, "standard deviation of the noise; pixel values are 0 to 1"),
}
# Gradients of both signs cancel, so their mean needs more copies than that of their squares.
_SMOOTH = _NOISE | {"num_samples": replace(_NOISE["num_samples"], default=128, high=1024)}
_NOISY_COPIES = "noisy copies"
_SURROGATE = {
    "num_samples": Option(512, 16, 8192, "number of images with some segments masked"),
    "num_segments": Option(48, 2, 400, "approximate number of segments"),
    "baseline": _BASELINE,
}
_GRID = Option(7, 2, 28, "cells along each side of the grid")

_ALL = (
    Method(
        name="squared_ig",
        title="Squared IG",
        explainer="SquaredIntegratedGradients",
        family="gradient",
        signed=False,
        cost=_steps,
        summary="Squares of the contributions on the way from a blurred image to the image: where "
        "the score is decided, for or against. Fine, for few passes.",
        paper="Sundararajan et al. 2017, arXiv:1703.01365, with the squares of Hooker et al. 2019, "
        "arXiv:1806.10758",
        options={
            "steps": Option(4, 1, 512, "number of equal steps from the blurred image to the image"),
            "blur": Option(
                0.2, 0.01, 1, "standard deviation of the blur, as a share of the shorter side"
            ),
            "smooth": Option(
                0.01, 0, 0.1, "standard deviation of the map's smoothing, as a share of that side"
            ),
        },
    ),
    Method(
        name="grad_cam",
        title="Grad-CAM",
        explainer="GradCAM",
        family="activation",
        signed=False,
        cost=_one_gradient,
        summary="Where the last feature maps support the class. Coarse and fast: a good first "
        "choice.",
        paper="Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391",
    ),
    Method(
        name="grad_cam_pp",
        title="Grad-CAM++",
        explainer="GradCAMPP",
        family="activation",
        signed=False,
        cost=_one_gradient,
        summary="Grad-CAM with weights that handle several objects of the class better.",
        paper="Chattopadhyay et al. 2018, Grad-CAM++, arXiv:1710.11063",
    ),
    Method(
        name="saliency",
        title="Saliency",
        explainer="Saliency",
        family="gradient",
        signed=False,
        cost=_one_gradient,
        summary="How strongly a small change of each pixel would change the score, in either "
        "direction.",
        paper="Simonyan et al. 2014, Deep Inside Convolutional Networks, arXiv:1312.6034",
    ),
    Method(
        name="gradient_input",
        title="Gradient x Input",
        explainer="GradientInput",
        family="gradient",
        signed=True,
        cost=_one_gradient,
        summary="The gradient times the pixel value: a first-order share of the score. Black "
        "pixels always get zero.",
        paper="Shrikumar et al. 2016, Not Just a Black Box, arXiv:1605.01713",
    ),
    Method(
        name="guided_backprop",
        title="Guided backprop",
        explainer="GuidedBackprop",
        family="gradient",
        signed=True,
        cost=_one_gradient,
        summary="Fine edges that activate the network. Sharp, but nearly the same for every class.",
        paper="Springenberg et al. 2015, Striving for Simplicity, arXiv:1412.6806",
        relu_only=True,
    ),
    Method(
        name="deconv_net",
        title="DeconvNet",
        explainer="DeconvNet",
        family="gradient",
        signed=True,
        cost=_one_gradient,
        summary="What activated the deepest features. Sharp, but nearly the same for every class.",
        paper="Zeiler & Fergus 2014, Visualizing Convolutional Networks, arXiv:1311.2901",
        relu_only=True,
    ),
    Method(
        name="integrated_gradients",
        title="Integrated gradients",
        explainer="IntegratedGradients",
        family="gradient",
        signed=True,
        cost=_path_cost,
        summary="Gradients averaged from the baseline to the image. The values sum to the "
        "difference of the two scores.",
        paper="Sundararajan et al. 2017, Axiomatic Attribution, arXiv:1703.01365",
        options={
            "steps": Option(
                0,
                2,
                1024,
                f"number of equal steps from the baseline to the image; 0 takes {MIN_STEPS} to "
                f"{MAX_STEPS}, where the score changes most, until the values add up",
                zero="as many as needed",
            ),
            "baseline": Option(
                None,
                0,
                1,
                "picture where the path starts: the value of all pixels, from 0 (black) to 1 "
                "(white), or a name",
                names=BASELINES,
            ),
        },
        complete=True,
        least_cost=_least_path_cost,
    ),
    Method(
        name="smooth_grad",
        title="SmoothGrad",
        explainer="SmoothGrad",
        family="gradient",
        signed=True,
        cost=_gradients,
        summary="The gradient averaged over noisy copies of the image, which reduces speckle.",
        paper="Smilkov et al. 2017, SmoothGrad, arXiv:1706.03825",
        options=_SMOOTH,
        stochastic=True,
        draws=_NOISY_COPIES,
    ),
    Method(
        name="square_grad",
        title="SquareGrad",
        explainer="SquareGrad",
        family="gradient",
        signed=False,
        cost=_gradients,
        summary="The squared gradient averaged over noisy copies: where the score is sensitive.",
        paper="Hooker et al. 2019, A Benchmark for Interpretability Methods, arXiv:1806.10758",
        options=_NOISE,
        stochastic=True,
        draws=_NOISY_COPIES,
    ),
    Method(
        name="var_grad",
        title="VarGrad",
        explainer="VarGrad",
        family="gradient",
        signed=False,
        cost=_gradients,
        summary="The variance of the gradient over noisy copies of the image.",
        paper="Adebayo et al. 2018, Local Explanation Methods, arXiv:1810.03307",
        options=_NOISE,
        stochastic=True,
        draws=_NOISY_COPIES,
    ),
    Method(
        name="lime",
        title="LIME",
        explainer="Lime",
        family="perturbation",
        signed=True,
        cost=_forwards,
        summary="Weights of a linear model of the score around this image, one weight per segment.",
        paper="Ribeiro et al. 2016, 'Why Should I Trust You?', arXiv:1602.04938",
        options=_SURROGATE,
        stochastic=True,
        segments=True,
    ),
    Method(
        name="kernel_shap",
        title="Kernel SHAP",
        explainer="KernelShap",
        family="perturbation",
        signed=True,
        cost=_forwards,
        summary="Estimated Shapley values of the segments. They sum to the change of the score.",
        paper="Lundberg & Lee 2017, A Unified Approach, arXiv:1705.07874",
        options=_SURROGATE,
        stochastic=True,
        segments=True,
    ),
    Method(
        name="occlusion",
        title="Occlusion",
        explainer="Occlusion",
        family="perturbation",
        signed=True,
        cost=_occlusion_cost,
        summary="How much the score drops when a square patch is masked.",
        paper="Zeiler & Fergus 2014, Visualizing Convolutional Networks, arXiv:1311.2901",
        options={
            "patch": Option(32, 2, 512, "side of the patch, in pixels"),
            "stride": Option(16, 1, 512, "distance between patches, in pixels"),
            "baseline": _BASELINE,
        },
    ),
    Method(
        name="rise",
        title="RISE",
        explainer="Rise",
        family="perturbation",
        signed=True,
        cost=_forwards,
        summary="The mean score of masked images that show a pixel, minus the mean score of all "
        "masked images.",
        paper="Petsiuk et al. 2018, RISE, arXiv:1806.07421",
        options={
            "num_samples": Option(1024, 16, 16384, "number of random masks"),
            "grid": _GRID,
            "visible": Option(0.5, 0.05, 0.95, "share of the image that a mask leaves visible"),
            "baseline": _BASELINE,
        },
        stochastic=True,
    ),
    Method(
        name="sobol",
        title="Sobol",
        explainer="SobolAttributionMethod",
        family="perturbation",
        signed=False,
        cost=_sobol_cost,
        summary="The share of the score's variance that involves a cell, alone or together with "
        "others.",
        paper="Fel et al. 2021, Look at the Variance!, arXiv:2111.04138",
        options={
            "grid": _GRID,
            "baseline": _BASELINE,
            "num_designs": Option(16, 2, 128, "number of design points", power_of_two=True),
        },
    ),
    Method(
        name="hsic",
        title="HSIC",
        explainer="HsicAttributionMethod",
        family="perturbation",
        signed=False,
        cost=_forwards,
        summary="How strongly the score depends on whether a cell is visible.",
        paper="Novello et al. 2022, Making Sense of Dependence, arXiv:2206.06219",
        options={
            "num_samples": Option(512, 16, 4096, "number of masked images"),
            "grid": _GRID,
            "baseline": _BASELINE,
        },
    ),
    Method(
        name="fem",
        title="FEM",
        explainer="FEM",
        family="activation",
        signed=False,
        cost=_one_forward,
        summary="Where the strongest features are, whatever the class.",
        paper="Fuad et al. 2020, Features Understanding in 3D CNNs, "
        "doi:10.1109/IPTA50016.2020.9286629",
        options={"k": Option(2.0, 0, 5, "standard deviations above the mean that count as strong")},
        class_specific=False,
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
# For a first look: the first of these that works with a model (docs/leaderboard.md).
FIRST_CHOICES = ("squared_ig", "occlusion")
DEFAULT_METHOD = FIRST_CHOICES[0]
