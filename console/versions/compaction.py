"""Which operations of a journal still matter: those that are open, and those that a version in place or kept is of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from console.files.state_dir import OwnFiles
from console.versions import retained
from console.versions.operations import OPEN_STATES, Operation

__all__ = ["needed"]


def needed(own: OwnFiles, operations: Iterable[Operation]) -> list[Operation]:
    """Those to keep, in their order. Raises OSError where a history cannot be listed."""
    known = list(operations)
    finished: dict[str, list[Operation]] = defaultdict(list)
    for one in known:
        if one.state in ("committed", "done"):
            finished[one.path].append(one)
    kept = {one.op for one in known if one.state in OPEN_STATES}
    for path, those in finished.items():
        kept |= _of_path(sorted(those, key=lambda one: one.seq), retained.names(own, path))
    return [one for one in known if one.op in kept]


def _of_path(operations: list[Operation], names: set[str]) -> set[str]:
    """Of one artifact: the newest by which each retained version was promoted, or the first that found it there; the
    last one, and the one with the highest number, so that no number is given twice."""
    highest = max(operations, key=lambda one: max(one.version, one.old_version))
    kept = {operations[-1].op, highest.op}
    promoted = {one.version: one for one in operations}
    for one in promoted.values():
        if retained.file_name(one.version, one.new) in names:
            kept.add(one.op)
    found: set[int] = set(promoted)
    for one in operations:
        if one.old and one.old_version not in found:
            found.add(one.old_version)
            if retained.file_name(one.old_version, one.old) in names:
                kept.add(one.op)
    return kept
