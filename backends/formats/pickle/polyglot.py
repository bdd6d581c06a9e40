"""A pickle in the bytes of a file of another format, which an unpickler would read from its start."""

from __future__ import annotations

from typing import Optional

from backends.core.findings import finding
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.formats.pickle.walk import walk_inside

__all__ = ["read_as_pickle"]


def read_as_pickle(source: Source, head: bytes, name: str) -> Optional[Inspection]:
    """The names and findings of such a pickle in a file of the format `name`, None where there is none.

    Raises OSError.
    """
    walked = walk_inside(source, "read as a pickle")
    if walked is None:
        return None
    also = finding("polyglot", f"{name} that is also a pickle", 0)
    return Inspection("pickle", names=walked.names, findings=(also, *walked.findings))
