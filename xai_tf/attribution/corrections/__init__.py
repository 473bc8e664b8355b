"""Where the explainers differ from Xplique.

Saliency and GradientInput are used unchanged; SquaredIntegratedGradients is ours alone. Sobol and HSIC mask with
the task's baseline instead of black. The others are corrected here, each with its reason and a
test in `tests/attribution/test_corrections.py`:

| explainer | Xplique 2.0.2 | here |
|---|---|---|
| GradCAM | patches a layer while it runs: not thread-safe, fails inside nested models | reads the map as a second output |
| GradCAM, GradCAMPP, FEM | stretch a map over the input, also where the network crops or transposes inside | lay it where its cells are |
| GradCAMPP | weights use the mean of the map; the paper uses its sum | the sum |
| GuidedBackprop, DeconvNet | a ReLU6 passes gradients where it is saturated | it does not |
| SmoothGrad, SquareGrad, VarGrad | TensorFlow's global seed only, which other threads disturb | a seed |
| SmoothGrad, SquareGrad, VarGrad, Rise, Lime, KernelShap | a run cannot be continued | draws depend on the seed and the block, so a run can be continued; sums are stored by group of samples |
| IntegratedGradients | equal steps, which miss up to the whole change of the score | as many as needed, where the score changes; equal ones if asked for |
| Occlusion | sums overlapping patches (borders look weak), leaves edges out | the mean; the last patch ends at the edge |
| Rise | no seed; one shift for a whole batch of masks; zero has no meaning | a seed; one shift per mask; zero means no effect |
| Lime, KernelShap | no seed; different segments | a seed; the same segments; rewritten on Xplique's explainer |
| Lime | kernel on pixel distances, so its width depends on the image | the paper's kernel: cosine distance of the segments |
| Lime | independent draws | balanced ones, rows of Hadamard matrices: about half the samples |
| KernelShap | plain least squares: the values do not add up, and have another limit | a fit that adds up, exact when all coalitions fit |
| KernelShap | independent draws, a fit of single segments | balanced pairs, none twice, a fit with three neighbors: a fifth to a tenth of the samples |
| HsicAttributionMethod | masks are the first bits of a Sobol sequence: with many cells some are always masked together, and share one value | balanced rows of Hadamard matrices; also closer to a long run, most where masks are few |
| HsicAttributionMethod | kernel width is the median logit, which may be negative or zero | the median distance between logits |
"""  # noqa: E501

from xai_tf.attribution.corrections.gradients import (
    FEM,
    GradCAM,
    GradCAMPP,
    GuidedBackprop,
    deconv_relu,
    guided_relu,
)
from xai_tf.attribution.corrections.path import IntegratedGradients, SquaredIntegratedGradients
from xai_tf.attribution.corrections.perturbation import (
    BalancedMasks,
    MedianDistanceHsic,
    Occlusion,
)
from xai_tf.attribution.corrections.sampled import Rise, Sampled, SmoothGrad, SquareGrad, VarGrad
from xai_tf.attribution.corrections.segments import KernelShap, Lime

__all__ = [
    "FEM",
    "BalancedMasks",
    "GradCAM",
    "GradCAMPP",
    "GuidedBackprop",
    "IntegratedGradients",
    "KernelShap",
    "Lime",
    "MedianDistanceHsic",
    "Occlusion",
    "Rise",
    "Sampled",
    "SmoothGrad",
    "SquareGrad",
    "SquaredIntegratedGradients",
    "VarGrad",
    "deconv_relu",
    "guided_relu",
]
