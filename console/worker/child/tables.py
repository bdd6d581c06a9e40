"""Data files as the loaded model wants them: target apart, columns matched by name and put in the model's order.

Columns go by name wherever the model knows names: it must find every one, the target may stand beside them, an index
and what is to be ignored are left out and told, and nothing else may be there. Columns may stand in any order. A model
that knows no names takes the columns in the file's order, and their number must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Callable, Optional, Union

from backends.core.errors import Refusal
from backends.core.inputs import TEXT, Inputs, Kind
from backends.core.inspection import Json
from backends.core.model import Model
from backends.core.source import Source
from console.worker.child import misfit
from console.worker.child.completing import completed, spelled, widened
from console.worker.child.data.options import Knowledge, ReadOptions, is_index_name, place_of
from console.worker.child.data.text import bad
from console.worker.child.input_schema import inputs_of, knowledge
from console.worker.child.jsonable import jsonable
from console.worker.child.lazy import numpy
from console.worker.child.readers import Raw, frame_of, pandas, read
from console.worker.child.tensor_rows import tensor_widths

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
    model: Optional[Model],
    options: Optional[ReadOptions] = None,
    reader: Callable[[Source, Optional[str], ReadOptions, Knowledge], Raw] = read,
    *,
    needs_target: bool = True,
) -> Table:
    """Read a file for this model (None: as it is). Raises Refusal: `bad-input` for the file, `columns` for the fit.

    Unless it `needs_target`, a file without that column is one without a truth, which is told.
    """
    options = options or ReadOptions()
    targets = targets_of(target)
    inputs = inputs_of(model)
    wanted = inputs.names
    known = replace(knowledge(model, wanted or (), targets), tensors=tensor_widths(model) if wanted is None else {})
    raw = reader(source, targets[0] if len(targets) == 1 else None, options, known)
    if not needs_target and (missing := _missing(raw, targets)):
        raw.decided.append(f"no truth, since no column is called {', '.join(missing)}")
        targets = ()
    if raw.frame is None:
        return _of_array(source, raw, targets, model, wanted)
    frame, y, name = _frame_apart(source, raw, targets)
    decided = list(raw.decided)
    there = set(raw.frame)
    absent = [column for column in options.ignore if column not in there]
    decided += [f"nothing to ignore is called {', '.join(absent)}"] if absent else []
    kept = [column for column in options.ignore if column in there and column in set(wanted or ())]
    if kept:
        what = f"is to be read without '{kept[0]}', which the model was fitted on"
        raise bad(source, f"{what}: take it out of [data] ignore, or of --ignore")
    frame = _without(frame, options.ignore, None, decided, "ignored")
    if name in set(wanted or ()):
        raise bad(source, f"has '{name}' for a target, which the model was fitted on: name another with --target")
    wanted = wanted or _placeholders(inputs, frame, raw)
    if wanted is not None:
        X = _by_names(source, frame, raw, wanted, inputs, name, decided)
    else:
        X = _by_position(source, frame, raw, model, name, decided)
    return Table(X, y, name, [*decided, *_meaning(model)])


def _meaning(model: Optional[Model]) -> list[str]:
    """The meaning of the answers, where that has to be told."""
    return [found] if model is not None and (found := model.meaning) else []


def _placeholders(inputs: Inputs, frame: Any, raw: Raw) -> Optional[list[str]]:
    """Names that the model's library made up, where the file has just those."""
    made_up = inputs.placeholders if raw.named else None
    constant = inputs.constant
    added = set() if constant is None else {constant.name}
    return made_up if made_up is not None and set(made_up) - added == set(frame) - added else None


