"""The commands that judge explanations as they are typed."""

import html
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import xai_tf.cli.compare  # noqa: F401 (its commands)
from tests.conftest import result_of
from xai_tf.agreement.agreement import rank_correlation
from xai_tf.bundles.index import write_page
from xai_tf.bundles.sources import takes_sound
from xai_tf.cli.scores import Amount, tell_costs
from xai_tf.metrics import METRICS
from xai_tf.reports import read_bundle

CAT = Path(str(files("xai_tf.samples"))) / "cat.jpg"


def test_the_metrics_are_listed_with_their_range_and_meaning(run):
    code, out, _ = run("metrics", "--json")

    found = {entry["name"]: entry for entry in result_of(out)}
    assert code == 0
    assert list(found) == list(METRICS)
    assert found["deletion"]["better"] == "lower"
    assert found["deletion"]["settings"]["steps"]["default"] == 10
    assert set(found["deletion"]["meaning"]) == {"en", "fr"}


def test_the_metrics_are_listed_in_french(run):
    _, out, _ = run("metrics", "--language", "fr")
    code, _, err = run("metrics", "--language", "de")

    assert "La probabilité moyenne" in out
    assert "The mean" not in out
    assert (code, "'fr'" in err) == (2, True)


def test_explanations_are_scored_with_costs_told_before(run, asking, tmp_path):
    code, out, err = run(
        "explain",
        CAT,
        *asking,
        "--method",
        "saliency",
        "--method",
        "lime",
        "--score",
        "deletion, r2",
        "--set",
        "deletion.steps=5",
        "--set",
        "lime.num_samples=64",
        "--seed",
        "3",
        "--out",
        tmp_path / "out",
        "--json",
    )

    saliency, lime = result_of(out)[0]["explanations"]
    (deletion,) = saliency["scores"]
    assert code == 0
    assert "Saliency: 1 pass per map, about" in err
    assert "LIME: 64 passes per map, about" in err
    assert "Saliency, deletion: 86 passes per map, about" in err
    assert "In total: 237 passes, about" in err  # 1 + 86 + 64 + 86
    assert "for 2 methods on 1 file" in err
    assert [score["metric"] for score in lime["scores"]] == ["deletion", "r2"]
    assert deletion["settings"] == {"steps": 5, "baseline": 0.0, "num_random": 20}
    assert deletion["passes"] == {"forward": 86, "gradient": 0}
    assert 0 <= deletion["value"] <= 1
    assert deletion["seed"] == 3
    assert deletion["quantity"].startswith("probability of ")
    assert deletion["random"]["count"] == 20
    assert lime["scores"][1]["random"] is None
    kept = json.loads((tmp_path / "out" / "cat" / "manifest.json").read_text())
    assert [one["scores"] for one in kept["explanations"]] == [saliency["scores"], lime["scores"]]
    page = (tmp_path / "out" / "index.html").read_text()
    assert METRICS["deletion"].meaning["en"] in page
    assert f"{deletion['value']:.3f}" in page


def test_scores_are_a_table_for_people(run, asking, tmp_path):
    code, out, _ = run(
        "explain",
        CAT,
        *asking,
        "--method",
        "saliency",
        "--score",
        "sparseness,average_drop",
        "--out",
        tmp_path / "out",
    )

    assert code == 0
    assert "Average drop" in out
    assert "0 to 1, lower is better" in out


