"""From what a child said, or how it died, to the record the errors screen shows and the error a caller gets."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from console.errors import BadInput, Failed
from console.records import ExceptionInfo, Failure, Frame, Memory
from console.worker.hints import hint_for

TEXT_CAP = 10_000
FRAMES_CAP = 210
CHAIN_CAP = 20
WARNINGS_CAP = 50

_SEALING_CODES = frozenset({"identity", "wrong-identity", "recipient", "no-package", "over-cap"})
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
"""Codes that blame the file or the data, not the run: they are raised as BadInput.

The others are: `raised` (the model's code raised), `out-of-memory`, `cpu-limit`, `file-limit`, `died` (signal or exit),
`hang` (deadline), `bad-answer` (not one answer for each row), `not-sent` (this process ran out of something),
`protocol` (broke the rules of the line), `busy`, `ended` (by us), `unloaded` (by the operator), `start`, `too-large`.
"""


class ChildFailed(Failed):
    """A child could not do what it was asked. `failure` is always there and `code` is its code; `details` as below."""

    details: dict[str, Any]


class ChildRefused(BadInput):
    """The file or data cannot be used. `failure` is always there; `details` holds structured facts."""

    details: dict[str, Any]


def error_of(failure: Failure, details: dict[str, Any] | None = None) -> ChildFailed | ChildRefused:
    """The exception for a failure, to be raised by the caller of a request."""
    kind = ChildRefused if failure.code in INPUT_CODES else ChildFailed
    error = kind(failure.message, hint=failure.hint, failure=failure)
    error.details = details or {}
    error.code = failure.code
    return error


def new_failure(artifact: str, phase: str, code: str, message: str, **more: Any) -> Failure:
    """A failure as of now, with its hint; the engine gives it its number."""
    failure = Failure(0, time.time(), artifact, phase, code, message[:TEXT_CAP], **more)
    return replace(failure, hint=failure.hint or hint_for(failure))


def from_frame(said: Any, artifact: str, phase: str, stderr: str, memory: Memory | None) -> Failure:
    """The failure a child reported. Whatever is missing or of the wrong type in its account is left out."""
    told: dict[str, Any] = said if isinstance(said, dict) else {}
    return new_failure(
        artifact,
        _text(told.get("phase"), 100) or phase,
        _text(told.get("code"), 40) or "raised",
        _text(told.get("message")) or "the child failed and did not say why",
        type=_text(told.get("type"), 500) or None,
        chain=tuple(_exception(one) for one in _items(told.get("chain"), CHAIN_CAP)),
        warnings=texts(told.get("warnings")),
        stderr=stderr,
        input=_text(told.get("input")) or None,
        memory=memory,
    )


def texts(value: Any, cap: int = WARNINGS_CAP) -> tuple[str, ...]:
    """The strings in a list a child sent, capped."""
    return tuple(one[:TEXT_CAP] for one in _items(value, cap, str))


def _exception(said: dict[str, Any]) -> ExceptionInfo:
    return ExceptionInfo(
        _text(said.get("type"), 500),
        _text(said.get("message")),
        tuple(_frame(one) for one in _items(said.get("frames"), FRAMES_CAP, list)),
        texts(said.get("notes")),
        _text(said.get("relation"), 20),
    )


def _frame(said: list[Any]) -> Frame:
    file, line, function, text = (said + [None] * 4)[:4]
    number = line if isinstance(line, int) else 0
    return Frame(_text(file, 4096), number, _text(function, 500), _text(text, 500))


def _items(value: Any, cap: int, kind: type = dict) -> list[Any]:
    return [one for one in value[:cap] if isinstance(one, kind)] if isinstance(value, list) else []


def _text(value: Any, cap: int = TEXT_CAP) -> str:
    return value[:cap] if isinstance(value, str) else ""
