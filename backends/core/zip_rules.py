"""Rules of an honest zip archive; two readers that disagree on an archive are how payloads hide.

Format: PKWARE APPNOTE 6.3.10. The directory is read by zipfile; members are compared with it and nothing is extracted.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib

from backends.core.compression import FREE_BYTES, MAX_RATIO
from backends.core.containers import TAIL
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import Finding
from backends.core.source import MemorySource, Part, Source

_MAX_DIRECTORY = 16 << 20
_MAX_UNPACKED = 1 << 30
_MAX_CHECKED = 64 << 20
"""Members up to this size have their checksum compared."""
_PIECE = 1 << 20
_ENCRYPTED = 0x1
_LOCAL = struct.Struct("<4s5H3I2H")
_RECORD_32 = struct.Struct("<4s4H2IH")
_RECORD_64 = struct.Struct("<4sQ2H2I4Q")
_FIELDS = (0x0001, 0x000A, 0x4246, 0x5455, 0x5855, 0x7855, 0x7875)
"""Kinds of extra fields (APPNOTE 4.5, Info-ZIP's extrafld.txt): zip64, NTFS times, PyTorch's padding, Unix."""
_DESCRIPTORS = (12, 16, 20, 24)
"""Sizes of what follows a member that was written as a stream."""


def open_zip(source: Source, most: int = _MAX_DIRECTORY) -> zipfile.ZipFile:
    """The archive's directory. Raises Damaged (no directory, or one too large to be honest)."""
    at, record = _end_record(source)
    if not record:
        raise Damaged("the archive has no directory: it is cut off", offset=source.size)
    if int.from_bytes(record[12:16], "little") > most:
        raise Damaged("the archive's directory is larger than any model needs", offset=at)
    try:
        return zipfile.ZipFile(source.file())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, UnicodeDecodeError) as error:
        raise Damaged(f"the archive's directory is not valid: {error}", offset=at) from None


def _end_record(source: Source) -> tuple[int, bytes]:
    """Where the record at the end of the directory stands, and the bytes from there on; none where there is none."""
    tail_at = max(0, source.size - TAIL)
    tail = source.read(tail_at, TAIL)
    end = tail.rfind(b"PK\x05\x06")
    return (tail_at + end, tail[end:]) if 0 <= end <= len(tail) - 22 else (source.size, b"")


def check_members(source: Source, archive: zipfile.ZipFile) -> list[Finding]:
    """Every rule an archive breaks: names, links, encryption, prefix, bombs, a directory that lies of its members."""
    found: list[Finding] = []
    seen: set[str] = set()
    infos = archive.infolist()
    first = min((info.header_offset for info in infos), default=0)
    if first > 0 or (infos and source.read(0, 4) != b"PK\x03\x04"):
        found.append(finding("prefix-data", f"{first} bytes stand before the first member", 0))
    found.extend(_directory(source))
    found.extend(_overlaps(infos))
    found.extend(_beside(source, archive))
    for info in infos:
        shown = info.filename[:200]
        if info.filename in seen:
            found.append(finding("duplicate-member", f"two members are called {shown!r}", info.header_offset))
        seen.add(info.filename)
        if _leads_out(info):
            found.append(finding("unsafe-path", f"the member {shown!r} leads out of the archive", info.header_offset))
        if info.flag_bits & _ENCRYPTED:
            found.append(finding("encrypted-member", f"{shown!r} is marked as encrypted", info.header_offset))
        if info.file_size > max(FREE_BYTES, MAX_RATIO * max(1, info.compress_size)):
            detail = f"the member {shown!r} opens from {info.compress_size} to {info.file_size} bytes"
            found.append(finding("decompression-bomb", detail, info.header_offset))
        found.extend(_compare(source, info))
    return found


def check_contents(archive: zipfile.ZipFile) -> list[Finding]:
    """Members whose bytes do not have the checksum that the directory gives."""
    infos = [info for info in archive.infolist() if info.file_size <= _MAX_CHECKED and not info.flag_bits & _ENCRYPTED]
    found = []
    for info in infos:
        if _wrong(archive, info):
            detail = f"the member {info.filename[:200]!r} does not have its checksum"
            found.append(finding("member-mismatch", detail, info.header_offset))
    return found


