"""The rows an operator has marked, by path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from console.records import Artifact


class Marks:
    """A set of paths; whoever lists them drops those that are gone."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._revision = 0
        self._missing: tuple[tuple[int, int], int] = ((0, 0), 0)

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def toggle(self, path: str) -> None:
        """Mark a path, or take its mark away."""
        self._paths ^= {path}
        self._revision += 1

    def toggle_all(self, shown: Sequence[Artifact]) -> None:
        """Mark all that are shown; where they are marked already, take every mark away."""
        paths = [artifact.path for artifact in shown]
        if all(path in self._paths for path in paths):
            self.clear()
        else:
            self._paths.update(paths)
            self._revision += 1

    def drop(self, paths: Iterable[str]) -> None:
        """Take away the marks of these."""
        if self._paths:
            self._paths.difference_update(paths)
            self._revision += 1

    def clear(self) -> None:
        """Take away all marks."""
        self._paths.clear()
        self._revision += 1

    def missing_in(self, shown: Sequence[Artifact], revision: int) -> int:
        """How many are marked that are not shown; counted anew only for another `revision` of what is."""
        made_from = self._revision, revision
        if self._missing[0] != made_from:
            self._missing = made_from, len(self._paths) - sum(one.path in self._paths for one in shown)
        return self._missing[1]
