"""What was last known of the content at each path, and of the one before it: two records a path, as a cache.

The records are the caller's text; nothing here reads them. It can be lost at any time: whatever is wrong with it, it is
dropped, and what is asked of it is then unknown.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from console.files.cache_file import CacheFile

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
