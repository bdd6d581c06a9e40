"""Names of models in service: which artifact answers to which."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from backends.core.descriptors import runs_directories
from console.errors import NotReadyError, NotServedError
from console.nearest import nearest
from console.records import Artifact, Verdict
from console.serving.served_settings import ServedSettings, default_name


class ServedNames:
    """Artifacts by the names they answer to; every one answers to its path as well.

    Names are looked up again when something of the store's rows has changed since (`forget`).
    """

    def __init__(
        self,
        rows: Callable[[], tuple[Artifact, ...]],
        row: Callable[[str], Artifact | None],
        scanning: Callable[[], bool],
        settings: ServedSettings,
    ) -> None:
        self._rows = rows
        self._row = row
        self._scanning = scanning
        self._settings = settings
        self._paths: dict[str, tuple[str, ...]] = {}
        self._changes = 1
        self._seen = 0
        self._looking: asyncio.Task[None] | None = None

    def forget(self) -> None:
        """Rows or recipes have changed."""
        self._changes += 1

    async def path_of(self, name: str) -> str:
        """The artifact that answers to a name or a path. Raises NotServedError, NotReadyError while the store is still
        being looked at."""
        if self._row(name) is not None:
            return name
        await self._refresh()
        paths = self._paths.get(name, ())
        if len(paths) == 1:
            return paths[0]
        if paths:
            hint = f"ask by path: {paths[0]}"
            raise NotServedError(f"{len(paths)} models are called {name}: {', '.join(paths[:4])}", hint=hint)
        if self._scanning():
            raise NotReadyError(f"{name} is not known yet: the store is still being looked at", hint="ask again")
        like = nearest(name, self._paths)
        raise NotServedError(f"no model is called {name}", hint=f"did you mean {like}?" if like else None)

    async def others(self, path: str, name: str) -> tuple[str, ...]:
        """The other artifacts that have the same name."""
        await self._refresh()
        return tuple(one for one in self._paths.get(name, ()) if one != path)

    async def _refresh(self) -> None:
        """Look again where something has changed; what changes while that goes on is the next one's."""
        changes = self._changes
        while self._seen < changes:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(self._look())
            await asyncio.shield(self._looking)

    async def _look(self) -> None:
        changes = self._changes
        self._paths = await asyncio.to_thread(self._found, [row for row in self._rows() if is_model(row)])
        self._seen = changes

    def _found(self, rows: Iterable[Artifact]) -> dict[str, tuple[str, ...]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for row in rows:
            found[self._name(row)].append(row.path)
        return {name: tuple(paths) for name, paths in found.items()}

    def _name(self, row: Artifact) -> str:
        named = row.recipe is not None or self._settings.is_changed(row.path)
        return self._settings.of(row.path)[0].name if named else default_name(row.path)


def is_model(row: Artifact) -> bool:
    """Whether a row is, or may be, of something that answers: not of plain data, nor of what nothing here runs."""
    if row.members and not runs_directories(row.format or ""):
        return False
    if row.problem is not None or row.verdict is Verdict.UNSUPPORTED:
        return False
    return row.runs or row.verdict in (None, Verdict.DAMAGED, Verdict.BLOCKED)
