"""Data files as the loaded model wants them: target apart, columns matched by name and put in the model's order.

Columns go by name wherever the model knows names: it must find every one, the target may stand beside them, an index
and what is to be ignored are left out and told, and nothing else may be there. Columns may stand in any order. A model
that knows no names takes the columns in the file's order, and their number must agree.
"""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Sequence
from typing import Any, Callable, Optional, Union

from backends.base import Json, Source
from console.worker.child import expected
from console.worker.child.completing import completed, constant_of, meaning_of, prepared, spelled, widened
from console.worker.child.data.dialect import is_number
from console.worker.child.data.options import Knowledge, ReadOptions
from console.worker.child.data.text import bad
from console.worker.child.jsonable import jsonable
from console.worker.child.main import Refusal
from console.worker.child.readers import Raw, frame_of, pandas, read

DIFFERENCES_CAP = 200
_NUMERIC = frozenset("biuf")

Difference = dict[str, Optional[str]]
Target = Union[str, Sequence[str], None]
"""The column of the truth, or several."""


class Table:
    """Inputs `X`, one truth `y` for each row where a target is known, and the columns as (name, dtype).

    `decided` tells in words how the file was read and its columns matched.
    """

    def __init__(self, X: Any, y: Any, target: Optional[str], decided: Sequence[str] = ()) -> None:
        self.X = X
        self.y = y
        self.target = target if y is not None else None
        self.rows = int(X.shape[0])
        self.columns = _described(X)
        self.decided = ", ".join(decided)

    def both(self) -> tuple[Any, Any]:
        """Inputs and truths, at once."""
        return self.X, self.y

    def close(self) -> None:
        """Let go of the file, where it is still read from."""

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
        part = part.toarray() if hasattr(part, "toarray") else part
        return [jsonable({"x": row.ravel().tolist()}) for row in part]


def read_table(
    source: Source,
    target: Target,
    model: Any,
    options: Optional[ReadOptions] = None,
    reader: Callable[[Source, Optional[str], ReadOptions, Knowledge], Raw] = read,
) -> Table:
    """Read a file for this model (None: as it is). Raises Refusal: `bad-input` for the file, `columns` for the fit."""
    options = options or ReadOptions()
    targets = targets_of(target)
    wanted = expected.names_of(model)
    known = expected.knowledge(model, wanted or (), targets)
    raw = reader(source, targets[0] if len(targets) == 1 else None, options, known)
    if raw.frame is None:
        return _of_array(source, raw, targets, model, wanted)
    frame, y, name = _frame_apart(source, raw, targets)
    decided = list(raw.decided)
    frame = _without(frame, options.ignore, wanted, decided, "ignored")
    wanted = wanted or _placeholders(model, frame, raw)
    if wanted is not None:
        X = _by_names(source, frame, raw, wanted, model, name, decided)
    else:
        X = _by_position(source, frame, raw, model, name, decided)
    meaning = meaning_of(model)
    return Table(X, y, name, [*decided, meaning] if meaning else decided)


def _placeholders(model: Any, frame: Any, raw: Raw) -> Optional[list[str]]:
    """Names that the model's library made up, where the file has just those."""
    made_up = expected.placeholders_of(model) if raw.named else None
    constant = constant_of(model)
    added = set() if constant is None else {constant.name}
    return made_up if made_up is not None and set(made_up) - added == set(frame) - added else None


def _by_names(
    source: Source, frame: Any, raw: Raw, wanted: list[str], model: Any, target: Optional[str], decided: list[str]
) -> Any:
    """The inputs of a model that knows names: by them, or by position where the file has none."""
    if raw.named:
        frame = spelled(model, frame, wanted, decided)
        frame = _without(frame, _indexes(raw, frame), wanted, decided, "index left out")
        if expected.picks(model):
            others = [name for name in frame if name not in wanted]
            frame = _without(frame, others, wanted, decided, "not used by the model")
        how = "columns by name"
    else:
        constant = constant_of(model)
        short = len(list(frame)) + 1 == len(wanted) and constant is not None
        names = [name for name in wanted if not short or constant is None or name != constant.name]
        _check_count(source, len(list(frame)), model, names, target)
        frame, how = _renamed(frame, names), "columns by position, since the file has no names"
    frame = completed(model, frame, decided)
    X = prepared(model, _matched(source, frame, wanted, model, target, raw.problems), decided)
    decided.append(how)
    return X


def _by_position(source: Source, frame: Any, raw: Raw, model: Any, target: Optional[str], decided: list[str]) -> Any:
    """The inputs of a model that knows no names: as the file has them."""
    count = expected.count_of(model)
    if model is not None and raw.named and count != len(list(frame)):
        frame = _without(frame, _indexes(raw, frame), None, decided, "index left out")
    several = raw.named and model is not None and len(list(frame)) > 1
    X = _unnamed(source, frame, model, target, raw, decided)
    if several and count:
        decided.append("columns by position, since the model has no names")
    elif several:
        decided.append("columns as they stand in the file, since the model tells no names")
    return X


