"""Progress of long work, told on stderr: one line that changes on a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
from time import monotonic

from console.cli.output import Output
from console.ending import silence

__all__ = ["Progress"]

_QUIET_S = 1.0
"""What takes no longer than this is not told of."""
_TERMINAL_S, _LINE_S = 0.2, 2.0
"""Seconds between two reports."""


class Progress:
    """Reports of one stretch of work: `what` is done to rows."""

    def __init__(self, output: Output, what: str) -> None:
        self._output = output
        self._what = what
        self._next = monotonic() + _QUIET_S
        self._first: tuple[float, float] | None = None
        self._terminal = sys.stderr.isatty()
        self._shown = False

    def __call__(self, rows: int, share: float) -> None:
        """So many rows, and such a share of all, are done."""
        now = monotonic()
        begun, before = self._first = self._first or (now, share)
        if now < self._next:
            return
        self._next = now + (_TERMINAL_S if self._terminal else _LINE_S)
        left = f", {_words((now - begun) * (1 - share) / (share - before))} left" if share > before else ""
        self._show(f"{self._what}: {rows:,} rows, {share:.0%}{left}")

    def done(self) -> None:
        """Clear the line on a terminal."""
        if self._shown:
            self._write("\r\x1b[K")

    def _show(self, text: str) -> None:
        if not self._terminal:
            self._output.say(text)
            return
        self._shown = True
        self._write(f"\r\x1b[K{text[:79]}")

    @staticmethod
    def _write(text: str) -> None:
        try:
            print(text, end="", file=sys.stderr, flush=True)
        except OSError:
            silence(sys.stderr.fileno())


def _words(seconds: float) -> str:
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
