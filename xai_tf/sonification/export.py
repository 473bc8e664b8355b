"""Export the sonification of an explanation: masked sounds, and the prediction for each."""

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
from xai_tf.packages import versions
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
    """Write the sonification of an explanation into a folder, completely or not at all.

    The folder has `original.wav`; where there is evidence for the class, `supporting.wav` and
    `remainder.wav` (see `evidence_mask`); `solo_1.wav` and `mute_1.wav` for each of the strongest
    regions; and `regions.json`, which is written last. An earlier export is replaced.

    Args:
        folder: the folder to write.
        classifier: the classifier that was explained; it predicts each file that is written.
        explanation: an explanation of a sample with a sound.
        count: maximum number of regions.

    Returns:
        The content of `regions.json`: the map, its regions, and for each sound its share of the
        original energy, the logits and the score (the logit of the class explained, minus that of
        the contrast), which are None where only silence is left.

    Raises:
        ModelError: the classifier does not read sound.
        InputError: the sample has no sound.
        SettingError: the map has no signal.
        OutputError: the folder has other content, or cannot be written.
    """
    check_reads_sound(classifier)
    sound_of(explanation.sample)
    if not has_signal(explanation.attribution):
        raise SettingError(
            f"Cannot sonify the map of {explanation.sample.source} "
            f"({explanation.method.title} for {explanation.target_name}). "
            f"{diagnose(explanation.attribution)[0].text}"
        )
    regions = find_regions(explanation, count)
    with whole_folder(folder, REGIONS) as new:
        results = write_and_predict(classifier, _sounds(explanation, regions), new)
        described = _describe(classifier, explanation, regions, results)
        (new / REGIONS).write_text(json.dumps(described, indent=1, allow_nan=False), "utf-8")
    return described


def _sounds(explanation: Explanation, regions: list[TimeFrequencyRegion]) -> dict[str, Sound]:
    sample, evidence = explanation.sample, evidence_mask(explanation)
    sounds = {"original": sound_of(sample)}
    if evidence.any():
        sounds |= {"supporting": keep(sample, evidence), "remainder": mute(sample, evidence)}
    masks = [region_mask(sample, region) for region in regions]
    sounds |= {f"solo_{n}": keep(sample, mask) for n, mask in enumerate(masks, 1)}
    sounds |= {f"mute_{n}": mute(sample, mask) for n, mask in enumerate(masks, 1)}
    return sounds


def _describe(
    classifier: Classifier,
    explanation: Explanation,
    regions: list[TimeFrequencyRegion],
    results: dict[str, PlaybackResult],
) -> dict[str, Any]:
    """The content of `regions.json`."""
    from xai_tf.bundles.write import describe, describe_classifier, describe_explanation

    weights = classifier.target(explanation.target, explanation.contrast)
    warnings = list(explanation.sample.warnings)
    if "supporting" not in results:
        warnings.append(
            f"This map has no evidence for {explanation.target_name}, so there is no sound of the "
            "evidence alone. Explain another class, or use another method."
        )
    original = results["original"]
    sounds = [
        {
            "name": name,
            "file": one.path.name,
            "energy": one.energy / original.energy,
            "score": float(one.prediction.logits @ weights) if one.prediction else None,
            "prediction": describe(one.prediction) if one.prediction else None,
        }
        for name, one in results.items()
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "versions": versions(),
        "model": describe_classifier(classifier),
        "file": explanation.sample.source.name,
        "sha256": explanation.sample.sha256,
        "warnings": warnings,
        "prediction": describe(explanation.prediction),
        "explanation": describe_explanation(explanation),
        "regions": [asdict(region) | {"text": region.text} for region in regions],
        "sounds": sounds,
    }
