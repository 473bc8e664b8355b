"""Recordings of any format are read, and what is wrong with them is reported."""

import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from tests.conftest import assert_told
from xai_tf.errors import InputError
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.sound_files import is_sound, read_recording
from xai_tf.tasks import TASKS

RATE = 16_000
SECONDS = np.arange(2 * RATE) / RATE
VOICE = (0.4 * np.sin(2 * np.pi * (300 + 200 * SECONDS) * SECONDS)).astype(np.float32)
FFMPEG = shutil.which("ffmpeg")


def save(path, waveform, **how):
    soundfile.write(path, waveform, RATE, **how)
    return path


@pytest.mark.parametrize(
    ("name", "how", "tolerance"),
    [
        ("a.wav", {}, 1e-4),
        ("a.wav", {"subtype": "PCM_24"}, 1e-4),
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.wav", {"subtype": "PCM_U8"}, 0.01),
        ("a.wav", {"subtype": "ALAW"}, 0.02),
        ("a.wav", {"subtype": "ULAW"}, 0.02),
        ("a.wav", {"format": "WAVEX"}, 1e-4),
        ("a.wav", {"format": "RF64"}, 1e-4),
        ("a.w64", {}, 1e-4),
        ("a.flac", {}, 1e-4),
        ("a.aiff", {}, 1e-4),
        ("a.aiff", {"subtype": "FLOAT"}, 0),
        ("a.au", {}, 1e-4),
        ("a.caf", {}, 1e-4),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_every_format_is_known_by_its_content_or_its_name(tmp_path, name, how, tolerance, named):
    path = save(tmp_path / name, VOICE, **how)
    path = path if named else path.rename(tmp_path / "recording")

    recording = read_recording(path)

    assert is_sound(path)
    assert recording.rate == RATE
    assert recording.warnings == ()
    assert np.abs(recording.waveform - VOICE).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "how"),
    [("a.mp3", {}), ("a.ogg", {}), ("a.opus", {"format": "OGG", "subtype": "OPUS"})],
)
def test_lossy_formats_are_known_by_their_content(tmp_path, name, how):
    path = save(tmp_path / name, VOICE, **how).rename(tmp_path / "recording")

    recording = read_recording(path)

    assert is_sound(path)
    assert abs(np.sqrt((recording.waveform**2).mean()) - np.sqrt((VOICE**2).mean())) < 0.02


@pytest.mark.parametrize("suffix", [".aiff", ".au", ".caf", ".w64"])
def test_the_audio_task_reads_them(tmp_path, suffix):
    wav = TASKS["deepfake_audio"].read(save(tmp_path / "a.wav", VOICE))
    other = TASKS["deepfake_audio"].read(save(tmp_path / f"a{suffix}", VOICE))

    assert np.abs(wav.image - other.image).max() < 0.02


