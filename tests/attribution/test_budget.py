"""A budget is used up as far as a method can, and never exceeded."""

import pytest

from xai_tf.attribution.budget import BEST, MOST_STEPS, best_within, passes_of, settings_within
from xai_tf.attribution.methods import METHODS
from xai_tf.errors import SettingError

SIZES = ((224, 224), (48, 64))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("passes", [1, 7, 32, 128, 512, 1024])
@pytest.mark.parametrize("name", METHODS)
def test_a_budget_is_never_exceeded_and_its_settings_are_valid(name, passes, size):
    method = METHODS[name]

    settings = settings_within(name, passes, size)

    if settings is not None:
        taken = method.cost(method.settings(settings, 0.0), size).evaluations
        wanted = min(passes, MOST_STEPS) if method.family == "gradient" else passes
        assert taken <= passes
        assert not settings or 2.5 * taken >= wanted


def test_methods_of_one_pass_can_always_do_and_those_of_many_samples_cannot():
    assert settings_within("grad_cam", 1, (224, 224)) == {}
    assert settings_within("rise", 8, (224, 224)) is None
    assert settings_within("lime", 16, (224, 224)) is None  # fewer than four for each segment
    assert settings_within("sobol", 50, (224, 224)) is None


def test_few_samples_go_to_few_segments():
    assert settings_within("kernel_shap", 64, (224, 224)) == {
        "num_samples": 64, "num_segments": 16,
    }  # fmt: skip
    assert settings_within("kernel_shap", 1024, (224, 224)) == {"num_samples": 1024}


def test_the_best_method_is_one_that_the_model_allows():
    assert best_within("64", "feature maps", (224, 224))[0] == BEST[0]
    assert best_within("64", "predictions", (224, 224))[0] == "rise"
    with pytest.raises(SettingError, match="Allow more"):
        best_within("2", "predictions", (224, 224))


def test_seconds_are_passes_of_the_model_at_hand():
    assert passes_of("3 s", METHODS["occlusion"], 0.1) == 30
    assert passes_of("3s", METHODS["saliency"], 0.1) == 15
    assert passes_of("0.001s", METHODS["saliency"], 0.1) == 1


@pytest.mark.parametrize("text", ["", "much", "-3", "0", "2.5", "1e3", "3 minutes"])
def test_what_is_no_budget_is_told_with_an_example(text):
    with pytest.raises(SettingError, match="such as 128, or seconds, such as 2s"):
        passes_of(text, METHODS["rise"])
