"""Tokens of those who ask over HTTP, and who asks by a handle: the file that keeps them, read, changed and followed."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from console.access.actor import Actor, acting, acting_as
from console.access.control import AccessControl
from console.closing import closing_fd
from console.config import state_dir, store_key
from console.durable import own_directory, put_bytes
from console.errors import ConflictError, ConsoleError, InputError, OperationError, UnauthenticatedError, UsageError
from console.files.opening import identity_of
from console.locks import LOCK_TRY_S, locked, retried
from console.os_errors import hint, why
from console.records import ANONYMOUS, FileIdentity, Json, NewToken, Principal, Token
from console.trust.tokens import MOST_TOKENS, KeptToken, digest_of, id_of, named, new_secret, parse, serialised

Tokens = tuple[KeptToken, ...]
Seen = tuple[Path, FileIdentity | None]
"""Which file was read last, and as which one of that name."""

LAST_USED_S = 3600.0
"""How coarsely it is kept when a token was last used."""
_LOOK_S = 1.0
"""Seconds after which the file is looked at again while tokens are used."""
_LOCK_WAIT = 5.0
_SIZE_CAP = 32 << 20
_STEP = "make one with `model-console token add NAME`, and send it as Authorization: Bearer mc_…"


class Principals:
    """The tokens of the store at `root`. Each has a handle that nobody guesses, by which the front, which sees what
    strangers send, names who asks: of those whose secret it has not seen it knows none."""

    def __init__(self, root: Path, access: AccessControl) -> None:
        self.root = root
        self._access = access
        self._tokens: dict[str, KeptToken] = {}
        self._handles: dict[str, str] = {}
        self._principals: dict[str, Principal] = {}
        self._used: dict[str, float] = {}
        self._seen: Seen | None = None
        self._looked = 0.0
        self._told = ""
        self._task: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._coming: asyncio.Task[None] | None = None
        """The look at the file that has not begun."""
        self._anonymous = Principal(ANONYMOUS, "infer", handle=secrets.token_urlsafe(16))

    @property
    def path(self) -> Path:
        """The file that keeps them."""
        return state_dir() / "tokens" / f"{store_key(self.root)}.json"

    # for clients

    async def list(self) -> tuple[Token, ...]:
        """All tokens, without their secrets. Raises AccessDeniedError, InputError."""
        await self._access.authorize("tokens")
        await self.reload()
        return tuple(self._with_use(token).record() for token in self._tokens.values())

    async def add(
        self,
        name: str,
        *,
        role: str = "infer",
        models: tuple[str, ...] = (),
        rate: float = 0.0,
        expires: float | None = None,
    ) -> NewToken:
        """A new token, that counts until the moment `expires`. Raises UsageError, ConflictError for a name that is
        taken, AccessDeniedError, OperationError."""
        await self._access.authorize("token")
        name, known = named(name, role, models, rate)
        now = time.time()
        if expires is not None and not now < expires < now * 1000:
            raise UsageError("a token expires at a moment to come", hint="name the days it is to last: --expires 90")
        secret = new_secret()
        kept = KeptToken(
            id_of(secret) or "", digest_of(secret), name, known, models, rate, now, _text(self._access.who), expires
        )
        await self._recorded(f"add {name}", lambda tokens: _added(tokens, kept), role=role, models=[*models])
        return NewToken(kept.record(), secret)

    async def revoke(self, name: str) -> Token:
        """Let nobody ask with this token any more, from now on. Raises InputError, AccessDeniedError,
        OperationError."""
        await self._access.authorize("token")
        await self.reload()
        found = next((token for token in self._tokens.values() if token.name == name), None)
        if found is None:
            raise InputError(f"there is no token '{name[:64]}'", hint="`model-console token list` shows them")
        await self._recorded(f"revoke {name}", lambda tokens: tuple(one for one in tokens if one.name != name))
        return found.record()

    async def principal(self, secret: str, peer: str = "") -> Principal:
        """Whoever has this secret ("" = anybody who asks without one); a wrong one of `peer` goes on record. Raises
        UnauthenticatedError."""
        if not secret:
            return self._anonymous
        number = id_of(secret) or ""
        if number not in self._tokens or time.monotonic() - self._looked > _LOOK_S:
            with suppress(ConsoleError):
                await self.reload()
        token = self._tokens.get(number)
        # an unknown number costs the same comparison
        known = token.is_of(secret) if token is not None else _NOBODY.is_of(secret)
        if token is None or not known:
            raise await self._wrong("this token is not known here", "somebody", peer)
        if token.is_over(time.time()):
            raise await self._wrong(f"the token {token.name} has expired", f"token {token.name}", peer)
        self._note(number)
        return self._principals[number]

    async def refused(self, what: str, model: str, why: str, who: str, peer: str = "") -> None:
        """Put on record that `who` was refused `what` of a model; those that are alike are counted by the minute.
        Raises OperationError."""
        actor = acting.get()
        if actor is not None and actor.principal is not None:
            bearer = next((one for one in self._principals.values() if one.name == who), actor.principal)
            actor = Actor(bearer.name, -1, principal=bearer)
            who = actor.who if bearer.name == who else who
        with acting_as(actor):
            await self._access.refused.tell(what[:64], model, why, who[:64], peer)

    # for the server

    def of(self, handle: str) -> Principal | None:
        """Whoever has this handle now ("" = anybody who asks without a token); None once the token is revoked or has
        expired. Asked with each request."""
        if not handle or handle == self._anonymous.handle:
            return self._anonymous
        token = self._tokens.get(self._handles.get(handle, ""))
        if token is None or token.is_over(time.time()):
            return None
        self._note(token.id)
        return self._principals[token.id]

    async def reload(self) -> None:
        """Go by the file as it is now, in one look for all who ask before it begins. Raises InputError for one that is
        damaged or that others may read: what was known before counts on."""
        if self._coming is None:
            self._coming = asyncio.ensure_future(self._reload())
            self._coming.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(self._coming)

    async def _reload(self) -> None:
        async with self._changing:
            self._coming = None
            self._looked = time.monotonic()
            try:
                found = await asyncio.to_thread(self._read)
            except ConsoleError as error:
                if error.message != self._told:
                    self._access.warn("trust.policy", "", error.message)
                self._told = error.message
                raise
            self._told = ""
            if found is not None:
                self._take(*found)

    async def close(self) -> None:
        """Keep when each token was last used, and end what runs."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if self._used:
            await self._keep_use()

    # inside

    async def _wrong(self, text: str, who: str, peer: str) -> UnauthenticatedError:
        with suppress(OperationError):
            await self.refused("token", "", text, who, peer)
        return UnauthenticatedError(text, hint=_STEP)

    def _note(self, number: str) -> None:
        """Remember that a token is used; now and then keep that, and look whether the file has changed."""
        now = time.time()
        self._used[number] = now
        if self._task is not None and not self._task.done():
            return
        if now - (self._tokens[number].last_used or 0.0) > LAST_USED_S:
            self._task = asyncio.ensure_future(self._keep_use())
        elif time.monotonic() - self._looked > _LOOK_S:
            self._task = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        with suppress(ConsoleError):
            await self.reload()

    async def _keep_use(self) -> None:
        with suppress(ConsoleError):
            await self._change(lambda tokens: tuple(map(self._with_use, tokens)))

    def _with_use(self, token: KeptToken) -> KeptToken:
        used = self._used.get(token.id)
        return token if used is None else msgspec.structs.replace(token, last_used=used)

    async def _recorded(self, what: str, change: Callable[[Tokens], Tokens], **detail: Json) -> None:
        """Change the file, with the intent and the outcome on record. Raises as `_change` does."""
        await self._access.record("token", "", None, f"{what}: intent", **detail)
        try:
            await self._change(change)
        except ConsoleError as error:
            await self._access.record("token", "", None, f"{what}: {error.code}")
            raise
        await self._access.record("token", "", None, f"{what}: done")

    async def _change(self, change: Callable[[Tokens], Tokens]) -> None:
        """Write the file anew with what `change` makes of its tokens, durably, and go by it. Raises InputError,
        ConflictError, OperationError."""
        async with self._changing:
            self._take(*await retried(lambda: _changed(self.path, change), wait=_LOCK_WAIT))

    def _read(self) -> tuple[Tokens, Seen] | None:
        path, seen = self.path, self._seen
        return _read(path, seen)

    def _take(self, tokens: Tokens, seen: Seen) -> None:
        known = {number: principal.handle for number, principal in self._principals.items()}
        self._tokens = {token.id: token for token in tokens}
        self._principals = {
            token.id: Principal(
                token.name, token.role, token.models, token.rate, known.get(token.id) or secrets.token_urlsafe(16)
            )
            for token in tokens
        }
        self._handles = {principal.handle: number for number, principal in self._principals.items()}
        self._used = {number: when for number, when in self._used.items() if number in self._tokens}
        self._seen = seen


