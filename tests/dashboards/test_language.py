"""The page in French: one catalogue holds every text of the page, and nothing else."""

import ast
from string import Formatter

import pytest

from dashboards.language import CATALOGUE, browser_texts, read_catalogue
from tests.conftest import ROOT
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.access import ACCESS
from xai_tf.metrics.metric import METRICS
from xai_tf.narration.notices import MEDICAL
from xai_tf.regions import PARTITIONS
from xai_tf.tasks import TASKS

PAGE = ROOT / "dashboards"
SOURCES = sorted(PAGE.rglob("*.py"))
COMPONENTS = sorted((PAGE / "components").glob("*.js"))
CALLS = ("t", "mark", "n")


def readable(name):
    return name.replace("_", " ")


def literals(tree):
    """The texts that a module gives to `t`, `mark` and `n`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CALLS:
            text = node.args[0]
            if isinstance(text, ast.Constant):
                yield text.value


def texts_of_the_library():
    """What the page shows of the library's tables."""
    yield MEDICAL
    yield from ACCESS
    for method in METHODS.values():
        yield method.summary
    for metric in METRICS.values():
        yield metric.title
    for entry in (*METHODS.values(), *METRICS.values()):
        for name, option in entry.options.items():
            yield readable(name)
            if entry.name in METHODS:
                yield option.doc
                yield from (option.names or {}).values()
    for named in (*PARTITIONS.values(), *TASKS.values()):
        yield named.title


def texts_of_the_page():
    for path in SOURCES:
        yield from literals(ast.parse(path.read_text()))
    for path in COMPONENTS:
        yield from browser_texts(path.read_text())
    yield from texts_of_the_library()


@pytest.fixture(scope="module")
def french():
    return read_catalogue(CATALOGUE.read_text("utf-8"))


def placeholders(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_text_of_the_page_has_a_french_translation(french):
    missing = sorted(set(texts_of_the_page()) - french.keys())

    assert missing == []


def test_the_catalogue_holds_no_text_that_the_page_does_not_show(french):
    assert sorted(french.keys() - set(texts_of_the_page())) == []


def test_a_translation_has_the_placeholders_of_its_text(french):
    different = [
        text
        for text, forms in french.items()
        if any(placeholders(form) != placeholders(text) or not form for form in forms)
    ]

    assert different == []