def test_scores_of_several_methods_say_their_places_everywhere(run, asking, tmp_path):
    words = [
        "explain",
        CAT,
        *asking,
        "--method",
        "saliency",
        "--method",
        "grad_cam",
        "--method",
        "lime",
        "--set",
        "lime.num_samples=64",
        "--score",
        "deletion,r2",
        "--out",
        tmp_path / "out",
    ]

    _, told, _ = run(*words)
    _, out, _ = run(*words, "--json")
    code, _, _ = run("report", tmp_path / "out", "--out", tmp_path / "report.html")

    entries = result_of(out)[0]["explanations"]
    deletions = [entry["scores"][0] for entry in entries]
    values = [one["value"] for one in deletions]
    ranks = [1 + sum(value < mine for value in values) for mine in values]
    assert code == 0
    assert [one["place"] for one in deletions] == [{"rank": rank, "of": 3} for rank in ranks]
    assert entries[2]["scores"][1]["place"] is None  # R2 of LIME has no other beside it
    kept = json.loads((tmp_path / "out" / "cat" / "manifest.json").read_text())
    assert [one["scores"] for one in kept["explanations"]] == [one["scores"] for one in entries]
    for place in ("1 of 3", "2 of 3", "3 of 3"):
        assert place in told
        assert place in (tmp_path / "out" / "index.html").read_text()
        assert place in (tmp_path / "report.html").read_text()


def test_what_maps_have_in_common_and_where_they_conflict_is_kept_and_shown(run, asking, tmp_path):
    run(
        "explain",
        CAT,
        *asking,
        "--method",
        "saliency",
        "--method",
        "grad_cam",
        "--method",
        "gradient_input",
        "--regions",
        "--out",
        tmp_path / "out",
    )
    run("report", tmp_path / "out", "--out", tmp_path / "report.html")

    place = tmp_path / "out" / "cat"
    manifest = json.loads((place / "manifest.json").read_text())
    (compared,) = manifest["comparisons"]
    maps = [e.attribution for e in read_bundle(place).explanations]
    assert compared["pictures"] == ["consensus.png", "conflict.png"]
    for picture in compared["pictures"]:
        assert np.asarray(Image.open(place / picture)).shape == (*maps[0].shape, 3)
    assert compared["agreement"]["methods"] == ["Saliency", "Grad-CAM", "Gradient x Input"]
    drawn = [read_bundle(place).explanations[i] for i in (0, 1)]
    expected = rank_correlation(*drawn)
    assert compared["agreement"]["rank_correlation"][0][1] == pytest.approx(expected)
    assert compared["conflicts"]
    page = (tmp_path / "out" / "index.html").read_text()
    report = (tmp_path / "report.html").read_text()
    for picture in compared["pictures"]:
        assert f'src="cat/{picture}"' in page
    assert "these maps disagree: Saliency, Grad-CAM, Gradient x Input<p><img" in page
    assert "Saliency and Grad-CAM" in page
    assert compared["conflicts"][0]["text"] in page
    assert compared["conflicts"][0]["text"] in report
    assert "Disagreement of 3 maps" in report
    assert "Where the evidence lies" in page
    audited = manifest["explanations"][0]["audit"]
    assert all(html.escape(row["region"]) in page for row in audited["regions"])


def test_a_region_alarm_stands_on_the_index(run, asking, tmp_path):
    run("explain", CAT, *asking, "--method", "saliency", "--regions", "--out", tmp_path)
    manifest = json.loads((tmp_path / "cat" / "manifest.json").read_text())
    audited = manifest["explanations"][0]["audit"]
    audited["alarms"] = ["Too much lies <there>."]
    audited["regions"][0]["alarm"] = True

    page = write_page(tmp_path, {"cat": manifest}, "All").read_text()

    assert '<p class="alarm">saliency: Too much lies &lt;there&gt;.</p>' in page
    assert page.count("<td>ALARM") == 1


def test_a_comparison_is_kept_with_its_scores(run, asking, tmp_path):
    words = [
        "compare",
        CAT,
        *asking,
        "--method",
        "saliency",
        "--method",
        "grad_cam",
        "--score",
        "deletion",
        "--out",
        tmp_path / "out",
    ]

    code, out, err = run(*words, "--json")

    found, place = result_of(out), tmp_path / "out" / "cat"
    item = read_bundle(place)
    assert code == 0
    assert found["folder"] == str(place)
    assert [e.method.name for e in item.explanations] == ["saliency", "grad_cam"]
    for (saved,), told in zip(item.scores, found["methods"], strict=True):
        assert [saved] == told["scores"]
        assert saved["place"]["of"] == 2
    manifest = json.loads((place / "manifest.json").read_text())
    assert manifest["comparisons"][0]["agreement"] == found["agreement"]
    assert "cat/conflict.png" in (tmp_path / "out" / "index.html").read_text()
    assert "Saliency: 1 pass per map" in err
    assert "In total: 384 passes" in err


