"""The part of a visitor's view that a link restores, read value by value: links are untrusted."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from dashboards.language import mark, t
from dashboards.service.requests import ModelEntry
from dashboards.state.comparison import CLASSES, MAX_COLUMNS, MODELS
from dashboards.state.layer_sweep import FOLLOWED
from xai_tf.attribution.methods import METHODS, Value
from xai_tf.attribution.question import Question
from xai_tf.classifiers.class_names import readable
from xai_tf.narration.templates import LANGUAGES

TABS = ("explain", "compare", "layers", "errors", "tuning")
MAX_LENGTH = 4000  # of a query, in characters; the longest view has about 1000
MAX_SEED = 2**31 - 1
MAX_WINDOW = 9999
MAX_CLASSES = 10_000  # of a model whose classes only loading will tell
IGNORED = mark("Ignored the link's {name}: {reason}.")
SETTING = "set_"  # how the name of a method's setting begins in a link


@dataclass(frozen=True, kw_only=True)
class View:
    """What a visitor looks at. The defaults are those of the page.

    Attributes:
        tab: one of `TABS`.
        sample: SHA-256 of the file, in hex; "" for none. A name is never kept.
        model: its name on the server; "" for the one the page takes by itself.
        fingerprint: the first 8 hex digits of the model file's SHA-256; "" if not known.
        window: number of the window of a long recording.
        question: the explanation that is shown; its classes are indices. Only loading the model
            tells whether it has the layer.
        methods: those compared; empty for the page's own choice.
        language: one of `LANGUAGES`; "" for that of the visitor's browser.
        across: what they are compared across, "classes" or "models".
        classes, models: the columns of either; empty for the page's own choice.
        through: the method that is followed through the layers.
        left, right: the models that are followed; right "" is none, and where nothing is said
            (left "", right None) the page chooses.
    """

    tab: str = "explain"
    sample: str = ""
    model: str = ""
    fingerprint: str = ""
    window: int = 0
    question: Question = field(default_factory=Question)
    methods: tuple[str, ...] = ()
    language: str = ""
    across: str = CLASSES
    classes: tuple[int, ...] = ()
    models: tuple[str, ...] = ()
    through: str = FOLLOWED[0]
    left: str = ""
    right: str | None = None


@dataclass(frozen=True)
class Known:
    """What a link can be about here.

    Attributes:
        models: by name.
        samples: SHA-256 of the files at hand: the gallery's and the visitor's own.
    """

    models: Mapping[str, ModelEntry]
    samples: Collection[str]


def to_query(view: View) -> str:
    """A view as the query of a link: only what differs from the defaults, url-safe."""
    pairs = _differences(view, View())
    pairs.pop("question", None)
    pairs |= _differences(view.question, Question())
    settings = pairs.pop("settings", ())
    pairs = {name: pairs[name] for name in _READERS if name in pairs}
    for name, separator in _SEPARATORS.items():
        if name in pairs:
            pairs[name] = separator.join(map(str, pairs[name]))
    return urlencode(pairs | {SETTING + name: value for name, value in settings}, safe="/")


def _differences(record: Any, default: Any) -> dict[str, Any]:
    """The fields of a record that differ from those of another, by name."""
    return {
        each.name: getattr(record, each.name)
        for each in fields(record)
        if getattr(record, each.name) != getattr(default, each.name)
    }


def from_query(query: str, known: Known) -> tuple[View, tuple[str, ...]]:
    """Read the query of a link. Never raises, whatever the text is.

    An invalid value is left at its default; the others are used. Unknown names are ignored, and of
    a name that occurs twice the first value counts.

    Returns:
        The view, and a sentence for the visitor on each thing that could not be restored. The
        file of a view may still be missing: its sentence says how to go on.
    """
    if len(query) > MAX_LENGTH:
        return View(), (t("This link is too long to be one of this page, so it was ignored."),)
    given: dict[str, str] = {}
    for name, text in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
        given.setdefault(name, text)
    view, said = View(), []
    for name, read in _READERS.items():
        if name not in given:
            continue
        try:
            value = read(given[name], view, known)
            if name in _OF_QUESTION:
                view = replace(view, question=replace(view.question, **{name: value}))
            else:
                view = replace(view, **{name: value})
        except _UnusableValueError as reason:
            said.append(t(IGNORED, name=t(_WORDS[name]), reason=reason))
    settings, refused = _settings(given, view.question.method)
    view = replace(view, question=replace(view.question, settings=settings))
    return view, (*said, *refused, *_missing(view, known))


class _UnusableValueError(Exception):
    """Why a value cannot be used, to follow a colon."""


def _missing(view: View, known: Known) -> list[str]:
    """What the view is about and is not here."""
    said = []
    model = known.models.get(view.model)
    if model and view.fingerprint and not model.sha256.startswith(view.fingerprint):
        said.append(
            t(
                "The model {name} has changed since this link was made, so its answers may differ.",
                name=model.name,
            )
        )
    if view.sample and view.sample not in known.samples:
        said.append(
            t(
                "This link is about a file that is not on this server (its SHA-256 starts with "
                "{start}). Drop the same file to continue.",
                start=view.sample[:8],
            )
        )
    return said


def _settings(
    given: Mapping[str, str], method: str
) -> tuple[tuple[tuple[str, Value], ...], list[str]]:
    """The settings of a method that can be used, and a sentence on each that cannot."""
    found, said = [], []
    for name, option in METHODS[method].options.items():
        text = given.get(SETTING + name)
        if text is None:
            continue
        given_value = float(text) if _NUMBER.fullmatch(text) else text
        if option.allows(given_value):
            value = option.typed(given_value)
            if value != option.default:
                found.append((name, value))
        else:
            reason = t("{method} takes {kind}", method=METHODS[method].title, kind=option.kind)
            said.append(t(IGNORED, name=t(readable(name)), reason=reason))
    if any(
        name.startswith(SETTING) and name[len(SETTING) :] not in METHODS[method].options
        for name in given
    ):
        text = mark("Ignored settings in the link that {method} does not have.")
        said.append(t(text, method=METHODS[method].title))
    return tuple(sorted(found)), said


def _one_of(choices: Collection[str]) -> Callable[[str, View, Known], str]:
    def read(text: str, *_: Any) -> str:
        if text not in choices:
            raise _UnusableValueError(t("the name is unknown"))
        return text

    return read


def _whole(highest: int) -> Callable[[str, View, Known], int]:
    def read(text: str, *_: Any) -> int:
        # Not int(): it takes "١", "1_0" and " 1 ", and a million digits at leisure.
        if not _WHOLE.fullmatch(text) or int(text) > highest:
            text = mark("it is not a whole number from 0 to {highest}")
            raise _UnusableValueError(t(text, highest=highest))
        return int(text)

    return read


def _hex(length: int) -> Callable[[str, View, Known], str]:
    def read(text: str, *_: Any) -> str:
        if not re.fullmatch(f"[0-9a-f]{{{length}}}", text):
            text = mark("it is not a hexadecimal number of {count} digits")
            raise _UnusableValueError(t(text, count=length))
        return text

    return read


def _model(text: str, _: View, known: Known) -> str:
    if text not in known.models:
        raise _UnusableValueError(t("this server has no model of that name"))
    return text


def _class(text: str, view: View, known: Known) -> int:
    model = known.models.get(view.model)
    if model is None:
        raise _UnusableValueError(t("the model of the class is unknown"))
    return _whole((len(model.classes) or MAX_CLASSES) - 1)(text, view, known)


def _contrast(text: str, view: View, known: Known) -> int:
    label = _class(text, view, known)
    if label == view.question.target:
        raise _UnusableValueError(t("a class cannot be contrasted with itself"))
    return label


def _layer(text: str, *_: Any) -> str:
    if not (0 < len(text) <= 100 and text.isprintable()):
        raise _UnusableValueError(t("it is not the name of a layer"))
    return text


def _methods(text: str, *_: Any) -> tuple[str, ...]:
    names = text.split(_SEPARATORS["methods"])
    if len(set(names)) < len(names) or not set(names) <= set(METHODS):
        raise _UnusableValueError(t("a method in it is unknown or occurs twice"))
    return tuple(names)


def _classes(text: str, view: View, known: Known) -> tuple[int, ...]:
    labels = tuple(_class(part, view, known) for part in text.split(_SEPARATORS["classes"]))
    return _columns(labels)


def _models(text: str, view: View, known: Known) -> tuple[str, ...]:
    return _columns(tuple(_model(name, view, known) for name in text.split(_SEPARATORS["models"])))


def _columns(found: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(found) > MAX_COLUMNS or len(set(found)) < len(found):
        text = mark("it has more than {count} entries or one twice")
        raise _UnusableValueError(t(text, count=MAX_COLUMNS))
    return found


def _right(text: str, view: View, known: Known) -> str:
    return text and _model(text, view, known)


# What stands between the parts of a list: the name of a model is that of a file.
_SEPARATORS = {"methods": ".", "classes": ".", "models": "/"}
_WHOLE = re.compile(r"[0-9]{1,10}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?(e-[0-9]{1,2})?")
# In this order: a class is one of the model's.
_READERS: dict[str, Callable[[str, View, Known], Any]] = {
    "tab": _one_of(TABS),
    "sample": _hex(64),
    "model": _model,
    "fingerprint": _hex(8),
    "window": _whole(MAX_WINDOW),
    "method": _one_of(METHODS),
    "target": _class,
    "contrast": _contrast,
    "layer": _layer,
    "seed": _whole(MAX_SEED),
    "methods": _methods,
    "language": _one_of(LANGUAGES),
    "across": _one_of((CLASSES, MODELS)),
    "classes": _classes,
    "models": _models,
    "through": _one_of(FOLLOWED),
    "left": _model,
    "right": _right,
}
_OF_QUESTION = frozenset(each.name for each in fields(Question))
_WORDS = {
    "tab": mark("tab"),
    "sample": mark("file"),
    "model": mark("model"),
    "fingerprint": mark("fingerprint of the model"),
    "window": mark("window"),
    "method": mark("method"),
    "target": mark("class"),
    "contrast": mark("second class"),
    "layer": mark("layer"),
    "seed": mark("seed"),
    "methods": mark("list of methods"),
    "language": mark("language"),
    "across": mark("what is compared"),
    "classes": mark("list of classes"),
    "models": mark("list of models"),
    "through": mark("method for the layers"),
    "left": mark("model on the left"),
    "right": mark("model on the right"),
}
