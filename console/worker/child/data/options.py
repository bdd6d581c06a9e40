"""Reading options of the recipe or the command line, and what the model knows of its inputs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from backends.core.errors import Refusal

_NO_SEPARATORS = '\r\n\0"'
INDEX_NAMES = ("Unnamed: ", "__index_level_")
"""How the names begin that pandas and parquet give to an index without one of its own."""


def all_named(names: Sequence[str]) -> list[str]:
    """The names of columns; one without is called as pandas calls it, and no other's name."""
    taken, found = set(names), []
    for at, name in enumerate(names):
        made = f"Unnamed: {at}"
        again = 0
        while not name and made in taken:
            again += 1
            made = f"Unnamed: {at}.{again}"
        found.append(name or made)
    return found


@dataclass(frozen=True)
class ReadOptions:
    """How a text table is to be read, where somebody says so; None = found in the file.

    `missing` are spellings of a missing value beside the usual ones, `ignore` columns that are no inputs.
    """

    sep: Optional[str] = None
    decimal: Optional[str] = None
    encoding: Optional[str] = None
    header: Optional[bool] = None
    missing: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Knowledge:
    """Knowledge of a model about its inputs: `names` in its order, and of them the `texts`, with their `categories`.

    `gaps` are the text columns that were fitted with missing values. `all_text` = its one input is text (a vectorizer).
    `targets` are the columns of the truth; each is one of `texts` where the model's classes are. `places` are the
    inputs in order, under the names that the other fields have for them; those of a model without names are made up.
    `tensors` are the inputs of a model that takes such, by the number of values that a row of each has.
    """

    names: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()
    categories: dict[str, frozenset[str]] = field(default_factory=dict)
    gaps: frozenset[str] = frozenset()
    all_text: bool = False
    targets: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    tensors: dict[str, int] = field(default_factory=dict)

    def of(self, columns: Sequence[str], ignored: Sequence[str], *, by_place: bool) -> Knowledge:
        """The same under the names that the columns of a file have. `by_place` = the file's names tell nothing."""
        truths = {target: columns[place_of(target, columns)] for target in self.targets if _is_there(target, columns)}
        inputs = [name for name in columns if name not in ignored and name not in truths.values()]
        if len(inputs) > max(1, len(self.places)):
            inputs = [name for name in inputs if not is_index_name(name)]
        by_name = not by_place and (bool(self.names) or not self.places)
        places = list(zip(self.places, inputs)) if len(inputs) == len(self.places) and not by_name else []
        called = {**({name: name for name in columns} if by_name else dict(places)), **truths}
        texts = {called[name] for name in self.texts if name in called}
        return replace(
            self,
            texts=frozenset(texts.union(inputs) if self.all_text else texts),
            categories={called[name]: some for name, some in self.categories.items() if name in called},
            gaps=frozenset(called[name] for name in self.gaps if name in called),
        )


def is_index_name(name: str) -> bool:
    """Whether a column is called as an index is that has no name of its own."""
    return name.startswith(INDEX_NAMES)


def place_of(target: str, columns: Sequence[str]) -> int:
    """Where the column of the truth stands: by its name, else by its index. Raises ValueError."""
    if target in columns:
        return list(columns).index(target)
    place = int(target)
    if not -len(columns) <= place < len(columns) or list(columns) != [str(at) for at in range(len(columns))]:
        raise ValueError(target)
    return place % len(columns)


def _is_there(target: str, columns: Sequence[str]) -> bool:
    try:
        place_of(target, columns)
    except ValueError:
        return False
    return True


def say(key: str, value: str) -> str:
    """The option that helps, as the recipe's line and the command line's."""
    recipe = value if key == "header" else f"[{in_toml(value)}]" if key == "missing" else in_toml(value)
    return f"say [data] read.{key} = {recipe} in the recipe, or --read {key}={in_shell(value)}"


def say_ignore(names: Sequence[str]) -> str:
    """The same for columns that are to be left out."""
    said = " ".join(f"--ignore {in_shell(name, always=True)}" for name in names)
    return f"[data] ignore = [{', '.join(map(in_toml, names))}] or {said}"


def in_toml(value: str) -> str:
    """A text as a recipe has it."""
    return json.dumps(value, ensure_ascii=False)


def in_shell(value: str, *, always: bool = False) -> str:
    """A value as a shell takes it; what shows that is no part of a name is in quotes."""
    if not always and value.replace("-", "").replace("_", "").isalnum():
        return value
    return shlex.quote(value) if "'" in value else "'{}'".format(value.replace("\t", r"\t"))


@dataclass(frozen=True)
class Extent:
    """How much of a table is wanted, and may be held: its first `rows`, in so many `bytes` of memory; None = all of it.

    `progress` hears of rows and bytes of the file as they are read.
    """

    rows: Optional[int] = None
    bytes: Optional[int] = None
    progress: Optional[Callable[[int, int], None]] = None


def options_from(said: Any) -> ReadOptions:
    """The options of a request. Raises Refusal for those that cannot be."""
    found = dict(said or {})
    encoding, sep, decimal = found.get("encoding"), found.get("sep"), found.get("decimal")
    if encoding:
        try:
            "".encode(encoding)
        except (LookupError, ValueError):
            what = f"'{encoding}' is no encoding; utf-8, utf-16 and cp1252 are"
            raise Refusal("bad-input", f"{what}: {say('encoding', 'cp1252')}, for example") from None
    if sep is not None and len(sep) != 1:
        raise Refusal("bad-input", f"the separator '{sep}' must be one character: {say('sep', ';')}, for example")
    if sep is not None and sep in _NO_SEPARATORS:
        raise Refusal("bad-input", f"the separator cannot be {sep!r}: {say('sep', ';')}, for example")
    if decimal not in (None, ".", ","):
        raise Refusal(
            "bad-input", f"the decimal sign '{decimal}' must be '.' or ',': {say('decimal', ',')}, for example"
        )
    missing, ignore = tuple(found.get("missing") or ()), tuple(found.get("ignore") or ())
    return ReadOptions(sep, decimal, encoding, found.get("header"), missing, ignore)
