"""Photo of a dog: which breed is it? The classes are those the model was trained on."""

from xai_tf import augment
from xai_tf.sample import PICTURE_SUFFIXES, read_image
from xai_tf.task import Task

TASK = Task(
    name="dog_breeds",
    title="Dog breeds",
    question="Which breed is the dog in this photo?",
    classes=(),
    reader=read_image,
    augment=augment.photo,
    suffixes=PICTURE_SUFFIXES,
    baseline=0.5,
    subject={"en": "a photo of a dog", "fr": "une photo de chien"},
)
