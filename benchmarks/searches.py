"""How long does a Hyperband search take, compared with the backbone in every trial?

The data are 210 photos in three fixed versions and 60 validation photos of 224 pixels; the search
has the default space, 30 trials and 120 epochs in all. The baseline is stock
`keras_tuner.Hyperband` on the whole network with the backbone frozen, with the same seeds, rows and
order. Its search takes hours, so one trial of two epochs is measured, and the whole extrapolated to
30 builds and traces and 120 epochs. Ours is measured completely: the first search, which computes
the features, and a second one with another seed, which finds them in the cache. The lower bound is
one forward pass over the rows. Finally, a complete baseline search at 32 pixels shows that trials
and scores are the same.

Run: python benchmarks/searches.py PHOTOS MOBILENET_V2_WEIGHTS VGG16_WEIGHTS; PHOTOS contains two or
more class folders with at least 27 photos each. Prints tables for `benchmarks/results.md`.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copy

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_tuner as kt
import numpy as np

from tuning import schedule
from tuning.data import TrainingData
from tuning.networks import Networks
from tuning.space import draw_values
from tuning.study import Study
from tuning.trials import read_search
from tuning.tuner import Network, Tuner
from tuning.tuners import tuner_settings
from xai_tf.training.train import features

TRAIN, VALIDATION = 210, 60


class BackboneInEveryTrial(Networks):
    """The usual way: the backbone runs in every epoch of every trial."""

    def cut(self, backbone: str) -> None:
        return None


def baseline_networks(study: Study) -> Networks:
    return BackboneInEveryTrial(TrainingData(study))


@dataclass(frozen=True)
class Seconds:
    """CPU time of all processors, and wall time."""

    cpu: float
    wall: float

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.cpu + other.cpu, self.wall + other.wall)

    def __sub__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.cpu - other.cpu, self.wall - other.wall)

    def times(self, factor: float) -> "Seconds":
        return Seconds(self.cpu * factor, self.wall * factor)


def measure(run: Callable[[], object]) -> Seconds:
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return Seconds(time.process_time() - cpu, time.perf_counter() - wall)


def copy_photos(source: Path, target: Path) -> Path:
    """Two classes of photos: 210 for training, 60 for validation, a few for the test."""
    folders = sorted(p for p in source.iterdir() if p.is_dir())
    halves = folders[: len(folders) // 2], folders[len(folders) // 2 :]
    counts = {"train": TRAIN // 2, "validation": VALIDATION // 2, "test": 5}
    for name, half in zip(("a", "b"), halves, strict=True):
        rounds = zip(*(sorted(folder.iterdir()) for folder in half), strict=False)
        files = iter(path for row in rounds for path in row)
        for split, count in counts.items():
            (target / split / name).mkdir(parents=True)
            for _ in range(count):
                copy(next(files), target / split / name)
    return target


def baseline_tuner(study: Study) -> kt.Hyperband:
    """Stock KerasTuner on the whole network."""
    settings = tuner_settings(study)
    hyperparameters = kt.HyperParameters()
    draw_values(hyperparameters, study.full_space)
    return kt.Hyperband(
        Network(settings, baseline_networks(study)),
        kt.Objective(study.objective, "min"),
        max_epochs=study.max_epochs,
        factor=study.factor,
        seed=study.seed,
        hyperparameters=hyperparameters,
        directory=str(study.root / "baseline"),
        project_name=study.name,
    )


def baseline_cost(study: Study) -> Seconds:
    """A whole baseline search, extrapolated from a trial of two epochs."""
    network = Network(tuner_settings(study), baseline_networks(study))
    hp = kt.HyperParameters()
    draw_values(hp, study.full_space)
    built: list = []
    build = measure(lambda: built.append(network.build(hp)))
    first = measure(lambda: network.fit(hp, built[0], initial_epoch=0, epochs=1, callbacks=[]))
    both = measure(lambda: network.fit(hp, built[0], initial_epoch=0, epochs=2, callbacks=[]))
    epoch = both.times(0.5)
    trials, epochs = schedule.num_trials(study.brackets), schedule.num_epochs(study.brackets)
    trace = first - epoch
    print(f"  baseline: build {build}, trace {trace}, epoch {epoch}", file=sys.stderr)
    return (build + trace).times(trials) + epoch.times(epochs)


def our_cost(study: Study) -> Seconds:
    return measure(lambda: study.run())


def lower_bound(study: Study) -> Seconds:
    """One forward pass over all rows, after tracing."""
    import tensorflow as tf

    networks, data = study.networks(), study.training_data()
    run = tf.function(networks.base(study.backbones[0]), jit_compile=False)
    features(run, data.train.images(0, 16), 16)
    images = [data.train_images, data.splits.validation.images]
    return measure(lambda: [features(run, split, 16) for split in images])


def compare(backbone: str, weights: str, data: Path, root: Path) -> None:
    study = Study(
        data=data,
        task="dog_breeds",
        name=f"{backbone}_1",
        backbones=(backbone,),
        weights=weights,
        root=root,
        augmentations=3,
    )
    baseline, first = baseline_cost(study), our_cost(study)
    second_study = replace(study, name=f"{backbone}_2", seed=2)
    second, bound = our_cost(second_study), lower_bound(study)
    print(
        f"| {backbone} | {bound.cpu:.0f} / {bound.wall:.0f} | "
        f"{baseline.cpu:.0f} / {baseline.wall:.0f} | "
        f"{first.cpu:.0f} / {first.wall:.0f} | {second.cpu:.1f} / {second.wall:.1f} | "
        f"{baseline.cpu / first.cpu:.0f} / {baseline.wall / first.wall:.0f} | "
        f"{baseline.cpu / second.cpu:.0f} / {baseline.wall / second.wall:.0f} |",
        flush=True,
    )


def same_trials(backbone: str, weights: str, data: Path, root: Path) -> None:
    """A complete baseline search at 32 pixels beside ours: batched heads, and Keras on features."""
    study = Study(
        data=data,
        task="dog_breeds",
        name=f"{backbone}_32",
        backbones=(backbone,),
        weights=weights,
        root=root,
        image_size=32,
        augmentations=3,
    )
    batched = our_cost(study)
    tuner = baseline_tuner(study)
    tuner.oracle.verbose = 0
    baseline = measure(tuner.search)
    single = replace(study, name=f"{backbone}_32_keras")
    settings = tuner_settings(single)
    on_features = Tuner(Network(settings, single.networks()), settings)
    keras = measure(on_features.search)
    theirs = {key(t.hyperparameters.values): t.score for t in tuner.oracle.trials.values()}
    for name, ours in (
        ("batched heads", {key_of(t): t.score for t in read_search(study.folder).trials}),
        (
            "Keras on features",
            {key(t.hyperparameters.values): t.score for t in on_features.oracle.trials.values()},
        ),
    ):
        gap = max(abs(ours[k] - theirs[k]) for k in theirs) if set(ours) == set(theirs) else np.nan
        print(f"| {backbone} | {name} | {len(ours)} of {len(theirs)} | {gap:.1e} |", flush=True)
    print(
        f"  32 px: batched heads {batched}, Keras on features {keras}, baseline {baseline}",
        file=sys.stderr,
    )


def key(values: dict) -> tuple:
    """What identifies a trial: its configuration and the epochs it trains."""
    parameters = {k: v for k, v in values.items() if not k.startswith("tuner/")}
    epochs = values["tuner/round"], values["tuner/initial_epoch"], values["tuner/epochs"]
    return (*sorted(parameters.items()), epochs)


def key_of(trial: object) -> tuple:
    return (*sorted(trial.values.items()), (trial.round, trial.first_epoch, trial.last_epoch))


def main() -> None:
    source, mobilenet, vgg = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    networks = (("mobilenet_v2", mobilenet), ("vgg16", vgg))
    with tempfile.TemporaryDirectory() as scratch:
        data = copy_photos(source, Path(scratch) / "photos")
        print("CPU / wall seconds")
        print(
            "| backbone | lower bound: one pass | baseline (extrapolated) | ours, first | "
            "ours, second | baseline / first | baseline / second |"
        )
        for backbone, weights in networks:
            compare(backbone, weights, data, Path(scratch) / "searches")
        print("| backbone | trials | equal to the baseline | largest difference of a score |")
        for backbone, weights in networks:
            same_trials(backbone, weights, data, Path(scratch) / "small")


if __name__ == "__main__":
    main()
