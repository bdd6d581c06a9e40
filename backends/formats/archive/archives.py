"""Archives of files, be they in a compression: every member is looked at, and what is a model is inspected as one.

An archive is shown and judged by what is in it; it is not loaded. Members are told by their bytes, never by their name,
and archives in archives are opened up to a depth. What cannot be looked at is a finding, so that the archive is not
safe; one that holds no model, and hides none, is unsupported like any other file without one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from backends.core import compression as compressions
from backends.core import registry
from backends.core.containers import container
from backends.core.errors import Damaged, Foreign, Unopened, Unsupported
from backends.core.findings import finding
from backends.core.format import HEAD
from backends.core.inspection import ArrayInfo, Finding, GlobalRef, Inspection, Json, ModelEntry
from backends.core.source import Source
from backends.core.zip_rules import check_members, open_zip
from backends.formats.archive import members as archive_members
from backends.formats.archive.members import Member

MAX_DEPTH = 4
"""Archives in archives that are opened; deeper ones are told as not opened."""
MAX_MEMBERS = 100_000
MAX_SECONDS = 15.0
MAX_UNPACKED = 1 << 30
"""Bytes in memory that one member may open to."""
MAX_TOGETHER = 4 << 30
_MAX_DIRECTORY = 64 << 20
_CHECKED = 64 << 20
"""Members up to this size have their checksum compared."""
_EACH = 20
"""Places at which one name is told, and findings of one kind."""
_LISTED = 1000
_OLD_TORCH = "; PyTorch before 0.1.10 wrote such: load it with a PyTorch of its time and save it again"
_LIES = ("member-mismatch",)
_GAPS = ("trailing-bytes", "prefix-data")
"""Findings of bytes that belong to no member: of weight where a member or a model could stand in them."""


@dataclass
class _Work:
    """Limits of members, bytes and time for one file, with all archives in it."""

    members: int = 0
    unpacked: int = 0
    depth: int = 0
    deadline: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def bounds(self, taken: int, written: int) -> Optional[str]:
        """Why what opens to so many bytes is not opened any further."""
        limit = max(0, min(MAX_UNPACKED, MAX_TOGETHER - self.unpacked))
        if written > limit:
            return f"it opens to more than {limit >> 20} MiB"
        if written > compressions.FREE_BYTES and written > compressions.MAX_RATIO * taken:
            return f"it opens from {taken:,} bytes to more than {written:,}"
        if time.monotonic() > self.deadline:
            return f"the time of {MAX_SECONDS:g} seconds for one file was over"
        return None

    def over(self) -> Optional[str]:
        """Why no more members are looked at."""
        if self.members >= MAX_MEMBERS:
            return f"only the first {MAX_MEMBERS:,} members were looked at"
        if time.monotonic() > self.deadline:
            return f"only {self.members:,} members were looked at in {MAX_SECONDS:g} seconds"
        return None


_WORK: ContextVar[Optional[_Work]] = ContextVar("work", default=None)


def inspect(source: Source) -> Inspection:
    """Facts of the models in it. Raises Unsupported where there is none, Unopened, Damaged, OSError."""
    work = _WORK.get() or _Work()
    if work.depth >= MAX_DEPTH:
        raise Unopened(f"an archive that is {work.depth} archives deep")
    token = _WORK.set(work)
    work.depth += 1
    try:
        compression = compressions.compression_of(source.read(0, 16))
        if compression is None:
            return _look(source, _Found(source.name, work))
        with archive_members.opened_stream(source, compression, work.bounds) as (inner, problem):
            work.unpacked += inner.size
            found = _Found(source.name, work, compression)
            if problem:
                found.report(problem.code, problem.detail, problem.offset)
            return _look(inner, found)
    finally:
        work.depth -= 1
        _WORK.reset(token)


@dataclass
class _Found:
    """Sum of the members of one archive. `inspected` are those that hold a model, with their format."""

    archive: str
    work: _Work
    compression: Optional[str] = None
    members: int = 0
    inspected: list[tuple[str, str]] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    names: list[GlobalRef] = field(default_factory=list)
    models: list[ModelEntry] = field(default_factory=list)
    arrays: list[ArrayInfo] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    n_weights: int = 0
    complete: bool = True
    old_torch: bool = False
    told: Counter[Any] = field(default_factory=Counter)

    def report(self, code: str, detail: str, offset: Optional[int] = None) -> None:
        """A finding that leaves the archive incomplete."""
        self.complete = False
        self.tell(finding(code, detail, offset))

    def unopened(self, detail: str, offset: Optional[int] = None) -> None:
        """Something was not looked at."""
        self.report("unopened", detail, offset)

    def tell(self, found: Finding) -> None:
        """Keep a finding; of one kind the first few stand for all."""
        self.told[found.code] += 1
        if self.told[found.code] <= _EACH:
            self.findings.append(found)

    def add(self, member: Member, inspection: Inspection) -> None:
        """Take over what a member holds, with its place in front of it."""
        place = f"{self.archive}!{member.name}"
        inner = inspection.format == "archive"
        self.inspected.append((member.name, inspection.format))
        for use in inspection.names:
            self.told[use.module, use.name, use.called] += 1
            if self.told[use.module, use.name, use.called] <= _EACH:
                at = f"{self.archive}!{use.place}" if inner else f"{place}, {use.place}" if use.place else place
                self.names.append(replace(use, place=at))
        for each in inspection.findings:
            self.tell(replace(each, detail=f"{self.archive}!{each.detail}" if inner else f"{place}: {each.detail}"))
        room = _LISTED - len(self.models)
        for model in inspection.models[:room]:
            self.models.append(replace(model, at=f"{member.name}!{model.at}" if model.at else member.name))
        room = _LISTED - len(self.arrays)
        self.arrays.extend(replace(each, name=f"{member.name}!{each.name}") for each in inspection.arrays[:room])
        self.versions = {**inspection.library_versions, **self.versions}
        self.n_weights += inspection.n_weights or 0
        self.complete = self.complete and inspection.complete

    def inspection(self, kind: str) -> Inspection:
        """The facts. Raises Unsupported where there is no model and nothing to tell, Foreign."""
        if not self.inspected and not self.findings:
            if self.foreign:
                raise Foreign(f"{self.archive}!{self.foreign[0]}")
            told = f"no model in this {kind} archive: all of its members were looked at ({self.members:,})"
            raise Unsupported(told + _OLD_TORCH if self.old_torch else told)
        for each in self.foreign:
            self.unopened(f"{self.archive}!{each}")
        listed: list[Json] = [{"member": name, "format": form} for name, form in self.inspected[:_LISTED]]
        counts: dict[str, Json] = {str(code): count for code, count in self.told.items() if isinstance(code, str)}
        return Inspection(
            format="archive",
            compression=self.compression,
            model_class=next((model.class_name for model in self.models), None),
            names=tuple(self.names),
            library_versions=self.versions,
            models=tuple(self.models),
            arrays=tuple(self.arrays),
            n_weights=self.n_weights if self.inspected else None,
            complete=self.complete,
            loadable=False,
            findings=tuple(self.findings),
            details={"container": kind, "members": self.members, "holds": listed, "found": counts},
        )


def _look(source: Source, found: _Found) -> Inspection:
    kind = container(source.read(0, HEAD)) or "zip"
    if kind == "zip":
        with open_zip(source, _MAX_DIRECTORY) as archive:
            _look_at_all(archive_members.zip_members(source, archive), found)
            for each in [] if found.work.over() else check_members(source, archive):
                _weigh(source, each, found)
        return found.inspection(kind)
    members = archive_members.tar_members if kind == "tar" else archive_members.ar_members
    try:
        _look_at_all(members(source), found)
    except Damaged as error:
        if found.complete:
            found.report("truncated", str(error), error.offset)
    return found.inspection(kind)


def _weigh(source: Source, each: Finding, found: _Found) -> None:
    """A broken rule of zip archives: what only odd programs write is told of an archive with models alone."""
    if each.code == "decompression-bomb":
        found.unopened(each.detail, each.offset)
    elif each.code == "encrypted-member":
        return
    elif each.code in _GAPS and _hides(source.read(each.offset or 0, HEAD)):
        found.report("member-mismatch", f"{each.detail}, and a file starts there", each.offset)
    elif found.inspected or each.code in _LIES:
        found.complete = False
        found.tell(each)


def _hides(data: bytes) -> bool:
    """Whether bytes that belong to no member are one all the same."""
    return data.startswith(b"PK\x03\x04") or registry.may_hold_model(data)


def _look_at_all(members: Iterator[Member], found: _Found) -> None:
    for member in members:
        over = found.work.over()
        if over is not None:
            found.unopened(over)
            break
        found.work.members += 1
        found.members += 1
        found.old_torch = found.old_torch or member.name == "sys_info"
        _look_at(member, found)


def _look_at(member: Member, found: _Found) -> None:
    shown = f"{found.archive}!{member.name}"
    try:
        if member.encrypted:
            _look_behind_mark(member, found)
            return
        if member.packed.size and registry.is_worth_opening(member.head(HEAD), member.size):
            _inspect(member, found)
    except Foreign as error:
        found.foreign.append(f"{member.name}: {error}")
    except Unopened as error:
        found.unopened(f"{shown} was not looked at: {error}", member.offset)
    except Damaged as error:
        found.report("malformed", f"{shown}: {error}", member.offset)


def _look_behind_mark(member: Member, found: _Found) -> None:
    """A member that takes a key to be read; where its checksum says otherwise, the mark is there to keep it unseen."""
    if member.size > _CHECKED or not member.has_checksum():
        raise Unopened("it is encrypted")
    found.report("encrypted-member", f"{found.archive}!{member.name} is marked as encrypted and is not", member.offset)
    if registry.is_worth_opening(member.head(HEAD), member.size):
        _inspect(member, found)


def _inspect(member: Member, found: _Found) -> None:
    """Inspect a member that may be a model; nothing is told of one that is none."""
    with member.opened(found.work.bounds) as inner:
        if inner is not member.packed:
            found.work.unpacked += inner.size
        try:
            inspection = registry.inspect(inner)
        except Unsupported as error:
            if type(error) is not Unsupported:
                raise
            return
        found.add(member, inspection)
    if member.size <= _CHECKED and not member.has_checksum():
        found.report("member-mismatch", f"{found.archive}!{member.name} does not have its checksum", member.offset)
