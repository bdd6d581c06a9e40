"""Inputs of requests as what a worker is asked, and its answers as those of a request: raw numbers as they are."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from console.errors import InputError
from console.records import NUMPY_DTYPES, InferRequest, Json, Signature, Tensor
from console.worker.answers import RawArray, RawOutcome
from console.worker.model import Worker
from console.worker.wire import BODY_CAP

DATATYPES: Mapping[str, str] = {dtype: name for name, dtype in NUMPY_DTYPES.items()}
"""The datatypes of the protocol by numpy's names."""
_CODES = dict(zip(NUMPY_DTYPES, "?BHIQbhiqefd", strict=True))
_SIZES = {name: struct.calcsize(f"<{code}") for name, code in _CODES.items()}


class Found(NamedTuple):
    """The answer of a worker."""

    tensors: tuple[Tensor, ...]
    body: bytes
    values: dict[str, Any]
    rows: int
    batch: int
    worker_ms: float
    warnings: tuple[str, ...]


class Given(NamedTuple):
    """The question to a worker: an array of numbers, or (with `rows`) JSON values by row, or (with `named`) tensors in
    the body; `plain` numbers came as JSON."""

    size: int
    dtype: str = ""
    shape: tuple[int, ...] = ()
    body: bytes = b""
    rows: Sequence[Json] | None = None
    columns: Sequence[str] | None = None
    named: tuple[Tensor, ...] = ()
    plain: bool = False


def given(request: InferRequest) -> Given:
    """The inputs of a request. Raises InputError for tensors that are none."""
    if request.rows is not None:
        return Given(len(request.rows), rows=request.rows, columns=request.columns)
    tensors = request.tensors
    if any(one.datatype == "BYTES" for one in tensors):
        return Given(max(rows_in(request), 0), body=request.body, named=tensors, plain=request.plain)
    if len(tensors) == 1 and len(tensors[0].shape) > 1:
        one = tensors[0]
        if bytes_of(one) != len(request.body):
            raise InputError(_sizes(one, len(request.body)))
        dtype = NUMPY_DTYPES[one.datatype]
        return Given(one.shape[0], dtype, one.shape, request.body, named=tensors, plain=request.plain)
    if not tensors:
        raise InputError("the request has no inputs", hint="send a tensor of rows, or rows")
    if _no_column(tensors) is not None:
        total = sum(map(bytes_of, tensors))
        if total != len(request.body):
            raise InputError(f"the inputs take {total} bytes, but {len(request.body)} came")
        return Given(max(rows_in(request), 0), body=request.body, named=tensors, plain=request.plain)
    return _columns(request)


def _no_column(tensors: Sequence[Tensor]) -> Tensor | None:
    """The first of several that is no column of as many rows as the first."""
    rows = tensors[0].shape[:1]
    return next((one for one in tensors if one.shape not in (rows, (*rows, 1)) or not rows), None)


def rows_in(request: InferRequest) -> int:
    """How many rows a request has, right or wrong."""
    if request.rows is not None:
        return len(request.rows)
    shape = request.tensors[0].shape if request.tensors else ()
    return max(0, shape[0]) if shape else 0


def bytes_of(tensor: Tensor) -> int:
    """The bytes of a tensor's values. Raises InputError for one of no numbers."""
    size = _SIZES.get(tensor.datatype)
    if size is None:
        raise InputError(f"the input {tensor.name[:100]!r} is of {tensor.datatype[:40]!r}, which no number is")
    if len(tensor.shape) > 8 or min(tensor.shape, default=0) < 0:
        raise InputError(f"the input {tensor.name[:100]!r} has a shape that no tensor has")
    return math.prod(tensor.shape, start=size)


def _sizes(tensor: Tensor, found: int) -> str:
    words = f"{tensor.datatype} {list(tensor.shape)}"
    return f"the input {tensor.name[:100]!r} is {words}, which takes {bytes_of(tensor)} bytes, but {found} came"


