"""Index of a store's files in the cache directory (SQLite), by which a second start knows the store at once.

It can always be made again: whatever is wrong with it, it is dropped. Paths are kept as bytes, facts as ASCII JSON,
since names from outside may hold what no database text can.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from console.files.cache_file import CacheFile
from console.records import Artifact, FileIdentity, Verdict

SCHEMA = 8
_BUSY_SECONDS = 2.0
_CREATE = """
CREATE TABLE IF NOT EXISTS files (
    folded BLOB, path BLOB, identity TEXT, modified REAL, digest TEXT, recipe BLOB, facts TEXT, policy TEXT,
    PRIMARY KEY (folded, path)
) WITHOUT ROWID
"""
_FACTS = (
    "format",
    "compression",
    "model_class",
    "steps",
    "summary",
    "runs",
    "verdict",
    "why",
    "accepted",
    "problem",
    "sealed",
    "link",
    "members",
)
"""What many files have alike: kept as one text, read once for each text."""
_PUT = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PAGE = """
SELECT folded, path, identity, modified, digest, recipe, facts, policy FROM files
WHERE (folded, path) > (?, ?) ORDER BY folded, path LIMIT ?
"""
_PAGE_ROWS = 2_000
_TEXTS_KEPT = 4_096


@dataclass(slots=True)
class Remembered:
    """A page of an index: rows of artifacts, and the identities of files known to hold no model."""

    rows: list[Artifact] = field(default_factory=list)
    marks: dict[str, FileIdentity] = field(default_factory=dict)
    last: tuple[bytes, bytes] | None = None
    """Where the page ended; None after the last."""


class Index:
    """The index of the store at `root`. Usable from any thread; never raises for trouble with its own file."""

    def __init__(self, root: Path, directory: Path | None = None) -> None:
        self._file = CacheFile(
            root, directory, "index.sqlite", table="files", create=_CREATE, schema=SCHEMA, busy_s=_BUSY_SECONDS
        )

    @property
    def there(self) -> bool:
        """Whether an earlier session left anything to start from."""
        return self._file.there

    def pages(self, policy: str, first: int = _PAGE_ROWS) -> Iterator[Remembered]:
        """Everything remembered page by page, in the order of a screen sorted by path: the first is of `first` rows.

        Verdicts reached under another policy than `policy` are left out.
        """
        reader = _Reader(policy)
        after, count = (b"", b""), first
        while (page := self._file.attempt(partial(reader.page, after=after, count=count))) is not None:
            yield page
            if page.last is None:
                return
            after, count = page.last, _PAGE_ROWS

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
        gone = [_key(path) for path in removed]

        def work(base: sqlite3.Connection) -> bool:
            with base:
                base.executemany("DELETE FROM files WHERE folded = ? AND path = ?", gone)
                _put(base, rows, marks or {}, policy)
            return True

        return bool(self._file.attempt(work))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _put(base: sqlite3.Connection, rows: Iterable[Artifact], marks: Mapping[str, FileIdentity], policy: str) -> None:
    base.executemany(_PUT, (_columns(row, policy) for row in rows if row.identity is not None))
    base.executemany(_PUT, ((*_key(path), json.dumps(one), None, None, None, None, "") for path, one in marks.items()))


def _columns(row: Artifact, policy: str) -> tuple[object, ...]:
    """One row; what was read from a file that is encrypted at rest is not written down."""
    if row.sealed:
        row = replace(row, format="age", compression=None, model_class=None, steps=(), summary="", runs=False)
        row = replace(row, verdict=None, why="", accepted=False)
    facts = json.dumps([getattr(row, name) for name in _FACTS])
    recipe = None if row.recipe is None else os.fsencode(row.recipe)
    return (*_key(row.path), json.dumps(row.identity), row.modified, row.digest, recipe, facts, policy)


def _key(path: str) -> tuple[bytes, bytes]:
    """A path as it is ordered, and as it is."""
    return os.fsencode(path.casefold()), os.fsencode(path)


class _Reader:
    """Makes rows of what the table holds; what rows have alike is made once."""

    def __init__(self, policy: str) -> None:
        self._policy = policy
        self._known: dict[tuple[str, bool], dict[str, Any]] = {}

    def page(self, base: sqlite3.Connection, after: tuple[bytes, bytes], count: int) -> Remembered:
        """Up to `count` files after this key."""
        found = Remembered()
        rows = base.execute(_PAGE, (*after, count)).fetchall()
        for _folded, name, numbers, modified, digest, recipe, facts, policy in rows:
            path, identity = os.fsdecode(name), FileIdentity(*json.loads(numbers))
            if facts is None:
                found.marks[path] = identity
                continue
            beside = None if recipe is None else os.fsdecode(recipe)
            same = self._facts(facts, judged=policy == self._policy)
            found.rows.append(Artifact(path, identity.size, modified, identity, digest=digest, recipe=beside, **same))
        found.last = rows[-1][:2] if len(rows) == count else None
        return found

    def _facts(self, text: str, *, judged: bool) -> dict[str, Any]:
        known = self._known.get((text, judged))
        if known is None:
            known = dict(zip(_FACTS, json.loads(text), strict=True))
            known["steps"] = tuple(known["steps"])
            if known["verdict"] is None or not judged:
                known["verdict"], known["why"], known["accepted"] = None, "", False
            else:
                known["verdict"] = Verdict(known["verdict"])
            if len(self._known) >= _TEXTS_KEPT:
                self._known.clear()
            self._known[text, judged] = known
        return known
