"""One policy file: what it says, who owns it, and how a pin is added to it (`policy` tells what of it counts)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from console.closing import closing_fd
from console.durable import put_bytes
from console.errors import InputError
from console.locks import locked
from console.os_errors import hint, why
from console.records import LayerName
from console.sharing import Share, open_shared
from console.trust import allow_list
from console.validation import Record, Text, parsed, record_from

POLICY_FILE = "policy.toml"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SIZE_CAP = 4 << 20
_LOCK_WAIT = 5.0

Digest = Annotated[
    str, Meta(pattern=rf"\A{DIGEST.pattern}\Z", extra={"must": "read sha256: and 64 hexadecimal digits"})
]
TrustedName = Annotated[
    str, Meta(pattern=r"\A[^*]+\.[^*.]+\Z", extra={"must": "be a whole name such as package.module.Class"})
]
PublicKey = Annotated[
    str,
    Meta(pattern=r"\Aed25519:[A-Za-z0-9+/]{43}=\Z", extra={"must": "read ed25519: and 32 bytes in base64"}),
]
AbsolutePath = Annotated[str, Meta(pattern=r"\A/[^\0]*\Z", extra={"must": "be an absolute path"})]


class Pin(Record, frozen=True):
    """One content that somebody accepted, with the reason."""

    digest: Digest
    who: str = ""
    when: str = ""
    why: str = ""
    artifact: str = ""


class Requirements(Record, frozen=True):
    """Demands on all that is loaded, whatever its verdict."""

    signature: bool = False
    pin: bool = False


class Roles(Record, frozen=True):
    """Unix groups by role; None = the file does not name the role."""

    view: tuple[Text, ...] | None = None
    infer: tuple[Text, ...] | None = None
    operate: tuple[Text, ...] | None = None
    administer: tuple[Text, ...] | None = None


class Sandbox(Record, frozen=True):
    """Layers without which an artifact under review is not loaded; None = the file does not say."""

    mandatory: frozenset[LayerName] | None = None


class Signing(Record, frozen=True):
    """The public keys whose signatures count."""

    keys: tuple[PublicKey, ...] = ()


class Recipes(Record, frozen=True):
    """Interpreters that recipes may name although they lie inside the store."""

    interpreters: tuple[AbsolutePath, ...] = ()


class Tables(Record, frozen=True):
    """Tables of a policy file."""

    trusted: frozenset[TrustedName] = frozenset()
    pin: tuple[Pin, ...] = ()
    require: Requirements = Requirements()
    roles: Roles = Roles()
    sandbox: Sandbox = Sandbox()
    signing: Signing = Signing()
    recipes: Recipes = Recipes()

    def __post_init__(self) -> None:
        for name in sorted(self.trusted):
            module, _dot, last = name.rpartition(".")
            if danger := allow_list.danger(module, last):
                raise ValueError(f"trusted holds '{name}', which could {danger.could}: no policy can allow it")


class PolicyFile(Tables, frozen=True, kw_only=True):
    """One file with what it says, and who owns it."""

    path: Path
    owner: int
    mode: int
    text: str

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The groups of the roles that it names."""
        return {role: groups for role, groups in asdict(self.roles).items() if groups is not None}


def read_policy(path: Path, *, links: bool = False) -> PolicyFile | None:
    """Read one policy file, None where there is none. Raises InputError that names file and key.

    Its directory is not looked for behind a link unless `links` says so: in a store a link leads to what somebody
    else wrote for another purpose.
    """
    try:
        with _directory(path.parent, links) as directory:
            return _read_in(directory, path)
    except (FileNotFoundError, NotADirectoryError):
        if path.parent.is_symlink() and not links:
            raise InputError(f"{path.parent} is a symbolic link, which is not followed", hint="remove it") from None
        return None
    except OSError as error:
        raise InputError(f"cannot read the policy {path}: {why(error)}", hint=hint(error)) from None


def add_pin(path: Path, pin: Pin, *, links: bool = False) -> None:
    """Append a pin to the file at `path`, atomically and durably. Raises OSError, InputError for a broken file."""
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
    with closing_fd(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW))) as fd:
        yield fd


def _read_in(directory: int, path: Path) -> PolicyFile | None:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path.name, flags, dir_fd=directory)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _SIZE_CAP:
            raise InputError(f"the policy {path} is not a plain file of at most {_SIZE_CAP >> 20} MiB")
        raw = file.read(_SIZE_CAP + 1)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"the policy {path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    tables = record_from(path, text, parsed(path, text), Tables)
    return PolicyFile(**asdict(tables), path=path, owner=status.st_uid, mode=stat.S_IMODE(status.st_mode), text=text)


def _block(pin: Pin) -> str:
    return "[[pin]]\n" + "".join(
        f"{key} = {_quoted(value)}\n" for key, value in asdict(pin).items() if value or key != "artifact"
    )


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@contextlib.contextmanager
def _locked(directory: int, path: Path) -> Iterator[None]:
    with (
        closing_fd(open_shared(directory, "policy.lock", os.O_RDWR, Share.of(directory))) as fd,
        locked(fd, f"the policy {path}", wait=_LOCK_WAIT),
    ):
        yield
