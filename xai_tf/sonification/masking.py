"""Mask a spectrogram and listen to it: the original sound with the rest attenuated.

The mask is applied to the short-time Fourier transform of the original waveform, so that the
remaining sound keeps its phase, and nothing is reconstructed from an image.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xai_tf.errors import InputError, SettingError
from xai_tf.inputs.sample import Sample, Sound, resize
from xai_tf.packages import require_extra

# Muted parts are attenuated by 60 dB, not cut out. In the spectrogram, which shows 80 dB, that is
# black for nearly all sounds, like the baseline of the methods.
MUTED = 1e-3
# Share of the energy below which only attenuated sound is left. Decibels are relative to the
# maximum of a sound, so the spectrogram of that rest would look like the original.
NOTHING_LEFT = 10 * MUTED**2
# Frames overlap eightfold, as in the reader of sounds, and fade within 64 ms, so that the edges of
# a mask do not click.
FRAME_STEPS = 8


def keep(sample: Sample, mask: np.ndarray) -> Sound:
    """The sound of a sample with only the masked part; the rest is attenuated by 60 dB.

    Args:
        sample: a sample with a sound.
        mask: float array of shape (height, width) in [0, 1] over the whole spectrogram, of any
            size: low frequencies at the bottom, 1 for what is kept. Ones everywhere return the
            original sound (to 1e-6).

    Returns:
        The sound, at its original loudness. Its `decibels` are those of the original under the
        mask, not measured again.

    Raises:
        InputError: the sample has no sound.
        SettingError: the mask is not two-dimensional, or has values outside 0 to 1.
    """
    require_extra("audio")
    import librosa

    sound = sound_of(sample)
    _check_mask(mask)
    spectrum = _transform(sound)
    bands = resize(mask, (len(sound.hertz), spectrum.shape[1]))[::-1]
    masked = spectrum * _gain(_partition(sound) @ bands)
    waveform = librosa.istft(masked, hop_length=_step(sound), length=len(sound.waveform))
    return replace(sound, waveform=waveform.astype(np.float32), decibels=_faded(sound, mask))


def mute(sample: Sample, mask: np.ndarray) -> Sound:
    """The sound of a sample without the masked part: `keep` with the inverted mask."""
    _check_mask(mask)
    return keep(sample, 1 - mask)


def band_energies(sound: Sound) -> np.ndarray:
    """The energy by mel band and frame: float64 of shape (bands, frames).

    The energy of a bin is distributed over the bands as masks are, so that it sums to the total.
    """
    return _partition(sound).T @ (np.abs(_transform(sound)).astype(np.float64) ** 2)


def sound_of(sample: Sample) -> Sound:
    """The sound of a sample.

    Raises:
        InputError: it has none.
    """
    if sample.sound is None:
        raise InputError(
            f"Cannot sonify {sample.source}: it was read as an image without sound. Give a sound "
            "file or an image of a spectrogram, and a model for sound."
        )
    return sample.sound


def _check_mask(mask: np.ndarray) -> None:
    if mask.ndim != 2 or not mask.size or not ((mask >= 0) & (mask <= 1)).all():
        raise SettingError(
            f"Invalid mask of shape {mask.shape}. Expected an array of shape (height, width) with "
            "values from 0 to 1, where 1 keeps the sound."
        )


def _gain(mask: np.ndarray) -> np.ndarray:
    return MUTED + (1 - MUTED) * mask


def _step(sound: Sound) -> int:
    """Samples from one frame of the spectrogram to the next."""
    span = float(sound.seconds[-1]) - float(sound.seconds[0])
    return round(span / (len(sound.seconds) - 1) * sound.rate)


def _transform(sound: Sound) -> np.ndarray:
    """The short-time Fourier transform with the frames of the mel spectrogram: (bins, frames)."""
    import librosa

    step = _step(sound)
    return librosa.stft(sound.waveform, n_fft=FRAME_STEPS * step, hop_length=step)


def _partition(sound: Sound) -> np.ndarray:
    """The share of each bin that belongs to each band: float64 (bins, bands), rows summing to 1.

    These are the triangles of the mel filter bank at equal height, which sum to 1 between two band
    centers. Bins beyond the outermost centers belong to the outermost bands.
    """
    num_bins = FRAME_STEPS * _step(sound) // 2 + 1
    bins = np.linspace(0, sound.rate / 2, num_bins)
    bands = np.eye(len(sound.hertz))
    return np.stack([np.interp(bins, sound.hertz, band) for band in bands], axis=1)


def _faded(sound: Sound, mask: np.ndarray) -> np.ndarray:
    """The decibels of a sound under a mask, relative to their maximum, at least the old minimum."""
    gains = _gain(resize(mask, sound.decibels.shape)[::-1])
    faded = sound.decibels + 20 * np.log10(gains)
    return np.maximum(faded - faded.max(), sound.decibels.min()).astype(np.float32)
