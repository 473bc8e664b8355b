"""The settings by which a sound becomes a mel spectrogram."""

from __future__ import annotations

from dataclasses import dataclass

from xai_tf.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class MelRecipe:
    """The settings by which a sound becomes a spectrogram image.

    Attributes:
        rate: sample rate in Hz to which the sound is resampled first.
        window_seconds: the duration of one image; shorter sounds are padded with silence.
        hop_seconds: the largest distance between the starts of two windows of a longer sound.
        fft_samples: length of the short-time Fourier transform, in samples.
        frame_samples: length of its Hann window, in samples; zero-padded to the transform.
        step_samples: samples from one spectrogram frame to the next.
        num_mels: number of mel bands.
        low_hertz, high_hertz: the range of the mel bands, in Hz.
        range_decibels: the darkest color is this many dB below the maximum of the window.
        color_map: name of the matplotlib color map.
    """

    rate: int = 8000
    window_seconds: float = 2.0
    hop_seconds: float = 1.0
    fft_samples: int = 1024
    frame_samples: int = 512
    step_samples: int = 64
    num_mels: int = 64
    low_hertz: float = 50.0
    high_hertz: float = 3800.0
    range_decibels: float = 80.0
    color_map: str = "magma"

    def __post_init__(self) -> None:
        """Reject settings by which no spectrogram can be drawn.

        Raises:
            SettingError: a number is out of its range, or there is no such color map.
        """
        positive = ("rate", "window_seconds", "hop_seconds", "frame_samples", "step_samples")
        for name in (*positive, "num_mels", "range_decibels"):
            if getattr(self, name) <= 0:
                raise SettingError(
                    f"Invalid value for {name}: {getattr(self, name)}. Expected more than 0."
                )
        if self.fft_samples < self.frame_samples:
            raise SettingError(
                f"Invalid value for fft_samples: {self.fft_samples}. Expected at least "
                f"frame_samples, {self.frame_samples}."
            )
        if not 0 <= self.low_hertz < self.high_hertz <= self.rate / 2:
            raise SettingError(
                f"Invalid value for low_hertz or high_hertz: {self.low_hertz}, {self.high_hertz}. "
                f"Expected 0 <= low_hertz < high_hertz <= {self.rate / 2:g}, half the rate."
            )
