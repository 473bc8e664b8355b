"""Train many heads at once, on the same features, in one graph.

What differs from trial to trial is an argument of the graph (`arithmetic`), so it is traced once
for all trials of a kind, where Keras would trace it for each; that tracing, not arithmetic, costs.
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
from tuning.keras_numerics import SLOTS, Kind, judge_rows, train_epoch
from tuning.search_folder import write_whole
from tuning.space import Configuration
from tuning.trials import Epoch
from xai_tf.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

WAVE_BYTES = 256_000_000  # of weights and slots that are trained at a time
PARALLEL = 8  # members of a wave that may run side by side


@dataclass(frozen=True, eq=False)
class Rows:
    """Features with what is known of them.

    Attributes:
        features: float32 array of shape (rows, channels).
        targets: float32 array of shape (rows, logits).
        weights: float32 array of shape (rows,): what each row counts in training.
    """

    features: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class State:
    """The weights of one head, and what its optimizer remembers.

    Attributes:
        arrays: kernel and bias of each dense layer, then the optimizer's slots in the same order.
        step: updates so far.
    """

    arrays: tuple[np.ndarray, ...]
    step: int

    def weights(self, num_layers: int) -> list[np.ndarray]:
        """Kernel and bias of each layer, as Keras orders them."""
        return list(self.arrays[: 2 * num_layers])

    def save(self, path: Path) -> None:
        """Write to `.npz`, whole or not at all."""
        arrays = {f"array_{i:02d}": array for i, array in enumerate(self.arrays)}

        def write(scratch: Path) -> None:
            with scratch.open("wb") as file:
                np.savez(file, step=self.step, **arrays)

        write_whole(path, write)

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
        except Exception as error:  # zip, zlib and numpy raise many things on a damaged file
            raise InputError(
                f"{path} cannot be read ({error}). Restore it, or start the search under another "
                "name."
            ) from error


@dataclass(frozen=True, eq=False)
class Member:
    """One trial of a wave.

    Attributes:
        config: what it is.
        state: where it starts.
        seed: of its dropout.
    """

    config: Configuration
    state: State
    seed: int


def initial_state(config: Configuration, num_channels: int, num_logits: int, seed: int) -> State:
    """The weights Keras gives a new head, and an optimizer that remembers nothing."""
    weights = head(config, (num_channels,), num_logits, trial_seed(seed, config)).get_weights()
    slots = [np.zeros_like(w) for _ in range(SLOTS[config.optimizer]) for w in weights]
    return State((*weights, *slots), 0)


def together(members: Sequence[Member], num_logits: int) -> list[list[int]]:
    """Part members into groups that are trained at once: one kind, the same widths, not too many.

    Returns:
        Positions in `members`.
    """
    groups: dict[Any, list[list[int]]] = {}
    for position, member in enumerate(members):
        widths = tuple(dense.units for dense in member.config.dense)
        found = groups.setdefault((Kind.of(member.config, num_logits), widths), [[]])
        size = sum(array.nbytes for array in member.state.arrays)
        if found[-1] and (len(found[-1]) + 1) * size > WAVE_BYTES:
            found.append([])
        found[-1].append(position)
    return [group for parts in groups.values() for group in parts]


def train_heads(
    members: Sequence[Member],
    train: Rows,
    validation: Rows,
    *,
    epochs: range,
    batch_size: int,
    seed: int,
) -> Iterator[list[tuple[Epoch, Callable[[], State]]]]:
    """Train members of one kind and the same widths, from epoch to epoch.

    Args:
        members: what is trained.
        train, validation: the rows.
        epochs: the epochs to train, counted from 0.
        batch_size: rows a step.
        seed: of the order of the rows, which is the same for all.

    Yields:
        For each epoch, for each member, what it measured (not a number where it broke down), and a
        function that fetches its weights as they are then.
    """
    import tensorflow as tf

    kind = Kind.of(members[0].config, train.targets.shape[1])
    run = _functions(kind, batch_size)
    settings, state = _settings(members), _stack(members)
    steps = tf.constant([float(member.state.step) for member in members])
    tensors = [tf.constant(a) for a in (train.features, train.targets, train.weights)]
    held_out = [tf.constant(a) for a in (validation.features, validation.targets)]
    for epoch in epochs:
        start = time.perf_counter()
        draw = tf.constant([seed, epoch])
        state, steps, measured = run.epoch(state, steps, settings, tensors, draw)
        judged = run.judge(state, settings, held_out)
        columns = [np.asarray(column) for column in (*measured, *judged)]
        seconds = (time.perf_counter() - start) / len(members)
        yield [
            (
                _epoch(epoch, [float(column[k]) for column in columns], seconds),
                _Fetch(state, steps, k),
            )
            for k in range(len(members))
        ]


@dataclass(frozen=True, eq=False)
class _Fetch:
    """Takes one member's weights out of the stack when they are wanted."""

    state: list[tf.Tensor]
    steps: tf.Tensor
    position: int

    def __call__(self) -> State:
        arrays = tuple(np.asarray(tensor[self.position]) for tensor in self.state)
        return State(arrays, int(self.steps[self.position]))


def _epoch(number: int, columns: list[float], seconds: float) -> Epoch:
    loss, ce, accuracy, val_ce, val_accuracy, penalty = columns
    return Epoch(
        number + 1, loss, val_ce + penalty, ce, val_ce, accuracy, val_accuracy, round(seconds, 4)
    )


def _stack(members: Sequence[Member]) -> list[tf.Tensor]:
    import tensorflow as tf

    columns = zip(*(member.state.arrays for member in members), strict=True)
    return [tf.constant(np.stack(column)) for column in columns]


def _settings(members: Sequence[Member]) -> list[tf.Tensor]:
    """Of each member what `arithmetic` takes: rate, dropout and its scale, L1, L2, seed."""
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
class _Functions:
    epoch: Callable[..., Any]
    judge: Callable[..., Any]


@lru_cache(maxsize=32)
def _functions(kind: Kind, batch_size: int) -> _Functions:
    """The graphs of a kind, for any number of members, of any width."""
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
    def epoch(state: Any, steps: Any, settings: Any, rows: Any, draw: Any) -> Any:
        def train(member: Any) -> Any:
            return train_epoch(kind, *member, rows, draw, batch_size)

        # The members of a wave run side by side where there are cores for it.
        return tf.map_fn(
            train,
            (state, steps, settings),
            parallel_iterations=PARALLEL,
            fn_output_signature=(one, spec([]), [spec([])] * 3),
        )

    @tf.function(jit_compile=False, input_signature=[state_spec, settings_spec, rows_spec])
    def judge(state: Any, settings: Any, rows: Any) -> Any:
        return tf.map_fn(
            lambda member: judge_rows(kind, *member, rows),
            (state, settings),
            parallel_iterations=PARALLEL,
            fn_output_signature=[spec([])] * 3,
        )

    return _Functions(epoch, judge)
