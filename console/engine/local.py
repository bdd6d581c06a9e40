"""The engine of a store in this process: opened, kept going in the background, and closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from pathlib import Path

from console import event_loop
from console.closing import close_each
from console.config import Settings
from console.engine.change_log import ChangeLog
from console.engine.jobs import Tell
from console.engine.rooms import Rooms
from console.errors import ConsoleError
from console.records import (
    AuditCheck,
    AuditEntry,
    Changes,
    EncryptedFile,
    Event,
    MissedEvents,
    SignatureStatus,
    SignedContents,
    StoreStatus,
)

_MOST_WAITING = 10_000
"""Events that wait for a client."""


class Engine(Rooms):
    """The EngineApi of one store: its rooms, and what changes in them. Make it with `open`, end it with `close`.

    Where the path that was given leads to another directory than before, all rooms turn to that one: what is loaded
    stays, and is held against what lies there.
    """

    def __init__(self, given: Path, settings: Settings, *, read_only: bool, records: bool, restarts: bool) -> None:
        super().__init__(given, settings, read_only=read_only, records=records, restarts=restarts, moved=self._move)
        self.security = LocalSecurity(self)
        self._on_failure: Callable[[Exception], None] = lambda _: None
        self.jobs.on_failure = lambda error: self._on_failure(error)
        self._background: list[asyncio.Task[None]] = []
        self._unsubscribe = self.bus.subscribe(self._hear)
        self._log = ChangeLog(self)

    @classmethod
    async def open(
        cls,
        root: Path,
        settings: Settings,
        *,
        read_only: bool = False,
        watch: bool = True,
        records: bool = True,
        begin: bool = True,
        warm_first: bool = False,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> Engine:
        """Open the store at `root`. With `watch` it is scanned, followed and surveyed in the background.

        Until `begin` is called (which is done here unless told otherwise) only the first rows of the index are known.
        `on_failure` hears of what nobody expected in the background, where nobody waits for it. With `warm_first` the
        process that workers are forked from is started before anything else.

        Without `records` nothing is written to the store by itself, neither to its audit log nor to settle what a crash
        left. Raises InputError for a policy that cannot be read, AccessDeniedError where this user has no role in the
        store.
        """
        event_loop.make_do()
        engine = cls(root, settings, read_only=read_only, records=records, restarts=watch)
        engine._on_failure = on_failure
        if warm_first and settings.warm:
            engine._launcher.stand_by()
        await engine.book.authorize("look")
        if not watch:
            await engine._end_abandoned()
            if records and not engine.book.read_only:
                await engine._settle()
            await engine.book.announce()
        else:
            await asyncio.gather(engine.artifacts.remember(), asyncio.to_thread(engine._chosen.load))
            if begin:
                await engine.begin()
        return engine

    async def begin(self) -> None:
        """Start what runs in the background; a second call does nothing."""
        if not self._background:
            self._go(self._begin())

    async def warmed(self) -> None:
        """Wait until workers are forked from a process that has the libraries, where the settings want one."""
        if self.settings.warm:
            await self._launcher.warm().warmed()

    async def close(self) -> None:
        """End everything that was started; never raises."""
        self._log.close()
        self._unsubscribe()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        lazy = (self.__dict__.get(name) for name in ("serving", "monitor", "acceleration", "updates", "tokens"))
        made = [room for room in lazy if room is not None]
        rooms = (self.artifacts, self._starter, self._fleet, self._inspectors, self._launcher)
        await close_each(self.jobs, *made, self.book.refused, *rooms)

    async def status(self) -> StoreStatus:
        """How the store stands."""
        return self.known_status()

    async def events(self, after: int = 0) -> MissedEvents:
        """The events that are kept of those after a number, at once."""
        return self.bus.missed(after)

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """The kept events after a number, then each as it happens."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        missed = self.bus.missed(after).events

        def hear(event: Event) -> None:
            if queue.qsize() < _MOST_WAITING:
                queue.put_nowait(event)

        stop = self.bus.subscribe(hear)
        try:
            for event in missed:
                yield event
            while True:
                yield await queue.get()
        finally:
            stop()

    async def changes(self, after: int = -1, *, wait: bool = True, gather: float = 0.0) -> Changes:
        """Everything that has changed since the event with this number (-1: everything there is)."""
        if wait and after >= 0:
            await self._log.happened(after)
            await asyncio.sleep(gather)
        return self._log.since(after)

    # in the background

    def _go(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._gone)
        self._background.append(task)

    def _gone(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._on_failure(error)

    async def _end_abandoned(self) -> None:
        """End what a console that was killed left running."""
        ended = await asyncio.to_thread(self._launcher.end_abandoned)
        if ended:
            processes = f"{ended} process{'es' if ended > 1 else ''}"
            self._tell_settled(
                "", f"{processes} that a killed console had left running {'were' if ended > 1 else 'was'} ended"
            )

    async def _settle(self) -> None:
        """Settle what a crash left, for a command; one that replaces something goes by the journal itself."""
        from console.update.recovering import settle

        try:
            self.settled += await settle(self.root, self.bus)
        except ConsoleError as error:
            self.settled.append(error.message)

    def _tell_settled(self, path: str, text: str) -> None:
        self.settled.append(text)
        self.bus.emit("store.settled", path, text, severity="attention")

    async def _begin(self) -> None:
        await self._end_abandoned()
        await self.artifacts.remember_all()
        await self._arrive()
        self.artifacts.follow(self.settings.reconcile_s)
        self._go(self.artifacts.survey())
        if self.settings.warm:
            self._launcher.stand_by()
        await asyncio.to_thread(import_module, "console.monitor.live")

    async def _recover(self) -> None:
        """Settle what a crash left; where that cannot be told, nothing may be changed."""
        from console.update.recovering import settle

        try:
            self.settled += await settle(self.root, self.bus)
        except ConsoleError as error:
            self.book.why_read_only = error.message
            self.bus.emit("store.unsettled", "", f"{error.message}; nothing can be changed", severity="failure")

    def _move(self, root: Path) -> None:
        """The store is another directory from now on; what lies there is judged by its own policy."""
        self._turn_to(root)
        self._go(asyncio.to_thread(self._chosen.load))
        self._go(self._past.move(root))
        try:
            self.book.move(root, why_read_only=self._why_read_only())
        except ConsoleError as error:
            self.bus.emit("trust.policy", "", error.message, severity="failure")
        else:
            self._go(self._arrive())

    async def _arrive(self) -> None:
        """Settle what was left half done in the store that is new here, and put its policy on record."""
        if not self.book.read_only:
            await self._recover()
        try:
            await self.book.announce()
        except ConsoleError as error:
            self.bus.emit("store.unrecorded", "", error.message, severity="failure")

    def _hear(self, event: Event) -> None:
        self.artifacts.hear(event)
        if event.kind.startswith("worker.") or "monitor" in self.__dict__:
            self.monitor.hear(event)


class LocalSecurity:
    """Signatures, encryption, and the record of who did what."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def sign(self, beneath: str, key: str) -> SignedContents:
        """Sign what an artifact holds now, or all of a directory, with the private key in a file."""
        signing = self._rooms.signing
        return await self._rooms.jobs.run("sign", beneath, lambda _tell: signing.sign(beneath, key), _signed)

    async def verify(self, beneath: str, keys: tuple[str, ...] = ()) -> tuple[SignatureStatus, ...]:
        """How each artifact there stands with its signatures by these keys (none: the policy's)."""
        return await self._rooms.signing.verify(beneath, keys)

    async def check_encryption(self) -> None:
        """Make sure that something can be encrypted for the recipients in the settings."""
        await self._rooms.at_rest.check()

    async def encrypt(
        self, path: str, recipients: tuple[str, ...], out: str | None = None, *, replace: bool = False
    ) -> EncryptedFile:
        """Write the artifact encrypted: to `out`, or beside it; with `replace` in its stead."""
        place, at_rest = None if out is None else Path(out), self._rooms.at_rest

        async def work(_tell: Tell) -> EncryptedFile:
            file, digest = await at_rest.seal(path, recipients, place, replace=replace)
            return EncryptedFile(str(file), digest)

        return await self._rooms.jobs.run("seal", path, work, lambda made: f"written as {made.path}")

    async def decrypt(self, path: str, identity: str | None, out: str) -> int:
        """Write what an encrypted artifact holds to a new file, which its owner alone may read; its size."""
        return await self._rooms.at_rest.unseal(path, None if identity is None else Path(identity), Path(out))

    async def history_directory(self, path: str) -> str:
        """The directory that holds what an artifact was before."""
        return str(self._rooms.at_rest.history(path))

    async def audit(self) -> tuple[AuditEntry, ...]:
        """The audit log, oldest first; behind it what the user's own log has of this store."""
        return await asyncio.to_thread(self._rooms.book.entries)

    async def verify_audit(self) -> AuditCheck:
        """Check the chain of the audit log, and that of the user's own."""
        return await asyncio.to_thread(self._rooms.book.verify)


def _signed(found: SignedContents) -> str:
    return f"{len(found.digests)} signed by {found.key_id}"
