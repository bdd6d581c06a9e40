"""Previous content of a path: from the history where the console replaced it, else from what was seen there."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from console.errors import ConsoleError
from console.files.cache_file import CacheFile
from console.inspection.service import CannotInspect, Inspects, Judges, Unseals, never_sealed
from console.records import Artifact, ContentDiff, Report, Verdict
from console.trust.content_diff import Seen, difference, from_json, seen_of, to_json
from console.versions.history import Replaced, open_version, replaced_by_console

SCHEMA = 1
PATHS_CAP = 500_000
RECORD_CAP = 256 << 10
"""Bytes of one record, unpacked; a longer one is not kept."""
_BUSY_SECONDS = 0.2
_CREATE = "CREATE TABLE IF NOT EXISTS seen (path BLOB PRIMARY KEY, current BLOB, previous BLOB) WITHOUT ROWID"


@dataclass(frozen=True, slots=True)
class Contents:
    """The records of one path: of the content last seen there, and of the one it took the place of."""

    current: str
    previous: str | None = None


class SeenContents:
    """The records of the store at `root`. Usable from any thread; never raises for trouble with its own file."""

    def __init__(self, root: Path, directory: Path | None = None) -> None:
        self._file = CacheFile(
            root, directory, "seen.sqlite", table="seen", create=_CREATE, schema=SCHEMA, busy_s=_BUSY_SECONDS
        )

    def get(self, path: str) -> Contents | None:
        """The records of one path, None where it was never seen."""
        return self._file.attempt(lambda base: _get(base, os.fsencode(path))) if self._file.there else None

    def put(self, contents: Iterable[tuple[str, Contents]]) -> bool:
        """Keep these records; False when they cannot be written."""
        rows = [
            (os.fsencode(path), _packed(one.current), _packed(one.previous))
            for path, one in contents
            if len(one.current) <= RECORD_CAP
        ]
        if not rows:
            return True

        def work(base: sqlite3.Connection) -> bool:
            with base:
                base.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", rows)
                surplus = int(base.execute("SELECT COUNT(*) FROM seen").fetchone()[0]) - PATHS_CAP
                if surplus > 0:
                    base.execute("DELETE FROM seen WHERE path IN (SELECT path FROM seen LIMIT ?)", (surplus,))
            return True

        return bool(self._file.attempt(work))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _get(base: sqlite3.Connection, path: bytes) -> Contents | None:
    row = base.execute("SELECT current, previous FROM seen WHERE path = ?", (path,)).fetchone()
    if row is None:
        return None
    return Contents(_unpacked(row[0]), None if row[1] is None else _unpacked(row[1]))


def _packed(record: str | None) -> bytes | None:
    return None if record is None else zlib.compress(record.encode("ascii"), 1)


def _unpacked(packed: object) -> str:
    if not isinstance(packed, bytes):
        raise ValueError("no record")
    try:
        return zlib.decompressobj().decompress(packed, RECORD_CAP).decode("ascii")
    except zlib.error:
        raise ValueError("no record") from None


SAVE_AFTER_S = 1.0
KEPT = 512
_UNREAD = (Verdict.DAMAGED, Verdict.UNSUPPORTED)


class PreviousContent:
    """Remembers a few kilobytes of each content that is inspected, and tells how the next one differs.

    A file that could not be read takes nobody's place: it may be half a copy. Nor does the removal of a file forget
    what it was: many programs replace one by deleting it first.
    """

    def __init__(self, root: Path, inspect: Inspects, judge: Judges, unseals: Unseals = never_sealed) -> None:
        self.root = root
        self._inspect = inspect
        self._judge = judge
        self._unseals = unseals
        self._store = SeenContents(root)
        self._unsaved: dict[str, Contents] = {}
        self._never_saved: OrderedDict[str, Contents] = OrderedDict()
        self._saving: asyncio.Task[None] | None = None
        self._replaced: OrderedDict[tuple[str, str], Seen] = OrderedDict()

    def take(self, report: Report) -> ContentDiff | None:
        """Remember what was found; how it differs from what stood there, if it is another content than last time."""
        path, now = report.artifact.path, seen_of(report, time.time())
        current, previous = self._known(path)
        if current is not None and _same(current, now):
            if now.digest != current.digest or now.verdict != current.verdict:
                kept = replace(current, digest=now.digest or current.digest, verdict=now.verdict)
                self._put(report.artifact, kept, previous)
            return None
        since = None if current is None else difference(current, now)
        if report.judgement.verdict not in _UNREAD:
            self._put(report.artifact, now, current)
        return since

    def last(self, report: Report) -> ContentDiff | None:
        """How a content differs from the one seen before it; None where nothing is known of one."""
        now = seen_of(report, time.time())
        current, previous = self._known(report.artifact.path)
        before = previous if current is not None and _same(current, now) else current
        return None if before is None else difference(before, now)

    async def replaced(self, report: Report) -> ContentDiff | None:
        """The same from the history, where the console itself put the content in place and kept what it replaced."""
        row = report.artifact
        try:
            found = await asyncio.to_thread(replaced_by_console, self.root, row.path, row.identity)
            before = None if found is None else await self._of_history(row.path, found)
        except (ConsoleError, CannotInspect):
            return None
        return None if before is None else difference(before, seen_of(report, time.time()))

    def move(self, root: Path) -> Awaitable[None]:
        """Go on with the store at `root`; what is awaited keeps what was learned of the one before."""
        store, unsaved = self._store, self._unsaved
        self.root, self._store, self._unsaved = root, SeenContents(root), {}
        self._never_saved.clear()
        self._replaced.clear()

        def keep() -> None:
            store.put(unsaved.items())
            store.close()

        return asyncio.to_thread(keep)

    async def close(self) -> None:
        """Keep what was learned for the next session."""
        if self._saving is not None:
            self._saving.cancel()
        await self._save()
        self._store.close()

    def _known(self, path: str) -> tuple[Seen | None, Seen | None]:
        contents = self._never_saved.get(path) or self._unsaved.get(path) or self._store.get(path)
        if contents is None:
            return None, None
        try:
            return from_json(contents.current), None if contents.previous is None else from_json(contents.previous)
        except (ValueError, TypeError):
            return None, None

    def _put(self, row: Artifact, current: Seen, previous: Seen | None) -> None:
        contents = Contents(to_json(current), None if previous is None else to_json(previous))
        if row.sealed:
            self._never_saved[row.path] = contents
            while len(self._never_saved) > KEPT:
                self._never_saved.popitem(last=False)
            return
        self._never_saved.pop(row.path, None)
        self._unsaved[row.path] = contents
        if self._saving is None:
            self._saving = asyncio.ensure_future(self._save_soon())

    async def _save_soon(self) -> None:
        await asyncio.sleep(SAVE_AFTER_S)
        self._saving = None
        await self._save()

    async def _save(self) -> None:
        unsaved = dict(self._unsaved)
        if not await asyncio.to_thread(self._store.put, unsaved.items()):
            for path in list(self._unsaved)[:-KEPT]:
                del self._unsaved[path]
            return
        for path, contents in unsaved.items():
            if self._unsaved.get(path) is contents:
                del self._unsaved[path]

    async def _of_history(self, path: str, found: Replaced) -> Seen:
        """A retained version, inspected like any other bytes. Raises InputError, OperationError, CannotInspect."""
        known = self._replaced.get((path, found.digest))
        if known is not None:
            return known
        content = await asyncio.to_thread(open_version, self.root, path, found.version)
        with content:
            plain = await self._unseals(content)
            if plain is not None:
                content.replace_with(plain)
            inspection = await self._inspect(content.fd, path)
        judgement = self._judge(inspection, found.digest)
        row = Artifact(path, content.size, found.when, digest=found.digest)
        seen = replace(seen_of(Report(row, inspection, judgement), found.when), version=found.version)
        self._replaced[path, found.digest] = seen
        while len(self._replaced) > KEPT:
            self._replaced.popitem(last=False)
        return seen


def _same(one: Seen, other: Seen) -> bool:
    """Whether two records may well be of one content: what is known of both is equal."""
    known_apart = one.digest is not None and other.digest is not None and one.digest != other.digest
    return not known_apart and one.fingerprint() == other.fingerprint()
