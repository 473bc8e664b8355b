"""KerasTuner's tuner with our oracle: trials one by one, trained by Keras."""

from __future__ import annotations

import time
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner as kt
import numpy as np
from keras_tuner import errors

from tuning.batches import training_batches, validation_batches
from tuning.heads import set_dropout_step, trial_seed
from tuning.oracle import DONE, HyperbandOracle
from tuning.search_folder import add_epoch, write_durably
from tuning.space import Configuration, Space, configuration, draw_values
from tuning.trials import COMPLETED, METRICS, Epoch, direction_of
from xai_tf.progress import Progress, silent

if TYPE_CHECKING:
    from tuning.networks import Networks

HEARTBEAT = "heartbeat"
IDLE_SECONDS = 0.5  # between two requests to a chief that has no trial to give yet
MAX_STARTS = 3  # of one trial under the supervisor; after that the trial is what kills its workers


@dataclass(frozen=True, kw_only=True)
class TunerSettings:
    """The settings that every tuner needs.

    Attributes:
        folder: the search folder.
        space: the search space.
        objective: "val_loss", "val_ce" or "val_accuracy".
        max_epochs, factor, iterations: of Hyperband, see `StudySettings`.
        seed: the random seed.
        batch_size: rows per step.
        num_epochs: the planned number of epochs of all trials.
        progress: is called with epochs done, epochs in all, and the state of the search.
        fixed: the values of parameters that are not searched.
        strategy: a `tf.distribute` strategy that spreads a network over several GPUs, or None.
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
    progress: Progress = silent
    fixed: dict[str, Any] = field(default_factory=dict)
    strategy: Any = None

    def configuration(self, hp: kt.HyperParameters) -> Configuration:
        """The configuration of a trial."""
        return configuration(self.fixed | draw_values(hp, self.space))


class Tuner(kt.Hyperband):
    """Runs trials one by one through the `build` and `fit` of a hypermodel.

    Unlike KerasTuner's, it writes files completely or not at all, stores the reason of a failure
    beside the trial, and waits for other workers without using the CPU.

    Args:
        hypermodel: what is trained; None where a subclass trains without one.
        settings: the settings that every tuner needs.
    """

    def __init__(self, hypermodel: kt.HyperModel | None, settings: TunerSettings) -> None:
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
        with redirect_stdout(StringIO()):  # it prints to where a program may read our answer
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
                self.touch_heartbeat()
                time.sleep(IDLE_SECONDS)
                continue
            self.report_progress(trial)
            try:
                self._try_run_and_update_trial(trial, *args, **kwargs)
            except errors.FatalError as error:  # KerasTuner wraps what `Network.fit` raised
                raise error.__cause__ or error from None
            if trial.status != COMPLETED:
                self.report_progress(trial)  # a caller who stops the search may be why it failed
            self.store_failure(trial)
            self.on_trial_end(trial)

    def report_progress(self, trial: Any, running_epochs: int = 0) -> None:
        """Report the state of the search.

        Args:
            trial: the current trial.
            running_epochs: epochs done of trials that have not ended.
        """
        if self.supervised:
            return
        trials, values = self.oracle.trials.values(), trial.hyperparameters.values
        ended = [t for t in trials if t.status in DONE]
        epochs = running_epochs + sum(
            t.hyperparameters.values["tuner/epochs"]
            - t.hyperparameters.values["tuner/initial_epoch"]
            for t in ended
        )
        scores = [t.score for t in ended if t.status == COMPLETED]
        objective = self.settings.objective
        best = (max if direction_of(objective) == "max" else min)(scores, default=None)
        text = (
            f"bracket {values['tuner/bracket']}, round {values['tuner/round']}, {len(ended)} done"
        )
        text += "" if best is None else f", best {objective} {best:.4f}"
        self.settings.progress(epochs, max(self.settings.num_epochs, epochs), text)

    def store_failure(self, trial: Any) -> None:
        """Store why a trial failed; a worker's messages do not reach its chief."""
        path = self.trial_folder(trial) / "failure.txt"
        if trial.message and trial.status != COMPLETED:
            write_durably(path, lambda scratch: scratch.write_text(trial.message))

    def touch_heartbeat(self) -> None:
        """Show that this process is alive: the supervisor looks at the time of this file."""
        (self.settings.folder / f"{HEARTBEAT}_{self.tuner_id}").touch()

    def trial_folder(self, trial: Any) -> Path:
        """The folder of a trial, which is made if it is missing."""
        folder = self.settings.folder / f"trial_{trial.trial_id}"
        folder.mkdir(exist_ok=True)
        return folder

    def save(self) -> None:
        """Do nothing: the tuner has no state, and the oracle saves itself."""

    def _get_tuner_fname(self) -> str:
        """The file whose presence makes KerasTuner resume a search.

        KerasTuner's own file is named after the process, so a new chief would start from scratch.
        """
        return str(self.settings.folder / "oracle.json")

    def _populate_initial_space(self) -> None:
        """Do nothing: the space is known. KerasTuner would build a model to find it."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Train a trial; called by KerasTuner."""
        starts = self._count_start(trial)
        values = trial.hyperparameters.values
        try:
            return kt.Tuner.run_trial(
                self,
                trial,
                *args,
                epochs=values["tuner/epochs"],
                initial_epoch=values["tuner/initial_epoch"],
                callbacks=[_TrialCallback(trial.trial_id)],
                **kwargs,
            )
        finally:
            starts.unlink(missing_ok=True)  # it remains if the process is killed

    def _deepcopy_callbacks(self, callbacks: list[Any]) -> list[Any]:
        """Give callbacks this tuner instead of copying them, since a tuner cannot be copied."""
        for callback in callbacks:
            callback.tuner = self
        return list(callbacks)

    def _count_start(self, trial: Any) -> Path:
        path = self.trial_folder(trial) / "starts"
        starts = len(path.read_text()) if path.is_file() else 0
        if starts >= MAX_STARTS and self.supervised:
            raise errors.FailedTrialError(
                f"The process died {starts} times while it trained this trial. It may have run out "
                "of memory."
            )
        with path.open("a") as file:
            file.write("x")
        return path

    @property
    def supervised(self) -> bool:
        """Whether this process is a worker, whose oracle is in another process."""
        return not isinstance(self.oracle, HyperbandOracle)


