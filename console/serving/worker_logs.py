"""Logs of what the processes of each model wrote to stdout and stderr: in memory alone, since they may hold secrets."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from console.records import LogLine, LogPart, Stream
from console.worker.log_text import LINE_CAP, last_state, line_text
from console.worker.process import ChildProcess

LINES, CAP = 2_000, 256 << 10
"""Lines kept of one model, and characters of them; bytes kept that nobody has looked at yet."""
PART = 8 << 10
"""So many bytes become lines at a look: a millisecond or two, whatever they are."""
PIECES = 512
LOGS = 100
"""Models whose log is kept, those with a living process apart."""
_TOGETHER_S = 0.1
_SMALL = 4 << 10


class _Writer:
    """One stream of one process, with the line it has not ended yet."""

    __slots__ = ("left_out", "pid", "rest", "stream", "when")

    def __init__(self, pid: int, stream: Stream) -> None:
        self.pid = pid
        self.stream: Stream = stream
        self.rest = b""
        self.left_out = 0
        self.when = 0.0

    def hold(self, line: bytes) -> None:
        """Keep the last state of a line, as far as it is kept."""
        state = last_state(line)
        if len(state) < len(line):
            self.left_out = 0
        self.left_out += max(0, len(state) - LINE_CAP)
        self.rest = state[:LINE_CAP]


class _Piece:
    """Output at one time: bytes of a writer, or a mark; with that of its end the `closed` writers of a process."""

    __slots__ = ("beside", "closed", "data", "failed", "mark", "when", "writer")

    def __init__(self, when: float, writer: _Writer, data: bytes = b"", *, beside: bool = False) -> None:
        self.when = when
        self.writer = writer
        self.data = data
        self.beside = beside
        self.mark = ""
        self.failed = False
        self.closed: tuple[_Writer, ...] = ()


class WorkerLog:
    """The log of one model, over all its processes.

    A process that writes 100 MB a second costs no more than the reading: bytes become lines when somebody looks, a
    part at a time, and of what nobody looked at the last is kept.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._pieces: deque[_Piece] = deque()
        self._waiting = 0
        self._lost = 0
        self._lines: deque[LogLine] = deque()
        self._characters = 0
        self._next = 1
        self._writers: dict[int, tuple[_Writer, _Writer]] = {}

    @property
    def alive(self) -> bool:
        """Whether a process may write to it."""
        return bool(self._writers)

    def follow(self, child: ChildProcess) -> None:
        """Take what this process wrote and writes, and say when it ends."""
        pid = child.pid
        self.begin(pid)
        child.tell_output(lambda number, data: self.take(pid, number, data))
        child.on_end.append(lambda _: self.end(pid, child.how_it_ended, failed=child.ended_by_itself))

    def begin(self, pid: int) -> None:
        """A process is there."""
        self._writers[pid] = _Writer(pid, "out"), _Writer(pid, "err")
        self._mark(self._writers[pid][0], f"worker {pid} started")

    def end(self, pid: int, how: str, *, failed: bool) -> None:
        """A process has gone."""
        writers = self._writers.pop(pid)
        piece = self._mark(writers[0], f"worker {pid} ended: {how}")
        piece.failed, piece.closed = failed, writers

    def take(self, pid: int, number: int, data: bytes) -> None:
        """Bytes of the process' stdout (1) or stderr (2)."""
        now, writer = self._clock(), self._writers[pid][number - 1]
        self._waiting += len(data)
        last = self._pieces[-1] if self._pieces else None
        if last is not None and last.writer is writer and _joins(last, now):
            last.data += data
        else:
            self._pieces.append(_Piece(now, writer, data, beside=len(self._writers) > 1))
        while self._waiting > CAP:
            self._lose()
        if len(self._pieces) > PIECES:
            self._read(PART)

    def look(self, after: int = 0) -> LogPart:
        """The lines after line number `after`."""
        self._read(PART)
        first = self._lines[0].number if self._lines else self._next
        ended = tuple(islice(self._lines, max(0, after + 1 - first), None))
        beside = len(self._writers) > 1
        writers = sorted((one for pair in self._writers.values() for one in pair if one.rest), key=lambda one: one.when)
        texts = [(one, line_text(one.rest, one.left_out, ended=False)) for one in writers]
        unended = (LogLine(0, one.when, one.pid, one.stream, text, beside) for one, text in texts if text.strip())
        return LogPart(first, ended, tuple(unended), bool(self._pieces), self._next - 1, self.alive)

    def _mark(self, writer: _Writer, text: str) -> _Piece:
        piece = _Piece(self._clock(), writer)
        piece.mark = text
        self._pieces.append(piece)
        return piece

    def _lose(self) -> None:
        """Drop the oldest bytes that nobody looked at."""
        piece = self._pieces.popleft()
        if piece.mark:
            self._put(piece)
        else:
            self._waiting -= len(piece.data)
            self._lost += len(piece.data)

    def _read(self, budget: int) -> None:
        """Make lines of at most so many bytes."""
        while self._pieces and budget > 0:
            piece = self._pieces.popleft()
            if len(piece.data) > budget:
                self._pieces.appendleft(_Piece(piece.when, piece.writer, piece.data[budget:], beside=piece.beside))
                piece.data = piece.data[:budget]
            self._waiting -= len(piece.data)
            budget -= len(piece.data)
            self._put(piece)

    def _put(self, piece: _Piece) -> None:
        """Take over one piece, after what is to be said of those that were lost before it."""
        writer = piece.writer
        if self._lost:
            for one in {writer, *piece.closed, *(one for pair in self._writers.values() for one in pair)}:
                self._close(one)
            self._add(piece.when, writer.pid, "lost", f"{self._lost:,} bytes were not kept")
            self._lost = 0
        for one in piece.closed:
            self._close(one)
        if piece.mark:
            self._add(piece.when, writer.pid, "mark", piece.mark, failed=piece.failed)
            return
        writer.when = piece.when
        *ended, rest = (writer.rest + piece.data).split(b"\n")
        if len(ended) > LINES:
            writer.left_out = 0
        for line in ended[-LINES:]:
            writer.hold(line)
            self._add(writer.when, writer.pid, writer.stream, line_text(writer.rest, writer.left_out), piece.beside)
            writer.left_out = 0
        writer.hold(rest)

    def _close(self, writer: _Writer) -> None:
        """End the line that a writer has not ended."""
        if writer.rest:
            text = line_text(writer.rest, writer.left_out)
            self._add(writer.when, writer.pid, writer.stream, text, len(self._writers) > 1)
        writer.rest, writer.left_out = b"", 0

    def _add(
        self, when: float, pid: int, stream: Stream, text: str, beside: bool = False, *, failed: bool = False
    ) -> None:
        self._lines.append(LogLine(self._next, when, pid, stream, text, beside, failed))
        self._next += 1
        self._characters += len(text)
        while len(self._lines) > LINES or self._characters > CAP:
            self._characters -= len(self._lines.popleft().text)


def _joins(last: _Piece, now: float) -> bool:
    """Whether bytes that come now count as come together with those before."""
    return not last.mark and len(last.data) < _SMALL and now - last.when < _TOGETHER_S


class WorkerLogs:
    """The logs by path. They outlive the processes, and go with the console."""

    def __init__(self) -> None:
        self._logs: dict[str, WorkerLog] = {}

    def find(self, path: str) -> WorkerLog | None:
        """The log of one path, None where nothing was ever loaded."""
        return self._logs.get(path)

    def follow(self, path: str, child: ChildProcess) -> None:
        """A process was started for this path."""
        log = self._logs.pop(path, None) or WorkerLog()
        self._logs[path] = log
        log.follow(child)
        quiet = [one for one, known in self._logs.items() if not known.alive]
        for one in quiet[: max(0, len(quiet) - LOGS)]:
            del self._logs[one]
