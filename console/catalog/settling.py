"""Files that may still be written to: told as settling until they were closed, or have not moved for a while."""

from __future__ import annotations

import time
from collections.abc import Set

from console.catalog.catalog import Catalog
from console.catalog.listing import Changes
from console.records import Artifact

_QUIET = 1.0
_RECENT = 2.0


class Settling:
    """The restless files of one catalogue. A file that was touched within the last seconds is restless until it is
    known to be closed or moved in whole, or until two looks a while apart found it the same."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._until: dict[str, float] = {}

    def due(self) -> tuple[str, ...]:
        """The files that want their second look now."""
        now = time.monotonic()
        return tuple(path for path, when in self._until.items() if when <= now)

    def next_due(self) -> float:
        """When the next second look is due, by the monotonic clock; infinity where nothing is restless."""
        return min(self._until.values(), default=float("inf"))

    def clear(self) -> None:
        """Forget all; the rows keep what they say until they are looked at again."""
        self._until.clear()

    def sort(self, changes: Changes, at_rest: Set[str]) -> Changes:
        """The changes of a look with their rows marked, and with the rows that came to rest since.

        `at_rest` are the paths of files that were closed or moved in since they were last written to.
        """
        now, clock = time.monotonic(), time.time()
        moved = {row.path: row for row in (*changes.added, *changes.changed)}
        marked: dict[str, Artifact | None] = {}
        for path in [path for path, when in self._until.items() if when <= now or path in at_rest]:
            if path not in moved:
                marked[path] = self._catalog.flag(path, settling=False)
                del self._until[path]
        for path in (*moved, *changes.removed):
            self._until.pop(path, None)
        for path, row in moved.items():
            if row.identity is None or path in at_rest:
                continue
            if abs(clock - row.identity.modified_ns / 1e9) < _RECENT:
                self._until[path] = now + _QUIET
                marked[path] = self._catalog.flag(path, settling=True)
        added = tuple(marked.pop(row.path, None) or row for row in changes.added)
        changed = tuple(marked.pop(row.path, None) or row for row in changes.changed)
        rested = tuple(row for row in marked.values() if row is not None)
        return Changes(added, changed + rested, changes.removed)
