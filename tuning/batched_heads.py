"""Train many heads at a time, on the same features, in one graph.

What differs from trial to trial is an argument of the graph (see `keras_numerics`). It is therefore
traced once for all trials of a kind, whereas Keras traces it for each; for small heads this tracing
takes most of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning.heads import head, trial_seed
from tuning.keras_numerics import SLOTS, Kind, evaluate_rows, train_epoch
from tuning.search_folder import write_durably
from tuning.space import Configuration
from tuning.trials import Epoch
from xai_tf.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

GROUP_BYTES = 256_000_000  # weights and slots of the heads that are trained at a time
PARALLEL = 8  # heads of a group that may be trained in parallel


@dataclass(frozen=True, eq=False)
class Rows:
    """Features with their targets and weights.

    Attributes:
        features: float32 array of shape (rows, channels).
        targets: float32 array of shape (rows, logits).
        weights: float32 array of shape (rows,): the weight of each row in training.
        multi_label: whether each target is a label of its own, so that several may be true.
    """

    features: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    multi_label: bool = False


@dataclass(frozen=True, eq=False)
class State:
    """The weights of one head, and the state of its optimizer.

    Attributes:
        arrays: kernel and bias of each dense layer, then the optimizer's slots in the same order.
        step: the number of updates so far.
    """

    arrays: tuple[np.ndarray, ...]
    step: int

    def weights(self, num_layers: int) -> list[np.ndarray]:
        """Kernel and bias of each layer, in the order of `get_weights`."""
        return list(self.arrays[: 2 * num_layers])

    def save(self, path: Path) -> None:
        """Write to an `.npz` file, completely or not at all."""
        arrays: dict[str, Any] = {f"array_{i:02d}": a for i, a in enumerate(self.arrays)}

        def write(scratch: Path) -> None:
            with scratch.open("wb") as file:
                np.savez(file, step=self.step, **arrays)

        write_durably(path, write)

    @staticmethod
    def load(path: Path) -> State:
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file) as stored:
                names = sorted(name for name in stored.files if name != "step")
                return State(tuple(stored[name] for name in names), int(stored["step"]))
        except Exception as error:  # zip, zlib and numpy raise many errors for a damaged file
            raise InputError(
                f"Cannot read {path}: {error}. Restore it, or start the search under another name."
            ) from error


@dataclass(frozen=True, eq=False)
class Member:
    """One head of a group that is trained together.

    Attributes:
        config: its configuration.
        state: its weights at the start.
        seed: the random seed of its dropout.
    """

    config: Configuration
    state: State
    seed: int


def initial_state(config: Configuration, num_channels: int, num_logits: int, seed: int) -> State:
    """The initial weights that Keras gives a head, with a new optimizer."""
    weights = head(config, (num_channels,), num_logits, trial_seed(seed, config)).get_weights()
    slots = [np.zeros_like(w) for _ in range(SLOTS[config.optimizer]) for w in weights]
    return State((*weights, *slots), 0)


def group_members(members: Sequence[Member], num_logits: int) -> list[list[int]]:
    """Split members into groups of one kind and the same widths, of at most `GROUP_BYTES`.

    Returns:
        Each group as positions in `members`.
    """
    by_shape: dict[Any, list[list[int]]] = {}
    for position, member in enumerate(members):
        widths = tuple(dense.units for dense in member.config.dense)
        groups = by_shape.setdefault((Kind.of(member.config, num_logits), widths), [[]])
        size = sum(array.nbytes for array in member.state.arrays)
        if groups[-1] and (len(groups[-1]) + 1) * size > GROUP_BYTES:
            groups.append([])
        groups[-1].append(position)
    return [group for groups in by_shape.values() for group in groups]


def train_heads(
    members: Sequence[Member],
    train: Rows,
    validation: Rows,
    *,
    epochs: range,
    batch_size: int,
    seed: int,
) -> Iterator[list[tuple[Epoch, Callable[[], State]]]]:
    """Train a group of members, epoch by epoch.

    Args:
        members: heads of one kind and the same widths, see `group_members`.
        train: the training rows.
        validation: the validation rows.
        epochs: the epochs to train, counted from 0.
        batch_size: rows per step.
        seed: random seed of the order of the rows, which is the same for all members.

    Yields:
        For each epoch a list with one entry per member: its metrics (NaN where training diverged),
        and a function that returns its weights after this epoch.
    """
    import tensorflow as tf

    kind = Kind.of(members[0].config, train.targets.shape[1], train.multi_label)
    run = _graphs(kind, batch_size)
    settings, state = _settings(members), _stack(members)
    steps = tf.constant([float(member.state.step) for member in members])
    training_rows = [tf.constant(a) for a in (train.features, train.targets, train.weights)]
    validation_rows = [tf.constant(a) for a in (validation.features, validation.targets)]
    for epoch in epochs:
        start = time.perf_counter()
        draw = tf.constant([seed, epoch])
        state, steps, train_metrics = run.train(state, steps, settings, training_rows, draw)
        validation_metrics = run.evaluate(state, settings, validation_rows)
        columns = [np.asarray(column) for column in (*train_metrics, *validation_metrics)]
        seconds = (time.perf_counter() - start) / len(members)
        yield [
            (
                _epoch(epoch, [float(column[k]) for column in columns], seconds),
                _StateAt(state, steps, k),
            )
            for k in range(len(members))
        ]


@dataclass(frozen=True, eq=False)
class _StateAt:
    """Takes the weights of one member out of the stack, only when they are needed."""

    state: list[tf.Tensor]
    steps: tf.Tensor
    position: int

    def __call__(self) -> State:
        arrays = tuple(np.asarray(tensor[self.position]) for tensor in self.state)
        return State(arrays, int(self.steps[self.position]))


def _epoch(number: int, columns: list[float], seconds: float) -> Epoch:
    loss, ce, accuracy, val_ce, val_accuracy, penalty = columns
    return Epoch(
        epoch=number + 1,
        loss=loss,
        val_loss=val_ce + penalty,
        ce=ce,
        val_ce=val_ce,
        accuracy=accuracy,
        val_accuracy=val_accuracy,
        seconds=round(seconds, 4),
    )


def _stack(members: Sequence[Member]) -> list[tf.Tensor]:
    import tensorflow as tf

    columns = zip(*(member.state.arrays for member in members), strict=True)
    return [tf.constant(np.stack(column)) for column in columns]


def _settings(members: Sequence[Member]) -> list[tf.Tensor]:
    """The settings of all members, stacked, in the order of `keras_numerics`."""
    import tensorflow as tf

    configs = [member.config for member in members]
    penalties = np.array([[(d.l1, d.l2) for d in c.dense] for c in configs], np.float32)
    penalties = penalties.reshape(len(configs), -1, 2)
    return [
        tf.constant([c.learning_rate for c in configs]),
        tf.constant([c.dropout for c in configs]),
        tf.constant([1 / (1 - c.dropout) for c in configs]),
        tf.constant(penalties[..., 0]),
        tf.constant(penalties[..., 1]),
        tf.constant([member.seed for member in members], tf.int32),
    ]


@dataclass(frozen=True, eq=False)
class _Graphs:
    train: Callable[..., Any]
    evaluate: Callable[..., Any]


@lru_cache(maxsize=32)
def _graphs(kind: Kind, batch_size: int) -> _Graphs:
    """The traced functions of a kind, for any number of members of any width."""
    import tensorflow as tf

    spec, ints = tf.TensorSpec, tf.int32
    one = [spec([None, None]), spec([None])] * ((kind.num_dense + 1) * (1 + SLOTS[kind.optimizer]))
    state_spec = [spec([None, *s.shape]) for s in one]
    settings_spec = [*[spec([None])] * 3, *[spec([None, None])] * 2, spec([None], ints)]
    rows_spec = [spec([None, None]), spec([None, None])]

    @tf.function(
        jit_compile=False,
        input_signature=[
            state_spec,
            spec([None]),
            settings_spec,
            [*rows_spec, spec([None])],
            spec([2], ints),
        ],
    )
    def train(state: Any, steps: Any, settings: Any, rows: Any, draw: Any) -> Any:
        def train_one(member: tuple[Any, Any, Any]) -> Any:
            return train_epoch(kind, member[0], member[1], member[2], rows, draw, batch_size)

        # Members are trained in parallel as far as there are cores.
        return tf.map_fn(
            train_one,
            (state, steps, settings),
            parallel_iterations=PARALLEL,
            fn_output_signature=(one, spec([]), [spec([])] * 3),
        )

    @tf.function(jit_compile=False, input_signature=[state_spec, settings_spec, rows_spec])
    def evaluate(state: Any, settings: Any, rows: Any) -> Any:
        return tf.map_fn(
            lambda member: evaluate_rows(kind, member[0], member[1], rows),
            (state, settings),
            parallel_iterations=PARALLEL,
            fn_output_signature=[spec([])] * 3,
        )

    return _Graphs(train, evaluate)
