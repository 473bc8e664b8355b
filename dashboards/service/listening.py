"""What one hears of an explanation, and what the classifier says of that very file."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dashboards.service.requests import Listen
from xai_tf.attribution.diagnostics import diagnose, has_signal
from xai_tf.attribution.explanation import Explanation
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
ORIGINAL, ONLY, BUT, SOLO, MUTE = PARTS = ("original", "only_for", "everything_but", "solo", "mute")


@dataclass(frozen=True)
class Clip:
    """A part of a sound, and what the classifier says of it.

    Attributes:
        wav: a 16-bit mono WAV file; as loud as in the original.
        energy: the share of the original's energy that is left, about 0 to 1.
        score_before: of the original, heard alike: the logit of the class explained, less that of
            the one it is held against.
        score: of this file; None where only silence is left.
        called: what the classifier calls this file; None for silence.
        chance: the probability of that.
        regions: the strongest of the map, the strongest first; empty where none stands out.
    """

    wav: bytes
    energy: float
    score_before: float
    score: float | None
    called: str | None
    chance: float | None
    regions: tuple[TimeFrequencyRegion, ...]


def listen(
    classifier: Classifier, explanation: Explanation, request: Listen, scratch: Path
) -> Clip:
    """Make a part of a sound audible, and ask the classifier about it.

    Raises:
        ModelError: the classifier reads no sound.
        InputError: the sample has no sound.
        SettingError: there is no such part or region, the map has no signal, or nothing in it
            speaks for the class.
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
        logging.getLogger(__name__).warning("a sound could not be written: %s", error)
        raise OutputError(
            "The sound could not be written: the server's disk is full or cannot be written. Tell "
            "who runs the server."
        ) from error
    whole, part = heard[ORIGINAL], heard[request.part]
    weights = classifier.target(explanation.target, explanation.contrast)
    said = part.prediction
    return Clip(
        wav,
        part.energy / whole.energy,
        float(whole.prediction.logits @ weights),
        float(said.logits @ weights) if said else None,
        said.name if said else None,
        float(said.probabilities[said.label]) if said else None,
        regions,
    )


def _part(
    explanation: Explanation, request: Listen, regions: tuple[TimeFrequencyRegion, ...]
) -> Sound:
    sample, part = explanation.sample, pick({name: name for name in PARTS}, request.part, "part")
    if part == ORIGINAL:
        return sound_of(sample)
    if not has_signal(explanation.attribution):
        raise SettingError(
            f"There is nothing to listen to. {explanation.method.title} for "
            f"{explanation.target_name}: {diagnose(explanation.attribution)[0].text}"
        )
    if part in (SOLO, MUTE):
        unknown = [number for number in request.regions if not 0 < number <= len(regions)]
        if unknown or not request.regions:
            raise SettingError(
                f"There is no region {unknown[0] if unknown else 0} in this map. Take some from 1 "
                f"to {len(regions)}."
            )
        mask = region_mask(sample, *(regions[number - 1] for number in request.regions))
        return (keep if part == SOLO else mute)(sample, mask)
    mask = evidence_mask(explanation, request.share)
    if not mask.any():
        raise SettingError(
            f"Nothing in this map speaks for {explanation.target_name}, so there is nothing to "
            "keep or to take away. Explain another class, or take another method."
        )
    return (keep if part == ONLY else mute)(sample, mask)
