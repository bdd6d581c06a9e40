"""Bytes before and behind those that an HDF5 file calls its own; other readers may find a file there.

Format: the superblock of the HDF5 File Format Specification 3.0, II.A: it starts at byte 0, 512, 1024, … and gives the
base address and the end of the file.
"""

from __future__ import annotations

from dataclasses import replace

from backends.core.findings import finding
from backends.core.inspection import Finding, Inspection
from backends.core.source import Source
from backends.formats.pickle.heads import looks_like_pickle

_MAGIC = b"\x89HDF\r\n\x1a\n"
_PLACES = (0, 512, 1024, 2048)
_BASE_AT = {0: 24, 1: 28, 2: 12, 3: 12}
"""Version of the superblock to where its base address stands; the end of the file is two addresses further."""
_LOOK = 1 << 16
_MOST = 16 << 20


def surrounded(source: Source, inspection: Inspection) -> Inspection:
    """The inspection of an HDF5 file with what stands before and behind it. Raises OSError."""
    return replace(inspection, findings=(*inspection.findings, *surroundings(source)))


def surroundings(source: Source) -> list[Finding]:
    """A user block that holds something, and bytes behind the end that the superblock gives. Raises OSError."""
    start = next((place for place in _PLACES if source.read(place, 8) == _MAGIC), None)
    if start is None:
        return []
    found = []
    block = source.read(0, start)
    if block.strip(b"\0"):
        both = looks_like_pickle(block) or block.startswith((b"PK\x03\x04", b"\x93NUMPY"))
        detail = f"{start} bytes stand before the HDF5 file{' and can be read as another model' if both else ''}"
        found.append(finding("polyglot" if both else "trailing-bytes", detail, 0))
    head = source.read(start, 64)
    at = _BASE_AT.get(head[8])
    if at is None or head[13 if head[8] < 2 else 9] != 8:
        return found
    base, end = (int.from_bytes(head[place : place + 8], "little") for place in (at, at + 16))
    end = base + end if base and source.size == base + end else end
    if _holds_something(source, end):
        found.append(finding("trailing-bytes", f"{source.size - end} bytes follow the end of the HDF5 file", end))
    return found


def _holds_something(source: Source, start: int) -> bool:
    """Whether a byte that is not zero stands from here on, as far as zeros are worth reading."""
    for offset in range(start, min(source.size, start + _MOST), _LOOK):
        if source.read(offset, _LOOK).strip(b"\0"):
            return True
    return source.size > start + _MOST
