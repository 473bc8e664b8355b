"""Protocols for the parts of the state that refer to the object that owns them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from dashboards.service.requests import Explain, ModelEntry, Upload
from dashboards.service.service import Visitor
from dashboards.state.explorer import Explorer
from dashboards.state.workspace import Workspace
from xai_tf.attribution.explanation import Explanation
from xai_tf.errors import XaiTfError
from xai_tf.evaluation.labels import LabelResults
from xai_tf.evaluation.results import EvaluationResults


class Narrated(Protocol):
    """What the narrator needs from a session."""

    language: str
    param: Any

    @property
    def workspace(self) -> Workspace:
        """The files, the model and its prediction."""

    @property
    def explorer(self) -> Explorer:
        """The explanation that is shown."""

    def history(self) -> list[tuple[Explain, Explanation]]:
        """The explanations of the visitor's files, in the order they were computed."""


class Reviewed(Protocol):
    """What the parts of an error study need from it."""

    results: EvaluationResults | None
    several: LabelResults | None
    file: Upload | None
    visitor: Visitor
    models: Mapping[str, ModelEntry]
    ranking: list[int]
    cell: tuple[int, int] | None
    active: bool
    param: Any

    @property
    def readable(self) -> tuple[Path, ...]:
        """The folders whose files the visitor may read."""

    @property
    def on_page(self) -> list[int]:
        """The numbers of the files on the current page of the gallery."""

    @property
    def explained_model(self) -> ModelEntry:
        """The model that made the predictions."""

    @property
    def quick_method(self) -> str:
        """The method for maps of many files."""

    def predicted_class(self, number: int) -> int:
        """The class that a map of a file is for."""

    def record(self, path: Path) -> Upload:
        """The record of a file that this visitor may read."""

    async def decisive_window(self, file: Upload, number: int, slot: str) -> int:
        """The window of a file that is most confident of its predicted class."""

    def seconds_for(self, request: Explain, count: int = 1) -> float:
        """Estimated seconds for the maps of some files like that of a request."""

    @property
    def speed(self) -> float:
        """Seconds of compute per file."""

    def error_text(self, error: XaiTfError) -> str:
        """The text of an error without the paths of this server's folders."""
