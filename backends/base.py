"""What every model format offers, and the plain facts it reports.

A backend reads one format. `sniff` and `inspect` never run anything a file names; `load` does, and is called in a
sandboxed worker only. Python 3.9 and its standard library are all this module may use: it also runs under the
interpreter a model was made for.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Optional, Protocol, Union

from backends.load_plan import LoadPlan

__all__ = [
    "ArrayInfo",
    "ArtifactError",
    "Backend",
    "Damaged",
    "Finding",
    "Foreign",
    "Inspection",
    "Json",
    "LoadedModel",
    "MemorySource",
    "ModelEntry",
    "NameUse",
    "NoModel",
    "NotLoadable",
    "Part",
    "Signature",
    "Source",
    "Unopened",
    "Unsupported",
    "outermost",
    "resolve",
    "write_all",
]

if TYPE_CHECKING:
    Json = Union[None, bool, int, float, str, "list[Json]", "dict[str, Json]"]
else:
    Json = Any  # decoders of records cannot follow a type that names itself


class ArtifactError(Exception):
    """A file that cannot be read as a model; `code` is stable, the text is one clear sentence."""

    code = "artifact"

    def __init__(self, message: str, *, offset: Optional[int] = None) -> None:
        super().__init__(message)
        self.offset = offset


class Damaged(ArtifactError):
    """Truncated or malformed."""

    code = "damaged"


class Unsupported(ArtifactError):
    """No backend reads it."""

    code = "unsupported"


class Unopened(Unsupported):
    """An archive or a compression that nothing here opens: what is in it was not looked at."""

    code = "unopened"


class Foreign(Unsupported):
    """A model in a format that is recognised and not read here."""

    code = "foreign-format"


class NoModel(Unsupported):
    """Something that is known and is no model, or is one only once it was decoded."""

    code = "no-model"


class NotLoadable(ArtifactError):
    """It can be inspected, but not loaded by this console or from this place in the file."""

    code = "not-loadable"


@dataclass(frozen=True)
class Finding:
    """One remarkable fact about a file. `code` comes from the catalogue in the backend's docstring; trust judges it."""

    code: str
    detail: str
    offset: Optional[int] = None


@dataclass(frozen=True)
class NameUse:
    """A global that a pickle names: `module` and `name` as the stream spells them (a name may hold dots).

    `arguments` are those of its first call, shortened, where they are literals; `place` says which part of the file
    `offset` counts in, where that is not the whole: one of several pickles, a member of an archive. `resolved` is true
    of a `getattr` that only ever gave attributes of named classes, which are names of the file themselves, and of a
    `numpy.vectorize` that only ever holds a named function.
    """

    module: str
    name: str
    offset: int
    called: bool = False
    arguments: Optional[str] = None
    place: str = ""
    resolved: bool = False

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class ArrayInfo:
    """One array: `name` is its place in the file, `shape` in elements, `bytes` its size in memory."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class ModelEntry:
    """One estimator. `at` is its place (see `resolve`; empty = the root); `steps` names a pipeline's parts."""

    at: str
    class_name: str
    parameters: dict[str, Json] = field(default_factory=dict)
    version: Optional[str] = None
    steps: tuple[str, ...] = ()


def outermost(models: Sequence[ModelEntry]) -> tuple[ModelEntry, ...]:
    """The estimators that are no part of another one in the same file."""
    return tuple(model for model in models if not any(_inside(model.at, other.at) for other in models))


def _inside(place: str, other: str) -> bool:
    return place != other and place.startswith(other) and (not other or place[len(other)] in ".[")


@dataclass(frozen=True)
class Signature:
    """What goes in and out, as far as the file tells. `classes` are the labels a classifier can answer."""

    n_features: Optional[int] = None
    feature_names: Optional[tuple[str, ...]] = None
    outputs: Optional[int] = None
    classes: Optional[tuple[Json, ...]] = None


@dataclass(frozen=True)
class Inspection:
    """The facts read from one artifact without running it; what is unknown is None or empty, never invented.

    `model_class` is the dotted class of the root model (of the first estimator where the root is a container);
    `complete` is true when every byte was accounted for. `details` holds what only this format has (layers,
    training configuration, layout).
    """

    format: str
    compression: Optional[str] = None
    model_class: Optional[str] = None
    names: tuple[NameUse, ...] = ()
    library_versions: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Json] = field(default_factory=dict)
    signature: Signature = field(default_factory=Signature)
    models: tuple[ModelEntry, ...] = ()
    arrays: tuple[ArrayInfo, ...] = ()
    n_weights: Optional[int] = None
    complete: bool = False
    loadable: bool = True
    findings: tuple[Finding, ...] = ()
    details: dict[str, Json] = field(default_factory=dict)


