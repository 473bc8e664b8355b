"""A part of a spectrogram as sound: the original, with all else turned down.

The mask is laid on the short-time Fourier transform of the waveform itself, so that what is kept
keeps its phase and sounds as it did, and nothing is rebuilt from a picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xai_tf.errors import InputError, SettingError, require_extra
from xai_tf.inputs.sample import Sample, Sound, resize

# What is muted is turned down by 60 dB, not cut out: in the spectrogram, which shows 80 dB, that is
# black for nearly all there is, as the methods' own "nothing there" (baseline 0) is.
MUTED = 1e-3
# Share of the energy below which all that is left is what muting leaves: louder by itself, since in
# its own spectrogram decibels count from its own maximum, it would look like the original.
NOTHING_LEFT = 10 * MUTED**2
# Frames of the transform overlap eightfold: it is the reader's own, and fades in and out within 64
# ms whatever the mask does, so that its edges don't click.
FRAME_STEPS = 8


def keep(sample: Sample, mask: np.ndarray) -> Sound:
    """The sound of a sample with only what a mask lets through; the rest is 60 dB quieter.

    Args:
        sample: one with a sound.
        mask: float array of shape (height, width) in [0, 1] over the whole picture, of any
            size: low tones at the bottom, 1 for what is kept, between for what fades. Ones
            everywhere give the sound as it was (to 1e-6).

    Returns:
        The sound, as loud as it is in the original. Its `decibels` are the original's with the
        mask laid on, not measured anew.

    Raises:
        InputError: the sample has no sound.
        SettingError: the mask is no picture of numbers from 0 to 1.
    """
    require_extra("audio")
    import librosa

    sound = sound_of(sample)
    _check_mask(mask)
    spectrum = _transform(sound)
    bands = resize(mask, (len(sound.hertz), spectrum.shape[1]))[::-1]
    kept = spectrum * _gain(_partition(sound) @ bands)
    waveform = librosa.istft(kept, hop_length=_step(sound), length=len(sound.waveform))
    return replace(sound, waveform=waveform.astype(np.float32), decibels=_faded(sound, mask))


def mute(sample: Sample, mask: np.ndarray) -> Sound:
    """The sound of a sample without what a mask covers: `keep` the other way round."""
    _check_mask(mask)
    return keep(sample, 1 - mask)


def band_energies(sound: Sound) -> np.ndarray:
    """The energy of the transform by mel band and frame: float64 of shape (bands, frames).

    A bin's energy is shared among the bands as the mask is, so that they add up to the whole.
    """
    return _partition(sound).T @ (np.abs(_transform(sound)).astype(np.float64) ** 2)


def sound_of(sample: Sample) -> Sound:
    """The sound behind a sample.

    Raises:
        InputError: it has none.
    """
    if sample.sound is None:
        raise InputError(
            f"{sample.source} was read as a picture without a sound: there is nothing to listen "
            "to. Give a sound or its spectrogram, and a model for sound."
        )
    return sample.sound


def _check_mask(mask: np.ndarray) -> None:
    if mask.ndim != 2 or not mask.size or not ((mask >= 0) & (mask <= 1)).all():
        raise SettingError(
            f"A mask of shape {mask.shape} with values outside 0 to 1, or not over a height and a "
            "width, cannot be laid on a spectrogram. Give 1 for what is kept, 0 for the rest."
        )


def _gain(mask: np.ndarray) -> np.ndarray:
    return MUTED + (1 - MUTED) * mask


def _step(sound: Sound) -> int:
    """Samples from one frame of the spectrogram to the next."""
    span = float(sound.seconds[-1]) - float(sound.seconds[0])
    return round(span / (len(sound.seconds) - 1) * sound.rate)


def _transform(sound: Sound) -> np.ndarray:
    """The short-time Fourier transform, complex of shape (bins, frames), framed as the mels are."""
    import librosa

    step = _step(sound)
    return librosa.stft(sound.waveform, n_fft=FRAME_STEPS * step, hop_length=step)


def _partition(sound: Sound) -> np.ndarray:
    """How much of each bin belongs to each band: float64 (bins, bands), rows summing to 1.

    The triangles of the mel filter bank, each as high as the next: between the centres of two bands
    they add up to 1. What lies beyond the outermost centres goes with the outermost bands.
    """
    num_bins = FRAME_STEPS * _step(sound) // 2 + 1
    bins = np.linspace(0, sound.rate / 2, num_bins)
    bands = np.eye(len(sound.hertz))
    return np.stack([np.interp(bins, sound.hertz, band) for band in bands], axis=1)


def _faded(sound: Sound, mask: np.ndarray) -> np.ndarray:
    """The decibels of a sound under a mask, below their maximum, no darker than they were."""
    gains = _gain(resize(mask, sound.decibels.shape)[::-1])
    faded = sound.decibels + 20 * np.log10(gains)
    return np.maximum(faded - faded.max(), sound.decibels.min()).astype(np.float32)
