"""The static walk of a pickle or joblib file: every stream, every name, every array, every oddity; nothing is run."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Callable, Optional

from backends.core.compression import decompressed
from backends.core.errors import Unsupported
from backends.core.findings import KINDS, finding
from backends.core.format import HEAD
from backends.core.frozen import Freezing
from backends.core.inspection import Finding, GlobalRef
from backends.core.load_plan import Piece
from backends.core.source import Part, Source
from backends.formats.pickle.buffers import BufferMachine
from backends.formats.pickle.fork import follow, names_behind, persist
from backends.formats.pickle.heads import looks_like_nested_pickle, looks_like_pickle, may_be_pickle, may_hold_pickle
from backends.formats.pickle.joblib_spans import read_span
from backends.formats.pickle.literals import NESTED_HEAD
from backends.formats.pickle.machine import PickleMachine
from backends.formats.pickle.names import COUNTED, Names
from backends.formats.pickle.probe import is_likely_module, names_something
from backends.formats.pickle.reader import Budget, Stopped
from backends.formats.pickle.values import Global, Instance, RawArray, Value, literal_words

_MAX_STREAMS = 1000
_MAX_DEPTH = 5
_MAX_OPENED = 256 << 20
_DEEP = 1000


@dataclass(frozen=True)
class Region:
    """A stretch of the file, in bytes: opcodes that can name or call something, or the raw numbers of an array."""

    offset: int
    length: int
    array: Optional[RawArray] = None


@dataclass
class Walk:
    """Result of the walk of one file.

    `roots` has the abstract root of each complete stream. `joblib` is true when arrays stand between the opcodes.
    `regions` tile the bytes that were walked, in order, and `arrays` are those between the opcodes, `buffers`
    (of a file that is being frozen) the byte strings that hold an array's numbers; `complete` is true
    when the regions are the whole file and no budget ran out. `end` is where the last byte that was walked ends.
    """

    roots: list[Value] = field(default_factory=list)
    names: tuple[GlobalRef, ...] = ()
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
    depth: int = 0,
) -> Walk:
    """Walk every pickle from `offset` to the end of the file, or just so many `streams` of a format that has others.

    `persistent` is what the format knows of persistent ids, see PickleMachine. The bytes in it that are pickles
    themselves are walked as well; `depth` says inside how many others this one is. Raises OSError; all else is a
    finding of the result.
    """
    walker = _Walker(source, budget or Budget(), offset)
    result = walker.walk(streams, persistent)
    for inner in walker.inner:
        _join(result, inner, walker.budget, depth)
    return result


def walk_inside(source: Source, place: str, budget: Optional[Budget] = None, depth: int = 0) -> Optional[Walk]:
    """The walk of bytes that stand inside something else, as `place` says, if they are a pickle: leniently, and opened
    where they are compressed. None where they are none.

    Its findings are those of a file of its own but for what is merely broken; `place` is that of its names. Raises
    OSError.
    """
    budget = budget or Budget()
    try:
        with decompressed(source, _MAX_OPENED) as opened:
            inner = opened.source
            if not (looks_like_nested_pickle(inner.read(0, HEAD)) or names_something(inner, budget)):
                return None
            if depth >= _MAX_DEPTH:
                return Walk(findings=[finding("limit", f"{place} is a pickle inside {depth} others", 0)])
            result = walk(inner, budget, depth=depth + 1)
    except Unsupported:
        return None
    told = [each for each in result.findings if KINDS[each.code] not in ("damaged", "note")]
    result.findings = [Finding(each.code, f"{place}: {each.detail}", each.offset) for each in told]
    result.names = tuple(replace(use, place=f"{place}, {use.place}" if use.place else place) for use in result.names)
    return result


def _join(result: Walk, inner: Source, budget: Budget, depth: int) -> None:
    """Add to a walk what the bytes inside it hold."""
    at = inner.start if isinstance(inner, Part) else None
    place = "bytes inside" if at is None else f"bytes at {at}"
    found = walk_inside(inner, place, budget, depth)
    if found is None:
        return
    if len(result.findings) < budget.findings:
        result.findings.append(finding("nested-pickle", f"{inner.size} bytes that are a pickle themselves", at or 0))
        result.findings.extend(replace(each, offset=at or 0) for each in found.findings)
    result.names += found.names
    result.complete = result.complete and all(each.code != "limit" for each in found.findings)


def _may_matter(known: Global) -> bool:
    """Whether a name that only an unpickler which knows of no raw arrays reaches could be somebody's intent.

    In an honest array of objects, which is a pickle inside joblib's, such an unpickler mixes up the two memos, and
    takes numpy's `dtype` from a module of the outer one.
    """
    return known.name != "dtype" and is_likely_module(known.module)


class _Walker:
    def __init__(self, source: Source, budget: Budget, offset: int) -> None:
        self._result = Walk()
        self._names = Names()
        self._arrays = self._result.arrays
        self.budget = budget
        self._first = offset
        self._starts: list[int] = []
        self._behind: list[Global] = []
        machine = BufferMachine if isinstance(source, Freezing) else PickleMachine
        self._machine = machine(source, budget, self._result.findings, self._names, self._span)

    @property
    def inner(self) -> list[Source]:
        """The bytes met on the way that could be a pickle themselves."""
        return self._machine.inner

    def _span(self, machine: PickleMachine, wrapper: Instance) -> RawArray:
        head = machine.head(machine.position, HEAD) if not self._arrays else b""
        if head and may_be_pickle(head, machine.size - machine.offset, _DEEP):
            self._behind = [known for known in names_behind(machine, []) if _may_matter(known)]
        array = read_span(machine, wrapper)
        if machine.findings is self._result.findings:
            self._arrays.append(array)
        is_bytes = array.objects is None and (array.dtype.itemsize == 1 or array.dtype.kind in "SV")
        if is_bytes and may_hold_pickle(machine.source.read(array.offset, NESTED_HEAD), array.length):
            machine.inner.append(Part(machine.source, array.offset, array.length))
        return array

    def _add_names_behind(self) -> None:
        """Add what unpicklers other than joblib's name where it reads an array's bytes, and nobody else."""
        for known in self._behind:
            if (known.module, known.name) not in self._names.found:
                self._names.get(known.module, known.name, known.offset)
                detail = f"an array whose bytes name {known} for other unpicklers than joblib's"
                self._machine.report("raw-span", detail, known.offset)

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
            if stop.resumable:
                if stop.code == "raw-span":
                    behind: list[Finding] = []
                    self._behind += names_behind(machine, behind)
                    self._tell_numbers(behind)
                self._tell_names(machine.resume)
        self._add_names_behind()
        if isinstance(machine, BufferMachine):
            result.buffers = machine.buffers
        result.joblib = bool(self._arrays) or any(
            known.role.endswith("wrapper") for known in self._names.found.values()
        )
        result.protocol = machine.protocol
        result.opcodes = self.budget.spent
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
                self._tell_names(partial(follow, machine, [machine.abandoned]))
            if len(roots) == wanted:
                return True
            if offset >= size:
                break
            if not looks_like_pickle(machine.source.read(offset, HEAD)):
                machine.report("trailing-bytes", f"{size - offset} bytes follow the end of the pickle", offset)
                self._tell_names(partial(follow, machine, [offset]))
                return False
            if len(roots) >= _MAX_STREAMS:
                raise Stopped("limit", f"more than {_MAX_STREAMS} pickles", offset)
        if len(roots) > 1:
            machine.report("several-pickles", f"{len(roots)} pickles follow each other", self._first)
        return True

    def _use(self, known: Global) -> GlobalRef:
        place = f"pickle {bisect_right(self._starts, known.offset)}" if len(self._starts) > 1 else ""
        arguments = literal_words(known.arguments) if known.called else None
        resolved = known.role in COUNTED and known.called and known.uses == 0
        resolved = resolved or self._machine.held.are_read(known)
        return GlobalRef(known.module, known.name, known.offset, known.called, arguments, place, resolved)

    def _tell_names(self, go_on: Callable[[], object]) -> None:
        """Go on where nothing can be trusted any more, only for the names that an unpickler might still ask for, and
        for the numbers that stand for names."""
        machine = self._machine
        findings, offset, machine.findings = machine.findings, machine.offset, []
        protocol = machine.protocol
        with contextlib.suppress(Stopped):
            persist(machine, go_on)
        told, machine.findings, machine.protocol = machine.findings, findings, protocol
        self._tell_numbers(told)
        machine.seek(offset)

    def _tell_numbers(self, told: list[Finding]) -> None:
        """Of what was found where only names count, keep the numbers that stand for names."""
        for each in told:
            if each.code == "extension-registry":
                self._machine.report(each.code, each.detail, each.offset)

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
