"""The table of methods: names of other libraries, and messages about settings."""

import pytest

from xai_tf.attribution.methods import METHODS
from xai_tf.errors import SettingError, UnknownNameError, pick

# How Captum, SHAP, tf-explain, iNNvestigate and Xplique call the same methods.
OTHER_NAMES = {
    "gradcam": "grad_cam",
    "grad-cam": "grad_cam",
    "GradCAM++": "grad_cam_pp",
    "gradcampp": "grad_cam_pp",
    "gradcam_plus_plus": "grad_cam_pp",
    "gradients": "saliency",
    "vanilla_gradients": "saliency",
    "gradxinput": "gradient_input",
    "InputXGradient": "gradient_input",
    "input_t_gradient": "gradient_input",
    "guided_backpropagation": "guided_backprop",
    "GuidedBackprop": "guided_backprop",
    "deconvnet": "deconv_net",
    "Deconvolution": "deconv_net",
    "ig": "integrated_gradients",
    "integrated_grads": "integrated_gradients",
    "smoothgrad": "smooth_grad",
    "smoothgrad_squared": "square_grad",
    "VarGrad": "var_grad",
    "shap": "kernel_shap",
    "KernelShap": "kernel_shap",
    "occlusion_sensitivity": "occlusion",
    "SobolAttributionMethod": "sobol",
    "HsicAttributionMethod": "hsic",
}


@pytest.mark.parametrize(("other", "ours"), OTHER_NAMES.items())
def test_names_of_other_libraries_lead_to_our_methods(other, ours):
    with pytest.raises(UnknownNameError, match=f"Did you mean '{ours}'"):
        pick(METHODS, other, "method")


def test_an_invalid_setting_is_reported_with_its_range():
    with pytest.raises(SettingError) as raised:
        METHODS["rise"].settings({"grid": 50}, 0.0)

    assert str(raised.value) == (
        "Invalid value for RISE setting 'grid': 50. Expected a whole number from 2 to 28."
    )


def test_an_unknown_setting_is_reported_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match=r"no setting 'gird'\. Did you mean 'grid'"):
        METHODS["rise"].settings({"gird": 5}, 0.0)
