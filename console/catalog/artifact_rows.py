"""The rows of the catalogue as the screens see them now: what the disk holds and what has been found out about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from operator import attrgetter

from console.records import Artifact


class ArtifactRows:
    """Rows by path; `revision` grows with every change."""

    def __init__(self) -> None:
        self._rows: dict[str, Artifact] = {}
        self.revision = 0

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> tuple[Artifact, ...]:
        """All rows as they are now, in order of path."""
        return tuple(sorted(self._rows.values(), key=attrgetter("path")))

    def get(self, path: str) -> Artifact | None:
        """The row of one path."""
        return self._rows.get(path)

    def put(self, rows: Iterable[Artifact]) -> None:
        """Add or replace rows; whether a worker holds other bytes stays as `mark_changed` has told it."""
        for row in rows:
            old = self._rows.get(row.path)
            changed = old is not None and old.changed
            self._rows[row.path] = row if row.changed == changed else replace(row, changed=changed)
        self.touch()

    def drop(self, paths: Iterable[str]) -> None:
        """Forget rows."""
        for path in paths:
            self._rows.pop(path, None)
        self.touch()

    def mark_changed(self, path: str, changed: bool) -> None:
        """Say whether a loaded worker holds other bytes than the file."""
        row = self._rows.get(path)
        if row is not None and row.changed != changed:
            self._rows[path] = replace(row, changed=changed)
            self.touch()

    def touch(self) -> None:
        """Something that the rows are shown with has changed."""
        self.revision += 1
