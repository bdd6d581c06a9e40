"""From a failure to its next step, where the cause is known. Pure: no files, no processes."""

from __future__ import annotations

from console.records import Failure


def hint_for(failure: Failure) -> str | None:
    """One sentence that says what to try, or None."""
    return None