NO_MEMORY = "it announces something too large to be read"
"""Of a file whose reader got no memory: how much there was to have, the backend does not know."""


class Source:
    """Bounded, read-only view of an open regular file by descriptor; it never moves the descriptor's own position.

    `plan` is where an inspection notes the arrays it passed, None where nobody asked for that. `into` is an empty file
    in memory for what a compression around the bytes holds: in the end all of it, or nothing where it cannot be loaded
    from there. `opened` = that is what these bytes are, so nobody looks for another compression around them. `depth`
    says inside how many other files it stands.
    """

    opened = False
    depth = 0
    into: Optional[int] = None

    def __init__(self, fd: int, name: str = "", size: Optional[int] = None) -> None:
        self.fd = fd
        self.name = name
        self.size = os.fstat(fd).st_size if size is None else size
        self.bytes_read = 0
        self.plan: Optional[LoadPlan] = None

    def read(self, offset: int, length: int) -> bytes:
        """Bytes at `offset`; fewer than `length` only where there is no file: behind its end, before its start.

        Raises OSError.
        """
        length = max(0, min(length, self.size - offset)) if offset >= 0 else 0
        parts = []
        while length:
            part = os.pread(self.fd, length, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
            self.bytes_read += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def file(self, buffering: int = 65536) -> BinaryIO:
        """An independent buffered file object over the same bytes, for zipfile, h5py and the decompressors."""
        return io.BufferedReader(_SourceFile(self), buffering)


class MemorySource(Source):
    """Bytes in memory as a source, for what stands inside another file: it has no descriptor."""

    def __init__(self, data: bytes, name: str = "") -> None:
        super().__init__(-1, name, len(data))
        self.data = data

    def read(self, offset: int, length: int) -> bytes:
        """See Source."""
        return self.data[offset : offset + max(0, length)] if offset >= 0 else b""


class Part(Source):
    """A stretch of another source, as a source of its own; it starts at `start` of that."""

    def __init__(self, whole: Source, start: int, size: int) -> None:
        super().__init__(whole.fd, whole.name, size)
        self.depth = whole.depth
        self.start = start
        self._whole = whole

    def read(self, offset: int, length: int) -> bytes:
        """See Source."""
        length = max(0, min(length, self.size - offset)) if offset >= 0 else 0
        data = self._whole.read(self.start + offset, length) if length else b""
        self.bytes_read += len(data)
        return data


class _SourceFile(io.RawIOBase):
    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self._source.read(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def write_all(fd: int, data: bytes) -> int:
    """Write all of it, however little is taken at a time; how many bytes that is. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return len(data)


@dataclass
class LoadedModel:
    """A model built in this process: the object at `at`, and what reading it told."""

    model: Any
    format: str
    at: str = ""
    phases: dict[str, float] = field(default_factory=dict)


class Backend(Protocol):
    """One format. `name` is what `Inspection.format` says and what `convert --to` takes; `suffix` names new files."""

    name: str
    suffix: str

    def sniff(self, head: bytes, source: Source) -> bool:
        """Whether these bytes are this format: by content (`head` is the first 4 KiB), never by the file's name."""
        ...

    def inspect(self, source: Source) -> Inspection:
        """Read the facts without running anything. Raises Damaged, Unsupported, OSError."""
        ...

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """Build the model in this process; a `Frozen` source knows where its arrays lie.

        Raises what the model's code raises.
        """
        ...

    def save(self, model: Any, fd: int, **options: Any) -> None:
        """Write `model` to the open, empty, writable and seekable `fd`. Raises NotLoadable, OSError."""
        ...


_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]|\['((?:[^'\\]|\\.)*)'\]")


def resolve(root: Any, at: str) -> Any:
    """The object at place `at` under `root`: `model`, `[0]`, `steps[1][1]`, `['odd key']`; empty means the root.

    A step is a key of a dict, an index of a sequence, else an attribute held in the object's own `__dict__`;
    properties and methods are never called. Raises NotLoadable when there is no such place.
    """
    here, position = root, 0
    while position < len(at):
        match = _STEP.match(at, position)
        if match is None:
            raise NotLoadable(f"'{at}' is not a place: use names, [index] or ['key'], as inspect lists them")
        name, index, quoted = match.groups()
        try:
            if index is not None:
                here = here[int(index)]
            else:
                key = name if name is not None else re.sub(r"\\(.)", r"\1", quoted)
                here = here[key] if isinstance(here, dict) else vars(here)[key]
        except (KeyError, IndexError, TypeError):
            raise NotLoadable(f"nothing stands at '{at[: match.end()]}' in this file") from None
        position = match.end()
    return here
