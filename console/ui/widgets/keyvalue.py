"""Names and values in two columns, values wrapped beside their name; sections with a heading and one empty line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content

from console.records.words import tensor_words
from console.safe_text import safe
from console.ui import text

LABEL = 13
"""Cells a name has at least, with the blank behind it."""

Value = Content | str
"""A value that is our own words, or outside text already made harmless."""


def pairs(rows: Iterable[tuple[str, Value]], width: int, label: int = 0) -> list[Content]:
    """One line (or more, where a value is long) for each pair; empty values are left out.

    Without a `label` names have the cells they need: at most half of the width, or what no value needs.
    """
    shown = [(name, value if isinstance(value, Content) else Content(value)) for name, value in rows]
    shown = [(name, content) for name, content in shown if content.plain]
    if not label:
        longest = text.widest(name for name, _ in shown) + 2
        free = width - max((content.cell_length for _, content in shown), default=0)
        label = max(LABEL, min(longest, max(width // 2, free)))
    lines = []
    for name, content in shown:
        said = text.cut_middle(name, label - 2)
        start = Content.styled(text.padded(said, label), "$quiet")
        for part in content.wrap(max(8, width - label)):
            lines.append(start + part.rstrip())
            start = Content(" " * label)
    return lines


def section(title: str, lines: Sequence[Content]) -> list[Content]:
    """A heading, its lines and an empty one; nothing at all when there are no lines."""
    return [Content.styled(title, "bold $accent"), *lines, Content("")] if lines else []


def paragraph(words: Value, width: int, indent: int = 0, style: str = "") -> list[Content]:
    """A sentence wrapped to the width."""
    content = words if isinstance(words, Content) else Content.styled(words, style)
    margin = Content(" " * indent)
    return [margin + part.rstrip() for part in content.wrap(max(8, width - indent))]


def value_text(value: object, limit: int = 200) -> str:
    """A parameter's value as Python would write it, made harmless; a float in the digits it needs."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return safe(repr(value), limit)
    if isinstance(value, list) and (words := tensor_words(value)):
        return text.sign(safe(words, limit))
    if isinstance(value, (list, tuple)):
        items = (
            f"{{{value_text(item)}}}" if isinstance(item, dict) else value_text(item, limit) for item in value[:20]
        )
        return safe("[" + ", ".join(items) + "]", limit)
    if isinstance(value, dict):
        return safe(", ".join(f"{key}: {value_text(item, limit)}" for key, item in list(value.items())[:20]), limit)
    return safe(value, limit)


def answer_text(value: object, limit: int = 200) -> str:
    """A value as a person reads it: a text without quotes, made harmless."""
    return safe(value, limit) if isinstance(value, str) else value_text(value, limit)
