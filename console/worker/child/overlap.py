"""A hold-out beside the training rows: how many rows, how many of them stand in both, how varied they are.

Rows are compared by hashes of their inputs and target as they were read, whatever the format or the order of rows and
columns. Whole numbers and texts must be equal. Other numbers are compared to single precision; where a row has at
least `SURE` of them, to a step of `STEP` of the spread of their column, so that a rounded copy is found out as well.
"""

from __future__ import annotations

from typing import Any, Optional

from backends.core.errors import Refusal
from backends.core.source import Source
from console.worker.child.data.delimited import NO_ROWS
from console.worker.child.data.options import ReadOptions
from console.worker.child.gaps import gaps
from console.worker.child.labels import spelling
from console.worker.child.lazy import numpy
from console.worker.child.tables import Target, read_table

SURE = 3
STEP = 2.0**-12

_FEW = 100
"""Rows that are looked at before all are."""

Columns = dict[str, Any]


class Rows:
    """The columns of a file by name (or by number, where it has none), and its target."""

    def __init__(self, columns: Columns, truth: Any, named: bool) -> None:
        self.columns = columns
        self.truth = truth
        self.named = named

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()))) if self.columns else 0


def compare(
    train: Source, holdout: Source, target: Target, names: Optional[list[str]], options: Optional[ReadOptions] = None
) -> tuple[dict[str, Any], bytes]:
    """rows of the hold-out and common (those that stand in the training file as well); of the others repeated (how
    often the most frequent of them stands there), targets (distinct values of the target, None without one) and leaks
    (columns that are the target); and a bit for each row, whether it is one of the others.

    `names` are the features of the model, where they are known; `problem` says why the two cannot be compared. Raises
    Refusal for a hold-out that cannot be read.
    """
    found: dict[str, Any] = {"rows": 0, "common": 0, "repeated": 0, "targets": None, "leaks": []}
    try:
        held = read_rows(holdout, target, names, options)
    except Refusal as error:
        if error.code == NO_ROWS:
            return found, b""
        raise
    found["rows"] = held.count
    if held.count == 0:
        return found, b""
    try:
        seen, hashed = _hashes(read_rows(train, target, names, options), held, train)
    except Refusal as error:
        return {"problem": str(error)}, b""
    seen.sort()
    place = numpy.searchsorted(seen, hashed)
    apart = numpy.append(seen, seen[:1])[place] != hashed if len(seen) else numpy.ones(len(hashed), dtype=bool)
    found["common"] = int(held.count - apart.sum())
    if apart.any():
        found["repeated"] = int(numpy.unique(hashed[apart], return_counts=True)[1].max())
    if apart.any() and held.truth is not None:
        truth = numpy.asarray(held.truth)[apart]
        truth = truth[~gaps(truth)]
        plain = truth.dtype.kind in "biuf"
        found["targets"] = len(numpy.unique(truth)) if plain else len({_text(one) for one in truth.ravel().tolist()})
        found["leaks"] = _leaks(held)
    return found, numpy.packbits(apart).tobytes()


def _leaks(held: Rows) -> list[str]:
    """The columns that hold the very values of the target."""
    if numpy.asarray(held.truth).ndim != 1:
        return []

    def equal(values: Any, rows: slice) -> bool:
        left, right = _as_numbers(values[rows], held.truth[rows])
        return bool(numpy.array_equal(left, right))

    columns = held.columns.items()
    return [name for name, values in columns if equal(values, slice(_FEW)) and equal(values, slice(None))]


def read_rows(source: Source, target: Target, names: Optional[list[str]], options: Optional[ReadOptions]) -> Rows:
    """The columns that a model of these features would be given, and the target. Raises Refusal."""
    table = read_table(source, target, None, options)
    if hasattr(table.X, "iloc"):
        columns = {str(name): numpy.asarray(table.X[name]) for name in table.X}
        if names and set(names) <= set(columns):
            columns = {name: columns[name] for name in names}
        return Rows(columns, table.y, True)
    array = table.X.toarray() if hasattr(table.X, "toarray") else table.X
    array = array if array.ndim > 1 else array.reshape(-1, 1)
    given = names if names and len(names) == array.shape[1] else [str(place) for place in range(array.shape[1])]
    return Rows({name: array[:, place] for place, name in enumerate(given)}, table.y, given is names)


def _hashes(train: Rows, held: Rows, source: Source) -> tuple[Any, Any]:
    """One hash a row of both. Columns are matched by name where both have names, else by their place."""
    by_name = set(held.columns) <= set(train.columns)
    if not by_name and len(train.columns) != len(held.columns):
        raise Refusal("bad-input", f"{source.name} has not the columns of the hold-out")
    names = sorted(held.columns) if by_name else list(held.columns)
    places = names if by_name else list(train.columns)
    pairs = [_as_numbers(train.columns[old], held.columns[new]) for old, new in zip(places, names)]
    if train.truth is not None and held.truth is not None:
        pairs.append(_as_numbers(train.truth, held.truth))
    fractional = [_fractional(left) or _fractional(right) for left, right in pairs]
    sums = [numpy.zeros(len(pairs[0][0]), dtype="uint64"), numpy.zeros(len(pairs[0][1]), dtype="uint64")]
    for pair, rough in zip(pairs, fractional):
        step = _spread(pair[0]) * STEP if rough and sum(fractional) >= SURE else 0.0
        for side, values in enumerate(pair):
            sums[side] = _mixed(sums[side], _coarse(values, step) if rough else values)
    return sums[0], sums[1]


def _as_numbers(left: Any, right: Any) -> tuple[Any, Any]:
    """Two columns as numbers that are equal where the values are: texts by the order they first come in."""
    if left.ndim > 1 or right.ndim > 1:
        left, right = (values.reshape(len(values), -1) for values in (left, right))
        return _as_numbers(*([" ".join(map(spelling, row)) for row in values.tolist()] for values in (left, right)))
    plain = all(getattr(values, "dtype", numpy.dtype(object)).kind in "biuf" for values in (left, right))
    if plain:
        return left.astype("float64"), right.astype("float64")
    numbers: dict[str, int] = {}
    found = [
        numpy.array([numbers.setdefault(_text(one), len(numbers)) for one in _flat(values)], dtype="float64")
        for values in (left, right)
    ]
    return found[0], found[1]


def _flat(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _text(value: Any) -> str:
    """A value as text, nothing where it is missing; pandas' own missing value is not even unequal to itself."""
    missing = value is None or type(value).__name__ in ("NAType", "NaTType") or value != value
    return "" if missing else spelling(value)


def _fractional(values: Any) -> bool:
    finite = values[numpy.isfinite(values)]
    few = finite[:_FEW]
    return bool((few != numpy.rint(few)).any() or (finite != numpy.rint(finite)).any())


def _spread(values: Any) -> float:
    finite = values[numpy.isfinite(values)]
    return float(finite.std()) if finite.size else 0.0


def _coarse(values: Any, step: float) -> Any:
    with numpy.errstate(over="ignore", invalid="ignore"):
        return numpy.rint(values / step) if step > 0 else values.astype("float32").astype("float64")


def _mixed(sums: Any, values: Any) -> Any:
    """The hashes with one more column in them (the finalizer of splitmix64)."""
    values = numpy.where(numpy.isnan(values), numpy.nan, values + 0.0)
    bits = numpy.ascontiguousarray(values).view("uint64") + sums * numpy.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> numpy.uint64(shift))) * numpy.uint64(factor)
    return bits ^ (bits >> numpy.uint64(31))
