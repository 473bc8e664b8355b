"""The puzzles: one entry each."""

from __future__ import annotations

from benchmarks.ground_truth import carriers, pictures, sounds
from benchmarks.ground_truth.pictures import in_picture
from benchmarks.ground_truth.puzzle import Puzzle
from benchmarks.ground_truth.sounds import in_sound

_ALL = (
    Puzzle(
        "photo_patch", "Photo, patch", "photo",
        "a checker of magenta and green; decoy: one of yellow and blue",
        "dog_breeds", carriers.photos, in_picture(pictures.patch),
    ),
    Puzzle(
        "photo_texture", "Photo, texture", "photo",
        "a disc of standing stripes; decoy: one of lying stripes",
        "dog_breeds", carriers.photos, in_picture(pictures.texture),
    ),
    Puzzle(
        "xray_opacity", "X-ray, opacity", "X-ray",
        "a round opacity in the lungs; decoy: a ring as bright and as large",
        "lung_opacity", carriers.chests, in_picture(pictures.opacity),
    ),
    Puzzle(
        "xray_line", "X-ray, line", "X-ray",
        "a bright line that rises to the right, across the lungs; decoy: one that falls",
        "lung_opacity", carriers.chests, in_picture(pictures.line),
    ),
    Puzzle(
        "mri_blob", "MRI, blob", "MRI",
        "a bright blob in the brain; decoy: a ring as bright and as large",
        "brain_tumor", carriers.heads, in_picture(pictures.blob),
    ),
    Puzzle(
        "tone_burst", "Sound, tone", "sound",
        "a steady tone of a quarter to two fifths of a second; decoy: a hiss as long",
        "deepfake_audio", carriers.clips, in_sound(sounds.tone_burst),
    ),
    Puzzle(
        "missing_band", "Sound, missing band", "sound",
        "ten mel bands silenced from beginning to end; no decoy",
        "deepfake_audio", carriers.clips, in_sound(sounds.missing_band),
    ),
    Puzzle(
        "click", "Sound, click", "sound",
        "a click of thirteen samples; decoy: a low thump",
        "deepfake_audio", carriers.clips, in_sound(sounds.click),
    ),
    Puzzle(
        "splice", "Sound, splice", "sound",
        "1 to 1.2 s of the diphone voice kal in a human recording; decoy: another human's, there",
        "deepfake_audio", carriers.clips, in_sound(sounds.splice),
        image_sizes={"cnn": (64, 64)},
    ),
    Puzzle(
        "corner_mark", "X-ray, corner mark", "X-ray",
        "a white tag in a corner of X-rays of both classes: a shortcut",
        "lung_opacity", carriers.any_chests, in_picture(pictures.corner_mark),
        leaderboard=False,
    ),
)  # fmt: skip

# What was chosen by the score (blur and smoothing of Squared IG, what is shown unasked) was chosen
# on these; the others report it.
CHOSEN_ON = ("photo_patch", "xray_opacity", "tone_burst", "missing_band")
PUZZLES: dict[str, Puzzle] = {puzzle.name: puzzle for puzzle in _ALL}
