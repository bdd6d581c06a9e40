"""Rows on which a model and a copy of it are most likely to answer differently: real ones, and real ones moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends.core.model import Model
from console.worker.child.lazy import numpy

ROWS = 100_000
CHUNK = 5_000
CHUNK_NUMBERS = 1 << 22
"""A chunk holds this many numbers at most."""
VALUES = 4_096
"""So many places where an answer may turn are taken for each feature."""


def compared_rows(model: Model, X: Any) -> Iterator[Any]:
    """Chunks of ROWS rows: the real rows `X`, then some of them with noise, of every other chunk with one number moved.

    What a number is moved to is where an answer may turn: a split's threshold or a real value, rounded to float32 or
    not, and its neighbours; zero of either sign; ten times the least and the greatest. The same at each call.
    """
    random = numpy.random.default_rng(0)
    width = X.shape[1]
    size = max(1, min(CHUNK, CHUNK_NUMBERS // width))
    real = min(len(X), ROWS // 2)
    for begin in range(0, real, size):
        yield X[begin : min(begin + size, real)]
    spread = X.std(axis=0) + 1e-9
    edges = _edges(model, X)
    for number, begin in enumerate(range(real, ROWS, size)):
        count = min(size, ROWS - begin)
        rows = X[random.integers(0, len(X), count)]
        rows = rows + random.normal(size=rows.shape) * spread * random.choice([0.0, 0.01, 0.3], (count, 1))
        if number % 2:
            columns = random.integers(0, width, count)
            rows[numpy.arange(count), columns] = edges[columns, random.integers(0, edges.shape[1], count)]
        yield rows


def _edges(model: Model, X: Any) -> Any:
    """For each feature the values at which an answer may turn, and their nearest neighbours: (features, values)."""
    random = numpy.random.default_rng(1)
    width = X.shape[1]
    count = max(16, min(VALUES, CHUNK_NUMBERS // width))
    thresholds: list[list[float]] = [[] for _ in range(width)]
    for features, values in model.splits():
        for feature, threshold in zip(features, values):
            if 0 <= feature < width and len(thresholds[feature]) < VALUES:
                thresholds[feature].append(float(threshold))
    edges = numpy.empty((width, 3 * count))
    for feature, known in enumerate(thresholds):
        column = X[:, feature]
        turns = random.choice(numpy.asarray(known or column, dtype="float64"), count)
        single = turns.astype("float32").astype("float64")
        turns = numpy.where(random.random(count) < 0.5, turns, single)
        turns[:4] = 0.0, -0.0, 10 * column.min(), 10 * column.max()
        around = [turns, numpy.nextafter(turns, numpy.inf), numpy.nextafter(turns, -numpy.inf)]
        edges[feature] = numpy.concatenate(around)
    return edges
