"""Sound of any format becomes the same spectrogram, and a spectrogram becomes sound again."""

import struct
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tests.conftest import assert_told
from xai_tf.errors import InputError
from xai_tf.inputs.audio import (
    MelRecipe,
    image_decibels,
    mel_centers,
    mel_spectrogram,
    read_sound,
    rebuild_sound,
    sound_reader,
    spectrogram_image,
    window_starts,
    write_wav,
)
from xai_tf.inputs.options import ReadOptions

RECIPE = MelRecipe()
SIZE = (224, 224)
SPEECH = Path(str(files("xai_tf.samples") / "speech_human.wav"))


def melody(rate, duration=2.0):
    """Two tones that take turns, four times a second, in front of a third."""
    time_ = np.arange(round(duration * rate)) / rate
    turn = np.floor(time_ * 4) % 2
    tones = [np.sin(2 * np.pi * hertz * time_) for hertz in (500, 1000, 2500)]
    return 0.3 * (tones[0] * turn + tones[1] * (1 - turn) + 0.3 * tones[2])


def tone(hertz, rate=16_000, duration=2.0, loudness=0.5):
    return loudness * np.sin(2 * np.pi * hertz * np.arange(round(duration * rate)) / rate)


def save(path, waveform, rate=16_000, **how):
    soundfile.write(path, waveform, rate, **how)
    return path


def read(path):
    return read_sound(path, SIZE, RECIPE)


def wav_header(data_bytes, rate=8000, riff_bytes=None):
    """The 44 bytes of a 16-bit mono WAV file that announces so much sound."""
    riff_bytes = min(36 + data_bytes, 2**32 - 1) if riff_bytes is None else riff_bytes
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", riff_bytes)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", data_bytes)
    )


def sixteen_bits(waveform):
    return (waveform * 32767).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def truth():
    """The melody's decibels, without any file."""
    return mel_spectrogram(melody(8000).astype(np.float32), RECIPE).decibels


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_every_format_rate_and_channel_count_gives_the_same_spectrogram(
    tmp_path, truth, suffix, rate, channels
):
    if suffix == "mp3" and "MP3" not in soundfile.available_formats():
        pytest.skip("this libsndfile writes no MP3")
    path = tmp_path / f"a.{suffix}"
    save(path, np.repeat(melody(rate)[:, None], channels, axis=1), rate)

    (sample,) = read(path)

    # What a lossy format leaves out is faint; what is loud has to stay.
    read_loud, true_loud = (np.maximum(d, -40).ravel() for d in (sample.sound.decibels, truth))
    assert sample.image.shape == (224, 224, 3)
    assert sample.image.dtype == np.float32
    assert np.abs(read_loud - true_loud).mean() < (0.3 if suffix in ("ogg", "mp3") else 0.02)
    assert np.corrcoef(read_loud, true_loud)[0, 1] > 0.99


def test_two_channels_are_averaged(tmp_path):
    path = save(tmp_path / "a.wav", np.stack([tone(1000), np.zeros(32_000)], axis=1))

    (sample,) = read(path)

    assert abs(np.abs(sample.sound.waveform[1000:-1000]).max() - 0.25) < 0.01


@pytest.mark.parametrize("hertz", [200, 1000, 3000])
def test_a_tone_lands_in_its_band(tmp_path, hertz):
    (sample,) = read(save(tmp_path / "a.wav", tone(hertz, 44_100), 44_100))

    sound = sample.sound
    loudest = sound.decibels.mean(axis=1).argmax()
    assert sound.hertz[loudest - 1] < hertz < sound.hertz[loudest + 1]


@pytest.mark.parametrize("band", [20, 40, 60])
def test_a_tone_in_the_middle_of_a_band_is_loudest_there(tmp_path, band):
    hertz = float(mel_centers(RECIPE)[band])

    (sample,) = read(save(tmp_path / "a.wav", tone(hertz, 44_100), 44_100))

    assert sample.sound.decibels.mean(axis=1).argmax() == band


def test_low_notes_are_at_the_bottom_of_the_image(tmp_path):
    (sample,) = read(save(tmp_path / "a.wav", tone(200)))

    rows = sample.image.mean(axis=(1, 2))
    assert rows.argmax() > 180


def test_the_bands_rise_within_their_range():
    hertz = mel_centers(RECIPE)

    assert hertz.shape == (RECIPE.num_mels,)
    assert (np.diff(hertz) > 0).all()
    assert hertz[0] > RECIPE.low_hertz
    assert hertz[-1] < RECIPE.high_hertz