class _TrialCallback(keras.callbacks.Callback):
    """Writes the learning curve, touches the heartbeat, and stops a trial that diverged."""

    tuner: Tuner

    def __init__(self, trial_id: str) -> None:
        super().__init__()
        self._trial_id = trial_id
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Touch the heartbeat."""
        self.tuner.touch_heartbeat()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Touch the heartbeat."""
        self.tuner.touch_heartbeat()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Append the epoch to the learning curves."""
        seconds = round(time.perf_counter() - self._start, 4)
        metrics = {name: float(logs[name]) for name in METRICS}
        finished = Epoch(epoch=epoch + 1, seconds=seconds, **metrics)
        check_finite(finished)
        add_epoch(self.tuner.settings.folder, self._trial_id, finished)
        if not self.tuner.supervised:
            trial = self.tuner.oracle.trials[self._trial_id]
            first = trial.hyperparameters.values["tuner/initial_epoch"]
            self.tuner.report_progress(trial, epoch + 1 - first)


def check_finite(epoch: Epoch) -> None:
    """Make sure that training has not diverged.

    Raises:
        FailedTrialError: a loss is NaN or infinite.
    """
    for name in ("loss", "val_loss"):
        if not np.isfinite(getattr(epoch, name)):
            raise errors.FailedTrialError(
                f"{name} became {getattr(epoch, name)} in epoch {epoch.epoch}. The learning rate "
                "may be too high."
            )


class Network(kt.HyperModel):
    """A network that Keras trains: all of it, or its upper layers on cached features."""

    def __init__(self, settings: TunerSettings, networks: Networks) -> None:
        super().__init__()
        self._settings, self._networks = settings, networks

    def build(self, hp: kt.HyperParameters) -> keras.Model:
        """Build the trainable part of the network; called by KerasTuner."""
        return self._networks.build(self._settings.configuration(hp))[1]

    def fit(self, hp: kt.HyperParameters, model: keras.Model, **kwargs: Any) -> Any:
        """Train the network; called by KerasTuner.

        Raises:
            FatalError: the disk is full, which is not the fault of the trial.
        """
        config, steps = self._settings.configuration(hp), self._networks.data.steps
        epochs = range(kwargs["initial_epoch"], kwargs["epochs"])
        seed = trial_seed(self._settings.seed, config)
        set_dropout_step(model, seed, epochs.start * steps)
        try:
            return model.fit(
                training_batches(self._networks, config, epochs),
                validation_data=validation_batches(self._networks, config),
                steps_per_epoch=steps,
                shuffle=False,
                verbose=0,
                **kwargs,
            )
        except OSError as error:
            raise errors.FatalError(str(error)) from error
