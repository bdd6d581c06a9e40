"""Failures in child processes, and errors as records."""

from __future__ import annotations

from dataclasses import dataclass

from console.records.workers import Memory


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a traceback; `text` is the source line."""

    file: str
    line: int
    function: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ExceptionInfo:
    """One exception of a chain. `relation` says how it follows the one before: "", "cause", "context", "group"."""

    type: str
    message: str
    frames: tuple[Frame, ...] = ()
    notes: tuple[str, ...] = ()
    relation: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A column that is not as the model wants it: `missing`, `surplus`, of another `type` or `count`, or the target."""

    column: str
    problem: str
    expected: str | None
    found: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that went wrong in a child, as it stays on the errors screen after the worker is gone.

    `chain` has the exception that ended it last; `exit` says how a dead child ended, in words; `input` what it was
    given (shape and dtypes, never values); `stderr` its last words. `differences` are the first of the `differing`
    columns of data that does not fit. The same thing again only raises `count`, and `last` is when. `versions` names
    the libraries that have another version than the model was written with. `request` and `trace` name the latest
    request of another program that it happened to, by its id and its W3C traceparent, and `version` what that asked.
    """

    id: int
    when: float
    artifact: str
    phase: str
    code: str
    message: str
    type: str | None = None
    chain: tuple[ExceptionInfo, ...] = ()
    exit: str | None = None
    warnings: tuple[str, ...] = ()
    stderr: str = ""
    input: str | None = None
    hint: str | None = None
    memory: Memory | None = None
    digest: str | None = None
    count: int = 1
    last: float | None = None
    differences: tuple[Difference, ...] = ()
    differing: int = 0
    versions: str = ""
    request: str = ""
    trace: str = ""
    version: str = ""

    @property
    def latest(self) -> float:
        """When it happened last."""
        return self.when if self.last is None else self.last


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """An error that an operator sees, by the name of its class in `console.errors`. `retry_s` is when to ask again, in
    seconds, where that is known."""

    error: str
    code: str
    message: str
    hint: str | None = None
    failure: Failure | None = None
    retry_s: float | None = None
