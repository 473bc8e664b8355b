"""Where we depart from Xplique: the one place.

Right as they are: Saliency, GradientInput, IntegratedGradients, FEM, and Sobol but for its
baseline, which is black in Xplique and the task's here, as for HSIC.
Corrected below, each with its reason and a test in `tests/test_corrections.py` that shows it:

| explainer | Xplique 2.0.2 | here |
|---|---|---|
| GradCAM | patches a layer while it runs: unsafe in threads, blind inside nested models | reads the map as a second output |
| GradCAMPP | weights use the mean of the map, the paper its sum | the sum |
| GuidedBackprop, DeconvNet | a ReLU6 passes gradients where it is saturated | it does not |
| SmoothGrad, SquareGrad, VarGrad | TensorFlow's global seed only, which other threads disturb | a seed |
| SmoothGrad, SquareGrad, VarGrad, Rise, Lime, KernelShap | a run is over when it is over | draws come by block from the seed, so that a run goes on; halves are kept apart |
| Occlusion | sums overlapping squares (borders look weak), leaves edges out | the mean; the last square ends at the edge |
| Rise | no seed; one shift for a batch of masks; zero means nothing | a seed; a shift a mask; zero is no effect |
| Lime, KernelShap | no seed; segments of their own | a seed; the same segments; written anew on Xplique's explainer |
| Lime | kernel on pixel distances, so its width depends on the picture | the paper's: cosine distance of the segments |
| KernelShap | plain least squares: shares do not add up | the paper's constrained fit, paired draws, exact when all fit |
| HsicAttributionMethod | kernel width is the median logit, negative or zero at times | the median distance between logits |
"""  # noqa: E501

from xai_tf.attribution.corrections.gradients import (
    GradCAM,
    GradCAMPP,
    GuidedBackprop,
    deconv_relu,
    guided_relu,
)
from xai_tf.attribution.corrections.perturbation import MedianDistanceHsic, Occlusion
from xai_tf.attribution.corrections.sampled import Rise, Sampled, SmoothGrad, SquareGrad, VarGrad
from xai_tf.attribution.corrections.segments import KernelShap, Lime

__all__ = [
    "GradCAM",
    "GradCAMPP",
    "GuidedBackprop",
    "KernelShap",
    "Lime",
    "MedianDistanceHsic",
    "Occlusion",
    "Rise",
    "Sampled",
    "SmoothGrad",
    "SquareGrad",
    "VarGrad",
    "deconv_relu",
    "guided_relu",
]
