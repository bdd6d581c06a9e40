"""Completes the name of a data file while it is typed, from the directories of the store."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from textual.suggester import Suggester

_SUFFIXES = (".csv", ".parquet", ".npy", ".npz", ".h5")
_MOST = 2000
"""Entries of one directory that are looked at."""


class DataFiles(Suggester):
    """Suggests the first directory or data file that goes on as typed; names no terminal may see are left out."""

    def __init__(self, root: Path) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._root = root

    async def get_suggestion(self, value: str) -> str | None:
        """The completed path, None where nothing fits."""
        return await asyncio.to_thread(complete, self._root, value) if value else None


def complete(root: Path, typed: str) -> str | None:
    """The first match for `typed`, relative to the store as it was typed."""
    folder, _, start = typed.rpartition("/")
    try:
        with os.scandir(root / folder if folder else root) as entries:
            names = [
                entry.name + ("/" if entry.is_dir() else "")
                for _, entry in zip(range(_MOST), entries, strict=False)
                if entry.name.startswith(start) and not entry.name.startswith(".") and entry.name.isprintable()
            ]
    except OSError:
        return None
    fitting = sorted(name for name in names if name.endswith(("/", *_SUFFIXES)))
    return (f"{folder}/" if folder else "") + fitting[0] if fitting else None
