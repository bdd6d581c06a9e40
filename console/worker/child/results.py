"""Predictions of a whole table into a file: csv, json or npy, written in the child that made them."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
from collections.abc import Sequence
from typing import Any

from console.worker.child.jsonable import column
from console.worker.child.main import Refusal

FORMATS = ("csv", "json", "npy")


def write(fd: int, form: str, results: dict[str, Any]) -> None:
    """Write the outputs to an open, empty, writable file. Raises Refusal for a form that cannot hold them, OSError."""
    with open(os.dup(fd), "wb") as file:
        if form == "csv":
            _write_csv(io.TextIOWrapper(file, "utf-8", newline="", write_through=True), results)
        elif form == "json":
            plain = {name: column(result) for name, result in results.items()}
            file.write(json.dumps(plain, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n")
        elif form == "npy":
            _write_npy(file, results)
        else:
            raise Refusal("bad-input", f"'{form}' is no form of output; known: {', '.join(FORMATS)}")


def write_numbers(fd: int, arrays: Sequence[Any]) -> None:
    """Write contiguous arrays one after another, as they lie in memory. Raises OSError."""
    with open(fd, "wb", buffering=0, closefd=False) as file:
        for array in arrays:
            left = memoryview(array.reshape(-1).view("u1"))
            while left:
                left = left[file.write(left) :]


def _write_csv(file: Any, results: dict[str, Any]) -> None:
    """One line for each row; an output of several columns gets `name_0`, `name_1` and so on."""
    header: list[str] = []
    columns: list[list[Any]] = []
    for name, result in results.items():
        values = column(result)
        if values and isinstance(values[0], list):
            width = len(values[0])
            header += [f"{name}_{index}" for index in range(width)]
            columns += [[row[index] for row in values if isinstance(row, list)] for index in range(width)]
        else:
            header.append(name)
            columns.append(values)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns))
    file.flush()


def _write_npy(file: Any, results: dict[str, Any]) -> None:
    if len(results) != 1:
        raise Refusal("bad-input", "a npy file holds one output; name one method")
    numpy = importlib.import_module("numpy")
    array = numpy.asarray(next(iter(results.values())))
    if array.dtype.kind == "O":
        array = array.astype(str)
    numpy.lib.format.write_array(file, array, allow_pickle=False)
