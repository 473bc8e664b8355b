"""KerasTuner's Hyperband oracle, mended where it loses trials or its files.

| KerasTuner 1.4.8 | here |
|---|---|
| a failed trial takes a promotion with it | the next best is promoted |
| a space with fewer points than the first round stops the search | what there is is halved |
| promotes while a round still runs, so that timing decides | when the round is complete |
| a retry after NaN is ignored, for the trial has its metrics already | the metrics are cleared |
| a truncated `oracle.json` after a kill | files are whole or not there |
| a kill between two files reruns a finished trial, or leaves a ghost | mended on reload |
| too many failures raise inside the chief's answer: it never ends | it hands out no more trials |
| seed 0 is no seed | seeds start at 1 (`Study` sees to it) |
| a promotion is labelled with the bracket of the moment | with its own |

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

MAX_FAILURES = 5  # in a row; more of them is no accident
DONE = ("COMPLETED", "FAILED")


class HyperbandOracle(kt.oracles.HyperbandOracle):
    """Hyperband that promotes as many as it should, and whose files survive a kill."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, max_retries_per_trial=1, **kwargs)
        self._failures = 0
        self._exhausted = False
        self._max_collisions = 500  # in a row, and the space has no more; 20 miss some of 9 points

    @property
    def gave_up(self) -> bool:
        """Whether too many trials failed in a row, since this process began."""
        return self._failures >= MAX_FAILURES

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial: RUNNING with values, IDLE (wait), or STOPPED."""
        if self.gave_up:
            return self._nothing()
        self._brackets = [b for b in self._brackets if not self._is_complete(b)]
        while True:
            for bracket in self._brackets:
                answer = self._next_in(bracket, trial_id)
                if answer:
                    return answer
            if self._is_last_bracket() or self._exhausted:
                return self._nothing()
            self._increment_bracket_num()
            self._start_new_bracket()

    def end_trial(self, trial: Any) -> None:
        super().end_trial(trial)
        ended = self.trials[trial.trial_id]
        if ended.status in DONE:
            self._failures = self._failures + 1 if ended.status == "FAILED" else 0

    def save(self) -> None:
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def reload(self) -> None:
        folder = Path(self._project_dir)
        for path in [folder / "oracle.json", *folder.glob("trial_*/trial.json")]:
            read_json(path)  # names the file that is damaged
        super().reload()
        # A kill between `trial.json` and `oracle.json` leaves one of the two behind.
        self.trials = {i: t for i, t in self.trials.items() if i in set(self.start_order)}
        self._retry_queue = [i for i in self._retry_queue if self.trials[i].status not in DONE]
        # The oldest first, for `create_trial` takes the last.
        self._retry_queue = sorted(set(self._retry_queue), reverse=True)
        for trial_id in self._retry_queue:
            self.trials[trial_id].metrics = metrics_tracking.MetricsTracker()

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"exhausted": self._exhausted}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._exhausted = state["exhausted"]

    def _save_trial(self, trial: Any) -> None:
        folder = Path(self._get_trial_dir(trial.trial_id))
        write_json(folder / "trial.json", trial.get_state())

    def _check_consecutive_failures(self) -> None:
        """Looked at in `populate_space`: an error here would leave a chief waiting for ever."""

    def _retry(self, trial: Any) -> bool:
        with redirect_stdout(StringIO()):
            again = super()._retry(trial)
        if again:
            trial.metrics = metrics_tracking.MetricsTracker()
        return again

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
        self, bracket: dict[str, Any], number: int, parent: Any, trial_id: str, values: dict
    ) -> dict[str, Any]:
        place = bracket["bracket_num"]
        values["tuner/epochs"] = self._get_epochs(place, number)
        values["tuner/initial_epoch"] = self._get_epochs(place, number - 1) if number else 0
        values["tuner/bracket"], values["tuner/round"] = place, number
        if parent:
            values["tuner/trial_id"] = parent.trial_id
        past = parent.trial_id if parent else None
        bracket["rounds"][number].append({"past_id": past, "id": trial_id})
        return {"status": "RUNNING", "values": values}

    def _size(self, bracket: dict[str, Any], number: int) -> int:
        """How many trials a round gets: never more than came through the one before."""
        planned = self._get_size(bracket["bracket_num"], number)
        if number == 0:
            return min(planned, len(bracket["rounds"][0])) if self._exhausted else planned
        return min(planned, self._size(bracket, number - 1))

    def _is_short(self, bracket: dict[str, Any], number: int) -> bool:
        return len(bracket["rounds"][number]) < self._size(bracket, number)

    def _has_ended(self, bracket: dict[str, Any], number: int) -> bool:
        """Whether nothing of a round, or of those before, is to come or still runs."""
        if number and not self._has_ended(bracket, number - 1):
            return False
        short = self._is_short(bracket, number) and (
            number == 0 or bool(self._candidates(bracket, number))
        )
        trials = [self.trials[entry["id"]] for entry in bracket["rounds"][number]]
        return not short and all(trial.status in DONE for trial in trials)

    def _candidates(self, bracket: dict[str, Any], number: int) -> list[Any]:
        """Completed trials of the round before that were not promoted yet, the best first."""
        taken = {entry["past_id"] for entry in bracket["rounds"][number]}
        past = [self.trials[entry["id"]] for entry in bracket["rounds"][number - 1]]
        free = [t for t in past if t.status == "COMPLETED" and t.trial_id not in taken]
        return sorted(free, key=lambda t: t.score, reverse=self.objective.direction == "max")

    def _is_complete(self, bracket: dict[str, Any]) -> bool:
        return self._has_ended(bracket, len(bracket["rounds"]) - 1)

    def _is_last_bracket(self) -> bool:
        last = self._current_iteration + 1 == self.hyperband_iterations
        return self._current_bracket == 0 and last

    def _nothing(self) -> dict[str, Any]:
        return {"status": "IDLE" if self.ongoing_trials else "STOPPED"}
