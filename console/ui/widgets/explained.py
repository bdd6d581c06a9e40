"""An explanation of a verdict as lines to read: the sentence, the points, what it would take, and what is new."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from console.records import Change, Claim, ContentDiff, Evidence, Explanation, Verdict
from console.records.words import change_words
from console.safe_text import safe
from console.ui import states, text
from console.ui.key_words import key_words
from console.ui.widgets.keyvalue import paragraph

FEW = 3
"""Points, mentions and changes told where an explanation is not the only thing on the screen."""
_MANY = 200
_INDENT = 2


def brief_lines(told: Explanation, width: int) -> list[Content]:
    """The sentence, at most three points and what is new in two lines: the rest is on a screen of its own."""
    lines = paragraph(safe(told.headline, 600), width)
    points = told.points[:FEW]
    for point in points:
        if told.headline.endswith(f" {point.title}."):
            lines += _mentions(point, width, FEW)
        else:
            lines += point_lines(point, width, 1 if len(points) > 1 else FEW)
    if told.since is not None and told.since.changes:
        lines += [Content(""), *since_lines(told.since, width, FEW)]
    hidden = len(told.points) - len(points)
    more = f"{hidden} more · " if hidden > 0 else ""
    if told.points or told.since is not None:
        lines.append(key_words(text.sign(more) + "{trust} tells all of it"))
    return lines


def full_lines(told: Explanation, width: int) -> list[Content]:
    """All of it, what is new first."""
    lines = [*paragraph(safe(told.headline, 2000), width, style="bold"), Content("")]
    if told.since is not None:
        lines += [*since_lines(told.since, width, _MANY), Content("")]
    for point in told.points:
        lines += [*point_lines(point, width, _MANY), Content("")]
    return lines + takes_lines(told, width)


def question_lines(told: Explanation, width: int) -> list[Content]:
    """The lines before a yes: what is new, then every point."""
    lines = []
    if told.since is not None:
        lines += [*since_lines(told.since, width, FEW), Content("")]
    for point in told.points:
        if point.verdict is not Verdict.SAFE:
            lines += [*point_lines(point, width, _MANY), Content("")]
    return lines[:-1] if lines else lines


def point_lines(point: Claim, width: int, most: int) -> list[Content]:
    """A point under its glyph, and the names behind it."""
    status = states.verdict_status(point.verdict)
    lines = _under(text.glyph(status.glyph), text.role_style(status.role), Content(safe(point.title, 400)), width)
    if point.text and most > 1:
        lines += paragraph(safe(point.text, 400), width, _INDENT, "$quiet")
    return lines + _mentions(point, width, most)


def _mentions(point: Claim, width: int, most: int) -> list[Content]:
    lines = [line for mention in point.mentions[:most] for line in _mention(mention, width)]
    more = point.more + max(0, len(point.mentions) - most)
    return lines + (paragraph(f"and {more} more", width, 2 * _INDENT, "$quiet") if more else [])


def _mention(mention: Evidence, width: int) -> list[Content]:
    """`posix.system  byte 867, called with 'touch x'  new`, wrapped beneath the name."""
    rest = ", ".join(safe(part, 300) for part in (mention.where, mention.use) if part)
    parts: list[tuple[str, str]] = [(safe(mention.name, 300), "bold" if mention.use else "")]
    if rest:
        parts.append((f"  {rest}" if mention.name else rest, "$quiet"))
    if mention.new:
        parts.append(("  new", "bold $warning"))
    return paragraph(Content.assemble(*parts), width, 2 * _INDENT)


def since_lines(since: ContentDiff, width: int, most: int) -> list[Content]:
    """The lines about the content before, and the differences now."""
    which = f"version {since.version}" if since.version is not None else "the last version"
    head = Content.assemble((f"since {which}", "bold"), (f", {text.ago(since.when)}", "$quiet"))
    if not since.changes:
        return [head + Content.styled(": it names and declares the same", "$quiet")]
    lines = [head]
    for change in since.changes[:most]:
        lines += _change(change, width)
    more = since.left_out + max(0, len(since.changes) - most)
    if more:
        lines += paragraph(f"and {more} more changes", width, _INDENT, "$quiet")
    return lines


def _change(change: Change, width: int) -> list[Content]:
    if change.what in ("name", "finding") and change.after is None:
        return _under("-", "$quiet", Content.styled(safe(change.name, 300), "$quiet"), width, _INDENT)
    if change.what in ("name", "finding") and change.before is None:
        return _under("+", "bold $warning", Content.styled(safe(change.name, 300), "bold"), width, _INDENT)
    words = change_words(change)
    if change.what == "size" and change.before is not None and change.after is not None:
        before, after = int(change.before), int(change.after)
        words = f"size {text.size(before)} → {text.size(after)}"
        if text.size(before) == text.size(after):
            words = f"size {before:,} → {after:,} bytes"
    return _under(" ", "", Content(text.sign(safe(words, 300))), width, _INDENT)


def takes_lines(told: Explanation, width: int) -> list[Content]:
    """The lines about ways of using the file all the same."""
    if not told.takes:
        return []
    lines = [Content.styled("what it would take", "bold")]
    for one in told.takes:
        lines += _under(text.sign("·"), "$quiet", Content(safe(one, 400)), width)
    if told.policy:
        lines += paragraph(safe(told.policy, 4000), width, _INDENT, "$accent")
    return lines


def _under(glyph: str, style: str, words: Content, width: int, indent: int = 0) -> list[Content]:
    """Words beside a glyph, wrapped so that nothing stands beneath it."""
    beside = len(glyph) + 1
    lines: Sequence[Content] = words.wrap(max(8, width - beside - indent))
    margin = Content(" " * indent)
    first = margin + Content.assemble((glyph, style), " ") + lines[0].rstrip()
    return [first, *(margin + Content(" " * beside) + line.rstrip() for line in lines[1:])]
