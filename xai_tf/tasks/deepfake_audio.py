"""Speech: was it spoken by a human, or is it synthetic?"""

from xai_tf.inputs import augmentation
from xai_tf.inputs.audio import SOUND_SUFFIXES, sound_reader
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.sample import PICTURE_SUFFIXES
from xai_tf.inputs.task import Task

RECIPE = MelRecipe()

TASK = Task(
    name="deepfake_audio",
    title="Deepfake audio",
    question="Was this speech spoken by a human, or is it synthetic?",
    classes=("human", "synthetic"),
    reader=sound_reader(RECIPE),
    recipe=RECIPE,
    augment=augmentation.speech(RECIPE),
    suffixes=SOUND_SUFFIXES + PICTURE_SUFFIXES,
    subject={"en": "recorded speech", "fr": "de la parole enregistrée"},
    regions=("pitch", "speech"),
)
