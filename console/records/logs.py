"""Lines that the processes of a model write beside their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stream = Literal["out", "err", "mark", "lost"]
"""stdout, stderr, what the console says of a process, and what the console says was not kept."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; of a progress bar, which writes over itself, the last state. Lines are numbered as they end.

    `when` is the arrival of its last byte, `pid` the process. `beside` = another process of the model lived meanwhile;
    `failed` = a mark of a process that ended by itself.
    """

    number: int
    when: float
    pid: int
    stream: Stream
    text: str
    beside: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class LogPart:
    """The lines that ended after a number, and those in progress now.

    `first` is the number of the oldest line that is kept, `last` that of the newest; `more` = there is more that has
    come already, `alive` = a process may write on.
    """

    first: int
    ended: tuple[LogLine, ...]
    open: tuple[LogLine, ...]
    more: bool = False
    last: int = 0
    alive: bool = False
