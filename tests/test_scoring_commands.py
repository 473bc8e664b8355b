"""The commands that judge explanations as they are typed."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

import xai_tf.commands.scoring  # noqa: F401 (its commands)
from xai_tf.scoring import METRICS

CAT = Path(str(files("xai_tf.samples"))) / "cat.jpg"


def test_the_metrics_are_listed_with_their_range_and_meaning(run):
    code, out, _ = run("metrics", "--json")

    found = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0
    assert list(found) == list(METRICS)
    assert found["deletion"]["better"] == "lower"
    assert found["deletion"]["settings"]["steps"]["default"] == 10
    assert set(found["deletion"]["meaning"]) == {"en", "fr"}


def test_explanations_are_scored_with_costs_told_before(run, asking, tmp_path):
    code, out, err = run(
        "explain", CAT, *asking, "--method", "saliency", "--method", "lime", "--score",
        "deletion, r2", "--set", "deletion.steps=5", "--set", "lime.num_samples=64", "--seed", "3",
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip

    saliency, lime = json.loads(out)[0]["explanations"]
    (deletion,) = saliency["scores"]
    assert code == 0
    assert "Saliency, deletion: 86 passes a map, about" in err
    assert [score["metric"] for score in lime["scores"]] == ["deletion", "r2"]
    assert deletion["settings"] == {"steps": 5, "baseline": 0.0, "num_random": 20}
    assert deletion["passes"] == {"forward": 86, "gradient": 0}
    assert 0 <= deletion["value"] <= 1
    assert deletion["seed"] == 3
    assert deletion["quantity"].startswith("probability of ")
    assert deletion["random"]["count"] == 20
    assert lime["scores"][1]["random"] is None
    kept = json.loads((tmp_path / "out" / "cat" / "manifest.json").read_text())
    assert kept["explanations"] == json.loads(out)[0]["explanations"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert METRICS["deletion"].meaning["en"] in page
    assert f"{deletion['value']:.3f}" in page


def test_scores_are_a_table_for_people(run, asking, tmp_path):
    code, out, _ = run(
        "explain", CAT, *asking, "--method", "saliency", "--score", "sparseness,average_drop",
        "--out", tmp_path / "out",
    )  # fmt: skip

    assert code == 0
    assert "Average drop" in out
    assert "0 to 1, lower is better" in out


def test_without_asking_nothing_is_scored(run, asking, tmp_path):
    _, out, err = run(
        "explain", CAT, *asking, "--method", "saliency", "--out", tmp_path / "out", "--json"
    )  # fmt: skip

    assert json.loads(out)[0]["explanations"][0]["scores"] == []
    assert "passes" not in err
    assert "Scores" not in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--score", "deletoin"], "Did you mean 'deletion'"),
        (["--score", "r2"], "for LIME only"),
        (["--score", "deletion", "--set", "deletion.steps=0"], "steps=0"),
        (["--score", "deletion", "--set", "insertion.steps=5"], "is not among what was asked"),
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
    words = ["compare", CAT, *asking, "--method", "saliency", "--method", "grad_cam",
             "--score", "deletion,sparseness", "--target", "dog"]  # fmt: skip

    _, as_table, told = run(*words)
    code, out, _ = run(*words, "--json")

    found = json.loads(out)
    assert code == 0
    assert [entry["method"] for entry in found["methods"]] == ["saliency", "grad_cam"]
    assert all(entry["target"] == "dog" for entry in found["methods"])
    assert sorted(entry["ranks"]["deletion"] for entry in found["methods"]) == [1, 2]
    assert found["agreement"]["methods"] == ["Saliency", "Grad-CAM"]
    assert len(found["agreement"]["rank_correlation"]) == 2
    assert found["agreement"]["sign_agreement"] == [[None, None], [None, None]]
    assert found["conflicts"][0]["text"] in {
        f"{first} ranks it above {ranks[0]:.0%} of the picture, {second} above {ranks[1]:.0%}"
        for first, second in (("Saliency", "Grad-CAM"), ("Grad-CAM", "Saliency"))
        for ranks in [found["conflicts"][0]["ranks"]]
    }
    assert "The gravest conflicts" in as_table
    assert "Grad-CAM, deletion: 191 passes a map" in told
    assert "(lower is better)" in as_table
    assert " *" in as_table
    assert "beats" in as_table
    assert "Agreement" in as_table
    for entry in found["methods"]:
        assert f"{entry['scores'][0]['value']:.3f}" in as_table
