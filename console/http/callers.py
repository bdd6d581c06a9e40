"""Callers: whose bearer token a request has, what they may, and how often."""

from __future__ import annotations

import asyncio
import fnmatch
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from console.engine.api import EngineApi
from console.engine.api_service import TokensApi
from console.errors import AccessDeniedError, ConsoleError
from console.http.connections import Origin
from console.http.errors import Refused
from console.http.routing import ROLES
from console.records import Principal

KEPT_S = 2.0
"""How long it is believed whose a token is; the engine itself refuses one that was revoked at once."""
_MOST = 2048
_MOST_TOLD = 32
"""How many refusals are being told at once; the engine counts those that are alike anyway."""
_WRONG = "invalid_token"
_CHALLENGE = 'Bearer realm="model-console"'


class FrontEngine(Protocol):
    """The part of its engine that the front needs beside the rooms that handlers ask."""

    @property
    def tokens(self) -> TokensApi:
        """Bearer tokens."""
        ...

    def acting_for(self, handle: str) -> EngineApi:
        """The same engine, asked for the principal of this handle."""
        ...


class Bucket:
    """Requests that one principal may make now: `rate` a second, and as many at once."""

    __slots__ = ("_now", "_rate", "_room", "_seen")

    def __init__(self, rate: float, now: Callable[[], float]) -> None:
        self._rate, self._now = rate, now
        self._room = max(1.0, rate)
        self._seen = now()

    def set(self, rate: float) -> None:
        """Use another rate from now on."""
        self._rate = rate

    def take(self) -> float:
        """Count one request: 0, or the seconds until there is room for it."""
        if self._rate <= 0:
            return 0.0
        now = self._now()
        self._room = min(max(1.0, self._rate), self._room + (now - self._seen) * self._rate)
        self._seen = now
        if self._room < 1.0:
            return (1.0 - self._room) / self._rate
        self._room -= 1.0
        return 0.0


@dataclass(slots=True)
class Caller:
    """A principal, the engine as it is asked for them, and their rate."""

    principal: Principal
    engine: EngineApi
    bucket: Bucket
    until: float

    def check(self, needs: str, model: str) -> None:
        """Raises Refused: 403 where the role or the model is not theirs, 429 where they ask too often."""
        principal = self.principal
        if ROLES.index(needs) > (ROLES.index(principal.role) if principal.role in ROLES else 0):
            raise Refused(
                403,
                f"this needs the role {needs}, and {principal.name} has {principal.role}",
                code="refused",
                hint="`model-console token add NAME --role` makes a token with another role",
            )
        if model and principal.models and not any(fnmatch.fnmatchcase(model, one) for one in principal.models):
            raise Refused(403, f"{principal.name} may not ask this model", code="refused")
        if wait := self.bucket.take():
            raise Refused(
                429,
                f"{principal.name} may ask {principal.rate:g} times a second",
                code="overloaded",
                headers=(("Retry-After", str(math.ceil(wait))),),
            )


class Callers:
    """Finds out who asks, and keeps it for a few seconds."""

    def __init__(self, engine: FrontEngine, now: Callable[[], float], *, anonymous: bool) -> None:
        self._engine, self._now, self._anonymous = engine, now, anonymous
        self._known: dict[bytes, Caller] = {}
        self._buckets: dict[str, Bucket] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def admit(self, header: bytes | None, origin: Origin) -> None:
        """Raises Refused (401) where a socket is not for those without a token."""
        if header is None and not (origin.local or origin.metrics or self._anonymous):
            raise unauthenticated("a token is needed here", "")

    def known(self, header: bytes | None) -> Caller | None:
        """The caller that a header Authorization was of a moment ago."""
        caller = self._known.get(header or b"")
        return caller if caller is not None and self._now() < caller.until else None

    async def ask(self, header: bytes | None, peer: str) -> Caller:
        """Who the engine says it is. Raises Refused (401), and what the engine raises."""
        secret = _secret(header)
        try:
            principal = await self._engine.tokens.principal(secret, peer)
        except AccessDeniedError as error:
            raise unauthenticated(error.message, _WRONG) from None
        bucket = self._bucket(principal)
        caller = Caller(principal, self._engine.acting_for(principal.handle), bucket, self._now() + KEPT_S)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[header or b""] = caller
        return caller

    def forget(self, caller: Caller | None, error: ConsoleError) -> Refused:
        """The answer to one whom the engine knows no more; whoever sends that token again is asked for anew."""
        for header in [header for header, known in self._known.items() if known is caller]:
            del self._known[header]
        return unauthenticated(error.message, _WRONG)

    def tell(self, refused: Refused, caller: Caller | None, what: str, model: str, peer: str) -> None:
        """Have the engine put a refusal on record; of a wrong token it knows already. Never raises."""
        if _WRONG in dict(refused.headers).get("WWW-Authenticate", "") or len(self._telling) >= _MOST_TOLD:
            return
        who = "somebody" if caller is None else caller.principal.name
        task = asyncio.get_running_loop().create_task(self._told(what, model, refused.message, who, peer))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, what: str, model: str, why: str, who: str, peer: str) -> None:
        with suppress(ConsoleError):
            await self._engine.tokens.refused(what, model, why, who, peer)

    def _bucket(self, principal: Principal) -> Bucket:
        """The one of a principal, whose count goes on when it is asked again who it is."""
        bucket = self._buckets.get(principal.handle)
        if bucket is None:
            if len(self._buckets) >= _MOST:
                self._buckets.clear()
            bucket = self._buckets[principal.handle] = Bucket(principal.rate, self._now)
        bucket.set(principal.rate)
        return bucket


def unauthenticated(message: str, error: str) -> Refused:
    """The answer to whoever has no token, or a wrong one."""
    challenge = f'{_CHALLENGE}, error="{error}"' if error else _CHALLENGE
    return Refused(
        401,
        message,
        hint="send `Authorization: Bearer TOKEN`; `model-console token add NAME` makes one",
        headers=(("WWW-Authenticate", challenge),),
    )


def _secret(header: bytes | None) -> str:
    if header is None:
        return ""
    scheme, _, secret = header.partition(b" ")
    secret = secret.strip()
    if scheme.lower() != b"bearer" or not secret or len(secret) > 512 or not secret.isascii():
        raise unauthenticated("this header Authorization has no bearer token", "invalid_request")
    return secret.decode("ascii")
