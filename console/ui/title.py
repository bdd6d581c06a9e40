"""The terminal's title: store and trouble, where a window's list or tmux shows it while one looks elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from console.safe_text import safe
from console.ui import text

_PUSH, _POP = "\x1b[22;2t", "\x1b[23;2t"
"""Have the terminal keep the title that it has (xterm, VTE, kitty, foot, tmux), and put it back."""
_UNTITLED = ("dumb", "linux", "cons", "vt", "ansi", "sun", "unknown")
"""Beginnings of TERM for terminals that have no title and may print what would set one."""
_LONGEST = 60


class Title:
    """The title of the terminal; written only when it says something else, and while the terminal is taken."""

    def __init__(self, write: Callable[[str], None], terminal: str | None = None) -> None:
        self._write = write
        self._able = takes_title(os.environ.get("TERM", "") if terminal is None else terminal)
        self._taken = False
        self._words = ""

    def take(self) -> None:
        """The terminal is ours, perhaps again."""
        self._taken = True
        if self._words:
            self._write(_PUSH + _titled(self._words))

    def give_back(self) -> None:
        """Put the title back that was there before; none where the terminal has kept none."""
        if self._taken and self._words:
            self._write(_titled("") + _POP)
        self._taken = False

    def tell(self, words: str) -> None:
        """Say this from now on."""
        if not self._able or words == self._words:
            return
        first, self._words = not self._words, words
        if self._taken:
            self._write((_PUSH if first else "") + _titled(words))


def takes_title(terminal: str) -> bool:
    """Whether a terminal of this name (TERM) knows what to do with a title."""
    return bool(terminal) and not terminal.startswith(_UNTITLED)


def title_words(store: str, counts: Mapping[str, int], offline: bool) -> str:
    """`model-console: models · 2 failing, 1 dead`: without anything that could steer a terminal."""
    name = text.cut_middle(safe(os.path.basename(store) or store), _LONGEST)
    troubles = ["store not there"] if offline else []
    troubles += [f"{counts[word]} {said}" for word, said in _TROUBLES if counts.get(word)]
    words = f"model-console: {name}" + (text.sign(" · ") + ", ".join(troubles) if troubles else "")
    if text.is_ascii():
        from console.ui.ascii_signs import as_ascii

        words = as_ascii(words)
    return words


_TROUBLES = (("failing", "failing"), ("error", "dead"))
"""States of a row that the title counts, and its words for them."""


def _titled(words: str) -> str:
    return f"\x1b]2;{words}\x1b\\"
