"""What a classifier says of a sound that was changed, asked through the file one listens to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.errors import InputError, ModelError
from xai_tf.inputs.audio import SILENCE, SOUND_SUFFIXES, write_wav
from xai_tf.inputs.sample import Sample, Sound
from xai_tf.sonification.masking import NOTHING_LEFT


@dataclass(frozen=True, eq=False)
class PlaybackResult:
    """A sound file that was written, and what the classifier says of it.

    Attributes:
        path: the file.
        energy: of the waveform as it was given, the sum of squares.
        prediction: by the file, read again as any other; None where nothing is left to write_and_predict: beside
            the loudest of the sounds asked about, it has no more energy than what muting leaves.
    """

    path: Path
    energy: float
    prediction: Prediction | None


def write_and_predict(
    classifier: Classifier, sounds: Mapping[str, Sound], folder: Path
) -> dict[str, PlaybackResult]:
    """Write sounds as 16-bit WAV files, and ask the classifier about what it reads in them.

    So what is said is about what one hears, rounding and all, and not about a picture that no sound
    looks like: in a new spectrogram the decibels count from a new maximum. Where the loudest would
    be clipped, or is below half of full scale, all are made quieter or louder by one factor.

    Args:
        classifier: one that reads sound.
        sounds: by name.
        folder: where NAME.wav is written.

    Raises:
        ModelError: the classifier reads no sound.
    """
    check_reads_sound(classifier)
    samples: dict[str, Sample] = {}
    peak = max(np.abs(sound.waveform).max() for sound in sounds.values())
    factor = np.clip(peak, 0.5, 0.99) / max(peak, SILENCE)
    energies = {name: _energy(sound.waveform) for name, sound in sounds.items()}
    for name, sound in sounds.items():
        write_wav(folder / f"{name}.wav", replace(sound, waveform=sound.waveform * factor))
        if energies[name] <= NOTHING_LEFT * max(energies.values()):
            continue
        try:
            samples[name] = classifier.read(folder / f"{name}.wav")
        except InputError:  # of a file just written: it is silent
            continue
    predictions = classifier.predict(list(samples.values())) if samples else []
    said = dict(zip(samples, predictions, strict=True))
    return {
        name: PlaybackResult(folder / f"{name}.wav", energies[name], said.get(name))
        for name in sounds
    }


def check_reads_sound(classifier: Classifier) -> None:
    """Raise a ModelError where a classifier reads no sound."""
    if not classifier.task or not set(SOUND_SUFFIXES) & set(classifier.task.suffixes):
        raise ModelError(
            f"{classifier.name!r} looks at pictures and reads no sound. Take a model for sound, or "
            "add --task deepfake_audio if it was trained on spectrograms."
        )


def _energy(waveform: np.ndarray) -> float:
    return float(np.sum(waveform.astype(np.float64) ** 2))
