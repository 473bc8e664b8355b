"""Medical image of any kind: which class? The classes are those the model was trained on."""

from xai_tf.inputs import augmentation
from xai_tf.inputs.sample import PICTURE_SUFFIXES, read_image
from xai_tf.inputs.task import Task

TASK = Task(
    name="medical_image",
    title="Medical image",
    question="What does this medical image show?",
    classes=(),
    reader=read_image,
    augment=augmentation.radiograph,
    suffixes=PICTURE_SUFFIXES,
    medical=True,
    subject={
        "en": "a medical image like those it was trained on",
        "fr": "une image médicale du type appris",
    },
)