_NOBODY = KeptToken("--------", digest_of(secrets.token_urlsafe(16)), "nobody", "view")


def _text(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _added(tokens: Tokens, new: KeptToken) -> Tokens:
    if any(token.name == new.name for token in tokens):
        raise ConflictError(f"there is a token {new.name} already", hint="revoke it first, or choose another name")
    if len(tokens) >= MOST_TOKENS:
        raise OperationError(f"there are {MOST_TOKENS} tokens already", hint="revoke those that nobody uses")
    return (*tokens, new)


def _read(path: Path, seen: Seen | None) -> tuple[Tokens, Seen] | None:
    """The tokens of the file; None where it is the one that was `seen`. Raises InputError."""
    try:
        with closing_fd(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)) as fd:
            return _read_open(fd, path, seen)
    except FileNotFoundError:
        return None if seen == (path, None) else ((), (path, None))
    except OSError as error:
        raise InputError(f"cannot read the tokens {path}: {why(error)}", hint=hint(error)) from None


def _read_open(fd: int, path: Path, seen: Seen | None) -> tuple[Tokens, Seen] | None:
    status = os.fstat(fd)
    found = path, identity_of(status)
    if seen == found:
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > _SIZE_CAP:
        raise InputError(f"the tokens {path} are not a plain file of at most {_SIZE_CAP >> 20} MiB")
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise InputError(f"the tokens {path} are not this user's alone, so none counts", hint=f"chmod 600 {path}")
    with closing(os.fdopen(os.dup(fd), "rb")) as file:
        return parse(file.read(_SIZE_CAP + 1), f"the file of tokens {path}"), found


def _changed(path: Path, change: Callable[[Tokens], Tokens]) -> tuple[Tokens, Seen]:
    try:
        with own_directory(path.parent) as directory:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            with (
                closing_fd(os.open(f"{path.stem}.lock", flags, 0o600, dir_fd=directory)) as lock,
                locked(lock, f"the file of tokens {path}", wait=LOCK_TRY_S),
            ):
                before = _read(path, None)
                tokens = change(before[0] if before else ())
                put_bytes(directory, path.name, serialised(tokens), lambda fd: os.fchmod(fd, 0o600))
                status = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
                return tokens, (path, identity_of(status))
    except OSError as error:
        raise OperationError(f"cannot write the tokens {path}: {why(error)}", hint=hint(error)) from None
