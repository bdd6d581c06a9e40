"""Bearer tokens: how one reads, and the file that keeps them, never with a secret in it.

A token is `mc_` and 32 random bytes in the alphabet of URLs. Its first characters find it in the file and are no
secret; kept is the SHA-256 of the whole. The file is JSON: `{"version": 1, "tokens": [{"id", "sha256", "name", …}]}`.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from console.errors import InputError, UsageError
from console.records import ANONYMOUS, Token, TokenRole
from console.validation import FINITE

VERSION = 1
MOST_TOKENS = 10_000
_PREFIX = "mc_"
_BYTES = 32
_LENGTH = 43
_ID = 8
_NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
_RESERVED = (ANONYMOUS,)

Name = Annotated[str, Meta(pattern=rf"\A{_NAME}\Z")]
Pattern = Annotated[str, Meta(min_length=1, max_length=200)]
Patterns = Annotated[tuple[Pattern, ...], Meta(max_length=1000)]
Rate = Annotated[float, Meta(ge=0, le=1_000_000)]
Moment = Annotated[float, Meta(ge=0, le=FINITE)]


class KeptToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A token in the file: `id` is its public part, `sha256` that of the whole secret."""

    id: Annotated[str, Meta(pattern=rf"\A[A-Za-z0-9_-]{{{_ID}}}\Z")]
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    name: Name
    role: TokenRole
    models: Patterns = ()
    rate: Rate = 0.0
    created: Moment = 0.0
    by: str = ""
    expires: Moment | None = None
    last_used: Moment | None = None

    def record(self) -> Token:
        """The same for clients."""
        return Token(
            self.name,
            self.role,
            self.models,
            self.rate,
            self.created,
            self.by,
            self.expires,
            self.last_used,
        )

    def is_over(self, now: float) -> bool:
        """Whether it has expired."""
        return self.expires is not None and now >= self.expires

    def is_of(self, secret: str) -> bool:
        """Whether this is the token of a secret; takes as long whether it is or not."""
        return hmac.compare_digest(self.sha256, digest_of(secret))


class TokenFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    version: int
    tokens: Annotated[tuple[KeptToken, ...], Meta(max_length=MOST_TOKENS)] = ()


def new_secret() -> str:
    """A secret that nobody guesses."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def id_of(secret: str) -> str | None:
    """The public part of a secret; None for a text that cannot be one."""
    body = secret.removeprefix(_PREFIX)
    fits = len(secret) == len(_PREFIX) + _LENGTH == len(_PREFIX) + len(body) and body.isascii()
    return body[:_ID] if fits else None


def digest_of(secret: str) -> str:
    """The SHA-256 of a secret, hexadecimal."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def named(name: str, role: str, models: tuple[str, ...], rate: float) -> tuple[str, TokenRole]:
    """Name and role of a token that is to be made. Raises UsageError for what cannot stand in the file."""
    if name in _RESERVED:
        raise UsageError(f"no token is called {name}: that is whoever asks without one", hint="choose another name")
    for value, kind, words in (
        (name, Name, "a token's name is of letters, digits and . _ @ -, 64 at most, and begins with one of the former"),
        (role, TokenRole, "a token's role is view, infer, operate or administer"),
        (models, Patterns, "a token's patterns are text, not empty, of 200 characters at most"),
        (rate, Rate, "a token's rate is from 0 (no limit) to 1000000 requests a second"),
    ):
        try:
            msgspec.json.encode(msgspec.convert(value, kind))
        except (msgspec.ValidationError, UnicodeEncodeError):
            raise UsageError(f"{words}, not {str(value)[:60]!r}") from None
    return name, msgspec.convert(role, TokenRole)


def parse(data: bytes, what: str) -> tuple[KeptToken, ...]:
    """The tokens of a file, which `what` names in messages. Raises InputError for what is none of ours."""
    step = "put a copy of it back, or remove it: then no token counts, and you make new ones"
    try:
        found = msgspec.json.decode(data, type=TokenFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        newer = _version(data)
        if newer is not None and newer > VERSION:
            raise InputError(
                f"{what} is of version {newer}, and this console knows {VERSION}", hint="use the newer console"
            ) from None
        raise InputError(f"{what} is damaged: {error}", hint=step) from None
    if found.version != VERSION:
        raise InputError(f"{what} is of version {found.version}, and this console knows {VERSION}", hint=step)
    for part in ("name", "id"):
        if len({getattr(token, part) for token in found.tokens}) != len(found.tokens):
            raise InputError(f"{what} is damaged: two tokens have one {part}", hint=step)
    return found.tokens


def serialised(tokens: tuple[KeptToken, ...]) -> bytes:
    """The file of these tokens."""
    return msgspec.json.format(msgspec.json.encode(TokenFile(VERSION, tokens)), indent=1) + b"\n"


def _version(data: bytes) -> int | None:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    version = found.get("version") if isinstance(found, dict) else None
    return version if isinstance(version, int) else None
