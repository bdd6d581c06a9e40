"""The operator's own word on what may be loaded: names to trust beyond the list, contents accepted by hand.

It lives in the store's `.model-console/policy.toml` and in the user's configuration directory, never in an artifact:

    trusted = ["churn.features.Ratio"]        # names as `inspect` shows them

    [sandbox]
    mandatory = ["landlock", "seccomp"]       # layers without which an artifact under review is not loaded

    [[pin]]                                   # one accepted content; `load` adds these
    digest = "sha256:…"
    who = "ada"
    when = "2026-05-01T10:00:00+00:00"
    why = "written by our own nightly job"
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from backends.base import Json
from console.config import STORE_DIR, config_dir
from console.errors import BadInput, Failed
from console.trust import names

__all__ = ["POLICY_FILE", "Pin", "Policy", "accept", "load_policy"]

POLICY_FILE = "policy.toml"
_SIZE_CAP = 4 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KEYS: dict[str, tuple[str, ...]] = {
    "": ("pin", "sandbox", "trusted"),
    "pin": ("artifact", "digest", "when", "who", "why"),
    "sandbox": ("mandatory",),
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
class Policy:
    """What the operator's files say, taken together. `mandatory` names sandbox layers."""

    trusted: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    mandatory: frozenset[str] = frozenset()

    def pin(self, digest: str | None) -> Pin | None:
        """The newest pin of this content."""
        return next((pin for pin in reversed(self.pins) if pin.digest == digest), None)

    def fingerprint(self) -> str:
        """Changes whenever a judgement could: with trusted names, pins, or the lists that come with the console."""
        text = "\n".join([names.data_fingerprint(), *sorted(self.trusted), *(pin.digest for pin in self.pins)])
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def load_policy(store: Path | None, user_dir: Path | None = None) -> Policy:
    """Read the policy of the store at `store` and the user's own. Raises BadInput that names file and key.

    `user_dir` is where the user's file lies (default: the configuration directory).
    """
    files = [(user_dir or config_dir()) / POLICY_FILE]
    if store is not None:
        files.append(store / STORE_DIR / POLICY_FILE)
    parts = [_parse(text, path) for path in files if (text := _read(path)) is not None]
    return Policy(
        trusted=frozenset().union(*(part.trusted for part in parts)),
        pins=tuple(pin for part in parts for pin in part.pins),
        mandatory=frozenset().union(*(part.mandatory for part in parts)),
    )


def accept(store: Path, *, digest: str, who: str, why: str, artifact: str = "") -> Pin:
    """Record that `who` accepts this content, in the store's policy; atomic and durable. Raises Failed, BadInput."""
    if not _DIGEST.fullmatch(digest):
        raise BadInput(f"'{digest}' is no digest: it reads sha256: and 64 hexadecimal digits")
    pin = Pin(digest, _line(who), datetime.now(UTC).isoformat(timespec="seconds"), _line(why), _line(artifact))
    path = store / STORE_DIR / POLICY_FILE
    try:
        path.parent.mkdir(mode=0o770, exist_ok=True)
        with _locked(path.parent):
            before = _read(path) or ""
            _parse(before, path)
            gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
            _replace(path, before + gap + _block(pin))
    except OSError as error:
        raise Failed(f"cannot record the acceptance in {path}: {error.strerror or error}") from None
    return pin


def _block(pin: Pin) -> str:
    fields = {"digest": pin.digest, "who": pin.who, "when": pin.when, "why": pin.why}
    if pin.artifact:
        fields["artifact"] = pin.artifact
    return "[[pin]]\n" + "".join(f"{key} = {_quoted(value)}\n" for key, value in fields.items())


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8").strip()


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    fd = os.open(directory / "policy.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o660)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o640
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(fd)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(path: Path) -> str | None:
    """The text of a policy file, None where there is none; one that anybody may write is no word of the operator's."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadInput(f"cannot read the policy {path}: {error.strerror or error}") from None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _SIZE_CAP:
            raise BadInput(f"the policy {path} is not a plain file of at most {_SIZE_CAP >> 20} MiB")
        if status.st_mode & stat.S_IWOTH:
            raise BadInput(f"anybody may write the policy {path}, so it is not followed", hint=f"chmod o-w {path}")
        try:
            return file.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(f"the policy {path} is not UTF-8 text: {error.reason} at byte {error.start}") from None


def _parse(text: str, path: Path) -> Policy:
    try:
        found: dict[str, Json] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: {error}") from None
    _check_keys(found, "", path)
    sandbox = found.get("sandbox", {})
    if not isinstance(sandbox, dict):
        raise BadInput(f"{path}: 'sandbox' must be a table")
    _check_keys(sandbox, "sandbox", path)
    pins = found.get("pin", [])
    if not isinstance(pins, list) or not all(isinstance(pin, dict) for pin in pins):
        raise BadInput(f"{path}: 'pin' must be written as [[pin]]")
    return Policy(
        trusted=_trusted(_strings(found, "trusted", path), path),
        pins=tuple(_pin(pin, path) for pin in pins if isinstance(pin, dict)),
        mandatory=_strings(sandbox, "mandatory", path),
    )


def _check_keys(table: dict[str, Json], name: str, path: Path) -> None:
    for key in table:
        if key not in _KEYS[name]:
            where = f"{name}.{key}" if name else key
            raise BadInput(f"{path}: unknown key '{where}'", hint=f"known: {', '.join(_KEYS[name])}")


def _strings(table: dict[str, Json], key: str, path: Path) -> frozenset[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadInput(f"{path}: '{key}' must be a list of strings")
    return frozenset(item for item in value if isinstance(item, str))


def _trusted(listed: frozenset[str], path: Path) -> frozenset[str]:
    for full in sorted(listed):
        module, _dot, name = full.rpartition(".")
        found = names.danger(module, name)
        if not module or "*" in full:
            raise BadInput(f"{path}: 'trusted' holds '{full}', but takes whole names such as package.module.Class")
        if found is not None:
            raise BadInput(f"{path}: 'trusted' holds '{full}', which could {found.could}: no policy can allow it")
    return listed


def _pin(table: dict[str, Json], path: Path) -> Pin:
    _check_keys(table, "pin", path)
    for key, value in table.items():
        if not isinstance(value, str):
            raise BadInput(f"{path}: 'pin.{key}' must be a string")
    values = {key: str(table.get(key, "")) for key in _KEYS["pin"]}
    if not _DIGEST.fullmatch(values["digest"]):
        raise BadInput(f"{path}: 'pin.digest' must read sha256: and 64 hexadecimal digits")
    return Pin(**values)
