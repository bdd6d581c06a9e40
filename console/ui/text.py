"""Words, numbers and names as the screens write them: fixed digits, plain units, both ends of a long name."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.content import Content

from console.safe_text import SIGNS, safe

_plain_signs = False


def use_ascii(on: bool) -> None:
    """Write every sign in ASCII, for terminals and fonts without more."""
    global _plain_signs
    _plain_signs = on


def is_ascii() -> bool:
    """Whether signs are written in ASCII."""
    return _plain_signs


def sign(text: str) -> str:
    """Our own text with its signs as the terminal can show them."""
    if _plain_signs and not text.isascii():
        return "".join(SIGNS.get(char, char) for char in text)
    return text


def glyph(char: str) -> str:
    """The sign of a state in one cell, as the terminal can show it."""
    return sign(char)[:1]


def one_line(text: object, limit: int = 400) -> str:
    """Outside text made harmless, its line breaks and runs of blanks as one blank each."""
    return safe(" ".join(str(text).split()), limit)


def size(count: float | None) -> str:
    """Bytes in at most four digits and one letter: `310K`, `4.2M`, `12K`; empty when unknown."""
    if count is None:
        return ""
    if count < 1000:
        return f"{int(count)}B"
    for unit in "KMGTP":
        count /= 1024
        if count < 9.95:
            return f"{count:.1f}{unit}"
        if count < 999.5:
            return f"{count:.0f}{unit}"
    return f"{count:.0f}E"


def milliseconds(value: float | None) -> str:
    """A duration in two or three digits: `0.82 ms`, `2.1 ms`, `210 ms`, `1.4 s`; empty when unknown."""
    if value is None:
        return ""
    if value < 0.995:
        return f"{value:.2f} ms"
    if value < 9.95:
        return f"{value:.1f} ms"
    if value < 999.5:
        return f"{value:.0f} ms"
    if value < 99_500:
        return f"{value / 1000:.1f} s"
    return f"{value / 60_000:.0f} min"


def rate(value: float | None) -> str:
    """How often a second, in two or three digits: `0.2`, `48`, `6.1k`; empty when unknown."""
    if value is None:
        return ""
    if value >= 999.5:
        return f"{value / 1000:.1f}k" if value < 99_500 else f"{value / 1000:.0f}k"
    return f"{value:.1f}" if 0 < value < 9.95 else f"{value:.0f}"


def ago(when: float, now: float | None = None) -> str:
    """How long ago, in one unit: `5s ago`, `2h ago`, `3d ago`."""
    seconds = max(0.0, (time.time() if now is None else now) - when)
    return "now" if seconds < 1 else f"{span(seconds)} ago"


def until(when: float) -> str:
    """How long until then, in whole seconds: `again in 4 s`, and `again now` once it has come."""
    seconds = math.ceil(when - time.time())
    return f"again in {seconds} s" if seconds > 0 else "again now"


def span(seconds: float) -> str:
    """A stretch of time in one unit, rounded down: `42s`, `7m`, `5h`, `12d`, `3y`."""
    for limit, unit, letter in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h"), (365 * 86400, 86400, "d")):
        if seconds < limit:
            return f"{int(seconds // unit)}{letter}"
    return f"{int(seconds // (365 * 86400))}y"


def uptime(seconds: float) -> str:
    """How long something has been running, in two units at most: `42s`, `7m`, `5h 12m`, `3d 4h`."""
    if seconds < 3600:
        return span(seconds)
    large, small, units = (86400, 3600, "dh") if seconds >= 86400 else (3600, 60, "hm")
    return f"{int(seconds // large)}{units[0]} {int(seconds % large // small)}{units[1]}"


def clock(when: float) -> str:
    """The time of day, `14:03:59`; with the date when it was not today."""
    then = time.localtime(when)
    pattern = "%H:%M:%S" if then[:3] == time.localtime(time.time())[:3] else "%Y-%m-%d %H:%M"
    return time.strftime(pattern, then)


def number(value: float | None) -> str:
    """A metric in four digits that line up: `0.9471`, `12.35`, `48210`; empty when unknown."""
    if value is None:
        return ""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    magnitude = abs(value)
    if magnitude and magnitude < 0.0005:
        return f"{value:.2e}"
    return f"{value:.4f}" if magnitude < 10 else f"{value:.2f}" if magnitude < 1000 else f"{value:.0f}"


def count(number_of: int, noun: str) -> str:
    """`1 model`, `3,000 models`."""
    return f"{number_of} {noun}" if number_of == 1 else f"{number_of:,} {noun}s"


def same(one: object, other: object) -> bool:
    """Whether two texts, or tuples of them, are equal in their colours too, which `==` leaves out."""
    if isinstance(one, Content) and isinstance(other, Content):
        return one.is_same(other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def widest(words: Iterable[str]) -> int:
    """The cells that the longest of some texts takes; none where there are none."""
    return max(map(cell_len, words), default=0)


def padded(words: str, width: int) -> str:
    """Text in at least `width` cells, so that what follows it stands in a column whatever its letters are."""
    return words + " " * (width - cell_len(words))


def cut_middle(text: str, width: int) -> str:
    """`text` in at most `width` cells with both ends kept; what is cut is marked."""
    if cell_len(text) <= width:
        return text
    head, tail = _ends(text, width, middle=True)
    return head + sign("…") + tail


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut at the end."""
    if cell_len(text) <= width:
        return text
    return _ends(text, width, middle=False)[0] + sign("…")


