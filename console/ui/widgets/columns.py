"""The columns of the table of artifacts: what each says of a row, and how wide each is on how wide a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from console.records import Verdict
from console.safe_text import safe
from console.ui import states, text
from console.ui.rows import Row

Cell = tuple[tuple[str, str], ...]
"""Pieces of one cell: text and the name of its style."""

_FRESH_SECONDS = 20
"""How long a change of the file is set off."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `drop` says when it goes as room gets scarce (first 1, never 0); `grow` how wide it may become."""

    name: str
    title: str
    width: int
    drop: int
    right: bool = False
    grow: int = 0
    cedes: bool = False
    """Whether it goes before a name of the models would be cut."""
    sparse: bool = False
    """Whether it goes while no row has a value in it."""


COLUMNS: tuple[Column, ...] = (
    Column("state", "STATE", 10, 0),
    Column("model", "MODEL", 22, 0, grow=120),
    Column("class", "CLASS", 13, 6, grow=120),
    Column("format", "FORMAT", 7, 1, grow=20, cedes=True),
    Column("size", "SIZE", 5, 4, right=True, cedes=True),
    Column("changed", "CHANGED", 7, 3, right=True, cedes=True),
    Column("trust", "TRUST", 9, 7),
    Column("req/s", "REQ/S", 5, 2, right=True, sparse=True),
    Column("err/s", "ERR/S", 5, 1, right=True, sparse=True),
    Column("p99", "P99", 7, 5, right=True, sparse=True),
    Column("rss", "RSS", 5, 2, right=True, sparse=True),
)
_GAP = 2
_WIDEST_GAP = 4
MARGIN = 2
_NO_FREAK = 40
"""A name of so many cells is not too long for any terminal."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns are shown, each with its cells, and the cells between them."""

    columns: tuple[tuple[Column, int], ...]
    gap: int


def layout(width: int, wanted: Mapping[str, int], chosen: Sequence[str] = ()) -> Layout:
    """The columns that fit into `width` cells; the least important go first, and those go in which nothing stands.

    Of the `chosen` ones only the width takes any away; with a leading `-` they are those to be left out.

    A column that grows takes what its longest text needs (`wanted`, by name), the models' names before all others; but
    where one name is far longer than is `usual`, it waits for its room until the others have theirs. What is left after
    that widens the gaps a little and stays empty beyond.
    """
    room = width - 2 * MARGIN
    kept = [column for column in columns_of(chosen) if not column.sparse or wanted.get(column.name)]
    while _used(kept) > room and any(column.drop for column in kept):
        kept.remove(min((column for column in kept if column.drop), key=lambda column: column.drop))
    names = next(column for column in kept if column.name == "model")
    longest = wanted.get("model", 0)
    first = max(wanted.get("usual", longest), min(longest, max(_NO_FREAK, room // 3)))
    lacking = min(names.grow, first) - names.width
    while _used(kept) + lacking > room and any(column.cedes for column in kept):
        kept.remove(min((column for column in kept if column.cedes), key=lambda column: column.drop))
    spare = room - _used(kept)
    widths = {column.name: column.width for column in kept}
    longer = max(0, min(spare, lacking))
    widths["model"] += longer
    spare -= longer
    growing = [column for column in kept if column.grow]
    while spare > 0 and growing:
        growing = [one for one in growing if widths[one.name] < min(one.grow, wanted.get(one.name, 0))]
        for column in growing[:spare]:
            widths[column.name] += 1
            spare -= 1
    gap = min(_WIDEST_GAP, _GAP + max(0, spare) // max(1, len(kept) - 1))
    return Layout(tuple((column, widths[column.name]) for column in kept), gap)


def columns_of(chosen: Sequence[str]) -> tuple[Column, ...]:
    """The columns that may be shown when these were chosen, in their places; state and model always are.

    A column that was asked for by its name gives way to nothing but the width.
    """
    named = [name for name in chosen if not name.startswith("-")]
    if not named:
        return tuple(column for column in COLUMNS if f"-{column.name}" not in chosen or not column.drop)
    kept = (column for column in COLUMNS if column.name in named or not column.drop)
    return tuple(replace(column, cedes=False, sparse=False) for column in kept)


def _used(columns: Sequence[Column]) -> int:
    return sum(column.width + _GAP for column in columns) - _GAP


def cells(row: Row, now: float) -> dict[str, Cell]:
    """The cells of a row by column, before they are cut to their widths."""
    artifact, state, trust = row.artifact, row.status, states.trust(row.artifact)
    folder, slash, name = safe(artifact.path).rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    fresh = now - artifact.modified < _FRESH_SECONDS
    refused = artifact.verdict is Verdict.BLOCKED and artifact.why
    known = "" if refused else states.class_words(artifact)
    described: Cell = (
        ((row.trouble, "failure"),)
        if row.trouble
        else ((known, "plain"),)
        if known
        else ((safe(artifact.problem or artifact.why), "quiet"),)
    )
    return {
        "state": ((f"{text.glyph(state.glyph)} ", state.role), (state.word, state.role)),
        "model": (
            (folder + slash, "quiet"),
            (stem or name, "name"),
            (dot + suffix if stem else "", "quiet"),
        ),
        "class": described,
        "format": ((safe(artifact.format or "", 24), "quiet"),),
        "size": ((text.size(artifact.size if artifact.modified else None), "plain"),),
        "changed": (
            (text.ago(artifact.modified, now) if artifact.modified else "", "attention" if fresh else "quiet"),
        ),
        "trust": ((f"{text.glyph(trust.glyph)} ", trust.role), (trust.word, _quieter(trust.role))),
        "req/s": ((text.rate(row.rate), "plain"),),
        "err/s": ((text.rate(row.error_rate) if row.error_rate else "", "failure"),),
        "p99": ((text.milliseconds(row.p99), "plain"),),
        "rss": ((text.size(row.rss), "plain"),),
    }


def fitted(cell: Cell, column: Column, room: int) -> Cell:
    """The pieces of a cell in exactly `room` cells; what is too long is cut, of two figures the second goes first."""
    length = sum(cell_len(piece) for piece, _ in cell)
    if length > room and column.name == "class" and cell[0][1] == "failure":
        cell = ((cell[0][0].partition(", ")[0], "failure"),)
        length = cell_len(cell[0][0])
    if length > room:
        cell = text.cut_pieces(cell, room, middle=column.name == "model")
        length = sum(cell_len(piece) for piece, _ in cell)
    pad = (" " * (room - length), "plain")
    return (pad, *cell) if column.right else (*cell, pad)


def _quieter(role: str) -> str:
    """The colour of words beside a glyph: quiet where all is well."""
    return "quiet" if role == "ok" else role
