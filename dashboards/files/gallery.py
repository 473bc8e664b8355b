"""The bundled samples on the page. `python -m dashboards.files.gallery` draws the thumbnails."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from xai_tf.cli.demo import SAMPLES
from xai_tf.inputs.audio import SOUND_SUFFIXES
from xai_tf.inputs.sample import file_sha256
from xai_tf.tasks import TASKS

THUMBNAILS = Path(__file__).parent / "thumbnails"
SIDE = 192  # pixels of a thumbnail: sharp at 96 on screens of double density


@dataclass(frozen=True)
class GalleryItem:
    """A sample to start from.

    Attributes:
        title: for people.
        name: of the file in `xai_tf/samples`.
        task: a name in `TASKS`.
        model: the model of `weights_keras` it is meant for, which may not be on this server.
        alt: what it is, for those who do not see or hear it.
        credit: source and licence in a line; the whole story is in `xai_tf/samples/SOURCES.md`.
    """

    title: str
    name: str
    task: str
    model: str
    alt: str
    credit: str

    @property
    def path(self) -> Path:
        """The file."""
        return SAMPLES / self.name

    @property
    def thumbnail(self) -> Path:
        """A JPEG of `SIDE` x `SIDE` pixels."""
        return THUMBNAILS / f"{self.path.stem}.jpg"

    @cached_property
    def sha256(self) -> str:
        """Of the file, in hex: what a link says of it."""
        return file_sha256(self.path)


_SPEECH = ("deepfake_audio", "audio_mobilenetv2")
_XRAY = ("lung_opacity", "xray_mobilenetv2")
_BRAIN = ("brain_tumor", "brain_mobilenetv2")
_DOGS = ("dog_breeds", "dogs_mobilenetv2")
_ESPEAK = "Made for this project with espeak-ng and a telephone line, CC0 1.0."
_KERMANY = "Kermany et al. 2018, Mendeley Data, CC BY 4.0; resized."
_COLIN = (
    "Colin 27 (Holmes et al. 1998), McConnell Brain Imaging Centre, MNI, McGill University; "
    "the MNI notice is in SOURCES.md."
)

GALLERY: tuple[GalleryItem, ...] = (
    GalleryItem(
        "Human speech", "speech_human.wav", *_SPEECH,
        "3.2 seconds of English read by a person, as over a telephone.",
        "LibriSpeech 7067-76047-0000 (Panayotov et al. 2015), CC BY 4.0; cut and made like a "
        "telephone call.",
    ),
    GalleryItem(
        "Synthetic speech", "speech_synthetic.wav", *_SPEECH,
        "2.8 seconds of English from a speech synthesiser, as over a telephone.", _ESPEAK,
    ),
    GalleryItem(
        "Synthetic speech, long", "speech_synthetic_long.flac", *_SPEECH,
        "9.7 seconds of English from a speech synthesiser, as over a telephone: several windows.",
        _ESPEAK,
    ),
    GalleryItem(
        "Chest X-ray, normal", "xray_normal.jpg", *_XRAY,
        "Frontal chest X-ray of a child, labelled normal.", _KERMANY,
    ),
    GalleryItem(
        "Chest X-ray, opacity", "xray_opacity.jpg", *_XRAY,
        "Frontal chest X-ray of a child, labelled pneumonia; tubes are visible.", _KERMANY,
    ),
    GalleryItem(
        "Brain, healthy", "brain_head_notumor.png", *_BRAIN,
        "Axial T1 MRI slice of a healthy head.", _COLIN,
    ),
    GalleryItem(
        "Brain, painted lesion", "brain_head_lesion.png", *_BRAIN,
        "The same slice with a bright round spot that was painted in; it is no real tumour.",
        _COLIN + " The spot is ours, CC0 1.0.",
    ),
    GalleryItem(
        "Dog", "dog.jpg", *_DOGS,
        "Photo of a German shepherd standing on grass.", "Hans Kemperman, public domain; resized.",
    ),
    GalleryItem(
        "Cat", "cat.jpg", *_DOGS,
        "Photo of a cat: what does a classifier of dogs say of it?",
        "Stefan van der Walt, CC0; resized.",
    ),
)  # fmt: skip


def thumbnail(path: Path, task: str) -> bytes:
    """Draw a thumbnail: a JPEG of `SIDE` x `SIDE` pixels, its middle or its first spectrogram.

    A sound takes seconds, for librosa has to be imported.
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
