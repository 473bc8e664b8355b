"""The page in French: one catalogue holds every text of the page, and nothing else."""

import ast
import re
import shutil
from string import Formatter

import pytest

from dashboards.language import CATALOGUE, browser_texts, read_catalogue
from tests.browser import chromium
from tests.conftest import ROOT, SAMPLES
from tests.dashboards.test_dashboard import serving, visit
from tests.made_search import make_search
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.access import ACCESS
from xai_tf.metrics.metric import METRICS
from xai_tf.narration.notices import MEDICAL
from xai_tf.regions import PARTITIONS
from xai_tf.tasks import TASKS

# What a page shows or says aloud, with all that is in its components.
EVERYTHING = """() => {
  const found = new Set()
  const look = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (["STYLE", "SCRIPT", "NOSCRIPT"].includes(node.tagName)) continue
      for (const child of node.childNodes) {
        if (child.nodeType === Node.TEXT_NODE) found.add(child.textContent.trim())
      }
      for (const name of ["aria-label", "aria-valuetext", "alt", "placeholder", "title"]) {
        found.add(node.getAttribute(name) ?? "")
      }
      if (node.shadowRoot) look(node.shadowRoot)
    }
  }
  look(document)
  return [...found]
}"""
ENGLISH = re.compile(
    r"\b(and|are|at|by|for|from|has|is|it|no|not|of|the|this|to|what|with)\b", re.I
)
PAGE = ROOT / "dashboards"
SOURCES = sorted(PAGE.rglob("*.py"))
COMPONENTS = sorted((PAGE / "components").glob("*.js"))
# The service runs in processes of its own, which serve pages of every language.
MADE_IN = ("xai_tf", "weights_keras", "tuning", "dashboards/service")
LIBRARY = [path for room in MADE_IN for path in (ROOT / room).rglob("*.py")]
CALLS = ("t", "mark", "n")
SHOWN = ("app.py", "components", "files", "state", "views")
# What a person reads: several words that begin like a sentence, or the label of a control.
SENTENCE = re.compile(r"[A-Z][a-z']+,? \w+.*", re.DOTALL)
WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")
LABELS = ("label", "title", "description", "placeholder")
NAMES = {
    "xai-tf",
    "Arrow",
    "Files",
    "Escape",
    "Backspace",
}  # a name, and words of the browsers' interfaces
LICENSES = re.compile(r"\bCC0 |\bCC BY |MNI")  # of samples; they are not shown


def readable(name):
    return name.replace("_", " ")


def literals(tree):
    """The texts that a module gives to `t`, `mark` and `n`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CALLS:
            text = node.args[0]
            if isinstance(text, ast.Constant):
                yield text.value


def patterns(tree):
    """The texts of a module, with {} for what is filled in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w+\}", "{}", node.value)
        elif isinstance(node, ast.JoinedStr):
            yield pattern(node)


def pattern(node):
    """An f-string, with {} for what is filled in."""
    parts = (part.value for part in node.values)
    return "".join(part if isinstance(part, str) else "{}" for part in parts)


def unmarked(node):
    """The texts below a node that are shown as they are, in English."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Call) and ast.unparse(node.func) in (
        *CALLS,
        "_log.exception",
        "CancelledJobError",
    ):
        return
    if isinstance(node, ast.keyword) and node.arg in ("doc", "alt", "credit"):
        return  # a parameter's, and what is known of the samples but not shown
    if (
        isinstance(node, ast.keyword)
        and node.arg in LABELS
        and isinstance(node.value, ast.Constant)
    ):
        yield node.value.value
    if isinstance(node, ast.Constant) and SENTENCE.match(str(node.value)):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        text = re.sub(r"<[^>]*>|[\w-]+: [^;]*\(.*\)", "", pattern(node))
        if WORDS.search(text):
            yield text
    for child in ast.iter_child_nodes(node):
        yield from unmarked(child)


def unmarked_in_browser(source):
    """The texts of a component in JavaScript that do not pass through `t`."""
    source = re.sub(r'//.*|\bt\(\s*"[^"]*"', "", source)
    for quoted in re.findall(r'"[^"\n]*"|`[^`]*`', source):
        text = re.sub(r"\$\{[^}]*\}", "{}", quoted[1:-1])
        if SENTENCE.match(text) or re.fullmatch(r"[A-Z][a-z]+", text):
            yield text


def texts_of_the_library():
    """What the page shows of the library's tables."""
    yield MEDICAL
    yield from ACCESS
    for method in METHODS.values():
        yield method.summary
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
    missing = sorted(set(texts_of_the_page()) - french.texts.keys())

    assert missing == []


