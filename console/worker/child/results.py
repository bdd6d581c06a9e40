"""Predictions of rows of a table into files, as csv, json or npy, written in the child that made them.

The answers to a table may come in pieces, which make up the whole when they are put one behind another: the first has
the header. Of json each output is a list, whose bytes are told.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Optional

from backends.core.errors import Refusal
from console.worker.child.jsonable import column, of_targets
from console.worker.child.lazy import numpy

FORMS = ("csv", "json", "npy")

Part = tuple[str, int]
"""An output and its bytes."""


def write(fd: int, form: str, found: dict[str, Any], total: Optional[int]) -> list[Part]:
    """Write the outputs behind what is in the file. `total` = this is the first piece of so many rows.

    Raises Refusal for a form that cannot hold them, OSError.
    """
    with open(fd, "ab", closefd=False) as file:
        if form == "csv":
            return [("", file.write(_csv(found, header=total is not None)))]
        if form == "npy":
            return _write_npy(file, found, total)
        if form == "json":
            return [(name, file.write(_json(column(result)))) for name, result in found.items()]
    raise Refusal("bad-input", f"'{form}' is no form of output; known: {', '.join(FORMS)}")


def _json(values: list[Any]) -> bytes:
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode("ascii")


def write_numbers(fd: int, arrays: Sequence[Any]) -> None:
    """Write contiguous arrays one after another, as they lie in memory. Raises OSError."""
    with open(fd, "wb", buffering=0, closefd=False) as file:
        for array in arrays:
            left = memoryview(array.reshape(-1).view("u1"))
            while left:
                left = left[file.write(left) :]


def _csv(found: dict[str, Any], *, header: bool) -> bytes:
    """One line for each row; an output of several columns gets `name_0`, `name_1` and so on."""
    names: list[str] = []
    columns: list[list[Any]] = []
    for name, result in found.items():
        values = column(result)
        if values and isinstance(values[0], list):
            width = len(values[0])
            if any(not isinstance(row, list) or len(row) != width for row in values):
                raise Refusal("bad-answer", f"{name} answered rows of different lengths, which no csv file holds")
            names += [name] if width == 1 else [f"{name}_{index}" for index in range(width)]
            columns += map(list, zip(*values))
        else:
            names.append(name)
            columns.append(values)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    if header:
        writer.writerow(names)
    writer.writerows(zip(*columns))
    return file.getvalue().encode("utf-8", "backslashreplace")


def _write_npy(file: Any, found: dict[str, Any], total: Optional[int]) -> list[Part]:
    """The numbers of one output; the word that is told is their type, which must be the same in each piece."""
    if len(found) != 1:
        raise Refusal("bad-input", "a npy file holds one output; name one method")
    answer = next(iter(found.values()))
    if of_targets(answer):
        if len({one.shape for one in answer}) > 1:
            raise Refusal("bad-input", "targets of different numbers of classes fit no npy file; write csv or json")
        answer = numpy.stack(answer, axis=1)
    array = numpy.asarray(answer, order="C")
    if array.dtype.kind == "O":
        array = array.astype(str)
    if total is not None:
        described = numpy.lib.format.dtype_to_descr(array.dtype)
        shape = (total, *array.shape[1:])
        head = {"descr": described, "fortran_order": False, "shape": shape}
        numpy.lib.format.write_array_header_1_0(file, head)
    return [(f"{array.dtype.str} {array.shape[1:]}", file.write(array.tobytes()))]
