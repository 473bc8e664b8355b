"""Read sound as a mel spectrogram image, and reconstruct sound from such an image."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from xai_tf.errors import InputError, SettingError
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.options import DEFAULT_OPTIONS, ReadOptions
from xai_tf.inputs.resizing import resize
from xai_tf.inputs.sample import Sample, Sound, check_file, file_sha256, read_image
from xai_tf.inputs.sound_files import SILENCE as SILENCE
from xai_tf.inputs.sound_files import SOUND_SUFFIXES as SOUND_SUFFIXES
from xai_tf.inputs.sound_files import is_sound, read_recording
from xai_tf.inputs.task import Reader
from xai_tf.packages import require_extra

REBUILT_WARNING = (
    "The sound was reconstructed from the picture (colors to decibels, phase estimated by "
    "Griffin-Lim): pitch and rhythm are reliable, timbre and loudness are not, and the time axis "
    "assumes that the picture shows {seconds:g} s. Give the sound file itself where you have it."
)


def sound_reader(recipe: MelRecipe) -> Reader:
    """The reader of a task: sound files by this recipe, pictures as spectrograms drawn by it."""

    def read(
        path: Path, image_size: tuple[int, int], options: ReadOptions = DEFAULT_OPTIONS
    ) -> list[Sample]:
        check_file(path)
        if path.suffix.lower() in SOUND_SUFFIXES or is_sound(path):
            return read_sound(path, image_size, recipe)
        return [
            _with_reconstructed_sound(sample, recipe)
            for sample in read_image(path, image_size, options)
        ]

    return read


def read_sound(path: Path, image_size: tuple[int, int], recipe: MelRecipe) -> list[Sample]:
    """Read a sound file of any sample rate and number of channels: one sample per window.

    `read_recording` names the formats, and what is repaired or reported in the warnings of the
    samples. Silent windows are skipped, with a warning too.

    Raises:
        InputError: the file is missing, damaged, empty or silent, is shorter than 0.1 s or longer
            than an hour, or needs ffmpeg where there is none.
    """
    require_extra("audio")
    import librosa

    check_file(path)
    recording = read_recording(path)
    waveform = librosa.resample(
        recording.waveform, orig_sr=recording.rate, target_sr=recipe.rate, res_type="soxr_hq"
    )
    digest = file_sha256(path)
    samples: list[Sample] = []
    num_silent = 0
    for start in window_starts(len(waveform) / recipe.rate, recipe):
        piece = _window(waveform, start, recipe)
        if np.abs(piece).max() < SILENCE:
            num_silent += 1
            continue
        sound = mel_spectrogram(piece, recipe, start)
        image = spectrogram_image(sound.decibels, image_size, recipe)
        samples.append(Sample(image=image, source=path, sha256=digest, sound=sound))
    if not samples:
        raise InputError(f"{path} is silent below {recipe.rate // 2} Hz. Give another file.")
    warnings = recording.warnings
    if num_silent:
        plural = "s" * (num_silent > 1)
        warnings += (f"{num_silent} silent window{plural} of {recipe.window_seconds:g} s skipped.",)
    return [replace(sample, warnings=warnings) for sample in samples]


def window_starts(duration: float, recipe: MelRecipe) -> list[float]:
    """The starts of the windows of a sound of `duration` seconds, in seconds.

    Evenly spaced; the last window ends with the sound, so that none is padded.

    >>> window_starts(3.5, MelRecipe())
    [0.0, 0.75, 1.5]
    """
    last = duration - recipe.window_seconds
    if last <= 0:
        return [0.0]
    return np.linspace(0, last, int(np.ceil(last / recipe.hop_seconds)) + 1).tolist()


def mel_spectrogram(waveform: np.ndarray, recipe: MelRecipe, start: float = 0.0) -> Sound:
    """The mel spectrogram of a window, in dB relative to its maximum, with its axes.

    Args:
        waveform: float32 array of shape (samples,) at the sample rate of the recipe.
        recipe: the settings of the transform.
        start: the start of the window in its file, in seconds.
    """
    require_extra("audio")
    import librosa

    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=recipe.rate,
        n_fft=recipe.fft_samples,
        win_length=recipe.frame_samples,
        hop_length=recipe.step_samples,
        n_mels=recipe.num_mels,
        fmin=recipe.low_hertz,
        fmax=recipe.high_hertz,
    )
    decibels = librosa.power_to_db(power / power.max(), top_db=recipe.range_decibels)
    frames = np.arange(decibels.shape[1])
    return Sound(
        waveform=waveform,
        rate=recipe.rate,
        decibels=decibels.astype(np.float32),
        hertz=mel_centers(recipe),
        seconds=(start + frames * recipe.step_samples / recipe.rate).astype(np.float32),
    )


@lru_cache(maxsize=8)
def mel_centers(recipe: MelRecipe) -> np.ndarray:
    """Center frequency of each mel band in Hz: float32 of shape (bands,)."""
    import librosa

    edges = librosa.mel_frequencies(
        recipe.num_mels + 2, fmin=recipe.low_hertz, fmax=recipe.high_hertz
    )
    return edges[1:-1].astype(np.float32)


def trimmed(sample: Sample, times: np.ndarray, recipe: MelRecipe) -> Sample:
    """A recording of which only some times are left, joined and followed by silence.

    Args:
        sample: of a sound.
        times: bool array of shape (width,), true for each column of the image that stays.
        recipe: by which the sample was read.

    Raises:
        InputError: less than 0.1 s of sound is left.
    """
    assert sample.sound is not None
    waveform = sample.sound.waveform
    column = (np.arange(len(waveform)) + 0.5) / len(waveform) * len(times)
    left = waveform[times[column.astype(int)]]
    if len(left) < 0.1 * recipe.rate or np.abs(left).max() < SILENCE:
        raise InputError("Less than 0.1 s of sound would be left. Leave more of the recording.")
    sound = mel_spectrogram(_window(left, 0, recipe), recipe)
    image = spectrogram_image(sound.decibels, sample.image.shape[:2], recipe)
    return replace(sample, image=image, sound=sound)


def spectrogram_image(
    decibels: np.ndarray, image_size: tuple[int, int], recipe: MelRecipe
) -> np.ndarray:
    """Color a spectrogram: float32 array of shape (height, width, 3), low tones at the bottom.

    Equals a borderless matplotlib `imshow` of the same decibels. It is resized first and colored
    afterwards, so that each color of the image is one of the color map.
    """
    level = 1 + resize(decibels[::-1], image_size) / recipe.range_decibels
    return _colors(recipe.color_map)[np.rint(np.clip(level, 0, 1) * 255).astype(np.uint8)]


def image_decibels(image: np.ndarray, recipe: MelRecipe) -> np.ndarray:
    """The inverse of `spectrogram_image`: decibels of shape (bands, frames) by nearest color."""
    from scipy.spatial import cKDTree

    tree = cKDTree(_colors(recipe.color_map))
    _, index = tree.query(image.reshape(-1, 3))
    level = index.reshape(image.shape[:2]).astype(np.float32) / 255
    frames = 1 + int(recipe.window_seconds * recipe.rate) // recipe.step_samples
    return (resize(level, (recipe.num_mels, frames))[::-1] - 1) * recipe.range_decibels


def rebuild_sound(image: np.ndarray, recipe: MelRecipe) -> Sound:
    """Reconstruct the sound of a spectrogram image: decibels, mel power, then Griffin-Lim.

    The loudness is unknown, so the peak is set to half of full scale. The phase is estimated
    (Griffin & Lim 1984, 32 iterations, deterministic).
    """
    require_extra("audio")
    import librosa

    decibels = image_decibels(image, recipe)
    power = librosa.feature.inverse.mel_to_stft(
        librosa.db_to_power(decibels),
        sr=recipe.rate,
        n_fft=recipe.fft_samples,
        fmin=recipe.low_hertz,
        fmax=recipe.high_hertz,
    )
    waveform = librosa.griffinlim(
        power, hop_length=recipe.step_samples, win_length=recipe.frame_samples, random_state=0
    )
    waveform = (0.5 * waveform / max(np.abs(waveform).max(), SILENCE)).astype(np.float32)
    frames = np.arange(decibels.shape[1])
    seconds = (frames * recipe.step_samples / recipe.rate).astype(np.float32)
    return Sound(
        waveform=waveform,
        rate=recipe.rate,
        decibels=decibels,
        hertz=mel_centers(recipe),
        seconds=seconds,
        rebuilt=True,
    )


def write_wav(path: Path, sound: Sound) -> float:
    """Write a 16-bit mono WAV file; a sound beyond full scale is scaled down, never clipped.

    Returns:
        The factor by which the sound was scaled: 1.0 where its peak is at most full scale.
    """
    require_extra("audio")
    import soundfile

    peak = float(np.abs(sound.waveform).max(initial=0))
    factor = 1 / peak if peak > 1 else 1.0
    buffer = io.BytesIO()  # libsndfile says "System error" where a disk is full
    soundfile.write(buffer, sound.waveform * factor, sound.rate, subtype="PCM_16", format="WAV")
    path.write_bytes(buffer.getvalue())
    return factor


def _with_reconstructed_sound(sample: Sample, recipe: MelRecipe) -> Sample:
    warning = REBUILT_WARNING.format(seconds=recipe.window_seconds)
    sound = rebuild_sound(sample.image, recipe)
    return replace(sample, sound=sound, warnings=(*sample.warnings, warning))


def _window(waveform: np.ndarray, start: float, recipe: MelRecipe) -> np.ndarray:
    first = round(start * recipe.rate)
    length = round(recipe.window_seconds * recipe.rate)
    piece = waveform[first : first + length]
    return np.pad(piece, (0, length - len(piece)))


@lru_cache(maxsize=8)
def _colors(color_map: str) -> np.ndarray:
    """The 256 colors of a map: float32 array of shape (256, 3)."""
    from matplotlib import colormaps

    if color_map not in colormaps:
        raise SettingError(
            f"Invalid value for color_map: {color_map!r}. Expected a color map of matplotlib, such "
            "as 'magma', 'viridis' or 'gray'."
        )
    return colormaps[color_map](np.arange(256))[:, :3].astype(np.float32)
