"""A search: asked, planned, run, reported, exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning import schedule
from tuning.search_folder import alone, check_space, disk_full_told, remember
from tuning.settings import Plan, Report, StudySettings
from tuning.space import num_configurations
from tuning.trials import Search, read_search
from xai_tf.errors import require_extra

if TYPE_CHECKING:
    from tuning.data import TrainingData
    from weights_keras import ModelCard


@dataclass(frozen=True)
class Study(StudySettings):
    """A search. The same study goes on where it was stopped.

    Attributes are those of `StudySettings`.
    """

    def plan(self, report: Report = lambda *_: None) -> Plan:
        """Say what will be done and how long it will take, from one measured batch.

        Raises:
            XaiTfError: the data cannot be read, or there is no room.
        """
        from tuning.estimate import estimate_bytes, estimate_seconds

        training_data = self.training_data(report)
        brackets, (mode, why) = self.brackets, self.mode
        size = estimate_bytes(training_data, schedule.num_trials(brackets))
        check_space(self.folder, size)
        return Plan(
            mode=mode,
            why=why,
            brackets=brackets,
            trials=schedule.num_trials(brackets),
            epochs=schedule.num_epochs(brackets),
            started=schedule.num_started(brackets),
            possible=num_configurations(self.full_space),
            rows=(len(training_data.train), training_data.num_validation),
            seconds=estimate_seconds(training_data, schedule.num_epochs(brackets)),
            bytes=size,
        )

    def training_data(self, report: Report = lambda *_: None) -> TrainingData:
        """The data, read once."""
        from tuning.data import TrainingData

        if "_material" not in self.__dict__:
            self.__dict__["_material"] = TrainingData(self, report)
        return self.__dict__["_material"]

    def run(
        self, report: Report = lambda *_: None, workers: int = 1, strategy: Any = None
    ) -> Search:
        """Search, or go on with a search that was stopped.

        Args:
            report: called with (what is being done, steps done, steps in all).
            workers: processes that train trials, where they are trained one by one.
            strategy: of `tf.distribute`, such as `MirroredStrategy()`: spreads each network over
                several GPUs, where trials are trained one by one.

        Raises:
            MissingExtraError: KerasTuner is not installed.
            SettingError: the folder holds a search that was asked otherwise.
            OutputError: another process works on it, or the disk is full.
            ModelError: too many trials failed in a row.
        """
        require_extra("tuning")
        from tuning.run import search

        with alone(self.folder), disk_full_told(self.folder):
            training_data = self.training_data(report)
            remember(self.folder, training_data.describe())
            search(self, training_data, report, workers, strategy)
            return read_search(self.folder)

    def report(self) -> Path:
        """Write `report.html` and `trials.csv` into the folder."""
        from tuning.reporting import write_report

        return write_report(self.folder)

    def export(self, out: Path, **card: Any) -> ModelCard:
        """Make the winner a model with a card; see `tuning.export.export`."""
        from tuning.export import export

        return export(self.training_data(card.get("report", lambda *_: None)), out, **card)
