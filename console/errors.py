"""The errors an operator sees: one clear sentence, a next step, and the exit code of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.records import Failure


class ConsoleError(Exception):
    """Anything the console refuses or could not do. `hint` says what to try; `failure` is the child's own account."""

    code = "failed"
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.failure = failure


class OperationError(ConsoleError):
    """The operation itself failed: the model raised, a worker died, the gate said no."""


class NeedsMemoryError(OperationError):
    """The model will not fit into memory; it may be loaded once an operator has said yes to that."""

    code = "needs-memory"


class UsageError(ConsoleError):
    """The request makes no sense as it stands."""

    code = "usage"
    exit_code = 2


class AccessDeniedError(ConsoleError):
    """Trust, a role or read-only mode said no."""

    code = "refused"
    exit_code = 3


class NeedsReviewError(AccessDeniedError):
    """The artifact may be loaded once an operator has said yes to what it names."""

    code = "needs-review"


class UnauthenticatedError(AccessDeniedError):
    """A token that is not known, or that counts no more."""

    code = "unauthenticated"


class InputError(ConsoleError):
    """A file is missing, unreadable, damaged or of no known format."""

    code = "bad-input"
    exit_code = 4


class ConflictError(ConsoleError):
    """Somebody else changed the file in between; nothing was replaced."""

    code = "conflict"


class NotServedError(InputError):
    """Nothing answers to this name, or to this version of it."""

    code = "not-served"


class NotReadyError(OperationError):
    """A model that is served cannot answer now."""

    code = "not-ready"


class OverloadedError(OperationError):
    """More is asked than may wait; `retry_s` is when to ask again."""

    code = "overloaded"
    retry_s = 1.0


class DeadlineError(OperationError):
    """The answer did not come in time, and the work on it was ended."""

    code = "deadline"


class EngineGoneError(OperationError):
    """The engine that this program was attached to has ended, or the line to it has."""

    code = "engine-gone"
