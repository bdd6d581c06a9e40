"""What differs between two looks at a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.records import Artifact


@dataclass(frozen=True, slots=True)
class Changes:
    """What one look at the disk found different. `removed` holds paths."""

    added: tuple[Artifact, ...] = ()
    changed: tuple[Artifact, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def rows(self) -> dict[str, Artifact | None]:
        """Path to its new row, None for one that is gone."""
        now: dict[str, Artifact | None] = {row.path: row for row in (*self.added, *self.changed)}
        now.update(dict.fromkeys(self.removed))
        return now


def same_on_disk(old: Artifact, new: Artifact) -> bool:
    """Whether two rows tell the same of the file itself, whatever else is known of them."""
    return (
        old.identity == new.identity
        and old.problem == new.problem
        and old.link == new.link
        and old.recipe == new.recipe
        and old.settling == new.settling
    )


def joined(parts: Iterable[Changes]) -> Changes:
    """Differences of several directories as one; what went from one and came to another has changed."""
    added: dict[str, Artifact] = {}
    changed: list[Artifact] = []
    removed: dict[str, None] = {}
    for part in parts:
        added.update((row.path, row) for row in part.added)
        changed += part.changed
        removed.update(dict.fromkeys(part.removed))
    moved = [path for path in removed if path in added]
    changed += [added.pop(path) for path in moved]
    for path in moved:
        del removed[path]
    return Changes(tuple(added.values()), tuple(changed), tuple(removed))


def diff(old: Mapping[str, Artifact], new: Mapping[str, Artifact]) -> Changes:
    """What must be done to `old` to get `new`."""
    added, changed = [], []
    for path, row in new.items():
        before = old.get(path)
        if before is None:
            added.append(row)
        elif before is not row and not same_on_disk(before, row):
            changed.append(row)
    return Changes(tuple(added), tuple(changed), tuple(path for path in old if path not in new))
