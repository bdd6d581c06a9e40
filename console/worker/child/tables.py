"""Data files as the loaded model wants them: target apart, columns matched by name and put in the model's order.

The rule: a table must have every column the model was fitted on, may have the target, and nothing else. Columns may
stand in any order. A model fitted without names takes the columns in the file's order, and their number must agree.
"""

from __future__ import annotations

import importlib
from typing import Any, Optional

from backends.base import Json, Source
from console.worker.child import expected
from console.worker.child.jsonable import jsonable
from console.worker.child.live import attribute
from console.worker.child.main import Refusal
from console.worker.child.readers import Raw, bad, frame_of, pandas, read

DIFFERENCES_CAP = 200

Difference = dict[str, Optional[str]]


class Table:
    """Inputs `X`, one truth `y` for each row where a target is known, and the columns as (name, dtype)."""

    def __init__(self, X: Any, y: Any, target: Optional[str]) -> None:
        self.X = X
        self.y = y
        self.target = target if y is not None else None
        self.rows = len(X)
        self.columns = _described(X)

    def slice(self, start: int, stop: Optional[int]) -> Any:
        """Rows `start` to `stop` of the inputs."""
        return self.X.iloc[start:stop] if hasattr(self.X, "iloc") else self.X[start:stop]

    def truth(self, start: int, stop: Optional[int]) -> Any:
        """The truths of these rows. Raises Refusal where there is no target."""
        if self.y is None:
            raise Refusal("bad-input", "this table has no target to score against: name its column")
        return self.y[start:stop]

    def sample(self, start: int, count: int) -> list[Json]:
        """Rows as JSON objects: by column name, `{"text": …}` for texts, `{"x": [numbers]}` without names."""
        part = self.slice(start, start + count)
        if hasattr(part, "iloc"):
            names = [name for name, _dtype in self.columns]
            return [jsonable(dict(zip(names, row))) for row in part.itertuples(index=False, name=None)]
        if part.ndim == 1 and part.dtype.kind in "OUS":
            return [jsonable({"text": str(text)}) for text in part]
        return [jsonable({"x": row.ravel().tolist()}) for row in part]


def read_table(source: Source, target: Optional[str], model: Any) -> Table:
    """Read a file for this model (None: as it is). Raises Refusal: `bad-input` for the file, `columns` for the fit."""
    raw = read(source, target)
    names = attribute(model, "feature_names_in_")
    wanted = None if names is None else [str(name) for name in names]
    if raw.frame is None:
        X, y = _array_apart(source, raw, target)
        _check_count(source, X.shape[1] if X.ndim == 2 else 1, model, wanted, target)
        named = wanted is not None and X.ndim == 2 and pandas() is not None
        return Table(frame_of(X, wanted or []) if named else X, y, raw.truth_name or target)
    frame, y, name = _frame_apart(source, raw, target)
    if wanted is not None:
        return Table(_matched(source, frame, wanted, model, name), y, name)
    return Table(_unnamed(source, frame, model, name), y, name)


def _array_apart(source: Source, raw: Raw, target: Optional[str]) -> tuple[Any, Any]:
    """Inputs and target of one array; a target that is a number is the index of its column."""
    array = raw.array
    if raw.truth is not None or target is None:
        return array, raw.truth
    try:
        index = int(target)
        truth = array[:, index]
    except (ValueError, IndexError):
        width = array.shape[1] if array.ndim == 2 else 1
        missing = _difference(target, "missing target", "a column", None)
        raise _refusal(source, [missing], f"; its {width} columns have no names, say its index") from None
    if index in (0, -1, array.shape[1] - 1):
        return (array[:, 1:] if index == 0 else array[:, :-1]), truth
    numpy = importlib.import_module("numpy")
    return numpy.delete(array, index, axis=1), truth


def _frame_apart(source: Source, raw: Raw, target: Optional[str]) -> tuple[Any, Any, Optional[str]]:
    frame = raw.frame
    if raw.truth is not None or target is None:
        return frame, raw.truth, raw.truth_name
    if target not in list(frame):
        raise _refusal(source, [_difference(target, "missing target", "a column", None)])
    numpy = importlib.import_module("numpy")
    truth = numpy.asarray(frame[target])
    rest = [name for name in frame if name != target]
    inputs = frame[rest] if hasattr(frame, "iloc") else {name: frame[name] for name in rest}
    return inputs, truth, target


