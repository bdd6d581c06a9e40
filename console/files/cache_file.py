"""A SQLite file in the cache directory: it can be lost at any time, and whatever is wrong with it, it is dropped."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from console.config import cache_dir, store_key

_Result = TypeVar("_Result")
_ELSEWHERE = ("locked", "readonly", "unable to open")


class CacheFile:
    """One table of the store at `root`, made by `create`. Usable from any thread.

    A file of another `schema` is emptied. `busy_s` is how long another process is waited for.
    """

    def __init__(
        self, root: Path, directory: Path | None, name: str, *, table: str, create: str, schema: int, busy_s: float
    ) -> None:
        self.path = (directory or cache_dir() / store_key(root)) / name
        self._table = table
        self._create = create
        self._schema = schema
        self._busy_s = busy_s
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @property
    def there(self) -> bool:
        """Whether there is anything to read."""
        return self._connection is not None or self.path.exists()

    def attempt(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        """The result of `work`; None where the file cannot be used now. A broken one is dropped and made once again.

        `work` raises ValueError, TypeError or KeyError for content that cannot be.
        """
        with self._lock:
            for _ in range(2):
                try:
                    return work(self._open())
                except sqlite3.OperationalError as error:
                    if any(word in str(error) for word in _ELSEWHERE):
                        return None
                    self._drop()
                except (sqlite3.DatabaseError, ValueError, TypeError, KeyError):
                    self._drop()
                except OSError:
                    return None
            return None

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            base = sqlite3.connect(self.path, timeout=self._busy_s, check_same_thread=False)
            self._connection = base
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("PRAGMA synchronous=OFF")
            base.execute("PRAGMA cache_size=-512")
            if base.execute("PRAGMA user_version").fetchone()[0] != self._schema:
                with base:
                    base.execute(f"DROP TABLE IF EXISTS {self._table}")
                    base.execute(self._create)
                    base.execute(f"PRAGMA user_version={self._schema}")
        return self._connection

    def _drop(self) -> None:
        self._close()
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(f"{self.path}{suffix}")
