"""Whether the first row of a text table holds names: the recipe says so, the model knows them, or the rows show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

from console.worker.child.data.cells import MISSING, is_decimal_comma, is_gap_mark, is_number, is_shaped
from console.worker.child.data.names import folded
from console.worker.child.data.options import Knowledge, ReadOptions

_WHOLE = re.compile(r"[+-]?\d+\Z")
_SURELY_COUNTED = 4
"""So many cells that read 0, 1, 2, 3 are taken for the header of an array; fewer may be a row of whole numbers."""
_LINES_ABOVE = 20
_YEARS = range(1900, 2101)

Rows = Sequence[Sequence[str]]


def has_header(rows: Rows, options: ReadOptions, known: Knowledge) -> Optional[bool]:
    """Whether the first row holds names; None where it may be either. `known` goes by the places of the columns."""
    if options.header is not None:
        return options.header
    first = [cell.strip() for cell in rows[0]]
    below = [[cell.strip() for cell in row] for row in rows[1:]]
    if _is_named(first, known, options):
        return True
    if not any(first) or _holds_categories(first, known):
        return False
    if known.all_text and len(first) == 1:
        return _over_texts(first[0], [row[0] for row in below])
    counting = _counting(first, below)
    return _counts_columns(first, below, counting) if counting else _over_values(first, below)


def header_below(rows: Rows, known: Knowledge, options: ReadOptions) -> int:
    """Which of the first rows is the header though others stand above it; 0 where the first row may be."""
    if options.header is not None or _is_named([cell.strip() for cell in rows[0]], known, options):
        return 0
    for at, row in enumerate(rows[1:_LINES_ABOVE], 1):
        cells = [cell.strip() for cell in row]
        found = {folded(name) for name in known.names} & {folded(cell) for cell in cells if cell}
        if len(found) * 2 > len(known.names) and not any(map(is_number, cells)):
            return at
    return 0


def _is_named(first: Sequence[str], known: Knowledge, options: ReadOptions) -> bool:
    """Whether the first row has most of the model's names, the target's, or one that is to be ignored."""
    forms = {folded(cell) for cell in first if cell}
    found = len({folded(name) for name in known.names} & forms)
    if known.names and found * 2 > min(len(known.names), len(first)):
        return True
    told = [name for name in (*known.targets, *options.ignore) if not is_number(name)]
    return any(folded(name) in forms for name in told)


def _holds_categories(first: Sequence[str], known: Knowledge) -> bool:
    """Whether a cell is a category that the model knows in its place."""
    places = dict(zip((str(at) for at in range(len(first))), first))
    return any(cell and cell in known.categories.get(place, ()) for place, cell in places.items())


def _over_texts(first: str, below: Sequence[str]) -> Optional[bool]:
    """Of one column of text: a name is one word, a row is no shorter than the others are."""
    words, others = len(first.split()), [len(cell.split()) for cell in below if cell]
    if words <= 1:
        return True
    return False if words > 3 or (others and words >= min(others) and not first.istitle()) else None


def _counting(first: Sequence[str], below: Rows) -> list[int]:
    """The places of cells that read 0, 1, 2 …, beside the empty head of an index and before names; else none."""
    begin = int(first[0] == "" and len(first) > 1 and _may_be_index([row[0] for row in below]))
    found = [at for at in range(begin, len(first)) if first[at] == str(at - begin)]
    others = first[begin + len(found) :]
    whole = found == list(range(begin, begin + len(found))) and not any(is_number(cell) or not cell for cell in others)
    return found if whole else []


def _counts_columns(first: Sequence[str], below: Rows, counting: Sequence[int]) -> Optional[bool]:
    """Whether cells that count up are the header of an array, as pandas writes it; None where they may be a row."""
    behind = range(counting[-1] + 1, len(first))
    named = any(_numbers(below, at) for at in behind)
    if named or len(counting) >= _SURELY_COUNTED or (counting[0] and len(counting) > 1):
        return True
    cells = [row[at] for row in below for at in counting if len(row) > at and row[at]]
    if cells and not any(_WHOLE.match(cell) for cell in cells):
        return True
    return False if any(list(row) == list(first) for row in below) or not cells else None


def _may_be_index(cells: Sequence[str]) -> bool:
    """Whether cells may be an index: each another, and none of them a fraction."""
    return len(set(cells)) == len(cells) and not any(is_number(cell) and not _WHOLE.match(cell) for cell in cells)


def _over_values(first: Sequence[str], below: Rows) -> Optional[bool]:
    """A name over numbers is no value; over text alone the first row holds names that come up nowhere below."""
    over = [at for at, cell in enumerate(first) if cell and _numbers(below, at)]
    if over:
        values = [first[at] for at in over if _is_value(first[at])]
        if len(values) == len(over):
            return None if _may_be_years(first, below, over) else False
        return None if any(is_number(cell) and not _WHOLE.match(cell) for cell in values) else True
    filled = [cell for cell in first if cell]
    if len(set(filled)) < len(filled) or all(is_number(cell) or cell in MISSING for cell in filled):
        return False
    if any(is_shaped(cell) for cell in filled):
        return False
    return not any(cell and cell in (row[at] for row in below if len(row) > at) for at, cell in enumerate(first))


def _is_value(cell: str) -> bool:
    """Whether a cell is no name but a value, or what stands for a missing one. Words that do may be names as well."""
    mark = is_gap_mark(cell) and not cell.isalpha()
    return is_number(cell) or is_decimal_comma(cell) or cell in MISSING or mark or is_shaped(cell)


def _may_be_years(first: Sequence[str], below: Rows, over: Sequence[int]) -> bool:
    """Whether whole numbers may be names: years or counting up over rows that do not, or whole over fractions alone."""
    cells = [first[at] for at in over]
    if len(set(cells)) < max(2, len(cells)) or not all(_WHOLE.match(cell) for cell in cells):
        return False
    lower = [row[at] for row in below for at in over if len(row) > at and row[at]]
    if not any(_WHOLE.match(cell) for cell in lower):
        return True
    numbers = [int(cell) for cell in cells]
    if all(number in _YEARS for number in numbers):
        return not all(_WHOLE.match(cell) and int(cell) in _YEARS for cell in lower)
    counting = len(numbers) > 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] == 1
    return counting and not any(_rises([row[at] for at in over if len(row) > at]) for row in below)


def _rises(cells: Sequence[str]) -> bool:
    numbers = [int(cell) for cell in cells if _WHOLE.match(cell)]
    return len(numbers) == len(cells) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _numbers(rows: Rows, at: int) -> bool:
    """Whether most cells of a column are numbers."""
    below = [row[at] for row in rows if len(row) > at and row[at]]
    numbers = sum(is_number(cell) or is_decimal_comma(cell) for cell in below)
    return bool(below) and numbers * 2 > len(below)
