"""Outputs of a model that its worker wrote into shared memory: checked, frozen, and read from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated

from msgspec import Meta

from backends.core.inspection import Json
from console.closing import closing_fd
from console.worker import shared
from console.worker.answers import Count
from console.worker.decode_records import Malformed, decoded
from console.worker.shared import Buffer
from console.worker.wire import Head

Parts = dict[str, list[tuple[Annotated[str, Meta(max_length=1000)], Count]]]
"""Names and sizes in bytes, one behind another, by form."""


class OutputFiles(ExitStack):
    """Files in memory that a worker is to fill, one for each form (`csv`, `json`, `npy`); closed by `with`."""

    def __init__(self, forms: Sequence[str]) -> None:
        super().__init__()
        self.forms = tuple(forms)
        self.fds = [self.enter_context(closing_fd(shared.empty())) for _ in self.forms]

    def read(self, said: Head) -> tuple[dict[str, Json], dict[str, tuple[str, Buffer]]]:
        """Outputs by name, where json was asked for, and of the other forms the bytes, with what is told of them.

        Raises Malformed, shared.NotSealed.
        """
        outputs: dict[str, Json] = {}
        files: dict[str, tuple[str, Buffer]] = {}
        told = decoded(said.get("parts"), Parts)
        for form, fd in zip(self.forms, self.fds, strict=True):
            parts, data = told.get(form, []), shared.sealed(fd)
            if sum(size for _name, size in parts) > len(data):
                raise Malformed(f"{len(data)} bytes of {form}, where more are told")
            if form == "json":
                outputs = _parsed(parts, data)
            else:
                files[form] = (parts[0][0] if parts else "", data)
        return outputs, files


def _parsed(parts: list[tuple[str, int]], data: Buffer) -> dict[str, Json]:
    """Each output as a list. Raises Malformed."""
    found: dict[str, Json] = {}
    begin = 0
    for name, size in parts:
        try:
            values = json.loads(bytes(data[begin : begin + size]), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"{name} is not JSON: {type(error).__name__}") from None
        if not isinstance(values, list):
            raise Malformed(f"{name} is no list")
        found[name] = values
        begin += size
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