def test_sound_ignores_the_options_of_pictures(tmp_path):
    path = save(tmp_path / "a.wav", VOICE)
    plain = TASKS["deepfake_audio"].read(path)

    sample = TASKS["deepfake_audio"].read(path, options=ReadOptions(frame=3, resize="nearest"))

    assert (sample.image == plain.image).all()


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB])
@pytest.mark.parametrize("riff", [0, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_or_a_recorder_that_was_not_stopped_is_read_whole(tmp_path, size, riff):
    path = save(tmp_path / "a.wav", VOICE)
    content = bytearray(path.read_bytes())
    content[4:8], content[40:44] = riff.to_bytes(4, "little"), size.to_bytes(4, "little")
    path.write_bytes(content)

    recording = read_recording(path)

    assert np.allclose(recording.waveform, VOICE, atol=1e-4)


def test_an_empty_wav_with_comments_is_empty(tmp_path):
    path = save(tmp_path / "a.wav", VOICE[:0])
    path.write_bytes(path.read_bytes()[:44] + b"LIST" + struct.pack("<I", 8) + b"INFOabcd")

    with pytest.raises(InputError) as caught:
        read_recording(path)

    assert_told(caught.value, path, "contains no sound (0 samples)", "Record or export it again")


def test_broken_samples_are_read_as_silence_and_counted(tmp_path):
    waveform = VOICE.copy()
    waveform[1000:1400], waveform[9000] = np.nan, np.inf

    recording = read_recording(save(tmp_path / "a.wav", waveform, subtype="FLOAT"))

    assert (recording.waveform[1000:1400] == 0).all()
    assert recording.waveform[9000] == 0
    assert recording.warnings == ("401 samples (1.3%) are NaN or infinite and read as silence.",)


def test_a_recording_without_a_number_is_refused(tmp_path):
    path = save(tmp_path / "a.wav", VOICE * np.nan, subtype="FLOAT")

    with pytest.raises(InputError) as caught:
        read_recording(path)

    assert_told(caught.value, path, "all of its samples are NaN", "Record or export it again")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT"])
def test_clipping_is_reported_with_its_share(tmp_path, subtype):
    clipped = np.clip(8 * VOICE, -1, 1)
    share = (np.abs(8 * VOICE) >= 1).mean()

    recording = read_recording(save(tmp_path / "a.wav", clipped, subtype=subtype))

    (warning,) = recording.warnings
    assert "clipped" in warning
    reported = float(warning.split("%")[0].split()[-1]) / 100
    assert abs(reported - share) < 0.02


def test_a_tone_that_just_reaches_full_scale_is_not_called_clipped(tmp_path):
    tone = np.sin(2 * np.pi * 440.3 * SECONDS)

    assert read_recording(save(tmp_path / "a.wav", tone)).warnings == ()


@pytest.mark.parametrize(("factor", "times"), [(32767, "13107"), (5, "2")])
def test_floats_beyond_full_scale_are_scaled_down_and_reported(tmp_path, factor, times):
    recording = read_recording(save(tmp_path / "a.wav", VOICE * factor, subtype="FLOAT"))

    (warning,) = recording.warnings
    assert f"{times} times full scale" in warning
    assert np.abs(recording.waveform).max() == pytest.approx(1)
    assert np.corrcoef(recording.waveform, VOICE)[0, 1] > 0.999999


def test_a_dc_offset_is_removed_and_reported(tmp_path):
    recording = read_recording(save(tmp_path / "a.wav", VOICE + 0.4, subtype="FLOAT"))

    assert recording.warnings == ("A DC offset of 0.4 of full scale was removed.",)
    assert np.abs(recording.waveform - VOICE).max() < 1e-3


def test_a_small_dc_offset_is_left(tmp_path):
    recording = read_recording(save(tmp_path / "a.wav", VOICE + 0.01, subtype="FLOAT"))

    assert recording.warnings == ()
    assert (recording.waveform == VOICE + np.float32(0.01)).all()


def test_an_offset_alone_is_silence(tmp_path):
    path = save(tmp_path / "a.wav", 0 * VOICE + 0.5)

    with pytest.raises(InputError) as caught:
        read_recording(path)

    assert_told(caught.value, path, "silent but for a DC offset of 0.5", "Check the recording")


@pytest.mark.parametrize("factor", [1, 0.98, 0.9])
@pytest.mark.parametrize("first", [0, 1])
def test_of_channels_that_cancel_out_the_loudest_is_read_and_named(tmp_path, factor, first):
    channels = [VOICE, -factor * VOICE] if first == 0 else [-factor * VOICE, VOICE]

    recording = read_recording(save(tmp_path / "a.wav", np.stack(channels, axis=1)))

    taken = 0 if factor == 1 else first
    assert np.allclose(recording.waveform, channels[taken], atol=1e-4)
    assert f"channel {taken + 1} of 2 was read" in recording.warnings[0]


@pytest.mark.parametrize("num_channels", [2, 6, 16])
def test_a_voice_in_one_of_many_channels_cancels_nothing(tmp_path, num_channels):
    channels = np.zeros((len(VOICE), num_channels), np.float32)
    channels[:, 1] = VOICE

    recording = read_recording(save(tmp_path / "a.wav", channels))

    assert np.allclose(recording.waveform, VOICE / num_channels, atol=1e-4)
    assert recording.warnings == ()


# Beginnings of files that libsndfile does not read, and the names of their formats.
CONTAINERS = {
    ".m4a": (struct.pack(">I", 32) + b"ftypM4A \0\0\0\0M4A mp42isom" + bytes(200), "AAC in MP4"),
    ".webm": (b"\x1a\x45\xdf\xa3" + bytes(200), "WebM"),
    ".wma": (
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(200),
        "Windows Media Audio (WMA)",
    ),
    ".aac": (b"\xff\xf1\x50\x80" + bytes(200), "AAC"),
    ".amr": (b"#!AMR\n" + bytes(200), "AMR"),
}


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("named", [True, False])
def test_without_ffmpeg_the_format_and_the_command_are_named(tmp_path, monkeypatch, suffix, named):
    content, title = CONTAINERS[suffix]
    path = tmp_path / (f"my voice{suffix}" if named else "my voice")
    path.write_bytes(content)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(InputError) as caught:
        TASKS["deepfake_audio"].read(path)

    step = f"Convert it with: ffmpeg -i '{path.name}' 'my voice.wav'"
    assert_told(caught.value, path, f"it is {title}", step)


@pytest.mark.skipif(not FFMPEG, reason="there is no ffmpeg on the PATH")
@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".m4a", ["-c:a", "aac", "-b:a", "128k"]),
        (".aac", ["-c:a", "aac", "-b:a", "128k"]),
        (".webm", ["-c:a", "libopus"]),
        (".amr", ["-c:a", "libopencore_amrnb", "-ar", "8000"]),
        (".wma", ["-c:a", "wmav2"]),
    ],
)
def test_other_formats_are_read_through_ffmpeg(tmp_path, suffix, codec):
    wav = save(tmp_path / "a.wav", VOICE)
    path = tmp_path / f"-a {suffix}"
    command = [FFMPEG, "-loglevel", "error", "-i", wav, *codec, f"file:{path}"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"this ffmpeg does not write {suffix}")
    path = path.rename(tmp_path / "-a")

    recording = read_recording(path)

    loudness = np.sqrt((recording.waveform**2).mean())
    assert 1.9 < len(recording.waveform) / recording.rate < 2.2
    assert loudness == pytest.approx(np.sqrt((VOICE**2).mean()), rel=0.25)


@pytest.mark.skipif(not FFMPEG, reason="there is no ffmpeg on the PATH")
@pytest.mark.parametrize("suffix", [".m4a", ".webm", ".wma"])
def test_what_ffmpeg_cannot_decode_is_refused_with_its_reason(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(CONTAINERS[suffix][0])

    with pytest.raises(InputError) as caught:
        read_recording(path)

    assert_told(caught.value, path, "ffmpeg cannot decode it as", "Copy or export it again")
