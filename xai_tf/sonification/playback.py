"""Predict modified sounds through the very files that the user listens to."""

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
    """A sound file that was written, and its prediction.

    Attributes:
        path: the file.
        energy: the sum of squares of the waveform that was given.
        prediction: the prediction for the file, read like any other; None where nothing audible is
            left: compared with the loudest sound, it has no more energy than muting leaves.
    """

    path: Path
    energy: float
    prediction: Prediction | None


def write_and_predict(
    classifier: Classifier, sounds: Mapping[str, Sound], folder: Path
) -> dict[str, PlaybackResult]:
    """Write sounds as 16-bit WAV files, and predict what the classifier reads from them.

    So the prediction is about what the user hears, including rounding, and not about a masked image
    that no sound has: in a new spectrogram, decibels are relative to a new maximum. If the loudest
    sound would be clipped, or is below half of full scale, all are scaled by the same factor.

    Args:
        classifier: a classifier that reads sound.
        sounds: the sounds by name.
        folder: the folder to write NAME.wav files into.

    Returns:
        The file and its prediction by name.

    Raises:
        ModelError: the classifier does not read sound.
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
        except InputError:  # the file was just written, so the reason is that it is silent
            continue
    predictions = classifier.predict(list(samples.values())) if samples else []
    by_name = dict(zip(samples, predictions, strict=True))
    return {
        name: PlaybackResult(folder / f"{name}.wav", energies[name], by_name.get(name))
        for name in sounds
    }


def check_reads_sound(classifier: Classifier) -> None:
    """Raise a ModelError if a classifier does not read sound."""
    if not classifier.task or not set(SOUND_SUFFIXES) & set(classifier.task.suffixes):
        raise ModelError(
            f"The model {classifier.name!r} takes images and does not read sound. Use a model for "
            "sound, or add --task sound if it was trained on spectrograms."
        )


def _energy(waveform: np.ndarray) -> float:
    return float(np.sum(waveform.astype(np.float64) ** 2))
