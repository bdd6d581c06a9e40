"""Output to the terminal: in few bytes, and no faster than it is taken.

A terminal can be slow: a serial line, a relay, a multiplexer that is busy. Textual hands its output to a thread with a
queue of thirty writes and blocks when that is full. Here nothing is painted while the terminal has not taken what it
was given before, so that the queue never holds more than one picture; what moves by itself (`Pace.due`) backs off
further, so that there is room for the answer to a key.

What was written has not arrived: a relay such as sshd takes megabytes at once and passes them on at the pace of the
line. So each picture ends with a question (`ASK`), and the next one waits until the terminal has answered it.
"""

from __future__ import annotations

import codecs
import os
import re
import selectors
import signal
import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, cast

from textual import constants
from textual._xterm_parser import XTermParser
from textual.events import CursorPosition, Key, MouseDown, MouseUp

from console.ending import is_gone
from console.ui.exit_event import ExitEvent
from console.ui.suspending import Stoppable, reopened
from console.ui.title import Title

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message

ANSWERING_S = 0.3
"""So long after a key or a click what is drawn is taken for its answer."""
LATE_S = 0.05
"""So long a write may be under way before the terminal counts as slow."""
ASK = "\x1b[6n"
"""Where is the cursor? The device status report of ECMA-48, which every terminal answers in the order of its input."""
SILENT_S = 8.0
"""So long an answer is waited for; a terminal that has never answered is not waited for at all."""
_LAST_ANSWER_S = 0.5
_LONGEST_S = 4.0
_QUICKER = 0.7
_AT_ONCE_S = 0.05
_LONE_S = 0.1
"""So long after input it is looked once more whether an escape stands alone."""

_SGR = re.compile(r"(\x1b\[[\d;]*m)")
_MOVED_ON = re.compile(r"\x1b\[\d+;\d+H\n?(?=\x1b\[\d+;\d+H)")
_ONLY_MOVES = re.compile(r"(?:\x1b\[\d+;\d+H\n?)*")
_RESET = "\x1b[0m"