def _of_array(source: Source, raw: Raw, targets: Sequence[str], model: Any, wanted: Optional[list[str]]) -> Table:
    X, y = _array_apart(source, raw, targets)
    decided = list(raw.decided)
    X = widened(model, X, len(wanted) if wanted is not None else expected.count_of(model), decided)
    _check_count(source, X.shape[1] if X.ndim == 2 else 1, model, wanted, named_target(targets))
    if wanted is not None and X.ndim == 2 and pandas() is not None and not hasattr(X, "toarray"):
        X = prepared(model, frame_of(X, wanted), decided)
    by = ["columns by position, since the file has no names"] if wanted is not None else []
    meaning = [found] if (found := meaning_of(model)) else []
    return Table(X, y, raw.truth_name or named_target(targets), [*decided, *by, *meaning])


def _without(frame: Any, names: Sequence[str], wanted: Optional[list[str]], decided: list[str], why: str) -> Any:
    """The frame without these columns, which is told; a column that the model wants stays."""
    left_out = set(names).difference(wanted or ())
    out = [name for name in frame if name in left_out]
    if not out:
        return frame
    decided.append(f"{why}: {', '.join(out)}")
    if hasattr(frame, "iloc"):
        return frame.drop(columns=out)
    return {name: cells for name, cells in frame.items() if name not in left_out}


def _indexes(raw: Raw, frame: Any) -> Sequence[str]:
    """Columns that are an index somebody wrote beside the data: without a name of their own, and counting up."""
    if raw.long is not None:
        return sorted(raw.long.indexes)
    numpy = importlib.import_module("numpy")
    found = []
    for name in frame:
        if name.startswith(("Unnamed: ", "__index_level_")):
            cells = numpy.asarray(frame[name])
            if cells.dtype.kind in "iu" and len(set(cells.tolist())) == len(cells):
                found.append(name)
    return found


def _renamed(frame: Any, names: list[str]) -> Any:
    if hasattr(frame, "iloc"):
        return frame.set_axis(names, axis="columns")
    return dict(zip(names, frame.values()))


def targets_of(target: Target) -> tuple[str, ...]:
    """The columns of the truth: none, one or several."""
    return () if target is None else (target,) if isinstance(target, str) else tuple(target)


def named_target(targets: Sequence[str]) -> Optional[str]:
    """The targets in words."""
    return ", ".join(targets) or None


def _array_apart(source: Source, raw: Raw, targets: Sequence[str]) -> tuple[Any, Any]:
    """Inputs and truth of one array; a target is the index of its column."""
    array = raw.array
    if raw.truth is not None or not targets:
        return array, raw.truth
    width = array.shape[1] if array.ndim == 2 else 1
    places = [int(target) % width if _is_index(target, width) else None for target in targets]
    missing = [target for target, place in zip(targets, places) if place is None or array.ndim < 2]
    if missing:
        differences = [_difference(target, "missing target", "a column", None) for target in missing]
        raise _refusal(source, differences, f"; its {width} columns have no names, say its index")
    truth = array[:, places if len(places) > 1 else places[0]]
    truth = truth.toarray() if hasattr(truth, "toarray") else truth
    keep = [place for place in range(width) if place not in places]
    first, last = (keep[0], keep[-1] + 1) if keep else (0, 0)
    return (array[:, first:last] if len(keep) == last - first else array[:, keep]), truth


def _is_index(target: str, width: int) -> bool:
    try:
        return -width <= int(target) < width
    except ValueError:
        return False


def _frame_apart(source: Source, raw: Raw, targets: Sequence[str]) -> tuple[Any, Any, Optional[str]]:
    """Inputs and truth of named columns: one array of it for one target, a column for each of several."""
    frame = raw.frame
    if raw.truth is not None or not targets:
        return frame, raw.truth, raw.truth_name
    there = set(frame)
    missing = [target for target in targets if target not in there]
    if missing:
        raise _refusal(source, [_difference(target, "missing target", "a column", None) for target in missing])
    numpy = importlib.import_module("numpy")
    truths = [numpy.asarray(frame[target]) for target in targets]
    rest = [name for name in frame if name not in targets]
    inputs = frame[rest] if hasattr(frame, "iloc") else {name: frame[name] for name in rest}
    return inputs, truths[0] if len(truths) == 1 else numpy.column_stack(truths), named_target(targets)


def _matched(
    source: Source, frame: Any, wanted: list[str], model: Any, target: Optional[str], problems: Optional[dict[str, str]]
) -> Any:
    """The columns the model names, in its order. Raises Refusal with every difference."""
    found = list(frame)
    kinds = expected.columns(model, wanted)
    known, there = set(wanted), set(found)
    differences = [
        _difference(name, "missing", (kinds[name].words or kinds[name].kind) if name in kinds else "a column", None)
        for name in wanted
        if name not in there
    ]
    differences += [_difference(name, "surplus", None, _dtype(frame[name])) for name in found if name not in known]
    differences += _of_types(frame, [name for name in wanted if name in there], kinds, problems)
    if differences:
        raise _refusal(source, differences, _hint(differences, target))
    if hasattr(frame, "iloc"):
        return frame if found == wanted else frame[wanted]
    return frame_of([list(row) for row in zip(*(frame[name] for name in wanted))], wanted)


