"""Chest X-ray: is there an opacity in the lungs?"""

from xai_tf.inputs import augmentation
from xai_tf.inputs.sample import PICTURE_SUFFIXES, read_image
from xai_tf.inputs.task import Task

TASK = Task(
    name="lung_opacity",
    title="Lung opacity",
    question="Does this chest X-ray show a lung opacity, as in pneumonia?",
    classes=("normal", "opacity"),
    reader=read_image,
    augment=augmentation.radiograph,
    suffixes=PICTURE_SUFFIXES,
    medical=True,
    subject={"en": "a chest X-ray", "fr": "une radiographie du thorax"},
    regions=("chest", "frame"),
)
