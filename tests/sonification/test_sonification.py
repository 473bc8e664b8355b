"""What decided, as sound: masks on the waveform, regions, what is said of them, and profiles."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import EAR_SIZE as SIZE
from tests.conftest import HIGH, MIDDLE, SAMPLES, result_of
from xai_tf.attribution.explain import explain
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import load
from xai_tf.cli import listen  # noqa: F401  (its commands)
from xai_tf.cli.options import app
from xai_tf.errors import InputError, ModelError, OutputError, SettingError
from xai_tf.inputs.audio import mel_spectrogram, spectrogram_image
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.sonification import (
    class_profiles,
    evidence_mask,
    find_regions,
    keep,
    mute,
    region_mask,
    write_and_predict,
)
from xai_tf.sonification.export import save_sounds
from xai_tf.sonification.masking import band_energies
from xai_tf.sonification.profile import draw
from xai_tf.tasks import TASKS

AUDIO = TASKS["deepfake_audio"]
RATE = 8000


def waveform_with_burst() -> np.ndarray:
    """A loud low tone all the time, a high one from 0.75 to 1.25 s, and noise."""
    time = np.arange(2 * RATE) / RATE
    high = 0.2 * np.sin(2 * np.pi * 2200 * time) * ((time > 0.75) & (time < 1.25))
    noise = 0.003 * np.random.default_rng(0).standard_normal(len(time))
    return (0.4 * np.sin(2 * np.pi * 300 * time) + high + noise).astype(np.float32)


def sample_of(waveform, start=0.0):
    sound = mel_spectrogram(waveform.astype(np.float32), MelRecipe(), start)
    image = spectrogram_image(sound.decibels, SIZE, MelRecipe())
    return replace(AUDIO.read(SAMPLES / "speech_human.wav", SIZE), sound=sound, image=image)


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    path = tmp_path_factory.mktemp("sounds") / "burst.wav"
    soundfile.write(path, waveform_with_burst(), RATE)
    return path


@pytest.fixture(scope="module")
def burst(wav):
    return AUDIO.read(wav, SIZE)


@pytest.fixture(scope="module")
def speech():
    return AUDIO.read(SAMPLES / "speech_synthetic.wav")


def explanation_of(sample, attribution, classifier, method="gradient_input"):
    """An explanation with a map of our own."""
    return replace(explain(classifier, sample, method), attribution=attribution.astype(np.float32))


def decibels(signal, hertz):
    """How loud a signal is within 60 Hz of a frequency."""
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(signal), 1 / RATE) - hertz) < 60
    return 10 * np.log10(power[near].sum() + 1e-20)


# Masks


@pytest.mark.parametrize("name", ["speech", "noise", "click", "short"])
def test_a_mask_of_ones_gives_the_sound_as_it_was(speech, name):
    rng = np.random.default_rng(0)
    click = np.zeros(16_000)
    click[[0, 7000, 15_999]] = 1
    waveform = {
        "speech": speech.sound.waveform,
        "noise": rng.uniform(-1, 1, 16_000),
        "click": click,
        "short": np.pad(rng.uniform(-1, 1, 800), (0, 15_200)),
    }[name]

    kept = keep(sample_of(waveform), np.ones(SIZE))

    assert kept.waveform.dtype == np.float32
    np.testing.assert_allclose(kept.waveform, waveform, atol=1e-5)


def test_a_mask_of_zeros_turns_all_down_by_60_decibels(speech):
    muted = keep(speech, np.zeros((224, 224)))

    np.testing.assert_allclose(muted.waveform, speech.sound.waveform / 1000, atol=1e-7)


def test_what_is_kept_and_what_is_muted_are_the_whole(speech):
    mask = np.random.default_rng(0).random((224, 224))

    together = keep(speech, mask).waveform + mute(speech, mask).waveform

    np.testing.assert_allclose(together, 1.001 * speech.sound.waveform, atol=1e-5)


def test_muting_high_tones_leaves_the_low_ones():
    time = np.arange(2 * RATE) / RATE
    both = 0.3 * np.sin(2 * np.pi * 500 * time) + 0.3 * np.sin(2 * np.pi * 2500 * time)
    upper = np.zeros(SIZE)
    upper[:32] = 1

    left = mute(sample_of(both), upper).waveform

    assert decibels(left, 500) == pytest.approx(decibels(both, 500), abs=0.1)
    assert decibels(left, 2500) == pytest.approx(decibels(both, 2500) - 60, abs=1)


def test_muting_a_time_leaves_the_others():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE)
    middle = np.zeros(SIZE)
    middle[:, 16:48] = 1  # 0.5 to 1.5 s

    left = mute(sample_of(noise), middle).waveform

    np.testing.assert_allclose(left[:3600], noise[:3600], atol=1e-4)
    np.testing.assert_allclose(left[12_400:], noise[12_400:], atol=1e-4)
    assert np.abs(left[4400:11_600]).max() < 0.001


def test_hard_edges_of_a_mask_do_not_click():
    time = np.arange(2 * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 500 * time)
    middle = np.zeros(SIZE)
    middle[:, 16:48] = 1
    cut = tone * ((time < 0.5) | (time >= 1.5))

    faded = mute(sample_of(tone), middle).waveform

    elsewhere = [decibels(faded, hertz) - decibels(cut, hertz) for hertz in (1500, 2500, 3500)]
    assert max(elsewhere) < -30


@pytest.mark.parametrize("mask_size", [(1, 1), (7, 7), (64, 251), (500, 300)])
def test_a_mask_may_have_any_size(burst, mask_size):
    kept = keep(burst, np.ones(mask_size))

    np.testing.assert_allclose(kept.waveform, burst.sound.waveform, atol=1e-5)


@pytest.mark.parametrize(
    "mask", [np.full(SIZE, np.nan), np.full(SIZE, 1.5), np.full(SIZE, -0.1), np.ones(64)]
)
def test_a_mask_that_is_none_is_refused(burst, mask):
    for change in (keep, mute):
        with pytest.raises(SettingError, match="values from 0 to 1, where 1 keeps the sound"):
            change(burst, mask)


def test_a_picture_without_a_sound_cannot_be_heard(blobs):
    with pytest.raises(InputError, match=r"made\.png: it was read as an image without sound"):
        keep(blobs, np.ones((32, 32)))


def test_a_spectrogram_picture_is_heard_as_it_was_rebuilt(tmp_path, burst):
    Image.fromarray((burst.image * 255).round().astype(np.uint8)).save(tmp_path / "a.png")
    sample = AUDIO.read(tmp_path / "a.png", SIZE)

    kept = keep(sample, np.ones(SIZE))

    assert kept.rebuilt
    np.testing.assert_allclose(kept.waveform, sample.sound.waveform, atol=1e-5)


def test_the_decibels_of_what_is_left_are_as_good_as_measured_ones(burst):
    mask = np.zeros(SIZE)
    mask[HIGH, MIDDLE] = 1

    said = keep(burst, mask)

    measured = mel_spectrogram(said.waveform, MelRecipe()).decibels
    loud = measured > -30
    assert np.abs(said.decibels - measured)[loud].mean() < 3


def test_the_energies_of_bands_add_up_to_that_of_the_transform(burst):
    energies = band_energies(burst.sound)

    assert energies.shape == burst.sound.decibels.shape
    assert band_energies(keep(burst, np.zeros(SIZE))).sum() == pytest.approx(
        1e-6 * energies.sum(), rel=1e-3
    )


# Regions


def planted(place, value=1.0):
    attribution = np.zeros(SIZE)
    attribution[place] = value
    return attribution


def test_a_planted_region_is_found_where_it_is(ear, burst):
    (region,) = find_regions(explanation_of(burst, planted((HIGH, MIDDLE)), ear), count=1)

    hertz = burst.sound.hertz
    assert region.start == pytest.approx(0.75, abs=0.04)
    assert region.end == pytest.approx(1.25, abs=0.04)
    assert hertz[44 - 3] < region.low < hertz[44 + 3]
    assert hertz[54 - 3] < region.high < hertz[54 + 3]
    assert 0.9 < region.share <= 1


def test_what_speaks_against_has_a_negative_share(ear, burst):
    attribution = planted((HIGH, MIDDLE), 3.0) + planted((slice(40, 60), slice(0, 12)), -1.0)

    first, second = find_regions(explanation_of(burst, attribution, ear), count=5)

    assert first.share == pytest.approx(480 / 720, abs=0.07)
    assert second.share == pytest.approx(-240 / 720, abs=0.07)
    assert second.text.endswith("%")
    assert ": -" in second.text


@pytest.mark.parametrize("seed", range(5))
def test_regions_do_not_overlap_and_share_no_more_than_there_is(ear, burst, seed):
    coarse = np.random.default_rng(seed).standard_normal((8, 8))
    explanation = explanation_of(burst, np.kron(coarse, np.ones((8, 8))), ear)

    regions = find_regions(explanation, count=9)

    assert 1 < len(regions) <= 9
    assert sum(abs(region.share) for region in regions) <= 1
    assert sum(region_mask(burst, region) for region in regions).max() == 1


def test_a_mask_of_a_region_is_the_place_it_was_found_in(ear, burst):
    place = slice(16, 32), slice(8, 24)  # on the edges of cells
    (region,) = find_regions(explanation_of(burst, planted(place), ear), count=1)

    mask = region_mask(burst, region)

    inside = (mask * planted(place)).sum()
    assert inside == 256  # and at most a cell around it
    assert mask.sum() <= 20 * 18


def test_seconds_are_those_of_the_file(ear):
    late = sample_of(waveform_with_burst(), start=100.0)

    (region,) = find_regions(explanation_of(late, planted((HIGH, MIDDLE)), ear), count=1)

    assert region.start == pytest.approx(100.75, abs=0.04)
    mask = region_mask(late, region)
    assert mask[15, 32] == 1
    assert mask[:, 0].sum() == 0


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_a_map_without_signal_has_no_regions(ear, burst, value):
    explanation = explanation_of(burst, np.full(SIZE, value), ear)

    assert find_regions(explanation) == []
    assert evidence_mask(explanation).sum() == 0


def test_one_pixel_is_one_region(ear, burst):
    (region,) = find_regions(explanation_of(burst, planted((20, 30)), ear), count=1)

    assert region_mask(burst, region)[20, 30] == 1
    assert region.end - region.start < 0.2


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((0.811, 1.09, 2104.0, 3020.0, 0.312), "0.81-1.09 s, 2.1-3.0 kHz: +31%"),
        ((0.0, 0.25, 80.4, 420.0, -0.05), "0.00-0.25 s, 80-420 Hz: -5%"),
        ((61.5, 62.0, 420.0, 1200.0, 0.1), "61.50-62.00 s, 0.4-1.2 kHz: +10%"),
    ],
)
def test_a_region_in_words(place, text):
    from xai_tf.sonification import TimeFrequencyRegion

    assert TimeFrequencyRegion(*place).text == text


def test_what_speaks_for_the_class_is_the_smallest_part_that_holds_most_of_it(ear, burst):
    attribution = planted((HIGH, MIDDLE)) + 0.01 - planted((slice(40, 60), slice(0, 12)), 5)

    mask = evidence_mask(explanation_of(burst, attribution, ear))

    assert mask.shape == SIZE
    assert mask[HIGH, MIDDLE].mean() > 0.8
    assert mask[40:60, 0:12].max() == 0
    assert mask.sum() < 2 * 160


def test_where_all_speaks_against_nothing_is_kept(ear, burst):
    explanation = explanation_of(burst, planted((HIGH, MIDDLE), -1), ear)

    assert evidence_mask(explanation).max() == 0


# What is said


def test_the_original_is_said_to_be_what_it_was(tmp_path, ear, burst):
    heard = write_and_predict(ear, {"original": burst.sound}, tmp_path)["original"]

    expected = ear.predict([burst])[0].logits
    np.testing.assert_allclose(heard.prediction.logits, expected, atol=0.02)
    assert soundfile.info(heard.path).subtype == "PCM_16"


@pytest.mark.parametrize("method", ["gradient_input", "integrated_gradients", "kernel_shap"])
def test_muting_the_top_region_takes_away_what_decided(tmp_path, ear, burst, method):
    explanation = explain(ear, burst, method, target="synthetic")
    region = find_regions(explanation, count=1)[0]
    mask = region_mask(burst, region)
    elsewhere = np.roll(mask, 32, axis=1)

    heard = write_and_predict(
        ear,
        {"original": burst.sound, "muted": mute(burst, mask), "other": mute(burst, elsewhere)},
        tmp_path,
    )

    logits = {name: float(one.prediction.logits[0]) for name, one in heard.items()}
    assert region.start < 1.0 < region.end
    assert region.low < 2200 < region.high
    assert logits["original"] - logits["muted"] > 2
    assert abs(logits["original"] - logits["other"]) < 0.5


def test_silence_is_said_to_be_nothing(tmp_path, ear, burst):
    quiet = replace(burst.sound, waveform=burst.sound.waveform * 1e-6)

    heard = write_and_predict(ear, {"original": burst.sound, "quiet": quiet}, tmp_path)

    assert heard["quiet"].prediction is None
    assert heard["quiet"].energy < 1e-9 * heard["original"].energy
    alone = write_and_predict(ear, {"none": replace(quiet, waveform=0 * quiet.waveform)}, tmp_path)
    assert alone["none"].prediction is None


@pytest.mark.parametrize("factor", [0.0003, 4.0])
def test_quiet_and_clipped_sounds_are_written_without_loss(tmp_path, ear, burst, factor):
    changed = replace(burst.sound, waveform=burst.sound.waveform * factor)

    heard = write_and_predict(ear, {"a": changed}, tmp_path)["a"]

    expected = ear.predict([burst])[0].logits
    np.testing.assert_allclose(heard.prediction.logits, expected, atol=0.02)


def test_a_classifier_of_pictures_hears_nothing(tmp_path, halves, burst):
    with pytest.raises(ModelError, match="'halves' takes images and does not read sound"):
        write_and_predict(halves, {"original": burst.sound}, tmp_path)

    assert list(tmp_path.iterdir()) == []


# The folder


@pytest.fixture(scope="module")
def explained(ear, burst):
    return explain(ear, burst, "gradient_input", target="synthetic")


def test_a_folder_holds_the_sounds_and_what_is_said_of_each(tmp_path, ear, explained):
    described = save_sounds(tmp_path / "out", ear, explained, count=2)

    names = [sound["file"] for sound in described["sounds"]]
    assert names[:3] == ["original.wav", "supporting.wav", "remainder.wav"]
    count = len(described["regions"])
    assert names[3:] == [f"{kind}_{n + 1}.wav" for kind in ("solo", "mute") for n in range(count)]
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {*names, "regions.json"}
    assert json.loads((tmp_path / "out" / "regions.json").read_text()) == described
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    for sound in described["sounds"]:
        again = ear.predict([ear.read(tmp_path / "out" / sound["file"])])[0]
        assert sound["score"] == pytest.approx(float(again.logits[0]), abs=1e-4)
    score = {sound["name"]: sound["score"] for sound in described["sounds"]}
    assert score["remainder"] < score["original"] - 2
    assert score["supporting"] > score["remainder"] + 2


def test_where_nothing_speaks_for_the_class_no_sound_says_it_does(tmp_path, ear, explained):
    """All of it 60 dB quieter would look like all of it to the classifier."""
    against = replace(explained, attribution=-explained.attribution.clip(0) - 0.1)

    described = save_sounds(tmp_path / "out", ear, against, count=1)

    assert [one["name"] for one in described["sounds"]] == ["original", "solo_1", "mute_1"]
    assert "This map has no evidence for synthetic" in described["warnings"][-1]
    assert not (tmp_path / "out" / "supporting.wav").exists()


def test_of_what_is_next_to_silent_nothing_is_said(tmp_path, ear, burst):
    quiet = burst.sound.waveform * 10 ** (-55 / 20)

    heard = write_and_predict(
        ear, {"all": burst.sound, "rest": replace(burst.sound, waveform=quiet)}, tmp_path
    )

    assert heard["all"].prediction is not None
    assert heard["rest"].prediction is None


def test_a_folder_is_replaced_by_a_new_one_and_nothing_else_is(tmp_path, ear, explained):
    save_sounds(tmp_path / "out", ear, explained, count=1)
    (tmp_path / "out" / "solo_9.wav").touch()
    save_sounds(tmp_path / "out", ear, explained, count=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()

    with pytest.raises(OutputError, match="was not written by xai-tf"):
        save_sounds(tmp_path / "mine", ear, explained)

    assert not (tmp_path / "out" / "solo_9.wav").exists()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_what_is_interrupted_leaves_nothing(tmp_path, ear, explained):
    def interrupted(path, size):
        if path.stem == "solo_1":
            raise KeyboardInterrupt
        return AUDIO.reader(path, size)

    stopping = Classifier(ear.model, name="ear", task=replace(AUDIO, reader=interrupted))

    with pytest.raises(KeyboardInterrupt):
        save_sounds(tmp_path / "out", stopping, explained)

    assert list(tmp_path.iterdir()) == []


def test_a_map_without_signal_is_refused_before_anything_is_written(tmp_path, ear, burst):
    nothing = explanation_of(burst, np.zeros(SIZE), ear)

    with pytest.raises(SettingError, match="Cannot sonify the map of"):
        save_sounds(tmp_path / "out", ear, nothing)

    assert list(tmp_path.iterdir()) == []


# Profiles


def test_a_profile_is_where_the_maps_of_a_class_are_strong(ear, burst):
    high = explanation_of(burst, planted((HIGH, MIDDLE)), ear)
    against = explanation_of(burst, planted((HIGH, MIDDLE), -7), ear)
    silent = explanation_of(burst, np.zeros(SIZE), ear)
    low = explanation_of(burst, planted((slice(50, 60), MIDDLE)), ear)
    low = replace(low, question=replace(low.question, target=0))

    human, synthetic = class_profiles(iter([high, low, against, silent]))

    assert (human.name, human.count, human.silent) == ("human", 1, 0)
    assert (synthetic.name, synthetic.count, synthetic.silent) == ("synthetic", 2, 1)
    for profile in (human, synthetic):
        assert profile.bands.sum() == pytest.approx(1)
        assert profile.times.sum() == pytest.approx(1)
        assert profile.times[6:10].sum() == pytest.approx(1)
    assert synthetic.bands[44:54].sum() == pytest.approx(1)
    assert human.bands[4:14].sum() == pytest.approx(1)
    assert len(draw([human, synthetic], "$100").axes) == 2


def test_a_class_of_silent_maps_has_no_profile_but_is_counted(ear, burst):
    (profile,) = class_profiles([explanation_of(burst, np.zeros(SIZE), ear)])

    assert (profile.count, profile.silent) == (0, 1)
    assert profile.bands.sum() == 0


def test_no_sounds_have_no_profile():
    assert class_profiles([]) == []


# The command


@pytest.fixture(scope="module")
def model_file(ear, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "ear.keras"
    ear.model.save(path)
    return str(path)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_listen_writes_sounds_and_prints_what_is_said_of_them(tmp_path, model_file, wav):
    out = tmp_path / "out"
    words = [
        "listen",
        wav,
        "--model",
        model_file,
        "--task",
        "deepfake_audio",
        "--out",
        out,
        "--method",
        "gradient_input",
        "--target",
        "synthetic",
        "--top",
        "1",
    ]

    table, data = run(*words), run(*words, "--overwrite", "--json")

    assert (table.exit_code, data.exit_code) == (0, 0)
    for word in ("original.wav", "remainder.wav", "mute_1.wav", "kHz: +", "synthetic"):
        assert word in table.stdout
    told = result_of(data.stdout)
    assert [sound["name"] for sound in told["sounds"]] == [
        "original",
        "supporting",
        "remainder",
        "solo_1",
        "mute_1",
    ]
    assert told["regions"][0]["start"] < 1 < told["regions"][0]["end"]
    assert (out / "mute_1.wav").is_file()


def test_listen_says_that_a_picture_was_rebuilt(tmp_path, model_file, burst):
    Image.fromarray((burst.image * 255).round().astype(np.uint8)).save(tmp_path / "a.png")

    result = run(
        "listen",
        tmp_path / "a.png",
        "--model",
        model_file,
        "--task",
        "deepfake_audio",
        "--out",
        tmp_path / "out",
        "--method",
        "gradient_input",
        "--target",
        "synthetic",
    )

    assert result.exit_code == 0
    assert "reconstructed from the picture" in result.stderr
    assert (tmp_path / "out" / "supporting.wav").is_file()


@pytest.fixture
def bad_sounds(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), RATE)
    (tmp_path / "empty.wav").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("silence.wav", "is silent"),
        ("empty.wav", "is empty"),
        ("missing.wav", "There is no file"),
    ],
)
def test_listen_refuses_what_cannot_be_heard(bad_sounds, model_file, file, said):
    result = run(
        "listen",
        bad_sounds / file,
        "--model",
        model_file,
        "--task",
        "deepfake_audio",
        "--out",
        bad_sounds / "out",
    )

    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert not (bad_sounds / "out").exists()


@pytest.mark.parametrize("command", ["listen", "profile"])
def test_a_model_of_pictures_is_refused(tmp_path, model_file, wav, command):
    place = wav if command == "listen" else wav.parent
    out = tmp_path / "out.png"

    result = run(command, place, "--model", model_file, "--out", out)

    assert isinstance(result.exception, ModelError)
    assert "does not read sound" in str(result.exception)
    assert not out.exists()


def test_profile_reads_a_folder_and_leaves_out_what_it_cannot_read(tmp_path, model_file, wav):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.wav").write_bytes(wav.read_bytes())
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    soundfile.write(folder / "c.wav", noise, RATE)
    (folder / "bad.wav").touch()
    words = [
        "profile",
        folder,
        "--model",
        model_file,
        "--task",
        "deepfake_audio",
        "--method",
        "gradient_input",
        "--out",
        tmp_path / "p.png",
    ]

    table, data = run(*words), run(*words, "--overwrite", "--json")

    assert (table.exit_code, data.exit_code) == (2, 2)
    assert "bad.wav is empty" in table.stderr
    assert "Hz" in table.stdout
    told = result_of(data.stdout)
    assert sum(profile["count"] for profile in told["classes"]) == 3
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size[0] > 500


def test_profile_refuses_a_folder_without_sounds(tmp_path, model_file):
    result = run("profile", tmp_path, "--model", model_file, "--task", "deepfake_audio")

    assert isinstance(result.exception, InputError)
    assert "contains no file" in str(result.exception)


def test_the_shipped_model_says_of_its_sounds_what_its_map_says(tmp_path):
    classifier = load("audio_mobilenetv2")
    sample = classifier.read(SAMPLES / "speech_synthetic.wav")
    explanation = explain(classifier, sample, "grad_cam")

    described = save_sounds(tmp_path / "out", classifier, explanation)

    score = {sound["name"]: sound["score"] for sound in described["sounds"]}
    said = explanation.prediction.logits @ classifier.target(explanation.target)
    assert score["original"] == pytest.approx(float(said), abs=0.05)
    assert score["supporting"] > max(0, score["remainder"])
    assert score["mute_1"] < score["original"]