class Pace:
    """Counts what was given to the terminal and what it has taken, and how long it takes to answer.

    Pictures are given on the event loop; the thread that writes tells what was taken, the one that reads what came.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given = self._taken = 0
        self._since = 0.0
        self._period = 0.0
        self._next = 0.0
        self._pressed = -ANSWERING_S
        self._asked: float | None = None
        self._quickest: float | None = None
        self._heard = threading.Event()

    def pressed(self) -> None:
        """The operator pressed something (in the thread that reads)."""
        self._pressed = self._clock()

    @property
    def answering(self) -> bool:
        """Whether the operator waits for what is drawn now."""
        return self._clock() - self._pressed < ANSWERING_S

    def begin(self) -> None:
        """The terminal is taken, perhaps again: nothing is under way to it."""
        self._given = self._taken
        self._asked = None

    def give(self) -> None:
        """One more write."""
        if not self.behind:
            self._since = self._clock()
        self._given += 1

    def take(self, writes: int) -> None:
        """So many writes in all have been taken."""
        self._taken = writes

    def ask(self) -> bool:
        """Whether to ask the terminal now: one question at a time, or the answer might be to an older one."""
        if self._asked is not None and (self._quickest is None or self._clock() - self._asked < 2 * SILENT_S):
            return False
        self._heard.clear()
        self._asked = self._clock()
        return True

    def answered(self) -> None:
        """The terminal has answered, and so has drawn all that was written before the question."""
        asked, self._asked = self._asked, None
        if asked is not None:
            took = self._clock() - asked
            self._quickest = took if self._quickest is None else min(self._quickest, took)
        self._heard.set()

    def last_answer(self) -> None:
        """Wait a moment for an answer that is due, so that it does not reach whoever reads the terminal next."""
        if self._asked is not None and self._quickest is not None:
            self._heard.wait(min(_LAST_ANSWER_S, max(0.0, self._asked + SILENT_S - self._clock())))
        self._asked = None

    @property
    def behind(self) -> bool:
        """Whether something is still under way: no picture before that."""
        if self._taken < self._given:
            return True
        asked = self._asked
        return asked is not None and self._quickest is not None and self._clock() - asked < SILENT_S

    @property
    def late(self) -> bool:
        """Whether it has been under way for longer than a terminal that keeps up would need."""
        return self.behind and self._clock() - self._since > LATE_S + 2 * (self._quickest or 0.0)

    @property
    def period(self) -> float:
        """Seconds between two pictures of what moves by itself; 0 is as often as asked."""
        return self._period

    def due(self) -> bool:
        """Whether what moves by itself may be drawn now: seldom while the terminal is slow, soon again afterwards."""
        now = self._clock()
        if now < self._next:
            return False
        if self.late:
            self._period = min(_LONGEST_S, max(0.2, 2 * self._period))
        else:
            self._period = 0.0 if self._period < _AT_ONCE_S else _QUICKER * self._period
        self._next = now + self._period
        return not self.behind


class PacedDriver(Stoppable):
    """Textual's driver, with its output made lean and followed to the terminal."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self.pace = Pace()
        self.exit_event: ExitEvent = ExitEvent()
        self._reads = False
        self.title = Title(self.write)
        self._file = cast("Any", Followed(cast("IO[str]", self._file), self.pace))

    def write(self, data: str) -> None:
        """Queue a write."""
        self.pace.give()
        super().write(data)

    def flush(self) -> None:
        """End a picture: ask the terminal to say when it has come to here."""
        if self._reads and self.pace.ask():
            self.write(ASK)

    def start_application_mode(self) -> None:
        """Take the terminal, whose answers are read from now on."""
        self._reads = self.input_tty
        self.pace.begin()
        super().start_application_mode()
        self.title.take()

    def stop_application_mode(self) -> None:
        """Give the terminal back, with the title that it had."""
        self.title.give_back()
        super().stop_application_mode()

    def process_message(self, message: Message) -> None:
        """Hand on what the operator did."""
        if isinstance(message, CursorPosition):
            self.pace.answered()
            return
        if isinstance(message, Key | MouseDown | MouseUp):
            self.pace.pressed()
        super().process_message(message)

    def disable_input(self) -> None:
        """Read no more, once an answer that is due has been read."""
        self._reads = False
        if not is_gone(self.fileno):
            self.pace.last_answer()
        super().disable_input()

    def close(self) -> None:
        """Let no thread outlive the driver, not even where the terminal's end kept it from being stopped in order."""
        self.exit_event.set()
        super().close()

    def run_input_thread(self) -> None:
        """Read keys until the driver ends or the terminal is gone.

        Textual looks every tenth of a second whether a lone escape was one, and for its end; this looks after input
        alone, as soon as it can be told, since `esc` is the key that goes back on every screen.
        """
        parser = XTermParser()
        wait: float | None = None
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector, reopened(self.fileno) as terminal:
            selector.register(terminal, selectors.EVENT_READ)
            selector.register(self.exit_event, selectors.EVENT_READ)
            while True:
                ready = bool(selector.select(wait))
                if self.exit_event.is_set():
                    return
                wait = constants.ESCAPE_DELAY + 0.001 if ready else _LONE_S if wait not in (None, _LONE_S) else None
                try:
                    data = os.read(terminal, 4096) if ready else b""
                except BlockingIOError:
                    continue
                if ready and not data:
                    hang_up()
                    return
                events = [*parser.feed(decode(data))] if data else []
                for event in (*events, *parser.tick()):
                    self.process_message(event)


class Followed:
    """The terminal as the writing thread sees it."""

    def __init__(self, file: IO[str], pace: Pace) -> None:
        self._file = file
        self._pace = pace
        self._writes = 0
        self._gone = False

    def write(self, data: str) -> int:
        """Write as few bytes as say the same."""
        self._writes += 1
        self._try(lambda: self._file.write(lean(data)))
        return len(data)

    def flush(self) -> None:
        """Return when the terminal has taken everything."""
        self._try(self._file.flush)
        self._pace.take(self._writes)

    def _try(self, act: Callable[[], object]) -> None:
        """Textual waits for the thread that writes, and so it must not die of a terminal that is gone."""
        if not self._gone:
            try:
                act()
            except OSError:
                self._gone = True
                hang_up()

    def fileno(self) -> int:
        """The terminal's descriptor."""
        return self._file.fileno()


def hang_up() -> None:
    """The terminal is found to be gone, which the kernel need not have told."""
    signal.raise_signal(signal.SIGHUP)


def lean(data: str) -> str:
    """The same picture without moves that another move follows, and without styles that are in force already.

    Rich ends each piece of text with a reset and begins the next with its whole style; the compositor ends each piece
    with a move to where it ends.
    """
    found: list[str] = []
    asked = now = ""
    for place, part in enumerate(_SGR.split(_MOVED_ON.sub("", data))):
        if place % 2:
            asked = part if part == _RESET else asked + part
            continue
        if asked != now and not _ONLY_MOVES.fullmatch(part):
            found.append(_change(now, asked))
            now = asked
        found.append(part)
    return "".join([*found, _change(now, asked)])


def _change(now: str, asked: str) -> str:
    """Escapes from one style to another; a style is all that was said since the last reset, that one included."""
    if not asked.startswith(_RESET):
        return asked[len(now) :]
    known = now if now == _RESET or (asked.startswith(now) and now.startswith(_RESET)) else ""
    return asked[len(known) :]
