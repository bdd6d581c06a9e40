"""How the commands speak: data on stdout, narration on stderr, both as text for people or as JSON for programs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from console.cli import differences
from console.cli.streams import put
from console.ending import is_gone, silence
from console.errors import ConsoleError
from console.safe_text import safe

if TYPE_CHECKING:
    from console.records import ExceptionInfo, Failure, Json

_NEW_LINE = "\n"
_MOST_WARNINGS = 50
_UNITS = ("B", "K", "M", "G", "T")


def as_text(value: Json, indent: int | None = None) -> str:
    """JSON, whose writer the console itself can do without."""
    import json

    return json.dumps(value, indent=indent)


class Output:
    """The two streams of one command. With `as_json` everything on stdout is JSON, errors included."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._warned: dict[str, None] = {}

    def data(self, value: Json, human: Callable[[], Iterable[str]]) -> None:
        """The answer: `value` as JSON, or the lines of `human`, which are made safe here."""
        if self.as_json:
            put(as_text(value, indent=2))
        else:
            self.lines(human())

    def lines(self, lines: Iterable[str]) -> None:
        """Text for people; it is made safe here."""
        for line in lines:
            put(safe(line, 0, lines=False))

    def line(self, value: Json, human: str) -> None:
        """One line of a stream, sent off at once."""
        put(as_text(value) if self.as_json else safe(human, 0), flush=True)

    def say(self, sentence: str) -> None:
        """A word on what goes on; where nobody can read it any more, the work is not the worse for it."""
        try:
            print(safe(sentence, 0), file=sys.stderr, flush=True)
        except OSError:
            silence(sys.stderr.fileno())

    def warn(self, warnings: Iterable[str]) -> None:
        """Say what is wrong with the answers, each once; `warned` has all of it, for the JSON."""
        for warning in warnings:
            if warning not in self._warned and len(self._warned) < _MOST_WARNINGS:
                self._warned[warning] = None
                self.say(f"warning: {warning}")

    @property
    def warned(self) -> list[Json]:
        """The warnings so far."""
        return list(self._warned)

    def error(self, error: ConsoleError) -> None:
        """Print an error, with the child's own traceback where there is one."""
        if self.as_json:
            with suppress(OSError):
                put(as_text({"error": error_json(error)}, indent=2), flush=True)
        told = error.message if error.failure is None else error.message.partition(_NEW_LINE)[0]
        self.say(f"model-console: {told}")
        if error.failure is not None and not self.as_json:
            for line in (*failure_lines(error.failure), *differences.table_lines(error.failure)):
                self.say(line)
        if error.hint or (error.failure and error.failure.hint):
            self.say(f"hint: {error.hint or (error.failure and error.failure.hint)}")


async def asked(question: str) -> bool | None:
    """Whether the operator says yes; None where nobody sits at a terminal. The question is made safe here."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    print(f"{safe(question, 0)} [y/N] ", end="", file=sys.stderr, flush=True)
    typed, loop, terminal = asyncio.Event(), asyncio.get_running_loop(), sys.stdin.fileno()
    loop.add_reader(terminal, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(terminal)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class Items:
    """A JSON list on stdout, an item a line. It is closed by `end` alone, so that half a list never looks whole."""

    def __init__(self) -> None:
        self._before = "["

    def add(self, value: Json) -> None:
        """One more."""
        put(self._before + as_text(value), end="")
        self._before = ",\n"

    def end(self) -> None:
        """That was all."""
        put("[]" if self._before == "[" else "]", flush=True)


def error_json(error: ConsoleError) -> Json:
    """The shape of every error."""
    failure = error.failure
    last = failure.chain[-1] if failure and failure.chain else None
    return {
        "code": failure.code if failure else error.code,
        "message": error.message,
        "phase": failure.phase if failure else None,
        "type": failure.type if failure else None,
        "traceback": frames_json(last),
        "exit": failure.exit if failure else None,
        "output": failure.stderr if failure else "",
        "hint": error.hint or (failure.hint if failure else None),
        "differences": differences.as_json(failure),
        "warnings": list(failure.warnings) if failure else [],
    }


def frames_json(exception: ExceptionInfo | None) -> list[Json]:
    """The frames of one exception, the innermost last."""
    frames = exception.frames if exception else ()
    return [{"file": f.file, "line": f.line, "function": f.function, "text": f.text} for f in frames]


def failure_lines(failure: Failure) -> Iterable[str]:
    """A child's failure the way Python shows one."""
    for exception in failure.chain:
        for frame in exception.frames:
            yield f'  File "{frame.file}", line {frame.line}, in {frame.function}'
            if frame.text:
                yield f"    {frame.text}"
        yield from (f"{exception.type}: {exception.message}").splitlines()
        yield from exception.notes
    if failure.exit:
        yield f"the worker ended: {failure.exit}"
    if failure.input:
        yield f"input: {failure.input}"
    tail = failure.stderr.strip().splitlines()[-12:]
    if tail:
        yield "its last words on stderr:"
        yield from (f"  {safe(line, 160)}" for line in tail)


def columns(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> Iterable[str]:
    """A plain aligned table; the columns named in `right` are aligned at their right."""
    cells = [[safe(cell, 0) for cell in row] for row in (headers, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(headers))]
    for row in cells:
        parts = [
            cell.rjust(width) if header in right else cell.ljust(width)
            for header, cell, width in zip(headers, row, widths, strict=True)
        ]
        yield "  ".join(parts).rstrip()


def size_words(count: int | None) -> str:
    """Bytes in at most four characters and a unit."""
    if count is None:
        return ""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f}{_UNITS[unit]}" if unit and value < 10 else f"{value:.0f}{_UNITS[unit]}"


def reader_gone() -> bool:
    """Whether whoever read our stdout is gone, be it a pipe or a terminal."""
    try:
        return is_gone(sys.stdout.fileno())
    except (OSError, ValueError):
        return False
