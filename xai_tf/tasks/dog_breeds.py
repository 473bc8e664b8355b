"""Photo of a dog: which breed is it? The classes are those the model was trained on."""

from xai_tf.inputs import augmentation
from xai_tf.inputs.sample import PICTURE_SUFFIXES, read_image
from xai_tf.inputs.task import Task

TASK = Task(
    name="dog_breeds",
    title="Dog breeds",
    question="Which breed is the dog in this photo?",
    classes=(),
    reader=read_image,
    augment=augmentation.photo,
    suffixes=PICTURE_SUFFIXES,
    baseline=0.5,
    subject={"en": "a photo of a dog", "fr": "une photo de chien"},
)
