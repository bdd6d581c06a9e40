"""numpy's own files: one array (`.npy`) or an archive of them (`.npz`), inspected without numpy.

They hold data, no model; an array of Python objects is a pickle and is walked as one.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field, replace
from typing import Optional

from backends.core.compression import MAX_BYTES, Opened, decompressed
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding, GlobalRef, Inspection, Json, ModelEntry
from backends.core.source import MemorySource, Source
from backends.core.zip_inside import inspect_members
from backends.core.zip_rules import check_contents, check_members, open_zip, read_member
from backends.formats.npy.header import HEAD, MAGIC, NpyHeader, parse_header
from backends.formats.pickle.estimators import Facts, read_facts
from backends.formats.pickle.walk import Walk, walk

_MAX_MEMBERS = 10_000
_MAX_OBJECTS = 256 << 20
_FAR = 1 << 20


@dataclass
class _Found:
    """Sum of the arrays of one file."""

    arrays: list[ArrayInfo] = field(default_factory=list)
    names: list[GlobalRef] = field(default_factory=list)
    models: list[ModelEntry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    details: dict[str, Json] = field(default_factory=dict)
    n_weights: int = 0
    complete: bool = True

    def report(self, code: str, detail: str, offset: Optional[int] = None) -> None:
        self.findings.append(finding(code, detail, offset))
        self.complete = False

    def add(self, name: str, header: NpyHeader) -> None:
        self.arrays.append(ArrayInfo(name, header.shape, header.dtype.text, header.nbytes))
        if header.dtype.itemsize:
            self.n_weights += header.dtype.numbers * (header.nbytes // header.dtype.itemsize)

    def add_pickle(self, walked: Walk, facts: Facts, name: str, offset: int) -> None:
        self.findings.append(finding("object-array", f"{name or 'the array'} holds Python objects: a pickle", offset))
        self.findings.extend((*walked.findings, *facts.findings))
        self.names.extend(replace(use, place=f"member {name}") if name else use for use in walked.names)
        self.models.extend(facts.models)
        self.arrays.extend(facts.arrays)
        self.n_weights += facts.n_weights
        self.complete = self.complete and walked.complete

    def inspection(self, format_name: str, opened: Opened) -> Inspection:
        return Inspection(
            format=format_name,
            compression=opened.compression,
            names=tuple(self.names),
            models=tuple(self.models),
            model_class=self.models[0].class_name if self.models else None,
            arrays=tuple(self.arrays),
            n_weights=self.n_weights,
            complete=self.complete and opened.complete,
            loadable=False,
            findings=(*opened.findings, *self.findings),
            details=self.details,
        )


def _check_size(found: _Found, header: NpyHeader, size: int, name: str) -> None:
    """Compare what a header announces with the bytes there are; `size` counts header and data."""
    have, need = size - header.offset, header.nbytes
    what = name or "the array"
    if need > have + _FAR:
        found.report("array-size", f"{what} announces {need} bytes of data where there are {have}", header.offset)
    elif need > have:
        found.report("truncated", f"cut off: {what} needs {need} bytes of data and there are {have}", header.offset)
    elif need < have:
        found.report("trailing-bytes", f"{have - need} bytes follow the data of {what}", header.offset + need)


class _Npy:
    """One array in a file."""

    def inspect(self, source: Source) -> Inspection:
        """Shape, dtype and size, and what an array of objects holds. Raises Damaged, Unsupported, OSError."""
        with decompressed(source) as opened:
            inner, found = opened.source, _Found()
            header = parse_header(inner.read(0, HEAD))
            if header.dtype.objects:
                walked = walk(inner, offset=header.offset)
                found.add_pickle(walked, read_facts(walked.roots), "", header.offset)
            else:
                _check_size(found, header, inner.size, "")
                found.add("", header)
            found.details["shape"] = list(header.shape)
            return found.inspection("npy", opened)


class _Npz:
    """Several arrays in a zip archive."""

    def sniff(self, head: bytes, source: Source) -> bool:
        """Whether the archive holds numpy files: by its directory, by its first member inside a compression."""
        if not head.startswith(b"PK\x03\x04"):
            return False
        first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
        if first.endswith(b".npy") or source.read(0, 4) != head[:4]:
            return first.endswith(b".npy")
        try:
            with open_zip(source) as archive:
                return any(name.endswith(".npy") for name in archive.namelist())
        except Damaged:
            return b".npy" in head

    def inspect(self, source: Source) -> Inspection:
        """Every array of the archive. Raises Damaged, Unsupported, OSError."""
        with decompressed(source) as opened, open_zip(opened.source) as archive:
            found = _Found(findings=[*check_members(opened.source, archive), *check_contents(archive)])
            found.complete = not found.findings
            infos = archive.infolist()
            if len(infos) > _MAX_MEMBERS:
                found.report("limit", f"{len(infos)} members; the first {_MAX_MEMBERS} were read", 0)
            refused = {each.offset for each in found.findings}
            read = [info for info in infos[:_MAX_MEMBERS] if info.header_offset not in refused]
            others = [info for info in read if not _member(found, archive, info)]
            inside = inspect_members(opened.source, archive, others)
            found.names.extend(inside.names)
            found.findings.extend(inside.findings)
            return found.inspection("npz", opened)


def _member(found: _Found, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Add what a member holds; False where it is no array."""
    name = info.filename[:-4] if info.filename.endswith(".npy") else info.filename
    try:
        head = read_member(archive, info, HEAD)
        if not head.startswith(MAGIC):
            others = found.details.setdefault("other_members", [])
            if isinstance(others, list):
                others.append(info.filename[:200])
            found.report("unread-member", f"the member {info.filename[:200]!r} is no array", info.header_offset)
            return False
        header = parse_header(head)
        if header.dtype.objects:
            _objects(found, archive, info, header, name)
        else:
            _check_size(found, header, info.file_size, name)
            found.add(name, header)
    except Damaged as error:
        found.report("array-header", f"{name}: {error}", info.header_offset)
    return True


def _objects(found: _Found, archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: NpyHeader, name: str) -> None:
    """Walk the pickle inside a member."""
    limit = min(_MAX_OBJECTS, MAX_BYTES)
    if info.file_size > limit:
        found.report("limit", f"{name}: {info.file_size} bytes of Python objects were not read", info.header_offset)
        return
    walked = walk(MemorySource(read_member(archive, info, limit), name), offset=header.offset)
    found.add_pickle(walked, read_facts(walked.roots), name, info.header_offset)


NPY, NPZ = _Npy(), _Npz()
