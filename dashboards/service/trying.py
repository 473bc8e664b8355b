"""What a visitor's own model is, and what it predicts with each preprocessing."""

from __future__ import annotations

from dashboards.service.requests import TryModel
from dashboards.service.trial import ModelTrial, TriedScaling
from dashboards.service.worker_context import WorkerContext
from xai_tf.classifiers.cards import card_of
from xai_tf.classifiers.loading import load
from xai_tf.evaluation.preprocessing_trials import try_preprocessing

TEXT = "Written by the page of xai-tf. Describe here how the model was trained."


def try_model(context: WorkerContext, request: TryModel) -> ModelTrial:
    """Load a model in safe mode, and predict a file with each preprocessing.

    Raises:
        ModelError: it cannot be loaded, or contains code.
        InputError: the file cannot be read.
    """
    path, task, classes = request.model.path, request.model.task, request.classes or None
    classifier = load(path, classes=classes, task=task)
    context.progress(1, 2)
    tried: tuple[TriedScaling, ...] = ()
    if request.file is not None:
        unscaled = load(path, classes=classes, task=task, preprocessing="unit")
        trials = try_preprocessing(unscaled, [request.file.path])
        tried = tuple(
            TriedScaling(
                name=trial.name,
                title=trial.title,
                label=trial.predictions[0].name,
                probability=float(trial.predictions[0].probabilities.max()),
            )
            for trial in trials.trials
        )
    return ModelTrial(
        card=card_of(classifier, request.model.name, TEXT),
        certain=classifier.preprocessing_certain,
        reason=classifier.preprocessing_reason,
        # What one of them advises on the command line is what the page does here.
        warnings=tuple(text for text in classifier.warnings if "--try-" not in text),
        tried=tried,
    )
