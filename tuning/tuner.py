"""KerasTuner's tuner over our oracle: trials one by one, through Keras."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner as kt
import numpy as np
from keras_tuner import errors

from tuning.heads import set_dropout_step, trial_seed
from tuning.oracle import DONE, HyperbandOracle
from tuning.search_folder import add_epoch, write_whole
from tuning.space import Configuration, Space, configuration, draw_values
from tuning.trials import COMPLETED, Epoch, direction_of

if TYPE_CHECKING:
    from tuning.data import TrainingData

HEARTBEAT = "heartbeat"
MEASURED = ("loss", "val_loss", "ce", "val_ce", "accuracy", "val_accuracy")
MAX_STARTS = 3  # of one trial under the supervisor; after that it is what kills the workers


@dataclass(frozen=True)
class Settings:
    """What every tuner needs to know.

    Attributes:
        folder: of the search.
        space: what is searched.
        objective: "val_loss", "val_ce" or "val_accuracy".
        max_epochs, factor, iterations: of Hyperband.
        seed: of everything.
        batch_size: rows a step.
        num_epochs: of all trials together, as planned.
        report: called with (what is being done, epochs done, epochs in all).
        fixed: values that are not searched.
        strategy: of `tf.distribute`, for networks that are spread over several GPUs.
    """

    folder: Path
    space: Space
    objective: str
    max_epochs: int
    factor: int
    iterations: int
    seed: int
    batch_size: int
    num_epochs: int = 0
    report: Callable[[str, int, int], None] = lambda *_: None
    fixed: dict[str, Any] = field(default_factory=dict)
    strategy: Any = None

    def configuration(self, hp: kt.HyperParameters) -> Configuration:
        return configuration(self.fixed | draw_values(hp, self.space))


class Tuner(kt.Hyperband):
    """Runs trials one by one through a hypermodel's `build` and `fit`.

    Files are whole or not there, a failure's reason is kept beside its trial, and waiting for other
    workers costs no processor.
    """

    def __init__(self, hypermodel: kt.HyperModel | None, settings: Settings) -> None:
        self.settings = settings
        hyperparameters = kt.HyperParameters()
        draw_values(hyperparameters, settings.space)
        oracle = HyperbandOracle(
            kt.Objective(settings.objective, direction_of(settings.objective)),
            max_epochs=settings.max_epochs,
            factor=settings.factor,
            hyperband_iterations=settings.iterations,
            seed=settings.seed,
            hyperparameters=hyperparameters,
            allow_new_entries=False,
        )
        oracle.verbose = 0
        folder = settings.folder
        with redirect_stdout(StringIO()):  # it prints where an answer may be meant for a program
            kt.Tuner.__init__(
                self,
                oracle=oracle,
                hypermodel=hypermodel,
                directory=str(folder.parent),
                project_name=folder.name,
                distribution_strategy=settings.strategy,
            )

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Run trials until the oracle has none left."""
        while True:
            trial = self.oracle.create_trial(self.tuner_id)
            if trial.status == "STOPPED":
                return
            if trial.status == "IDLE":
                self.beat()
                time.sleep(0.5)
                continue
            self.tell(trial)
            try:
                self._try_run_and_update_trial(trial, *args, **kwargs)
            except errors.FatalError as error:  # KerasTuner's wrapping; a full disk is an OSError
                raise error.__cause__ or error from None
            self.tell_failure(trial)
            self.on_trial_end(trial)

    def tell(self, trial: Any, more: int = 0) -> None:
        """Report where the search stands: with `more` epochs of the trials that run now."""
        if self.supervised:
            return
        trials, values = self.oracle.trials.values(), trial.hyperparameters.values
        ended = [t for t in trials if t.status in DONE]
        spent = sum(
            t.hyperparameters.values["tuner/epochs"]
            - t.hyperparameters.values["tuner/initial_epoch"]
            for t in ended
        )
        scores = [t.score for t in ended if t.status == COMPLETED]
        pick = max if direction_of(self.settings.objective) == "max" else min
        best = pick(scores, default=None)
        text = (
            f"bracket {values['tuner/bracket']}, round {values['tuner/round']}, {len(ended)} done"
        )
        text += "" if best is None else f", best {self.settings.objective} {best:.4f}"
        self.settings.report(text, spent + more, max(self.settings.num_epochs, spent + more))

    def tell_failure(self, trial: Any) -> None:
        """Keep the reason of a failure; a worker's messages do not reach its chief."""
        path = self.trial_folder(trial) / "failure.txt"
        if trial.message and trial.status != COMPLETED:
            write_whole(path, lambda scratch: scratch.write_text(trial.message) and None)

    def beat(self) -> None:
        """Show that this process lives; the supervisor looks at the file's time."""
        (self.settings.folder / f"{HEARTBEAT}_{self.tuner_id}").touch()

    def trial_folder(self, trial: Any) -> Path:
        folder = self.settings.folder / f"trial_{trial.trial_id}"
        folder.mkdir(exist_ok=True)
        return folder

    def save(self) -> None:
        """Only the oracle knows anything, and saves itself."""

    def _get_tuner_fname(self) -> str:
        """KerasTuner takes this file's presence for a search to go on with.

        Its own name for it has the id of the process, so that a chief would start anew.
        """
        return str(self.settings.folder / "oracle.json")

    def _populate_initial_space(self) -> None:
        """The space is known; KerasTuner would build a model to find it."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        starts = self._count_start(trial)
        values = trial.hyperparameters.values
        try:
            return kt.Tuner.run_trial(
                self,
                trial,
                *args,
                epochs=values["tuner/epochs"],
                initial_epoch=values["tuner/initial_epoch"],
                callbacks=[_Watch(trial.trial_id)],
                **kwargs,
            )
        finally:
            starts.unlink(missing_ok=True)  # it stays where the process was killed

    def _deepcopy_callbacks(self, callbacks: list[Any]) -> list[Any]:
        """`_Watch` belongs to its trial, and looks at this tuner, which no one can copy."""
        for callback in callbacks:
            callback.tuner = self
        return list(callbacks)

    def _count_start(self, trial: Any) -> Path:
        path = self.trial_folder(trial) / "starts"
        starts = len(path.read_text()) if path.is_file() else 0
        if starts >= MAX_STARTS and self.supervised:
            raise errors.FailedTrialError(
                f"The process died {starts} times while it trained this. Out of memory?"
            )
        with path.open("a") as file:
            file.write("x")
        return path

    @property
    def supervised(self) -> bool:
        return not isinstance(self.oracle, HyperbandOracle)


class _Watch(keras.callbacks.Callback):
    """Writes the curves, shows that the process lives, and ends a trial that broke down."""

    tuner: Tuner

    def __init__(self, trial_id: str) -> None:
        super().__init__()
        self._trial_id = trial_id
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tuner.beat()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tuner.beat()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = round(time.perf_counter() - self._start, 4)
        found = Epoch(epoch + 1, *(float(logs[name]) for name in MEASURED), seconds)
        check_finite(found)
        add_epoch(self.tuner.settings.folder, self._trial_id, found)


def check_finite(epoch: Epoch) -> None:
    """Raise where a trial broke down."""
    for name in ("loss", "val_loss"):
        if not np.isfinite(getattr(epoch, name)):
            raise errors.FailedTrialError(
                f"{name} became {getattr(epoch, name)} in epoch {epoch.epoch}. The learning rate "
                "may be too high."
            )


class Network(kt.HyperModel):
    """A network trained by Keras: whole, or its upper part on the features of a cut."""

    def __init__(self, settings: Settings, training_data: TrainingData) -> None:
        super().__init__()
        self._settings, self._material = settings, training_data

    def build(self, hp: kt.HyperParameters) -> keras.Model:
        return self._material.build(self._settings.configuration(hp))[1]

    def fit(self, hp: kt.HyperParameters, model: keras.Model, **kwargs: Any) -> Any:
        config, training_data = self._settings.configuration(hp), self._material
        epochs = range(kwargs["initial_epoch"], kwargs["epochs"])
        seed = trial_seed(self._settings.seed, config)
        set_dropout_step(model, seed, epochs.start * training_data.steps)
        try:
            return model.fit(
                training_data.batches(config, epochs),
                validation_data=training_data.validation(config),
                steps_per_epoch=training_data.steps,
                shuffle=False,
                verbose=0,
                **kwargs,
            )
        except OSError as error:  # a full disk is no fault of the trial
            raise errors.FatalError(str(error)) from error
