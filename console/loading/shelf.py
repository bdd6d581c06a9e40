"""The rows of the catalogue as the screens see them now: what the disk holds and what has been found out about it."""

from __future__ import annotations

from collections.abc import Iterable

from console.by_path import ByPath
from console.records import Artifact


class Shelf:
    """Rows by path; `revision` grows with every change."""

    def __init__(self) -> None:
        self._rows = ByPath()
        self.revision = 0

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> tuple[Artifact, ...]:
        """All rows as they are now, in order of path."""
        return self._rows.snapshot()

    def get(self, path: str) -> Artifact | None:
        """The row of one path."""
        return self._rows.get(path)

    def put(self, rows: Iterable[Artifact]) -> None:
        """Add or replace rows; the mark that a worker holds other bytes stays."""
        for row in rows:
            old = self._rows.put(row)
            if old is not None and old.changed and not row.changed:
                self._rows.put(row.replace(changed=True))
        self.touch()

    def drop(self, paths: Iterable[str]) -> None:
        """Forget rows."""
        for path in paths:
            self._rows.drop(path)
        self.touch()

    def mark_changed(self, path: str, changed: bool) -> None:
        """Say whether a loaded worker holds other bytes than the file."""
        row = self._rows.get(path)
        if row is not None and row.changed != changed:
            self._rows.put(row.replace(changed=changed))
            self.touch()

    def touch(self) -> None:
        """Something that the rows are shown with has changed."""
        self.revision += 1
