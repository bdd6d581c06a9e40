"""Reasons why a file cannot be read as a model, or a model cannot be asked, each with a stable code."""

from __future__ import annotations

from typing import Any, Optional

NO_MEMORY = "it announces something too large to be read"
"""Of a file whose reader got no memory: how much there was to have, the backend does not know."""
_LENGTH = 1_000


class ArtifactError(Exception):
    """A file that cannot be read as a model; `code` is stable, the text is one clear sentence.

    A message often quotes the file, so what would not stay on one line is escaped here, and its length is bounded.
    """

    code = "artifact"

    def __init__(self, message: str, *, offset: Optional[int] = None) -> None:
        super().__init__(_one_line(message))
        self.offset = offset


def _one_line(message: str) -> str:
    cut = message if len(message) <= _LENGTH else f"{message[: _LENGTH - 1]}…"
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


class Damaged(ArtifactError):
    """Truncated or malformed."""

    code = "damaged"


class Unsupported(ArtifactError):
    """No backend reads it."""

    code = "unsupported"


class Unopened(Unsupported):
    """An archive or a compression that nothing here opens: what is in it was not looked at."""

    code = "unopened"


class Foreign(Unsupported):
    """A model in a format that is recognised and not read here."""

    code = "foreign-format"


class NoModel(Unsupported):
    """Something that is known and is no model, or is one only once it was decoded."""

    code = "no-model"


class NotLoadable(ArtifactError):
    """It can be inspected, but not loaded by this console or from this place in the file."""

    code = "not-loadable"


class Refusal(Exception):
    """A request that cannot be met for a reason the operator can act on: a code, one sentence, structured details."""

    def __init__(self, code: str, message: str, details: Optional[dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = details
