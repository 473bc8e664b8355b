"""Sound of any kind: which class? The classes are those the model was trained on."""

from xai_tf.inputs import augmentation
from xai_tf.inputs.audio import SOUND_SUFFIXES, sound_reader
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.sample import PICTURE_SUFFIXES
from xai_tf.inputs.task import Task

RECIPE = MelRecipe(rate=16_000, step_samples=128, num_mels=96, high_hertz=7800.0)

TASK = Task(
    name="sound",
    title="Sound",
    question="What is heard in this sound?",
    classes=(),
    reader=sound_reader(RECIPE),
    recipe=RECIPE,
    augment=augmentation.speech(RECIPE),
    suffixes=SOUND_SUFFIXES + PICTURE_SUFFIXES,
    subject={"en": "a sound like those it was trained on", "fr": "un son du type appris"},
)
