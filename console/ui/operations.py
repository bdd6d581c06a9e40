"""Operations over one artifact: ask what must be asked, call the engine, say what came of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from backends.core.descriptors import why_not_loadable
from backends.core.inspection import outermost
from console.errors import AccessDeniedError, ConsoleError, NeedsMemoryError, NeedsReviewError
from console.records import DataSource, Report, UpdatePlan, Verdict, Version, WorkerState
from console.safe_text import safe
from console.ui import text
from console.ui.choosing import choose_data, has_data
from console.ui.keys import key_for
from console.ui.sealing import why_not_sealed

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

_LIVING = (WorkerState.LOADING, WorkerState.WARMING, WorkerState.READY, WorkerState.DRAINING)
_LOADABLE = (Verdict.SAFE, Verdict.REVIEW)
_RUNNING = ("load", "probe", "data", "update", "accelerate")
"""Actions on what can be run."""


class Operations:
    """Runs one operation an artifact at a time, each in a task of its own; errors become toasts."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self.pending: dict[str, str] = {}
        """Paths an operation was just asked for, with the word the table shows until the engine answers."""
        self.update_errors: dict[str, ConsoleError] = {}
        """Why the last update of a path failed; the update screen says it."""
        self.asked: dict[str, float] = {}
        """When the operator last asked for something, by path (`time.monotonic`)."""
        self._asking: set[str] = set()

    def possible(self, action: str, path: str) -> bool:
        """Whether an action makes sense for the artifact as it is now."""
        mirror = self._app.mirror
        artifact, worker = mirror.rows.get(path), mirror.workers.get(path)
        state = worker.state if worker is not None else None
        living = state in _LIVING
        if artifact is None:
            return action not in ("load", "reload", "probe", "data", "update", "seal")
        if action in _RUNNING and not living and self._why_not_run(path):
            return False
        match action:
            case "load":
                return not living and path not in self.pending and artifact.problem is None
            case "unload":
                return living
            case "reload":
                return state in (WorkerState.READY, WorkerState.ERROR)
            case "copies":
                return state is WorkerState.READY
            case "probe" | "data":
                return artifact.problem is None and (artifact.verdict in _LOADABLE or artifact.verdict is None)
            case "update" | "accelerate":
                return artifact.verdict in _LOADABLE
            case "seal":
                return not why_not_sealed(mirror.status, artifact)
        return True

    def why_not(self, action: str, path: str) -> str:
        """In a few words, why an action that is not `possible` is not."""
        mirror = self._app.mirror
        artifact, worker = mirror.rows.get(path), mirror.workers.get(path)
        state = worker.state if worker is not None else WorkerState.ENDED
        if artifact is None:
            return "it is not in the store any more"
        if action in _RUNNING and state not in _LIVING and (why := self._why_not_run(path)):
            return why
        if action in ("probe", "data", "update", "accelerate") or (action == "load" and artifact.problem is not None):
            if artifact.problem is not None:
                return "it cannot be read"
            return "it is not read yet" if artifact.verdict is None else f"it is {artifact.verdict}"
        if action == "seal":
            return why_not_sealed(mirror.status, artifact)
        if action == "load":
            return f"it is {state} already" if state in _LIVING else "it is being done"
        return "it is not loaded" if state is WorkerState.ENDED else f"it is {state}"

    def _why_not_run(self, path: str) -> str:
        """Why nothing runs an artifact that can be inspected, as far as that is known; empty where it is run."""
        report = self._app.mirror.report(path)
        if report is None or report.inspection is None or report.judgement.verdict not in _LOADABLE:
            return ""
        return "" if report.inspection.loadable else why_not_loadable(report.inspection)

    def perform(self, action: str, path: str) -> None:
        """Do what an action of the table asks of one artifact; a probe that runs is stopped."""
        probe = self._app.mirror.probes.get(path)
        if action == "probe" and probe is not None and probe.running:
            self.run(path, self._app.engine.monitor.stop(path))
        else:
            self.run(path, _WORK[action](self, path), "starting" if action in _STARTING else "")

    def update(self, plan: UpdatePlan) -> None:
        """Retrain; it goes on whatever screen is looked at."""
        self.update_errors.pop(plan.path, None)
        self.run(plan.path, self._update(plan), "updating")

    def roll_back(self, path: str, version: Version) -> None:
        """Put an old version back in place, after asking."""
        self._app.run_worker(self._roll_back(path, version), group="rollback", exclusive=True)

    def run(self, path: str, work: Coroutine[Any, Any, object], word: str = "") -> None:
        """Run an engine call about `path`; `word` shows in the table until it is through."""
        self.asked[path] = time.monotonic()
        if word:
            self.pending[path] = word
            self._app.touch(path)
        self._app.run_worker(self._guarded(path, work), group="operations", exit_on_error=True)

    async def _guarded(self, path: str, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except ConsoleError as error:
            self._app.say_error(error, path)
        finally:
            self.settled(path)

    def settled(self, path: str) -> None:
        """The engine has answered: its own word counts from here on."""
        if self.pending.pop(path, None) is not None:
            self._app.touch(path)

    async def _load(self, path: str) -> bool:
        """Load, asking for a place and for a typed yes where they are needed; whether it is loaded."""
        engine = self._app.engine
        report = await engine.artifacts.report(path)
        place = await self._place(report)
        if place is None:
            return False
        return await self._with_yes(path, partial(engine.models.load, path, at=place))

    async def _reload(self, path: str) -> None:
        """Load the file as it is now; after an error, try again."""
        models = self._app.engine.models
        worker = await models.worker(path)
        if worker is not None and worker.state is WorkerState.ERROR:
            await self._with_yes(
                path,
                lambda accept=None: (
                    models.reload(path)
                    if accept is None
                    else models.load(path, at=worker.at, accept=accept, anyway=True)
                ),
            )
        else:
            await self._with_yes(path, partial(models.reload, path))

    async def confirmed(self, question: str, detail: str, *, yes: str) -> bool:
        """Whether the operator says yes."""
        from console.ui.dialogs.confirm import ConfirmScreen

        return await self._app.push_screen_wait(ConfirmScreen(question, detail, yes=yes))

    async def _copies(self, path: str) -> None:
        """Have another number of workers, after asking how many."""
        worker = await self._app.engine.models.worker(path)
        from console.ui.dialogs.choice import CopiesScreen

        wanted = await self._app.push_screen_wait(CopiesScreen(path, worker.copies if worker is not None else 1))
        if wanted is not None:
            await self._app.engine.models.set_copies(path, wanted)

    async def _accelerate(self, path: str) -> None:
        """Export to ONNX, and write that when the operator says so."""
        engine = self._app.engine
        if not await self._has_data(path):
            return
        worker = await engine.models.worker(path)
        place = worker.at if worker is not None else await self._place(await engine.artifacts.report(path))
        if place is None:
            return
        wanted = False

        async def compared(accept: str | None = None) -> None:
            nonlocal wanted
            from console.ui.dialogs.accelerate import AccelerateScreen

            screen = AccelerateScreen(path, engine.acceleration.compare(path, at=place, accept=accept))
            answer = await self._app.push_screen_wait(screen)
            if isinstance(answer, NeedsReviewError):
                raise answer
            wanted = answer

        await self._with_yes(path, compared)
        if not wanted:
            await engine.acceleration.discard(path)
            return
        version = await engine.acceleration.write(path)
        self._app.say(f"The export of {path} is written: version {version.version} of its own artifact")

    async def _with_yes(self, path: str, call: Callable[..., Awaitable[object]]) -> bool:
        """Make the call; where trust wants a review, ask for a typed yes, and where memory is short for a yes, and call
        again with it."""
        try:
            await call()
        except NeedsMemoryError as error:
            return await self._anyway(path, call, error)
        except NeedsReviewError:
            self.settled(path)
            from console.ui.dialogs.confirm import TypedYesScreen

            artifacts = self._app.engine.artifacts
            report, told = await artifacts.report(path), await artifacts.explain(path)
            why = await self._app.push_screen_wait(TypedYesScreen.of_report(report, told))
            if not why:
                return False
            try:
                await call(accept=why)
            except NeedsMemoryError as error:
                return await self._anyway(path, partial(call, accept=why), error)
        return True

    async def _anyway(self, path: str, call: Callable[..., Awaitable[object]], error: NeedsMemoryError) -> bool:
        """Load what will not fit into memory, after asking."""
        self.settled(path)
        question = f"Load {safe(path)} although memory is short?"
        detail = f"{safe(error.message)}. Its worker may be ended for that, and take other programs along."
        if not await self.confirmed(question, detail, yes="Load anyway"):
            return False
        await call(anyway=True)
        return True

    async def _update(self, plan: UpdatePlan) -> None:
        try:
            await self._app.engine.updates.run(plan)
        except ConsoleError as error:
            self.update_errors[plan.path] = error
            if isinstance(error, AccessDeniedError):
                raise

    async def _place(self, report: Report) -> str | None:
        """Where in the file the model stands; asks when there are several; None when the operator backs out."""
        from console.ui.dialogs.choice import PlaceScreen

        models = outermost(report.inspection.models) if report.inspection is not None else ()
        if len(models) < 2:
            return models[0].at if models else ""
        return await self._app.push_screen_wait(PlaceScreen(report.artifact.path, models))

    async def _has_data(self, path: str) -> bool:
        return await self._has_after(path, partial(has_data, before=lambda: self.settled(path)))

    async def _has_after(self, path: str, ask: Callable[[ConsoleApp, str], Awaitable[bool]]) -> bool:
        """Have the operator asked about a path's data, unless they are being asked; whether it has some now."""
        if path in self._asking:
            return False
        self._asking.add(path)
        try:
            return await ask(self._app, path)
        finally:
            self._asking.discard(path)

    async def _choose_data(self, path: str) -> None:
        """Ask which data the model is driven with; a probe that runs goes on with that."""
        if not await self._has_after(path, choose_data):
            return
        monitor = self._app.engine.monitor
        probe = await monitor.probe(path)
        chosen = await self._app.engine.data.chosen(path)
        if probe is not None and probe.running and chosen.data is not None:
            await monitor.start(path, replace(probe.plan, data=chosen.data, target=chosen.target))
        elif chosen.data is not None and chosen.source is not DataSource.RECIPE:  # one that was written has been told
            data = self._app.mirror.shortened(chosen.data)
            self._app.say(f"{path} is driven with {data}; {key_for('probe')} starts")

    async def _unload(self, path: str) -> None:
        """End the worker, after asking when a probe is running."""
        engine = self._app.engine
        probe = await engine.monitor.probe(path)
        if probe is not None and probe.running:
            question = f"Unload {safe(path)} while its probe is running?"
            detail = f"{probe.calls} calls so far. Its worker ends and its memory is given back."
            if not await self.confirmed(question, detail, yes="Unload"):
                return
        await engine.models.unload(path)

    async def _roll_back(self, path: str, version: Version) -> None:
        question = f"Put version {version.version} of {safe(path)} back in place?"
        detail = (
            f"From {text.clock(version.when)}, {safe(version.why, 120)}. What stands there now is kept as a version."
        )
        if await self.confirmed(question, detail, yes="Roll back"):
            self.run(path, self._app.engine.updates.rollback(path, version.version), "swapping")

    async def _probe(self, path: str) -> None:
        """Start driving the model, loading it first."""
        engine = self._app.engine
        if not await self._has_data(path):
            return
        worker = await engine.models.worker(path)
        if (worker is None or worker.state not in _LIVING) and not await self._load(path):
            return
        worker = await engine.models.settled(path)
        if worker is None or worker.state is not WorkerState.ERROR:  # a load that failed has been told
            await engine.monitor.start(path)


_WORK: dict[str, Callable[[Operations, str], Coroutine[Any, Any, object]]] = {
    "load": Operations._load,
    "unload": Operations._unload,
    "reload": Operations._reload,
    "copies": Operations._copies,
    "accelerate": Operations._accelerate,
    "probe": Operations._probe,
    "data": Operations._choose_data,
}
"""What each action does to one artifact."""
_STARTING = ("load", "reload", "probe")
"""Actions after which the table says at once that something starts."""