def test_the_cost_of_many_files_and_windows_is_told_before(run, asking, ear, tmp_path, capsys):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(CAT.read_bytes())

    _, _, err = run(
        "explain",
        tmp_path / "a.jpg",
        tmp_path / "b.jpg",
        *asking,
        "--method",
        "saliency",
        "--score",
        "average_drop",
        "--out",
        tmp_path / "out",
    )
    capsys.readouterr()
    tell_costs(ear, ["saliency"], [METRICS["average_drop"]], {}, amount=Amount(2, 3))
    tell_costs(ear, ["saliency"], [METRICS["average_drop"]], {}, amount=Amount(windows=0))
    told = capsys.readouterr().err

    assert takes_sound(ear)
    assert "In total: 46 passes, about" in err
    assert "for 1 method on 2 files" in err
    assert "In total: up to 138 passes" in told
    assert "for 1 method on 2 files of up to 3 windows" in told
    assert "In total: 23 passes" in told
    assert "for 1 method on 1 file, times the windows of each" in told


def test_the_cost_of_a_map_of_each_layer_is_told_before(run, asking, tmp_path):
    _, out, err = run(
        "explain",
        CAT,
        *asking,
        "--method",
        "grad_cam",
        "--layer",
        "all",
        "--score",
        "average_drop",
        "--out",
        tmp_path / "out",
        "--json",
    )

    maps = len(result_of(out)[0]["explanations"])
    assert maps > 1
    assert f"In total: {23 * maps} passes" in err


# What little there is to go by


@pytest.fixture
def black(tmp_path):
    """A picture of zeros, whose map times its input is zero."""
    path = tmp_path / "black.png"
    Image.new("RGB", (64, 64)).save(path)
    return path


@pytest.fixture
def one_segment(monkeypatch):
    from xai_tf.attribution import run as running

    monkeypatch.setattr(running, "segment", lambda *_: np.zeros((64, 64), np.int32))


@pytest.mark.parametrize("command", ["explain", "compare"])
def test_one_segment_is_told_and_stands_where_chance_does(
    run, asking, tmp_path, one_segment, command
):
    code, out, err = run(
        command,
        CAT,
        *asking,
        "--method",
        "lime",
        "--method",
        "kernel_shap",
        "--method",
        "saliency",
        "--method",
        "gradient_input",
        "--score",
        "deletion,r2,efficiency_gap",
        "--set",
        "lime.num_samples=32",
        "--set",
        "kernel_shap.num_samples=32",
        "--out",
        tmp_path / "out",
        "--json",
    )

    found = result_of(out)
    *flat, one, other = found["methods"] if command == "compare" else found[0]["explanations"]
    assert code == 0
    assert [entry["scores"][0]["place"]["of"] for entry in (one, other)] == [2, 2]
    for entry in flat:
        deletion, figure = entry["scores"]
        assert deletion["random"]["win_rate"] == 0.5
        assert "the order of its pixels is random" in deletion["note"]
        assert deletion["place"] is None
        assert (figure["value"], figure["note"] != "") == (None, True)
    assert "map is constant" in err.lower()


@pytest.mark.parametrize(
    ("command", "said"), [("explain", "map is constant"), ("compare", "zero everywhere")]
)
def test_a_map_of_zeros_is_told_and_has_no_score(run, asking, tmp_path, black, command, said):
    code, out, err = run(
        command,
        black,
        *asking,
        "--method",
        "gradient_input",
        "--method",
        "grad_cam",
        "--score",
        "deletion,sparseness",
        "--out",
        tmp_path / "out",
        "--json",
    )

    found = result_of(out)
    zero = (found["methods"] if command == "compare" else found[0]["explanations"])[0]
    assert code == 0
    assert [one["value"] for one in zero["scores"]] == [None, None]
    assert [one["place"] for one in zero["scores"]] == [None, None]
    assert "zero everywhere" in zero["scores"][0]["note"]
    assert said in err
    assert "zero everywhere" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize("command", ["explain", "audit", "report"])
