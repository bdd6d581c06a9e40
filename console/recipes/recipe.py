"""The recipe beside an artifact: how it is probed, judged and retrained (TOML, every key has a default)."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import asdict, replace

from console.errors import InputError
from console.os_errors import hint, why
from console.records import Mode, ReadOptions, RecipeFacts
from console.validation import (
    FINITE,
    FileName,
    FiniteNumber,
    Positive,
    Record,
    Text,
    Texts,
    beside,
    parsed,
    record_from,
)

RECIPE_SUFFIX = ".recipe.toml"

_MAX_BYTES = 2**20
_VERSION = re.compile("[1-9][0-9]{0,8}")
ServedName = Annotated[
    str,
    Meta(
        pattern=r"\A[^\x00-\x1f\x7f?#/](?:[^\x00-\x1f\x7f?#]{0,198}[^\x00-\x1f\x7f?#/])?\Z",
        extra={"must": "be 1 to 200 characters, none of them a ? or #, with no / at either end"},
    ),
]
Strings = Annotated[tuple[str, ...], Meta(min_length=1)]
"""Texts that may be empty."""
NOT_ACTED_ON = {"retrain.search": "this version does not tune", "watch": "this version raises no alerts"}
"""Tables of which nothing but the form is checked, and why."""
_AROUND = (".gz", ".z", ".bz2", ".xz", ".lzma", ".lz4", ".zst", ".age")


class Read(Record, frozen=True):
    """How tables of text are read, where the file does not tell it itself."""

    sep: Text | None = None
    decimal: Literal[".", ","] | None = None
    encoding: Text | None = None
    header: bool | None = None
    missing: Strings = ()


class Data(Record, frozen=True):
    """Tables, as absolute paths once loaded; `target` is the column to predict, `ignore` those that are no inputs."""

    train: FileName | None = None
    holdout: FileName | None = None
    target: Text | Texts | None = None
    ignore: Texts = ()
    read: Read = Read()

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


class Search(Record, frozen=True):
    """Tuning: `parameters` maps a parameter's name to the values to try; `trials` counts them (not for a grid)."""

    strategy: Literal["grid", "random", "halving", "bayes"] = "random"
    scoring: Text | None = None
    cv: Annotated[int, Meta(ge=2)] = 5
    trials: Annotated[int, Meta(ge=1)] = 40
    engine: Literal["local", "dask"] = "local"
    address: Text | None = None
    parameters: dict[str, Annotated[tuple[Any, ...], Meta(min_length=1)]] = {}

    def __post_init__(self) -> None:
        if self.engine == "dask" and not self.address:
            raise ValueError("address is missing, but retrain.search.engine is 'dask'")


class Retrain(Record, frozen=True):
    """How a candidate is made; a `command` (the operator's own program) takes the place of `mode`."""

    mode: Literal["fit", "partial_fit", "warm_start"] = "fit"
    command: Strings = ()
    search: Search | None = None

    @property
    def how(self) -> Mode:
        """The mode an update runs in."""
        return Mode.COMMAND if self.command else Mode(self.mode)


class Gate(Record, frozen=True):
    """Conditions that a candidate must meet; those left out are None and do not apply."""

    metric: Text | None = None
    at_least: FiniteNumber | None = None
    not_worse_by: Annotated[float, Meta(ge=0, le=FINITE)] | None = None
    max_latency_ratio: Positive | None = None

    @property
    def conditions(self) -> int:
        """How many conditions were set."""
        return sum(value is not None for value in (self.at_least, self.not_worse_by, self.max_latency_ratio))


class Watch(Record, frozen=True):
    """Alerts: milliseconds, MB (2**20 bytes) and a share of calls; None = no alert."""

    p99_ms: Positive | None = None
    rss_mb: Positive | None = None
    error_rate: Annotated[float, Meta(ge=0, le=1)] | None = None


class Reload(Record, frozen=True):
    """Reaction to a loaded artifact that changes on disk, and in which order old and new are held."""

    on_change: Literal["ask", "reload", "ignore"] = "ask"
    policy: Literal["availability", "resource"] = "availability"