def _columns(request: InferRequest) -> Given:
    """Tensors that each are a column, as rows."""
    columns, place, count = [], 0, -1
    for tensor in request.tensors:
        size, values = bytes_of(tensor), math.prod(tensor.shape)
        if len(tensor.shape) != 1 and tensor.shape[1:] != (1,):
            shape = f"the shape {list(tensor.shape)}"
            raise InputError(f"the input {tensor.name[:100]!r} has {shape}; expected a column: [rows] or [rows, 1]")
        if count not in (-1, values):
            raise InputError(f"the input {tensor.name[:100]!r} has {values} rows, those before it have {count}")
        if place + size > len(request.body):
            raise InputError(_sizes(tensor, len(request.body) - place))
        columns.append(_plain(struct.unpack_from(f"<{values}{_CODES[tensor.datatype]}", request.body, place)))
        place, count = place + size, values
    if place != len(request.body):
        raise InputError(f"{len(request.body) - place} bytes came behind the last input")
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Given(count, rows=rows, columns=[tensor.name for tensor in request.tensors])


def _plain(values: tuple[Any, ...]) -> Sequence[Json]:
    """Numbers as JSON can say them: what is none is missing. Raises InputError for infinite ones."""
    if not values or not isinstance(values[0], float) or all(map(math.isfinite, values)):
        return values
    if any(map(math.isinf, values)):
        raise InputError("a column holds an infinite number, which no model takes by name")
    return [None if value != value else value for value in values]


def check_width(asked: Given, signature: Signature) -> None:
    """Raise InputError for an array that has another width than the model."""
    wanted = signature.n_features
    if wanted is not None and len(asked.shape) > 2 and not signature.takes:
        raise InputError(f"the input has the shape {list(asked.shape)}; expected rows: [rows, {wanted}]")
    if wanted is not None and len(asked.shape) == 2 and asked.shape[1] != wanted:
        raise InputError(f"the rows have {asked.shape[1]} columns; expected {wanted}, as the model was trained on")


async def ask(
    worker: Worker, asked: Given, signature: Signature, methods: Sequence[str], deadline: float, patience: float
) -> Found:
    """The answer of a worker within `deadline` seconds; it may work on one thing for `patience` seconds. Raises
    InputError, ChildFailed."""
    if asked.named and goes_by_name(asked, signature):
        raw = await _ask_tensors(worker, asked, methods, deadline, patience)
        return _found(asked, raw)
    if asked.rows is None:
        check_width(asked, signature)
        raw = await worker.ask_array(
            asked.dtype, asked.shape, asked.body, methods=methods, deadline=deadline, patience=patience
        )
        return _found(asked, raw)
    try:
        outcome = await worker.call_rows(
            asked.rows, columns=asked.columns, methods=methods, deadline=deadline, patience=patience
        )
    except ValueError:
        raise InputError("a row holds a number that JSON cannot say") from None
    found = packed(outcome.outputs or {})
    return Found(*found, outcome.rows, outcome.rows, outcome.worker_ms, tuple(outcome.warnings))


def goes_by_name(asked: Given, signature: Signature) -> bool:
    """Whether tensors go to the inputs as they are, and not as rows of a table. Raises InputError where the model takes
    rows alone."""
    if not signature.takes:
        if asked.dtype:
            return False
        wrong = _no_column(asked.named) or asked.named[0]
        shape = f"{wrong.datatype[:40]} of the shape {list(wrong.shape)}"
        words = "expected that each is a column of as many rows: [rows] or [rows, 1]"
        raise InputError(f"the input {wrong.name[:100]!r} is {shape}; {words}")
    if not asked.dtype or len(asked.shape) > 2:
        return True
    return signature.n_features is None and any(one.shape is None or len(one.shape) != 2 for one in signature.takes)


