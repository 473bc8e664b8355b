"""What follows several values is drawn once a turn."""

import pytest

from dashboards.turns import once_a_turn, turn


class Drawer:
    def __init__(self):
        self.drawn = []
        self.value = 0

    @once_a_turn
    def draw(self):
        if self.value is None:
            raise ValueError("nothing to draw")
        self.drawn.append(self.value)


def test_without_a_turn_each_change_is_drawn_at_once():
    drawer = Drawer()

    drawer.draw("what a watcher is given")
    drawer.draw()

    assert drawer.drawn == [0, 0]


def test_a_turn_draws_once_with_the_last_value_and_after_the_turn_within_it():
    drawer, other = Drawer(), Drawer()

    with turn():
        for drawer.value in (1, 2):
            drawer.draw()
        with turn():
            drawer.value = 3
            other.draw()
        assert drawer.drawn == other.drawn == []

    assert (drawer.drawn, other.drawn) == ([3], [0])
    drawer.draw()
    assert drawer.drawn == [3, 3]


def test_what_cannot_be_drawn_keeps_nothing_else_from_being_drawn():
    broken, drawer = Drawer(), Drawer()
    broken.value = None

    def both():
        with turn():
            broken.draw()
            drawer.draw()

    with pytest.raises(ValueError, match="nothing to draw"):
        both()

    assert drawer.drawn == [0]
    drawer.draw()
    assert drawer.drawn == [0, 0]


def test_a_turn_that_fails_draws_what_has_changed():
    drawer = Drawer()

    def draw_and_fail():
        with turn():
            drawer.draw()
            raise KeyError

    with pytest.raises(KeyError):
        draw_and_fail()

    assert drawer.drawn == [0]
