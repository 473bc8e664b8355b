"""Makes a search folder with KerasTuner's own oracle, and learning curves from a formula."""

import json
import math

import keras_tuner as kt
import numpy as np

SPACE = {
    "backbone": ["mobilenet_v2", "vgg16"],
    "units1": [128, 384],
    "learning_rate": [1e-3, 1e-4, 1e-5],
    "dropout": [0.0, 0.1, 0.2],
    "l1_1": [1e-3, 1e-4, 1e-5],
    "l2_1": [1e-3, 1e-4, 1e-5],
}
EVIL = "<script>alert(1)</script>"


def curve_at(values, epoch):
    """Cross-entropy falls with the epochs, faster for larger rates; a small L1 costs less."""
    speed = {1e-3: 0.8, 1e-4: 0.3, 1e-5: 0.08}[values["learning_rate"]]
    level = 0.12 if values["backbone"] == "vgg16" else 0.2
    ce = level + 0.5 * math.exp(-speed * epoch) + 0.1 * values["dropout"]
    # The weakest L1 overfits: best by val_loss, not by val_ce.
    val_ce = ce + {1e-5: 0.06, 1e-4: 0.0, 1e-3: 0.03}[values["l1_1"]]
    val_ce += 0.01 * epoch * (values["units1"] == 384)
    penalty = (900 * values["l1_1"] + 40 * values["l2_1"]) * values["units1"] / 384
    return {
        "epoch": epoch,
        "loss": ce + penalty,
        "val_loss": val_ce + penalty,
        "ce": ce,
        "val_ce": val_ce,
        "accuracy": min(1.0, 1.15 - ce),
        "val_accuracy": round(min(1.0, 1.1 - val_ce) * 60) / 60,
        "seconds": 0.5,
    }


def make_search(folder, *, max_epochs=10, iterations=1, stop=None, fail=(), objective="val_loss"):
    """Drive the real oracle through a search; trial number `stop` is left running."""
    hps = kt.HyperParameters()
    for name, choices in SPACE.items():
        hps.Choice(name, choices)
    oracle = kt.oracles.HyperbandOracle(
        objective=objective,
        max_epochs=max_epochs,
        factor=3,
        hyperband_iterations=iterations,
        seed=7,
        hyperparameters=hps,
        max_consecutive_failed_trials=99,
    )
    oracle.verbose = 0
    oracle._set_project_dir(str(folder.parent), folder.name)
    folder.mkdir(parents=True, exist_ok=True)
    brackets = [
        {
            "bracket": bracket,
            "rounds": [
                {
                    "trials": oracle._get_size(bracket, number) * iterations,
                    "first_epoch": oracle._get_epochs(bracket, number - 1) if number else 0,
                    "last_epoch": oracle._get_epochs(bracket, number),
                }
                for number in range(bracket + 1)
            ],
        }
        for bracket in reversed(range(oracle._get_num_brackets()))
    ]
    rounds = [r for bracket in brackets for r in bracket["rounds"]]
    study = {
        "name": "chest-1",
        "task": "chest_xray",
        "classes": ["normal", "opacity"],
        "created": "2025-01-02T03:04:05+00:00",
        "asked": {
            "space": SPACE,
            "objective": objective,
            "max_epochs": max_epochs,
            "factor": 3,
            "iterations": iterations,
            "seed": 7,
            "batch_size": 32,
            "backbones": SPACE["backbone"],
            "weights": "imagenet",
            "image_size": [224, 224],
            "copies": 2,
            "class_weights": True,
            "mode": "waves",
            "files": {"train": {"a.png": "3f"}, "validation": {f"{n}.png": "9" for n in range(60)}},
        },
        "plan": {
            "trials": sum(r["trials"] for r in rounds),
            "epochs": sum(r["trials"] * (r["last_epoch"] - r["first_epoch"]) for r in rounds),
            "seconds": 60.0,
            "brackets": brackets,
        },
        "versions": {"keras": "3.15.1", "keras-tuner": "1.4.8"},
    }
    (folder / "study.json").write_text(json.dumps(study))
    with (folder / "curves.jsonl").open("w") as curves:
        for number in range(10**6 if stop is None else stop + 1):
            trial = oracle.create_trial("tuner0")
            if trial.status != "RUNNING":
                break
            values = trial.hyperparameters.values
            last = values["tuner/epochs"]
            if number == stop or number in fail:
                last = values["tuner/initial_epoch"] + 1
            for epoch in range(values["tuner/initial_epoch"] + 1, last + 1):
                row = curve_at(values, epoch)
                curves.write(json.dumps({"trial": trial.trial_id, **row}) + "\n")
                metrics = {key: row[key] for key in ("val_loss", "val_ce", "val_accuracy")}
                oracle.update_trial(trial.trial_id, metrics, step=epoch)
            if number == stop:
                break
            trial.status = "FAILED" if number in fail else "COMPLETED"
            if number in fail:
                trial.message = f"Traceback\n  ...\nValueError: out of memory in {EVIL}\n"
            oracle.end_trial(trial)
    return folder


def export_winner(folder, trial, classes=("normal", "opacity")):
    """Write what an export leaves: a file of metrics, and probabilities with labels."""
    rng, arrays = np.random.default_rng(0), {}
    for split, count in (("test", 60), ("validation", 60)):
        labels = rng.integers(0, len(classes), count)
        logits = rng.normal(0, 1.2, (count, len(classes))) + 2.4 * np.eye(len(classes))[labels]
        arrays[f"{split}_logits"] = logits
        arrays[f"{split}_probabilities"] = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        arrays[f"{split}_labels"] = labels
    np.savez(folder / "winner.npz", **arrays)
    winner = {
        "trial": trial,
        "model": "chest-1-winner",
        "metrics": [
            {
                "name": "accuracy",
                "split": "test",
                "value": 0.9167,
                "low": 0.8193,
                "high": 0.9639,
                "count": 60,
            },
            {
                "name": "auc",
                "split": "test",
                "value": 0.9712,
                "low": 0.93,
                "high": 0.997,
                "count": 60,
            },
            {
                "name": "accuracy",
                "split": "validation",
                "value": 0.95,
                "low": 0.863,
                "high": 0.983,
                "count": 60,
            },
            {"name": "ce", "split": "test", "value": 0.21, "low": None, "high": None, "count": 60},
        ],
        "calibration": {
            "method": "temperature",
            "temperature": 1.21,
            "ece_before": 0.061,
            "ece_after": 0.034,
            "fitted_on": "validation",
            "measured_on": "test",
        },
        "threshold": 0.43 if len(classes) == 2 else None,
        "notes": ["The test set is from the same hospital as the training set."],
        "repeats": [
            {"seed": seed, "val_accuracy": value, "val_ce": 1.1 - value, "test_accuracy": 0.9}
            for seed, value in ((2, 0.933), (3, 0.917), (4, 0.95))
        ],
        "size": 14_500_000,
        "seconds": {"features": 812.5, "search": 63.0},
    }
    (folder / "winner.json").write_text(json.dumps(winner))
