"""The code of the format: inspected by its text alone, run with numpy."""

from __future__ import annotations

from typing import Any

from backends.core.errors import Damaged
from backends.core.format import LoadedModel
from backends.core.inspection import ArrayInfo, Inspection, Signature
from backends.core.source import Source


def _read(source: Source) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The names and the weights. Raises Damaged."""
    try:
        _magic, names, weights = source.read(0, 1 << 16).decode("ascii").splitlines()
        found = tuple(names.split()), tuple(float(weight) for weight in weights.split())
    except ValueError as error:
        raise Damaged(f"a toy model is three lines: {error}") from None
    if len(found[0]) != len(found[1]):
        raise Damaged("a toy model has a weight for each name")
    return found


def inspect(source: Source) -> Inspection:
    """See `backends.core.format.Implementation`."""
    names, weights = _read(source)
    return Inspection(
        "toy",
        model_class="toy_format.model.Toy",
        signature=Signature(len(names), names),
        arrays=(ArrayInfo("weights", (len(weights),), "float64", 8 * len(weights)),),
        n_weights=len(weights),
        complete=True,
    )


class Toy:
    """A weighted sum: a Runnable."""

    methods = ("predict",)
    row_wise = frozenset(methods)

    def __init__(self, names: tuple[str, ...], weights: tuple[float, ...]) -> None:
        self.signature = Signature(len(names), names)
        self._weights = weights

    def call(self, method: str, inputs: Any) -> Any:
        """The weighted sum of each row."""
        import numpy

        return numpy.asarray(inputs, dtype="float64") @ numpy.asarray(self._weights)

    def close(self) -> None:
        """Nothing is held."""


def load(source: Source, at: str = "") -> LoadedModel:
    """See `backends.core.format.Implementation`."""
    return LoadedModel(Toy(*_read(source)), "toy")
