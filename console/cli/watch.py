"""`watch`: what happens in a store, one line an event, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import time

from console.cli.json_shapes import picked
from console.cli.output import Output, reader_gone
from console.cli.session import opened
from console.records import Event

_LOOK_S = 1.0
"""How often it is looked whether anybody reads, in a store in which nothing happens."""


async def watch(arguments: argparse.Namespace, output: Output) -> int:
    """Follow the store."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def show(event: Event) -> None:
        value = picked(event, "kind", "when", "subject", "text", "severity")
        clock = time.strftime("%H:%M:%S", time.localtime(event.when))
        try:
            output.line(value, f"{clock}  {event.severity:<9}  {event.kind:<20}  {event.text}")
        except OSError as error:
            give_up(error)

    def give_up(error: Exception) -> None:
        if not failed.done():
            failed.set_exception(error)

    async with opened(arguments.door, arguments.store, records=False, watch=True, on_failure=give_up) as store:

        async def follow() -> None:
            after = 0 if store.through is None else (await store.engine.events()).last
            async for event in store.engine.follow(after):
                show(event)

        following = asyncio.ensure_future(follow())
        try:
            while not reader_gone() and not failed.done() and not following.done():
                await asyncio.wait([failed, following], timeout=_LOOK_S)
            for ended in (failed, following):
                if ended.done():
                    ended.result()
        finally:
            following.cancel()
    return 0
