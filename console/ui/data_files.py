"""Completes the path of a data file while it is typed: relative to the store, absolute, or from a home (`~`)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.suggester import Suggester

from console.store.data_files import completions
from console.store.kinds import is_named_as_data


class DataFiles(Suggester):
    """Suggests the first directory or data file that goes on as typed; names no terminal may see are left out."""

    def __init__(self, root: Path) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._root = root

    async def get_suggestion(self, value: str) -> str | None:
        """The completed path, None where nothing fits."""
        return await asyncio.to_thread(complete, self._root, value) if value else None


def complete(root: Path, typed: str) -> str | None:
    """The first directory or data file that `typed` may go on as, written as it was typed."""
    fitting = (one for one in completions(root, typed) if one.endswith("/") or is_named_as_data(one))
    return next((one for one in fitting if one.isprintable()), None)
