"""The training step of one head, operation by operation that of Keras on `heads.head`.

Initial weights, order of rows, dropout and update rules are those of Keras, and so are the
TensorFlow operations and their shapes; therefore both round alike and the weights are equal to the
last bit. (With all heads stacked into one matrix product, rounding differences grew to a hundredth
of the loss within ten epochs under a strong L1 penalty.) Unlike in Keras, everything but the `Kind`
is an argument of the graph.

A state is a list of tensors: kernel and bias of each layer, then the optimizer's slots in the same
order. Settings are learning rate, dropout, 1 / (1 - dropout), L1 (layers,), L2 (layers,), seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuning.space import Configuration

SLOTS = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 1}
EPSILON = 1e-7


@dataclass(frozen=True)
class Kind:
    """What heads must have in common to share a graph.

    Attributes:
        num_dense: dense layers before the logits.
        activation: the activation of the dense layers.
        optimizer: a name in `SLOTS`.
        has_dropout: whether dropout is above 0.
        one_logit: whether there is just one logit.
        binary: whether each logit is one of two answers: there is one logit for two classes, or
            one for each of several labels.
    """

    num_dense: int
    activation: str
    optimizer: str
    has_dropout: bool
    one_logit: bool
    binary: bool

    @staticmethod
    def of(config: Configuration, num_logits: int, multi_label: bool = False) -> Kind:
        """The kind of a configuration's head."""
        return Kind(
            num_dense=len(config.dense),
            activation=config.activation,
            optimizer=config.optimizer,
            has_dropout=config.dropout > 0,
            one_logit=num_logits == 1,
            binary=multi_label or num_logits == 1,
        )

    @property
    def num_weights(self) -> int:
        """The number of weight tensors: kernel and bias of each layer."""
        return 2 * (self.num_dense + 1)


def train_epoch(
    kind: Kind, state: Any, steps: Any, settings: Any, rows: Any, draw: Any, batch_size: int
) -> Any:
    """Train one head for one epoch.

    Args:
        kind: its layers and optimizer.
        state: its weights and slots, see above.
        steps: updates so far, a float.
        settings: its settings, see above.
        rows: features (rows, channels), targets (rows, logits), weights (rows,).
        draw: (seed, epoch), which decide the order of the rows.
        batch_size: rows per step.

    Returns:
        The new state, the new number of updates, and [loss, cross-entropy, accuracy], each the
        mean over the epoch.
    """
    import tensorflow as tf

    features, targets, weights = rows
    total = tf.shape(features)[0]
    order = tf.random.experimental.stateless_shuffle(tf.range(total), seed=draw)
    sums = [tf.constant(0.0)] * 3
    first, batch = tf.constant(0), draw[1] * -(-total // batch_size)
    while first < total:
        chosen = order[first : first + batch_size]
        batch_rows = [tf.gather(tensor, chosen) for tensor in (features, targets, weights)]
        steps = steps + 1.0
        state, metrics = _step(kind, state, steps, settings, batch_rows, batch)
        size = tf.cast(tf.shape(chosen)[0], tf.float32)
        sums = [s + m * size for s, m in zip(sums, metrics, strict=True)]
        first, batch = first + batch_size, batch + 1
    return state, steps, [s / tf.cast(total, tf.float32) for s in sums]


def evaluate_rows(kind: Kind, state: Any, settings: Any, rows: Any) -> Any:
    """Evaluate one head on features and targets: [cross-entropy, accuracy, penalty]."""
    import tensorflow as tf

    features, targets = rows
    weights = state[: kind.num_weights]
    logits = _forward(kind, weights, features, None)
    entropy, correct = _entropy(kind, logits, targets), _correct(kind, logits, targets)
    return [tf.reduce_mean(entropy), tf.reduce_mean(correct), _penalty(kind, weights, settings)]


def _step(
    kind: Kind, state: Any, steps: Any, settings: Any, rows: Any, batch: Any
) -> tuple[Any, Any]:
    """Train on one batch: the new state, and [loss, cross-entropy, accuracy] before the update."""
    import tensorflow as tf

    weights, slots = state[: kind.num_weights], state[kind.num_weights :]
    rate, dropout, scale, _, _, seed = settings
    features, targets, row_weights = rows
    with tf.GradientTape() as tape:
        tape.watch(weights)
        drop = (dropout, scale, seed, batch) if kind.has_dropout else None
        logits = _forward(kind, weights, features, drop)
        entropy = _entropy(kind, logits, targets)
        size = tf.cast(tf.shape(entropy)[0], tf.float32)
        loss = tf.reduce_sum(entropy * row_weights) / size
    gradients = _with_penalty(kind, tape.gradient(loss, weights), weights, settings)
    loss += _penalty(kind, weights, settings)
    new = _update(kind.optimizer, weights, gradients, slots, rate, steps)
    correct = _correct(kind, logits, targets)
    return new, [loss, tf.reduce_mean(entropy), tf.reduce_mean(correct)]


def _forward(kind: Kind, weights: Any, features: Any, drop: Any) -> Any:
    """Logits of shape (rows, logits)."""
    import keras
    import tensorflow as tf

    activation, x = keras.activations.get(kind.activation), features
    if kind.num_dense == 0 and drop is not None:
        x = _dropped(x, drop, 1)
    for layer in range(kind.num_dense + 1):
        x, bias = tf.matmul(x, weights[2 * layer]), weights[2 * layer + 1]
        # Keras adds a bias of a single value by broadcasting, which rounds differently.
        single = kind.one_logit and layer == kind.num_dense
        x = x + bias if single else tf.nn.bias_add(x, bias)
        if layer < kind.num_dense:
            x = activation(x)
            x = x if drop is None else _dropped(x, drop, layer + 1)
    return x


def _dropped(x: Any, drop: Any, layer: int) -> Any:
    """Dropout as Keras draws it from a seed and a count."""
    import tensorflow as tf

    rate, scale, seed, batch = drop
    keep = tf.random.stateless_uniform(tf.shape(x), tf.stack([seed + layer, batch])) >= rate
    return tf.where(keep, x * scale, 0.0)


def _entropy(kind: Kind, logits: Any, targets: Any) -> Any:
    """Cross-entropy of each row; of several labels their mean."""
    import tensorflow as tf

    if kind.binary:
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, logits), -1)
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)


