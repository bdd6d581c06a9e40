"""Where the console keeps what is its own, and the operator's settings: one place for both (XDG base directories)."""

from __future__ import annotations

import os
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from platformdirs import PlatformDirs

from console.errors import Failed, Usage
from console.os_errors import hint, is_of_the_machine, why

_DIRS = PlatformDirs("model-console", appauthor=False)

STORE_DIR = ".model-console"


def config_dir() -> Path:
    """Settings and the user's own policy."""
    return _own("user_config_dir")


def cache_dir() -> Path:
    """What can be made again: indexes, inspections, the demo store."""
    return _own("user_cache_dir")


def state_dir() -> Path:
    """Crash files, saved tracebacks, and the log of lost terminals."""
    return _own("user_state_dir")


def _own(name: str) -> Path:
    """One of the user's own directories. Raises Failed where nobody can tell where it is."""
    try:
        path = str(getattr(_DIRS, name))
    except RuntimeError:
        path = ""
    if not os.path.isabs(path):
        raise Failed(
            f"user {os.geteuid()} has no home directory: there is no entry in the password file, and HOME is not set",
            hint="set HOME, or XDG_CONFIG_HOME, XDG_CACHE_HOME and XDG_STATE_HOME, to directories of this user",
        )
    return Path(path)


@dataclass(frozen=True, slots=True)
class Sealing:
    """How sealed artifacts are opened: `identity` is the path of an identity file of age, only its owner's to read.

    `recipients` is whom a changed artifact is sealed for again; `limit_mb` caps what one may unfold to in memory.
    """

    identity: str = ""
    recipients: tuple[str, ...] = ()
    limit_mb: int = 2048


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set in `config.toml`; every key has a default.

    `memory_mb` caps one worker's address space, `cpu_seconds` its processor time per request, `deadline_s` one
    request, `load_deadline_s` one load; files up to `seal_mb` MiB are copied into sealed memory before they are loaded,
    of larger ones everything but their raw numbers is; `reconcile_s` is the pace of the full comparison with the disk.
    `warm` keeps a process with the libraries loaded, about 100 MB, that workers are forked from in milliseconds, and
    one such fork that stands ready, about 10 MB.
    """

    theme: str = ""
    mouse: bool = True
    fps: int = 60
    ascii: bool = False
    read_only: bool = False
    memory_mb: int = 8192
    seal_mb: int = 64
    load_deadline_s: float = 300.0
    deadline_s: float = 120.0
    reconcile_s: float = 30.0
    sample_hz: float = 10.0
    probe_rate: float = 20.0
    warm: bool = True
    sealing: Sealing = field(default_factory=Sealing)


def load_settings(path: Path | None = None) -> Settings:
    """Read `config.toml`. Raises Usage that names the file and the key when one is unknown or of the wrong type."""
    path = path or config_dir() / "config.toml"
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Settings()
    except UnicodeDecodeError as error:
        raise Usage(f"cannot read {path}: {error}") from None
    except OSError as error:
        kind = Failed if is_of_the_machine(error) else Usage
        raise kind(f"cannot read {path}: {why(error)}", hint=hint(error)) from None
    import tomllib

    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Usage(f"{path}: {error}") from None
    sealing = _checked(found.pop("sealing", {}), Sealing, path, "sealing.")
    identity = sealing.get("identity")
    if isinstance(identity, str) and identity:
        sealing["identity"] = os.path.join(path.parent, os.path.expanduser(identity))
    return Settings(**_checked(found, Settings, path), sealing=Sealing(**sealing))


def _checked(found: Any, kind: type[Settings | Sealing], path: Path, prefix: str = "") -> dict[str, Any]:
    """The values of one table, each of the type its default has. Raises Usage."""
    if not isinstance(found, dict):
        raise Usage(f"{path}: '{prefix[:-1]}' must be a table")
    defaults = {one.name: one.default for one in fields(kind) if one.default is not MISSING}
    values: dict[str, Any] = {}
    for key, value in found.items():
        if key not in defaults:
            known = ", ".join(f"{prefix}{name}" for name in sorted(defaults))
            raise Usage(f"{path}: unknown setting '{prefix}{key}'", hint=f"known: {known}")
        values[key] = _value(value, type(defaults[key]), f"{path}: '{prefix}{key}'")
    return values


def _value(value: Any, expected: type, where: str) -> Any:
    if expected is float and type(value) is int:
        return float(value)
    if expected is tuple:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise Usage(f"{where} must be a list of strings")
        return tuple(value)
    if type(value) is not expected:
        raise Usage(f"{where} must be {expected.__name__}, not {type(value).__name__}")
    return value


def store_key(root: Path) -> str:
    """The name under which caches of the store at `root` are kept."""
    from hashlib import blake2b

    return blake2b(os.fsencode(root.resolve()), digest_size=10).hexdigest()
