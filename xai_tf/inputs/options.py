"""The choices that a file leaves to the person who reads it."""

from __future__ import annotations

from dataclasses import dataclass

from xai_tf.errors import SettingError, pick
from xai_tf.inputs.resizing import RESIZERS


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a file is read. The defaults are what most people want.

    Attributes:
        frame: number, from 1, of the frame, page or slice to read; None reads the first one of an
            animation or a TIFF, and the middle one of DICOM or NIfTI. Sound has no frames.
        resize: how a picture is resized, a name in `RESIZERS`; "" is bilinear, or what the card of
            a model says. Spectrograms that are drawn from sound are always resized bilinearly.

    Raises:
        SettingError: the frame is not a whole number from 1.
        UnknownNameError: there is no such resizer.
    """

    frame: int | None = None
    resize: str = ""

    def __post_init__(self) -> None:
        if self.resize:
            pick(RESIZERS, self.resize, "resizer")
        whole = isinstance(self.frame, int) and not isinstance(self.frame, bool)
        if self.frame is not None and not (whole and self.frame >= 1):
            raise SettingError(
                f"Invalid value for frame: {self.frame!r}. Expected a whole number from 1."
            )


DEFAULT_OPTIONS = ReadOptions()
