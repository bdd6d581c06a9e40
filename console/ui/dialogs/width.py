"""The room for text in a wide dialog, as console.tcss makes it."""

from __future__ import annotations

_WIDEST, _BESIDE = 92, 8
"""Cells of a wide dialog, and how many of them its edges and the scrollbar take."""


def text_width(screen: int) -> int:
    """Cells of a line of text in a wide dialog on a screen of this width."""
    return max(16, min(_WIDEST, screen * 92 // 100) - _BESIDE)
