"""Brain MRI slice: which tumor does it show, if any?"""

from xai_tf.inputs import augmentation
from xai_tf.inputs.sample import PICTURE_SUFFIXES, read_image
from xai_tf.inputs.task import Task

TASK = Task(
    name="brain_tumor",
    title="Brain tumor",
    question="Which tumor does this brain MRI slice show, if any?",
    classes=("glioma", "meningioma", "notumor", "pituitary"),
    reader=read_image,
    augment=augmentation.brain_slice,
    suffixes=PICTURE_SUFFIXES,
    medical=True,
    subject={"en": "a brain MRI slice", "fr": "une coupe d'IRM du cerveau"},
    regions=("head", "frame"),
)
