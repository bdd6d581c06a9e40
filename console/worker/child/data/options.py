"""Reading options of the recipe or the command line, and what the model knows of its inputs."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from console.worker.child.main import Refusal

__all__ = ["Extent", "Knowledge", "ReadOptions", "options_from"]


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
    """What a model knows of its inputs: `names` in its order, and of them the `texts`, with their `categories`.

    `gaps` are the text columns that were fitted with missing values. `all_text` = its one input is text (a vectorizer).
    The target is one of `texts` where the model's classes are.
    """

    names: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()
    categories: dict[str, frozenset[str]] = field(default_factory=dict)
    gaps: frozenset[str] = frozenset()
    all_text: bool = False


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
            codecs.lookup(encoding)
        except LookupError:
            raise Refusal(
                "bad-input",
                f"read.encoding = '{encoding}' is no encoding; 'utf-8', 'utf-16' and 'cp1252' are, for example",
            ) from None
    if sep is not None and len(sep) != 1:
        raise Refusal("bad-input", f"read.sep = '{sep}' must be one character, such as ';'")
    if decimal not in (None, ".", ","):
        raise Refusal("bad-input", f"read.decimal = '{decimal}' must be '.' or ','")
    missing, ignore = tuple(found.get("missing") or ()), tuple(found.get("ignore") or ())
    return ReadOptions(sep, decimal, encoding, found.get("header"), missing, ignore)
