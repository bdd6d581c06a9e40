"""What an honest zip archive looks like; two readers that disagree on an archive are how payloads hide.

Format: PKWARE APPNOTE 6.3.10. The directory is read by zipfile; members are compared with it and nothing is extracted.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile

from backends.base import Damaged, Finding, Source
from backends.envelopes import FREE_BYTES, MAX_RATIO
from backends.findings import finding

__all__ = ["check_members", "open_zip", "read_member"]

_MAX_DIRECTORY = 16 << 20
_ENCRYPTED = 0x1
_LOCAL = struct.Struct("<4s5H3I2H")


def open_zip(source: Source) -> zipfile.ZipFile:
    """The archive's directory. Raises Damaged (no directory, or one too large to be honest)."""
    tail_at = max(0, source.size - 65557)
    tail = source.read(tail_at, 65557)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise Damaged("the archive has no directory: it is cut off", offset=source.size)
    if int.from_bytes(tail[end + 12 : end + 16], "little") > _MAX_DIRECTORY:
        raise Damaged("the archive's directory is larger than any model needs", offset=tail_at + end)
    try:
        return zipfile.ZipFile(source.file())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, UnicodeDecodeError) as error:
        raise Damaged(f"the archive's directory is not valid: {error}", offset=tail_at + end) from None


def check_members(source: Source, archive: zipfile.ZipFile) -> list[Finding]:
    """Every rule an archive breaks: names, links, encryption, prefix, bombs, a directory that lies of its members."""
    found: list[Finding] = []
    seen: set[str] = set()
    infos = archive.infolist()
    first = min((info.header_offset for info in infos), default=0)
    if first > 0 or (infos and source.read(0, 4) != b"PK\x03\x04"):
        found.append(finding("prefix-data", f"{first} bytes stand before the first member", 0))
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
    _, _, flags, method, _, _, _, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    name = source.read(at + _LOCAL.size, name_length)
    encoding = "utf-8" if flags & 0x800 else "cp437"
    wrong = []
    if name.decode(encoding, "replace") != info.orig_filename:
        wrong.append("name")
    if method != info.compress_type or (flags ^ info.flag_bits) & _ENCRYPTED:
        wrong.append("method or flags")
    streamed, large = flags & 0x8, 0xFFFFFFFF in (packed, size)
    if not streamed and not large and (packed, size) != (info.compress_size, info.file_size):
        wrong.append("size")
    if at + _LOCAL.size + name_length + extra_length + info.compress_size > source.size:
        wrong.append("end")
    if not wrong:
        return []
    detail = f"directory and member {info.filename[:200]!r} disagree on {', '.join(wrong)}"
    return [finding("member-mismatch", detail, at)]


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """At most `limit` bytes of a member, from its start. Raises Damaged."""
    try:
        with archive.open(info) as member:
            return member.read(limit)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise Damaged(f"the member {os.path.basename(info.filename)[:200]!r} cannot be read: {error}") from None
