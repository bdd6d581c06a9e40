"""Records in words, for whoever tells a person of them: growth of memory, rates, spans of time, changes of content."""

from __future__ import annotations

from collections.abc import Collection

from backends.core.inspection import Json
from console.records.differences import ArrayChange
from console.records.memory import MemoryForecast
from console.records.trust import Change, ContentDiff
from console.records.workers import Growth

__all__ = [
    "CERTAIN",
    "change_words",
    "growth_words",
    "memory_words",
    "news",
    "norm_words",
    "rate_words",
    "size_words",
    "span_words",
    "tensor_words",
]

CERTAIN = 3.0
"""Growth is told from this many standard errors on."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_NEWS = 2
_MOST_NUMBERS = 40
"""More numbers of one row are told by the first and the last of them."""


def growth_words(growth: Growth | None) -> str:
    """`memory grows by 1.2 KiB ± 0.1 KiB per call; …`, or how much growth would have gone unseen."""
    if growth is None:
        return "memory: too few readings to tell whether it grows"
    if not growth.grows:
        unseen = max(0.0, growth.per_call) + CERTAIN * growth.error
        return f"memory: no growth seen (below {size_words(unseen)} per call)"
    told = f"memory grows by {size_words(growth.per_call)} ± {size_words(growth.error)} per call"
    if growth.seconds_left is None or growth.limit is None:
        return told
    when = f"after about {span_words(growth.seconds_left)}" if growth.seconds_left else "now"
    return f"{told}; reaches the limit of {size_words(growth.limit)} {when} at this rate"


def memory_words(told: MemoryForecast) -> str:
    """`about 120 MiB (90 MiB to 160 MiB) of 12.4 GiB free`, or of what one worker may hold where that is less."""
    expected, low, high = (size_words(one) for one in (told.expected, told.low, told.high))
    takes = f"about {expected} ({low} to {high})"
    if told.free is None or told.limit < told.free:
        return f"{takes} of {size_words(told.limit)} that one worker may hold"
    return f"{takes} of {size_words(told.free)} free"


def rate_words(rate: float) -> str:
    """A rate to three digits, and to whole calls where it has more."""
    return f"{rate:.3g}" if rate < 100 else f"{rate:,.0f}"


def span_words(seconds: float) -> str:
    """Seconds as people say them: `40 s`, `25 min`, `3 h`, `12 days`."""
    for most, unit, words in ((90, 1, "s"), (5400, 60, "min"), (48 * 3600, 3600, "h"), (1000 * 86400, 86400, "days")):
        if seconds < most:
            return f"{max(1, round(seconds / unit))} {words}"
    return "years"


def size_words(size: float) -> str:
    """Bytes to three digits: `12.4 GiB`."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.3g} {_UNITS[unit]}" if size < 100 else f"{size:.0f} {_UNITS[unit]}"


def news(since: ContentDiff, alarming: Collection[str] = ()) -> str:
    """The news of another content, in half a line: `now names os.system (was not there before)`.

    Of the names that are new, only the `alarming` are told where there are any.
    """
    parts = _name_news(since, alarming)
    parts += [change_words(one) for one in since.changes if one.what not in ("name", "size")]
    parts = parts or [change_words(one) for one in since.changes]
    rest = len(parts) - _NEWS
    return "; ".join(parts[:_NEWS]) + (f"; and {rest} more" if rest > 0 else "")


def _name_news(since: ContentDiff, alarming: Collection[str]) -> list[str]:
    added = [one.name for one in since.changes if one.what == "name" and one.before is None]
    added = [name for name in added if name in alarming] or added
    removed = [one.name for one in since.changes if one.what == "name" and one.after is None]
    parts = []
    if added:
        were = "was" if len(added) == 1 else "were"
        parts.append(f"now names {_few(added)} ({were} not there before)")
    if removed:
        parts.append(f"no longer names {_few(removed)}")
    return parts


def _few(listed: list[str]) -> str:
    return f"{', '.join(listed[:2])} and {len(listed) - 2} more" if len(listed) > 3 else ", ".join(listed)


def norm_words(change: ArrayChange) -> str:
    """The norms of an array in both: `12.3 → 12.9 (+4.9 %)`."""
    before, after = change.norm_before, change.norm_after
    if before is None or after is None:
        return "" if before is None and after is None else f"{before if after is None else after:.4g}"
    part = f" ({(after - before) / before:+.2%})" if before else ""
    return f"{before:.4g} → {after:.4g}{part}"


def tensor_words(value: Json, numbers: int = 3) -> str:
    """Numbers in several axes, or very many of them, in a few words: `3x64x64: 0.637 0.27 0.041 … 0.525`; "" for any
    other value."""
    if not isinstance(value, list) or not value or not (isinstance(value[0], list) or len(value) > _MOST_NUMBERS):
        return ""
    shape, first, last = [len(value)], value, value[-1]
    while isinstance(last, list) and last:
        shape.append(len(last))
        first = [one for part in first[:numbers] if isinstance(part, list) for one in part[:numbers]]
        last = last[-1]
    if not all(isinstance(one, (int, float)) for one in (*first[:numbers], last)):
        return ""
    return f"{'x'.join(map(str, shape))}: {' '.join(map(_short, first[:numbers]))} … {_short(last)}"


def _short(value: Json) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:20]


def change_words(change: Change) -> str:
    """One change in a few words: `C 1.0 → 3.0`, `verdict safe → blocked`."""
    name = change.name or change.what
    if change.before is None:
        return f"{name} is new" if change.what in ("finding", "name") else f"{name} is now {change.after}"
    if change.after is None:
        return f"{name} is gone"
    return f"{name} {change.before} → {change.after}"
