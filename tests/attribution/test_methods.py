"""The table of methods: aliases, and messages about settings."""

import pytest

from xai_tf.attribution.methods import ALIASES, METHODS
from xai_tf.errors import SettingError, UnknownNameError


def test_every_alias_is_another_name_of_a_method():
    assert set(ALIASES.values()) <= set(METHODS)
    assert not set(ALIASES) & set(METHODS)
    assert all(alias == alias.lower() for alias in ALIASES)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("shap", "kernel_shap"),
        ("ig", "integrated_gradients"),
        ("gradcam++", "grad_cam_pp"),
        ("grad-cam", "grad_cam"),
        ("gradxinput", "gradient_input"),
        ("guided_backpropagation", "guided_backprop"),
    ],
)
def test_names_of_other_libraries_lead_to_our_methods(alias, name):
    assert ALIASES[alias] == name


def test_an_invalid_setting_is_reported_with_its_range():
    with pytest.raises(SettingError) as raised:
        METHODS["rise"].settings({"grid": 50}, 0.0)

    assert str(raised.value) == (
        "Invalid value for RISE setting 'grid': 50. Expected a whole number from 2 to 28."
    )


def test_an_unknown_setting_is_reported_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match=r"no setting 'gird'\. Did you mean 'grid'"):
        METHODS["rise"].settings({"gird": 5}, 0.0)
