"""What was found out about a store's files, kept in the cache directory so that a second start knows it at once.

It can always be made again: whatever is wrong with it, it is dropped. Paths are kept as bytes, facts as ASCII JSON,
since names from outside may hold what no database text can.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from console.config import cache_dir, store_key
from console.records import Artifact, FileIdentity, Verdict

SCHEMA = 1
_Result = TypeVar("_Result")
_BUSY_SECONDS = 2.0
_CREATE = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, device INTEGER, inode INTEGER, size INTEGER, modified INTEGER, changed INTEGER,
    facts TEXT, policy TEXT
) WITHOUT ROWID
"""
_FACTS = (
    "modified",
    "format",
    "compression",
    "digest",
    "model_class",
    "steps",
    "n_models",
    "verdict",
    "why",
    "problem",
    "recipe",
)
_PUT = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class Remembered:
    """What an index held: rows of artifacts, and the identities of files known to hold no model."""

    rows: list[Artifact] = field(default_factory=list)
    marks: dict[str, FileIdentity] = field(default_factory=dict)


class Index:
    """The index of the store at `root`. Usable from any thread; never raises for trouble with its own file."""

    def __init__(self, root: Path, directory: Path | None = None) -> None:
        self._path = (directory or cache_dir() / store_key(root)) / "index.sqlite"
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def load(self, policy: str) -> Remembered:
        """Everything remembered; verdicts reached under another policy than `policy` are left out."""
        return self._attempt(lambda base: _load(base, policy)) or Remembered()

    def save(
        self,
        rows: Iterable[Artifact],
        marks: Mapping[str, FileIdentity] | None = None,
        removed: Iterable[str] = (),
        *,
        policy: str = "",
    ) -> bool:
        """Remember these rows and marks and forget the `removed` paths; False when the index cannot be written."""
        rows = tuple(rows)
        gone = [(os.fsencode(path),) for path in removed]

        def work(base: sqlite3.Connection) -> bool:
            with base:
                base.executemany("DELETE FROM files WHERE path = ?", gone)
                _put(base, rows, marks or {}, policy)
            return True

        return bool(self._attempt(work))

    def replace(self, rows: Iterable[Artifact], marks: Mapping[str, FileIdentity], *, policy: str = "") -> bool:
        """Remember exactly this, after a full scan."""
        rows = tuple(rows)

        def work(base: sqlite3.Connection) -> bool:
            with base:
                base.execute("DELETE FROM files")
                _put(base, rows, marks, policy)
            return True

        return bool(self._attempt(work))

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _attempt(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        with self._lock:
            for _ in range(2):
                try:
                    return work(self._open())
                except sqlite3.OperationalError as error:
                    if "locked" in str(error) or "readonly" in str(error) or "unable to open" in str(error):
                        return None
                    self._drop()
                except (sqlite3.DatabaseError, ValueError, TypeError, KeyError):
                    self._drop()
                except OSError:
                    return None
            return None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            base = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False)
            self._connection = base
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("PRAGMA synchronous=OFF")
            if base.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
                with base:
                    base.execute("DROP TABLE IF EXISTS files")
                    base.execute(_CREATE)
                    base.execute(f"PRAGMA user_version={SCHEMA}")
        return self._connection

    def _drop(self) -> None:
        self._close()
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(f"{self._path}{suffix}")


def _put(base: sqlite3.Connection, rows: Iterable[Artifact], marks: Mapping[str, FileIdentity], policy: str) -> None:
    known = (_columns(row.path, row.identity, _facts(row), policy) for row in rows if row.identity is not None)
    base.executemany(_PUT, known)
    base.executemany(_PUT, (_columns(path, identity, None, "") for path, identity in marks.items()))


def _facts(row: Artifact) -> str:
    return json.dumps([getattr(row, name) for name in _FACTS])


def _columns(path: str, identity: FileIdentity, facts: str | None, policy: str) -> tuple[object, ...]:
    known = (identity.device, _signed(identity.inode), identity.size, identity.modified_ns, identity.changed_ns)
    return (os.fsencode(path), *known, facts, policy)


def _signed(number: int) -> int:
    """An unsigned 64-bit number as SQLite keeps it."""
    return number - 2**64 if number >= 2**63 else number


def _load(base: sqlite3.Connection, policy: str) -> Remembered:
    found = Remembered()
    for path, device, inode, size, modified, changed, facts, judged_by in base.execute("SELECT * FROM files"):
        identity = FileIdentity(device, inode % 2**64, size, modified, changed)
        name = os.fsdecode(path)
        if facts is None:
            found.marks[name] = identity
            continue
        facts = dict(zip(_FACTS, json.loads(facts), strict=True))
        facts["steps"] = tuple(facts["steps"])
        if facts["verdict"] is None or judged_by != policy:
            facts["verdict"], facts["why"] = None, ""
        else:
            facts["verdict"] = Verdict(facts["verdict"])
        found.rows.append(Artifact(name, size, identity=identity, **facts))
    return found
