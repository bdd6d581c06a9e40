"""The command that reads the audit log of a store, or checks its chain."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable

from console.cli.json_shapes import picked
from console.cli.output import Output, columns
from console.cli.parser import PROG
from console.cli.session import Opened, opened
from console.errors import OperationError, UsageError
from console.nearest import nearest
from console.records import AuditCheck, AuditEntry, Json

_WORDS = ("show", "verify")
_KEYS = ("seq", "when", "who", "action", "artifact", "digest", "result", "detail", "hash", "log")


async def audit(arguments: argparse.Namespace, output: Output) -> int:
    """The audit log with what the user's own log has of this store, or the check of both chains."""
    what, store = _asked(arguments)
    async with opened(arguments.door, store, records=False, attach=False) as opened_store:
        return await (_verify if what == "verify" else _show)(opened_store, output)


def _asked(arguments: argparse.Namespace) -> tuple[str, str]:
    """Word and store; a store may stand alone. Raises UsageError."""
    if arguments.what in _WORDS:
        return arguments.what, arguments.store or "."
    if arguments.store is not None:
        raise UsageError(f"'{arguments.what}' is neither show nor verify", hint="see model-console audit --help")
    meant = None if os.path.lexists(arguments.what) else nearest(arguments.what, _WORDS)
    if meant is not None:
        raise UsageError(f"there is no {arguments.what}", hint=f"did you mean {PROG} audit {meant}?")
    return "show", arguments.what


async def _verify(store: Opened, output: Output) -> int:
    check = await store.engine.security.verify_audit()
    value = picked(check, "ok", "entries", "problem", "line", "repaired", "mirrored", "note")
    if not check.ok and not output.as_json:
        at = f" at line {check.line}" if check.line else ""
        raise OperationError(f"the audit log is broken{at}: {check.problem}")
    output.data(value, lambda: _found(check))
    return 0 if check.ok else OperationError.exit_code


def _found(check: AuditCheck) -> Iterable[str]:
    yield f"{check.entries} entries, the chain is whole"
    if check.repaired:
        yield f"{check.repaired} torn by a crash and marked"
    if check.note:
        yield check.note
    if check.entries and not check.mirrored:
        yield "you wrote none of them, so that records cut off its end would not show"


async def _show(store: Opened, output: Output) -> int:
    entries = await store.engine.security.audit()
    output.data([picked(entry, *_KEYS) for entry in entries], lambda: _tables(entries))
    return 0


def _tables(entries: Iterable[AuditEntry]) -> Iterable[str]:
    found = list(entries)
    own = [entry for entry in found if entry.log == "own"]
    if len(found) > len(own) or not own:
        yield from _table(entry for entry in found if entry.log == "store")
    if own:
        yield "in your own log, of what was not to be written in the store:"
        yield from _table(own)


def _table(entries: Iterable[AuditEntry]) -> Iterable[str]:
    rows = [
        (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.when)),
            _who(entry.who),
            entry.action,
            entry.artifact,
            (entry.digest or "")[:19],
            entry.result,
        )
        for entry in entries
    ]
    return columns(("WHEN", "WHO", "ACTION", "ARTIFACT", "DIGEST", "RESULT"), rows)


def _who(who: dict[str, Json]) -> str:
    """The user, and by which login where the kernel knows another."""
    user, login = who.get("user") or who.get("uid") or "", who.get("login")
    return str(user) if login in (None, who.get("uid")) else f"{user} (login {login})"
