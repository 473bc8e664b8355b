"""The learning curves of a search as logs for TensorBoard, with its HParams page."""

from __future__ import annotations

import shutil
from pathlib import Path

from tuning.trials import read_search

SCALARS = ("loss", "ce", "accuracy")


def write_logs(folder: Path) -> Path:
    """Write the logs of a search, finished or running; earlier logs are replaced.

    Returns:
        The folder to give to `tensorboard --logdir`.
    """
    import tensorflow as tf
    from tensorboard.plugins.hparams import api as hparams

    out = folder / "tensorboard"
    shutil.rmtree(out, ignore_errors=True)
    for trial in read_search(folder).trials:
        for split, prefix in (("train", ""), ("validation", "val_")):
            writer = tf.summary.create_file_writer(str(out / trial.id / split))
            with writer.as_default():
                if split == "validation":
                    hparams.hparams(trial.values, trial_id=trial.id)
                for epoch in trial.curve:
                    for name in SCALARS:
                        value = getattr(epoch, f"{prefix}{name}")
                        tf.summary.scalar(f"epoch_{name}", value, step=epoch.epoch)
            writer.close()
    return out
