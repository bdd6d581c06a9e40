"""Rows of a table as the inputs of a graph: dealt out by name or position, in its dtypes, in batches of its size."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Optional

from backends.core.inspection import Signature
from backends.core.table_signature import width_of

_DTYPES = {"float": "float32", "double": "float64", "string": "object", "float16": "float16", "bool": "bool"}


class Feed:
    """The inputs of one session; `batch` is the only number of rows it takes, None where it takes any."""

    def __init__(self, inputs: list[Any], signature: Signature) -> None:
        self._inputs = inputs
        self._names = signature.feature_names
        self._width = signature.n_features
        self._dtypes = [_dtype_of(value.type) for value in inputs]
        self.batch = _batch_of([value.shape for value in inputs])

    def batches(self, rows: Any) -> Iterator[dict[str, Any]]:
        """The inputs of the runtime, call by call; the last batch is filled up with its own last row."""
        columns = self._dealt(rows)
        count = len(columns[0]) if columns else 0
        size = self.batch or max(count, 1)
        for begin in range(0, count, size):
            parts = [column[begin : begin + size] for column in columns]
            if self.batch is not None and len(parts[0]) < size:
                parts = [_filled(part, size) for part in parts]
            yield {value.name: part for value, part in zip(self._inputs, parts)}

    def joined(self, answers: list[Any], rows: Any, method: str) -> Any:
        """The answers of all batches as one for each row; of a regressor a number instead of a row of one."""
        numpy = importlib.import_module("numpy")
        count = len(rows)
        if len(answers) == 1 and len(answers[0]) == count:
            whole = answers[0]
        elif all(hasattr(answer, "shape") and answer.shape for answer in answers):
            whole = numpy.concatenate(answers)[:count] if answers else numpy.empty(0)
        else:
            whole = [one for answer in answers for one in answer][:count]
        shape: tuple[int, ...] = getattr(whole, "shape", ())
        return whole[:, 0] if method == "predict" and len(shape) == 2 and shape[1] == 1 else whole

    def zeros(self) -> Optional[dict[str, Any]]:
        """A row of zeros for each input; None where the graph takes texts, or rows of any width."""
        if self._width is None or "object" in self._dtypes:
            return None
        numpy = importlib.import_module("numpy")
        return next(self.batches(numpy.zeros((self.batch or 1, self._width))), None)

    def _dealt(self, rows: Any) -> list[Any]:
        """An array for each input. Raises ValueError where the columns are not those of the graph."""
        numpy = importlib.import_module("numpy")
        if hasattr(rows, "iloc") and self._names is not None:
            rows = rows[list(self._names)]
        table = rows.to_numpy() if hasattr(rows, "to_numpy") else numpy.asarray(rows)
        if len(self._inputs) == 1:
            return [self._shaped(table, 0)]
        table = table.reshape(len(table), -1)
        if table.shape[1] != self._width:
            raise ValueError(f"a row has {table.shape[1]} values, and the inputs of the graph take {self._width}")
        ends = numpy.cumsum([width_of(value.shape) for value in self._inputs])[:-1]
        return [self._shaped(part, number) for number, part in enumerate(numpy.split(table, ends, axis=1))]

    def _shaped(self, table: Any, number: int) -> Any:
        """Rows in the shape and dtype of one input."""
        numpy = importlib.import_module("numpy")
        shape, dtype = self._inputs[number].shape, self._dtypes[number]
        if dtype == "object":
            table = table.astype(str).astype(object)
        else:
            with numpy.errstate(over="ignore"):
                table = table.astype(dtype)
        if table.ndim != len(shape) or width_of(shape) is not None:
            sides = [side if isinstance(side, int) and side > 0 else -1 for side in shape[1:]]
            if sides.count(-1) > 1:
                raise ValueError(f"the input {self._inputs[number].name} takes rows of the shape {shape[1:]}")
            table = table.reshape(len(table), *sides)
        return numpy.ascontiguousarray(table)


def _batch_of(shapes: list[list[Any]]) -> Optional[int]:
    """The number of rows that the shapes fix. Raises ValueError where they fix several."""
    fixed = {shape[0] for shape in shapes if shape and isinstance(shape[0], int) and shape[0] > 0}
    if len(fixed) > 1:
        raise ValueError(f"the inputs take different numbers of rows: {sorted(fixed)}")
    return next(iter(fixed), None)


def _dtype_of(kind: str) -> str:
    """numpy's name of the element type of `tensor(…)`. Raises ValueError for what no table holds."""
    inner = kind[kind.find("(") + 1 : -1]
    if not kind.startswith("tensor(") or inner.startswith(("bfloat", "float8", "complex", "uint4", "int4")):
        raise ValueError(f"an input of the type {kind} cannot be given as rows of a table")
    return _DTYPES.get(inner, inner)


def _filled(part: Any, size: int) -> Any:
    numpy = importlib.import_module("numpy")
    return numpy.concatenate([part, numpy.repeat(part[-1:], size - len(part), axis=0)])
