"""The networks of a search: backbones, the features of their frozen part, and whole networks."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning import heads
from tuning.augmented_rows import AugmentedRows
from tuning.batched_heads import Rows
from tuning.features import cached_features, model_digest, num_missing
from tuning.settings import Mode
from tuning.space import Configuration
from xai_tf.classifiers.backbones import build_backbone
from xai_tf.progress import Progress, silent

if TYPE_CHECKING:
    import keras

    from tuning.data import TrainingData

RANDOM = "random"  # identifies weights that are drawn from the seed


class Networks:
    """The networks of a search, built on its data.

    Backbones are built once, and the features of their frozen part are computed when they are
    first needed.

    Args:
        data: the data of the search.
        progress: is called with rows done, rows in all, and a text, while features are computed.

    Attributes:
        data: the data of the search.
    """

    def __init__(self, data: TrainingData, progress: Progress = silent) -> None:
        self.data, self._progress = data, progress
        self._base_seed = data.study.seed  # of random backbones below cached features
        self._bases: dict[str, keras.Model] = {}
        self._features: dict[tuple[str, str, bool], tuple[np.ndarray, np.ndarray]] = {}
        self._test_features: dict[tuple[str, str], np.ndarray] = {}

    def base(self, backbone: str) -> keras.Model:
        """A backbone, the same at every call: random weights are drawn from the seed."""
        if backbone not in self._bases:
            self._bases[backbone] = self._new_base(backbone)
        return self._bases[backbone]

    def digests(self) -> dict[str, str]:
        """For each backbone, a short text that identifies its initial weights."""
        return {backbone: self._digest(backbone) for backbone in self.data.study.backbones}

    def describe(self) -> dict[str, Any]:
        """The content of `study.json`."""
        return self.data.describe(self.digests())

    def cut(self, backbone: str) -> str | None:
        """The layer up to which no trial trains anything; None where all layers are trained."""
        study = self.data.study
        if study.mode == Mode.FULL_NETWORK:
            return None
        return heads.deepest_cut(self.base(backbone), max(study.unfreeze))

    def lower(self, backbone: str) -> keras.Model | None:
        """The part of a backbone that no trial trains; None where all layers are trained."""
        cut = self.cut(backbone)
        return None if cut is None else heads.lower_part(self.base(backbone), cut)

    @property
    def needs_maps(self) -> bool:
        """Whether a trial may flatten the feature maps, so that their means are not enough."""
        pooling = self.data.study.full_space.get("pooling")
        return pooling is not None and "flatten" in pooling.values

    @property
    def stores_means(self) -> bool:
        """Whether the means of the feature maps are cached instead of the maps."""
        return self.data.study.mode == Mode.BATCHED_HEADS and not self.needs_maps

    def num_missing(self, backbone: str) -> int:
        """Training and validation rows whose features are not in the cache yet."""
        lower = self.lower(backbone)
        if lower is None:
            return 0
        cache = self.data.study.cache
        return sum(
            num_missing(lower, rows, self.stores_means, cache)
            for rows in (self.data.train, self.data.validation)
        )

    def features(self, backbone: str, pooled: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Features of the training and of the validation rows, at the cut of a backbone.

        Args:
            backbone: one that has a cut.
            pooled: whether the means of the feature maps are wanted instead of the maps.

        Returns:
            Two float32 arrays of shape (rows, ...).
        """
        cut = self.cut(backbone)
        if cut is None:
            raise ValueError(f"all layers of {backbone!r} are trained: it has no fixed features")
        key = (backbone, cut, pooled)
        if key not in self._features:
            self._features[key] = (
                self._extract(backbone, self.data.train, pooled),
                self._extract(backbone, self.data.validation, pooled),
            )
        return self._features[key]

    def rows(self, backbone: str, pooling: str) -> tuple[Rows, Rows]:
        """Training and validation rows for heads on a frozen backbone."""
        pooled = pooling == "average" and not self.needs_maps
        train, validation = self.features(backbone, pooled)
        if pooling == "average" and not pooled:
            train, validation = train.mean((1, 2)), validation.mean((1, 2))
        data = self.data
        ones, several = np.ones(len(data.validation), np.float32), data.multi_label
        return (
            Rows(_flat(train), data.targets(data.train.labels), data.row_weights, several),
            Rows(_flat(validation), data.targets(data.validation.labels), ones, several),
        )

    def test_features(self, config: Configuration) -> np.ndarray:
        """Features of the test rows, as `rows` has them: float32 of shape (rows, channels)."""
        key = (config.backbone, config.pooling)
        if key not in self._test_features:
            pooled = config.pooling == "average"
            self._test_features[key] = self._extract(config.backbone, self.data.test, pooled)
        return _flat(self._test_features[key])

    def build(self, config: Configuration) -> tuple[keras.Model, keras.Model]:
        """Build the network of a configuration, frozen as it says.

        The backbone is built again each time, because KerasTuner clears Keras' state between
        trials.

        Returns:
            The whole network, RGB in [0, 1] to logits, and its part from the cut to the logits,
            which is compiled for training. The two share their weights.
        """
        study = self.data.study
        base = self._new_base(config.backbone)
        seed = heads.trial_seed(study.seed, config)
        top = heads.head(config, base.output_shape[1:], self.data.num_logits, seed)
        model = heads.whole_model(base, top)
        from_scratch = study.weights_of(config.backbone) is None
        heads.set_trainable(model, base, config.unfreeze, train_norm=from_scratch)
        upper = heads.upper_model(model, self.cut(config.backbone))
        heads.compile_model(upper, config, self.data.multi_label)
        return model, upper

    def with_seed(self, seed: int) -> Networks:
        """The same data and features, for training with another seed."""
        other = copy(self)
        other.data = self.data.with_seed(seed)
        return other

    def _digest(self, backbone: str) -> str:
        if self.data.study.weights_of(backbone) is None:
            return RANDOM
        return model_digest(self.base(backbone))[:16]

    def _extract(self, backbone: str, rows: AugmentedRows, pooled: bool) -> np.ndarray:
        return cached_features(
            self.lower(backbone), rows, pooled, self.data.study.cache, self._progress
        )

    def _new_base(self, backbone: str) -> keras.Model:
        import keras

        study = self.data.study
        all_trained = study.mode == Mode.FULL_NETWORK
        keras.utils.set_random_seed(study.seed if all_trained else self._base_seed)
        size = (study.image_size, study.image_size)
        return build_backbone(backbone, size, study.weights_of(backbone))


def _flat(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.reshape(len(values), -1))
