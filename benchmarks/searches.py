"""How long does a Hyperband search take, against KerasTuner with the backbone in every trial?

210 photos in three fixed copies and 60 validation photos at 224; the seeds' space, 30 trials, 120
epochs in all. The rival is stock `keras_tuner.Hyperband` on the whole network, the backbone frozen,
same seeds, same rows, same order. Its search takes hours, so one trial of two epochs is measured
and the rest projected: 30 builds and traces, 120 epochs. Ours is measured whole: the first search
(features computed) and the next one (another seed, features at hand). The floor is one forward pass
over the rows. Then a whole naive search at 32 pixels shows that trials and scores are the same.

Run: python benchmarks/searches.py PHOTOS MOBILENET_V2_WEIGHTS VGG16_WEIGHTS; PHOTOS holds two or
more class folders with 27 photos a class at least. Prints tables for `benchmarks/results.md`.
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
from tuning.space import draw_values
from tuning.study import Study
from tuning.trials import read_search
from tuning.tuner import Network, Tuner
from tuning.tuners import make_settings
from xai_tf.training.train import features

TRAIN, VALIDATION = 210, 60


class WholeEveryTime(TrainingData):
    """The usual way: the backbone runs in every epoch of every trial."""

    def cut(self, backbone: str) -> None:
        return None


@dataclass(frozen=True)
class Spent:
    """Seconds: of the processors together, and by the clock."""

    cpu: float
    wall: float

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.cpu + other.cpu, self.wall + other.wall)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.cpu - other.cpu, self.wall - other.wall)

    def times(self, factor: float) -> "Spent":
        return Spent(self.cpu * factor, self.wall * factor)


def spent(run: Callable[[], object]) -> Spent:
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


def photos(source: Path, place: Path) -> Path:
    """Two classes of photos: 210 to train, 60 to validate, a few to test, as links or copies."""
    folders = sorted(p for p in source.iterdir() if p.is_dir())
    sides = folders[: len(folders) // 2], folders[len(folders) // 2 :]
    counts = {"train": TRAIN // 2, "validation": VALIDATION // 2, "test": 5}
    for name, side in zip(("a", "b"), sides, strict=True):
        rounds = zip(*(sorted(folder.iterdir()) for folder in side), strict=False)
        files = iter(path for row in rounds for path in row)
        for split, count in counts.items():
            (place / split / name).mkdir(parents=True)
            for _ in range(count):
                copy(next(files), place / split / name)
    return place


def naive_tuner(study: Study, training_data: TrainingData) -> kt.Hyperband:
    """Stock KerasTuner on the whole network."""
    settings = make_settings(study, lambda *_: None)
    hyperparameters = kt.HyperParameters()
    draw_values(hyperparameters, study.full_space)
    return kt.Hyperband(
        Network(settings, training_data),
        kt.Objective(study.objective, "min"),
        max_epochs=study.max_epochs,
        factor=study.factor,
        seed=study.seed,
        hyperparameters=hyperparameters,
        directory=str(study.root / "naive"),
        project_name=study.name,
    )


def naive_cost(study: Study) -> Spent:
    """A whole naive search, projected from a trial of two epochs."""
    training_data = WholeEveryTime(study, lambda *_: None)
    network = Network(make_settings(study, lambda *_: None), training_data)
    hp = kt.HyperParameters()
    draw_values(hp, study.full_space)
    built: list = []
    build = spent(lambda: built.append(network.build(hp)))
    first = spent(lambda: network.fit(hp, built[0], initial_epoch=0, epochs=1, callbacks=[]))
    both = spent(lambda: network.fit(hp, built[0], initial_epoch=0, epochs=2, callbacks=[]))
    epoch = both.times(0.5)
    trials, epochs = schedule.num_trials(study.brackets), schedule.num_epochs(study.brackets)
    trace = first - epoch
    print(f"  naive: build {build}, trace {trace}, epoch {epoch}", file=sys.stderr)
    return (build + trace).times(trials) + epoch.times(epochs)


def our_cost(study: Study) -> Spent:
    return spent(lambda: study.run())


def floor(study: Study) -> Spent:
    """One forward pass over all rows, traced before."""
    import tensorflow as tf

    training_data = study.training_data()
    base = training_data.base(study.backbones[0])
    run = tf.function(base, jit_compile=False)
    features(run, training_data.train.images(0, 16), 16)
    images = [
        training_data.train.images(0, len(training_data.train)),
        training_data.splits.validation.images,
    ]
    return spent(lambda: [features(run, part, 16) for part in images])


def compare(backbone: str, weights: str, data: Path, root: Path) -> None:
    study = Study(
        data=data,
        task="dog_breeds",
        name=f"{backbone}_1",
        backbones=(backbone,),
        weights=weights,
        root=root,
        copies=3,
    )
    naive, first = naive_cost(study), our_cost(study)
    again = replace(study, name=f"{backbone}_2", seed=2)
    following, bare = our_cost(again), floor(study)
    print(
        f"| {backbone} | {bare.cpu:.0f} / {bare.wall:.0f} | {naive.cpu:.0f} / {naive.wall:.0f} | "
        f"{first.cpu:.0f} / {first.wall:.0f} | {following.cpu:.1f} / {following.wall:.1f} | "
        f"{naive.cpu / first.cpu:.0f} / {naive.wall / first.wall:.0f} | "
        f"{naive.cpu / following.cpu:.0f} / {naive.wall / following.wall:.0f} |",
        flush=True,
    )


def same_trials(backbone: str, weights: str, data: Path, root: Path) -> None:
    """A whole naive search at 32 pixels beside ours: in waves, and through Keras on features."""
    study = Study(
        data=data,
        task="dog_breeds",
        name=f"{backbone}_32",
        backbones=(backbone,),
        weights=weights,
        root=root,
        image_size=32,
        copies=3,
    )
    waves = our_cost(study)
    tuner = naive_tuner(study, WholeEveryTime(study, lambda *_: None))
    tuner.oracle.verbose = 0
    naive = spent(tuner.search)
    single = replace(study, name=f"{backbone}_32_keras")
    settings = make_settings(single, lambda *_: None)
    kept = Tuner(Network(settings, single.training_data()), settings)
    keras = spent(kept.search)
    theirs = {key(t.hyperparameters.values): t.score for t in tuner.oracle.trials.values()}
    for name, ours in (
        ("waves", {key_of(t): t.score for t in read_search(study.folder).trials}),
        (
            "Keras on features",
            {key(t.hyperparameters.values): t.score for t in kept.oracle.trials.values()},
        ),
    ):
        gap = max(abs(ours[k] - theirs[k]) for k in theirs) if set(ours) == set(theirs) else np.nan
        print(f"| {backbone} | {name} | {len(ours)} of {len(theirs)} | {gap:.1e} |", flush=True)
    print(f"  32 px: waves {waves}, Keras on features {keras}, naive {naive}", file=sys.stderr)


def key(values: dict) -> tuple:
    """What makes a trial: the configuration and the epochs it trains."""
    own = {k: v for k, v in values.items() if not k.startswith("tuner/")}
    place = values["tuner/round"], values["tuner/initial_epoch"], values["tuner/epochs"]
    return (*sorted(own.items()), place)


def key_of(trial: object) -> tuple:
    return (*sorted(trial.values.items()), (trial.round, trial.first_epoch, trial.last_epoch))


def main() -> None:
    source, mobilenet, vgg = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    networks = (("mobilenet_v2", mobilenet), ("vgg16", vgg))
    with tempfile.TemporaryDirectory() as scratch:
        data = photos(source, Path(scratch) / "photos")
        print("CPU / wall seconds")
        print(
            "| backbone | floor: one pass | naive (projected) | ours, first | ours, next | "
            "naive / first | naive / next |"
        )
        for backbone, weights in networks:
            compare(backbone, weights, data, Path(scratch) / "searches")
        print("| backbone | trials | the same as naive | largest difference of a score |")
        for backbone, weights in networks:
            same_trials(backbone, weights, data, Path(scratch) / "small")


if __name__ == "__main__":
    main()
