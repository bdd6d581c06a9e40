"""Exceptions and warnings as plain, capped JSON: never an object, never a local variable, never a second failure."""

from __future__ import annotations

import contextlib
import linecache
import os
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, Optional

from backends.core.errors import ArtifactError, Refusal
from console.library_versions import OtherVersion

TEXT_CAP = 10_000
FRAMES_CAP = 200
CHAIN_CAP = 20
NOTES_CAP = 20
WARNINGS_CAP = 50
REPEATS = 3

_OWN = tuple(
    os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), part)
    for part in (os.path.join("console", "worker") + os.sep, "backends" + os.sep)
)


def describe(error: BaseException) -> dict[str, Any]:
    """The failure frame for an exception: code, type, message and the chain, the one that ended it last.

    A refusal of ours is its sentence: its class and its frames tell an operator nothing, only what led to it does.
    """
    chain: list[dict[str, Any]] = []
    _collect(error, "", chain, set())
    ours = _is_ours(error)
    told = {"code": _code(error), "type": None if ours else type_name(error), "message": _sentence(error)}
    return {**told, "chain": chain[-CHAIN_CAP - 1 : -1] if ours else chain[-CHAIN_CAP:]}


def _is_ours(error: BaseException) -> bool:
    return isinstance(error, (ArtifactError, Refusal))


def type_name(error: BaseException) -> str:
    """Dotted name of the exception's class; builtins without their module."""
    kind = type(error)
    module = getattr(kind, "__module__", "")
    name = str(getattr(kind, "__qualname__", kind.__name__))[:300]
    return name if module in ("builtins", "__main__") or not isinstance(module, str) else f"{module[:200]}.{name}"


def text_of(value: Any) -> str:
    """str() of anything, capped; says so when it raises."""
    try:
        return str(value)[:TEXT_CAP]
    except BaseException as error:
        return f"<its text cannot be made: str() raised {type(error).__name__}>"


def _code(error: BaseException) -> str:
    if _is_ours(error):
        return str(getattr(error, "code", None))
    if isinstance(error, MemoryError):
        return "out-of-memory"
    return "raised"


def _sentence(error: BaseException) -> str:
    text = text_of(error)
    if isinstance(error, SystemExit):
        return f"the model's code asked to exit ({text or 'no code'})"
    if isinstance(error, MemoryError):
        return "out of memory" + (f": {text}" if text else "")
    return text or type_name(error)


def _collect(error: BaseException, relation: str, chain: list[dict[str, Any]], seen: set[int]) -> None:
    """Append what led to `error`, then `error`; `relation` says how the one after it follows it."""
    if id(error) in seen or len(seen) >= 2 * CHAIN_CAP:
        return
    seen.add(id(error))
    before = ""
    if error.__cause__ is not None:
        before = "cause"
        _collect(error.__cause__, "", chain, seen)
    elif error.__context__ is not None and not error.__suppress_context__:
        before = "context"
        _collect(error.__context__, "", chain, seen)
    members = getattr(error, "exceptions", None)
    if isinstance(members, tuple):
        before = "group"
        for member in members[:CHAIN_CAP]:
            if isinstance(member, BaseException):
                _collect(member, "", chain, seen)
    chain.append(
        {
            "type": type_name(error),
            "message": text_of(error),
            "relation": before,
            "notes": _notes(error),
            "frames": _frames(error),
        }
    )


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)
    return [text_of(note) for note in notes[:NOTES_CAP]] if isinstance(notes, list) else []


Entry = tuple[str, int, str, str]


def _frames(error: BaseException) -> list[Entry]:
    frames = [
        (frame.f_code.co_filename, line, frame.f_code.co_name, frame.f_globals)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    while frames and frames[0][0].startswith(_OWN):
        frames.pop(0)
    entries = _collapsed([(file, line, function, _source(file, line, names)) for file, line, function, names in frames])
    if isinstance(error, SyntaxError) and error.filename:
        entries.append((str(error.filename), error.lineno or 0, "", (error.text or "").strip()[:500]))
    return entries


def _source(file: str, line: int, names: dict[str, Any]) -> str:
    try:
        return linecache.getline(file, line, names).strip()[:500]
    except Exception:
        return ""


def _collapsed(entries: list[Entry]) -> list[Entry]:
    """Repeats of one line become one remark, and the middle of what is still too long goes."""
    result: list[Entry] = []
    repeats = 0
    for index, entry in enumerate(entries):
        same = bool(index) and entries[index - 1][:3] == entry[:3]
        repeats = repeats + 1 if same else 0
        if repeats < REPEATS:
            result.append(entry)
        elif repeats == REPEATS:
            result.append(("", 0, "", ""))
        if repeats >= REPEATS:
            result[-1] = ("", 0, "", f"[the frame before repeated {repeats - REPEATS + 1} more times]")
    if len(result) > FRAMES_CAP:
        half = FRAMES_CAP // 2
        left_out = ("", 0, "", f"[{len(result) - 2 * half} frames left out]")
        result = [*result[:half], left_out, *result[-half:]]
    return result


_warnings: list[str] = []
_more_warnings = 0
_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Python's own kinds for those who write code, not for those who run it; a FutureWarning is for these as well."""
_ALL_IGNORED = ("ignore", None, Warning, None, 0)
_ONCE_KINDS = ("default", "module", "once")
"""Actions of a filter that show a warning once, and never again for a later call."""


def _record(
    message: Any, category: Any, filename: str, lineno: int, file: Optional[Any] = None, line: Optional[str] = None
) -> None:
    global _more_warnings
    if issubclass(category, _FOR_DEVELOPERS):
        return
    name = getattr(category, "__name__", "Warning")
    text = _version_note(message) if name == "InconsistentVersionWarning" else f"{name}: {text_of(message)}"
    if text in _warnings:
        return
    if len(_warnings) < WARNINGS_CAP:
        _warnings.append(text)
    else:
        _more_warnings += 1


def _version_note(message: Any) -> str:
    """scikit-learn's warning for each estimator of a file, short enough to be the same for all of them."""
    trained = text_of(getattr(message, "original_sklearn_version", "another version"))
    running = text_of(getattr(message, "current_sklearn_version", "this one"))
    return OtherVersion("scikit-learn", trained, running).note


def collect_warnings() -> None:
    """From now on warnings are kept for the next answer instead of going to stderr, every time they are raised.

    To be called again after an import of libraries: some set filters of their own. What those ignore stays ignored.
    """
    for index, (action, *rest) in enumerate(warnings.filters):
        if action in _ONCE_KINDS:
            warnings.filters[index] = ("always", *rest)  # type: ignore[index]
    warnings.simplefilter("always", append=True)
    warnings.filterwarnings("ignore", message="X does not have valid feature names")  # raw arrays cannot have any
    warnings.showwarning = _record


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Where warnings are collected, they are here as well, within code that wants none of its own."""
    with warnings.catch_warnings():
        if warnings.showwarning is _record:
            warnings.filters[:] = [one for one in warnings.filters if one != _ALL_IGNORED]  # type: ignore[index]
            collect_warnings()
        yield


def drain_warnings() -> list[str]:
    """The warnings since the last call, without doubles, at most 50 and a count of the others."""
    global _more_warnings
    if not _warnings:
        return []
    found = list(_warnings)
    if _more_warnings:
        found.append(f"[{_more_warnings} more warnings]")
    _warnings.clear()
    _more_warnings = 0
    return found
