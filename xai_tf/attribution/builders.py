"""Build the Xplique explainer of a method, set up for one run on one classifier."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from xplique import attributions as xplique
from xplique.attributions.base import BlackBoxExplainer

from xai_tf.attribution import corrections
from xai_tf.attribution.estimates import ESTIMATES, preview_callback
from xai_tf.attribution.methods import Method
from xai_tf.attribution.pass_counter import FORWARD_BATCH, PassCounter, Progress
from xai_tf.attribution.setup import Run
from xai_tf.classifiers.classifier import Classifier


def start_pass_counter(
    method: Method, classifier: Classifier, progress: Progress | None
) -> PassCounter:
    """A counter for the passes that a method runs; see `PassCounter`."""
    passes = classifier.passes
    if method.relu_only:
        policy = RELU_POLICIES[method.explainer]
        passes = classifier.passes_with_relu(policy) or passes
    return PassCounter(passes, progress)


def build_explainer(method: Method, run: Run) -> Any:
    """Build an explainer that runs its passes on the run's counter.

    It is called with images (batch, height, width, 3) and targets (batch, logits).
    """
    explainer = BUILDERS[method.explainer](run)
    scores, gradients = run.pass_counter.scores, run.pass_counter.gradients
    if run.preview:
        explainer.preview = run.preview
        if estimate := ESTIMATES.get(method.explainer):
            on_batch = preview_callback(explainer, run, estimate, run.preview)
            scores = partial(scores, on_batch=on_batch)
            gradients = partial(gradients, on_batch=on_batch)
    explainer.inference_function = explainer.batch_inference_function = scores
    explainer.gradient = explainer.batch_gradient = gradients
    # Xplique keeps every model forever in a table keyed by id(), which Python reuses.
    BlackBoxExplainer._cache_models.clear()  # noqa: SLF001  (Xplique has no public way)
    return explainer


def _cam(kind: type, run: Run) -> Any:
    def features(images: Any, targets: Any) -> tuple[Any, Any]:
        if run.features:
            return run.features
        maps, gradients = run.classifier.feature_pass((run.feature_layer,))(images, targets)
        run.pass_counter.count("gradient", len(images))
        return maps[0], gradients[0]

    return kind(run.model, features, run.classifier.placement(run.feature_layer))


def _fem(run: Run) -> Any:
    def counted(images: Any) -> Any:
        run.pass_counter.count("forward", len(images))
        return run.classifier.feature_maps(run.feature_layer)(images)

    placement = run.classifier.placement(run.feature_layer)
    return corrections.FEM(counted, float(run.settings["k"]), placement)


def _integrated(run: Run) -> Any:
    steps, baseline = int(run.settings["steps"]), run.settings["baseline"]
    return corrections.IntegratedGradients(run.model, run.pass_counter, steps, baseline)


def _squared(run: Run) -> Any:
    settings = run.settings
    return corrections.SquaredIntegratedGradients(
        run.model, int(settings["steps"]), float(settings["blur"]), float(settings["smooth"])
    )


def _statistic(kind: type, run: Run) -> Any:
    count, noise = run.settings["num_samples"], run.settings["noise"]
    return kind(run.model, run.seed, nb_samples=count, noise=noise)


def _surrogate(kind: type, run: Run) -> Any:
    count, baseline = run.settings["num_samples"], run.settings["baseline"]
    return kind(run.model, run.seed, run.segments, count, baseline)


def _occlusion(run: Run) -> Any:
    patch, stride = run.settings["patch"], run.settings["stride"]
    return corrections.Occlusion(
        run.model, patch_size=patch, patch_stride=stride, occlusion_value=run.settings["baseline"]
    )


def _rise(run: Run) -> Any:
    return corrections.Rise(
        run.model,
        run.seed,
        nb_samples=run.settings["num_samples"],
        grid_size=run.settings["grid"],
        preservation_probability=run.settings["visible"],
        mask_value=run.settings["baseline"],
    )


def _fading(run: Run) -> Callable[[Any], Callable[[Any], Any]]:
    """Xplique's perturbation for Sobol and HSIC, fading to the baseline instead of to black."""
    baseline = run.settings["baseline"]
    return lambda image: lambda masks: masks * image + (1 - masks) * baseline


def _sobol(run: Run) -> Any:
    return xplique.SobolAttributionMethod(
        run.model,
        grid_size=run.settings["grid"],
        nb_design=run.settings["num_designs"],
        perturbation_function=_fading(run),
        batch_size=FORWARD_BATCH,
    )


def _hsic(run: Run) -> Any:
    return xplique.HsicAttributionMethod(
        run.model,
        grid_size=run.settings["grid"],
        nb_design=run.settings["num_samples"],
        sampler=corrections.BalancedMasks(),
        estimator=corrections.MedianDistanceHsic(output_kernel="rbf"),
        perturbation_function=_fading(run),
        batch_size=FORWARD_BATCH,
        estimator_batch_size=4,  # cells at once; each needs num_samples squared values
    )


BUILDERS: dict[str, Callable[[Run], Any]] = {
    "GradCAM": partial(_cam, corrections.GradCAM),
    "GradCAMPP": partial(_cam, corrections.GradCAMPP),
    "Saliency": lambda run: xplique.Saliency(run.model),
    "GradientInput": lambda run: xplique.GradientInput(run.model, reducer="sum"),
    "GuidedBackprop": lambda run: corrections.GuidedBackprop(run.model),
    "DeconvNet": lambda run: corrections.GuidedBackprop(run.model),
    "IntegratedGradients": _integrated,
    "SquaredIntegratedGradients": _squared,
    "SmoothGrad": partial(_statistic, corrections.SmoothGrad),
    "SquareGrad": partial(_statistic, corrections.SquareGrad),
    "VarGrad": partial(_statistic, corrections.VarGrad),
    "Lime": partial(_surrogate, corrections.Lime),
    "KernelShap": partial(_surrogate, corrections.KernelShap),
    "Occlusion": _occlusion,
    "Rise": _rise,
    "SobolAttributionMethod": _sobol,
    "HsicAttributionMethod": _hsic,
    "FEM": _fem,
}

RELU_POLICIES = {
    "GuidedBackprop": corrections.guided_relu,
    "DeconvNet": corrections.deconv_relu,
}