@pytest.mark.parametrize(
    ("duration", "starts"),
    [
        (0.1, [0]),
        (1.9, [0]),
        (2.0, [0]),
        (2.25, [0, 0.25]),
        (3.0, [0, 1]),
        (4.5, [0, 5 / 6, 10 / 6, 2.5]),
        (5.0, [0, 1, 2, 3]),
    ],
)
def test_windows_are_spread_evenly_and_the_last_ends_with_the_sound(duration, starts):
    assert window_starts(duration, RECIPE) == pytest.approx(starts)


def test_each_window_knows_its_seconds_and_its_piece_of_sound(tmp_path):
    waveform = tone(1000, 8000, 4.5)

    samples = read(save(tmp_path / "a.wav", waveform, 8000))

    starts = [sample.sound.seconds[0] for sample in samples]
    assert starts == pytest.approx([0, 5 / 6, 10 / 6, 2.5])
    for sample, start in zip(samples, starts, strict=True):
        piece = waveform[round(start * 8000) :][:16_000]
        assert sample.sound.seconds.shape == (sample.sound.decibels.shape[1],)
        assert sample.sound.seconds[-1] == pytest.approx(start + 2)
        assert np.allclose(np.diff(sample.sound.seconds), 64 / 8000, atol=1e-6)
        assert np.allclose(sample.sound.waveform, piece, atol=1e-3)


def test_a_click_shows_at_its_second(tmp_path):
    waveform = np.full(32_000, 1e-3)
    waveform[24_000:24_100] = 0.8

    (sample,) = read(save(tmp_path / "a.wav", waveform))

    loudest = sample.sound.decibels.mean(axis=0).argmax()
    assert abs(sample.sound.seconds[loudest] - 1.5) < 0.02


def test_a_short_sound_is_filled_up_with_silence(tmp_path):
    (sample,) = read(save(tmp_path / "a.wav", tone(1000, duration=0.5)))

    assert sample.sound.waveform.shape == (16_000,)
    assert (sample.sound.waveform[4000:] == 0).all()
    assert sample.sound.decibels[:, 100:].max() == -80


@pytest.mark.parametrize("factor", [0.1, 0.01, 0.001])
def test_a_quiet_recording_gives_the_same_decibels_as_a_loud_one(tmp_path, factor):
    loud = save(tmp_path / "loud.wav", melody(16_000), subtype="FLOAT")
    quiet = save(tmp_path / "quiet.wav", melody(16_000) * factor, subtype="FLOAT")

    heard, meant = (read(path)[0].sound.decibels for path in (quiet, loud))

    assert meant.max() == 0
    assert meant.min() == -80
    assert np.abs(heard - meant).max() < 0.05


def test_silent_windows_are_left_out_and_told(tmp_path):
    half = tone(500, duration=1.5)
    waveform = np.concatenate([half, np.zeros(6 * 16_000), half])

    samples = read(save(tmp_path / "a.wav", waveform))

    starts = [float(sample.sound.seconds[0]) for sample in samples]
    assert starts == [0, 1, 6, 7]
    assert all("4 silent windows" in sample.warnings[0] for sample in samples)


