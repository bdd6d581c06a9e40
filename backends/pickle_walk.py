"""The static walk of a pickle or joblib file: every stream, every name, every array, every oddity; nothing is run."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, Optional

from backends.base import Finding, NameUse, Source
from backends.findings import finding
from backends.frozen import Freezing
from backends.joblib_spans import read_span
from backends.load_plan import Piece
from backends.pickle_buffers import BufferMachine
from backends.pickle_machine import PickleMachine
from backends.pickle_names import COUNTED, Names
from backends.pickle_opcodes import looks_like_pickle
from backends.pickle_reader import Budget, Stopped
from backends.pickle_values import Global, Instance, RawArray, Value, literal_words

__all__ = ["Region", "Walk", "walk"]

_MAX_STREAMS = 1000


@dataclass(frozen=True)
class Region:
    """A stretch of the file, in bytes: opcodes that can name or call something, or the raw numbers of an array."""

    offset: int
    length: int
    array: Optional[RawArray] = None


@dataclass
class Walk:
    """What the walk of one file found.

    `roots` has the abstract root of each complete stream. `joblib` is true when arrays stand between the opcodes.
    `regions` tile the bytes that were walked, in order, and `arrays` are those between the opcodes, `buffers`
    (of a file that is being frozen) the byte strings that hold an array's numbers; `complete` is true
    when the regions are the whole file and no budget ran out. `end` is where the last byte that was walked ends.
    """

    roots: list[Value] = field(default_factory=list)
    names: tuple[NameUse, ...] = ()
    globals: tuple[Global, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    arrays: list[RawArray] = field(default_factory=list)
    buffers: list[Piece] = field(default_factory=list)
    protocol: int = 0
    opcodes: int = 0
    joblib: bool = False
    complete: bool = False
    end: int = 0


def walk(
    source: Source,
    budget: Optional[Budget] = None,
    offset: int = 0,
    streams: Optional[int] = None,
    persistent: Optional[Callable[[Value], Value]] = None,
) -> Walk:
    """Walk every pickle from `offset` to the end of the file, or just so many `streams` of a format that has others.

    `persistent` is what the format knows of persistent ids, see PickleMachine. Raises OSError; all else is a finding of
    the result.
    """
    walker = _Walker(source, budget or Budget(), offset)
    return walker.walk(streams, persistent)


class _Walker:
    def __init__(self, source: Source, budget: Budget, offset: int) -> None:
        self._result = Walk()
        self._names = Names()
        self._arrays = self._result.arrays
        self._budget = budget
        self._first = offset
        self._starts: list[int] = []
        machine = BufferMachine if isinstance(source, Freezing) else PickleMachine
        self._machine = machine(source, budget, self._result.findings, self._names, self._span)

    def _span(self, machine: PickleMachine, wrapper: Instance) -> RawArray:
        array = read_span(machine, wrapper)
        if machine.findings is self._result.findings:
            self._arrays.append(array)
        return array

    def walk(self, streams: Optional[int], persistent: Optional[Callable[[Value], Value]]) -> Walk:
        """See the function of this name."""
        result, machine = self._result, self._machine
        machine.persistent = persistent
        try:
            result.complete = self._streams(streams) and all(each.code != "limit" for each in result.findings)
        except Stopped as stop:
            result.findings.append(finding(stop.code, str(stop), stop.offset))
            if stop.code != "raw-span" and machine.lost_wrapper():
                machine.report("raw-span", "an array's wrapper is used for something else")
            if stop.code == "raw-span":
                self._tell_names(machine.resume)
        if isinstance(machine, BufferMachine):
            result.buffers = machine.buffers
        result.joblib = bool(self._arrays) or any(
            known.role.endswith("wrapper") for known in self._names.found.values()
        )
        result.protocol = machine.protocol
        result.opcodes = self._budget.spent
        result.globals = tuple(self._names.found.values())
        result.names = tuple(self._use(known) for known in result.globals)
        result.end = min(machine.offset, machine.size)
        result.regions = self._regions(result.end)
        return result

    def _streams(self, wanted: Optional[int]) -> bool:
        machine, roots = self._machine, self._result.roots
        offset, size = self._first, self._machine.size
        while True:
            self._starts.append(offset)
            roots.append(machine.run(offset))
            offset = machine.offset
            if machine.abandoned is not None:
                self._tell_names(partial(self._follow, [machine.abandoned]))
            if len(roots) == wanted:
                return True
            if offset >= size:
                break
            if not looks_like_pickle(machine.source.read(offset, 4096)):
                machine.report("trailing-bytes", f"{size - offset} bytes follow the end of the pickle", offset)
                self._tell_names(partial(self._follow, [offset]))
                return False
            if len(roots) >= _MAX_STREAMS:
                raise Stopped("limit", f"more than {_MAX_STREAMS} pickles", offset)
        if len(roots) > 1:
            machine.report("several-pickles", f"{len(roots)} pickles follow each other", self._first)
        return True

    def _use(self, known: Global) -> NameUse:
        place = f"pickle {bisect_right(self._starts, known.offset)}" if len(self._starts) > 1 else ""
        arguments = literal_words(known.arguments) if known.called else None
        resolved = known.role in COUNTED and known.called and known.uses == 0
        return NameUse(known.module, known.name, known.offset, known.called, arguments, place, resolved)

    def _tell_names(self, go_on: Callable[[], object]) -> None:
        """Go on where nothing can be trusted any more, only for the names that an unpickler might still ask for."""
        machine = self._machine
        findings, offset, machine.findings = machine.findings, machine.offset, []
        protocol = machine.protocol
        with contextlib.suppress(Stopped):
            go_on()
        machine.findings, machine.protocol = findings, protocol
        machine.seek(offset)

    def _follow(self, starts: list[int]) -> None:
        """Run whatever streams start there and wherever an unpickler would go on after them."""
        machine, seen = self._machine, set()
        while starts:
            offset = starts.pop()
            if offset in seen or offset >= machine.size:
                continue
            seen.add(offset)
            with contextlib.suppress(Stopped):
                machine.run(offset)
                starts.append(machine.offset)
                if machine.abandoned is not None:
                    starts.append(machine.abandoned)

    def _regions(self, end: int) -> list[Region]:
        regions, offset = [], self._first
        for array in self._arrays:
            if array.objects is not None or array.dtype.objects:
                continue
            if array.offset > offset:
                regions.append(Region(offset, array.offset - offset))
            regions.append(Region(array.offset, array.length, array))
            offset = array.offset + array.length
        if end > offset:
            regions.append(Region(offset, end - offset))
        return regions
