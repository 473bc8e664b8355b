"""Records as a notebook shows them."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
from PIL import Image

from xai_tf.attribution.explain import explain
from xai_tf.classifiers.prediction import Prediction, probabilities


def test_an_explanation_is_a_picture_with_a_table(halves, left_bright):
    html = explain(halves, left_bright, "occlusion")._repr_html_()

    (png,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        assert picture.width > 500
    assert "Occlusion: evidence for left" in html
    assert "passes" in html


def test_an_explanation_shows_what_to_know_about_its_file(halves, left_bright):
    sample = replace(left_bright, warnings=("Frame 1 of 3 was read.",))

    assert "Frame 1 of 3 was read." in explain(halves, sample, "occlusion")._repr_html_()


def test_a_prediction_is_a_table_of_its_first_classes(halves):
    logits = np.arange(7.0)
    names = ("<b>", *"abcdef")

    html = Prediction(logits, probabilities(logits[None])[0], names)._repr_html_()

    assert html.count("<meter") == 5
    assert "2 more" in html
    assert "<b>" not in html


def test_several_methods_are_asked_in_one_call(halves, left_bright):
    found = explain(halves, left_bright, ["saliency", "occlusion"], target="right")

    assert [one.method.name for one in found] == ["saliency", "occlusion"]
    assert {one.target_name for one in found} == {"right"}
