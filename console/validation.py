"""TOML text into records that msgspec checks; what is wrong is told with file, line and the nearest valid name.

A field's type says all that its value must be: `Annotated[int, Meta(ge=1, le=240)]`. Words for what no bound says stand
in `Meta(extra={"must": "…"})`; `__post_init__` checks what concerns several keys and raises ValueError with a sentence
that begins with one of them.
"""

from __future__ import annotations

import os
import re
import sys
import types
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from console.errors import ConsoleError, InputError
from console.nearest import nearest

_BYTE_ORDER_MARK = "\ufeff"
_LONGEST_NUMBER = 64
"""Bits of a whole number that is shown digit by digit."""

FINITE = sys.float_info.max
"""The bound of a number that has no other."""
Text = Annotated[str, Meta(min_length=1)]
Texts = Annotated[tuple[Text, ...], Meta(min_length=1)]
FileName = Annotated[str, Meta(pattern=r"\A[^\0]+\Z", extra={"must": "name a file"})]
Positive = Annotated[float, Meta(gt=0, le=FINITE)]
FiniteNumber = Annotated[float, Meta(ge=-FINITE, le=FINITE)]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a file; a key that is none of its fields is refused."""


R = TypeVar("R", bound=Record)
Place = tuple[str | int, ...]
"""Keys from the top of a file; a number counts tables of a list."""


def parsed(path: Path, text: str, error: type[ConsoleError] = InputError) -> dict[str, Any]:
    """The tables of a TOML text. Raises `error` that names the file and where it is no TOML."""
    import tomllib  # after the first picture: most start without a file to read

    try:
        return tomllib.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except tomllib.TOMLDecodeError as wrong:
        raise error(f"{path}: {wrong}", hint="the file is TOML; the README shows what may stand in it") from None
    except (ValueError, RecursionError):
        raise error(f"{path}: a number in it is too long, or its lists and tables are nested too deep") from None


def record_from(
    path: Path, text: str, tables: dict[str, Any], record: type[R], error: type[ConsoleError] = InputError
) -> R:
    """The record that the parsed tables of a file make. Raises `error` that names file, line and key."""
    try:
        return msgspec.convert(tables, record)
    except msgspec.ValidationError:
        place, sentence, hint = _fault(tables, record, ())
        raise error(f"{path}:{line_of(text, place)}: {sentence}", hint=hint) from None


def beside(path: Path, name: str | None) -> str | None:
    """The absolute path of what a file names, relative to its own directory."""
    return name and os.path.abspath(path.parent / name)


def number_from(text: str, kind: Any) -> float:
    """The number of this type that a text says. Raises ValueError, which says what it has to be."""
    try:
        found: float = msgspec.convert(text, kind, strict=False)
        return found
    except msgspec.ValidationError:
        bare, meta = _unwrapped(kind)
        bounds = _bounds(meta)
        raise ValueError(f"{_NAMES[bare]}{' ' if bounds.startswith('from') else ', '}{bounds}") from None


def _fault(value: Any, kind: Any, place: Place) -> tuple[Place, str, str | None]:
    """Where a value that does not fit its type goes wrong: the innermost place, a sentence, and a hint."""
    known = _fields(kind)
    for key, item in _items(value):
        if known and isinstance(key, str) and key not in known:
            return (*place, key), *_unknown(key, place, tuple(known))
        inner = known.get(str(key)) or _item_type(kind, value)
        if inner is not None and not _fits(item, inner):
            return _fault(item, inner, (*place, key))
    return _own_fault(value, kind, place)


def _own_fault(value: Any, kind: Any, place: Place) -> tuple[Place, str, str | None]:
    name = ".".join(key for key in place if isinstance(key, str))
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ValueError):
            sentence = str(error.__cause__)
            return (*place, sentence.split()[0]), f"{name}.{sentence}".removeprefix("."), None
    if _fields(kind) and isinstance(value, dict):
        required = (field.name for field in msgspec.structs.fields(_options(kind)[0]) if field.required)
        return place, f"{name}.{next(key for key in required if key not in value)} is missing", None
    which = ": each" if place and isinstance(place[-1], int) else ""
    return place, f"{name}{which} must {_must(value, kind, name)}", None


def _unknown(key: str, place: Place, known: tuple[str, ...]) -> tuple[str, str]:
    table = ".".join(part for part in place if isinstance(part, str))
    meant = nearest(key, known)
    ask = f"; did you mean '{meant}'?" if meant else ""
    return f"unknown key '{key}' {f'in [{table}]' if table else 'at the top'}{ask}", f"known here: {', '.join(known)}"


def _must(value: Any, kind: Any, name: str) -> str:
    """The rule that a value breaks, and the value: `be from 1 to 240, not 300`."""
    options = [_unwrapped(option) for option in _options(kind)]
    bare, meta = next(((bare, meta) for bare, meta in options if _is_like(value, bare)), (None, Meta()))
    shown = f", not {_words(value)}"
    if get_origin(bare) is Literal:
        choices = [choice for choice in get_args(bare) if choice]
        meant = nearest(value, choices)
        return f"be one of {', '.join(choices)}{shown}" + (f"; did you mean '{meant}'?" if meant else "")
    if meta.extra:
        return f"{meta.extra['must']}{shown}"
    if bare in (int, float):
        return f"be {_bounds(meta) or 'a finite number'}{shown}"
    if bare is str:
        return "not be empty"
    return f"be {' or '.join(_name(option, name) for option, _meta in options)}{shown}"


def _name(bare: Any, name: str) -> str:
    if get_origin(bare) in (tuple, frozenset):
        item = _unwrapped(get_args(bare)[0])[0]
        if _fields(item):
            return f"a list of tables, each under [[{name}]]"
        return "a list of values to try" if item is Any else "a list of strings"
    return "a table" if _fields(bare) else _NAMES[get_origin(bare) or bare]


_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    Literal: "a string",
}


def _is_like(value: Any, bare: Any) -> bool:
    """Whether a value has the type of a field, so that only its content can be wrong."""
    if bare is float:
        return type(value) in (int, float)
    if get_origin(bare) in (tuple, frozenset):
        return isinstance(value, list) and bool(value)
    return type(value) is (str if get_origin(bare) is Literal else bare)


def _bounds(meta: Meta) -> str:
    """`from 1 to 240`, `more than 0`, `2 or more`; "" where there is no bound."""
    least, above, most = (None if bound in (FINITE, -FINITE) else bound for bound in (meta.ge, meta.gt, meta.le))
    if least is not None:
        return f"{least} or more" if most is None else f"from {least} to {most}"
    if above is not None:
        return f"more than {above}" + ("" if most is None else f" and at most {most}")
    return "" if most is None else f"{most} or less"


def _unwrapped(kind: Any) -> tuple[Any, Meta]:
    return (kind.__origin__, kind.__metadata__[0]) if get_origin(kind) is Annotated else (kind, Meta())


def _options(kind: Any) -> list[Any]:
    """The members of a union but for None; of another type, that type."""
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return [member for member in members if member is not types.NoneType]


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _fields(kind: Any) -> dict[str, Any]:
    """The types of a record's fields by their names; of another type, {}."""
    record = _options(kind)[0]
    is_record = isinstance(record, type) and issubclass(record, Record)
    return get_type_hints(record, include_extras=True) if is_record else {}


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())


