"""A folder to listen to: what a map is about as sounds, and what the classifier says of each."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xai_tf.attribution.diagnostics import diagnose, has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import SettingError
from xai_tf.files import whole_folder
from xai_tf.inputs.sample import Sound
from xai_tf.sonification.masking import keep, mute, sound_of
from xai_tf.sonification.playback import PlaybackResult, check_reads_sound, write_and_predict
from xai_tf.sonification.time_frequency import (
    TimeFrequencyRegion,
    evidence_mask,
    find_regions,
    region_mask,
)

SCHEMA_VERSION = 1
REGIONS = "regions.json"


def save_sounds(
    folder: Path, classifier: Classifier, explanation: Explanation, count: int = 3
) -> dict[str, Any]:
    """Write what an explanation is about as sounds into `folder`, whole or not at all.

    Holds `original.wav`; where anything speaks for the class, `only_for.wav` and
    `everything_but.wav` (see `evidence_mask`); for each of the strongest regions `solo_1.wav` and
    `mute_1.wav`; and `regions.json`, which is written last.
    A folder of ours that is there already is replaced.

    Args:
        folder: where to.
        classifier: the one that was explained; it is asked about each file that was written.
        explanation: of a sample with a sound.
        count: of regions, at most.

    Returns:
        What is in `regions.json`: the map, its regions, and of each sound the share of the
        original's energy, the logits and the score (the logit of the class explained, less that of
        the one it is held against), None where only silence is left.

    Raises:
        ModelError: the classifier reads no sound.
        InputError: the sample has no sound.
        SettingError: the map has no signal.
        OutputError: the folder holds something else, or cannot be written.
    """
    check_reads_sound(classifier)
    sound_of(explanation.sample)
    if not has_signal(explanation.attribution):
        raise SettingError(
            f"{explanation.sample.source}: there is nothing to listen to. "
            f"{explanation.method.title} for {explanation.target_name}: "
            f"{diagnose(explanation.attribution)[0].text}"
        )
    regions = find_regions(explanation, count)
    with whole_folder(folder, REGIONS) as new:
        heard = write_and_predict(classifier, _sounds(explanation, regions), new)
        described = _describe(classifier, explanation, regions, heard)
        (new / REGIONS).write_text(json.dumps(described, indent=1, allow_nan=False), "utf-8")
    return described


def _sounds(explanation: Explanation, regions: list[TimeFrequencyRegion]) -> dict[str, Sound]:
    sample, speaking = explanation.sample, evidence_mask(explanation)
    sounds = {"original": sound_of(sample)}
    if speaking.any():
        sounds |= {"only_for": keep(sample, speaking), "everything_but": mute(sample, speaking)}
    masks = [region_mask(sample, region) for region in regions]
    sounds |= {f"solo_{n}": keep(sample, mask) for n, mask in enumerate(masks, 1)}
    sounds |= {f"mute_{n}": mute(sample, mask) for n, mask in enumerate(masks, 1)}
    return sounds


def _describe(
    classifier: Classifier,
    explanation: Explanation,
    regions: list[TimeFrequencyRegion],
    heard: dict[str, PlaybackResult],
) -> dict[str, Any]:
    """All that was found, as plain data."""
    from xai_tf.bundles.write import describe, describe_classifier, describe_explanation, versions

    weights = classifier.target(explanation.target, explanation.contrast)
    nothing = (
        []
        if "only_for" in heard
        else [
            f"Nothing in this map speaks for {explanation.target_name}, so there is no sound of "
            "that "
            "alone. Explain another class, or take another method."
        ]
    )
    original = heard["original"]
    sounds = []
    for name, one in heard.items():
        said = one.prediction
        sounds.append(
            {
                "name": name,
                "file": one.path.name,
                "energy": one.energy / original.energy,
                "score": float(said.logits @ weights) if said else None,
                "prediction": describe(said) if said else None,
            }
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "versions": versions(),
        "model": describe_classifier(classifier),
        "file": explanation.sample.source.name,
        "sha256": explanation.sample.sha256,
        "warnings": [*explanation.sample.warnings, *nothing],
        "prediction": describe(explanation.prediction),
        "explanation": describe_explanation(explanation),
        "regions": [asdict(region) | {"text": region.text} for region in regions],
        "sounds": sounds,
    }
