"""Keys one after the other: each acts where those before it have led, however fast they come.

Textual hands a key to what has the focus at that moment, and what the key does comes later, after it went up to the
application and down again. Of keys that come in one packet (a slow line, a paste, a macro) the second would otherwise
still go to what the first one leaves: `:` and a command to the table, `enter` and `p` into the filter's line.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from textual.app import App
from textual.events import Event
from textual.message_pump import MessagePump

_MOST_SECONDS = 1.0
"""The longest wait for one key: the next key goes to what is there by then."""
_MOST_ROUNDS = 8


class KeysInTurn:
    """Delivers a key when everything that the one before it set going among the screens is through.

    `deliver` hands an event to what has the focus; `shown` waits for what else must be in sight before the next one.
    """

    def __init__(
        self, app: App[Any], deliver: Callable[[Event], Awaitable[None]], shown: Callable[[], Awaitable[None]]
    ) -> None:
        self._app = app
        self._deliver = deliver
        self._shown = shown
        self._waiting: deque[Event] = deque()
        self._busy: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> bool:
        """Whether a key is waiting, or what one has set going is not through."""
        return self._busy is not None

    async def take(self, event: Event) -> None:
        """Deliver a key or what was pasted, at once where nothing is under way."""
        if self._busy is not None:
            self._waiting.append(event)
            return
        before = self._ways()
        await self._deliver(event)
        self._busy = asyncio.create_task(self._rest(before), name="keys in turn")

    async def _rest(self, before: Iterable[MessagePump]) -> None:
        """Wait for the end of one, deliver the next, until there is none."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_MOST_SECONDS):
                        await self._settled(before)
                        await self._shown()
                if not self._waiting or not self._app.is_running:
                    return
                before = self._ways()
                await self._deliver(self._waiting.popleft())
        except Exception as error:
            self._app._handle_exception(error)
        finally:
            self._busy = None

    async def _settled(self, before: Iterable[MessagePump]) -> None:
        """Wait until neither on the way of the key nor on that of the next anything is left to be handled."""
        for _ in range(_MOST_ROUNDS):
            ways = dict.fromkeys((*before, *self._ways()))
            for pump in ways:
                await _passed(pump)
            before = self._ways()
            if ways.keys() >= set(before) and all(pump._message_queue.empty() for pump in ways):
                return

    def _ways(self) -> list[MessagePump]:
        """Where a key goes: from what has the focus up to the application."""
        if not self._app.screen_stack:
            return [self._app]
        return [*(self._app.focused or self._app.screen).ancestors_with_self]


async def _passed(pump: MessagePump) -> None:
    """Wait until everything is handled that waits for this one now, or until it is gone."""
    passed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def tell() -> None:
        if not passed.done():
            passed.set_result(True)

    if pump.call_later(tell):
        await asyncio.wait([one for one in (passed, pump._task) if one is not None], return_when="FIRST_COMPLETED")
