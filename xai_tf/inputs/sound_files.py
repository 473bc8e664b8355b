"""Decode a sound file into one channel, and say what is wrong with the recording."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from xai_tf.errors import InputError
from xai_tf.inputs.formats import START, Format, format_of

SOUND_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64"),
    *(".m4a", ".aac", ".webm", ".amr", ".wma"),  # these through ffmpeg
)
FORMATS = "WAV, FLAC, OGG, Opus, MP3, AIFF, AU, CAF or W64"
MAX_HOURS = 1.0
MAX_VALUES = 500_000_000  # frames times channels: an hour of stereo at 48 kHz fits, 2 GB as float32
FFMPEG_SECONDS = 120  # the longest a conversion may take
# From this size on, the header of a WAV file comes from a stream of unknown length.
STREAMED_BYTES = 0x7FFFF000
# Below this amplitude (80 dB below full scale) only rounding noise remains.
SILENCE = 1e-4

# What is reported:
CLIPPED_SHARE = 0.001  # from this share of samples in flat tops at full scale on
FULL_SCALE = 0.99  # of a flat top; the largest level of 8 bits is 127/128
OFFSET_SHARE = 0.05  # a DC offset from this share of the peak on
# Channels cancel out when their mean is this much weaker than that of unrelated channels.
CANCELED_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class Recording:
    """The sound of a file.

    Attributes:
        waveform: float32 array of shape (samples,), mono.
        rate: sample rate in Hz.
        warnings: what a person should know about the recording, one sentence each.
    """

    waveform: np.ndarray
    rate: int
    warnings: tuple[str, ...] = ()


def is_sound(path: Path) -> bool:
    """Whether the content of a file is sound of a known format, whatever its name."""
    found = _format(path)
    return found is not None and found.kind == "sound"


def _format(path: Path) -> Format | None:
    with path.open("rb") as file:
        return format_of(file.read(START))


def read_recording(path: Path) -> Recording:
    """Decode a sound file and mix it down to one channel.

    WAV (also from a stream, with a data size of zero or of the largest number), RF64, W64, FLAC,
    OGG, Opus, MP3, AIFF, AU and CAF are read by libsndfile, and AAC, WebM, AMR and WMA through an
    `ffmpeg` on the PATH. The content decides, not the name. What is repaired or suspicious is in
    the warnings:

    - samples that are NaN or infinite are silence;
    - clipping: at least 0.1% of the samples lie in flat tops at full scale;
    - floats beyond full scale are scaled down to it;
    - channels that cancel out (their mean has less than a fifth of the level that unrelated
      channels would give): the loudest of them is read instead of their mean;
    - a DC offset of at least 5% of the peak is removed.

    Raises:
        InputError: the file is damaged, empty or silent, has no finite sample, is shorter than
            0.1 s or longer than an hour, or needs ffmpeg where there is none.
    """
    found = _format(path)
    if found is None or not found.demuxer:
        channels, rate, subtype = _decode(path, _repaired(path))
    else:
        with TemporaryDirectory() as folder:
            target = Path(folder) / "sound.w64"
            _convert(path, found.title, found.demuxer, target)
            channels, rate, _ = _decode(path, target)
            subtype = ""
    if len(channels) < 0.1 * rate:
        raise InputError(
            f"{path} is too short: {len(channels) / rate:.2f} s. Give at least 0.1 s of sound."
        )
    return _mono(path, channels, rate, is_float=subtype in ("FLOAT", "DOUBLE"))


def _convert(path: Path, title: str, demuxer: str, target: Path) -> None:
    """Convert a file with ffmpeg, which is told its format and may open nothing but files."""
    program = shutil.which("ffmpeg")
    if program is None:
        names = f"{shlex.quote(path.name)} {shlex.quote(path.stem + '.wav')}"
        raise InputError(
            f"Cannot read {path}: it is {title}, which needs the program ffmpeg, and there is none "
            f"on the PATH. Convert it with: ffmpeg -i {names}"
        )
    source = ["-protocol_whitelist", "file", "-f", demuxer, "-i", f"file:{path.resolve()}"]
    limits = ["-t", f"{MAX_HOURS * 3600 + 1:g}", "-fs", f"{4 * MAX_VALUES + 1_000_000}"]
    output = ["-map", "0:a:0", *limits, "-c:a", "pcm_f32le", "-f", "w64", str(target)]
    try:
        done = subprocess.run(
            [program, "-nostdin", "-hide_banner", "-loglevel", "error", *source, *output],
            capture_output=True,
            timeout=FFMPEG_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"Cannot read {path}: ffmpeg needs more than {FFMPEG_SECONDS} s to decode it. Cut out "
            "the part in question, or convert it to WAV."
        ) from error
    if done.returncode or not target.is_file():
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1][:200].rstrip(". ") if lines else f"exit code {done.returncode}"
        raise InputError(
            f"Cannot read {path}: ffmpeg cannot decode it as {title} ({reason}). Copy or export it "
            "again."
        )


def _decode(path: Path, source: Path | io.BytesIO) -> tuple[np.ndarray, int, str]:
    """Samples of shape (samples, channels), the rate, and how the samples are stored."""
    import soundfile

    try:
        info = soundfile.info(source)
        _check_length(path, info)
        if isinstance(source, io.BytesIO):
            source.seek(0)
        else:
            _check_complete(path, source)
        if info.frames == 0:
            raise InputError(f"{path} contains no sound (0 samples). Record or export it again.")
        if isinstance(source, io.BytesIO):
            source.seek(0)
        waveform, rate = soundfile.read(source, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, ValueError) as error:
        raise InputError(
            f"Cannot decode {path} as sound ({_reason(error)}). Give {FORMATS}."
        ) from error
    return waveform, rate, info.subtype


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


def _check_complete(path: Path, source: Path) -> None:
    """Raise an InputError where a WAV header declares more sound than the file has."""
    at, declared = _wav_data(source)
    present = source.stat().st_size
    if at and declared < STREAMED_BYTES and declared > present + 8:
        raise InputError(
            f"{path} is truncated: its header declares {declared / 1e6:.1f} MB of sound, but the "
            f"file has {present / 1e6:.1f} MB. Copy or export it again."
        )


def _wav_data(path: Path) -> tuple[int, int]:
    """Where the size of the sound stands in a WAV file, and the size; zeros for other files."""
    with path.open("rb") as file:
        if file.read(12)[8:] != b"WAVE":
            return 0, 0
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                return file.tell() - 4, size
            file.seek(size + size % 2, 1)
    return 0, 0


def _repaired(path: Path) -> Path | io.BytesIO:
    """A file, or its repaired content where a recorder has left a data size of zero."""
    at, declared = _wav_data(path)
    size = path.stat().st_size
    if not at or declared or size <= at + 4 or size > 4 * MAX_VALUES or _only_chunks(path, at + 4):
        return path
    content = bytearray(path.read_bytes())
    content[at : at + 4] = (len(content) - at - 4).to_bytes(4, "little")
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    return io.BytesIO(content)


def _only_chunks(path: Path, position: int) -> bool:
    """Whether the rest of a WAV file is nothing but further chunks, such as comments."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            chunk = file.read(8)
            if len(chunk) < 8 or not chunk[:4].isascii() or not chunk[:4].decode().isprintable():
                return False
            length = int.from_bytes(chunk[4:], "little")
            position += 8 + length + length % 2
    return position <= size + 1


