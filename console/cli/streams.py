"""The three standard streams of a command, whatever it was started with: open, and in signs that the terminal knows."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Literal, TextIO

from console.ending import silence
from console.errors import OperationError
from console.os_errors import hint, why
from console.safe_text import as_ascii

_ERRORS = "model-console-signs"
_FIRST = ("LC_ALL", "LC_CTYPE", "LANG")
_PLAIN = ("C", "POSIX")


def is_plain(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale is one of ASCII alone: C or POSIX, said so by the variable that counts (locale(7))."""
    return next((environment[name] for name in _FIRST if environment.get(name)), "") in _PLAIN


def prepare() -> bool:
    """Make the streams fit to be written to; whether there was a stdout.

    Where one was closed its descriptor is taken, so that no file of ours is opened there. Signs that a stream cannot
    show are written as ASCII has them, what else it cannot show is escaped: writing never raises UnicodeEncodeError.
    """
    there = sys.stdout is not None
    with suppress(OSError):
        for fd in range(3):
            if _is_closed(fd):
                os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    codecs.register_error(_ERRORS, _as_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="ascii" if is_plain() else None, errors=_ERRORS)
    return there


def _is_closed(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False


def _nowhere(mode: Literal["r", "w"]) -> TextIO:
    try:
        return open(os.devnull, mode, encoding="utf-8")
    except OSError:
        return io.StringIO()


def _as_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return as_ascii(error.object[error.start : error.end]), error.end


class Untaken(OSError):
    """stdout takes nothing more: a full disk, say. Where its reader is gone that is a BrokenPipeError as ever."""


def put(text: str, end: str = "\n", *, flush: bool = False) -> None:
    """Write to stdout. Raises Untaken, BrokenPipeError."""
    with taking():
        print(text, end=end, flush=flush)


def finish() -> None:
    """Hand over what is still to be written. Raises Untaken, BrokenPipeError."""
    with taking():
        sys.stdout.flush()


@contextmanager
def taking() -> Iterator[None]:
    """Whatever is written to stdout. Raises Untaken, BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Untaken(error.errno, error.strerror) from None


def not_written(error: Untaken) -> OperationError:
    """The error for an output that could not be written."""
    return OperationError(f"the answer could not be written to stdout: {why(error)}", hint=hint(error))


def give_up() -> None:
    """Let nothing be written at the end of the process that could not be written before."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
            continue
        with suppress(Exception):
            silence(stream.fileno())
