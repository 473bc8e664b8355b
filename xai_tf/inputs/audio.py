"""Read sound as a mel spectrogram image, and reconstruct sound from such an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.errors import InputError
from xai_tf.inputs.options import DEFAULT_OPTIONS, ReadOptions
from xai_tf.inputs.resizing import resize
from xai_tf.inputs.sample import Sample, Sound, check_file, file_sha256, read_image
from xai_tf.inputs.task import Reader
from xai_tf.packages import require_extra

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
MAX_HOURS = 1.0
MAX_VALUES = 500_000_000  # frames times channels: an hour of stereo at 48 kHz fits, 2 GB as float32
# Below this amplitude (80 dB below full scale) only rounding noise remains.
SILENCE = 1e-4
REBUILT_WARNING = (
    "The sound was reconstructed from the picture (colors to decibels, phase estimated by "
    "Griffin-Lim): pitch and rhythm are reliable, timbre and loudness are not, and the time axis "
    "assumes that the picture shows {seconds:g} s."
)


@dataclass(frozen=True, kw_only=True)
class MelRecipe:
    """The settings by which a sound becomes a spectrogram image.

    Attributes:
        rate: sample rate in Hz to which the sound is resampled first.
        window_seconds: the duration of one image; shorter sounds are padded with silence.
        hop_seconds: the largest distance between the starts of two windows of a longer sound.
        fft_samples: length of the short-time Fourier transform, in samples.
        frame_samples: length of its Hann window, in samples; zero-padded to the transform.
        step_samples: samples from one spectrogram frame to the next.
        num_mels: number of mel bands.
        low_hertz, high_hertz: the range of the mel bands, in Hz.
        range_decibels: the darkest color is this many dB below the maximum of the window.
        color_map: name of the matplotlib color map.
    """

    rate: int = 8000
    window_seconds: float = 2.0
    hop_seconds: float = 1.0
    fft_samples: int = 1024
    frame_samples: int = 512
    step_samples: int = 64
    num_mels: int = 64
    low_hertz: float = 50.0
    high_hertz: float = 3800.0
    range_decibels: float = 80.0
    color_map: str = "magma"


def sound_reader(recipe: MelRecipe) -> Reader:
    """The reader of a task: sound files by this recipe, pictures as spectrograms drawn by it."""

    def read(
        path: Path, image_size: tuple[int, int], options: ReadOptions = DEFAULT_OPTIONS
    ) -> list[Sample]:
        if path.suffix.lower() in SOUND_SUFFIXES or _is_sound(path):
            return read_sound(path, image_size, recipe)
        return [
            _with_reconstructed_sound(sample, recipe)
            for sample in read_image(path, image_size, options)
        ]

    return read


def read_sound(path: Path, image_size: tuple[int, int], recipe: MelRecipe) -> list[Sample]:
    """Read a sound file of any sample rate and number of channels: one sample per window.

    Silent windows are skipped, with a warning.

    Raises:
        InputError: the file is missing, damaged, empty or silent, or is shorter than 0.1 s or
            longer than an hour.
    """
    require_extra("audio")
    check_file(path)
    waveform = _load(path, recipe.rate)
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
    if num_silent:
        plural = "s" * (num_silent > 1)
        warning = f"{num_silent} silent window{plural} of {recipe.window_seconds:g} s skipped."
        samples = [replace(sample, warnings=(warning,)) for sample in samples]
    return samples


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
    """Centre frequency of each mel band in Hz: float32 of shape (bands,)."""
    import librosa

    edges = librosa.mel_frequencies(
        recipe.num_mels + 2, fmin=recipe.low_hertz, fmax=recipe.high_hertz
    )
    return edges[1:-1].astype(np.float32)


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


def write_wav(path: Path, sound: Sound) -> None:
    """Write a 16-bit mono WAV file; values beyond full scale are clipped."""
    require_extra("audio")
    import soundfile

    soundfile.write(path, np.clip(sound.waveform, -1, 1), sound.rate, subtype="PCM_16")


def _with_reconstructed_sound(sample: Sample, recipe: MelRecipe) -> Sample:
    warning = REBUILT_WARNING.format(seconds=recipe.window_seconds)
    sound = rebuild_sound(sample.image, recipe)
    return replace(sample, sound=sound, warnings=(*sample.warnings, warning))


def _is_sound(path: Path) -> bool:
    check_file(path)
    with path.open("rb") as file:
        start = file.read(12)
    return start[:4] in (b"fLaC", b"OggS") or (start[:4] == b"RIFF" and start[8:] == b"WAVE")


def _load(path: Path, rate: int) -> np.ndarray:
    """Decode, mix down and resample: float32 of shape (samples,)."""
    import librosa
    import soundfile

    try:
        info = soundfile.info(path)
        _check_length(path, info)
        waveform, file_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, ValueError) as error:
        raise InputError(
            f"Cannot decode {path} as sound ({_reason(error)}). Give WAV, FLAC, OGG or MP3."
        ) from error
    channels = np.nan_to_num(waveform, posinf=0, neginf=0)
    mono = channels.mean(axis=1)
    if np.abs(mono).max(initial=0) < SILENCE:  # channels of opposite phase cancel out
        mono = channels[:, 0]
    if len(mono) < 0.1 * file_rate:
        raise InputError(
            f"{path} is too short: {len(mono) / file_rate:.2f} s. Give at least 0.1 s of sound."
        )
    if np.abs(mono).max() < SILENCE:
        raise InputError(f"{path} is silent. Check the recording, or give another file.")
    return librosa.resample(mono, orig_sr=file_rate, target_sr=rate, res_type="soxr_hq")


def _check_length(path: Path, info: Any) -> None:
    if info.samplerate < 1000:
        raise InputError(
            f"{path} has a sample rate of {info.samplerate} Hz, too low for speech or music. "
            "Export it again with at least 1000 Hz."
        )
    if info.frames * info.channels > MAX_VALUES:
        raise InputError(
            f"{path} is too large: {info.frames * info.channels / 1e9:.1f} billion values. "
            "Cut out the part in question, or mix it down to mono."
        )
    hours = info.frames / info.samplerate / 3600
    if hours > MAX_HOURS:
        raise InputError(
            f"{path} is too long: {hours:.1f} hours; the limit is {MAX_HOURS:g} hour. Cut out the "
            "part in question."
        )
    declared = declared_wav_bytes(path)
    present = path.stat().st_size
    if declared > present + 8:
        raise InputError(
            f"{path} is truncated: its header declares {declared / 1e6:.1f} MB of sound, but the "
            f"file has {present / 1e6:.1f} MB. Copy or export it again."
        )
    if info.frames == 0:
        raise InputError(f"{path} contains no sound (0 samples). Record or export it again.")


def declared_wav_bytes(path: Path) -> int:
    """Bytes of sound that a WAV header declares; 0 for other files and for streamed ones."""
    with path.open("rb") as file:
        if file.read(12)[8:] != b"WAVE":
            return 0
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                return 0 if size == 0xFFFFFFFF else size
            file.seek(size + size % 2, 1)
    return 0


def _reason(error: Exception) -> str:
    reason = str(error).split(": ")[-1].rstrip(". ")
    return "Format not recognized" if "does not exist" in reason else reason


def _window(waveform: np.ndarray, start: float, recipe: MelRecipe) -> np.ndarray:
    first = round(start * recipe.rate)
    length = round(recipe.window_seconds * recipe.rate)
    piece = waveform[first : first + length]
    return np.pad(piece, (0, length - len(piece)))


@lru_cache(maxsize=8)
def _colors(color_map: str) -> np.ndarray:
    """The 256 colors of a map: float32 array of shape (256, 3)."""
    from matplotlib import colormaps

    return colormaps[color_map](np.arange(256))[:, :3].astype(np.float32)
