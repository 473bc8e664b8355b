"""What one part of the state sees of another that holds it."""

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
from xai_tf.evaluation.results import EvaluationResults


class Narrated(Protocol):
    """A session, as the narrator sees it."""

    language: str
    param: Any

    @property
    def workspace(self) -> Workspace:
        """Files, model and answer."""

    @property
    def explorer(self) -> Explorer:
        """The explanation that is shown."""

    def made(self) -> list[tuple[Explain, Explanation]]:
        """The explanations of the files at hand, in the order they were made."""


class Reviewed(Protocol):
    """A run on labelled files, as the search for the neighbors of its mistakes sees it."""

    results: EvaluationResults | None
    file: Upload | None
    visitor: Visitor
    models: Mapping[str, ModelEntry]
    roots: tuple[Path, ...]
    param: Any

    @property
    def speed(self) -> float:
        """Seconds of computing for a file."""

    def told(self, error: XaiTfError) -> str:
        """An error in words for the visitor, without the places of files."""
