"""The tuner of waves: asks the oracle for all the trials that can run, and trains them together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras_tuner import errors

from tuning.batched_heads import Member, Rows, State, initial_state, together, train_heads
from tuning.heads import trial_seed
from tuning.search_folder import add_epoch
from tuning.space import Configuration
from tuning.trials import COMPLETED, FAILED, Epoch, is_better
from tuning.tuner import MEASURED, Settings, Tuner, check_finite
from xai_tf.errors import InputError

STATE = "state.npz"


class BatchedTuner(Tuner):
    """Asks the oracle for all the trials that can run now, and trains them together.

    The oracle takes each lane for a worker of its own.

    Args:
        settings: what every tuner needs.
        data: by backbone and pooling, the training and the validation rows.
    """

    def __init__(self, settings: Settings, data: dict[tuple[str, str], tuple[Rows, Rows]]) -> None:
        super().__init__(None, settings)  # waves build no model
        self._data = data

    def search(self) -> None:
        """Run waves until the oracle has no trial left."""
        self.oracle.save()  # first, for with `save`'s file there it is looked for
        self.save()
        while wave := list(self._wave()):
            for (key, epochs), trials in _by_rows(wave, self.settings).items():
                self._train(trials, self._data[key], epochs)

    def _wave(self) -> Iterator[Any]:
        for lane in range(100_000):
            trial = self.oracle.create_trial(f"lane{lane}")
            if trial.status != "RUNNING":
                return
            yield trial

    def _train(self, trials: list[Any], data: tuple[Rows, Rows], epochs: range) -> None:
        num_logits = data[0].targets.shape[1]
        ready = [(trial, self._member(trial, data[0])) for trial in trials]
        for group in together([member for _, member in ready], num_logits):
            self._train_group([ready[position] for position in group], data, epochs)

    def _train_group(
        self, group: list[tuple[Any, Member]], data: tuple[Rows, Rows], epochs: range
    ) -> None:
        import tensorflow as tf

        try:
            results = self._best_of(group, data, epochs)
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            if len(group) > 1:  # too much at once: one by one
                for single in group:
                    self._train_group([single], data, epochs)
            else:
                self._end(group[0][0], f"out of memory ({type(error).__name__})")
            return
        for (trial, _), result in zip(group, results, strict=True):
            self._end(trial, result)

    def _best_of(
        self, group: list[tuple[Any, Member]], data: tuple[Rows, Rows], epochs: range
    ) -> list[tuple[Epoch, State] | str]:
        """Train a group: of each its best epoch with the weights, or why it broke down."""
        settings = self.settings
        results: list[tuple[Epoch, State] | str | None] = [None] * len(group)
        waves = train_heads(
            [member for _, member in group],
            *data,
            epochs=epochs,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )
        for count, found in enumerate(waves, start=1):
            for k, ((trial, _), (epoch, fetch)) in enumerate(zip(group, found, strict=True)):
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
                    results[k] = (epoch, fetch())
            self.tell(group[0][0], count * len(group))
        return results

    def _end(self, trial: Any, result: tuple[Epoch, State] | str) -> None:
        """Complete a trial, or fail it for a reason."""
        if isinstance(result, str):
            trial.status, trial.message = FAILED, result
            self.tell_failure(trial)
        else:
            epoch, state = result
            state.save(self.trial_folder(trial) / STATE)
            first = trial.hyperparameters.values["tuner/initial_epoch"]
            metrics = {name: getattr(epoch, name) for name in MEASURED}
            self.oracle.update_trial(trial.trial_id, metrics, step=epoch.epoch - 1 - first)
            trial.status = COMPLETED
        self.on_trial_end(trial)
        self.tell(trial)

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
        except InputError:
            data, values = self._data[config.backbone, config.pooling], trial.hyperparameters.values
            epochs = range(values["tuner/initial_epoch"], values["tuner/epochs"])
            [result] = self._best_of([(trial, self._member(trial, data[0]))], data, epochs)
            result[1].save(path)
            return result[1]


def _by_rows(trials: list[Any], settings: Settings) -> dict[Any, list[Any]]:
    """Trials by the features they train on and the epochs they train for."""
    found: dict[Any, list[Any]] = {}
    for trial in trials:
        values = trial.hyperparameters.values
        config = settings.configuration(trial.hyperparameters)
        epochs = range(values["tuner/initial_epoch"], values["tuner/epochs"])
        found.setdefault(((config.backbone, config.pooling), epochs), []).append(trial)
    return found
