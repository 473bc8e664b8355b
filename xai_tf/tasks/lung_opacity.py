"""Chest X-ray: is there an opacity in the lungs?"""

from xai_tf import augment
from xai_tf.sample import PICTURE_SUFFIXES, read_image
from xai_tf.task import Task

TASK = Task(
    name="lung_opacity",
    title="Lung opacity",
    question="Does this chest X-ray show a lung opacity, as in pneumonia?",
    classes=("normal", "opacity"),
    reader=read_image,
    augment=augment.radiograph,
    suffixes=PICTURE_SUFFIXES,
    medical=True,
    subject={"en": "a chest X-ray", "fr": "une radiographie du thorax"},
    regions=("chest", "frame"),
)