def _item_type(kind: Any, value: Any) -> Any:
    """The type of an item of a list, or of a value of a table of any keys; None where there can be none."""
    for bare, _meta in map(_unwrapped, _options(kind)):
        if get_origin(bare) in (tuple, frozenset) and isinstance(value, list):
            return get_args(bare)[0]
        if get_origin(bare) is dict and isinstance(value, dict):
            return get_args(bare)[1]
    return None


def _words(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return f"'{value[:60]}'"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a table"
    return "true or false" if isinstance(value, bool) else str(value)


def line_of(text: str, place: Place) -> int:
    """The line (from 1) that sets the key or table at `place` of a TOML text, or else the nearest one above it."""
    table: Place = ()
    counts: dict[Place, int] = {}
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[\[?)([^\]]+)\]", line):
            table = found = _split(header[2])
            if header[1] == "[[":
                counts[found] = counts.get(found, -1) + 1
                table = found = (*found, counts[found])
        elif key := re.match(r"\s*((?:[\w.\- ]|\"[^\"]*\"|'[^']*')+?)\s*=", line):
            found = (*table, *_split(key[1]))
        else:
            continue
        common = len([*takewhile(lambda pair: pair[0] == pair[1], zip(found, place, strict=False))])
        if common > depth and common in (len(found), len(place)):
            best, depth = number, common
    return best


def _split(dotted: str) -> Place:
    return tuple(part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", dotted))
