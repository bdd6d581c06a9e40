"""The rows of the catalogue as the screens see them now: what the disk holds and what has been found out about it."""

from __future__ import annotations

from collections.abc import Iterable

from console.records import Artifact


class Shelf:
    """Rows by path, with one snapshot for whoever draws; `revision` grows with every change."""

    def __init__(self) -> None:
        self._rows: dict[str, Artifact] = {}
        self._snapshot: tuple[Artifact, ...] | None = None
        self.revision = 0

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> tuple[Artifact, ...]:
        """All rows, unsorted; the same tuple until something changes."""
        if self._snapshot is None:
            self._snapshot = tuple(self._rows.values())
        return self._snapshot

    def get(self, path: str) -> Artifact | None:
        """The row of one path."""
        return self._rows.get(path)

    def put(self, rows: Iterable[Artifact]) -> None:
        """Add or replace rows; the mark that a worker holds other bytes stays."""
        for row in rows:
            old = self._rows.get(row.path)
            self._rows[row.path] = row.replace(changed=True) if old is not None and old.changed else row
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
            self._rows[path] = row.replace(changed=changed)
            self.touch()

    def touch(self) -> None:
        """Something that the rows are shown with has changed."""
        self._snapshot = None
        self.revision += 1