def test_a_folder_with_one_class_only_is_as_good_as_any(run, asking, tmp_path, command):
    (tmp_path / "in" / "cat").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "in" / "cat" / name).write_bytes(CAT.read_bytes())
    made, page = tmp_path / "made", tmp_path / "page.html"
    words = ["--method", "saliency", *asking, "--json"]
    commands = {
        "explain": ["explain", tmp_path / "in", "--out", made, *words],
        "audit": ["audit", tmp_path / "in", *words],
        "report": ["report", made, "--out", page, "--json"],
    }
    if command == "report":
        run(*commands["explain"])

    code, out, _ = run(*commands[command])

    found = result_of(out)
    files = found if command == "explain" else found["files"]
    assert code == 0
    assert len(files) == 2
    if command == "explain":
        assert [entry["input"]["truth"] for entry in files] == ["cat", "cat"]
    elif command == "audit":
        assert {row["files"] for row in found["summary"]} == {2}
    else:
        assert "of 2 files with a known class are predicted correctly" in page.read_text()


def test_without_asking_nothing_is_scored(run, asking, tmp_path):
    _, out, err = run(
        "explain", CAT, *asking, "--method", "saliency", "--out", tmp_path / "out", "--json"
    )

    assert result_of(out)[0]["explanations"][0]["scores"] == []
    assert "passes" not in err
    assert "Scores" not in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--score", "deletoin"], "Did you mean 'deletion'"),
        (["--score", "r2"], "applies only to LIME"),
        (["--score", "deletion", "--set", "deletion.steps=0"], "setting 'steps': 0"),
        (["--score", "deletion", "--set", "insertion.steps=5"], "is not in use"),
    ],
)
@pytest.mark.parametrize("command", ["explain", "compare"])
def test_what_cannot_be_scored_is_refused_in_one_line(run, asking, tmp_path, command, words, said):
    out = ["--out", tmp_path / "out"] if command == "explain" else []

    code, printed, err = run(command, CAT, *asking, "--method", "saliency", *words, *out)

    assert code == 2
    assert printed == ""
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_methods_are_compared_as_a_table_and_as_json(run, asking):
    words = [
        "compare",
        CAT,
        *asking,
        "--method",
        "saliency",
        "--method",
        "grad_cam",
        "--score",
        "deletion,sparseness",
        "--target",
        "dog",
    ]

    _, as_table, told = run(*words)
    code, out, _ = run(*words, "--json")

    found = result_of(out)
    assert code == 0
    assert [entry["method"] for entry in found["methods"]] == ["saliency", "grad_cam"]
    assert all(entry["target"] == "dog" for entry in found["methods"])
    assert sorted(entry["ranks"]["deletion"] for entry in found["methods"]) == [1, 2]
    assert found["agreement"]["methods"] == ["Saliency", "Grad-CAM"]
    assert len(found["agreement"]["rank_correlation"]) == 2
    assert found["agreement"]["sign_agreement"] == [[None, None], [None, None]]
    assert found["conflicts"][0]["text"] in {
        f"{first} ranks it above {ranks[0]:.0%} of the image, {second} above {ranks[1]:.0%}"
        for first, second in (("Saliency", "Grad-CAM"), ("Grad-CAM", "Saliency"))
        for ranks in [found["conflicts"][0]["ranks"]]
    }
    assert "The strongest disagreements" in as_table
    assert "Grad-CAM, deletion: 191 passes per map" in told
    assert "(lower is better)" in as_table
    assert " *" in as_table
    assert "beats" in as_table
    assert "Agreement" in as_table
    for entry in found["methods"]:
        assert f"{entry['scores'][0]['value']:.3f}" in as_table
