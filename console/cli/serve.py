"""`serve`: an engine of its own for a store; and `status`: how the one stands that runs."""

from __future__ import annotations

import argparse
import os
import pwd
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, replace

from console.cli.output import Output, columns
from console.cli.streams import put
from console.engine.api import Door
from console.records import EngineFacts, WorkerView
from console.records.service import ServeOptions
from console.records.words import span_words


def serve(arguments: argparse.Namespace, door: Door) -> int:
    """Serve a store, or print the systemd unit that would."""
    options = ServeOptions(
        "" if arguments.no_http else arguments.http,
        arguments.metrics,
        arguments.socket,
        arguments.group,
        arguments.tls_cert,
        arguments.tls_key,
        arguments.anonymous,
        arguments.read_only,
    )
    if arguments.print_unit:
        put(door.unit(arguments.store, options), end="")
        return 0
    return door.serve(arguments.store, options)


async def status(arguments: argparse.Namespace, output: Output) -> int:
    """Tell how the engine stands that serves a store."""
    engine = await arguments.door.attach(arguments.store)
    try:
        state = await engine.changes(wait=False)
    finally:
        await engine.close()
    facts = _without_this_one(state.status.engine)
    workers = [{"path": one.path, "state": str(one.state), "copies": one.copies} for one in state.workers]
    value = {"store": state.status.root, **asdict(facts), "uptime_s": time.time() - facts.started, "models": workers}
    output.data(value, lambda: _lines(state.status.root, facts, state.workers))
    return 0


def _without_this_one(facts: EngineFacts) -> EngineFacts:
    """The same without this command, which is attached as well; each user once."""
    others = list(facts.attached)
    with suppress(ValueError, KeyError):
        others.remove(pwd.getpwuid(os.geteuid()).pw_name)
    return replace(facts, attached=tuple(sorted(set(others))), clients=max(0, facts.clients - 1))


def _lines(root: str, facts: EngineFacts, workers: Iterable[WorkerView]) -> Iterable[str]:
    who = f" ({', '.join(facts.attached)})" if facts.clients else ""
    yield f"engine {facts.pid} of {facts.user} serves {root}, up {span_words(time.time() - facts.started)}"
    yield f"socket {facts.socket}, {facts.clients or 'nobody else'} attached{who}"
    yield f"http   {', '.join(facts.http) or 'none'}"
    rows = [(one.path, str(one.state), str(one.copies)) for one in workers]
    yield from columns(("model", "state", "copies"), rows, right=("copies",)) if rows else ["no model is loaded"]
