"""Putting a content in place: verified in a fresh worker, published, recorded, and taken up by a loaded worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from console.access.actor import who
from console.access.admission import require_inspected
from console.errors import AccessDeniedError, ConflictError, ConsoleError, OperationError
from console.files.opening import identity_of
from console.files.snapshot import Snapshot
from console.locks import LOCK_TRY_S, retried
from console.records import Verdict, Version
from console.update.services import UpdateServices
from console.versions import history
from console.versions.publish import Promotion, publish, rollback

_LOCK_WAIT = 30.0
"""Seconds that another process which replaces the same artifact is waited for."""


class Replacing:
    """Replaces artifacts of one store; blocking file work runs in threads, verification back on the event loop."""

    def __init__(self, services: UpdateServices) -> None:
        self._services = services

    async def history(self, path: str) -> tuple[Version, ...]:
        """The versions of an artifact, newest first. Raises InputError, OperationError."""
        return await asyncio.to_thread(history.versions, self._services.root, path)

    async def promote(
        self,
        path: str,
        content: Snapshot,
        *,
        at: str,
        replaces: str | None,
        why: str,
        metrics: Mapping[str, float],
        replaced_metrics: Mapping[str, float],
        accepted: bool = False,
    ) -> Version:
        """Put a judged content in place of the one with digest `replaces`. Raises ConflictError, AccessDeniedError,
        OperationError.

        `accepted` says that an operator has looked at this very content, which one that is not `safe` needs.
        """
        root = self._services.root
        promotion = self._promotion(path, why, metrics, replaced_metrics)
        verify = self._verifier(path, at, accepted)
        await self._services.access.record("promote", path, content.digest, "intent", replaces=replaces, why=why)
        version = await self._recorded(
            "promote",
            path,
            content.digest,
            lambda: publish(
                self._still(root), path, content, promotion, replaces=replaces, verify=verify, wait=LOCK_TRY_S
            ),
        )
        self._services.bus.emit(
            "update.promoted", path, f"{path} is now version {version.version}: {why}", severity="ok"
        )
        await self._taken_up(path, version.digest)
        return version

    async def rollback(self, path: str, number: int | None) -> Version:
        """Promote an old version (None: the one before the current). Raises InputError, ConflictError,
        AccessDeniedError, OperationError."""
        root = self._services.root
        why = "rollback" if number is None else f"rollback to version {number}"
        view = self._services.supervisor.view(path)
        verify = self._verifier(path, view.at if view is not None else "", accepted=True)
        promotion = self._promotion(path, why, {}, {})
        await self._services.access.record("rollback", path, None, "intent", version=number)
        version = await self._recorded(
            "rollback",
            path,
            None,
            lambda: rollback(self._still(root), path, number, promotion, verify=verify, wait=LOCK_TRY_S),
        )
        self._services.bus.emit(
            "history.rolled-back", path, f"{path} is back at version {version.version}", severity="ok"
        )
        await self._taken_up(path, version.digest)
        return version

    def _still(self, root: Path) -> Path:
        """The directory in which the replacement began. Raises ConflictError where the store is another one by now."""
        if root != self._services.root:
            raise ConflictError(
                f"the store leads to {self._services.root} now, no longer to {root}", hint="look again, then retry"
            )
        return root

    def _promotion(self, path: str, why: str, metrics: Mapping[str, float], replaced: Mapping[str, float]) -> Promotion:
        keep = self._services.recipes.or_default(path).keep.versions
        return Promotion(who(), why, metrics=metrics, replaced_metrics=replaced, keep=keep)

    async def _recorded(self, action: str, path: str, digest: str | None, work: Callable[[], Version]) -> Version:
        try:
            version = await retried(work, wait=_LOCK_WAIT)
        except ConsoleError as error:
            ours = isinstance(error, (AccessDeniedError, ConflictError))
            await self._services.access.record(
                action, path, digest, f"{error.code}: {error.message}" if ours else error.code
            )
            raise
        await self._services.access.record(action, path, version.digest, "done", version=version.version)
        return version

    def _verifier(self, path: str, at: str, accepted: bool) -> Callable[[int], None]:
        """For the publishing thread: has the written file judged and loaded on the event loop, and waits for that."""
        loop = asyncio.get_running_loop()

        def verify(fd: int) -> None:
            asyncio.run_coroutine_threadsafe(self._verify(path, fd, at, accepted), loop).result()

        return verify

    async def _verify(self, path: str, fd: int, at: str, accepted: bool) -> None:
        status = os.fstat(fd)
        written = Snapshot(os.dup(fd), identity_of(status), status.st_size, None, False, path)
        with written:
            judged = await self._services.inspections.judge_bytes(written)
            require_inspected(f"the new content of {path}", judged.judgement)
            verdict = judged.judgement.verdict
            if verdict is not Verdict.SAFE and not (accepted and verdict is Verdict.REVIEW):
                raise AccessDeniedError(f"the new content of {path} is {verdict}, so it was not put in place")
            try:
                started = await self._services.loader.start_judged(path, judged, at, {})
            except ConsoleError as error:
                message = f"the new content of {path} does not load, so it was not put in place: {error.message}"
                raise OperationError(message, hint=error.hint, failure=error.failure) from None
            await started.worker.end()

    async def _taken_up(self, path: str, digest: str) -> None:
        """A loaded worker gets the new content; that it could not is told by the supervisor, the promotion stands.

        Where the policy demands a signature that is not there yet, what is loaded stays.
        """
        self._services.inspections.forget(path)
        if await self._lacks_signature(path, digest):
            text = f"{path} is not signed as it is now: sign it before it can be loaded again"
            self._services.bus.emit("update.unsigned", path, text, severity="attention")
            return
        if self._services.supervisor.view(path) is not None:
            try:
                await self._services.supervisor.reload(path)
            except ConsoleError as error:
                self._services.bus.emit("worker.error", path, f"{path} was not reloaded: {error}", severity="failure")

    async def _lacks_signature(self, path: str, digest: str) -> bool:
        try:
            return self._services.access.policy.require_signature and await self._services.signed(path, digest) is None
        except ConsoleError:
            return True
