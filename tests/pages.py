"""What the tests of pages share: a page taken apart, a hostile name, and a page in a language."""

import base64
import io
from contextlib import contextmanager
from html.parser import HTMLParser

import numpy as np
from PIL import Image

HOSTILE = '<img src=x onerror="document.title=1">$\\frac$ $x^$.png'


@contextmanager
def page_in(language):
    """What runs here runs for a page in a language."""
    from bokeh.document import Document
    from panel.io.state import set_curdoc

    from dashboards.language import set_language

    document = Document()
    set_language(document, language)
    with set_curdoc(document):
        yield


class Page(HTMLParser):
    """Tags and text of a page, and what is nested wrongly."""

    VOID = frozenset({"meta", "img", "br", "!doctype"})

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.wrong, self.text = [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


def png_of(attrs):
    data = base64.b64decode(attrs["src"].split(",")[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
