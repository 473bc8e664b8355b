"""Links: what a view is restored from, and what a hostile one cannot do."""

import string
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, quote

import numpy as np
import pytest

from dashboards.service.requests import ModelEntry
from dashboards.state.links import MAX_SEED, TABS, Known, View, from_query, to_query
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import Question

SHA256 = "ab12cd34" * 8
MODEL = ModelEntry(
    name="xray",
    path=Path("xray.keras"),
    sha256="c9c64322" * 8,
    task=None,
    title="X-ray",
    classes=("a", "b", "c"),
    summary="",
)
UNREAD = replace(MODEL, name="unread", classes=())
KNOWN = Known({"xray": MODEL, "unread": UNREAD}, {SHA256})
FULL = View(
    tab="compare",
    sample=SHA256,
    model="xray",
    fingerprint="c9c64322",
    window=3,
    question=Question(
        "occlusion",
        target=2,
        contrast=0,
        seed=17,
        settings={"baseline": 0.30000000000000004, "patch": 48},
    ),
    methods=("grad_cam", "lime"),
    language="fr",
    across="models",
    classes=(2, 1),
    models=("unread", "xray"),
    through="grad_cam_pp",
    left="unread",
    right="",
)
# What the first edition of the page wrote for this view.
FIRST_EDITION = (
    "tab=compare&sample=ab12cd34ab12cd34ab12cd34ab12cd34ab12cd34ab12cd34ab12cd34ab12cd34&"
    "model=xray&fingerprint=c9c64322&window=3&method=occlusion&target=2&contrast=0&seed=17&"
    "methods=grad_cam.lime&language=fr&across=models&classes=2.1&models=unread/xray&"
    "through=grad_cam_pp&left=unread&right=&set_baseline=0.30000000000000004&set_patch=48"
)


def asked(view: View, **changes) -> View:
    """A view with changes in its question."""
    return replace(view, question=replace(view.question, **changes))


def test_the_view_of_the_page_itself_needs_no_link():
    assert to_query(View()) == ""
    assert from_query("", KNOWN) == (View(), ())


def test_a_link_restores_the_whole_view():
    query = to_query(FULL)

    assert from_query(query, KNOWN) == (FULL, ())
    assert from_query("?" + query, KNOWN) == (FULL, ())
    assert len(query) < 400
    assert set(query) <= set(string.ascii_letters + string.digits + "=&_.-~/")


def test_a_link_of_the_first_edition_restores_the_same_view():
    assert from_query(FIRST_EDITION, KNOWN) == (FULL, ())
    assert to_query(FULL) == FIRST_EDITION


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_of_every_method_is_restored(method):
    settings = tuple(
        sorted(
            (name, next(iter(option.names), option.typed(option.high)))
            for name, option in METHODS[method].options.items()
            if option.high != option.default
        )
    )
    view = View(question=Question(method, settings=settings, layer="block/Ä 1"))

    assert from_query(to_query(view), KNOWN) == (view, ())


def test_random_views_are_restored():
    rng = np.random.default_rng(0)
    for _ in range(200):
        target, contrast = rng.choice(3, 2, replace=False).tolist()
        view = View(
            tab=str(rng.choice(TABS)),
            sample=SHA256,
            model="xray",
            window=int(rng.integers(9999)),
            question=Question(
                "smooth_grad",
                target=target,
                contrast=contrast,
                seed=int(rng.integers(MAX_SEED)),
                settings={"noise": float(rng.random())},
            ),
            methods=tuple(rng.choice(list(METHODS), 3, replace=False).tolist()),
            language=str(rng.choice(["", "en", "fr"])),
            classes=tuple(rng.permutation(3).tolist()),
            left="xray",
            right=[None, "", "unread"][rng.integers(3)],
        )

        assert from_query(to_query(view), KNOWN) == (view, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tab", "admin"),
        ("tab", "<script>alert(1)</script>"),
        ("sample", "../../etc/passwd"),
        ("sample", SHA256.upper()),
        ("sample", SHA256[:-1]),
        ("model", "../xray"),
        ("model", ""),
        ("fingerprint", "c9c6432"),
        ("window", "-1"),
        ("window", "1e3"),
        ("window", "9" * 3000),
        ("window", "٣"),
        ("method", "gradcam"),
        ("method", "__class__"),
        ("target", "3"),
        ("target", "-1"),
        ("target", "NaN"),
        ("contrast", "inf"),
        ("contrast", "1.0"),
        ("layer", "a\0b"),
        ("layer", "x" * 101),
        ("layer", "a\nb"),
        ("seed", "1_000"),
        ("seed", " 1"),
        ("seed", str(2**31)),
        ("methods", "grad_cam.grad_cam"),
        ("methods", "grad_cam,lime"),
        ("methods", ""),
        ("language", "de"),
        ("across", "files"),
        ("classes", "0.3"),
        ("classes", "0.0"),
        ("classes", ""),
        ("models", "xray/none"),
        ("models", "xray/xray"),
        ("models", "../xray"),
        ("through", "lime"),
        ("left", ""),
        ("right", "<b>"),
    ],
)
def test_a_bad_value_is_left_out_and_told_and_all_others_are_kept(name, value):
    good = asked(FULL, method="grad_cam", settings=(), layer="top")
    query = "&".join(part for part in to_query(good).split("&") if not part.startswith(f"{name}="))

    view, said = from_query(f"{query}&{name}={quote(value)}", KNOWN)

    if name == "model":  # the numbers of its classes go with it
        assert view == asked(replace(good, model="", classes=()), target=None, contrast=None)
    elif hasattr(Question(), name):
        assert view == asked(good, **{name: getattr(Question(), name)})
    else:
        assert view == replace(good, **{name: getattr(View(), name)})
    assert len(said) == (4 if name == "model" else 1)
    assert "<" not in "".join(said)


