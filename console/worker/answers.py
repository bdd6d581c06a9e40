"""A worker's answers as records: each field is checked, since what answers may be a hostile model."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from backends.core.inspection import Json, Signature
from console.records import DataColumns, DataFile, Evaluated, Outcome
from console.safe_text import safe
from console.worker.failures import texts, version_texts, warning_texts
from console.worker.shared import Buffer
from console.worker.strict import Malformed, signature_from
from console.worker.wire import Head, size_of

_SHAPES = 256
"""So many forms of raw answers are kept apart."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading told: phases in milliseconds, methods the model has, its signature from the live object.

    `warnings` begin with the library versions that differ from those of the file.
    """

    model_class: str
    methods: tuple[str, ...]
    signature: Signature
    phases: dict[str, float]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    library_versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawArray:
    """One output in a raw answer: its numpy dtype, its shape, and where in the buffer it stands."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What writing in another format told: the methods whose answers were compared on `rows`, and what differs."""

    compared: tuple[str, ...]
    differences: tuple[str, ...]
    rows: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HoldoutRows:
    """What a hold-out is beside the training rows: its rows and those that stand in both.

    Of the others: how often the most frequent of them stands there, the distinct values of the target, the columns
    that are the target, and in `apart` a bit for each row, whether it is one of them. `problem` says why the two could
    not be compared.
    """

    rows: int = 0
    common: int = 0
    repeated: int = 0
    targets: int | None = None
    leaks: tuple[str, ...] = ()
    apart: bytes = b""
    problem: str = ""


def loaded_from(said: Head) -> Loaded:
    """What loading told. Raises Malformed, KeyError, TypeError, ValueError, as all of these do."""
    return Loaded(
        _string(said["model_class"]),
        texts(said["methods"]),
        signature_from(said["signature"]),
        numbers(said["phases"]),
        warning_texts(said.get("warnings")),
        texts(said.get("notes")),
        version_texts(said.get("library_versions")),
    )


def columns_from(said: Head) -> DataColumns:
    """The columns of a data file."""
    names, apart, named = said["names"], said.get("apart"), said["named"]
    if not isinstance(names, list) or not isinstance(named, bool):
        raise Malformed("a list of names expected")
    return DataColumns(
        tuple(_string(name) for name in names), int(said["total"]), named, None if apart is None else _string(apart)
    )


def saved_from(said: Head) -> Saved:
    """What writing in another format told."""
    compared, differences = texts(said["compared"]), texts(said["differences"])
    return Saved(compared, differences, int(said["rows"]), warning_texts(said.get("warnings")))


def evaluated_from(said: Head) -> Evaluated:
    """How a model did."""
    causes = {str(name)[:100]: _string(cause)[:300] for name, cause in said.get("causes", {}).items()}
    metrics, answers = numbers(said["metrics"]), _string(said.get("answers", ""))[:100]
    notes, meanings = texts(said.get("notes")), texts(said.get("meanings"))
    warnings, missing = warning_texts(said.get("warnings")), int(said.get("missing", 0))
    task, rows = _string(said["task"]), int(said["rows"])
    return Evaluated(task, rows, metrics, causes, answers, missing, notes, meanings, warnings)


def holdout_from(said: Head, apart: bytes) -> HoldoutRows:
    """What a hold-out is beside the training rows."""
    if said.get("problem"):
        return HoldoutRows(problem=_string(said["problem"])[:1000])
    rows, targets = int(said["rows"]), said["targets"]
    if len(apart) != -(-rows // 8):
        raise Malformed(f"{len(apart)} bytes for {rows} rows")
    return HoldoutRows(
        rows,
        int(said["common"]),
        int(said["repeated"]),
        None if targets is None else int(targets),
        texts(said["leaks"]),
        apart,
    )


def data_from(said: Head, name: str) -> tuple[int, DataFile]:
    """The handle of a table, and what it is."""
    columns = tuple((_string(column), _string(dtype)) for column, dtype in said["columns"])
    target = said.get("target")
    target, decided = None if target is None else _string(target), safe(_string(said["decided"]), 2000)
    warnings, piece = warning_texts(said.get("warnings")), said["piece"]
    piece = None if piece is None else max(1, int(piece))
    return int(said["data"]), DataFile(name, int(said["rows"]), columns, target, decided, warnings, piece)


def raw_from(said: Head, answer: Buffer) -> list[RawArray]:
    """The places of the arrays, which must fill the answer exactly."""
    places = said["arrays"]
    arrays, size = _repeated_arrays(places) if isinstance(places, tuple) else _arrays(places)
    if size != len(answer):
        raise Malformed(f"{len(answer)} bytes for arrays of {size}")
    return list(arrays)


def _arrays(places: Any) -> tuple[tuple[RawArray, ...], int]:
    """The arrays one behind another, and the bytes that all of them take."""
    arrays = []
    offset = 0
    for name, dtype, shape in places:
        size = size_of(_string(dtype), shape)
        arrays.append(RawArray(_string(name), dtype, tuple(shape), offset, size))
        offset += size
    return tuple(arrays), offset


_repeated_arrays = lru_cache(maxsize=_SHAPES)(_arrays)


def sample_from(said: Head) -> tuple[list[dict[str, Json]], list[Json] | None]:
    """Rows of a table, and their truths."""
    rows, truths = said["rows"], said["truths"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Malformed("rows are no objects")
    return rows, truths if isinstance(truths, list) else None


def outcome_from(said: Head, round_trip: float) -> Outcome:
    """The answer to one request, with the milliseconds of its round trip."""
    outputs = said.get("outputs", {})
    if not isinstance(outputs, dict):
        raise Malformed("outputs is no object")
    score = said.get("score")
    return Outcome(
        int(said["rows"]),
        outputs,
        float(said["worker_ms"]),
        round_trip,
        warning_texts(said.get("warnings")),
        None if score is None else numbers(score),
        _string(said.get("unscored", ""))[:1000],
    )


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed(f"text expected, {type(value).__name__} found")
    return value[:10_000]


def numbers(value: Any) -> dict[str, float]:
    """The numbers of an object; {} for what is none."""
    if not isinstance(value, dict):
        return {}
    return {str(name)[:100]: float(one) for name, one in value.items() if isinstance(one, (int, float))}