def _wrong(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Whether a member cannot be read or has another checksum, which its last piece tells."""
    try:
        with archive.open(info) as member:
            while member.read(_PIECE):
                pass
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError, zlib.error):
        return True
    return False


def _directory(source: Source) -> list[Finding]:
    """Findings on bytes behind the directory, and on whether its two forms (of 32 and of 64 bits) say the same."""
    at, end = _end_record(source)
    if not end:
        return []
    found = []
    rest = len(end) - 22 - int.from_bytes(end[20:22], "little")
    if rest:
        found.append(finding("trailing-bytes", f"{rest} bytes follow the archive's directory", at + 22))
    locator = source.read(at - 20, 20)
    if locator[:4] == b"PK\x06\x07":
        record = source.read(int.from_bytes(locator[8:16], "little"), _RECORD_64.size)
        small = _RECORD_32.unpack_from(end)
        large = _RECORD_64.unpack(record) if len(record) == _RECORD_64.size else (b"",)
        if large[0] != b"PK\x06\x06" or not _agree(small[4:7], large[7:10]):
            found.append(finding("member-mismatch", "the archive's two directory records disagree", at))
    return found


def _agree(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Entries, size and offset: the short record may leave each to the long one by all bits set."""
    return all(each in (other, limit) for each, other, limit in zip(small, large, (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)))


def _overlaps(infos: list[zipfile.ZipInfo]) -> list[Finding]:
    """Members that share bytes: how a small archive unpacks to anything, and how two readers see two files."""
    placed = sorted(infos, key=lambda info: info.header_offset)
    for info, following in zip(placed, placed[1:]):
        if info.header_offset + _LOCAL.size + info.compress_size > following.header_offset:
            detail = f"the members {info.filename[:100]!r} and {following.filename[:100]!r} share bytes"
            return [finding("member-mismatch", detail, following.header_offset)]
    return []


def _beside(source: Source, archive: zipfile.ZipFile) -> list[Finding]:
    """Bytes that belong to no member: comments, fields of unknown kinds, and what stands between members."""
    found = []
    if archive.comment:
        detail = f"the archive has a comment of {len(archive.comment)} bytes"
        found.append(finding("trailing-bytes", detail, max(0, source.size - len(archive.comment))))
    placed = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [info.header_offset for info in placed[1:]] + [archive.start_dir]
    for info, following in zip(placed, starts):
        shown, at = repr(info.filename[:200]), info.header_offset
        header = source.read(at, _LOCAL.size)
        if len(header) < _LOCAL.size:
            continue
        name_length, extra_length = _LOCAL.unpack(header)[-2:]
        fields = at + _LOCAL.size + name_length
        if info.comment or not all(map(_fields_known, (info.extra, source.read(fields, extra_length)))):
            found.append(finding("trailing-bytes", f"the member {shown} has a comment or a field of its own", fields))
        end = fields + extra_length + info.compress_size
        if following < end:
            found.append(finding("member-mismatch", f"the member {shown} reaches into what follows it", at))
        elif following > end and not (info.flag_bits & 0x8 and following - end in _DESCRIPTORS):
            detail = f"{following - end} bytes behind the member {shown} belong to nothing"
            found.append(finding("trailing-bytes", detail, end))
    return found


def _fields_known(extra: bytes) -> bool:
    """Whether an extra field holds only sizes, times, owners and the padding that PyTorch writes."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind not in _FIELDS:
            return False
        at += 4 + length
    return at == len(extra) or not extra[at:].strip(b"\0")


def _leads_out(info: zipfile.ZipInfo) -> bool:
    name = info.orig_filename
    parts = name.replace("\\", "/").split("/")
    link = stat.S_ISLNK(info.external_attr >> 16)
    return link or ".." in parts or name.startswith(("/", "\\")) or "\0" in name or ":" in parts[0]


def _compare(source: Source, info: zipfile.ZipInfo) -> list[Finding]:
    """The member's own header against the directory's word."""
    at = info.header_offset
    header = source.read(at, _LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        return [finding("member-mismatch", f"no member stands where {info.filename[:200]!r} should", at)]
    _, _, flags, method, _, _, checksum, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    name = source.read(at + _LOCAL.size, name_length)
    encoding = "utf-8" if flags & 0x800 else "cp437"
    wrong = []
    if name.decode(encoding, "replace") != info.orig_filename:
        wrong.append("name")
    if method != info.compress_type or (flags ^ info.flag_bits) & _ENCRYPTED:
        wrong.append("method or flags")
    streamed = flags & 0x8
    if 0xFFFFFFFF in (packed, size):
        extra = source.read(at + _LOCAL.size + name_length, extra_length)
        size, packed = _sizes_64(extra, size, packed)
    if not streamed and (packed, size) != (info.compress_size, info.file_size):
        wrong.append("size")
    if not streamed and checksum != info.CRC:
        wrong.append("checksum")
    if at + _LOCAL.size + name_length + extra_length + info.compress_size > source.size:
        wrong.append("end")
    if not wrong:
        return []
    detail = f"directory and member {info.filename[:200]!r} disagree on {', '.join(wrong)}"
    return [finding("member-mismatch", detail, at)]


def _sizes_64(extra: bytes, size: int, packed: int) -> tuple[int, int]:
    """The sizes in 64 bits that a local header's extra field has in place of those with all bits set."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            values = [int.from_bytes(extra[start : start + 8], "little") for start in range(at + 4, at + 4 + length, 8)]
            size = values.pop(0) if size == 0xFFFFFFFF and values else size
            packed = values.pop(0) if packed == 0xFFFFFFFF and values else packed
            break
        at += 4 + length
    return size, packed


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """At most `limit` bytes of a member, from its start. Raises Damaged."""
    try:
        with archive.open(info) as member:
            return member.read(limit)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise Damaged(f"the member {os.path.basename(info.filename)[:200]!r} cannot be read: {error}") from None


def data_offset(source: Source, info: zipfile.ZipInfo) -> int:
    """Where the bytes of a member start, as its own header has it. Raises OSError."""
    lengths = source.read(info.header_offset + 26, 4)
    return info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")


def member_source(source: Source, archive: zipfile.ZipFile, name: str) -> Source:
    """A member as a source: in place where it is stored as it is, else unpacked into memory under a cap.

    Raises Damaged, OSError.
    """
    info = archive.getinfo(name)
    if info.header_offset < 0:
        raise Damaged(f"the archive's directory places {name[:200]!r} before the start of the file")
    if info.compress_type == zipfile.ZIP_STORED:
        start = data_offset(source, info)
        if info.file_size != info.compress_size or start + info.file_size > source.size:
            raise Damaged(f"{name} reaches beyond the end of the archive")
        return Part(source, start, info.file_size)
    limit = min(_MAX_UNPACKED, max(FREE_BYTES, MAX_RATIO * info.compress_size))
    data = read_member(archive, info, limit + 1)
    if len(data) > limit:
        raise Damaged(f"{name} unpacks to more than {limit} bytes")
    unpacked = MemorySource(data, name)
    unpacked.depth = source.depth
    return unpacked