def rendering(decibels, size):
    """What matplotlib draws of decibels when there is nothing but them in the figure."""
    figure = Figure(figsize=(size[1] / 100, size[0] / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(
        decibels,
        cmap="magma",
        vmin=-80,
        vmax=0,
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
        interpolation_stage="data",
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(np.float32) / 255


@pytest.mark.parametrize(
    ("size", "bound"),
    [((224, 224), 0.016), ((448, 512), 0.016), ((64, 251), 0.016), ((32, 48), 0.04)],
)
@pytest.mark.parametrize("source", ["speech", "melody"])
def test_the_image_is_what_matplotlib_draws(truth, source, size, bound):
    decibels = read(SPEECH)[0].sound.decibels if source == "speech" else truth

    image = spectrogram_image(decibels, size, RECIPE)

    # Of the range 0 to 1; the same color map entry or its neighbor nearly everywhere.
    difference = np.abs(image - rendering(decibels, size))
    assert image.shape == (*size, 3)
    assert difference.mean() < bound / 4
    assert np.percentile(difference, 99) < bound
    assert difference.max() < 4 * bound


def test_every_color_of_the_image_is_in_the_color_map(truth):
    image = spectrogram_image(truth, SIZE, RECIPE)

    colors = {tuple(c) for c in colormaps["magma"](np.arange(256))[:, :3].astype(np.float32)}
    assert {tuple(c) for c in image.reshape(-1, 3)} <= colors


def test_image_decibels_undoes_spectrogram_image():
    decibels = read(SPEECH)[0].sound.decibels

    back = image_decibels(spectrogram_image(decibels, SIZE, RECIPE), RECIPE)

    assert back.shape == decibels.shape
    assert np.corrcoef(back.ravel(), decibels.ravel())[0, 1] > 0.99
    assert np.abs(back - decibels).mean() < 1.2
    assert back.min() >= -80
    assert back.max() <= 0


def test_image_decibels_undoes_exactly_where_nothing_was_resized():
    decibels = read(SPEECH)[0].sound.decibels

    back = image_decibels(spectrogram_image(decibels, decibels.shape, RECIPE), RECIPE)

    step = 80 / 255
    assert np.abs(back - decibels).max() <= step / 2 + 1e-3


def test_a_picture_of_speech_becomes_audible_speech(tmp_path):
    original = read(SPEECH)[0]
    picture = tmp_path / "a.png"
    Image.fromarray(np.rint(original.image * 255).astype(np.uint8)).save(picture)

    (sample,) = sound_reader(RECIPE)(picture, SIZE)
    write_wav(tmp_path / "a.wav", sample.sound)
    waveform, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")

    again = mel_spectrogram(waveform, RECIPE).decibels
    frames = min(again.shape[1], original.sound.decibels.shape[1])
    heard, meant = again[:, :frames].ravel(), original.sound.decibels[:, :frames].ravel()
    assert rate == 8000
    assert abs(np.abs(waveform).max() - 0.5) < 1e-3
    assert np.sqrt((waveform**2).mean()) > 0.02
    assert np.corrcoef(heard, meant)[0, 1] > 0.9


def test_a_reconstructed_sound_says_so(tmp_path):
    picture = tmp_path / "a.png"
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(picture)

    (sample,) = sound_reader(RECIPE)(picture, SIZE)

    assert sample.sound.rebuilt
    assert "reconstructed" in sample.warnings[0]
    assert "2 s" in sample.warnings[0]


def test_a_frame_of_an_animated_spectrogram_can_be_chosen(tmp_path):
    frames = [Image.fromarray(np.full((32, 32, 3), level, np.uint8)) for level in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])

    (sample,) = sound_reader(RECIPE)(tmp_path / "a.gif", SIZE, ReadOptions(frame=2))

    assert sample.image.mean() == 1
    assert sample.warnings[0] == "Frame 2 of 2 was read."
    assert "reconstructed" in sample.warnings[1]


def test_a_heard_sound_is_not_called_rebuilt(tmp_path):
    (sample,) = sound_reader(RECIPE)(save(tmp_path / "a.wav", tone(500)), SIZE)

    assert not sample.sound.rebuilt
    assert sample.warnings == ()


def test_rebuilding_gives_the_same_sound_every_time():
    image = read(SPEECH)[0].image

    first, second = (rebuild_sound(image, RECIPE).waveform for _ in range(2))

    assert (first == second).all()


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_sound_is_recognized_without_its_ending(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", tone(500)).rename(tmp_path / "recording")

    (sample,) = sound_reader(RECIPE)(path, SIZE)

    assert not sample.sound.rebuilt


def test_a_sound_beyond_full_scale_is_written_scaled_down_and_that_is_returned(tmp_path):
    sound = mel_spectrogram(np.array([0.5, 2, -2] * 4000, np.float32), RECIPE)

    factor = write_wav(tmp_path / "a.wav", sound)
    written, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")

    assert factor == 0.5
    assert rate == 8000
    assert np.allclose(written, sound.waveform / 2, atol=1e-4)


@pytest.mark.parametrize("peak", [0, 0.3, 1])
def test_a_sound_within_full_scale_is_written_as_it_is(tmp_path, peak):
    waveform = (peak * tone(500, 8000, loudness=1)).astype(np.float32)
    sound = mel_spectrogram(tone(500, 8000).astype(np.float32), RECIPE)

    factor = write_wav(tmp_path / "a.wav", replace(sound, waveform=waveform))

    assert factor == 1
    assert np.allclose(soundfile.read(tmp_path / "a.wav")[0], waveform, atol=1e-4)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_called_so_where_a_sound_is_written():
    sound = mel_spectrogram(tone(500, 8000).astype(np.float32), RECIPE)

    with pytest.raises(OSError, match="No space left"):
        write_wav(Path("/dev/full"), sound)


def test_a_wav_of_unknown_length_from_a_stream_is_read(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(0xFFFFFFFF, riff_bytes=0xFFFFFFFF) + sixteen_bits(tone(1000, 8000)))

    (sample,) = read(path)

    assert np.allclose(sample.sound.waveform, tone(1000, 8000), atol=1e-3)


def test_broken_numbers_in_a_float_wav_do_not_reach_the_image(tmp_path):
    waveform = melody(16_000)
    whole = read(save(tmp_path / "a.wav", waveform, subtype="FLOAT"))[0].image
    waveform[5000], waveform[9000] = np.nan, np.inf

    image = read(save(tmp_path / "b.wav", waveform, subtype="FLOAT"))[0].image

    assert np.isfinite(image).all()
    assert np.median(np.abs(image - whole)) < 0.05


def _sparse_hours(path):
    size = 2 * 3600 * 8000 * 2
    with path.open("wb") as file:
        file.write(wav_header(size))
        file.truncate(44 + size)


def _claims_ten_hours(path):
    path.write_bytes(wav_header(10 * 3600 * 8000 * 2) + sixteen_bits(tone(500, 8000)))


def _cut_off_wav(path):
    save(path, tone(500))
    path.write_bytes(path.read_bytes()[:20_000])


def _cut_off_flac(path):
    save(path, np.random.default_rng(0).uniform(-0.5, 0.5, 32_000), format="FLAC")
    path.write_bytes(path.read_bytes()[:20_000])


def _cut_off_ogg(path):
    save(path, np.random.default_rng(0).uniform(-0.5, 0.5, 32_000), format="OGG")
    path.write_bytes(path.read_bytes()[:3000])


def _silent(path):
    save(path, np.zeros(32_000))


def _above_the_range(path):
    save(path, tone(15_000, 44_100) * np.hanning(88_200), 44_100)


DECODE = "Cannot decode"
BAD = {
    "missing": ("a.wav", lambda path: None, "no file", "Check the name"),
    "folder": ("a.wav", lambda path: path.mkdir(), "is not a file", "Give a single file"),
    "empty": ("a.wav", lambda path: path.touch(), "empty (0 bytes)", "Copy or export it again"),
    "no samples": (
        "a.wav",
        lambda path: path.write_bytes(wav_header(0)),
        "contains no sound (0 samples)",
        "Record or export it again",
    ),
    "silent": ("a.wav", _silent, "is silent", "Check the recording"),
    "above the range": ("a.wav", _above_the_range, "silent", ""),
    "too short": (
        "a.wav",
        lambda path: save(path, tone(500, duration=0.05)),
        "too short: 0.05 s",
        "at least 0.1 s",
    ),
    "two hours": ("a.wav", _sparse_hours, "2.0 hours", "Cut out the part"),
    "claims ten hours": ("a.wav", _claims_ten_hours, "truncated", "Copy or export it again"),
    "cut-off wav": ("a.wav", _cut_off_wav, "truncated", "Copy or export it again"),
    "text": ("a.wav", lambda path: path.write_text("Dear all,\n" * 99), DECODE, "Give WAV"),
    "text flac": ("a.flac", lambda path: path.write_text("Dear all,\n" * 99), DECODE, "Give WAV"),
    "text mp3": ("a.mp3", lambda path: path.write_text("Dear all,\n" * 99), DECODE, "Give WAV"),
    "header only": ("a.wav", lambda path: path.write_bytes(wav_header(9)[:20]), DECODE, "Give WAV"),
    "cut-off flac": ("a.flac", _cut_off_flac, "lost sync", "Give WAV"),
    "cut-off ogg": ("a.ogg", _cut_off_ogg, "malformed", "Give WAV"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named_at_once_with_its_cause_and_the_next_step(tmp_path, case, monkeypatch):
    name, make, cause, next_step = BAD[case]
    path = tmp_path / name
    make(path)
    decode, decoded = soundfile.SoundFile.read, []

    def count(file, *args, **options):
        values = decode(file, *args, **options)
        decoded.append(len(values))
        return values

    monkeypatch.setattr(soundfile.SoundFile, "read", count)
    with pytest.raises(InputError) as caught:
        read(path)

    assert sum(decoded) < 60 * RECIPE.rate  # what is refused for its length is not decoded first
    assert_told(caught.value, path, cause, next_step)


def test_a_text_named_mp3_is_not_said_to_be_missing(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_text("Dear all,\n" * 99)

    with pytest.raises(InputError) as caught:
        read(path)

    assert "does not exist" not in str(caught.value)