def _of_types(
    frame: Any, names: Sequence[str], kinds: dict[str, expected.Kind], problems: Optional[dict[str, str]]
) -> list[Difference]:
    """The columns whose kind is another than the model's; numbers in place of known categories are one.

    None where they were judged before (`problems` is None).
    """
    if problems is None:
        return []
    differences = []
    numbers = _numbers(frame)
    for name in names:
        if name not in kinds or (kinds[name].kind == expected.NUMBER and name in numbers):
            continue
        wanted, kind = kinds[name], _kind(frame[name])
        if kind == expected.TEXT and wanted.categories and _only_numbers(frame[name], wanted.categories):
            kind = expected.NUMBER
        if kind is not None and kind != wanted.kind and not (wanted.loose and not problems.get(name)):
            what = problems.get(name) or f"{kind} ({_dtype(frame[name])})"
            differences.append(_difference(name, "type", wanted.words or wanted.kind, what))
    return differences


def _numbers(frame: Any) -> frozenset[str]:
    """The columns of a data frame whose types are numbers, told without taking it apart."""
    if not hasattr(frame, "iloc"):
        return frozenset()
    return frozenset(name for name, dtype in zip(frame, frame.dtypes) if getattr(dtype, "kind", "O") in _NUMERIC)


def _only_numbers(column: Any, categories: frozenset[str]) -> bool:
    """Whether a column of text holds numbers throughout, none of which is a category."""
    some = {value for value in list(column[:1000]) if isinstance(value, str)}
    return bool(some) and not some & categories and all(is_number(value) for value in some)


def _hint(differences: list[Difference], target: Optional[str]) -> str:
    """What may be meant: the target is not named, or two names differ in what one does not see."""
    surplus = [str(one["column"]) for one in differences if one["problem"] == "surplus"]
    if len(surplus) == len(differences) == 1 and target is None:
        return f"; if '{surplus[0]}' is the target, say so"
    forms = {_folded(name): name for name in surplus}
    for one in differences:
        name = str(one["column"])
        other = forms.get(_folded(name)) if one["problem"] == "missing" else None
        if other is not None:
            return f"; '{name}' and '{other}' differ {_unlike(name, other)} only"
    return ""


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def _unlike(one: str, other: str) -> str:
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return "in their Unicode form"
    if "".join(one.split()) == "".join(other.split()):
        return "in blanks"
    return "in case" if one.casefold() == other.casefold() else "in case, blanks or Unicode form"


def _unnamed(source: Source, frame: Any, model: Any, target: Optional[str], raw: Raw, decided: list[str]) -> Any:
    """Inputs for a model that knows no names: texts as one array, an array where it was fitted on one, else a frame."""
    numpy = importlib.import_module("numpy")
    names = list(frame)
    if expected.count_of(model) is None and len(names) == 1 and _kind(frame[names[0]]) == "text":
        return numpy.asarray(frame[names[0]]).astype(object)
    short = constant_of(model) is not None and len(names) + 1 == expected.count_of(model)
    if not short:
        _check_count(source, len(names), model, None, target)
    as_frame = raw.named and hasattr(frame, "iloc") and not short and not expected.takes_array(model)
    if model is None or as_frame:
        return frame if hasattr(frame, "iloc") else frame_of(list(zip(*frame.values())), names)
    differences = _of_types(frame, names, expected.columns(model, names), raw.problems)
    if differences:
        raise _refusal(source, differences)
    columns = [numpy.asarray(frame[name]) for name in names]
    numeric = all(column.dtype.kind in "biuf" for column in columns)
    array = numpy.column_stack(columns) if numeric else numpy.asarray(frame, dtype=object)
    return widened(model, array, expected.count_of(model), decided)


def _check_count(source: Source, found: int, model: Any, names: Optional[list[str]], target: Optional[str]) -> None:
    wanted = len(names) if names is not None else expected.count_of(model)
    if wanted is None or wanted == found:
        return
    hint = "; if one of them is the target, say which" if found == wanted + 1 and target is None else ""
    raise _refusal(source, [_difference("", "count", f"{wanted} columns", f"{found} columns")], hint)


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
        words = {dtype: str(dtype) for dtype in set(X.dtypes)}
        return [(str(name), words[dtype]) for name, dtype in zip(X, X.dtypes)]
    if X.ndim == 1:
        return [("text" if X.dtype.kind in "OUS" else "0", str(X.dtype))]
    return [(str(index), str(X.dtype)) for index in range(min(X.shape[1], 100_000))]
