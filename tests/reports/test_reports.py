"""Folders: explained file by file, resumed after a kill, and told in one page for no network."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser import axe_faults, chromium
from tests.conftest import SAMPLES, result_of, sample_of
from tests.pages import HOSTILE, Page, png_of
from xai_tf.attribution.explain import explain
from xai_tf.bundles.manifest import read_manifest
from xai_tf.bundles.resume import LEFT_SECONDS, clear_leftovers, find_bundles
from xai_tf.bundles.write import describe_classifier, save_bundle
from xai_tf.classifiers.reading import Reading
from xai_tf.errors import InputError
from xai_tf.files import SCRATCH
from xai_tf.inputs.sample import Sound
from xai_tf.metrics import score
from xai_tf.regions import audit
from xai_tf.rendering import heatmaps
from xai_tf.reports import ReportItem, folder_report, read_bundle
from xai_tf.reports.folder import _scores
from xai_tf.trust import LEVELS

# The command, which kills itself while it writes the second bundle.
KILLED = f"""
import os, pathlib, signal, sys

def look(event, arguments):
    writes = event == "open" and {SCRATCH!r} in str(arguments[0])
    if writes and any(OUT.glob("[!.]*/manifest.json")):
        os.kill(os.getpid(), signal.SIGKILL)