def _reason(error: Exception) -> str:
    reason = str(error).split(": ")[-1].rstrip(". ")
    return "Format not recognized" if "does not exist" in reason else reason


def _mono(path: Path, channels: np.ndarray, rate: int, is_float: bool) -> Recording:
    """Mix down, and repair what a person would not have meant."""
    channels, notes = _finite(path, channels)
    clipped = _clipped_share(channels)
    if clipped >= CLIPPED_SHARE:
        notes += (f"The sound is clipped: {_percent(clipped)} of its samples are at full scale.",)
    peak = float(np.abs(channels).max())
    if is_float and peak > 1:
        channels = channels / peak
        times = f"{peak:.0f}" if peak >= 1000 else f"{peak:.3g}"
        notes += (f"The sound reaches {times} times full scale and was scaled down to it.",)
    mono, note = _mixed(channels)
    notes += note
    offset = float(mono.mean(dtype=np.float64))
    if abs(offset) < OFFSET_SHARE * np.abs(mono).max() or abs(offset) < SILENCE:
        offset = 0.0
    mono = mono - np.float32(offset)
    if np.abs(mono).max() < SILENCE:
        but = f" but for a DC offset of {offset:.2g} of full scale" if offset else ""
        raise InputError(f"{path} is silent{but}. Check the recording, or give another file.")
    if offset:
        notes += (f"A DC offset of {offset:.2g} of full scale was removed.",)
    return Recording(mono, rate, notes)


def _finite(path: Path, channels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    broken = ~np.isfinite(channels)
    count = int(broken.sum())
    if count == channels.size:
        raise InputError(
            f"Cannot read {path}: all of its samples are NaN or infinite. Record or export it "
            "again."
        )
    if not count:
        return channels, ()
    noun, verb = ("sample", "is") if count == 1 else ("samples", "are")
    note = (
        f"{count} {noun} ({_percent(count / channels.size)}) {verb} NaN or infinite and read as "
        "silence."
    )
    return np.where(broken, np.float32(0), channels), (note,)


def _clipped_share(channels: np.ndarray) -> float:
    """The share of samples at full scale that have a neighbor of the same level: flat tops."""
    count = 0
    for channel in channels.T:
        for level, extreme in ((channel.max(), 1), (channel.min(), -1)):
            if FULL_SCALE <= extreme * level <= 1:
                at = channel == level
                pairs = at[1:] & at[:-1]
                count += int((np.append(pairs, False) | np.append(False, pairs)).sum())
    return count / channels.size


def _mixed(channels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The mean of the channels, or the loudest one where they cancel out."""
    mono = channels.mean(axis=1)
    if channels.shape[1] == 1:
        return mono, ()
    energies = np.square(channels, dtype=np.float64).mean(axis=0)
    unrelated = np.sqrt(energies.sum()) / channels.shape[1]
    if np.sqrt(np.square(mono, dtype=np.float64).mean()) >= CANCELED_SHARE * unrelated:
        return mono, ()
    loudest = int((energies >= 0.99 * energies.max()).argmax())  # the first of equally loud ones
    note = (
        f"The channels are of nearly opposite phase and cancel out: channel {loudest + 1} of "
        f"{len(energies)} was read."
    )
    return channels[:, loudest], (note,)


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%"
