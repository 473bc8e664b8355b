"""Menus: one choice of a list, or several."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent
from panel.widgets.base import WidgetBase


class Select(JSComponent, WidgetBase):
    """A labeled menu: that of the browser or, where one can search, a field with a list.

    The browser sends the text of the option that was chosen. What comes late, and is not offered
    any more, is ignored.

    Attributes:
        options: the values by the texts of the options, which are never markup.
        value: the value of the chosen option; the first one where none is given. One that is not
            among the options is shown as nothing chosen.
        label: the name of the menu.
        searchable: whether it is a field that lists the options which contain what is typed.
        disabled: whether nothing can be chosen.
        texts, chosen: what the browser shows; they follow from `options` and `value`.
    """

    options = param.Dict(default={})
    value = param.Parameter()
    label = param.String()
    searchable = param.Boolean(default=False)
    disabled = param.Boolean(default=False)
    texts = param.List(default=[], item_type=str)
    chosen = param.List(default=[], item_type=str)

    _bundle = "select.js"
    _resources: ClassVar = {"js": ["dom.js"]}
    _constants: ClassVar[dict[str, Any]] = {"several": False}
    _rename: ClassVar[dict[str, str | None]] = {"options": None, "value": None}
    _stylesheets: ClassVar[list[str]] = [Path(__file__).with_name("select.css").read_text("utf-8")]

    def __init__(self, **params: Any) -> None:
        if "width" not in params:
            params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**{"margin": (5, 10), **params})
        if self.value is None and None not in self.options.values():
            self.value = next(iter(self.options.values()), None)
        self._show()

    @param.depends("options", "value", watch=True)
    def _show(self) -> None:
        self.param.update(texts=list(self.options), chosen=self._chosen())

    def _chosen(self) -> list[str]:
        return [text for text, value in self.options.items() if value == self.value]

    def _handle_msg(self, data: object) -> None:
        match data:
            case {"press": str(text)} if text in self.options:
                self.press(text)

    def press(self, text: str) -> None:
        """Choose an option by its text, as a visitor does."""
        self.value = self.options[text]


class MultiSelect(Select):
    """A searchable menu of several choices; a second press of an option takes it back.

    Attributes:
        value: the list of the chosen values, in the order of choosing.
        max_items: the largest number of choices; None for any.
    """

    value = param.List(default=[])
    max_items = param.Integer(default=None, allow_None=True)

    _constants: ClassVar[dict[str, Any]] = {"several": True}

    def _chosen(self) -> list[str]:
        texts = {value: text for text, value in self.options.items()}
        return [texts[value] for value in self.value if value in texts]

    def press(self, text: str) -> None:
        """Choose an option by its text, or take it back."""
        pressed = self.options[text]
        if pressed in self.value:
            self.value = [value for value in self.value if value != pressed]
        elif self.max_items is None or len(self.value) < self.max_items:
            self.value = [*self.value, pressed]
