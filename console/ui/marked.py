"""Operations over all that is marked: asked once, done in turn, told in one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from backends.core.inspection import outermost
from console.errors import ConsoleError
from console.free_memory import free_memory
from console.records import Verdict
from console.ui import text
from console.ui.cooperative import cooperative
from console.ui.in_turn import AT_ONCE, InTurn, Round, asked_alone
from console.ui.keys import key_for
from console.ui.operations import Operations
from console.ui.tally import Outcome, named, names

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

ASKED_FROM = 20
"""More models than these are loaded after a question, and fewer where they take much of the memory that is free."""
WORKER_BYTES = 10 << 20
"""The least memory of a worker, beside its model."""
_LOOKED_AT = 200
"""Marks that are looked at to tell whether a key can do anything with them, and data files looked for at a time."""


class Marked:
    """Operations over many models, and those over one that ask and tell alike.

    What would need an answer of its own is left out, and told.
    """

    def __init__(self, app: ConsoleApp, operations: Operations) -> None:
        self._app = app
        self._operations = operations
        self.turns = InTurn(app, operations)

    def possible(self, action: str) -> bool:
        """Whether an action can do anything with what is marked."""
        marks = self._app.rows.marks
        if self.turns.round is not None:
            return False
        if action == "unload":
            loaded = self._app.mirror.workers
            return any(path in marks and self._operations.possible(action, path) for path in loaded)
        return any(self._operations.possible(action, path) for path in islice(marks, _LOOKED_AT)) or (
            len(marks) > _LOOKED_AT
        )

    def why_not(self, action: str) -> str:
        """In a few words, why an action that is not `possible` is not."""
        if self.turns.round is not None:
            return self.turns.why_not
        if action == "unload":
            return "nothing that is marked is loaded"
        first = next(iter(self._app.rows.marks), "")
        return f"nothing that is marked can be: of {named(first)}, {self._operations.why_not(action, first)}"

    def perform(self, action: str, paths: Sequence[str]) -> None:
        """Do what an action of the table asks of each path, after asking once where that is needed."""
        self.turns.start(len(paths), partial(_WORK[action], self, paths))

    # load and unload

    async def _load_all(self, paths: Sequence[str], begun: Round) -> None:
        """Load each, after asking where they are many."""
        wanted = await self.turns.sort_out("load", paths, begun, self._loaded_already)
        if await self._has_room(wanted):
            await self.turns.each(begun, "loading", wanted, self._load, word="starting")
        else:
            begun.tally.clear()

    async def _has_room(self, paths: Sequence[str]) -> bool:
        """Ask where they are many, or take much of the memory that is free."""
        least = len(paths) * WORKER_BYTES
        async for path in cooperative(paths):
            row = self._app.mirror.rows.get(path)
            least += row.size if row is not None else 0
        free = free_memory()
        if len(paths) <= ASKED_FROM and (free is None or 2 * least <= free):
            return True
        memory = f"They take at least {text.size(least)} of memory"
        memory += "." if free is None else f"; {text.size(free)} is free."
        how = f"{AT_ONCE} are loaded at a time, and {key_for('stop')} on the first screen stops."
        question = f"Load {_all(paths)}{', each into a worker of its own' if len(paths) > 1 else ''}?"
        return await self._operations.confirmed(question, f"{memory} {how}\n{names(paths)}", yes="Load")

    async def _load(self, path: str) -> Outcome:
        """Load one without a question. Raises ConsoleError."""
        if (loaded := self._loaded_already(path)) is not None:
            return loaded
        report = await self._app.engine.artifacts.report(path)
        if report.judgement.verdict in (Verdict.DAMAGED, Verdict.UNSUPPORTED):
            return Outcome("refused", str(report.judgement.verdict), "warning")
        tops = outermost(report.inspection.models) if report.inspection is not None else ()
        if len(tops) > 1:
            return Outcome("left out", "holds several models", "warning", asked_alone())
        await self._app.engine.models.load(path, at=tops[0].at if tops else "")
        return Outcome("loaded")

    def _loaded_already(self, path: str) -> Outcome | None:
        worker = self._app.mirror.workers.get(path)
        loaded = worker is not None and self._operations.possible("unload", path)
        return Outcome("loaded already", idle=True) if loaded else None

    async def _unload_all(self, paths: Sequence[str], begun: Round) -> None:
        """End the workers of each, after asking once where probes are running."""
        loaded = await self.turns.sort_out("unload", paths, begun, lambda _: Outcome("not loaded", idle=True))
        driven = [path for path in loaded if self._is_driven(path)]
        if driven:
            question = f"Unload {_all(loaded)} while {_part(len(driven), len(loaded))} driven?"
            detail = f"Driven: {names(driven)}. The workers end and their memory is given back."
            if not await self._operations.confirmed(question, detail, yes="Unload"):
                begun.tally.clear()
                return
        await self.turns.each(begun, "unloading", loaded, self._unload)

    async def _unload(self, path: str) -> Outcome:
        await self._app.engine.models.unload(path)
        return Outcome("unloaded")

    # probe

    async def _probe_all(self, paths: Sequence[str], begun: Round) -> None:
        """Drive those that are not driven; where all are, stop."""
        able = await self._with_data(await self.turns.sort_out("probe", paths, begun), begun)
        rest = [path for path in able if not self._is_driven(path)]
        if able and not rest:
            begun.tally.clear()
            await self.turns.each(begun, "stopping", able, self._stop)
            return
        views = self._app.mirror.workers
        if await self._has_room([path for path in rest if path not in views]):
            await self.turns.each(begun, "driving", rest, self._drive, word="starting")
        else:
            begun.tally.clear()

    async def _with_data(self, paths: Sequence[str], begun: Round) -> list[str]:
        """Those of which it is known with which data they are driven."""
        able: list[str] = []
        for start in range(0, len(paths), _LOOKED_AT):
            some = paths[start : start + _LOOKED_AT]
            for path, why in zip(some, await asyncio.gather(*map(self._lacking, some)), strict=True):
                if why:
                    begun.tally.add(Outcome("left out", why, "warning"), path)
                else:
                    able.append(path)
        return able

    async def _lacking(self, path: str) -> str:
        """Why it is not known with which data a model is driven; empty where it is."""
        try:
            data = await self._app.engine.data.of(path)
        except ConsoleError as error:
            return error.message
        return "" if data.is_known else data.why or "no data is named"

    async def _drive(self, path: str) -> Outcome:
        loaded = await self._load(path)
        if not loaded.is_done:
            return loaded
        await self._app.engine.monitor.start(path)
        return Outcome("driven")

    async def _stop(self, path: str) -> Outcome:
        await self._app.engine.monitor.stop(path)
        return Outcome("driven no more")

    def _is_driven(self, path: str) -> bool:
        probe = self._app.mirror.probes.get(path)
        return probe is not None and probe.running

    # inspect and seal

    async def _inspect_all(self, paths: Sequence[str], begun: Round) -> None:
        """Read each file anew and judge it."""
        await self.turns.each(begun, "reading", paths, self._inspect)

    async def _inspect(self, path: str) -> Outcome:
        artifacts = self._app.engine.artifacts
        before = self._app.mirror.rows.get(path)
        report = await artifacts.inspect(path)
        verdict, row = report.judgement.verdict, report.artifact
        if verdict is None or row.problem is not None:
            return Outcome("not read", row.problem or row.why, "warning")
        known = before.verdict if before is not None else None
        if known in (None, verdict):
            return Outcome("read anew", f"{verdict} as before" if known else str(verdict))
        return Outcome("read anew", f"now {verdict}", "warning")

    async def _seal_all(self, paths: Sequence[str], begun: Round) -> None:
        """Encrypt each for the recipients in the settings, after asking once."""
        from console.ui.dialogs.confirm import SealScreen
        from console.ui.sealing import question, seal_one

        engine, status = self._app.engine, self._app.mirror.status
        able = await self.turns.sort_out("seal", paths, begun)
        if able:
            await engine.security.check_encryption()
            how = await self._app.push_screen_wait(SealScreen(*question(status, able)))
            if not how:
                begun.tally.clear()
                return
            seal = partial(seal_one, engine, status.recipients, remove=how == "remove")
            await self.turns.each(begun, "sealing", able, seal, word="sealing", at_once=1)


_WORK = {
    "load": Marked._load_all,
    "unload": Marked._unload_all,
    "probe": Marked._probe_all,
    "inspect": Marked._inspect_all,
    "seal": Marked._seal_all,
}
"""What each action does to many."""


def _all(paths: Sequence[str]) -> str:
    """`12 models`, or the one by its name."""
    return named(paths[0]) if len(paths) == 1 else text.count(len(paths), "model")


def _part(some: int, of: int) -> str:
    if some == of:
        return "it is" if of == 1 else "they are"
    return "one of them is" if some == 1 else f"{some:,} of them are"
