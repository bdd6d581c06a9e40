"""One policy file: what it says, who owns it, and how a pin is added to it (`policy` tells what of it counts)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backends.core.inspection import Json
from console.durable import put_bytes
from console.errors import BadInput
from console.locks import locked
from console.os_errors import hint, why
from console.records import LAYERS
from console.sharing import Share, open_shared
from console.toml_records import nearest, parsed
from console.trust import names

__all__ = ["DIGEST", "POLICY_FILE", "Pin", "PolicyFile", "add_pin", "read_policy"]

POLICY_FILE = "policy.toml"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SIZE_CAP = 4 << 20
_KEY_BYTES = 32
_LOCK_WAIT = 5.0
_SECTIONS: dict[str, tuple[str, ...]] = {
    "": ("pin", "recipes", "require", "roles", "sandbox", "signing", "trusted"),
    "pin": ("artifact", "digest", "when", "who", "why"),
    "recipes": ("interpreters",),
    "require": ("pin", "signature"),
    "roles": ("administer", "operate", "view"),
    "sandbox": ("mandatory",),
    "signing": ("keys",),
}


@dataclass(frozen=True, slots=True)
class Pin:
    """One content that somebody accepted, with the reason."""

    digest: str
    who: str
    when: str
    why: str
    artifact: str = ""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """What one file says; `mandatory` and `roles` are None where it says nothing of them."""

    path: Path
    owner: int
    mode: int
    trusted: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    mandatory: frozenset[str] | None = None
    require_signature: bool = False
    require_pin: bool = False
    keys: tuple[str, ...] = ()
    roles: dict[str, tuple[str, ...]] | None = None
    interpreters: tuple[str, ...] = ()
    text: str = field(default="", repr=False)


def read_policy(path: Path, *, links: bool = False) -> PolicyFile | None:
    """Read one policy file, None where there is none. Raises BadInput that names file and key.

    Its directory is not looked for behind a link unless `links` says so: in a store a link leads to what somebody
    else wrote for another purpose.
    """
    try:
        with _directory(path.parent, links) as directory:
            return _read_in(directory, path)
    except (FileNotFoundError, NotADirectoryError):
        if path.parent.is_symlink() and not links:
            raise BadInput(f"{path.parent} is a symbolic link, which is not followed", hint="remove it") from None
        return None
    except OSError as error:
        raise BadInput(f"cannot read the policy {path}: {why(error)}", hint=hint(error)) from None


def add_pin(path: Path, pin: Pin, *, links: bool = False) -> None:
    """Append a pin to the file at `path`, atomically and durably. Raises OSError, BadInput for a broken file."""
    with _directory(path.parent, links) as directory, _locked(directory, path):
        found = _read_in(directory, path)
        before = found.text if found else ""
        gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
        share = Share.of(directory)

        def give(fd: int) -> None:
            """The directory's group may read it; it stays its writer's, whose word it is."""
            with contextlib.suppress(OSError):
                os.fchown(fd, -1, share.gid)
            os.fchmod(fd, found.mode if found else 0o640 | share.mode & 0o004)

        put_bytes(directory, path.name, (before + gap + _block(pin)).encode("utf-8"), give)


@contextlib.contextmanager
def _directory(path: Path, links: bool) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW))
    try:
        yield fd
    finally:
        os.close(fd)


def _read_in(directory: int, path: Path) -> PolicyFile | None:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path.name, flags, dir_fd=directory)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _SIZE_CAP:
            raise BadInput(f"the policy {path} is not a plain file of at most {_SIZE_CAP >> 20} MiB")
        raw = file.read(_SIZE_CAP + 1)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"the policy {path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    return _Reader(path).read(text, status.st_uid, stat.S_IMODE(status.st_mode))


def _block(pin: Pin) -> str:
    fields = {"digest": pin.digest, "who": pin.who, "when": pin.when, "why": pin.why}
    if pin.artifact:
        fields["artifact"] = pin.artifact
    return "[[pin]]\n" + "".join(f"{key} = {_quoted(value)}\n" for key, value in fields.items())


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@contextlib.contextmanager
def _locked(directory: int, path: Path) -> Iterator[None]:
    fd = open_shared(directory, "policy.lock", os.O_RDWR, Share.of(directory))
    try:
        with locked(fd, f"the policy {path}", wait=_LOCK_WAIT):
            yield
    finally:
        os.close(fd)


class _Reader:
    """Checks the parsed tables of the file at `path`; each method raises BadInput that names file and key."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, text: str, owner: int, mode: int) -> PolicyFile:
        """The whole file."""
        found: dict[str, Json] = parsed(self._path, text)
        self._keys(found, "")
        tables = {name: self._table(found, name) for name in _SECTIONS if name not in ("", "pin")}
        roles = {key: tuple(self._strings(tables["roles"], "roles", key)) for key in tables["roles"]}
        layers = self._strings(tables["sandbox"], "sandbox", "mandatory")
        return PolicyFile(
            self._path,
            owner,
            mode,
            trusted=frozenset(map(self._trusted, self._strings(found, "", "trusted"))),
            pins=self._pins(found.get("pin", [])),
            mandatory=frozenset(map(self._layer, layers)) if "mandatory" in tables["sandbox"] else None,
            require_signature=self._flag(tables["require"], "signature"),
            require_pin=self._flag(tables["require"], "pin"),
            keys=tuple(map(self._key, self._strings(tables["signing"], "signing", "keys"))),
            roles=roles if "roles" in found else None,
            interpreters=tuple(map(self._interpreter, self._strings(tables["recipes"], "recipes", "interpreters"))),
            text=text,
        )

    def _wrong(self, what: str, hint: str | None = None) -> BadInput:
        return BadInput(f"{self._path}: {what}", hint=hint)

    def _keys(self, table: dict[str, Json], section: str) -> None:
        for key in table:
            if key not in _SECTIONS[section]:
                where = f"{section}.{key}" if section else key
                near = _nearest(key, _SECTIONS[section])
                raise self._wrong(f"unknown key '{where}'{near}", hint=f"known: {', '.join(_SECTIONS[section])}")

    def _table(self, found: dict[str, Json], section: str) -> dict[str, Json]:
        table = found.get(section, {})
        if not isinstance(table, dict):
            raise self._wrong(f"'{section}' must be a table")
        self._keys(table, section)
        return table

    def _strings(self, table: dict[str, Json], section: str, key: str) -> list[str]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._wrong(
                f"'{section}.{key}' must be a list of strings" if section else f"'{key}' must be a list of strings"
            )
        return [item for item in value if isinstance(item, str)]

    def _flag(self, table: dict[str, Json], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(f"'require.{key}' must be true or false")
        return value

    def _trusted(self, full: str) -> str:
        module, _dot, name = full.rpartition(".")
        found = names.danger(module, name)
        if not module or "*" in full:
            raise self._wrong(f"'trusted' holds '{full}', but takes whole names such as package.module.Class")
        if found is not None:
            raise self._wrong(f"'trusted' holds '{full}', which could {found.could}: no policy can allow it")
        return full

    def _layer(self, name: str) -> str:
        if name not in LAYERS:
            near = _nearest(name, LAYERS)
            raise self._wrong(
                f"'sandbox.mandatory' holds the unknown layer '{name}'{near}", f"known: {', '.join(LAYERS)}"
            )
        return name

    def _key(self, text: str) -> str:
        kind, _colon, rest = text.partition(":")
        try:
            right = kind == "ed25519" and len(base64.b64decode(rest, validate=True)) == _KEY_BYTES
        except (binascii.Error, ValueError):
            right = False
        if not right:
            raise self._wrong(
                f"'signing.keys' holds '{text}', but a key reads ed25519: and {_KEY_BYTES} bytes in base64"
            )
        return text

    def _interpreter(self, text: str) -> str:
        if not os.path.isabs(text) or "\0" in text:
            raise self._wrong(f"'recipes.interpreters' holds '{text}', but takes absolute paths")
        return os.path.normpath(text)

    def _pins(self, found: Json) -> tuple[Pin, ...]:
        if not isinstance(found, list) or not all(isinstance(pin, dict) for pin in found):
            raise self._wrong("'pin' must be written as [[pin]]")
        return tuple(self._pin(pin) for pin in found if isinstance(pin, dict))

    def _pin(self, table: dict[str, Json]) -> Pin:
        self._keys(table, "pin")
        for key, value in table.items():
            if not isinstance(value, str):
                raise self._wrong(f"'pin.{key}' must be a string")
        values = {key: str(table.get(key, "")) for key in _SECTIONS["pin"]}
        if not DIGEST.fullmatch(values["digest"]):
            raise self._wrong("'pin.digest' must read sha256: and 64 hexadecimal digits")
        return Pin(**values)


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = nearest(word, known)
    return f": did you mean '{near}'?" if near else ""