def test_the_catalogue_holds_no_text_that_the_page_does_not_show(french):
    assert sorted(french.texts.keys() - set(texts_of_the_page())) == []


def test_a_translation_has_the_placeholders_of_its_text(french):
    forms = [(text, form) for text, each in french.texts.items() for form in each]
    different = [
        text
        for text, form in (*forms, *french.library.items())
        if placeholders(form) != placeholders(text) or not form
    ]

    assert different == []


def test_the_catalogue_translates_only_what_the_library_says(french):
    made = {text for path in LIBRARY for text in patterns(ast.parse(path.read_text()))}

    stale = [text for text in french.library if re.sub(r"\{\w+\}", "{}", text) not in made]

    assert stale == []


def test_no_text_is_shown_that_does_not_pass_through_the_catalogue():
    shown = [path for path in SOURCES if path.relative_to(PAGE).parts[0] in SHOWN]
    found = {
        f"{path.name}: {text}"
        for path in shown
        for text in unmarked(ast.parse(path.read_text()))
        if text and text not in NAMES and not LICENSES.search(text)
    }
    found |= {
        f"{path.name}: {text}"
        for path in COMPONENTS
        for text in unmarked_in_browser(path.read_text())
        if text not in NAMES
    }

    assert sorted(found) == []


def english_in(page):
    """The English texts of a page: those of the catalogue, and others by their small words."""
    catalogue = read_catalogue(CATALOGUE.read_text("utf-8"))
    papers = {entry.paper for entry in (*METHODS.values(), *METRICS.values())}
    same = {text for text, forms in catalogue.texts.items() if text in forms}
    known = [text for text in {*catalogue.texts, *catalogue.library} - same if " " in text]
    for text in page.evaluate(EVERYTHING):
        for paper in papers:
            text = text.replace(paper, "")
        if text in known or ENGLISH.search(text):
            yield text


def test_a_french_page_has_no_english_in_it(tmp_path):
    wrong = {"normal": "xray_opacity.jpg", "opacity": "xray_normal.jpg"}
    for name, sample in wrong.items():
        (tmp_path / "xrays" / name).mkdir(parents=True)
        shutil.copy(SAMPLES / sample, tmp_path / "xrays" / name)
    make_search(tmp_path / "searches" / "chest", max_epochs=4)
    folders = ("--data", str(tmp_path / "xrays"), "--searches", str(tmp_path / "searches"))
    with (
        chromium() as browser,
        serving(tmp_path, *folders) as (url, _),
        visit(browser, url, locale="fr-FR") as page,
    ):
        found = {}

        def look(name):
            found[name] = list(english_in(page))

        def open_tab(name):
            page.get_by_role("tab", name=name).click()
            page.get_by_role("tab", name=name, selected=True).wait_for()

        page.get_by_role("radio", name="Voix humaine", exact=True).click()
        page.get_by_text(re.compile("^Squared IG.: pourquoi")).first.wait_for()
        open_tab("Confiance")
        page.get_by_role("button", name="Évaluer cette carte").click()
        page.get_by_text("Face aux cartes aléatoires").wait_for()
        look("Expliquer")
        for name in ("Comparer", "Couches"):
            open_tab(name)
            look(name)
        open_tab("Optimisation")
        page.get_by_role("button", name="Nouvelle recherche").click()
        page.get_by_role("button", name="Voir le plan").wait_for()
        page.get_by_text("À propos du classement").wait_for()
        look("Optimisation")
        open_tab("Erreurs")
        page.get_by_role("combobox", name="Jeu étiqueté").select_option("xrays")
        page.get_by_role("button", name="Évaluer", disabled=False).click()
        page.get_by_text("Performances").wait_for()
        page.get_by_role("radio", name="xray_opacity.jpg").click()
        page.get_by_text("Classe prédite :").wait_for()
        look("Erreurs")
        page.get_by_role("button", name="Aide et raccourcis clavier").click()
        page.get_by_role("dialog").get_by_text("Comment ça marche").wait_for()
        look("help")

        assert page.evaluate("document.documentElement.lang") == "fr"
        assert {name: texts for name, texts in found.items() if texts} == {}
