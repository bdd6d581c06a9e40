"""Files as a worker gets them: sealed whole with a plan, or a sealed skeleton and the file its numbers lie in."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.core import registry
from backends.core.frozen import RAW_FROM, Freezing, Frozen
from backends.core.inspection import Inspection
from backends.core.load_plan import LoadPlan
from backends.core.source import Source

__all__ = ["Taken", "froze", "frozen", "small"]

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


@dataclass
class Taken:
    """The results of an inspector on a file: descriptors of the sealed memory and of the file, facts and plan."""

    memory: int
    file: int
    inspection: Inspection
    plan: LoadPlan

    def source(self) -> Frozen:
        """As a worker opens it."""
        return Frozen(self.memory, "model", self.plan.to_bytes(), self.file if self.plan.raw else None)

    def load(self, at: str = "") -> Any:
        """The model, as a worker builds it."""
        return registry.load(self.source(), self.inspection.format, at).model


@contextlib.contextmanager
def frozen(path: Path, raw_from: int = RAW_FROM) -> Iterator[Taken]:
    """A file treated as a large one: numbers of `raw_from` bytes or more stay in it, everything else is sealed."""
    file = os.open(path, os.O_RDONLY)
    memory = os.memfd_create("skeleton", os.MFD_ALLOW_SEALING)
    try:
        yield froze(file, memory, path.name, raw_from)
    finally:
        os.close(file)
        os.close(memory)


def froze(file: int, memory: int, name: str, raw_from: int = RAW_FROM) -> Taken:
    """Inspect an open file through a copy in `memory`, an empty memfd, which is sealed then."""
    os.ftruncate(memory, os.fstat(file).st_size)
    source = Freezing(file, memory, name)
    inspection = registry.inspect(source)
    source.finish(raw_from)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
    return Taken(memory, file, inspection, source.plan)


@contextlib.contextmanager
def small(path: Path) -> Iterator[Taken]:
    """A file treated as a small one: sealed whole, with the plan of its inspection."""
    memory = os.memfd_create("whole", os.MFD_ALLOW_SEALING)
    try:
        os.write(memory, path.read_bytes())
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
        source = Source(memory, path.name)
        source.plan = LoadPlan()
        inspection = registry.inspect(source)
        yield Taken(memory, -1, inspection, source.plan)
    finally:
        os.close(memory)
