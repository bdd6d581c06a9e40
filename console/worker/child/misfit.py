"""Fit of a table to a model: every difference as column, problem, expected and found, and the refusal with them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any, Optional

from backends.core.errors import Refusal
from backends.core.inputs import NUMBER, TEXT, Inputs, Kind
from backends.core.source import Source
from console.worker.child.data.cells import is_number
from console.worker.child.data.names import folded, unlike
from console.worker.child.data.options import say, say_ignore
from console.worker.child.data.text import bad

DIFFERENCES_CAP = 200
_NAMED = 8
_SAMPLE = 1000
_NUMERIC = frozenset("biuf")
_PROBLEMS = ("missing target", "missing", "surplus", "type", "count")
_OTHER_SEPARATORS = (";", "\t", "|", ",", ":", "~", "^", "!", "&", "/", " ")
_LINE = re.compile(r"first in line (\d+)|header once more in line")

_ARRAYS = {"c": "complex numbers", "M": "dates", "m": "durations", "U": "text", "S": "text"}
_OBJECTS = (("dates", datetime.date), ("times", datetime.time), ("bytes", bytes))
"""Kinds of values that are objects to numpy."""

Difference = dict[str, Optional[str]]


def difference(column: str, problem: str, wanted: Optional[str], found: Optional[str]) -> Difference:
    """One column that does not fit: both sides in words."""
    return {"column": column, "problem": problem, "expected": wanted, "found": found}


def refuse_columns(
    source: Source,
    frame: Any,
    wanted: list[str],
    inputs: Inputs,
    target: Optional[str],
    problems: Optional[dict[str, str]],
) -> None:
    """Raise Refusal with every difference between the columns of the frame and those that the model names."""
    found = list(frame)
    kinds = inputs.kinds(wanted)
    known, there = set(wanted), set(found)
    differences = [
        difference(name, "missing", (kinds[name].words or kinds[name].kind) if name in kinds else "a column", None)
        for name in wanted
        if name not in there
    ]
    differences += [difference(name, "surplus", None, str(frame[name].dtype)) for name in found if name not in known]
    differences += _of_types(frame, [name for name in wanted if name in there], kinds, problems)
    if differences:
        raise refusal(source, differences, _hint(differences, target, found))


def refuse_types(source: Source, frame: Any, kinds: dict[str, Kind], problems: Optional[dict[str, str]]) -> None:
    """Raise Refusal with every column whose kind is another than the model's."""
    differences = _of_types(frame, list(frame), kinds, problems)
    if differences:
        raise refusal(source, differences)


def check_count(
    source: Source, found: int, wanted: Optional[int], target: Optional[str], frame: Optional[Any] = None
) -> None:
    """Raise Refusal unless there are as many columns as are wanted; None = that is not known."""
    if wanted is None or wanted == found:
        return
    hint = "leave out what is no input with --ignore COL" if found > wanted and frame is not None else ""
    if found == wanted + 1 and target is None:
        hint = f"if one of them is the target, say which (--target COL){', else ' if hint else ''}{hint}"
    sep = _separator_in(frame) if found == 1 and frame is not None else None
    hint = f"if another separator is meant, {say('sep', sep)}" if sep else hint
    columns = (f"{count} column{'s' * (count != 1)}" for count in (wanted, found))
    raise refusal(source, [difference("", "count", *columns)], f"; {hint}" if hint else "")


def _separator_in(frame: Any) -> Optional[str]:
    """A likely separator within the only column: a sign of its name, else of its first cell."""
    name = next(iter(frame))
    texts = (str(name), *(str(cell) for cell in list(frame[name][:1])))
    return next((sep for text in texts for sep in _OTHER_SEPARATORS if sep in text), None)


def refusal(source: Source, differences: list[Difference], hint: str = "") -> Refusal:
    """One sentence and the whole table: column, problem (missing, surplus, type, count, missing target), both sides."""
    parts = []
    for problem in _PROBLEMS:
        those = [one for one in differences if one["problem"] == problem]
        if problem == "count" and those:
            parts.append(f"{those[0]['expected']} expected, {those[0]['found']} found")
        elif problem == "type" and those:
            told = "; ".join(f"{_column(one)}{one['expected']} expected, found {one['found']}" for one in those[:2])
            parts.append(f"wrong type: {told}{_more(those, 2)}")
        elif those:
            named = ", ".join(f"'{one['column']}'" for one in those[:3])
            parts.append(f"{problem}: {named}{_more(those, 3)}")
    hint = hint or _hint_of_line(differences)
    found = bad(source, f"does not fit the model ({'; '.join(parts)}){hint}")
    found.code = "columns"
    found.details = {"differences": differences[:DIFFERENCES_CAP], "count": len(differences)}
    return found


def _column(one: Difference) -> str:
    return f"'{one['column']}': " if one["column"] else ""


