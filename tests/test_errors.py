import pytest

from xai_tf import METHODS, METRICS
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.errors import ALIASES, UnknownNameError, nearest, pick


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        ("shap", "kernel_shap"),
        ("SHAP", "kernel_shap"),
        ("ig", "integrated_gradients"),
        ("gradcam", "grad_cam"),
        ("gradcam++", "grad_cam_pp"),
        ("Grad-CAM++", "grad_cam_pp"),
        ("smoothgrad", "smooth_grad"),
        ("input x gradient", "gradient_input"),
        ("vanilla_gradient", "saliency"),
        ("occlusoin", "occlusion"),
    ],
)
def test_a_common_alias_or_a_typing_error_of_a_method_is_understood(asked, offered):
    with pytest.raises(UnknownNameError) as caught:
        pick(METHODS, asked, "method")

    assert str(caught.value) == f"There is no method {asked!r}. Did you mean {offered!r}?"


def test_every_alias_stands_for_a_name_that_exists():
    assert set(ALIASES.values()) <= METHODS.keys() | METRICS.keys() | BACKBONES.keys()


def test_no_alias_hides_a_name():
    assert not set(ALIASES) & (METHODS.keys() | METRICS.keys() | BACKBONES.keys())


def test_an_alias_of_another_table_is_not_offered():
    assert nearest("shap", ["cat", "dog"]) == "Choose from: cat, dog."


def test_aliases_of_its_own_can_be_given():
    assert nearest("kitty", ["cat", "dog"], {"kitty": "cat"}) == "Did you mean 'cat'?"


def test_without_any_name_none_is_offered():
    assert nearest("pets", []) == "There are none yet."
