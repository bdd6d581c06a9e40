"""Differences of two artifacts as lines to read: what they are, then their arrays in columns."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from console.records import ArrayChange, Change, Differences
from console.records.words import norm_words
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.keyvalue import section

_MOST = 400
_LABEL = 26
_SHAPE, _LEAST = 40, 12
"""The most cells of a shape, and the least of a name."""
_TITLES = {
    "verdict": "what they are", "format": "what they are", "class": "what they are", "weights": "what they are",
    "size": "what they are", "library": "written with", "parameter": "parameters", "signature": "signature",
    "name": "names", "finding": "names",
}  # fmt: skip


def lines(found: Differences, width: int) -> list[Content]:
    """Each kind of difference beneath its title, then the arrays."""
    shown = [_from_to("", safe(found.first), safe(found.second), width), Content("")]
    grouped: dict[str, list[Content]] = {}
    for change in found.changes[:_MOST]:
        grouped.setdefault(_TITLES.get(change.what, change.what), []).append(_change(change, width))
    for title in dict.fromkeys(_TITLES.values()):
        if title in grouped:
            shown += section(title, grouped[title])
    if not found.changes:
        shown += [Content.styled("they are, declare, take and give the same", "$quiet"), Content("")]
    return shown + section("arrays", list(_arrays(found, width)))


def _arrays(found: Differences, width: int) -> Iterator[Content]:
    rows = [_cells(change) for change in found.arrays[:_MOST]]
    shape = min(_SHAPE, text.widest(cells[1] for cells in rows))
    norm = text.widest(cells[2] for cells in rows)
    name = min(text.widest(cells[0] for cells in rows), max(_LEAST, width - shape - norm - 4))
    for cells in rows:
        named = text.padded(text.cut_middle(cells[0], name), name)
        shaped = text.padded(text.cut_middle(cells[1], shape), shape)
        yield Content(f"{named}  {shaped}  {text.padded(cells[2], norm)}".rstrip())
    left = found.left_out + len(found.arrays) - len(rows)
    if left:
        yield Content.styled(f"and {left:,} more differ", "$quiet")
    how = "by their numbers" if found.measured else "by dtype and shape: their numbers were not compared"
    yield Content.styled(f"{text.count(found.alike, 'array')} the same, {how}", "$quiet")


def _cells(change: ArrayChange) -> tuple[str, str, str]:
    """The name, dtype and shape (with a sign where only one side has it), and the norm in both."""
    before, after = safe(change.before or ""), safe(change.after or "")
    shape = f"+ {after}" if not before else f"- {before}" if not after else before
    if before and after and before != after:
        shape = f"{before} {text.sign('→')} {after}"
    return safe(change.name), shape, text.sign(norm_words(change))


def _change(change: Change, width: int) -> Content:
    if change.what in ("name", "finding"):
        sign, style = ("+", "$warning") if change.before is None else ("-", "$quiet")
        return Content.assemble((f"{sign} ", style), safe(change.name, width))
    before, after = _value(change, change.before), _value(change, change.after)
    return _from_to(safe(change.name or change.what, 100), before, after, width)


def _from_to(name: str, before: str, after: str, width: int) -> Content:
    """`name   before → after`, each of the two cut in its middle to what the line has room for."""
    label = text.padded(text.cut_middle(name, _LABEL), _LABEL) + "  " if name else ""
    room = max(8, (width - len(label) - 3) // 2)
    arrow = f" {text.sign('→')} "
    newer = (text.cut_middle(after, room), "bold")
    return Content.assemble((label, "$quiet"), text.cut_middle(before, room), (arrow, "$quiet"), newer)


def _value(change: Change, value: str | None) -> str:
    if value is None:
        return text.sign("–")
    return text.size(int(value)) if change.what == "size" and value.isdecimal() else safe(value, 400)
