"""The recipe beside an artifact: how it is probed, judged and retrained (TOML, every key has a default)."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from console.errors import BadInput
from console.os_errors import hint, why
from console.records import Json, Mode, ReadOptions
from console.toml_records import TableReader, parsed

RECIPE_SUFFIX = ".recipe.toml"

_MAX_BYTES = 2**20
_AROUND = (".gz", ".z", ".bz2", ".xz", ".lzma", ".lz4", ".zst", ".age")


@dataclass(frozen=True, slots=True)
class Read:
    """How tables of text are read, where the file does not tell it itself."""

    sep: str | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    header: bool | None = None
    missing: tuple[str, ...] = field(default=(), metadata={"blank": True})


@dataclass(frozen=True, slots=True)
class Data:
    """Tables, as absolute paths once loaded; `target` is the column to predict, `ignore` those that are no inputs."""

    train: str | None = field(default=None, metadata={"path": True})
    holdout: str | None = field(default=None, metadata={"path": True})
    target: str | tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    read: Read = field(default_factory=Read)

    @property
    def is_named(self) -> bool:
        """Whether any file is named."""
        return bool(self.train or self.holdout)

    @property
    def options(self) -> ReadOptions:
        """How the files are read."""
        read = self.read
        return ReadOptions(read.sep, read.decimal, read.encoding, read.header, read.missing, self.ignore)

    def read_as(self, said: ReadOptions) -> Data:
        """The same where somebody says how the files are read; what he does not say stays."""
        found = {name: getattr(said, name) for name in ("sep", "decimal", "encoding", "header", "missing")}
        given = {name: value for name, value in found.items() if value not in (None, ())}
        return replace(self, read=replace(self.read, **given), ignore=said.ignore or self.ignore)


@dataclass(frozen=True, slots=True)
class Search:
    """Tuning: `parameters` maps a parameter's name to the values to try; `trials` counts them (not for a grid)."""

    strategy: Literal["grid", "random", "halving", "bayes"] = "random"
    scoring: str | None = None
    cv: int = field(default=5, metadata={"least": 2})
    trials: int = field(default=40, metadata={"least": 1})
    engine: Literal["local", "dask"] = "local"
    address: str | None = None
    parameters: dict[str, tuple[Json, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrain:
    """How a candidate is made; a `command` (the operator's own program) takes the place of `mode`."""

    mode: Literal["fit", "partial_fit", "warm_start"] = "fit"
    command: tuple[str, ...] = field(default=(), metadata={"blank": True})
    search: Search | None = field(default=None, metadata={"unbuilt": "this version does not tune"})

    @property
    def how(self) -> Mode:
        """The mode an update runs in."""
        return Mode.COMMAND if self.command else Mode(self.mode)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a candidate must meet; conditions left out are None and do not apply."""

    metric: str | None = None
    at_least: float | None = None
    not_worse_by: float | None = field(default=None, metadata={"least": 0})
    max_latency_ratio: float | None = field(default=None, metadata={"above": 0})

    @property
    def conditions(self) -> int:
        """How many conditions were set."""
        return sum(value is not None for value in (self.at_least, self.not_worse_by, self.max_latency_ratio))


@dataclass(frozen=True, slots=True)
class Watch:
    """Alerts: milliseconds, MB (2**20 bytes) and a share of calls; None = no alert."""

    p99_ms: float | None = field(default=None, metadata={"above": 0})
    rss_mb: float | None = field(default=None, metadata={"above": 0})
    error_rate: float | None = field(default=None, metadata={"least": 0, "most": 1})


@dataclass(frozen=True, slots=True)
class Reload:
    """What happens when a loaded artifact changes on disk, and in which order old and new are held."""

    on_change: Literal["ask", "reload", "ignore"] = "ask"
    policy: Literal["availability", "resource"] = "availability"


@dataclass(frozen=True, slots=True)
class Keep:
    """How many versions are retained, the current one included."""

    versions: int = field(default=10, metadata={"least": 1, "most": 100_000})


@dataclass(frozen=True, slots=True)
class Environment:
    """The interpreter this model needs; None = the console's own."""

    python: str | None = field(default=None, metadata={"path": True})


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe. `path` is its file, None where there is none and everything is a default.

    `notes` are sentences about what it sets and nothing acts on.
    """

    data: Data = field(default_factory=Data)
    retrain: Retrain = field(default_factory=Retrain)
    gate: Gate = field(default_factory=Gate)
    watch: Watch = field(default_factory=Watch, metadata={"unbuilt": "this version raises no alerts"})
    reload: Reload = field(default_factory=Reload)
    keep: Keep = field(default_factory=Keep)
    environment: Environment = field(default_factory=Environment)
    path: Path | None = field(default=None, metadata={"internal": True})
    notes: tuple[str, ...] = field(default=(), metadata={"internal": True})


def recipe_names(name: str) -> tuple[str, ...]:
    """The file names a recipe of the artifact `name` may have, the closest first (`m.pkl.gz`: m.pkl, then m)."""
    stem, suffix = os.path.splitext(name)
    names = [stem]
    while suffix.lower() in _AROUND:
        stem, suffix = os.path.splitext(stem)
        names.append(stem)
    return tuple(dict.fromkeys(f"{name}{RECIPE_SUFFIX}" for name in names if name))


def recipe_path(artifact: Path) -> Path | None:
    """The recipe that lies beside `artifact`, or None."""
    return next((path for name in recipe_names(artifact.name) if _is_there(path := artifact.with_name(name))), None)


def _is_there(path: Path) -> bool:
    """Whether a file is there to be read as a recipe, or a link that is to be told of."""
    return path.is_file() or path.is_symlink()


def read_recipe(path: Path) -> Recipe:
    """Read one recipe file. Raises BadInput naming file, line and, for an unknown key, the nearest valid one."""
    text = recipe_text(path)
    reader = TableReader(path, text)
    recipe: Recipe = replace(reader.table(Recipe, parsed(path, text), ()), path=path, notes=tuple(reader.unbuilt))
    if recipe.retrain.search and recipe.retrain.search.engine == "dask" and not recipe.retrain.search.address:
        raise BadInput(f"{path}: retrain.search.engine is 'dask' but retrain.search.address is missing")
    return recipe


def data_paths(path: Path) -> tuple[str, ...]:
    """The data files a recipe names, absolute; nothing where the recipe cannot be read. Never raises."""
    try:
        section = parsed(path, recipe_text(path)).get("data")
    except BadInput:
        return ()
    named = section.values() if isinstance(section, dict) else ()
    return tuple(
        os.path.normpath(path.parent / value) for value in named if isinstance(value, str) and "\0" not in value
    )


def recipe_text(path: Path) -> str:
    """What a recipe's file holds; no link is followed. Raises BadInput."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadInput(f"{path}: not a regular file")
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise BadInput(f"{path}: too long for a recipe (over {_MAX_BYTES} bytes)")
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            told = f"{path} is a symbolic link, and a link to a recipe does not count"
            raise BadInput(told, hint="copy the recipe here, or remove the link") from None
        raise BadInput(f"{path} cannot be read: {why(error)}", hint=hint(error)) from None
