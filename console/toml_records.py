"""Parsed TOML tables into checked dataclasses; what is wrong is told with file, line and the nearest valid key.

A field's metadata may hold `least`, `most` and `above` (bounds of a number), `path` (made absolute against the file's
directory, with `home` also against the user's), `blank` (texts may be empty), `words` (a table of any names, each with
a string or a list of strings), `unbuilt` (why nothing acts on it yet) and `internal` (not for the file).
"""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
import types
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from console.bounds import range_words, within
from console.errors import BadInput, ConsoleError
from console.records import Json

_BYTE_ORDER_MARK = "\ufeff"
_LONGEST_NUMBER = 64
"""Bits of a whole number that is shown digit by digit."""


def parsed(path: Path, text: str, error: type[ConsoleError] = BadInput) -> dict[str, Any]:
    """The tables of a TOML text. Raises `error` that names the file and where it is no TOML."""
    try:
        return tomllib.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except tomllib.TOMLDecodeError as wrong:
        raise error(f"{path}: {wrong}", hint="the file is TOML; the README shows what may stand in it") from None
    except (ValueError, RecursionError):
        raise error(f"{path}: a number in it is too long, or its lists and tables are nested too deep") from None


class TableReader:
    """Turns the parsed tables of one file into records, or says where in the file they are wrong, as an `error`.

    `unbuilt` are sentences about what was set and nothing acts on yet.
    """

    def __init__(self, path: Path, text: str, error: type[ConsoleError] = BadInput) -> None:
        self._path = path
        self._text = text.removeprefix(_BYTE_ORDER_MARK)
        self._error = error
        self.unbuilt: list[str] = []

    def table(self, section: type[Any], found: object, place: tuple[str, ...]) -> Any:
        """The record of type `section` that the parsed table at `place` says. Raises `error` naming file and line."""
        if not isinstance(found, dict):
            raise self._wrong(place, f"must be a table, not {_words(found)}")
        known = {item.name: item for item in fields(section) if not item.metadata.get("internal")}
        hints = get_type_hints(section)
        values: dict[str, Any] = {}
        for key, value in found.items():
            here = (*place, key)
            if key not in known:
                raise self._unknown(here, tuple(known))
            rules = known[key].metadata
            values[key] = self._checked(self._value(hints[key], value, rules, here), rules, here)
            if "unbuilt" in rules:
                self.unbuilt.append(f"[{'.'.join(here)}] is not acted on: {rules['unbuilt']}")
        return section(**values)

    def _value(self, expected: Any, value: Any, rules: Any, place: tuple[str, ...]) -> Any:
        if get_origin(expected) in (Union, types.UnionType):
            expected = _member(expected, value)
        origin = get_origin(expected)
        if is_dataclass(expected):
            return self.table(expected, value, place)  # type: ignore[arg-type]
        if origin is Literal:
            return self._choice(get_args(expected), value, place)
        if origin is dict:
            return self._lists(value, place) if "words" in rules else self._grid(value, place)
        if origin is tuple:
            if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
                raise self._wrong(place, f"must be a list of strings, not {_words(value)}")
            if "" in value and "blank" not in rules:
                raise self._wrong(place, "must not hold an empty string")
            return tuple(value)
        if expected is float and type(value) is int:
            return _as_float(value)
        if type(value) is not expected:
            raise self._wrong(place, f"must be {_TYPES[expected]}, not {_words(value)}")
        return value

    def _choice(self, choices: tuple[str, ...], value: object, place: tuple[str, ...]) -> str:
        if isinstance(value, str) and value in choices:
            return value
        named = ", ".join(filter(None, choices))
        raise self._wrong(place, f"must be one of {named}, not {_words(value)}", nearest(value, choices))

    def _grid(self, value: object, place: tuple[str, ...]) -> dict[str, tuple[Json, ...]]:
        if not isinstance(value, dict):
            raise self._wrong(place, f"must be a table of lists, not {_words(value)}")
        for key, values in value.items():
            if not isinstance(values, list) or not values:
                raise self._wrong((*place, key), f"must be a list of values to try, not {_words(values)}")
        return {key: tuple(values) for key, values in value.items()}

    def _lists(self, value: object, place: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        if not isinstance(value, dict):
            raise self._wrong(place, f"must be a table, not {_words(value)}")
        found: dict[str, tuple[str, ...]] = {}
        for key, words in value.items():
            listed = words if isinstance(words, list) else [words]
            if not all(isinstance(word, str) for word in listed):
                raise self._wrong((*place, key), f"must be a string or a list of strings, not {_words(words)}")
            found[key] = tuple(listed)
        return found

    def _checked(self, value: Any, rules: Any, place: tuple[str, ...]) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not within(value, rules):
            raise self._wrong(place, f"must be {range_words(rules) or 'a finite number'}, not {_words(value)}")
        if rules.get("path"):
            if not value or "\0" in value:
                raise self._wrong(place, "must name a file")
            return os.path.abspath(self._path.parent / (os.path.expanduser(value) if rules.get("home") else value))
        if value == "" and not rules.get("blank"):
            raise self._wrong(place, "must not be empty")
        return value

    def _unknown(self, place: tuple[str, ...], known: tuple[str, ...]) -> ConsoleError:
        where = f"in [{'.'.join(place[:-1])}]" if len(place) > 1 else "at the top"
        sentence = f"{self._path}:{self._line(place)}: unknown key '{place[-1]}' {where}"
        near = nearest(place[-1], known)
        if near:
            return self._error(f"{sentence}; did you mean '{near}'?", hint=f"known here: {', '.join(known)}")
        return self._error(sentence, hint=f"known here: {', '.join(known)}")

    def _wrong(self, place: tuple[str, ...], what: str, near: str | None = None) -> ConsoleError:
        ask = f"; did you mean '{near}'?" if near else ""
        return self._error(f"{self._path}:{self._line(place)}: {'.'.join(place)} {what}{ask}")

    def _line(self, place: tuple[str, ...]) -> int:
        return line_of(self._text, place)


def _member(union: Any, value: object) -> Any:
    """The member of a union that a value is meant to be: a list where one is allowed, else the first."""
    members = [member for member in get_args(union) if member is not type(None)]
    lists = [member for member in members if get_origin(member) is tuple] if isinstance(value, list) else []
    return (lists or members)[0]


def line_of(text: str, place: tuple[str, ...]) -> int:
    """The line (from 1) that sets the key or table at `place` of a TOML text, or else the nearest one above it."""
    here: tuple[str, ...] = ()
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?([^\]]+)\]", line)
        if header:
            here = _split(header.group(1))
            found = here
        else:
            key = re.match(r"\s*((?:[\w.\- ]|\"[^\"]*\"|'[^']*')+?)\s*=", line)
            if key is None:
                continue
            found = (*here, *_split(key.group(1)))
        common = next(
            (i for i, (a, b) in enumerate(zip(found, place, strict=False)) if a != b), min(len(found), len(place))
        )
        if common > depth and (common == len(found) or common == len(place)):
            best, depth = number, common
    return best


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", dotted))


_TYPES: dict[Any, str] = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


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


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known name that was perhaps meant by a word in a file; None where none is like it."""
    close = difflib.get_close_matches(str(word).lower(), list(known), 1, 0.5)
    return close[0] if close else None
