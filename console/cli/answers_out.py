"""Answers on their way out of a command, piece by piece: into a file, as JSON on stdout, as a table for people."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO

from console.cli.output import as_text, columns
from console.cli.streams import taking
from console.durable import output, write_all
from console.errors import InputError, OperationError, UsageError
from console.os_errors import hint, why
from console.records import AnswerFile, Json
from console.records.words import tensor_words

__all__ = ["JsonAnswers", "OutFile", "form_of", "keep_apart", "table_lines", "write_json"]

FORMS = {".csv": "csv", ".json": "json", ".npy": "npy"}
_IN_MEMORY = 1 << 20
_PLACE = "\0outputs\0"


def form_of(path: str | None, methods: int) -> str | None:
    """The form of an output file, by its name. Raises UsageError for a name that tells none."""
    if path is None:
        return None
    suffix = Path(path).suffix.lower()
    form = FORMS.get(suffix)
    if form is None and not suffix and os.path.exists(path) and not os.path.isfile(path):
        form = "csv"
    if form is None or os.path.isdir(path):
        raise UsageError(
            f"--out {path} does not tell what to write", hint="name a file that ends in .csv, .json or .npy"
        )
    if form == "npy" and methods > 1:
        raise UsageError("a npy file holds one output", hint="name one --method, or write .csv or .json")
    return form


def keep_apart(out: str | None, *read: str) -> None:
    """Raise UsageError where the file to be written is one of those that are read."""
    if (
        out is not None
        and os.path.isfile(out)
        and any(os.path.exists(one) and os.path.samefile(out, one) for one in read)
    ):
        raise UsageError(f"--out {out} would take the place of a file that is read here", hint="name another file")


class JsonAnswers:
    """Outputs as JSON lists, each in a file of its own until they are wanted one behind another. Used by `with`."""

    def __init__(self, indent: int | None = None, level: int = 0) -> None:
        self._indent = indent
        self._margin = "\n" + " " * level if indent else ""
        self._files = ExitStack()
        self._lists: dict[str, IO[bytes]] = {}

    def __enter__(self) -> JsonAnswers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def add(self, outputs: dict[str, Json]) -> None:
        """The outputs for the next rows. Raises OSError."""
        for name, values in outputs.items():
            if name not in self._lists:
                spool = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (closed by the stack)
                self._lists[name] = self._files.enter_context(spool)
            if not values:
                continue
            text = as_text(values, indent=self._indent)
            text = text[1:-2].replace("\n", self._margin) if self._indent else text[1:-1]
            file = self._lists[name]
            between = "" if not file.tell() else "," if self._indent else ", "
            file.write((between + text).encode())

    def placed(self, value: dict[str, Json]) -> dict[str, Json]:
        """The value with a mark for each output, for `written`."""
        return {**value, "outputs": {name: f"{_PLACE}{name}" for name in self._lists}}

    def write(self, text: str, file: IO[bytes]) -> None:
        """Write a JSON text, with the outputs where they are marked. Raises OSError."""
        for name, values in self._lists.items():
            before, _, text = text.partition(as_text(f"{_PLACE}{name}"))
            file.write(before.encode() + b"[")
            empty = not values.tell()
            values.seek(0)
            shutil.copyfileobj(values, file)
            file.write((f"{self._margin}]" if not empty else "]").encode())
        file.write(text.encode())


class OutFile:
    """A file that an operator named, whole at the end or as it was before. Used by `with`."""

    def __init__(self, path: str, form: str) -> None:
        self._path = path
        self._form = form
        self._json = JsonAnswers()
        self._place: AbstractContextManager[int] = output(Path(path))
        self._fd = -1
        self._kind = ""

    def __enter__(self) -> OutFile:
        with self._named():
            self._fd = self._place.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._json, self._named():
            self._place.__exit__(kind, error, trace)

    def add(self, outputs: dict[str, Json], files: dict[str, AnswerFile]) -> None:
        """The answers for the next rows, in the form of this file. Raises InputError, OperationError."""
        with self._named():
            if self._form == "json":
                self._json.add(outputs)
                return
            kind, data = files[self._form].kind, files[self._form].content
            if self._form == "npy" and self._kind not in ("", kind):
                raise OperationError(
                    f"{self._path} cannot be written as npy: answers of {self._kind} are followed by some of {kind}",
                    hint="write .csv or .json",
                )
            self._kind = kind
            write_all(self._fd, data)

    def finish(self) -> None:
        """Bring all to the disk. Raises InputError."""
        with self._named():
            if self._form == "json":
                with os.fdopen(os.dup(self._fd), "wb") as file:
                    self._json.write(as_text(self._json.placed({})["outputs"]), file)
            if os.path.isfile(self._fd):
                os.fsync(self._fd)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self._path} cannot be written: {why(error)}", hint=hint(error)) from None


def write_json(answers: JsonAnswers, value: dict[str, Json]) -> None:
    """The value with its outputs on stdout. Raises Untaken, BrokenPipeError."""
    with taking():
        sys.stdout.flush()
        answers.write(as_text(answers.placed(value), indent=2) + "\n", sys.stdout.buffer)
        sys.stdout.buffer.flush()


def table_lines(outputs: dict[str, Json], *, header: bool) -> Iterable[str]:
    """Lines of a table for people: one column a name, several (`name_0`, `name_1` …) where a row's answer is a short
    list."""
    headers: list[str] = []
    parts: list[list[list[Json]]] = []
    for name, values in outputs.items():
        rows = values if isinstance(values, list) else [values]
        cells: list[list[Json]] = [_cells(value) for value in rows]
        width = max(map(len, cells), default=0)
        headers += [name] if width == 1 else [f"{name}_{index}" for index in range(width)]
        parts.append(cells)
    table = [[_cell(cell) for cells in row for cell in cells] for row in zip(*parts, strict=True)]
    lines = iter(columns(headers, table, right=headers))
    if not header:
        next(lines, None)
    return lines


def _cells(value: Json) -> list[Json]:
    """An answer by its numbers; one of several axes, or of very many numbers, in a few words."""
    words = tensor_words(value)
    return [words] if words else value if isinstance(value, list) else [value]


def _cell(cell: Json) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
