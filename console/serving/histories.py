"""The versions of artifacts as the engine's requests need them: the journal is kept, and only what is new is read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from console.errors import OperationError
from console.files.state_dir import OwnFiles
from console.records import FileIdentity, Version
from console.versions import history
from console.versions.journal import Journal

Digested = tuple[str, str | None]
"""An artifact's path, and the digest of what is in place where that is known."""


class Histories:
    """Histories of one store's artifacts; may be used from several threads."""

    def __init__(self, root: Callable[[], Path]) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._journal: Journal | None = None

    async def exists(self, artifact: Digested, version: str) -> bool:
        """Whether a version is in the history. Raises OperationError."""
        found = await asyncio.to_thread(self.of, [artifact])
        return any(str(one.version) == version for one in found[artifact[0]])

    async def number(self, artifact: Digested, identity: FileIdentity) -> str:
        """The version of a content of this digest, or of this file where its digest is not known yet; "1" where there
        is no history. Raises OperationError."""
        return await asyncio.to_thread(self._number, artifact, identity)

    def of(self, artifacts: Iterable[Digested]) -> dict[str, tuple[Version, ...]]:
        """The versions of artifacts; nothing of those that were never replaced. Raises OperationError."""
        found: dict[str, tuple[Version, ...]] = {}
        with self._read() as (own, journal):
            replaced = {one.path for one in journal.operations()}
            for path, digest in artifacts:
                found[path] = history.listed(own, journal, path, digest) if path in replaced else ()
        return found

    def _number(self, artifact: Digested, identity: FileIdentity) -> str:
        path, digest = artifact
        with self._read() as (own, journal):
            known = history.known(own, journal, path)
        if not known.entries:
            return "1"
        if digest is not None:
            return str(known.number_of(digest))
        in_place = known.last is not None and known.last.identity == identity[:-1]
        return str(known.current.version if known.current and in_place else max(known.entries) + 1)

    @contextmanager
    def _read(self) -> Iterator[tuple[OwnFiles, Journal]]:
        with self._lock, OwnFiles(self._root()) as own:
            self._journal = _refreshed(self._journal, own)
            yield own, self._journal


def _refreshed(journal: Journal | None, own: OwnFiles) -> Journal:
    if journal is not None:
        with suppress(OperationError):
            journal.read_again(own)
            return journal
    return Journal(own)