def _correct(kind: Kind, logits: Any, targets: Any) -> Any:
    """Whether each row is predicted correctly, as 0 or 1; the share of several labels."""
    import tensorflow as tf

    if kind.binary:
        return tf.reduce_mean(tf.cast((logits > 0) == (targets > 0.5), tf.float32), -1)
    return tf.cast(tf.argmax(logits, -1) == tf.argmax(targets, -1), tf.float32)


def _with_penalty(kind: Kind, gradients: Any, weights: Any, settings: Any) -> Any:
    """Gradients of the loss with its penalties, summed in the same order as by Keras' tape."""
    import tensorflow as tf

    *_, l1, l2, _ = settings
    new = list(gradients)
    for layer in range(kind.num_dense):
        kernel = weights[2 * layer]
        penalty = l1[layer] * tf.sign(kernel) + l2[layer] * (2.0 * kernel)
        new[2 * layer] = penalty + new[2 * layer]
    return new


def _penalty(kind: Kind, weights: Any, settings: Any) -> Any:
    import tensorflow as tf

    *_, l1, l2, _ = settings
    total = tf.constant(0.0)
    for layer in range(kind.num_dense):
        kernel, one = weights[2 * layer], tf.constant(0.0)
        one += l1[layer] * tf.reduce_sum(tf.abs(kernel))
        one += l2[layer] * tf.reduce_sum(tf.square(kernel))
        total += one
    return total


def _update(name: str, weights: Any, gradients: Any, slots: Any, rate: Any, step: Any) -> Any:
    """Apply Keras' update rule with its defaults: new weights, then new slots."""
    import tensorflow as tf

    count = len(weights)
    if name == "sgd":
        moved = [0.9 * m - g * rate for m, g in zip(slots, gradients, strict=True)]
        return [w + m for w, m in zip(weights, moved, strict=True)] + moved
    if name == "rmsprop":
        mean = [0.9 * v + 0.1 * tf.square(g) for v, g in zip(slots, gradients, strict=True)]
        new = [
            w - rate * g / tf.sqrt(v + EPSILON)
            for w, g, v in zip(weights, gradients, mean, strict=True)
        ]
        return new + mean
    if name == "adamw":
        weights = [w - w * 0.004 * rate for w in weights]
    alpha = rate * tf.sqrt(1 - tf.pow(0.999, step)) / (1 - tf.pow(0.9, step))
    first = [m + (g - m) * (1 - 0.9) for m, g in zip(slots[:count], gradients, strict=True)]
    second = [
        v + (tf.square(g) - v) * (1 - 0.999) for v, g in zip(slots[count:], gradients, strict=True)
    ]
    new = [
        w - m * alpha / (tf.sqrt(v) + EPSILON)
        for w, m, v in zip(weights, first, second, strict=True)
    ]
    return new + first + second