OUT = pathlib.Path(sys.argv[-1])
sys.addaudithook(look)
from xai_tf.cli import main
main()
"""


@pytest.fixture
def folder(tmp_path):
    """Four pictures, some in folders of folders, two of them of one name."""
    rng = np.random.default_rng(0)
    for name in ("b.png", "cat/a.png", "cat/deep/z.png", "dog/a.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
    return tmp_path / "in"


def reading_of(explanation, name):
    sample = replace(explanation.sample, source=Path(name))
    return Reading(
        source=Path(name),
        samples=(sample,),
        predictions=(explanation.prediction,),
        prediction=explanation.prediction,
    )


def explained(out):
    return [Path(entry["file"]).name for entry in out]


# Folders


def test_a_folder_is_explained_in_the_order_of_its_paths_with_what_its_folders_say(
    run, asking, folder, tmp_path
):
    code, out, _ = run(
        "explain", folder, *asking, "--method", "saliency", "--out", tmp_path / "out", "--json"
    )

    found = result_of(out)
    assert code == 0
    assert explained(found) == ["b.png", "a.png", "z.png", "a.png"]
    assert [entry["input"].get("truth") for entry in found] == [None, "cat", "cat", "dog"]
    assert [Path(entry["folder"]).name for entry in found] == ["b", "a", "z", "a-2"]


def test_each_map_comes_with_a_verdict_in_json_on_the_screen_and_in_the_pages(
    run, asking, folder, tmp_path
):
    out = tmp_path / "out"
    words = ["explain", folder / "b.png", *asking, "--method", "saliency", "--out", out, "--json"]

    code, answer, said = run(*words, "--regions")

    (found,) = result_of(answer)
    trust = found["explanations"][0]["trust"]
    assert code == 0
    assert trust["level"] in LEVELS
    assert "no_scores" in [reason["kind"] for reason in trust["reasons"]]
    assert "no_regions" not in [reason["kind"] for reason in trust["reasons"]]
    assert f"b.png: Saliency: {trust['word']}. {trust['sentence']}" in said
    report = folder_report([read_bundle(Path(found["folder"]))])
    for page in (report, (out / "index.html").read_text("utf-8")):
        assert escape(trust["sentence"]) in page
        assert f'class="{trust["level"]}"' in page


def test_pictures_that_a_run_left_in_the_folder_are_not_explained(run, asking, folder):
    words = ["explain", folder, *asking, "--method", "saliency", "--out", folder / "out", "--json"]
    run(*words)

    code, out, _ = run(*words)

    assert code == 0
    assert len(result_of(out)) == 4


@pytest.mark.parametrize("out", ["in", "."])
def test_a_folder_is_explained_into_itself_or_above_itself(
    run, asking, folder, tmp_path, monkeypatch, out
):
    monkeypatch.chdir(tmp_path)
    words = ["explain", "in", folder, *asking, "--method", "saliency", "--out", out, "--json"]
    for name in ("cat", "dog"):  # a bundle of this name would be in the way of the other files
        (folder / name).rename(folder / f"{name}s")

    first = run(*words)
    second = run(*words)

    for code, told, _ in (first, second):
        assert code == 0
        assert explained(result_of(told)) == ["b.png", "a.png", "z.png", "a.png"]
    assert "4 of 4 files are explained" in second[2]
    code, told, err = run("explain", Path(out, "b"), *words[3:])
    assert code == 2
    assert json.loads(told)["result"] is None
    assert f"besides the results in {Path(out)}" in err


def test_a_file_named_twice_is_explained_once_with_its_truth(
    run, asking, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    code, out, _ = run(
        "explain", "in/cat/a.png", folder, "in", *asking, "--method", "saliency", "--json"
    )

    found = result_of(out)
    assert code == 0
    assert explained(found) == ["a.png", "b.png", "z.png", "a.png"]
    assert found[0]["input"]["truth"] == "cat"


def test_an_answer_about_another_file_is_not_replaced(run, asking, folder, tmp_path):
    words = [*asking, "--method", "saliency", "--out", tmp_path / "out"]
    manifest = tmp_path / "out" / "a" / "manifest.json"
    run("explain", folder / "cat" / "a.png", *words)
    before = manifest.read_text()

    code, _, err = run("explain", folder / "dog" / "a.png", *words)
    kept = manifest.read_text()
    manifest.write_text("{")
    _, _, after = run("explain", folder / "dog" / "a.png", *words)

    assert code == 2
    assert "answers another request (another file) about a. Nothing was written" in err
    assert kept == before
    assert "(not readable) about a" in after
    assert manifest.read_text() == "{"


def test_the_index_lists_what_earlier_runs_left(run, asking, folder, tmp_path):
    words = [*asking, "--method", "saliency", "--out", tmp_path / "out"]
    run("explain", folder / "cat" / "a.png", *words)
    (tmp_path / "out" / "torn").mkdir()
    (tmp_path / "out" / "torn" / "manifest.json").write_text("{")

    run("explain", folder / "cat" / "deep" / "z.png", *words)

    page = (tmp_path / "out" / "index.html").read_text()
    assert page.index("<h2>z.png") < page.index("<h2>a.png")


def test_links_that_lead_in_a_circle_end_in_a_message(run, asking, folder, tmp_path):
    (folder / "one.png").symlink_to(folder / "two.png")
    (folder / "two.png").symlink_to(folder / "one.png")
    (folder / "cat" / "again").symlink_to(folder)

    code, out, err = run(
        "explain", folder, *asking, "--method", "saliency", "--out", tmp_path / "out", "--json"
    )

    assert code == 2
    assert len(result_of(out)) == 4
    assert str(folder / "one.png") in err
    assert str(folder / "two.png") in err
    assert "Traceback" not in err


def test_bad_files_are_told_and_the_rest_goes_on(run, asking, folder, tmp_path):
    Image.new("L", (1, 1)).save(folder / "cat" / "dot.png")
    (folder / "dog" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    (folder / "zero.png").touch()

    code, out, err = run(
        "explain", folder, *asking, "--method", "saliency", "--out", tmp_path / "out", "--json"
    )

    told = [line for line in err.splitlines() if line.startswith("xai-tf:")]
    assert code == 2
    assert len(result_of(out)) == 4
    assert len(told) == 3
    assert "dot.png is too small: 1x1 pixels" in told[0]
    assert "torn.png: the PNG picture is damaged or truncated" in told[1]
    assert "zero.png is empty" in told[2]


# Going on where it was


def test_the_same_question_is_answered_once_and_another_is_refused(run, asking, folder, tmp_path):
    words = ["explain", folder, *asking, "--out", tmp_path / "out", "--json", "--method"]
    run(*words, "saliency")
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("manifest.json")}

    code, out, err = run(*words, "saliency")
    second = {path: path.stat().st_mtime_ns for path in first}
    refused, _, other = run(*words, "gradient_input")
    _, _, again = run(*words, "gradient_input", "--overwrite")

    assert code == 0
    assert explained(result_of(out)) == ["b.png", "a.png", "z.png", "a.png"]
    assert [one["reused"] for one in result_of(out)] == [True] * 4
    assert "4 of 4 files are explained" in err
    assert "add --overwrite" in err
    assert first == second
    assert refused == 2
    assert "answers another request (methods) about b, a, z and 1 more" in other
    assert "use another --out" in other
    assert "explained in" not in again
    assert (
        read_manifest(tmp_path / "out" / "b")["question"]["questions"][0]["method"]
        == "gradient_input"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_a_killed_run_goes_on_where_it_was(run, asking, folder, tmp_path):
    out = tmp_path / "out"
    words = [
        "explain",
        folder,
        *asking,
        "--method",
        "rise",
        "--set",
        "rise.num_samples=32",
        "--out",
        out,
    ]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, words)], capture_output=True, check=False
    )
    kept = {path.parent: path.stat().st_mtime_ns for path in out.glob("[!.]*/manifest.json")}
    whole = [read_bundle(place).reading.source.name for place in kept]

    code, _, err = run(*words)

    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert whole == ["b.png"]
    assert code == 0
    assert f"{len(kept)} of 4 files are explained" in err
    assert all((place / "manifest.json").stat().st_mtime_ns == kept[place] for place in kept)
    assert len(find_bundles([out])) == 4
    assert (out / "index.html").is_file()


def test_what_a_kill_left_half_written_goes_once_it_is_old(tmp_path):
    for name, age in (("old", 2 * LEFT_SECONDS), ("new", 0)):
        place = tmp_path / f"{SCRATCH}{name}" / "new"
        place.mkdir(parents=True)
        for path in (place.parent, place):
            os.utime(path, (time.time() - age,) * 2)
    (tmp_path / "mine").mkdir()

    clear_leftovers(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {f"{SCRATCH}new", "mine"}


# A bundle, read back


@pytest.fixture(scope="module")
def judged(halves, left_bright):
    """Explanations with their scores and audits."""
    maps = tuple(
        explain(halves, replace(left_bright, label=1), method)
        for method in ("saliency", "integrated_gradients", "kernel_shap")
    )
    maps = tuple(replace(e, sample=maps[0].sample) for e in maps)
    scores = [score(halves, e, ["sparseness"]) for e in maps]
    return maps, scores, [audit(e) for e in maps]


@pytest.fixture(scope="module")
def bundle(judged, halves, tmp_path_factory):
    maps, scores, audits = judged
    place = tmp_path_factory.mktemp("bundles") / "made"
    prediction = maps[0].prediction
    reading = Reading(
        source=Path("made.png"),
        samples=(maps[0].sample,),
        predictions=(prediction,),
        prediction=prediction,
    )
    save_bundle(place, halves, reading, maps, scores=scores, audits=audits)
    return place


def test_a_bundle_comes_back_as_it_was_saved(bundle, judged, halves):
    item = read_bundle(bundle)

    assert item.reading.prediction.name == "left"
    assert item.truth == "right"
    assert item.model["name"] == halves.name
    assert [s[0]["metric"] for s in item.scores] == ["sparseness"] * 3
    assert [a["regions"][0]["region"] for a in item.audits] == [
        saved.rows[0].region for saved in judged[2]
    ]
    assert "constant" in [one["kind"] for one in item.verdicts[0]["reasons"]]
    assert "no_regions" not in [one["kind"] for one in item.verdicts[1]["reasons"]]
    assert [one["level"] in LEVELS for one in item.verdicts] == [True] * 3
    for read, saved in zip(item.explanations, judged[0], strict=True):
        np.testing.assert_array_equal(read.attribution, saved.attribution)
        np.testing.assert_array_equal(read.sample.image, saved.sample.image)
        np.testing.assert_array_equal(read.prediction.probabilities, saved.prediction.probabilities)
        for name in ("method", "target", "contrast", "seed", "layer", "cost", "figures"):
            assert getattr(read, name) == getattr(saved, name), name
        assert dict(read.settings) == dict(saved.settings)
    np.testing.assert_array_equal(item.explanations[2].segments, judged[0][2].segments)
    settled, was = item.explanations[2].convergence, judged[0][2].convergence
    np.testing.assert_array_equal(settled.samples, was.samples)
    np.testing.assert_allclose(settled.stability, was.stability, atol=1e-4)
    assert (settled.wanted, settled.limit, settled.exact) == (was.wanted, was.limit, was.exact)


def test_a_recording_comes_back_with_its_sound_and_all_its_windows(judged, halves, tmp_path):
    sound = Sound(
        waveform=np.sin(np.arange(8000) * 0.3).astype(np.float32),
        rate=8000,
        decibels=np.full((64, 126), -40, np.float32),
        hertz=np.linspace(50, 3800, 64, dtype=np.float32),
        seconds=np.linspace(0, 1, 126, dtype=np.float32),
        rebuilt=True,
    )
    samples = tuple(
        replace(judged[0][0].sample, sound=replace(sound, seconds=sound.seconds + start))
        for start in (0, 0.5, 1)
    )
    prediction = judged[0][0].prediction
    reading = Reading(
        source=Path("hum.wav"),
        samples=samples,
        predictions=(prediction,) * 3,
        prediction=prediction,
    )
    maps = [replace(judged[0][0], sample=sample) for sample in (samples[0], samples[2])]

    save_bundle(tmp_path / "hum", halves, reading, maps)
    item = read_bundle(tmp_path / "hum")

    assert [span for span, _ in item.recording.spans] == [0, 0.5, 1]
    assert item.recording.picture.startswith(b"\x89PNG")
    assert [e.sample.sound.seconds[0] for e in item.explanations] == [0, 1]
    assert item.explanations[0].sample.sound.rate == 8000
    assert item.explanations[0].sample.sound.rebuilt
    page = Page(folder_report([item]))
    assert [s["aria-label"] for s in page.all("audio")] == [
        "Sound from 0.00 to 1.00 seconds",
        "Sound from 1.00 to 2.00 seconds",
    ]
    assert "3 of 3 windows are predicted as left" in page.text


@pytest.mark.parametrize(
    "harm",
    [
        "no manifest",
        "cut",
        "arrays",
        "list",
        "method",
        "missing map",
        "version",
        "input",
        "metric",
        "passes",
        "model",
    ],
)
def test_a_damaged_bundle_is_refused_with_the_next_step(bundle, tmp_path, harm):
    place = tmp_path / "made"
    shutil.copytree(bundle, place)
    manifest = place / "manifest.json"
    if harm == "no manifest":
        manifest.unlink()
    elif harm == "cut":
        manifest.write_text(manifest.read_text()[:99])
    elif harm == "arrays":
        (place / "attributions.npz").write_bytes(b"PK\x03\x04")
    elif harm == "list":
        manifest.write_text("[]")
    elif harm == "method":
        manifest.write_text(manifest.read_text().replace('"saliency"', '"salience"'))
    elif harm == "missing map":
        manifest.write_text(manifest.read_text().replace('"attribution": "s', '"attribution": "x'))
    elif harm == "metric":
        manifest.write_text(manifest.read_text().replace('"sparseness"', '"spareness"'))
    else:
        told = json.loads(manifest.read_text())
        told |= {"version": {"schema_version": 99}, "input": {"input": "made.png"}}.get(harm, {})
        if harm == "passes":  # TypeError
            told["explanations"][0]["record"]["cost"] = [1]
        elif harm == "model":
            told["model"] = "halves"
        manifest.write_text(json.dumps(told))

    with pytest.raises(InputError, match="made") as caught:
        read_bundle(place)

    assert re.search(r"Explain the file again|Give a folder", str(caught.value))


# One page of all


@pytest.fixture
def item(bundle):
    return read_bundle(bundle)


def test_the_page_holds_the_picture_once_and_each_map_over_it(item, judged):
    page = Page(folder_report([item], opacity=0.3))

    drawn = [png_of(image) for image in page.all("img")]
    assert len(drawn) == 4 + 2  # and what they have in common, and where they conflict
    np.testing.assert_array_equal(drawn[0], heatmaps.image_bytes(judged[0][0].sample))
    for picture, explanation in zip(drawn[1:4], judged[0], strict=True):
        np.testing.assert_array_equal(picture, heatmaps.overlay(explanation, 0.3))
    assert all(len(image["alt"]) > 20 for image in page.all("img"))
    assert page.wrong == page.open == []


def test_the_page_tells_scores_regions_truth_and_the_contents(item):
    page = Page(folder_report([item, item], "All of them", "Beware."))

    for wanted in (
        "All of them",
        "Beware.",
        "made.png: left",
        "This is wrong: the true class is right.",
        "Not a medical device",
        "0 of 2 files with a known class are predicted correctly.",
        "Sparseness, Saliency",
        "Evidence of Saliency by region",
        "rank correlation with the map of another seed",
        "Do the maps agree?",
        "Versions",
        "SHA-256",
    ):
        assert wanted in page.text, wanted
    links = {attrs["href"] for attrs in page.all("a")}
    assert {"#file1", "#file2", "#overview", "#models"} <= links
    assert links <= {f"#{attrs['id']}" for _, attrs in page.tags if "id" in attrs}


def test_windows_without_a_value_leave_the_mean_of_the_others(item):
    def judged(*values):
        scores = [[{**item.scores[0][0], "value": value, "note": ""}] for value in values]
        maps = (item.explanations[0],) * len(values)
        return replace(item, explanations=maps, scores=tuple(map(tuple, scores)), audits=())

    some = _scores(judged(0.2, None, 0.4))
    every, none = _scores(judged(0.2, 0.4)), _scores(judged(None, None))

    assert some == {
        "Sparseness, Saliency": pytest.approx(0.3),
        "Sparseness, Saliency: windows": "2 of 3",
    }
    assert every == {"Sparseness, Saliency": pytest.approx(0.3)}
    assert none == {"Sparseness, Saliency": None}
    page = Page(folder_report([judged(0.2, None, 0.4), judged(0.1)]))
    assert "2 of 3" in page.text


def test_names_are_text_on_the_page_and_nothing_leads_elsewhere(item):
    reading = reading_of(item.explanations[0], HOSTILE)

    html = folder_report(
        [replace(item, reading=reading, model=dict(item.model) | {"name": "<svg onload=a()>"})],
        title="</title><script>",
    )

    page = Page(html)
    assert HOSTILE in page.text
    assert not {tag for tag, _ in page.tags} & {"iframe", "link"}
    assert [attrs["class"] for attrs in page.all("svg")] == ["curve"]  # of Kernel SHAP
    assert not any("onload" in attrs for _, attrs in page.tags)
    assert len(page.all("script")) == 1
    assert not re.search(r"https?://", html)
    assert all(attrs["src"].startswith("data:") for _, attrs in page.tags if "src" in attrs)


def test_the_page_opens_without_a_network_sorts_and_asks_for_nothing(halves, item, tmp_path):
    bright = replace(sample_of(np.ones((32, 32, 3)) * np.linspace(0, 1, 32)[None, :, None]))
    other = explain(halves, bright, "saliency")
    items = [
        item,
        ReportItem(
            reading=reading_of(other, "z.png"),
            explanations=(other,),
            model=describe_classifier(halves),
        ),
    ]
    path = tmp_path / "report.html"
    path.write_text(folder_report(items, "A folder"), "utf-8")

    with chromium() as browser:
        for scheme, width in (("light", 1280), ("dark", 1280), ("light", 320)):
            context = browser.new_context(
                offline=True, color_scheme=scheme, viewport={"width": width, "height": 800}
            )
            page, asked = context.new_page(), []
            page.on("request", lambda request, asked=asked: asked.append(request.url[:5]))
            page.goto(path.as_uri())

            assert axe_faults(page) == []
            assert set(asked) <= {"file:", "data:"}
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (shown == "rgb(18, 22, 27)") == (scheme == "dark")
        names = page.locator("#overview tbody tr td:first-child")
        head = page.locator("#overview th button", has_text="file")
        head.click()
        assert names.all_inner_texts() == ["made.png", "z.png"]
        head.click()
        assert names.all_inner_texts() == ["z.png", "made.png"]


def test_the_command_writes_one_page_and_leaves_out_what_is_damaged(run, bundle, tmp_path):
    for name in ("one", "deep/two", "bad"):
        shutil.copytree(bundle, tmp_path / "all" / name)
    (tmp_path / "all" / "bad" / "attributions.npz").unlink()

    code, out, err = run("report", tmp_path / "all", "--out", tmp_path / "r.html", "--json")

    told = result_of(out)
    assert code == 2
    assert [Path(entry["folder"]).name for entry in told["files"]] == ["two", "one"]
    assert [one["file"] for one in json.loads(out)["failures"]] == [str(tmp_path / "all" / "bad")]
    assert "bad is damaged" in err
    assert Page((tmp_path / "r.html").read_text()).text.count("made.png: left") == 4


def test_a_good_page_is_not_replaced_by_one_of_nothing(run, bundle, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(bundle, tmp_path / "all" / name)
    page = tmp_path / "r.html"
    run("report", tmp_path / "all", "--out", page)
    before = page.read_bytes()
    for name in ("one", "two"):
        (tmp_path / "all" / name / "attributions.npz").unlink()

    code, out, err = run("report", tmp_path / "all", "--out", page, "--overwrite")

    assert (code, out) == (2, "")
    assert "Cannot read any of the 2 bundles" in err
    assert page.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no folder nowhere"),
        (["{empty}"], "holds no bundle"),
        (["{bundle}", "--out", "{mine}"], "was not written by xai-tf"),
        (["{bundle}", "--out", "{empty}"], "is a folder"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_one_line(run, bundle, tmp_path, words, said):
    places = {"empty": tmp_path / "empty", "bundle": bundle, "mine": tmp_path / "mine.html"}
    places["empty"].mkdir()
    places["mine"].write_text("<h1>My site</h1>")

    code, out, err = run("report", *(word.format(**places) for word in words))

    assert code == 2
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert places["mine"].read_text() == "<h1>My site</h1>"


def test_a_picture_of_the_demo_goes_from_the_command_to_the_page(run, asking, tmp_path):
    run(
        "explain",
        SAMPLES / "cat.jpg",
        *asking,
        "--method",
        "saliency",
        "--regions",
        "--score",
        "sparseness",
        "--out",
        tmp_path / "out",
    )

    code, _, err = run("report", tmp_path / "out", "--out", tmp_path / "r.html")

    page = Page((tmp_path / "r.html").read_text())
    assert code == 0
    assert "r.html" in err
    assert len(page.all("img")) == 2
    assert "Evidence of Saliency by region" in page.text
    assert "Sparseness, Saliency" in page.text
