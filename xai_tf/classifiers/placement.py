"""Where the cells of a feature map lie in the input of a network, found by probing its operations.

A network may crop, pad, resize or transpose inside, and convolutions without padding lose a border
each; then a feature map does not cover the input from edge to edge. The gradient of a cell says
which part of the input it sees, but deep in a network that is nearly all of it. So each operation
is probed alone, where a cell sees a few cells of its input, and the steps are put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_tf.classifiers.graph import nodes, tensors

if TYPE_CHECKING:
    import keras

# In cells. Padding on one side only, at each halving, shifts the cells by nearly half of one.
TOLERANCE = 0.6
FAINT = 1e-3  # of the greatest gradient; what normalization spreads over the whole map is less

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Places:
    """The places of cells: input pixel (row, column) = matrix @ cell (row, column) + offset.

    Attributes:
        matrix: float64 of shape (2, 2).
        offset: float64 of shape (2,).
    """

    matrix: np.ndarray
    offset: np.ndarray

    def after(self, step: Places) -> Places:
        """The places of cells that `step` places on the cells of this one."""
        return Places(self.matrix @ step.matrix, self.matrix @ step.offset + self.offset)

    def of(self, cells: np.ndarray) -> np.ndarray:
        """The pixels of cells, both of shape (cells, 2)."""
        return cells @ self.matrix.T + self.offset


@dataclass(frozen=True, eq=False)
class Placement:
    """How a feature map is laid over an input that it does not cover from edge to edge.

    Attributes:
        places: of its cells.
        size: (height, width) of the input.
        visible: bool (height, width), the pixels that the map depends on.
    """

    places: Places
    size: Size
    visible: np.ndarray

    def lay(self, cells: np.ndarray) -> np.ndarray:
        """A map of the cells as one of the input: float32 (height, width), 0 where it sees nothing.

        Args:
            cells: float32 of the shape of the feature map, (rows, columns).
        """
        from scipy.ndimage import map_coordinates

        pixels = np.indices(self.size).reshape(2, -1).T - self.places.offset
        where = np.linalg.solve(self.places.matrix, pixels.T)
        values = map_coordinates(cells, where, order=3, mode="nearest").reshape(self.size)
        return np.where(self.visible, values, 0).astype(np.float32)


def find_places(model: keras.Model) -> dict[str, Places]:
    """The places of the feature maps of a flat model, by the name of their layer.

    Layers without a height and a width above 1 have none, nor have those behind such a layer.
    """
    start = model.inputs[0]
    known = {id(start): Places(np.eye(2), np.zeros(2))}
    probed: dict[str, list[Places]] = {}  # networks repeat their blocks
    for node in nodes(model):
        sources = [t for t in node.input_tensors if id(t) in known and _is_spatial(t)]
        if sources and all(map(_is_spatial, node.outputs)):
            alike = _signature(node)
            if alike not in probed:
                probed[alike] = _steps(node, sources)
            steps = [
                known[id(t)].after(step) for t, step in zip(sources, probed[alike], strict=True)
            ]
            places = Places(
                np.mean([step.matrix for step in steps], axis=0),
                np.mean([step.offset for step in steps], axis=0),
            )
            known.update((id(tensor), places) for tensor in node.outputs)
    return {name: known[id(t)] for name, t in tensors(model).items() if id(t) in known}


def find_placement(model: keras.Model, layer: str, places: Places | None) -> Placement | None:
    """How the map of a layer is laid over the input; None where it covers it from edge to edge.

    Args:
        model: a flat model.
        layer: the name of a feature layer.
        places: of its cells, from `find_places`; None where they are unknown, which counts as
            covering the input.
    """
    size, cells = model.input_shape[1:3], tensors(model)[layer].shape[1:3]
    if places is None:
        return None
    corners = np.array([(row, column) for row in (0, cells[0] - 1) for column in (0, cells[1] - 1)])
    usual = _covering(size, cells)
    apart = np.abs(places.of(corners) - usual.of(corners)) / np.diag(usual.matrix)
    if apart.max() <= TOLERANCE or abs(np.linalg.det(places.matrix)) < 1e-6:
        return None
    return Placement(places, size, _visible(model, layer))


def _is_spatial(tensor: Any) -> bool:
    """Whether a tensor is a feature map with a height and a width above 1."""
    return len(tensor.shape) == 4 and min(side or 0 for side in tensor.shape[1:3]) > 1


def _covering(size: Size, cells: Size) -> Places:
    """The places of cells that cover an input of a size from edge to edge."""
    scale = np.array(size) / np.array(cells)
    return Places(np.diag(scale), (scale - 1) / 2)


def _signature(node: Any) -> str:
    """What decides where an operation takes its cells from: its settings and shapes, no weights."""
    import keras

    shapes = [tuple(tensor.shape) for tensor in (*node.input_tensors, *node.outputs)]
    if not isinstance(node.operation, keras.Layer):
        return f"{node.operation.name} {shapes}"  # its settings are among its arguments
    config = node.operation.get_config()
    settings = {name: value for name, value in config.items() if name not in ("name", "trainable")}
    return f"{type(node.operation)} {settings} {shapes}"


def _steps(node: Any, sources: list[Any]) -> list[Places]:
    """Where an operation takes its cells from, for each of its inputs that are feature maps.

    Where a probed cell sees nothing, because it is padding, or too near an edge to tell, others are
    tried; where all are, the map is taken to cover the input. So it is for an operation that cannot
    run alone on random values, which is the user's own and may be anything.
    """
    import tensorflow as tf

    out = node.outputs[0].shape[1:3]
    try:
        return _probed_steps(_Probe(node, sources), out)
    except (tf.errors.OpError, LookupError, TypeError, ValueError):
        return [_covering(tensor.shape[1:3], out) for tensor in sources]


def _probed_steps(run: _Probe, out: Size) -> list[Places]:
    first = None
    for rows, columns in product(*(_probed_cells(length) for length in out)):
        cells = np.array([(rows[0], columns[0]), (rows[1], columns[0]), (rows[0], columns[1])])
        steps = [_step(strengths, cells, out) for strengths in run(cells)]
        first = first or steps
        if all(complete for _, complete in steps):
            return [places for places, _ in steps]
    return [places for places, _ in first or ()]


def _probed_cells(length: int) -> list[tuple[int, int]]:
    """Pairs of cells along a side: the first away from both ends, the others in either half."""
    third, half, quarter = (length - 1) // 3, length // 2, length // 4
    pairs = [(third, length - 1 - third), (half, half + quarter), (half - quarter, half)]
    return [(one, other) for one, other in pairs if one < other < length]


class _Probe:
    """An operation that was run alone on random values, whose cells' gradients are asked for."""

    def __init__(self, node: Any, sources: list[Any]) -> None:
        import tensorflow as tf

        rng = np.random.default_rng(0)
        values = {
            id(tensor): tf.constant(
                (0.1 + rng.random((1, *tensor.shape[1:]), np.float32)).astype(tensor.dtype)
            )
            for tensor in node.input_tensors
        }
        self._watched = [values[id(tensor)] for tensor in sources]
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as self._tape:
            self._tape.watch(self._watched)
            args, kwargs = node.arguments.fill_in(values)
            if getattr(node.operation, "_call_has_training_arg", False):
                kwargs = {**kwargs, "training": False}
            self._result = tf.nest.flatten(node.operation(*args, **kwargs))[0]

    def __call__(self, cells: np.ndarray) -> list[np.ndarray]:
        """How cells depend on each input: float32 arrays of shape (cells, rows, columns)."""
        import tensorflow as tf

        gradients = []
        for row, column in cells:
            seed = np.zeros(self._result.shape, np.float32)
            seed[0, row, column] = 1
            gradients.append(
                self._tape.gradient(
                    self._result,
                    self._watched,
                    tf.constant(seed, self._result.dtype),
                    unconnected_gradients="zero",
                )
            )
        return [
            np.stack([np.abs(gradient[0]).sum(axis=-1) for gradient in of_cells])
            for of_cells in zip(*gradients, strict=True)
        ]