def _hint_of_line(differences: Sequence[Difference]) -> str:
    """A hint where several columns are wrong in one line."""
    wrong = [one for one in differences if one["problem"] == "type"]
    lines = {found.group(1) if (found := _LINE.search(str(one["found"]))) else "" for one in wrong}
    alone = len(wrong) > 1 and len(lines) == 1 and "" not in lines
    return f"; if line {lines.pop()} is no row (a header, units, a total), remove it" if alone else ""


def _more(those: Sequence[Any], shown: int) -> str:
    return f" and {len(those) - shown} more" if len(those) > shown else ""


def _of_types(
    frame: Any, names: Sequence[str], kinds: dict[str, Kind], problems: Optional[dict[str, str]]
) -> list[Difference]:
    """The columns whose kind is another than the model's; numbers in place of known categories are one.

    None where they were judged before (`problems` is None).
    """
    if problems is None:
        return []
    differences = []
    numbers = _numbers(frame)
    for name in names:
        if name not in kinds or (kinds[name].kind == NUMBER and name in numbers):
            continue
        wanted, kind = kinds[name], _kind(frame[name])
        if kind == TEXT and wanted.categories and _only_numbers(frame[name], wanted.categories):
            kind = NUMBER
        if kind is not None and kind != wanted.kind and not (wanted.loose and not problems.get(name)):
            what = problems.get(name) or f"{kind} ({frame[name].dtype})"
            differences.append(difference(name, "type", wanted.words or wanted.kind, what))
    return differences


def _numbers(frame: Any) -> frozenset[str]:
    """The columns of a data frame whose types are numbers, told without taking it apart."""
    if not hasattr(frame, "iloc"):
        return frozenset()
    return frozenset(name for name, dtype in zip(frame, frame.dtypes) if getattr(dtype, "kind", "O") in _NUMERIC)


def _only_numbers(column: Any, categories: frozenset[str]) -> bool:
    """Whether a column of text holds numbers throughout, none of which is a category."""
    some = {value for value in list(column[:_SAMPLE]) if isinstance(value, str)}
    return bool(some) and not some & categories and all(map(is_number, some))


def _hint(differences: list[Difference], target: Optional[str], found: Sequence[str]) -> str:
    """A hint at a likely cause: another separator, an unnamed target, two names that differ invisibly."""
    surplus = [str(one["column"]) for one in differences if one["problem"] == "surplus"]
    forms = {folded(name): name for name in surplus}
    for one in differences:
        name = str(one["column"])
        other = forms.get(folded(name)) if one["problem"] == "missing" else None
        if other is not None:
            return f"; '{name}' and '{other}' differ {unlike(name, other)} only"
    if len(surplus) == len(found) == 1 and len(differences) > 2:
        sep = next((sep for sep in _OTHER_SEPARATORS if sep in surplus[0]), None)
        return f"; if another separator is meant, {say('sep', sep)}" if sep else ""
    if len(surplus) == len(differences):
        if len(surplus) > _NAMED:
            return "; leave out what is no input with [data] ignore in the recipe, or --ignore for each"
        ignored = f"leave {'them' if len(surplus) > 1 else 'it'} out with {say_ignore(surplus)}"
        return (
            f"; if '{surplus[0]}' is the target, say so (--target), else {ignored}"
            if target is None
            else f"; {ignored}"
        )
    return ""


def hint_of_target(target: str, found: Sequence[str]) -> str:
    """The column that a name of the target may mean, else what there is."""
    other = next((name for name in found if folded(name) == folded(target)), None)
    if other is not None:
        return f"; '{target}' and '{other}' differ {unlike(target, other)} only"
    if list(found) == [str(at) for at in range(len(found))]:
        return f"; its {len(found)} columns have no names, say its index"
    return f"; its columns are {', '.join(map(repr, found[:_NAMED]))}{_more(found, _NAMED)}"


def refuse_array(source: Source, array: Any, kinds: dict[str, Kind]) -> None:
    """Raise Refusal for an array that holds no numbers, where the model is known to want numbers alone."""
    found = _ARRAYS.get(array.dtype.kind)
    if found and kinds and all(kind.kind == NUMBER for kind in kinds.values()):
        raise refusal(source, [difference("", "type", "numbers", f"{found} ({array.dtype})")])


def is_text(column: Any) -> bool:
    """Whether a column holds text."""
    return _kind(column) == TEXT


def _kind(column: Any) -> Optional[str]:
    """`number`, `text` or another kind in words; None for what is none or cannot be told (categories, all missing)."""
    kind = getattr(column.dtype, "kind", "O")
    name = str(column.dtype)
    if kind in "biuf":
        return NUMBER
    if kind in "mM":
        return "dates" if kind == "M" else "durations"
    if name.startswith(("str", "string")) or kind in "US":
        return TEXT
    if name == "category":
        return TEXT if is_text(column.cat.categories) else None
    if name != "object":
        return None
    some = list(column[:_SAMPLE])
    odd = next((kind for kind, words in _OBJECTS if any(isinstance(value, words) for value in some)), None)
    if odd is not None:
        return odd
    if any(isinstance(value, (list, dict, tuple)) or getattr(value, "ndim", 0) for value in some):
        return "nested values"
    return TEXT if any(isinstance(value, str) for value in some) else None