def _matched(source: Source, frame: Any, wanted: list[str], model: Any, target: Optional[str]) -> Any:
    """The columns the model names, in its order. Raises Refusal with every difference."""
    found = list(frame)
    kinds = expected.kinds(model, wanted)
    differences = [
        _difference(name, "missing", kinds.get(name, "a column"), None) for name in wanted if name not in found
    ]
    known = set(wanted)
    differences += [_difference(name, "surplus", None, _dtype(frame[name])) for name in found if name not in known]
    for name in wanted:
        kind = _kind(frame[name]) if name in found else None
        if kind is not None and name in kinds and kind != kinds[name]:
            differences.append(_difference(name, "type", kinds[name], f"{kind} ({_dtype(frame[name])})"))
    if differences:
        surplus = [one for one in differences if one["problem"] == "surplus"]
        only = len(surplus) == len(differences) == 1 and target is None
        raise _refusal(source, differences, f"; if '{surplus[0]['column']}' is the target, say so" if only else "")
    if hasattr(frame, "iloc"):
        return frame if found == wanted else frame[wanted]
    return frame_of([list(row) for row in zip(*(frame[name] for name in wanted))], wanted)


def _unnamed(source: Source, frame: Any, model: Any, target: Optional[str]) -> Any:
    """Inputs for a model that was fitted without names: texts as one array, else all columns as one array."""
    numpy = importlib.import_module("numpy")
    columns = [numpy.asarray(frame[name]) for name in frame]
    if attribute(model, "n_features_in_") is None and len(columns) == 1 and _kind(frame[next(iter(frame))]) == "text":
        return columns[0].astype(object)
    if model is None:
        return frame if hasattr(frame, "iloc") else frame_of(list(zip(*columns)), list(frame))
    _check_count(source, len(columns), model, None, target)
    kinds = expected.kinds(model, list(frame))
    differences = [
        _difference(name, "type", kinds[name], f"{_kind(frame[name])} ({_dtype(frame[name])})")
        for name in frame
        if name in kinds and _kind(frame[name]) not in (None, kinds[name])
    ]
    if differences:
        raise _refusal(source, differences)
    numeric = all(column.dtype.kind in "biuf" for column in columns)
    return numpy.column_stack(columns) if numeric else numpy.asarray(frame, dtype=object)


def _check_count(source: Source, found: int, model: Any, names: Optional[list[str]], target: Optional[str]) -> None:
    wanted = len(names) if names is not None else attribute(model, "n_features_in_")
    if wanted is None or int(wanted) == found:
        return
    hint = "; if one of them is the target, say which" if found == int(wanted) + 1 and target is None else ""
    raise _refusal(source, [_difference("", "count", f"{int(wanted)} columns", f"{found} columns")], hint)


def _difference(column: str, problem: str, wanted: Optional[str], found: Optional[str]) -> Difference:
    return {"column": column, "problem": problem, "expected": wanted, "found": found}


def _refusal(source: Source, differences: list[Difference], hint: str = "") -> Refusal:
    """One sentence and the whole table: column, problem (missing, surplus, type, count, missing target), both sides."""
    parts = []
    for problem in ("missing target", "missing", "surplus", "type", "count"):
        those = [one for one in differences if one["problem"] == problem]
        if problem == "count" and those:
            parts.append(f"{those[0]['expected']} expected, {those[0]['found']} found")
        elif those:
            more = f" and {len(those) - 3} more" if len(those) > 3 else ""
            named = ", ".join(f"'{one['column']}'" for one in those[:3])
            parts.append(f"{'wrong type' if problem == 'type' else problem}: {named}{more}")
    refusal = bad(source, f"does not fit the model ({'; '.join(parts)}){hint}")
    refusal.code = "columns"
    refusal.details = {"differences": differences[:DIFFERENCES_CAP], "count": len(differences)}
    return refusal


def _kind(column: Any) -> Optional[str]:
    """`number` or `text`; None for what is neither or cannot be told (dates, categories, all missing)."""
    dtype = column.dtype
    kind = getattr(dtype, "kind", "O")
    name = str(dtype)
    if kind in "biuf":
        return expected.NUMBER
    if name.startswith(("str", "string")) or kind in "US":
        return expected.TEXT
    if name == "object":
        some = [value for value in list(column[:1000]) if isinstance(value, str)]
        return expected.TEXT if some else None
    return None


def _dtype(column: Any) -> str:
    return str(column.dtype)


def _described(X: Any) -> list[tuple[str, str]]:
    if hasattr(X, "iloc"):
        return [(str(name), str(dtype)) for name, dtype in X.dtypes.items()]
    if X.ndim == 1:
        return [("text" if X.dtype.kind in "OUS" else "0", str(X.dtype))]
    return [(str(index), str(X.dtype)) for index in range(min(X.shape[1], 100_000))]
