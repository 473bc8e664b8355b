"""Text of any script in figures, with and without a font for it."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.text import Text

from xai_tf.rendering import figures
from xai_tf.rendering.figures import ReadableFigure, fallback_fonts, spelled


@pytest.fixture
def without_fonts(monkeypatch):
    """A system with no font but the usual one."""
    monkeypatch.setattr(figures, "_fonts", list)
    figures._font_of.cache_clear()
    yield
    figures._font_of.cache_clear()


@pytest.fixture
def with_font(monkeypatch):
    """A system with a font for Chinese characters: a font that is here, which claims them."""
    usual = font_manager.findfont(font_manager.FontProperties())
    font = SimpleNamespace(name="Made CJK", fname="made.ttf", weight=400)
    tables = {usual: frozenset(map(ord, "cat.png ")), "made.ttf": frozenset({ord("猫")})}
    monkeypatch.setattr(figures, "_fonts", lambda: [font])
    monkeypatch.setattr(figures, "_characters", tables.__getitem__)
    figures._font_of.cache_clear()
    yield
    figures._font_of.cache_clear()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("chien.png: épagneul", "chien.png: épagneul"),
        ("고양이.png", "goyangi.png"),
        ("ねこ と カラス", "neko to karasu"),
        ("猫 1", "[U+732B] 1"),
    ],
)
def test_characters_that_no_font_has_are_spelled(without_fonts, text, shown):
    assert spelled(text) == shown


def test_a_font_of_the_system_steps_in(with_font):
    assert fallback_fonts("猫 cat.png") == ["Made CJK"]
    assert spelled("猫 cat.png") == "猫 cat.png"


def test_no_box_is_drawn_and_nothing_warns(without_fonts, tmp_path):
    plot = ReadableFigure(layout="constrained")
    plot.suptitle("猫.png: 고양이", parse_math=False)
    axes = plot.subplots()
    axes.imshow(np.eye(3))
    axes.plot([1, 2], label="いぬ")
    axes.legend()

    plot.savefig(tmp_path / "a.png")  # a warning is an error here

    drawn = {text.get_text() for text in plot.findobj(Text)}
    assert {"[U+732B].png: goyangi", "inu"} <= drawn
