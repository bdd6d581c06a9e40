"""An endpoint: what is known of one artifact in service while requests for it come and go."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from console.errors import ConsoleError, DeadlineError, OverloadedError
from console.records import FileIdentity, ServeSettings

_RATE_S = 1.0
_KNOWN_NUMBERS = 64
_RETRY_S = (0.1, 30.0)
"""The least and the most that somebody who was refused is told to wait."""


class Endpoint:
    """One artifact: its settings, who waits for it, and what became of attempts to load it.

    `stopped` are the keys of what an operator unloaded, `failed` why a load failed, and of which file.
    """

    def __init__(self, path: str, settings: ServeSettings, problem: str) -> None:
        self.path = path
        self.settings = settings
        self.problem = problem
        self.refresh_at = 0.0
        self.pending = 0
        """Requests that have come and are not answered."""
        self.stopped: set[str] = set()
        self.failed: dict[str, tuple[FileIdentity | None, ConsoleError]] = {}
        self.loading: dict[str, asyncio.Task[object]] = {}
        self._turns: deque[asyncio.Future[None]] = deque()
        self._changed: set[asyncio.Future[None]] = set()
        self._numbers: dict[FileIdentity, str] = {}
        self._numbering: dict[FileIdentity, asyncio.Task[str]] = {}
        self._credit: dict[str, float] = {}
        self._answered, self._since, self._rate = 0, time.monotonic(), 0.0

    # numbers of contents

    def number(self, identity: FileIdentity | None) -> str | None:
        """The version of a content, as far as it is known."""
        return None if identity is None else self._numbers.get(identity)

    async def find_number(self, identity: FileIdentity, find: Callable[[], Awaitable[str]]) -> str:
        """The same, found out once for all who ask."""
        task = self._numbering.get(identity)
        if task is None:
            task = self._numbering[identity] = asyncio.ensure_future(find())
            task.add_done_callback(lambda done: self._found(identity, done))
        number = await asyncio.shield(task)
        self._keep(identity, number)
        return number

    def _found(self, identity: FileIdentity, task: asyncio.Task[str]) -> None:
        self._numbering.pop(identity, None)
        if not task.cancelled() and task.exception() is None:
            self._keep(identity, task.result())

    def _keep(self, identity: FileIdentity, number: str) -> None:
        while len(self._numbers) >= _KNOWN_NUMBERS and identity not in self._numbers:
            del self._numbers[next(iter(self._numbers))]
        self._numbers[identity] = number

    # shares

    def next_version(self) -> str:
        """The version whose turn it is by the weights; "" for the current one. Each gets its share evenly spread."""
        weights = self.settings.weights
        credit = self._credit
        shares = {**weights, "": 1.0 - sum(weights.values())}
        for version, share in shares.items():
            credit[version] = credit.get(version, 0.0) + share
        found = max(shares, key=lambda version: credit[version])
        credit[found] -= 1.0
        return found

    def configured(self, settings: ServeSettings, problem: str = "") -> None:
        """Serve it so from now on."""
        if settings.weights != self.settings.weights:
            self._credit.clear()
        self.settings, self.problem = settings, problem
        self.wake()

    # waiting

    @property
    def crowded(self) -> bool:
        """Whether somebody waits for a worker already."""
        return bool(self._turns)

    async def turn(self, deadline: float, *, again: bool) -> None:
        """Wait until a worker has room; who was woken in vain stands first. Raises DeadlineError."""
        future = asyncio.get_running_loop().create_future()
        (self._turns.appendleft if again else self._turns.append)(future)
        try:
            await self._until(future, deadline, "no worker had room for it in time")
        except BaseException:
            if future.done() and not future.cancelled():
                self.next_turn()
            else:
                with suppress(ValueError):
                    self._turns.remove(future)
            raise

    def next_turn(self) -> None:
        """A worker has room: let the next one go on."""
        while self._turns:
            future = self._turns.popleft()
            if not future.done():
                future.set_result(None)
                return

    async def change(self, deadline: float, why: str) -> None:
        """Wait until something of its workers or settings has changed. Raises DeadlineError, which says `why`."""
        future = asyncio.get_running_loop().create_future()
        self._changed.add(future)
        try:
            await self._until(future, deadline, why)
        finally:
            self._changed.discard(future)

    def wake(self) -> None:
        """Something has changed: all look again."""
        for future in (*self._changed, *self._turns):
            if not future.done():
                future.set_result(None)
        self._changed.clear()
        self._turns.clear()

    async def _until(self, future: asyncio.Future[None], deadline: float, why: str) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await future
        except TimeoutError:
            raise DeadlineError(f"{self.settings.name} did not answer in time: {why}") from None

    # load

    def answered(self) -> None:
        """One more answer went out."""
        self._answered += 1

    def overloaded(self) -> OverloadedError:
        """The refusal of a request that would have to wait behind too many."""
        now = time.monotonic()
        if now - self._since >= _RATE_S or not self._rate:
            self._rate = self._answered / max(now - self._since, 1e-3)
            self._answered, self._since = 0, now
        wait = self.pending / self._rate if self._rate else 1.0
        error = OverloadedError(
            f"{self.settings.name} is asked more than it can answer: {self.pending:,} requests are unanswered",
            hint=f"ask again later; its queue takes {self.settings.queue:,}",
        )
        error.retry_s = min(max(wait, _RETRY_S[0]), _RETRY_S[1])
        return error
