"""Photo of anything: which class does it show? The classes are those the model was trained on."""

from xai_tf.inputs import augmentation
from xai_tf.inputs.sample import PICTURE_SUFFIXES, read_image
from xai_tf.inputs.task import Task

TASK = Task(
    name="photo",
    title="Photo",
    question="What does this photo show?",
    classes=(),
    reader=read_image,
    augment=augmentation.photo,
    suffixes=PICTURE_SUFFIXES,
    baseline=0.5,
    subject={"en": "a photo like those it was trained on", "fr": "une photo du type appris"},
)
