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
    """What the search for similar training samples needs from an error study."""

    results: EvaluationResults | None
    file: Upload | None
    visitor: Visitor
    models: Mapping[str, ModelEntry]
    roots: tuple[Path, ...]
    param: Any

    @property
    def speed(self) -> float:
        """Seconds of compute per file."""

    def error_text(self, error: XaiTfError) -> str:
        """The text of an error without the paths of this server's folders."""
