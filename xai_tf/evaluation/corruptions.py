"""What happens to files on the way to a model: named changes, each at rising levels.

Pictures are changed as the model gets them, at its input size; sounds before their spectrogram.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # which loads its modules where they are used
from PIL import Image

from xai_tf.errors import SettingError, pick
from xai_tf.inputs.audio import mel_spectrogram, spectrogram_image
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.resizing import resize
from xai_tf.inputs.sample import Sample

TELEPHONE_LOW = 300.0  # Hz, the lower end of the telephone band (ITU-T G.712: 300 to 3,400 Hz)
FILTER_ORDER = 6
ALL = "all"
# Image or waveform, its sample rate (0 for an image), level, random draws: the changed one.
Change = Callable[[np.ndarray, int, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """A change that leaves the true class as it is.

    Attributes:
        name: the name in `CORRUPTIONS`.
        title: the name for people.
        unit: what a level is a number of.
        levels: the levels, the weakest first.
        change: changes an image, float32 of shape (height, width, 3) in [0, 1], or the waveform of
            a sound, float32 of shape (samples,).
        of_sound: whether it changes sounds instead of pictures.
    """

    name: str
    title: str
    unit: str
    levels: tuple[float, ...]
    change: Change
    of_sound: bool = False


def corrupted(
    sample: Sample, corruption: Corruption, level: float, recipe: MelRecipe | None = None
) -> Sample:
    """A sample as it would be after a corruption. What is random depends on its pixels alone.

    Args:
        sample: as the model gets it.
        corruption: the change.
        level: its strength, in its unit.
        recipe: of a sound, by which it was read.

    Raises:
        SettingError: the corruption changes sounds, and the sample has none or one that was rebuilt
            from a picture.
    """
    rng = np.random.default_rng(zlib.crc32(sample.image.tobytes()))
    if not corruption.of_sound:
        changed = np.clip(corruption.change(sample.image, 0, level, rng), 0, 1)
        return replace(sample, image=changed.astype(np.float32))
    if recipe is None or sample.sound is None or sample.sound.rebuilt:
        raise SettingError(
            f"{corruption.title} changes sounds, and {sample.source} is none. Choose a corruption "
            "of pictures."
        )
    waveform = corruption.change(sample.sound.waveform, sample.sound.rate, level, rng)
    sound = mel_spectrogram(waveform.astype(np.float32), recipe, float(sample.sound.seconds[0]))
    image = spectrogram_image(sound.decibels, sample.image.shape[:2], recipe)
    return replace(sample, image=image, sound=sound)


def picked_corruptions(names: Sequence[str], sounds: bool) -> tuple[Corruption, ...]:
    """The corruptions of these names, or all that fit with "all".

    Args:
        names: names in `CORRUPTIONS`, or "all".
        sounds: whether the model takes sounds.

    Raises:
        UnknownNameError: there is no such corruption.
        SettingError: one does not fit the files of the model.
    """
    fitting = tuple(one for one in CORRUPTIONS.values() if one.of_sound == sounds)
    if ALL in names:
        return fitting
    chosen = tuple(pick(CORRUPTIONS, name, "corruption") for name in dict.fromkeys(names))
    for one in chosen:
        if one not in fitting:
            raise SettingError(
                f"The corruption {one.name!r} changes {'sounds' if one.of_sound else 'pictures'}, "
                f"and the model takes {'sounds' if sounds else 'pictures'}. Choose from "
                f"{', '.join(other.name for other in fitting)}."
            )
    return chosen


def _crop(image: np.ndarray, rate: int, level: float, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    rows, columns = (round(level / 100 * side) for side in (height, width))
    return resize(image[rows : height - rows, columns : width - columns], (height, width))


def _darker(image: np.ndarray, rate: int, level: float, rng: np.random.Generator) -> np.ndarray:
    return image / 2**level


def _brighter(image: np.ndarray, rate: int, level: float, rng: np.random.Generator) -> np.ndarray:
    return image * 2**level


def _blur(image: np.ndarray, rate: int, level: float, rng: np.random.Generator) -> np.ndarray:
    sigma = level / 100 * image.shape[0]
    return np.asarray(scipy.ndimage.gaussian_filter(image, (sigma, sigma, 0)))


def _noise(image: np.ndarray, rate: int, level: float, rng: np.random.Generator) -> np.ndarray:
    return image + rng.normal(0, level / 100, (*image.shape[:2], 1))


def _jpeg(image: np.ndarray, rate: int, level: float, rng: np.random.Generator) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(file, "JPEG", quality=int(level))
    return np.asarray(Image.open(file).convert("RGB"), np.float32) / 255


def _telephone(
    waveform: np.ndarray, rate: int, level: float, rng: np.random.Generator
) -> np.ndarray:
    """Keep 300 Hz to `level` Hz; a sound that ends below that only loses the low tones."""
    from scipy.signal import butter, sosfilt

    band = (TELEPHONE_LOW, level) if level < rate / 2 else TELEPHONE_LOW
    kind = "bandpass" if level < rate / 2 else "highpass"
    return np.asarray(sosfilt(butter(FILTER_ORDER, band, kind, fs=rate, output="sos"), waveform))


def _hiss(waveform: np.ndarray, rate: int, level: float, rng: np.random.Generator) -> np.ndarray:
    strength = float(np.sqrt(np.mean(waveform**2))) * 10 ** (-level / 20)
    return waveform + rng.normal(0, strength, len(waveform))


CORRUPTIONS = {
    one.name: one
    for one in (
        Corruption(
            name="crop",
            title="Crop",
            unit="% cut off at each side",
            levels=(2, 5, 10, 15, 20),
            change=_crop,
        ),
        Corruption(
            name="darker",
            title="Darker",
            unit="stops (each halves the levels)",
            levels=(0.25, 0.5, 1, 1.5, 2),
            change=_darker,
        ),
        Corruption(
            name="brighter",
            title="Brighter",
            unit="stops (each doubles the levels, up to white)",
            levels=(0.25, 0.5, 1, 1.5, 2),
            change=_brighter,
        ),
        Corruption(
            name="blur",
            title="Blur",
            unit="% of the height, standard deviation of a Gaussian",
            levels=(0.25, 0.5, 1, 1.5, 2),
            change=_blur,
        ),
        Corruption(
            name="noise",
            title="Noise",
            unit="% of white, standard deviation of gray noise",
            levels=(1, 2, 5, 10, 20),
            change=_noise,
        ),
        Corruption(
            name="jpeg",
            title="JPEG",
            unit="quality of the compression",
            levels=(80, 60, 40, 20, 10),
            change=_jpeg,
        ),
        Corruption(
            name="telephone",
            title="Telephone band",
            unit="Hz, the upper end of a band from 300 Hz",
            levels=(7000, 3400, 3000, 2500, 2000),
            change=_telephone,
            of_sound=True,
        ),
        Corruption(
            name="hiss",
            title="Hiss",
            unit="dB that white noise is below the sound",
            levels=(30, 20, 15, 10, 5),
            change=_hiss,
            of_sound=True,
        ),
    )
}
