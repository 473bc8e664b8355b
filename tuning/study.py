"""A search as one object: planned, run, resumed, reported, exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning import schedule
from tuning.search_folder import (
    check_space,
    disk_full_as_output_error,
    exclusive_lock,
    store_or_check_settings,
)
from tuning.settings import ExportSettings, Plan, StudySettings
from tuning.space import num_configurations
from tuning.trials import Search, read_search
from weights_keras import own_folder
from xai_tf.packages import require_extra
from xai_tf.progress import Progress, silent

if TYPE_CHECKING:
    from tuning.data import TrainingData
    from tuning.networks import Networks
    from weights_keras import ModelCard
    from xai_tf.datasets.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Study(StudySettings):
    """A search, as the settings it is given. The same settings resume it where it was stopped.

    The data is read once, when it is first needed. Every method that reads it or trains takes a
    `progress`, which is called with steps done, steps in all, and a text.

    Attributes are those of `StudySettings`.
    """

    def plan(self, progress: Progress = silent) -> Plan:
        """What the search will do and how long it will take, from one measured batch.

        Raises:
            XaiTfError: the data cannot be read, or there is too little disk space.
        """
        from tuning.estimate import estimate_bytes, estimate_seconds

        networks, brackets = self.networks(progress), self.brackets
        size = estimate_bytes(networks, schedule.num_trials(brackets))
        check_space(self.folder, size)
        return Plan(
            mode=self.mode,
            why=self.mode_reason,
            brackets=brackets,
            trials=schedule.num_trials(brackets),
            epochs=schedule.num_epochs(brackets),
            configurations=schedule.num_configurations(brackets),
            possible=num_configurations(self.full_space),
            rows=(len(networks.data.train), len(networks.data.validation)),
            seconds=estimate_seconds(networks, schedule.num_epochs(brackets)),
            bytes=size,
        )

    def training_data(self, progress: Progress = silent) -> TrainingData:
        """The data of the search.

        Raises:
            InputError: the data cannot be read, or there is too little of it.
        """
        return self.networks(progress).data

    def networks(self, progress: Progress = silent) -> Networks:
        """The networks of the search, on its data.

        Raises:
            InputError: as `training_data`.
        """
        from tuning.data import TrainingData
        from tuning.networks import Networks

        # Not a field: it is no setting, and takes no part in comparing or copying a study.
        if "_networks" not in self.__dict__:
            self.__dict__["_networks"] = Networks(TrainingData(self, progress), progress)
        networks: Networks = self.__dict__["_networks"]
        return networks

    def run(self, progress: Progress = silent, workers: int = 1, strategy: Any = None) -> Search:
        """Run the search, or resume it where it was stopped.

        Args:
            progress: see above; may raise to stop the search.
            workers: processes that train trials, where trials are trained one by one.
            strategy: a `tf.distribute` strategy such as `MirroredStrategy()`, which spreads each
                network over several GPUs, where trials are trained one by one.

        Raises:
            MissingExtraError: KerasTuner is not installed.
            SettingError: the folder holds a search with other settings.
            OutputError: another process is using the folder, or the disk is full.
            ModelError: too many trials failed in a row.
        """
        require_extra("tuning")
        from tuning.run import run_trials

        with exclusive_lock(self.folder), disk_full_as_output_error(self.folder):
            networks = self.networks(progress)
            store_or_check_settings(self.folder, networks.describe())
            run_trials(networks, progress, workers, strategy)
            return read_search(self.folder)

    def report(self) -> Path:
        """Write `report.html` and `trials.csv` into the search folder; returns the page."""
        from tuning.reporting import write_report

        return write_report(self.folder)

    def export(
        self,
        out: Path | None = None,
        settings: ExportSettings | None = None,
        *,
        also_test: Mapping[str, Dataset] | None = None,
        progress: Progress = silent,
    ) -> ModelCard:
        """Write the winner as a model with its card, and what the report shows of it.

        Args:
            out: the folder for the model; by default that of the user's models.
            settings: how the model is calibrated, stored and described.
            also_test: further test sets, by name.
            progress: see above.

        Raises:
            ModelError: no trial is completed yet, or the written model is not the one tuned.
        """
        from tuning.export import export

        out = out or own_folder()
        return export(
            self.networks(progress), out, settings, also_test=also_test, progress=progress
        )
