"""Columns of a CatBoost model, and the binary features that its trees split at, each told with its place.

Layout: catboost/libs/model/flatbuffers/{model,features,ctr_data}.fbs of CatBoost 1.2.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from backends.core.errors import Damaged
from backends.formats.catboost.core import Table, UncheckedError, Vector

MOST_BINS = 1 << 18
_MOST_COMBINED = 256
_A_BIN = 254
"""Borders that share a byte of a row, see MAX_VALUES_PER_BIN."""
CTR_TYPES = 6
_BORDERS, _BUCKETS = 0, 1
CATEGORIES, FLOATS, ONE_HOTS, CTRS, TEXTS, ESTIMATED, EMBEDDINGS = 4, 5, 6, 7, 12, 13, 18
_KINDS = ((FLOATS, "number"), (CATEGORIES, "category"), (TEXTS, "text"), (EMBEDDINGS, "embedding"))
_IDENTIFIER = {FLOATS: 4, CATEGORIES: 2, TEXTS: 2, EMBEDDINGS: 2}


class Column(NamedTuple):
    """One input: its kind, its place among those of its kind, its name, "" where it has none."""

    kind: str
    number: int
    name: str


class Base(NamedTuple):
    """Statistics of categories that a feature is made of: by which columns and splits, and of which type."""

    columns: tuple[int, ...]
    splits: bytes
    kind: int
    classifier: int

    @property
    def by_class(self) -> bool:
        """Whether it counts rows of each class."""
        return self.kind in (_BORDERS, _BUCKETS)


class Bins(NamedTuple):
    """Binary features in CatBoost's order. `packed` are four bytes for each, `sources` the columns that each is of."""

    packed: list[bytes]
    sources: list[tuple[int, ...]]
    needed: dict[Base, int]


def columns_of(trees: Table) -> list[Column]:
    """The inputs in the order of a row. Raises Damaged, UncheckedError."""
    places: dict[int, Column] = {}
    for field, kind in _KINDS:
        for number, table in enumerate(trees.tables(field)):
            first = 1 if field == FLOATS else 0
            index, place = table.number(first, "i", -1), table.number(first + 1, "i", -1)
            if index != number:
                raise UncheckedError("columns of which only some are told: not run", "unknown-field")
            if place in places:
                raise Damaged(f"two features are column {place}", offset=table.position)
            places[place] = Column(kind, index, table.text(_IDENTIFIER[field])[:1000])
    if sorted(places) != list(range(len(places))):
        raise UncheckedError("columns of which only some are told: not run", "unknown-field")
    return [places[at] for at in range(len(places))]


def bins_of(trees: Table, columns: list[Column]) -> Bins:
    """All that trees can split at. Raises Damaged, UncheckedError."""
    places = {(column.kind, column.number): at for at, column in enumerate(columns)}
    bins = Bins([], [], {})
    byte = 0
    for table in trees.tables(FLOATS):
        if not 0 <= table.number(5, "b") <= 2:
            raise Damaged("a treatment of missing values that CatBoost does not know", offset=table.position)
        byte = _add(bins, byte, table.vector(3, 4), (places["number", table.number(1, "i", -1)],))
    categories = trees.tables(CATEGORIES)
    for table in trees.tables(ONE_HOTS):
        index = table.number(0, "i", -1)
        if not 0 <= index < len(categories) or not categories[index].number(3, "b", 1):
            raise Damaged(f"a split by the values of category {index}, which is not used", offset=table.position)
        byte = _add(bins, byte, _needed(table, 1), (places["category", index],), exact=True)
    for table in trees.tables(CTRS):
        base, border = _statistic(table, len(categories))
        bins.needed[base] = max(border, bins.needed.get(base, 0))
        byte = _add(bins, byte, _needed(table, 1), tuple(places["category", one] for one in base.columns))
    if byte > 0xFFFF:
        raise Damaged("more features than CatBoost can tell apart")
    return bins


def _add(bins: Bins, byte: int, borders: Optional[Vector], of: tuple[int, ...], *, exact: bool = False) -> int:
    """Add the bins of one feature, from this byte of a row on; the byte behind them."""
    count = borders.length if borders is not None else 0
    if len(bins.packed) + count > MOST_BINS:
        raise UncheckedError(f"more than {MOST_BINS:,} places to split at")
    for number in range(count):
        above, split = divmod(number, _A_BIN)
        last = bytes((~(split + 1) & 0xFF, 0xFF)) if exact else bytes((0, split + 1))
        bins.packed.append((byte + above & 0xFFFF).to_bytes(2, "little") + last)
        bins.sources.append(of)
    return byte + -(-count // _A_BIN)


def _needed(table: Table, field: int) -> Vector:
    found = table.vector(field, 4)
    if found is None:
        raise Damaged("a feature without its borders or values", offset=table.position)
    return found


def _statistic(table: Table, categories: int) -> tuple[Base, int]:
    """The statistics that a feature needs, and the class that it asks for. Raises Damaged."""
    ctr = table.table(0)
    base = None if ctr is None else ctr.table(0)
    if ctr is None or base is None:
        raise Damaged("a feature of statistics without their table", offset=table.position)
    found, border = base_of(base), ctr.number(1, "i")
    if border < 0 or not all(0 <= one < categories for one in found.columns):
        raise Damaged("a feature of statistics of a category that is not there", offset=table.position)
    return found, border


def base_of(table: Table) -> Base:
    """The statistics that a table names. Raises Damaged, UncheckedError."""
    combination, kind = table.table(0), table.number(1, "b")
    if combination is None or not 0 <= kind < CTR_TYPES:
        raise Damaged("statistics that do not tell what they are of", offset=table.position)
    splits = combination.bytes_of(1, 8, _MOST_COMBINED) + b"|" + combination.bytes_of(2, 8, _MOST_COMBINED)
    return Base(tuple(combination.numbers(0, "i", _MOST_COMBINED)), splits, kind, table.number(2, "i"))
