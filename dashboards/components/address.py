"""The link of the view: in the address bar, behind a button, and in the other language."""

from __future__ import annotations

from typing import ClassVar

import param
from panel.custom import JSComponent


class Address(JSComponent):
    """Updates the browser's address, copies the link, and tells what the window is like."""

    dark = param.Boolean(doc="Whether the system of the visitor prefers dark colors.")
    narrow = param.Boolean(doc="Whether the window is so narrow that the sidebar covers the page.")
    query = param.String(doc="The query of the link, without the question mark.")
    translated = param.String(doc="The query of the link to the view in the other language.")
    language = param.String(doc='The other language, such as "fr".')
    language_name = param.String(doc='What it calls itself, such as "Français".')

    _bundle = "address.js"
    _resources: ClassVar = {"js": ["dom.js"]}
