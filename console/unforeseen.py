"""The words for an error that nobody expected: the machine's fault, or a defect of ours with its account."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from console.errors import ConsoleError, InputError
from console.os_errors import as_system_error, hint, is_of_the_machine, why
from console.safe_text import safe

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors that say that this user may not do something where nobody expected it."""


def told(error: BaseException, account: Callable[[], Path | None]) -> ConsoleError:
    """The error in words. `account` writes down a defect of ours and tells where; it may raise, this never does.

    What fails while a failure of the machine is being dealt with is the machine's fault as well.
    """
    error = next((one for one in _chain(error) if is_of_the_machine(one)), error)
    system = as_system_error(error)
    if isinstance(error, FileNotFoundError) and not error.filename and _is_lost():
        return InputError("the current directory is gone", hint="change to one that is there: cd")
    if system is not None and system.errno in _NOT_ALLOWED and system.filename:
        return InputError(f"{os.fsdecode(system.filename)} cannot be used: {why(system)}", hint=hint(system))
    if system is None or not is_of_the_machine(error):
        return ConsoleError("this is a defect of model-console itself", hint=_accounted(error, account))
    about = f": {system.filename}" if system.filename else ""
    return ConsoleError(f"the console cannot go on, because {why(system)}{about}", hint=hint(system))


def _is_lost() -> bool:
    """Whether the directory that relative paths begin at was removed."""
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that were being dealt with when it came."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _accounted(error: BaseException, account: Callable[[], Path | None]) -> str:
    """Where the account of a defect is, or the error itself where none can be written."""
    with suppress(Exception):
        if where := account():
            return f"its account is in {where}"
    words = "an error whose text cannot be made"
    with suppress(Exception):
        words = safe(f"{type(error).__name__}: {error}")
    return f"its account cannot be written; it is {words}"
