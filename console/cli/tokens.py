"""The command for tokens, by which programs ask over HTTP."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable

from console.cli.json_shapes import picked
from console.cli.output import Output, columns
from console.cli.parser import PROG
from console.cli.session import opened
from console.errors import UsageError
from console.nearest import nearest
from console.records import Json, Token

_WORDS = ("add", "list", "revoke")
_OF_ADD = ("role", "models", "rate", "expires")
_KEYS = ("name", "role", "models", "rate", "created", "by", "expires", "last_used")
_HEADERS = ("NAME", "ROLE", "MODELS", "RATE", "EXPIRES", "LAST USED", "MADE", "BY")
_DAY_S = 86_400.0


async def token(arguments: argparse.Namespace, output: Output) -> int:
    """Make a token and print it this once, list the tokens of a store, or revoke one."""
    what = _asked(arguments)
    if what == "list":
        return await _list(arguments, output)
    if not arguments.name:
        raise UsageError(f"which token? {PROG} token {what} NAME", hint=f"see {PROG} token --help")
    return await _add(arguments, output) if what == "add" else await _revoke(arguments, output)


def _asked(arguments: argparse.Namespace) -> str:
    """The word. Raises UsageError for one that there is not, and for options of another."""
    what: str = arguments.what
    if what not in _WORDS:
        meant = nearest(what, _WORDS)
        hint = f"did you mean {PROG} token {meant}?" if meant else f"see {PROG} token --help"
        raise UsageError(f"'{what[:60]}' is none of {', '.join(_WORDS)}", hint=hint)
    given = [name for name in _OF_ADD if getattr(arguments, name) is not None]
    if given and what != "add":
        raise UsageError(f"--{given[0]} is for {PROG} token add", hint=f"see {PROG} token --help")
    if what == "list" and arguments.store is not None:
        raise UsageError(f"{PROG} token list takes one STORE", hint=f"see {PROG} token --help")
    return what


async def _add(arguments: argparse.Namespace, output: Output) -> int:
    expires = None if arguments.expires is None else time.time() + arguments.expires * _DAY_S
    async with opened(arguments.door, arguments.store or ".", records=True) as store:
        made = await store.engine.tokens.add(
            arguments.name,
            role=arguments.role or "infer",
            models=tuple(arguments.models or ()),
            rate=arguments.rate or 0.0,
            expires=expires,
        )
    output.say(f"{_words(made.token)}; it is shown this once, and only its hash is kept")
    output.data({**_shown(made.token), "secret": made.secret}, lambda: [made.secret])
    return 0


async def _revoke(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments.door, arguments.store or ".", records=True) as store:
        gone = await store.engine.tokens.revoke(arguments.name)
    output.data(_shown(gone), lambda: [f"revoked {gone.name}: nobody asks with it any more"])
    return 0


async def _list(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments.door, arguments.name or ".", records=False) as store:
        found = await store.engine.tokens.list()
    output.data([_shown(one) for one in found], lambda: columns(_HEADERS, [_row(one) for one in found]))
    if not found:
        output.say("there are no tokens yet")
    return 0


def _shown(one: Token) -> dict[str, Json]:
    return {**picked(one, *_KEYS), "expired": _is_over(one)}


def _words(one: Token) -> str:
    models = f"models {', '.join(one.models)}" if one.models else "all models"
    rate = f", {one.rate:g} requests a second at most" if one.rate else ""
    until = f", until {_day(one.expires)}" if one.expires is not None else ""
    return f"token {one.name}: role {one.role}, {models}{rate}{until}"


def _row(one: Token) -> tuple[str, ...]:
    expires = "never" if one.expires is None else f"{'expired ' * _is_over(one)}{_day(one.expires)}"
    return (
        one.name,
        one.role,
        _listed(one.models),
        f"{one.rate:g}/s" if one.rate else "no limit",
        expires,
        "never" if one.last_used is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(one.last_used)),
        _day(one.created),
        one.by,
    )


def _listed(patterns: Iterable[str]) -> str:
    return " ".join(patterns) or "all"


def _is_over(one: Token) -> bool:
    return one.expires is not None and time.time() >= one.expires


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))
