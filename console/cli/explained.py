"""An explanation as aligned text and as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from console.cli.output import columns, size_words
from console.records import Change, Claim, ContentDiff, Evidence, Explanation, Json
from console.records.words import change_words
from console.safe_text import safe

_LABEL = 12
_SHOWN = 20
_CHANGES = 30


def lines(told: Explanation) -> Iterator[str]:
    """The sentence, every point with what is behind it, what it would take, and what is new."""
    yield told.headline
    for point in told.points:
        yield ""
        yield from _point(point)
    if told.takes or told.policy or told.since is not None:
        yield ""
    yield from _labelled("to load it", told.takes)
    if told.policy:
        yield f"{'policy':<{_LABEL}}{told.policy}"
    if told.since is not None:
        yield from _labelled("since", _since(told.since))
    yield ""


def _point(point: Claim) -> Iterator[str]:
    yield f"  {point.verdict:<9} {point.title}"
    if point.text:
        yield f"{'':<{_LABEL}}{point.text}"
    for row in _table(point.mentions[:_SHOWN]):
        yield f"{'':<{_LABEL + 2}}{row}"
    more = point.more + max(0, len(point.mentions) - _SHOWN)
    if more:
        yield f"{'':<{_LABEL + 2}}and {more} more"


def _table(mentions: Iterable[Evidence]) -> Iterator[str]:
    rows = [(one.name, one.where, "new" if one.new else "", one.use) for one in mentions]
    kept = [index for index in range(4) if any(row[index] for row in rows)]
    cells = [tuple(row[index] for index in kept) for row in rows]
    return iter(columns(cells[0], cells[1:]) if cells else ())


def _labelled(label: str, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield f"{label:<{_LABEL}}{text}"
        label = ""


def _since(since: ContentDiff) -> Iterator[str]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(since.when))
    which = f"version {since.version} of {when}" if since.version is not None else f"the content first seen {when}"
    if not since.changes:
        yield f"{which}: it names and declares the same"
        return
    yield f"{which}, which it took the place of:"
    yield from (_change(change) for change in since.changes[:_CHANGES])
    more = since.left_out + max(0, len(since.changes) - _CHANGES)
    if more:
        yield f"and {more} more changes"


def _change(change: Change) -> str:
    if change.what in ("name", "finding"):
        sign = "+" if change.before is None else "-" if change.after is None else " "
        return f"{sign} {safe(change.name, 200)}"
    if change.what == "size" and change.before is not None and change.after is not None:
        return f"  size {size_words(int(change.before))} → {size_words(int(change.after))}"
    return f"  {safe(change_words(change), 200)}"


def points_json(told: Explanation) -> list[Json]:
    """Every point, worst first."""
    return [
        {
            "code": point.code,
            "verdict": point.verdict.value,
            "title": point.title,
            "text": point.text,
            "mentions": [_mention_json(mention) for mention in point.mentions],
            "more": point.more,
        }
        for point in told.points
    ]


def _mention_json(mention: Evidence) -> Json:
    return {
        "name": mention.name,
        "offset": mention.offset,
        "place": mention.place or None,
        "at": mention.at or None,
        "called": mention.called,
        "arguments": mention.arguments,
        "new": mention.new,
    }


def since_json(since: ContentDiff | None) -> Json:
    """The differences from the last version; null where none is known."""
    if since is None:
        return None
    names = [one for one in since.changes if one.what == "name"]
    changes: list[Json] = [
        {"what": one.what, "name": one.name or None, "before": one.before, "after": one.after} for one in since.changes
    ]
    return {
        "when": since.when,
        "version": since.version,
        "digest": since.digest,
        "names_added": [one.name for one in names if one.before is None],
        "names_removed": [one.name for one in names if one.after is None],
        "changes": changes,
        "left_out": since.left_out,
    }


def trust_json(told: Explanation) -> dict[str, Json]:
    """The fields of `trust` in an inspection's JSON beside the verdict and its reasons."""
    return {
        "headline": told.headline,
        "explanation": points_json(told),
        "would_take": list(told.takes),
        "policy": told.policy,
        "since_last": since_json(told.since),
    }