def _step(strengths: np.ndarray, cells: np.ndarray, out: Size) -> tuple[Places, bool]:
    """The places of an operation's cells in its input, and whether both sides of it are known.

    Args:
        strengths: how three cells depend on the input: (3, rows, columns).
        cells: the cells, (3, 2): the second below the first, the third right of it.
        out: (rows, columns) of the output.
    """
    usual, complete = _covering(strengths.shape[1:], out), True
    matrix, offset = usual.matrix.copy(), usual.offset.copy()
    for side in (0, 1):
        centers = _centers([strength.sum(axis=1 - side) for strength in strengths])
        if None in centers:
            complete = False
            continue
        first, below, right = np.array(centers, np.float64)
        slope = np.array(
            [
                (below - first) / (cells[1, 0] - cells[0, 0]),
                (right - first) / (cells[2, 1] - cells[0, 1]),
            ]
        )
        matrix[side], offset[side] = slope, first - slope @ cells[0]
    return Places(matrix, offset), complete


def _centers(profiles: list[np.ndarray]) -> list[float | None]:
    """The middle of what each cell sees along a side; None where the edges may cut it off."""
    seen = [np.flatnonzero(profile > FAINT * profile.max()) for profile in profiles]
    ends = [(int(places[0]), int(places[-1])) for places in seen if len(places)]
    edge = len(profiles[0]) - 1
    whole = [last - first for first, last in ends if first == last or (first > 0 and last < edge)]
    if len(ends) < len(profiles) or not whole:
        return [None]
    width = max(whole)
    return [_center(first, last, edge, width) for first, last in ends]


def _center(first: int, last: int, edge: int, width: int) -> float | None:
    """The middle of a range that may be cut off at 0 or at the edge, from its whole width."""
    if last - first >= width or (first > 0 and last < edge):
        return (first + last) / 2
    if first > 0:
        return first + width / 2
    return last - width / 2 if last < edge else None


def _visible(model: keras.Model, layer: str) -> np.ndarray:
    """The pixels that the map of a layer depends on: bool (height, width), a rectangle."""
    import keras
    import tensorflow as tf

    inner = keras.Model(model.inputs[0], tensors(model)[layer])
    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((2, *model.input_shape[1:])), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        maps = inner(images, training=False)
        total = tf.reduce_sum(maps * rng.standard_normal(maps.shape).astype(np.float32))
    strength = np.abs(tape.gradient(total, images)).sum(axis=(0, -1)) > 0
    rows, columns = (np.flatnonzero(strength.any(axis=axis)) for axis in (1, 0))
    visible = np.zeros(strength.shape, bool)
    if len(rows):
        visible[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return visible