async def _ask_tensors(
    worker: Worker, asked: Given, methods: Sequence[str], deadline: float, patience: float
) -> RawOutcome:
    """The outputs for named tensors. Raises InputError, ChildFailed."""
    if len(asked.body) > BODY_CAP:
        raise InputError(f"the inputs have {len(asked.body)} bytes; named tensors may have {BODY_CAP}")
    numbers: list[tuple[str, str, tuple[int, ...]]] = []
    texts, bodies, place = [], [], 0
    for one in asked.named:
        if one.datatype == "BYTES":
            found, end = _texts_at(one, asked.body, place)
            texts.append((one.name, one.shape, found))
        else:
            end = place + bytes_of(one)
            numbers.append((one.name, NUMPY_DTYPES[one.datatype], one.shape))
            bodies.append(asked.body[place:end])
        place = end
    if place != len(asked.body):
        raise InputError(f"the inputs take {place} bytes, but {len(asked.body)} came")
    return await worker.call_tensors(
        numbers, b"".join(bodies), texts, plain=asked.plain, methods=methods, deadline=deadline, patience=patience
    )


def _texts_at(tensor: Tensor, body: bytes, place: int) -> tuple[list[str], int]:
    """The texts of a tensor, each behind its length, and where they end. Raises InputError."""
    found: list[str] = []
    if len(tensor.shape) > 8 or min(tensor.shape, default=0) < 0:
        raise InputError(f"the input {tensor.name[:100]!r} has a shape that no tensor has")
    for _ in range(math.prod(tensor.shape)):
        end = place + 4 + int.from_bytes(body[place : place + 4], "little")
        if end > len(body):
            raise InputError(f"the input {tensor.name[:100]!r} ends beyond the body")
        found.append(body[place + 4 : end].decode("utf-8", "replace"))
        place = end
    return found, place


def _found(asked: Given, raw: RawOutcome) -> Found:
    body = raw.buffer if isinstance(raw.buffer, bytes) else bytes(raw.buffer)
    return Found(tensors_of(raw.arrays), body, raw.values, asked.size, raw.batch, raw.worker_ms, raw.warnings)


def tensors_of(arrays: Sequence[RawArray]) -> tuple[Tensor, ...]:
    """The arrays of an answer as tensors that stand in its buffer one behind another. Raises InputError for numbers
    that the protocol does not know."""
    try:
        return tuple([Tensor(one.name, DATATYPES[one.dtype], one.shape) for one in arrays])
    except KeyError as error:
        raise InputError(f"the model answers {error.args[0]}, which no tensor holds") from None


def packed(outputs: Mapping[str, Json]) -> tuple[tuple[Tensor, ...], bytes, dict[str, Json]]:
    """Outputs by row: those of numbers alone as tensors with their body, the others as they are."""
    tensors: list[Tensor] = []
    bodies: list[bytes] = []
    values: dict[str, Json] = {}
    for name, found in outputs.items():
        flat, shape = _flat(found)
        kind = {type(value) for value in flat}
        if kind == {float} or (kind == {int} and all(-(2**63) <= one < 2**63 for one in flat)):
            datatype, code = ("FP64", "d") if kind == {float} else ("INT64", "q")
            tensors.append(Tensor(name, datatype, shape))
            bodies.append(array(code, flat).tobytes())
        elif kind == {bool}:
            tensors.append(Tensor(name, "BOOL", shape))
            bodies.append(bytes(flat))
        else:
            values[name] = found
    return tuple(tensors), b"".join(bodies), values


def _flat(found: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The values of rows of one width and their shape; nothing of any other."""
    if not isinstance(found, list) or not found:
        return [], ()
    if not any(isinstance(row, list) for row in found):
        return found, (len(found),)
    widths = {len(row) if isinstance(row, list) else -1 for row in found}
    if len(widths) > 1 or widths == {-1}:
        return [], ()
    return list(chain.from_iterable(found)), (len(found), widths.pop())