def _by_names(
    source: Source, frame: Any, raw: Raw, wanted: list[str], inputs: Inputs, target: Optional[str], decided: list[str]
) -> Any:
    """The inputs of a model that knows names: by them, or by position where the file has none."""
    problems, how = raw.problems, "columns by name"
    if raw.named:
        frame = spelled(inputs, frame, wanted, decided)
        frame = _without(frame, _indexes(frame, raw), wanted, decided, "index left out")
    if raw.named and not _only_counts(frame, wanted):
        if inputs.picks:
            others = [name for name in frame if name not in wanted]
            frame = _without(frame, others, wanted, decided, "not used by the model")
    else:
        constant = inputs.constant
        short = len(list(frame)) + 1 == len(wanted) and constant is not None
        names = [name for name in wanted if not short or constant is None or name != constant.name]
        frame = _without_tail(frame, raw, len(names), decided)
        misfit.check_count(source, len(list(frame)), len(names), target, frame)
        if problems is not None:
            problems = dict(zip(names, (problems.get(column, "") for column in frame)))
        frame = _renamed(frame, names)
        how = f"columns by position, since {'its header only counts them' if raw.named else 'the file has no names'}"
    frame = completed(inputs, frame, decided)
    misfit.refuse_columns(source, frame, wanted, inputs, target, problems)
    X = inputs.prepared(_in_order(frame, wanted), decided)
    decided.append(how)
    return X


def _by_position(
    source: Source, frame: Any, raw: Raw, model: Optional[Model], target: Optional[str], decided: list[str]
) -> Any:
    """The inputs of a model that knows no names: as the file has them."""
    inputs = inputs_of(model)
    count = inputs.count
    if model is not None and count != len(list(frame)):
        frame = _without(frame, _indexes(frame, raw), None, decided, "index left out")
    frame = _without_tail(frame, raw, count, decided)
    several = raw.named and model is not None and len(list(frame)) > 1
    X = _unnamed(source, frame, model, target, raw, decided)
    if several and count:
        decided.append("columns by position, since the model has no names")
    elif several:
        decided.append("columns as they stand in the file, since the model tells no names")
    return X


def _of_array(
    source: Source, raw: Raw, targets: Sequence[str], model: Optional[Model], wanted: Optional[list[str]]
) -> Table:
    inputs = inputs_of(model)
    X, y = _array_apart(source, raw, targets)
    decided = list(raw.decided)
    count = len(wanted) if wanted is not None else inputs.count
    if inputs.takes_texts:
        X = _texts_of(source, X)
    elif X.ndim == 1 and count == 1:
        X = X.reshape(-1, 1)
    X = widened(inputs, X, count, decided)
    misfit.check_count(source, X.shape[1] if X.ndim == 2 else 1, count, named_target(targets))
    misfit.refuse_array(source, X, inputs.kinds(list(wanted or map(str, range(count or 0)))))
    if wanted is not None and X.ndim == 2 and pandas() is not None and not hasattr(X, "toarray"):
        X = inputs.prepared(frame_of(X, wanted), decided)
    by = ["columns by position, since the file has no names"] if wanted is not None else []
    return Table(X, y, raw.truth_name or named_target(targets), [*decided, *by, *_meaning(model)])


def _texts_of(source: Source, array: Any) -> Any:
    """An array for a model whose one input is text, flat. Raises Refusal for numbers and for several columns."""
    misfit.check_count(source, array.shape[1] if array.ndim == 2 else 1, 1, None)
    if array.dtype.kind not in "OUT":
        raise misfit.refusal(source, [misfit.difference("0", "type", TEXT, f"numbers ({array.dtype})")])
    return array.reshape(-1)


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


def _indexes(frame: Any, raw: Raw) -> list[str]:
    """Columns that are an index somebody wrote beside the data: the file's own, and those before all others that have
    no name."""
    found = list(raw.index)
    for name in frame:
        if not is_index_name(name):
            break
        found.append(name)
    return found + [name for name in frame if name.startswith("__index_level_")]


def _without_tail(frame: Any, raw: Raw, count: Optional[int], decided: list[str]) -> Any:
    """The frame without the last of its columns, where the file has no names, one column too many, and a separator
    behind each row."""
    last = list(frame)[-1:]
    if raw.named or not last or count != len(list(frame)) - 1:
        return frame
    cells = numpy.asarray(frame[last[0]])
    empty = cells.dtype.kind == "f" and bool(numpy.isnan(cells).all())
    return _without(frame, last, None, decided, "empty last column left out") if empty else frame


def _only_counts(frame: Any, wanted: Sequence[str]) -> bool:
    """Whether the columns are called 0, 1, 2 …, as pandas heads an array, and the model has no such names."""
    names = list(frame)
    return names == [str(at) for at in range(len(names))] and not set(names) & set(wanted)


