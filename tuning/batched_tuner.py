"""The tuner of batched heads: it asks for all trials that can run, and trains them together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras_tuner import errors

from tuning.batched_heads import Member, Rows, State, group_members, initial_state, train_heads
from tuning.heads import trial_seed
from tuning.search_folder import add_epoch
from tuning.space import Configuration
from tuning.trials import COMPLETED, FAILED, METRICS, Epoch, is_better
from tuning.tuner import Tuner, TunerSettings, check_finite
from xai_tf.errors import InputError

STATE = "state.npz"
MAX_TRIALS = 100_000  # at a time

Result = tuple[Epoch, State] | str  # the best epoch with its weights, or why the trial failed


class BatchedTuner(Tuner):
    """Asks the oracle for all trials that can run now, and trains them together.

    To the oracle, every trial of a batch seems to be requested by a different worker.

    Args:
        settings: the settings that every tuner needs.
        data: the training and the validation rows, by (backbone, pooling).
    """

    def __init__(
        self, settings: TunerSettings, data: dict[tuple[str, str], tuple[Rows, Rows]]
    ) -> None:
        super().__init__(None, settings)  # no Keras model is built
        self._data = data

    def search(self) -> None:
        """Train batches of trials until the oracle has none left."""
        self.oracle.save()  # first: `save` marks the folder as one to resume, from this file
        self.save()
        while trials := list(self._available_trials()):
            for (key, epochs), same_rows in _by_rows(trials, self.settings).items():
                self._train(same_rows, self._data[key], epochs)

    def _available_trials(self) -> Iterator[Any]:
        for lane in range(MAX_TRIALS):
            trial = self.oracle.create_trial(f"lane{lane}")
            if trial.status != "RUNNING":
                return
            yield trial

    def _train(self, trials: list[Any], data: tuple[Rows, Rows], epochs: range) -> None:
        num_logits = data[0].targets.shape[1]
        pairs = [(trial, self._member(trial, data[0])) for trial in trials]
        for group in group_members([member for _, member in pairs], num_logits):
            self._train_group([pairs[position] for position in group], data, epochs)

    def _train_group(
        self, group: list[tuple[Any, Member]], data: tuple[Rows, Rows], epochs: range
    ) -> None:
        import tensorflow as tf

        try:
            results = self._best_of(group, data, epochs)
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            if len(group) > 1:  # too large a group: one by one
                for single in group:
                    self._train_group([single], data, epochs)
            else:
                self._end(group[0][0], f"out of memory ({type(error).__name__})")
            return
        for (trial, _), result in zip(group, results, strict=True):
            self._end(trial, result)

    def _best_of(
        self, group: list[tuple[Any, Member]], data: tuple[Rows, Rows], epochs: range
    ) -> list[Result]:
        """Train a group; the result of each member."""
        settings = self.settings
        results: list[Result | None] = [None] * len(group)
        trained = train_heads(
            [member for _, member in group],
            *data,
            epochs=epochs,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )
        for count, outcomes in enumerate(trained, start=1):
            for k, ((trial, _), (epoch, state)) in enumerate(zip(group, outcomes, strict=True)):
                best = results[k]
                if isinstance(best, str):
                    continue
                try:
                    check_finite(epoch)
                except errors.FailedTrialError as error:
                    results[k] = str(error)
                    continue
                add_epoch(settings.folder, trial.trial_id, epoch)
                score = getattr(epoch, settings.objective)
                old = None if best is None else getattr(best[0], settings.objective)
                if is_better(settings.objective, score, old):
                    results[k] = (epoch, state())
            self.report_progress(group[0][0], count * len(group))
        return [result for result in results if result is not None]

    def _end(self, trial: Any, result: Result) -> None:
        """Complete a trial, or fail it for a reason."""
        if isinstance(result, str):
            trial.status, trial.message = FAILED, result
            self.store_failure(trial)
        else:
            epoch, state = result
            state.save(self.trial_folder(trial) / STATE)
            first = trial.hyperparameters.values["tuner/initial_epoch"]
            metrics = {name: getattr(epoch, name) for name in METRICS}
            self.oracle.update_trial(trial.trial_id, metrics, step=epoch.epoch - 1 - first)
            trial.status = COMPLETED
        self.on_trial_end(trial)
        self.report_progress(trial)

    def _member(self, trial: Any, train: Rows) -> Member:
        config, seed = self.settings.configuration(trial.hyperparameters), self.settings.seed
        parent = trial.hyperparameters.values.get("tuner/trial_id")
        if parent:
            state = self._state_of(self.oracle.trials[parent], config)
        else:
            shape = train.features.shape[1], train.targets.shape[1]
            state = initial_state(config, *shape, seed)
        return Member(config, state, trial_seed(seed, config))

    def _state_of(self, trial: Any, config: Configuration) -> State:
        """The weights a trial ended with; where their file is damaged, it is trained again."""
        path = self.trial_folder(trial) / STATE
        try:
            return State.load(path)
        except InputError as damaged:
            data, values = self._data[config.backbone, config.pooling], trial.hyperparameters.values
            epochs = range(values["tuner/initial_epoch"], values["tuner/epochs"])
            [result] = self._best_of([(trial, self._member(trial, data[0]))], data, epochs)
            if isinstance(result, str):
                raise InputError(f"{damaged} Training it again failed: {result}") from damaged
            result[1].save(path)
            return result[1]


def _by_rows(trials: list[Any], settings: TunerSettings) -> dict[Any, list[Any]]:
    """Trials by the features they train on and the epochs they train for."""
    groups: dict[Any, list[Any]] = {}
    for trial in trials:
        values = trial.hyperparameters.values
        config = settings.configuration(trial.hyperparameters)
        epochs = range(values["tuner/initial_epoch"], values["tuner/epochs"])
        groups.setdefault(((config.backbone, config.pooling), epochs), []).append(trial)
    return groups
