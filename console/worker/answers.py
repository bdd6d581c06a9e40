"""A worker's answers as records: each field is checked, since what answers may be a hostile model."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec import Meta, Struct

from backends.core.inspection import Json, Signature
from console.records import ArrayNorm, DataColumns, DataFile, Evaluated, Prediction
from console.safe_text import safe
from console.worker.decode_records import Malformed, check_json, decoded
from console.worker.failures import texts, version_texts, warning_texts
from console.worker.shared import Buffer
from console.worker.wire import Head, WireError, size_of

_MOST = sys.float_info.max

Name = Annotated[str, Meta(max_length=10_000)]
Methods = Annotated[tuple[Name, ...], Meta(max_length=50)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The answer to a load: phases in milliseconds, methods the model has, its signature from the live object.

    `warnings` begin with the library versions that differ from those of the file.
    """

    model_class: Name
    methods: Methods
    signature: Signature
    phases: dict[str, float]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    library_versions: dict[str, str] = field(default_factory=dict)


class RawArray(Struct, frozen=True):
    """One output in a raw answer: its numpy dtype, its shape, and where in the buffer it stands."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    bytes: int


class RawAnswer(Struct, frozen=True):
    """A raw answer: nanoseconds in the model, the rows of that call, and of each array its name, dtype and shape; what
    is no array has a value for each row."""

    worker_ns: Count
    arrays: tuple[tuple[Name, str, tuple[int, ...]], ...]
    batch: Count = 0
    values: dict[Name, list[Any]] = {}
    warnings: tuple[str, ...] = ()


class RawOutcome(NamedTuple):
    """The answer to an array call: where each output stands in the buffer, the buffer (read-only), the milliseconds in
    the model, the rows of that call, and the values of outputs that are no arrays."""

    arrays: list[RawArray]
    buffer: Buffer
    worker_ms: float
    batch: int
    values: dict[str, list[Json]]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """The answer to a conversion: the methods whose answers were compared on `rows`, and what differs."""

    compared: tuple[str, ...]
    differences: tuple[str, ...]
    rows: Count
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HoldoutRows:
    """A hold-out beside the training rows: its rows and those that stand in both.

    Of the others: how often the most frequent of them stands there, the distinct values of the target, the columns
    that are the target, and in `apart` a bit for each row, whether it is one of them. `problem` says why the two could
    not be compared.
    """

    rows: Count = 0
    common: Count = 0
    repeated: Count = 0
    targets: Count | None = None
    leaks: tuple[str, ...] = ()
    apart: bytes = b""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of a table as JSON objects, and their truths if it has any."""

    rows: list[dict[str, Any]]
    truths: list[Any] | None


@dataclass(frozen=True, slots=True)
class _Counted:
    count: Count


@dataclass(frozen=True, slots=True)
class _Norms:
    norms: list[tuple[str, float | None, str]]


Warned = TypeVar("Warned", Loaded, Saved, Evaluated, DataFile, Prediction)


def loaded_from(said: Head) -> Loaded:
    """The answer to a load. Raises Malformed, as all of these do."""
    found = decoded(said, Loaded)
    check_json([found.signature.classes, found.phases])
    return replace(
        _with_safe_texts(found), notes=texts(found.notes), library_versions=version_texts(found.library_versions)
    )


def norms_from(said: Head) -> dict[str, ArrayNorm]:
    """The norms of a file's arrays by their names; the first of those that share one."""
    found: dict[str, ArrayNorm] = {}
    for name, norm, digest in decoded(said, _Norms).norms:
        found.setdefault(name, ArrayNorm(norm, digest))
    return found


def count_from(said: Head) -> int:
    """How many there are."""
    return decoded(said, _Counted).count


def columns_from(said: Head) -> DataColumns:
    """The columns of a data file."""
    return decoded(said, DataColumns)


def saved_from(said: Head) -> Saved:
    """The answer to a conversion."""
    found = _with_safe_texts(decoded(said, Saved))
    return replace(found, compared=texts(found.compared), differences=texts(found.differences))


def evaluated_from(said: Head) -> Evaluated:
    """How a model did."""
    found = _with_safe_texts(decoded(said, Evaluated))
    check_json(found.metrics)
    causes = {name[:100]: cause[:300] for name, cause in found.causes.items()}
    return replace(found, causes=causes, notes=texts(found.notes), meanings=texts(found.meanings))


def holdout_from(said: Head, apart: bytes) -> HoldoutRows:
    """A hold-out beside the training rows."""
    found = decoded({**said, "apart": apart}, HoldoutRows)
    if found.problem:
        return HoldoutRows(problem=found.problem[:1000])
    if len(apart) != -(-found.rows // 8):
        raise Malformed(f"{len(apart)} bytes for {found.rows} rows")
    return replace(found, leaks=texts(found.leaks))


def data_from(said: Head, name: str) -> tuple[int, DataFile]:
    """The handle of a table, and what it is."""
    found = _with_safe_texts(decoded({**said, "path": name}, DataFile))
    piece = None if found.piece is None else max(1, found.piece)
    return decoded(said.get("data"), int), replace(found, decided=safe(found.decided, 2000), piece=piece)


def raw_from(said: Head, answer: Buffer) -> RawOutcome:
    """A raw answer, whose arrays must fill the buffer exactly."""
    found = decoded(said, RawAnswer)
    arrays = []
    offset = 0
    for name, dtype, shape in found.arrays:
        try:
            size = size_of(dtype, shape)
        except WireError as error:
            raise Malformed(str(error)) from None
        arrays.append(RawArray(name, dtype, shape, offset, size))
        offset += size
    if offset != len(answer):
        raise Malformed(f"{len(answer)} bytes for arrays of {offset}")
    if found.values:
        check_json(found.values)
    warnings = warning_texts(found.warnings) if found.warnings else ()
    return RawOutcome(arrays, answer, found.worker_ns / 1e6, found.batch, found.values, warnings)


def sample_from(said: Head) -> tuple[list[dict[str, Json]], list[Json] | None]:
    """Rows of a table, and their truths."""
    found = decoded(said, Sample)
    return found.rows, found.truths


def outcome_from(said: Head, round_trip: float) -> Prediction:
    """The answer to one request, with the milliseconds of its round trip."""
    found = decoded({"outputs": {}, **said, "round_trip_ms": round_trip}, Prediction)
    if not found.warnings and not found.unscored:
        return found
    return replace(_with_safe_texts(found), unscored=found.unscored[:1000])


def _with_safe_texts(found: Warned) -> Warned:
    return replace(found, warnings=warning_texts(found.warnings))


def numbers(value: Any) -> dict[str, float]:
    """The numbers of an object; {} for what is none."""
    items = value.items() if isinstance(value, dict) else ()
    return {name[:100]: float(one) for name, one in items if isinstance(one, (int, float)) and abs(one) < _MOST}
