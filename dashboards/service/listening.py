"""The audible part of an explanation, and the classifier's prediction for it."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dashboards.service.requests import Listen
from xai_tf.attribution.diagnostics import diagnose, has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import OutputError, SettingError, pick
from xai_tf.inputs.sample import Sound
from xai_tf.sonification import (
    TimeFrequencyRegion,
    evidence_mask,
    find_regions,
    keep,
    mute,
    region_mask,
    write_and_predict,
)
from xai_tf.sonification.masking import sound_of

NUM_REGIONS = 5
ORIGINAL, SUPPORTING, REMAINDER, SOLO, MUTE = PARTS = (
    "original",
    "supporting",
    "remainder",
    "solo",
    "mute",
)


@dataclass(frozen=True, kw_only=True)
class SoundClip:
    """A part of a sound with the classifier's prediction for it.

    Attributes:
        wav: a 16-bit mono WAV file, as loud as in the original.
        energy: the share of the original's energy that is left, about 0 to 1.
        score_before: for the original, written to a file in the same way: the logit of the class
            explained, minus that of the class it is contrasted with.
        score: the same for this clip; None if only silence is left.
        predicted: the predicted class of this clip; None for silence.
        probability: the probability of the predicted class; None for silence.
        regions: the regions of the map, the strongest first; empty if none stands out.
    """

    wav: bytes
    energy: float
    score_before: float
    score: float | None
    predicted: str | None
    probability: float | None
    regions: tuple[TimeFrequencyRegion, ...]


def listen(
    classifier: Classifier, explanation: Explanation, request: Listen, scratch: Path
) -> SoundClip:
    """Extract a part of a sound, and predict it.

    Raises:
        ModelError: the classifier does not read sounds.
        InputError: the sample has no sound.
        SettingError: there is no such part or region, the map has no signal, or it has no evidence
            for the class.
        OutputError: the disk is full.
    """
    original = sound_of(explanation.sample)
    regions = tuple(find_regions(explanation, NUM_REGIONS))
    sounds = {ORIGINAL: original, request.part: _part(explanation, request, regions)}
    try:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            heard = write_and_predict(classifier, sounds, Path(folder))
            wav = heard[request.part].path.read_bytes()
    except OSError as error:
        logging.getLogger(__name__).warning("Cannot write a sound: %s", error)
        raise OutputError(
            "Cannot write the sound: the server's disk is full or not writable. Contact the "
            "administrator of the server."
        ) from error
    whole, part = heard[ORIGINAL], heard[request.part]
    weights = classifier.target(explanation.target, explanation.contrast)
    prediction = part.prediction
    return SoundClip(
        wav=wav,
        energy=part.energy / whole.energy,
        score_before=float(whole.prediction.logits @ weights),
        score=float(prediction.logits @ weights) if prediction else None,
        predicted=prediction.answer if prediction else None,
        probability=float(prediction.probabilities[prediction.label]) if prediction else None,
        regions=regions,
    )


def _part(
    explanation: Explanation, request: Listen, regions: tuple[TimeFrequencyRegion, ...]
) -> Sound:
    sample, part = explanation.sample, pick({name: name for name in PARTS}, request.part, "part")
    if part == ORIGINAL:
        return sound_of(sample)
    if not has_signal(explanation.attribution):
        raise SettingError(
            f"This map has no part to listen to. {explanation.method.title} for "
            f"{readable(explanation.target_name)}: {diagnose(explanation.attribution)[0].text}"
        )
    if part in (SOLO, MUTE):
        unknown = [number for number in request.regions if not 0 < number <= len(regions)]
        if unknown or not request.regions:
            raise SettingError(
                f"Invalid value for the region: {unknown[0] if unknown else 0}. Expected a whole "
                f"number from 1 to {len(regions)}."
            )
        mask = region_mask(sample, *(regions[number - 1] for number in request.regions))
        return (keep if part == SOLO else mute)(sample, mask)
    mask = evidence_mask(explanation, request.share)
    if not mask.any():
        raise SettingError(
            f"This map has no evidence for {readable(explanation.target_name)}, so there is "
            "nothing to keep or to remove. Explain another class, or choose another method."
        )
    return (keep if part == SUPPORTING else mute)(sample, mask)
