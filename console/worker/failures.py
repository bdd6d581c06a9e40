"""From what a child said, or how it died, to the record the errors screen shows and the error a caller gets."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

from console.errors import InputError, OperationError
from console.library_versions import Versions
from console.records import Difference, ExceptionInfo, Failure, Frame, Memory
from console.safe_text import safe
from console.worker.hints import hint_for

TEXT_CAP = 10_000
FRAMES_CAP = 210
CHAIN_CAP = 20
DIFFERENCES_CAP = 200
WARNINGS_CAP = 20
WARNING_CAP = 500

_REFUSAL = "console.worker.child.main.Refusal"
"""How a child calls what it refuses itself: the message says all of it."""
_SEALING_CODES = frozenset({"identity", "wrong-identity", "recipient", "no-package", "over-cap"})
_MORE = re.compile(r"\[(\d{1,9}) more warnings\]")
"""How a child counts the warnings that it left out."""
INPUT_CODES = (
    frozenset(
        {
            "damaged",
            "unsupported",
            "unopened",
            "foreign-format",
            "no-model",
            "not-loadable",
            "bad-input",
            "columns",
            "no-rows",
        }
    )
    | _SEALING_CODES
)
"""Codes that blame the file or the data, not the run: they are raised as InputError.

The others are: `raised` (the model's code raised), `out-of-memory`, `cpu-limit`, `file-limit`, `died` (signal or exit),
`hang` (deadline), `bad-answer` (not one answer for each row), `not-sent` (this process ran out of something),
`protocol` (broke the rules of the line), `busy`, `ended` (by us), `unloaded` (by the operator), `start`, `too-large`.
"""


class ChildFailed(OperationError):
    """A child could not do what it was asked. `failure` is always there and `code` is its code; `details` as below."""

    details: dict[str, Any]


class ChildRefused(InputError):
    """The file or data cannot be used. `failure` is always there; `details` holds structured facts."""

    details: dict[str, Any]


def error_of(failure: Failure, details: dict[str, Any] | None = None) -> ChildFailed | ChildRefused:
    """The exception for a failure, to be raised by the caller of a request."""
    kind = ChildRefused if failure.code in INPUT_CODES else ChildFailed
    error = kind(failure.message, hint=failure.hint, failure=failure)
    error.details = details or {}
    error.code = failure.code
    return error


def new_failure(
    artifact: str, phase: str, code: str, message: str, *, versions: Versions | None = None, **more: Any
) -> Failure:
    """A failure as of now, with its hint, which names the `versions` that differ; the engine gives it its number."""
    different = versions.facts if versions is not None else ""
    failure = Failure(0, time.time(), artifact, phase, code, message[:TEXT_CAP], versions=different, **more)
    return replace(failure, hint=failure.hint or hint_for(failure, versions))


def from_frame(
    said: Any,
    artifact: str,
    phase: str,
    stderr: str,
    memory: Memory | None,
    versions: Versions | None = None,
    details: Any = None,
) -> Failure:
    """The failure a child reported, with a hint that knows the `versions` of file and child.

    Whatever is missing or of the wrong type in its account is left out.
    """
    told: dict[str, Any] = said if isinstance(said, dict) else {}
    about: dict[str, Any] = details if isinstance(details, dict) else {}
    differences = tuple(_difference(one) for one in _items(about.get("differences"), DIFFERENCES_CAP))
    differing = about.get("count")
    kind = _text(told.get("type"), 500)
    chain = (_exception(one) for one in _items(told.get("chain"), CHAIN_CAP))
    warnings = warning_texts(told.get("warnings"))
    versions = (versions or Versions()).learned(version_texts(told.get("versions")), warnings)
    return new_failure(
        artifact,
        _text(told.get("phase"), 100) or phase,
        _text(told.get("code"), 40) or "raised",
        _text(told.get("message")) or "the child failed and did not say why",
        type=kind if kind and kind != _REFUSAL else None,
        chain=tuple(one for one in chain if one.type != _REFUSAL or one.frames),
        versions=versions,
        warnings=warnings,
        stderr=stderr,
        input=_text(told.get("input")) or None,
        memory=memory,
        differences=differences,
        differing=differing if isinstance(differing, int) else len(differences),
    )


def texts(value: Any, cap: int = 50) -> tuple[str, ...]:
    """The strings in a list a child sent, capped."""
    return tuple(one[:TEXT_CAP] for one in _items(value, cap, str))


def warning_texts(value: Any) -> tuple[str, ...]:
    """The warnings a child sent, each once and made safe, as many as somebody reads and a count of the others."""
    if not value:
        return ()
    found = tuple(dict.fromkeys(safe(one, WARNING_CAP) for one in _items(value, 4 * WARNINGS_CAP, str)))
    more = len(found) - WARNINGS_CAP
    uncounted = _MORE.fullmatch(found[-1]) if found else None
    if more > 0 and uncounted is not None:
        more += int(uncounted[1]) - 1
    return found if more <= 0 else (*found[:WARNINGS_CAP], f"[{more} more warnings]")


def version_texts(value: Any) -> dict[str, str]:
    """The library versions a child sent, by name, as far as they are texts."""
    items = list(value.items())[:WARNINGS_CAP] if isinstance(value, dict) else []
    return {str(name)[:100]: safe(version, 100) for name, version in items if isinstance(version, str)}


def _exception(said: dict[str, Any]) -> ExceptionInfo:
    return ExceptionInfo(
        _text(said.get("type"), 500),
        _text(said.get("message")),
        tuple(_frame(one) for one in _items(said.get("frames"), FRAMES_CAP, list)),
        texts(said.get("notes")),
        _text(said.get("relation"), 20),
    )


def _difference(said: dict[str, Any]) -> Difference:
    return Difference(
        _text(said.get("column"), 500),
        _text(said.get("problem"), 40),
        _text(said.get("expected"), 500) or None,
        _text(said.get("found"), 500) or None,
    )


def _frame(said: list[Any]) -> Frame:
    file, line, function, text = (said + [None] * 4)[:4]
    number = line if isinstance(line, int) else 0
    return Frame(_text(file, 4096), number, _text(function, 500), _text(text, 500))


def _items(value: Any, cap: int, kind: type = dict) -> list[Any]:
    return [one for one in value[:cap] if isinstance(one, kind)] if isinstance(value, (list, tuple)) else []


def _text(value: Any, cap: int = TEXT_CAP) -> str:
    return value[:cap] if isinstance(value, str) else ""
