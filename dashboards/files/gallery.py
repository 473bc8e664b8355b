"""The bundled samples on the page. `python -m dashboards.files.gallery` creates the thumbnails."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from dashboards.language import mark
from xai_tf.cli.demo import SAMPLES
from xai_tf.inputs.audio import SOUND_SUFFIXES
from xai_tf.inputs.sample import file_sha256
from xai_tf.tasks import TASKS

THUMBNAILS = Path(__file__).parent / "thumbnails"
SIDE = 192  # width and height of a thumbnail; shown at 96 pixels, sharp on high-density screens


@dataclass(frozen=True, kw_only=True)
class GalleryItem:
    """A bundled sample.

    Attributes:
        title: the title on the page.
        name: the name of the file in `xai_tf/samples`.
        task: a name in `TASKS`.
        model: the model of `weights_keras` for this sample, which may not be on this server.
        alt: a description of the picture or sound.
        credit: source and license in one line; details are in `xai_tf/samples/SOURCES.md`.
    """

    title: str
    name: str
    task: str
    model: str
    alt: str
    credit: str

    @property
    def path(self) -> Path:
        """The path of the file."""
        return SAMPLES / self.name

    @property
    def thumbnail(self) -> Path:
        """The path of a JPEG of `SIDE` x `SIDE` pixels."""
        return THUMBNAILS / f"{self.path.stem}.jpg"

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file in hex, which links contain."""
        return file_sha256(self.path)


_SPEECH = {"task": "deepfake_audio", "model": "audio_mobilenetv2"}
_XRAY = {"task": "lung_opacity", "model": "xray_mobilenetv2"}
_BRAIN = {"task": "brain_tumor", "model": "brain_mobilenetv2"}
_DOGS = {"task": "dog_breeds", "model": "dogs_mobilenetv2"}
_ESPEAK = "Made for this project with espeak-ng and a simulated telephone line, CC0 1.0."
_KERMANY = "Kermany et al. 2018, Mendeley Data, CC BY 4.0; resized."
_COLIN = (
    "Colin 27 (Holmes et al. 1998), McConnell Brain Imaging Centre, MNI, McGill University; "
    "the MNI notice is in SOURCES.md."
)

GALLERY: tuple[GalleryItem, ...] = (
    GalleryItem(
        title=mark("Human speech"),
        name="speech_human.wav",
        **_SPEECH,
        alt="3.2 seconds of English read by a person, as over a telephone.",
        credit="LibriSpeech 7067-76047-0000 (Panayotov et al. 2015), CC BY 4.0; shortened and "
        "processed like a telephone call.",
    ),
    GalleryItem(
        title=mark("Synthetic speech"),
        name="speech_synthetic.wav",
        **_SPEECH,
        alt="2.8 seconds of English from a speech synthesizer, as over a telephone.",
        credit=_ESPEAK,
    ),
    GalleryItem(
        title=mark("Synthetic speech, long"),
        name="speech_synthetic_long.flac",
        **_SPEECH,
        alt="9.7 seconds of English from a speech synthesizer, as over a telephone: several "
        "windows.",
        credit=_ESPEAK,
    ),
    GalleryItem(
        title=mark("Chest X-ray, normal"),
        name="xray_normal.jpg",
        **_XRAY,
        alt="Frontal chest X-ray of a child, labeled normal.",
        credit=_KERMANY,
    ),
    GalleryItem(
        title=mark("Chest X-ray, opacity"),
        name="xray_opacity.jpg",
        **_XRAY,
        alt="Frontal chest X-ray of a child, labeled pneumonia; tubes are visible.",
        credit=_KERMANY,
    ),
    GalleryItem(
        title=mark("Brain, healthy"),
        name="brain_head_notumor.png",
        **_BRAIN,
        alt="Axial T1 MRI slice of a healthy head.",
        credit=_COLIN,
    ),
    GalleryItem(
        title=mark("Brain, painted lesion"),
        name="brain_head_lesion.png",
        **_BRAIN,
        alt="The same slice with a bright round spot painted in; it is not a real tumor.",
        credit=f"{_COLIN} The spot is ours, CC0 1.0.",
    ),
    GalleryItem(
        title=mark("Dog, beagle"),
        name="beagle.jpg",
        **_DOGS,
        alt="Photo of a beagle on grass, a breed that the dog breed classifier knows.",
        credit="Trougnouf (Benoit Brummer), CC BY 4.0; cropped and resized.",
    ),
    GalleryItem(
        title=mark("Dog, unknown breed"),
        name="dog.jpg",
        **_DOGS,
        alt="Photo of a German shepherd on grass, a breed the dog breed classifier does not know.",
        credit="Hans Kemperman, public domain; resized.",
    ),
    GalleryItem(
        title=mark("Cat"),
        name="cat.jpg",
        **_DOGS,
        alt="Photo of a cat, which is not among the classes of a dog breed classifier.",
        credit="Stefan van der Walt, CC0; resized.",
    ),
)


def thumbnail(path: Path, task: str) -> bytes:
    """A JPEG of `SIDE` x `SIDE` pixels: the middle of a picture, or the spectrogram of a sound.

    A sound takes seconds, because librosa has to be imported.
    """
    size = (SIDE, SIDE)
    if path.suffix in SOUND_SUFFIXES:
        from xai_tf.rendering.heatmaps import image_bytes

        picture = Image.fromarray(image_bytes(TASKS[task].read(path, size)))
    else:
        with Image.open(path) as opened:
            picture = ImageOps.fit(opened.convert("RGB"), size)
    file = BytesIO()
    picture.save(file, format="jpeg", quality=85)
    return file.getvalue()


if __name__ == "__main__":
    for item in GALLERY:
        item.thumbnail.write_bytes(thumbnail(item.path, item.task))
