"""KerasTuner's Hyperband oracle, fixed where it loses trials or damages its files.

| KerasTuner 1.4.8 | here |
|---|---|
| a failed trial costs a promotion | the next best trial is promoted |
| a space with fewer points than the first round stops the search | the existing trials compete |
| it promotes while a round still runs, so the result depends on timing | after the round |
| a retry after NaN has no effect, as the trial already has metrics | the metrics are cleared |
| a killed process leaves a truncated `oracle.json` | files are complete or not there |
| a kill between two files repeats a finished trial, or leaves an orphan | repaired on reload |
| too many failures raise inside a request to the chief, which hangs | no more trials are given |
| seed 0 means no seed | seeds start at 1 (`StudySettings` checks it) |
| a promoted trial is labeled with the current bracket | with its own bracket |

Where nothing goes wrong, the trials are those of `keras_tuner.Hyperband` (Li et al. 2018).
"""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import keras_tuner as kt
from keras_tuner.src.engine import metrics_tracking

from tuning.search_folder import write_json
from tuning.trials import read_json

MAX_FAILURES = 5  # in a row; the search gives up then
DONE = ("COMPLETED", "FAILED")


class HyperbandOracle(kt.oracles.HyperbandOracle):
    """Hyperband that promotes as many trials as planned, and whose files survive a kill."""

    trials: dict[str, Any]
    _brackets: list[dict[str, Any]]
    _retry_queue: list[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, max_retries_per_trial=1, **kwargs)
        self._failures = 0
        self._exhausted = False  # every point of the space was tried
        # After so many draws in a row of points that were tried before, the space counts as
        # exhausted. KerasTuner's limit of 20 misses some of 9 points.
        self._max_collisions = 500

    @property
    def gave_up(self) -> bool:
        """Whether too many trials failed in a row since this process started."""
        return self._failures >= MAX_FAILURES

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next trial: RUNNING with its values, IDLE (wait), or STOPPED."""
        if self.gave_up:
            return self._no_trial()
        self._brackets = [b for b in self._brackets if not self._is_complete(b)]
        while True:
            for bracket in self._brackets:
                trial = self._next_in(bracket, trial_id)
                if trial:
                    return trial
            if self._is_last_bracket() or self._exhausted:
                return self._no_trial()
            self._increment_bracket_num()
            self._start_new_bracket()

    def end_trial(self, trial: Any) -> None:
        """End a trial, and count failures in a row."""
        super().end_trial(trial)
        ended = self.trials[trial.trial_id]
        if ended.status in DONE:
            self._failures = self._failures + 1 if ended.status == "FAILED" else 0

    def save(self) -> None:
        """Write `oracle.json`, completely or not at all."""
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def reload(self) -> None:
        """Read the state of a stopped search, and repair what a kill left inconsistent.

        Raises:
            InputError: a file is damaged; the text names it.
        """
        folder = Path(self._project_dir)
        for path in [folder / "oracle.json", *folder.glob("trial_*/trial.json")]:
            read_json(path)
        super().reload()
        # A kill between writing `trial.json` and `oracle.json` leaves one of them out of date.
        self.trials = {i: t for i, t in self.trials.items() if i in set(self.start_order)}
        self._retry_queue = [i for i in self._retry_queue if self.trials[i].status not in DONE]
        # In reverse, because `create_trial` takes the last: the oldest trial is run first.
        self._retry_queue = sorted(set(self._retry_queue), reverse=True)
        for trial_id in self._retry_queue:
            self.trials[trial_id].metrics = metrics_tracking.MetricsTracker()

    def get_state(self) -> dict[str, Any]:
        """The content of `oracle.json`."""
        return super().get_state() | {"exhausted": self._exhausted}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the content of `oracle.json`."""
        super().set_state(state)
        self._exhausted = state["exhausted"]

    def _save_trial(self, trial: Any) -> None:
        folder = Path(self._get_trial_dir(trial.trial_id))
        write_json(folder / "trial.json", trial.get_state())

    def _check_consecutive_failures(self) -> None:
        """Do nothing: an error here would leave a chief waiting forever. See `populate_space`."""

    def _retry(self, trial: Any) -> bool:
        with redirect_stdout(StringIO()):
            is_retried = bool(super()._retry(trial))
        if is_retried:
            trial.metrics = metrics_tracking.MetricsTracker()
        return is_retried

    def _next_in(self, bracket: dict[str, Any], trial_id: str) -> dict[str, Any] | None:
        if len(bracket["rounds"][0]) < self._size(bracket, 0):
            values = None if self._exhausted else self._random_values()
            if values:
                return self._start(bracket, 0, None, trial_id, values)
            self._exhausted = True
        for number in range(1, len(bracket["rounds"])):
            if self._is_short(bracket, number) and self._has_ended(bracket, number - 1):
                best = self._candidates(bracket, number)
                if best:
                    values = best[0].hyperparameters.values.copy()
                    return self._start(bracket, number, best[0], trial_id, values)
        return None

    def _start(
        self,
        bracket: dict[str, Any],
        number: int,
        parent: Any,
        trial_id: str,
        values: dict[str, Any],
    ) -> dict[str, Any]:
        bracket_number = bracket["bracket_num"]
        values["tuner/epochs"] = self._get_epochs(bracket_number, number)
        values["tuner/initial_epoch"] = (
            self._get_epochs(bracket_number, number - 1) if number else 0
        )
        values["tuner/bracket"], values["tuner/round"] = bracket_number, number
        if parent:
            values["tuner/trial_id"] = parent.trial_id
        past = parent.trial_id if parent else None
        bracket["rounds"][number].append({"past_id": past, "id": trial_id})
        return {"status": "RUNNING", "values": values}

    def _size(self, bracket: dict[str, Any], number: int) -> int:
        """The number of trials of a round: never more than the round before had."""
        planned = self._get_size(bracket["bracket_num"], number)
        if number == 0:
            return min(planned, len(bracket["rounds"][0])) if self._exhausted else planned
        return min(planned, self._size(bracket, number - 1))

    def _is_short(self, bracket: dict[str, Any], number: int) -> bool:
        return len(bracket["rounds"][number]) < self._size(bracket, number)

    def _has_ended(self, bracket: dict[str, Any], number: int) -> bool:
        """Whether all trials of a round, and of the rounds before it, have ended."""
        if number and not self._has_ended(bracket, number - 1):
            return False
        has_more = self._is_short(bracket, number) and (
            number == 0 or bool(self._candidates(bracket, number))
        )
        trials = [self.trials[entry["id"]] for entry in bracket["rounds"][number]]
        return not has_more and all(trial.status in DONE for trial in trials)

    def _candidates(self, bracket: dict[str, Any], number: int) -> list[Any]:
        """Completed trials of the round before that were not promoted yet, the best first."""
        promoted = {entry["past_id"] for entry in bracket["rounds"][number]}
        previous = [self.trials[entry["id"]] for entry in bracket["rounds"][number - 1]]
        free = [t for t in previous if t.status == "COMPLETED" and t.trial_id not in promoted]
        return sorted(free, key=lambda t: t.score, reverse=self.objective.direction == "max")

    def _is_complete(self, bracket: dict[str, Any]) -> bool:
        return self._has_ended(bracket, len(bracket["rounds"]) - 1)

    def _is_last_bracket(self) -> bool:
        last = self._current_iteration + 1 == self.hyperband_iterations
        return self._current_bracket == 0 and last

    def _no_trial(self) -> dict[str, Any]:
        return {"status": "IDLE" if self.ongoing_trials else "STOPPED"}
