"""The inspector: reads the facts of one file after another, and the columns of data files; runs nothing of them."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import math
from itertools import islice
from typing import Any, Optional

from backends.core import directories, registry, third_party
from backends.core.descriptors import named
from backends.core.errors import NotLoadable
from backends.core.frozen import Freezing
from backends.core.inspection import Inspection
from backends.core.load_plan import LoadPlan
from backends.core.source import Source
from console.worker.child.jsonable import jsonable
from console.worker.child.main import Answer, Request, Service

ITEMS_CAP = 20_000
"""Entries of one list in an answer; what is over it is counted in `details["left_out"]`."""


class Inspecting(Service):
    """Operation `inspect` (name, plan, room, opened, up to three descriptors) → `inspection`; the load plan as body.

    Operation `norms` (name, one descriptor) → `norms`, the norm and the digest of each array of numbers by its name.

    Operation `tensors` (name, two descriptors) → `count`: its tensors are written to the second as safetensors.

    Operation `columns` (name, options, names, one descriptor) → the columns of a data file, see `headers.columns_of`.
    """

    def __init__(self) -> None:
        super().__init__()
        third_party.allow()
        self.operations = {
            "inspect": self.inspect,
            "columns": self.columns,
            "norms": self.norms,
            "tensors": self.tensors,
        }

    def inspect(self, request: Request) -> Answer:
        """Facts of the file behind the first descriptor, and with `plan` where its arrays lie.

        A second descriptor is memory of the same size, empty: the file is then read through a copy made there, of at
        most `room` bytes. With `opened` the last one is empty memory for what a compression holds: nothing is left
        there that cannot be loaded from it. With `members`, names, the descriptors are those of a directory's members.
        Raises Damaged, Unsupported, NotLoadable, OSError.
        """
        name = str(request.fields.get("name", ""))
        if members := request.fields.get("members"):
            sources = {str(name): Source(fd, str(name)) for name, fd in zip(members, request.fds)}
            return {"inspection": as_json(directories.inspect(sources))}, b""
        fd, *memory = request.fds
        into = memory.pop() if request.fields.get("opened") else None
        source = Freezing(fd, memory[0], name, int(request.fields["room"])) if memory else Source(fd, name)
        if request.fields.get("plan") and not memory:
            source.plan = LoadPlan()
        source.into = into
        found = registry.inspect(source)
        if isinstance(source, Freezing):
            source.finish()
        return {"inspection": as_json(found)}, source.plan.to_bytes() if source.plan is not None else b""

    def norms(self, request: Request) -> Answer:
        """Euclidean norm and digest of each array in a file. Raises Damaged, Unsupported, OSError."""
        source = Source(request.fds[0], str(request.fields.get("name", "")))
        found = registry.inspect(source)
        arrays = named(found.format).arrays(source) if found.complete else iter(())
        norms = [[name, norm_of(numbers), digest_of(numbers)] for name, numbers in islice(arrays, ITEMS_CAP)]
        return {"norms": norms}, b""

    def tensors(self, request: Request) -> Answer:
        """Write the tensors of the file behind the first descriptor to the second. Raises Damaged, Unsupported,
        NotLoadable, OSError."""
        source, out = Source(request.fds[0], str(request.fields.get("name", ""))), request.fds[1]
        found = registry.inspect(source)
        if not found.complete:
            raise NotLoadable("not every byte of it could be accounted for")
        writer: Any = named("safetensors").code()
        return {"count": writer.write_tensors(found.arrays, named(found.format).arrays(source), out)}, b""

    def columns(self, request: Request) -> Answer:
        """The columns of the data file behind the descriptor. Raises Refusal."""
        from console.worker.child.data.options import options_from
        from console.worker.child.headers import columns_of

        source = Source(request.fds[0], str(request.fields.get("name", "")))
        names = [str(name) for name in request.fields.get("names") or ()]
        return columns_of(source, options_from(request.fields.get("options")), names), b""


def norm_of(numbers: Any) -> Optional[float]:
    """The square root of the sum of squares; None where that is no finite number."""
    np = importlib.import_module("numpy")
    found = float(np.sqrt(np.sum(np.square(numbers, dtype=np.float64))))
    return found if math.isfinite(found) else None


def digest_of(numbers: Any) -> str:
    """A digest by which arrays of the same bytes are told to be alike."""
    return hashlib.blake2b(memoryview(numbers).cast("B") if len(numbers) else b"", digest_size=8).hexdigest()


def as_json(inspection: Inspection) -> dict[str, Any]:
    """The inspection as JSON, its longest lists cut to what a frame holds."""
    plain = {field.name: getattr(inspection, field.name) for field in dataclasses.fields(inspection)}
    left_out: dict[str, int] = {}
    for name in ("names", "models", "arrays", "findings"):
        items = plain[name]
        if len(items) > ITEMS_CAP:
            left_out[name] = len(items) - ITEMS_CAP
        plain[name] = [_record(one) for one in items[:ITEMS_CAP]]
    tensors = {side: [_record(one) for one in getattr(inspection.signature, side)] for side in ("takes", "gives")}
    plain["signature"] = {**_record(inspection.signature), **tensors}
    details = dict(inspection.details)
    if left_out:
        details["left_out"] = dict(left_out)
    plain["details"] = details
    return {name: jsonable(value) for name, value in plain.items()}


def _record(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


__all__: list[str] = ["Inspecting", "as_json"]
