"""Names of methods, as they are typed."""

import pytest

from xai_tf.cli.settings import picked_methods
from xai_tf.errors import UnknownNameError


@pytest.mark.parametrize(
    "given", [["saliency,rise"], ["saliency", "rise"], ["saliency, rise,", "saliency"]]
)
def test_methods_are_given_between_commas_or_by_repeating_the_option(given):
    assert picked_methods(given) == ["saliency", "rise"]


@pytest.mark.parametrize("given", ["salience", "saliency,salience", "", ","])
def test_a_name_that_is_no_method_is_refused(given):
    with pytest.raises(UnknownNameError):
        picked_methods([given])