@pytest.mark.parametrize("value", ["0", "513", "2.5", "nan", "-inf", "1e308", "", "a", "0x10"])
def test_a_bad_setting_is_told_with_its_range(value):
    view, said = from_query(f"method=occlusion&set_patch={value}&set_stride=8", KNOWN)

    assert view == View(question=Question("occlusion", settings={"stride": 8}))
    assert said == ("Ignored the link's patch: Occlusion takes a whole number from 2 to 512.",)


def test_a_setting_of_another_method_is_told():
    view, said = from_query("method=occlusion&set_num_samples=5", KNOWN)

    assert view == View(question=Question("occlusion"))
    assert said == ("Ignored settings in the link that Occlusion does not have.",)


def test_a_file_that_is_not_here_is_kept_and_the_next_step_told():
    view, said = from_query(to_query(FULL), Known(KNOWN.models, ()))

    assert view == FULL
    assert said == (
        "This link is about a file that is not on this server (its SHA-256 starts with ab12cd34). "
        "Drop the same file to continue.",
    )


def test_a_model_that_changed_is_told():
    view, said = from_query("model=xray&fingerprint=00000000", KNOWN)

    assert view.model == "xray"
    assert "has changed since this link was made" in said[0]


def test_the_classes_of_a_model_not_loaded_yet_are_trusted_within_reason():
    assert from_query("model=unread&target=900", KNOWN) == (
        View(model="unread", question=Question(target=900)),
        (),
    )
    assert from_query("model=unread&target=10000", KNOWN)[0] == View(model="unread")


def test_what_others_append_is_passed_over_and_the_first_of_two_counts():
    assert from_query("utm_source=mail&seed=1&seed=x&&;=&%", KNOWN) == (
        View(question=Question(seed=1)),
        (),
    )


def test_a_link_holds_no_name_of_a_file():
    assert set(parse_qs(to_query(FULL))["sample"]) == {SHA256}


def test_no_text_whatever_raises():
    rng = np.random.default_rng(0)
    names = [*View.__dataclass_fields__, "set_patch", "set_", "x"]
    letters = "0123456789abcdef%&=;+.-_<>\"'\0\n\u0660\ud800\U0001f600NaNinf"
    for _ in range(3000):
        size = int(rng.integers(60))
        text = "".join(rng.choice(list(letters), size))
        raw = rng.integers(0, 256, size, np.uint8).tobytes().decode("latin-1")
        for query in (text, raw, f"{rng.choice(names)}={text}&{rng.choice(names)}={raw}"):
            view, said = from_query(query, KNOWN)

            assert from_query(to_query(view), KNOWN)[0] == view
            assert len(said) <= len(names)


@pytest.mark.parametrize("piece", ["a", "%", "&", "=", "%00", "seed=1&", "é", "set_x=1&"])
def test_a_megabyte_is_refused_at_once(piece):
    view, said = from_query(piece * (1_000_000 // len(piece)), KNOWN)

    assert view == View()
    assert said == ("This link is too long to be one of this page, so it was ignored.",)
