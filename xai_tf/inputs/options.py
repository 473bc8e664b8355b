"""The choices that a file leaves to the person who reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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
        crop_plot: whether a picture of a plot is cropped to the inside of its axes, which
            `xai_tf.inputs.plots` finds.

    Raises:
        SettingError: the frame is not a whole number from 1.
        UnknownNameError: there is no such resizer.
    """

    frame: int | None = None
    resize: str = ""
    crop_plot: bool = False

    def __post_init__(self) -> None:
        if self.resize:
            pick(RESIZERS, self.resize, "resizer")
        whole = isinstance(self.frame, int) and not isinstance(self.frame, bool)
        if self.frame is not None and not (whole and self.frame >= 1):
            raise SettingError(
                f"Invalid value for frame: {self.frame!r}. Expected a whole number from 1."
            )

    def to_dict(self) -> dict[str, Any]:
        """The options as plain data. What earlier versions had no option for is there if it is set.

        So a bundle of an earlier version still answers the same request.
        """
        told = asdict(self)
        if not self.crop_plot:
            del told["crop_plot"]
        return told


DEFAULT_OPTIONS = ReadOptions()