class Serve(Record, frozen=True):
    """How other programs are answered: by which name, when the model is loaded, in how many copies, within which
    bounds; `labels` and `weights` are by version."""

    name: ServedName | None = None
    load: Literal["start", "demand", "never"] = "demand"
    copies: Annotated[int, Meta(ge=1, le=16)] = 1
    max_batch: Annotated[int, Meta(ge=1, le=4096)] = 256
    deadline_ms: Annotated[float, Meta(gt=0, le=86_400_000)] = 10_000.0
    queue: Annotated[int, Meta(ge=0, le=1_000_000)] = 1000
    labels: dict[Text, Annotated[int, Meta(ge=1)]] = {}
    weights: dict[Text, Annotated[float, Meta(ge=0, le=1)]] = {}
    sample: bool = False

    def __post_init__(self) -> None:
        for version in self.weights:
            if not _VERSION.fullmatch(version):
                raise ValueError(f"weights names '{version}', which is no number of a version")
        if sum(self.weights.values()) > 1.0 + 1e-9:
            raise ValueError("weights are shares of the requests and add up to more than 1")


class Keep(Record, frozen=True):
    """How many versions are retained, the current one included."""

    versions: Annotated[int, Meta(ge=1, le=100_000)] = 10


class Environment(Record, frozen=True):
    """The interpreter this model needs; None = the console's own."""

    python: FileName | None = None


class Tables(Record, frozen=True):
    """Tables of a recipe's file."""

    data: Data = Data()
    retrain: Retrain = Retrain()
    gate: Gate = Gate()
    watch: Watch = Watch()
    reload: Reload = Reload()
    serve: Serve = Serve()
    keep: Keep = Keep()
    environment: Environment = Environment()


class Recipe(Tables, frozen=True):
    """A whole recipe. `path` is its file, None where there is none and everything is a default.

    `notes` are sentences about what it sets and nothing acts on.
    """

    path: Path | None = None
    notes: tuple[str, ...] = ()

    def facts(self) -> RecipeFacts:
        """The part of it that clients see."""
        return RecipeFacts(
            None if self.path is None else str(self.path),
            self.data.holdout,
            self.data.train,
            self.data.target,
            self.retrain.how,
            self.gate.metric,
            self.gate.at_least,
            self.gate.not_worse_by,
            self.gate.max_latency_ratio,
            self.reload.on_change,
            self.reload.policy,
            self.environment.python,
            self.notes,
        )


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
    """Read one recipe file. Raises InputError naming file, line and, for an unknown key, the nearest valid one."""
    text = recipe_text(path)
    tables = parsed(path, text)
    found = record_from(path, text, tables, Tables)
    data = replace(found.data, train=beside(path, found.data.train), holdout=beside(path, found.data.holdout))
    environment = Environment(beside(path, found.environment.python))
    notes = tuple(_not_acted_on(tables))
    return Recipe(**{**asdict(found), "data": data, "environment": environment}, path=path, notes=notes)


def _not_acted_on(tables: dict[str, Any]) -> Iterator[str]:
    for name, why_not in NOT_ACTED_ON.items():
        table, _dot, key = name.partition(".")
        if table in tables and (not key or key in tables[table]):
            yield f"[{name}] is not acted on: {why_not}"


def data_paths(path: Path) -> tuple[str, ...]:
    """The data files a recipe names, absolute; nothing where the recipe cannot be read. Never raises."""
    try:
        section = parsed(path, recipe_text(path)).get("data")
    except InputError:
        return ()
    named = section.values() if isinstance(section, dict) else ()
    return tuple(
        os.path.normpath(path.parent / value) for value in named if isinstance(value, str) and "\0" not in value
    )


def recipe_text(path: Path) -> str:
    """The text of a recipe's file; no link is followed. Raises InputError."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{path}: not a regular file")
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise InputError(f"{path}: too long for a recipe (over {_MAX_BYTES} bytes)")
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            told = f"{path} is a symbolic link, and a link to a recipe does not count"
            raise InputError(told, hint="copy the recipe here, or remove the link") from None
        raise InputError(f"{path} cannot be read: {why(error)}", hint=hint(error)) from None
