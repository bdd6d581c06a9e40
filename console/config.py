"""Where the console keeps what is its own, and the operator's settings: one place for both (XDG base directories)."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISFIFO
from typing import Annotated, Literal, get_args

from msgspec import Meta
from msgspec.structs import replace
from platformdirs import PlatformDirs

from console.errors import OperationError, UsageError
from console.os_errors import hint, is_of_the_machine, why
from console.validation import FileName, Record, Texts, beside, line_of, parsed, record_from

_DIRS = PlatformDirs("model-console", appauthor=False)

STORE_DIR = ".model-console"


def config_dir() -> Path:
    """Settings and the user's own policy."""
    return _own("user_config_dir")


def cache_dir() -> Path:
    """The directory of what can be made again: indexes, inspections, the demo store."""
    return _own("user_cache_dir")


def state_dir() -> Path:
    """Crash files, saved tracebacks, the log of lost terminals, and how each store's table was left."""
    return _own("user_state_dir")


def _own(name: str) -> Path:
    """One of the user's own directories. Raises OperationError where nobody can tell where it is."""
    try:
        path = str(getattr(_DIRS, name))
    except RuntimeError:
        path = ""
    if not os.path.isabs(path):
        raise OperationError(
            f"user {os.geteuid()} has no home directory: there is no entry in the password file, and HOME is not set",
            hint="set HOME, or XDG_CONFIG_HOME, XDG_CACHE_HOME and XDG_STATE_HOME, to directories of this user",
        )
    return Path(path)


Theme = Literal["", "console-dark", "console-light", "ansi-dark", "ansi-light"]
"""A theme by its name; "" is the console's own choice."""
THEME_NAMES: tuple[str, ...] = get_args(Theme)[1:]

Fps = Annotated[int, Meta(ge=1, le=240)]
ProbeRate = Annotated[float, Meta(ge=0, le=100_000)]
Seconds = Annotated[float, Meta(ge=0.1, le=86_400)]
Mebibytes = Annotated[int, Meta(ge=1, le=2**20)]

_MAX_BYTES = 2**20


class Sealing(Record, frozen=True):
    """How sealed artifacts are opened: `identity` is the path of an identity file of age, only its owner's to read.

    `recipients` is whom a changed artifact is sealed for again; `limit_mb` caps what one may unfold to in memory.
    """

    identity: FileName = ""
    recipients: Texts = ()
    limit_mb: Mebibytes = 2048


class Settings(Record, frozen=True):
    """Settings that an operator may make in `config.toml`; every key has a default.

    `memory_mb` caps one worker's address space, `deadline_s` is for one request, `load_deadline_s` for one load; files
    up to `seal_mb` MiB are copied into sealed memory before they are loaded, of larger ones everything but their raw
    numbers is; `reconcile_s` is the pace of the full comparison with the disk, `sample_hz` that of the readings of
    memory while a probe runs, `probe_rate` the calls a second of a new probe (0 = as fast as it goes). `warm` keeps a
    process with the libraries loaded, about 100 MB, that workers are forked from in milliseconds, and one such fork
    that stands ready, about 10 MB. `title` has the terminal's title tell store and trouble, `bell` rings it on a new
    failure; `attach` has consoles and commands attach to the engine that serves the store, where one runs;
    `engine_group` is the group whose members may attach to an engine of this user, which finishes what it was asked
    within `drain_s` when it is to end. `keys` are other keys for actions by their ids, which the console checks when it
    starts.
    """

    theme: Theme = ""
    mouse: bool = True
    fps: Fps = 60
    ascii: bool = False
    read_only: bool = False
    memory_mb: Annotated[int, Meta(ge=128, le=2**24)] = 8192
    seal_mb: Annotated[int, Meta(ge=0, le=2**20)] = 64
    load_deadline_s: Seconds = 300.0
    deadline_s: Seconds = 120.0
    reconcile_s: Annotated[float, Meta(ge=0.5, le=86_400)] = 30.0
    sample_hz: Annotated[float, Meta(ge=2, le=50)] = 10.0
    probe_rate: ProbeRate = 20.0
    warm: bool = True
    sealing: Sealing = Sealing()
    title: bool = True
    bell: bool = False
    attach: bool = True
    engine_group: str = ""
    drain_s: Seconds = 20.0
    keys: dict[str, str | tuple[str, ...]] = {}


def load_settings(path: Path | None = None) -> Settings:
    """Read `config.toml`. Raises UsageError that names file, line and key of what is unknown, of another type or out of
    bounds."""
    path = path or config_dir() / "config.toml"
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if S_ISFIFO(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"cannot read {path}: it is a pipe and no file")
            raw = file.read(_MAX_BYTES + 1)
        text = raw.decode("utf-8")
    except FileNotFoundError:
        return Settings()
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    except OSError as error:
        kind = OperationError if is_of_the_machine(error) else UsageError
        raise kind(f"cannot read {path}: {why(error)}", hint=hint(error)) from None
    if len(raw) > _MAX_BYTES:
        raise UsageError(f"{path}: too long for settings (over {_MAX_BYTES} bytes)")
    settings = record_from(path, text, parsed(path, text, UsageError), Settings, UsageError)
    identity = beside(path, os.path.expanduser(settings.sealing.identity)) or ""
    return replace(settings, sealing=replace(settings.sealing, identity=identity))


def where_set(*place: str) -> str:
    """File and line that set a key of the settings, for a sentence about what else is wrong with it."""
    path = config_dir() / "config.toml"
    try:
        return f"{path}:{line_of(path.read_text('utf-8'), place)}"
    except (OSError, UnicodeDecodeError):
        return str(path)


def store_key(root: Path) -> str:
    """The name under which caches of the store at `root` are kept."""
    from hashlib import blake2b

    return blake2b(os.fsencode(root.resolve()), digest_size=10).hexdigest()
