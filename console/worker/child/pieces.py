"""Tables too long to be held in memory: their rows are read again piece by piece, and models answer them so.

A model may be asked in pieces where its answer for a row does not depend on the other rows of a call. That is known of
scikit-learn's own estimators, of gradient boosting by XGBoost, LightGBM and CatBoost, and of
pipelines made of both. Any other model gets all rows in one call, for which a long table is read whole.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Callable, Optional

from backends.core.errors import Refusal
from backends.core.model import Model
from backends.core.source import Source
from console.worker.child.answers import Answers, take
from console.worker.child.asking import ask
from console.worker.child.data.options import Extent, Knowledge, ReadOptions
from console.worker.child.data.text import bad
from console.worker.child.lazy import numpy
from console.worker.child.main import Request
from console.worker.child.readers import Raw, columns_frame, pandas, read
from console.worker.child.tables import Table, Target, read_table

HELD_BYTES = 48 << 20
"""Memory that the columns of a text table may take before its rows are read in pieces."""
_PIECE_CELLS, _PIECE_BYTES, _PIECE_ROWS = 1 << 21, 1 << 24, 1 << 16
_COPIES = 3
"""Times the memory of its cells that a table takes while a model is asked about all of it."""
_TELL_S = 0.2
"""Seconds between two reports of how much was read."""


class LongTable(Table):
    """A table of which a piece is in memory. Rows are cheap to get one after another; to go back begins anew."""

    def __init__(self, source: Source, raw: Raw, first: Table, fitted: Callable[[Any], Table]) -> None:
        assert raw.long is not None
        self._source = source
        self._long = raw.long
        self._fitted = fitted
        self.rows = self._long.rows
        self.columns, self.decided, self.target = first.columns, first.decided, first.target
        self.bytes = self._long.bytes * _COPIES
        self._pieces: Optional[Iterator[dict[str, Any]]] = None
        self._held: list[tuple[int, Table]] = []
        self._end = 0

    @property
    def X(self) -> Any:
        """All inputs. Raises Refusal where they do not fit into the memory of this worker."""
        return self.both()[0]

    @property
    def y(self) -> Any:
        """All truths, or None."""
        if self.target is None:
            return None
        return _joined([self._fitted(columns_frame(piece)).y for piece in self._long.pieces()])

    def both(self) -> tuple[Any, Any]:
        """See `X` and `y`."""
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        if limit != resource.RLIM_INFINITY and self.bytes > limit:
            much = f"takes about {self.bytes >> 20} MiB at once, more than the {limit >> 20} MiB that a worker may have"
            raise bad(self._source, f"{much}: name fewer rows, or raise [worker] memory_mb in the settings")
        return self._rows(0, self.rows)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._source.fd)

    def slice(self, start: int, stop: Optional[int]) -> Any:
        """Rows `start` to `stop` of the inputs."""
        return self._rows(start, stop)[0]

    def truth(self, start: int, stop: Optional[int]) -> Any:
        """The truths of these rows. Raises Refusal where there is no target."""
        if self.target is None:
            raise Refusal("bad-input", "this table has no target to score against: name its column")
        return self._rows(start, stop)[1]

    def _rows(self, start: int, stop: Optional[int]) -> tuple[Any, Any]:
        """Inputs and truths of some rows; those before them are let go."""
        stop = self.rows if stop is None else min(stop, self.rows)
        start = min(start, stop)
        if self._pieces is None or start < (self._held[0][0] if self._held else self._end):
            self._pieces, self._held, self._end = self._long.pieces(), [], 0
        self._held = [(begin, table) for begin, table in self._held if begin + table.rows > start]
        while self._end < stop or not self._held:
            piece = next(self._pieces)
            begin, self._end = self._end, self._end + len(next(iter(piece.values())))
            if self._end > start or self._end == self.rows:
                self._held.append((begin, self._fitted(columns_frame(piece))))
        parts = [(max(0, start - begin), stop - begin, table) for begin, table in self._held if begin <= stop]
        inputs = _joined([table.slice(one, two) for one, two, table in parts])
        if hasattr(inputs, "iloc"):
            inputs.index = range(start, stop)
        truths = None if self.target is None else _joined([table.y[one:two] for one, two, table in parts])
        return inputs, truths


def _joined(parts: list[Any]) -> Any:
    """Parts of frames, arrays or truths, one behind another."""
    if len(parts) == 1:
        return parts[0]
    library = pandas()
    if hasattr(parts[0], "iloc") and library is not None:
        return library.concat(parts, ignore_index=True)
    return numpy.concatenate(parts)


def open_table(
    source: Source,
    target: Target,
    model: Optional[Model],
    options: ReadOptions,
    extent: Extent,
    *,
    needs_target: bool = True,
) -> Table:
    """The table of a file for this model, held as far as `extent` says. Raises Refusal as `read_table` does."""
    found: list[Raw] = []

    def reader(source: Source, name: Optional[str], options: ReadOptions, known: Knowledge) -> Raw:
        found.append(read(source, name, options, known, extent))
        return found[0]

    first = read_table(source, target, model, options, reader, needs_target=needs_target)
    raw = found[0]
    if raw.long is None:
        return first
    source.fd = os.dup(source.fd)

    def fitted(frame: Any) -> Table:
        piece = replace(raw, frame=frame, problems=None, decided=[])
        return read_table(source, target, model, options, lambda *_: piece, needs_target=needs_target)

    return LongTable(source, raw, first, fitted)


def progress(request: Request, size: int) -> Callable[[int, int], None]:
    """Reports of how much of a file of this size was read, a few in a second."""
    last = time.monotonic()

    def tell(rows: int, done: int) -> None:
        nonlocal last
        if time.monotonic() - last > _TELL_S:
            last = time.monotonic()
            request.event("progress", rows=rows, share=min(1.0, done / max(1, size)))

    return tell


def piece_of(model: Model, table: Table) -> Optional[int]:
    """How many rows the model may be asked about at a time; None where all must go into one call."""
    if not model.by_row:
        return None
    fitting = max(1, _PIECE_CELLS // max(1, len(table.columns)))
    if isinstance(table, LongTable):
        fitting = max(1, min(fitting, _PIECE_BYTES * _COPIES * table.rows // max(1, table.bytes)))
    return min(_PIECE_ROWS, 1 << fitting.bit_length() - 1)


def manner(model: Model, table: Table, piece: Optional[int]) -> str:
    """How the rows of a long table reach the model, in words; "" for any other."""
    if not isinstance(table, LongTable):
        return ""
    if piece is not None:
        return f", in pieces of {piece:,} rows"
    why = f"since {model.name} is not known to answer row by row"
    return f", all rows in one call, {why}, for which it takes about {table.bytes >> 20:,} MiB of memory"


class _InPieces(Answers):
    """Answers to a long table, or to the rows of it that `there` marks, asked for piece by piece."""

    def __init__(self, model: Model, table: LongTable, rows: int, there: Any = None) -> None:
        self.model = model
        self._table = table
        self._rows = rows
        self._there = there
        self._known = {}

    @property
    def X(self) -> Any:
        """All rows at once, which few metrics want."""
        return self._table.X if self._there is None else take(self._table.X, self._there.nonzero()[0])

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._table.rows if self._there is None else int(self._there.sum())

    def only(self, there: Any) -> Answers:
        """The answers to the rows that are marked, none of them asked yet."""
        return _InPieces(self.model, self._table, self._rows, there)

    def _asked(self, method: str) -> Any:
        return _joined([ask(self.model, method, rows) for rows in self._parts()])

    def _parts(self) -> Iterator[Any]:
        for start in range(0, self._table.rows, self._rows):
            rows = self._table.slice(start, start + self._rows)
            if self._there is None:
                yield rows
                continue
            places = self._there[start : start + self._rows].nonzero()[0]
            if len(places):
                yield take(rows, places)


def answers_of(model: Model, table: Table) -> Answers:
    """Answers of a model to all rows of a table, in pieces where it is long and the model allows it."""
    piece = piece_of(model, table)
    if isinstance(table, LongTable) and piece is not None:
        return _InPieces(model, table, piece)
    return Answers(model, table.X)
