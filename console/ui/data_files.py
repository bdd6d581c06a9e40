"""Completes the path of a data file while it is typed: relative to the store, absolute, or from a home (`~`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.suggester import Suggester

if TYPE_CHECKING:
    from console.engine.api import DataApi
    from console.records import TypedPath


class DataFiles(Suggester):
    """Suggests the first directory or data file that goes on as typed; names no terminal may see are left out."""

    def __init__(self, data: DataApi) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._data = data

    async def get_suggestion(self, value: str) -> str | None:
        """The completed path, None where nothing fits."""
        return completed(await self._data.typed(value)) if value else None


def completed(typed: TypedPath) -> str | None:
    """The first directory or data file that a path may go on as, written as it was typed."""
    fitting = (one for one, is_data in zip(typed.choices, typed.is_data, strict=True) if is_data)
    return next((one for one in fitting if one.isprintable()), None)
