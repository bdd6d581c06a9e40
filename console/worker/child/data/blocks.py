"""Lines of a text table in blocks of whole lines, and rows of cells from one block after another."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any, Optional, cast

from console.worker.child.data.dialect import Dialect, records

Row = tuple[int, list[str]]
"""The line a row of cells ends on, and its cells."""


class Block:
    """Some lines of a file. Its rows end with the block, or with the lines behind it that its last row goes on in."""

    def __init__(self, text: str, file: IO[str], line: int) -> None:
        self.text = text
        self.line = line
        """How many lines lie before it."""
        self._file = file
        self._lines: Iterator[str] = iter(())
        self._left = 0
        self._given = 0

    def rows(self, dialect: Dialect, at_least: int = 1) -> Iterator[Row]:
        """Its rows, `at_least` so many where the file has them. Raises csv.Error."""
        lines = io.StringIO(self.text, newline="").readlines()
        self._lines, self._left = iter(lines), len(lines)
        for count, (line, row) in enumerate(records(cast(Any, self), replace(dialect, skipped=0)), 1):
            yield self.line + line, row
            if not self._left and count >= at_least:
                return

    @property
    def end(self) -> int:
        """How many lines lie before the next one, once all rows were taken."""
        return self.line + self._given

    def lines(self) -> Block:
        """Itself: what `records` reads lines from."""
        return self

    def __enter__(self) -> Block:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines, None) or self._file.readline()
        if not line:
            raise StopIteration
        self._given += 1
        self._left = max(0, self._left - 1)
        return line


def unmarked(text: str) -> str:
    """Lines without the byte order marks that joined files have before a line."""
    return re.sub("(^|[\r\n])\ufeff", r"\1", text) if "\ufeff" in text else text


class Blocks:
    """The blocks of an open text file, each of about so many characters as `take` is asked for."""

    def __init__(self, file: IO[str], skipped: int) -> None:
        self._file = file
        for _ in range(skipped):
            file.readline()
        self._line = skipped

    def take(self, size: int) -> Optional[Block]:
        """The next block; None at the end. Raises UnicodeError."""
        text = self._file.read(size)
        if not text:
            return None
        return Block(unmarked(text + self._file.readline()), self._file, self._line)

    def taken(self, lines: int) -> None:
        """So many lines lie before the next block."""
        self._line = lines
