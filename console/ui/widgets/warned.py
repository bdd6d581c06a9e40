"""Warnings about a model's answers, in lines to stand beside them."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from console.records import WorkerView
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.keyvalue import paragraph

__all__ = ["warned_line", "warned_lines", "warnings_of"]

_MOST = 2


def warnings_of(worker: WorkerView | None, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Those that hold for every answer of a worker, and `more` of one answer, each once."""
    return tuple(dict.fromkeys((*(worker.warnings if worker is not None else ()), *more)))


def warned_lines(warnings: Sequence[str], width: int) -> list[Content]:
    """The first warnings wrapped to the width, and how many others there are."""
    lines: list[Content] = []
    for warning in warnings[:_MOST]:
        mark = Content.styled(f"{text.sign('▲')} {safe(warning, 300)}", "$warning")
        lines += paragraph(mark, width)
    if len(warnings) > _MOST:
        lines.append(Content.styled(f"  and {text.count(len(warnings) - _MOST, 'more warning')}", "$warning"))
    return lines


def warned_line(warnings: Sequence[str]) -> Content:
    """All of it in one line: the first, and how many others there are."""
    if not warnings:
        return Content("")
    more = f"  (+{len(warnings) - 1})" if len(warnings) > 1 else ""
    return Content.styled(f"{text.sign('▲')}{more} {safe(warnings[0], 300)}", "$warning")