def _in_order(frame: Any, wanted: list[str]) -> Any:
    """The columns the model names, in its order."""
    if hasattr(frame, "iloc"):
        return frame if list(frame) == wanted else frame[wanted]
    return frame_of([list(row) for row in zip(*(frame[name] for name in wanted))], wanted)


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


def _missing(raw: Raw, targets: Sequence[str]) -> list[str]:
    """The targets that the file has not."""
    if raw.truth is not None:
        return []
    if raw.frame is not None:
        names = list(raw.frame)
        return [target for target in targets if _place(target, names) is None]
    width = raw.array.shape[1] if raw.array.ndim == 2 else 0
    return [target for target in targets if not _is_index(target, width)]


def _array_apart(source: Source, raw: Raw, targets: Sequence[str]) -> tuple[Any, Any]:
    """Inputs and truth of one array; a target is the index of its column."""
    array = raw.array
    if raw.truth is not None or not targets:
        return array, raw.truth
    width = array.shape[1] if array.ndim == 2 else 1
    missing = _missing(raw, targets)
    if missing:
        differences = [misfit.difference(target, "missing target", "a column", None) for target in missing]
        raise misfit.refusal(source, differences, f"; its {width} columns have no names, say its index")
    places = [int(target) % width for target in targets]
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
    names = list(frame)
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise bad(source, f"is to have '{twice}' for two targets: name each once")
    places = [_place(target, names) for target in targets]
    missing = _missing(raw, targets)
    if missing:
        differences = [misfit.difference(target, "missing target", "a column", None) for target in missing]
        raise misfit.refusal(source, differences, misfit.hint_of_target(missing[0], names))
    chosen = [names[place] for place in places if place is not None]
    truths = [numpy.asarray(frame[name]) for name in chosen]
    rest = [name for name in names if name not in chosen]
    inputs = frame[rest] if hasattr(frame, "iloc") else {name: frame[name] for name in rest}
    return inputs, truths[0] if len(truths) == 1 else numpy.column_stack(truths), named_target(targets)


def _place(target: str, names: Sequence[str]) -> Optional[int]:
    try:
        return place_of(target, names)
    except ValueError:
        return None


def _unnamed(
    source: Source, frame: Any, model: Optional[Model], target: Optional[str], raw: Raw, decided: list[str]
) -> Any:
    """Inputs for a model that knows no names: texts as one array, an array where it was fitted on one, else a frame."""
    inputs = inputs_of(model)
    names = list(frame)
    count = inputs.count
    if inputs.takes_texts:
        misfit.check_count(source, len(names), 1, target, frame)
        misfit.refuse_types(source, frame, {names[0]: Kind(TEXT)}, raw.problems)
    if inputs.takes_texts or (count is None and len(names) == 1 and misfit.is_text(frame[names[0]])):
        return numpy.asarray(frame[names[0]]).astype(object)
    short = inputs.constant is not None and len(names) + 1 == count
    if not short:
        misfit.check_count(source, len(names), count, target, frame)
    as_frame = raw.named and hasattr(frame, "iloc") and not short and not inputs.takes_array
    if model is None or as_frame:
        return frame if hasattr(frame, "iloc") else frame_of(list(zip(*frame.values())), names)
    misfit.refuse_types(source, frame, inputs.kinds(names), raw.problems)
    columns = [numpy.asarray(frame[name]) for name in names]
    numeric = all(column.dtype.kind in "biuf" for column in columns)
    array = numpy.column_stack(columns) if numeric else numpy.asarray(frame, dtype=object)
    return widened(inputs, array, inputs.count, decided)


def _described(X: Any) -> list[tuple[str, str]]:
    if hasattr(X, "iloc"):
        words = {dtype: str(dtype) for dtype in set(X.dtypes)}
        return [(str(name), words[dtype]) for name, dtype in zip(X, X.dtypes)]
    if X.ndim == 1:
        return [("text" if X.dtype.kind in "OUS" else "0", str(X.dtype))]
    return [(str(index), str(X.dtype)) for index in range(min(X.shape[1], 100_000))]