def _ends(text: str, width: int, *, middle: bool) -> tuple[str, str]:
    """The text before and behind the mark of a cut."""
    room = max(0, width - cell_len(sign("…")))
    tail_room = room // 2 if middle else 0
    start = len(text)
    while middle and start and cell_len(text[start - 1 :]) <= tail_room:
        start -= 1
    stop = min(len(text), room - tail_room)
    while stop and cell_len(text[:stop]) > room - tail_room:
        stop -= 1
    return text[:stop], text[start:]


def cut_content(content: Content, width: int, *, middle: bool = True) -> Content:
    """Styled text in at most `width` cells, cut in the middle or at the end."""
    if content.cell_length <= width:
        return content
    head, tail = _ends(content.plain, width, middle=middle)
    return Content.assemble(content[: len(head)], (sign("…"), "$quiet"), content[len(content.plain) - len(tail) :])


Pieces = tuple[tuple[str, str], ...]
"""Text in parts, each with the name of its style."""


def cut_pieces(pieces: Pieces, width: int, *, middle: bool) -> Pieces:
    """Styled text in at most `width` cells, cut in the middle or at the end; each part keeps its style."""
    whole = "".join(piece for piece, _ in pieces)
    head, tail = _ends(whole, width, middle=middle)
    end = len(whole) - len(tail)
    return (*_between(pieces, 0, len(head)), (sign("…"), "quiet"), *_between(pieces, end, len(whole)))


def _between(pieces: Pieces, start: int, stop: int) -> Pieces:
    """The pieces of the text from one place to another."""
    kept, at = [], 0
    for piece, style in pieces:
        kept.append((piece[max(0, start - at) : max(0, stop - at)], style))
        at += len(piece)
    return tuple(kept)


def short_class(dotted: str | None) -> str:
    """`RandomForestClassifier` of `sklearn.ensemble._forest.RandomForestClassifier`."""
    return "" if dotted is None else safe(dotted).rpartition(".")[2]


_ROLE_STYLE = {"ok": "$success", "attention": "$warning", "failure": "$error", "busy": "$accent", "quiet": "$quiet"}


def role_style(role: str) -> str:
    """The colour of a role, as a style a Content understands."""
    return _ROLE_STYLE[role]


def joined(parts: Sequence[str]) -> str:
    """`a · b · c` without the empty ones."""
    return sign(" · ").join(part for part in parts if part)
