"""Statistics of categories behind the core of a CatBoost file: CatBoost reads these tables without a look at sizes."""

from __future__ import annotations

import struct

from backends.core.errors import Damaged
from backends.core.source import Part, Source
from backends.formats.catboost.core import Core, Table, UncheckedError
from backends.formats.catboost.features import Base, base_of

_MOST_TABLES = 4096
_MOST_BUCKETS = 1 << 20
_MOST_CLASSES = 1 << 16
_BUCKET = struct.Struct("<QI")
_EMPTY = (1 << 64) - 1
_OF_NUMBERS = (2, 3)
"""Types whose rows are a sum and a count."""


def read_statistics(source: Source, start: int, needed: dict[Base, int]) -> int:
    """The end of the tables, once they hold all that is needed. Raises Damaged, UncheckedError, OSError."""
    count, at = _number(source, start), start + 4
    if count > _MOST_TABLES:
        raise UncheckedError(f"{count:,} tables of statistics, of which at most {_MOST_TABLES:,} are checked")
    missing = dict(needed)
    buckets = 0
    for _ in range(count):
        size = _number(source, at)
        if at + 4 + size > source.size:
            raise Damaged(f"a table of {size:,} bytes, which the file does not have", offset=at)
        base, classes, more = _read_table(Part(source, at + 4, size), buckets)
        if base.by_class and missing.get(base, 0) >= classes:
            raise Damaged("a feature asks for a class that its statistics do not have", offset=at)
        missing.pop(base, None)
        buckets += more
        at += 4 + size
    if missing:
        raise Damaged("a feature of statistics, and a table of these is not there", offset=start)
    return at


def _number(source: Source, at: int) -> int:
    data = source.read(at, 4)
    if len(data) < 4:
        raise Damaged("cut off: a table of statistics is missing", offset=at)
    return int.from_bytes(data, "little")


def _read_table(part: Part, before: int) -> tuple[Base, int, int]:
    """Its statistics, its classes and its buckets. Raises Damaged, UncheckedError, OSError."""
    root = Core(part).root()
    of = root.table(0)
    if of is None:
        raise Damaged("a table of statistics that does not tell what they are of", offset=part.start)
    base, classes = base_of(of), root.number(4, "i")
    index, rows = root.vector(1, 1), root.vector(2, 1)
    count = 0 if index is None else index.length // _BUCKET.size
    if index is None or rows is None or count * _BUCKET.size != index.length or count < 1 or count & (count - 1):
        raise Damaged("a table of statistics whose places are not a power of two", offset=part.start)
    if before + count > _MOST_BUCKETS:
        raise UncheckedError(f"statistics of more than {_MOST_BUCKETS:,} categories")
    size = _row_size(base, classes, root)
    if rows.length % size:
        raise Damaged("a table of statistics that ends within a row", offset=part.start + rows.start)
    _check_places(part, index.start, count, rows.length // size)
    return base, classes, count


def _row_size(base: Base, classes: int, root: Table) -> int:
    if base.kind in _OF_NUMBERS:
        return 8
    if not base.by_class:
        return 4
    if not 2 <= classes <= _MOST_CLASSES:
        raise Damaged(f"statistics of {classes} classes", offset=root.position)
    return 4 * classes


def _check_places(part: Part, start: int, count: int, rows: int) -> None:
    """A search ends at an empty place, and each other leads to a row. Raises Damaged."""
    empty = 0
    for bucket, row in _BUCKET.iter_unpack(part.read(start, count * _BUCKET.size)):
        if bucket == _EMPTY:
            empty += 1
        elif row >= rows:
            raise Damaged(f"a category leads to row {row:,} of {rows:,}", offset=part.start + start)
    if not empty:
        raise Damaged("a table of statistics without an empty place: a search in it has no end", offset=part.start)
