"""From a failure to its next step, where the cause is known. Pure: no files, no processes."""

from __future__ import annotations

from collections.abc import Mapping

from console.records import Failure


def hint_for(failure: Failure, trained_with: Mapping[str, str] | None = None) -> str | None:
    """One sentence that says what to try, or None. `trained_with` maps a library to the version the file names."""
    return None
