"""Archives told by their bytes: which are opened here, and which are only recognised. Cheap: only heads and tails.

Formats: PKWARE APPNOTE 6.3.10, POSIX ustar and the tar of Unix V7, the `ar` of System V; magic numbers of the others as
file(1) has them.
"""

from __future__ import annotations

import re
from typing import Optional

from backends.core import compression as compressions
from backends.core.source import Source

ZIP_MAGIC = b"PK\x03\x04"
"""What a zip archive with members starts with."""

IMAGE = (32769, 5)
"""Where the image of a CD says that it is one: offset and length."""
TAIL = 65557
"""The longest end of a zip archive: directory record and comment."""
CLOSED = ("7z", "rar", "zstd", "lzip", "compress", "lzop", "cab", "cpio", "rpm", "xar", "squashfs", "iso9660")
"""Archives and compressions that nothing here opens."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK", b"PK00PK")
_AR = b"!<arch>\n"
_MAGICS = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"LZIP\x01", "lzip"),
    (b"\x1f\x9d\x90", "compress"),
    (b"\x89LZO\x00\r\n\x1a\n", "lzop"),
    (b"MSCF\x00\x00\x00\x00", "cab"),
    (b"070701", "cpio"),
    (b"070702", "cpio"),
    (b"070707", "cpio"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"xar!\x00\x1c", "xar"),
    (b"hsqs", "squashfs"),
)
_BLOCK = 512
_CHECKSUM = re.compile(rb"[ 0]*([0-7]{1,7})[ \0]")


def is_zip(head: bytes) -> bool:
    """Whether a zip archive with members starts with these bytes."""
    return head.startswith(ZIP_MAGIC)


def container(head: bytes) -> Optional[str]:
    """The archive that starts with these bytes: "zip", "tar", "ar", one of CLOSED, None for anything else."""
    if head.startswith(_ZIP):
        return "zip"
    if head.startswith(_AR):
        return "ar"
    if _is_tar(head):
        return "tar"
    return next((name for magic, name in _MAGICS if head.startswith(magic)), None)


def _is_tar(head: bytes) -> bool:
    """Whether a tar header stands here: its checksum is right, counted with or without signs."""
    written = _CHECKSUM.match(head[148:156]) if len(head) >= _BLOCK else None
    if written is None:
        return False
    counted = head[:148] + b" " * 8 + head[156:_BLOCK]
    total = sum(counted)
    return int(written[1], 8) in (total, total - 256 * sum(byte > 127 for byte in counted))


def may_hold_archive(head: bytes) -> bool:
    """Whether a file with these first bytes (up to 4 KiB) is an archive, be it in a compression."""
    compression = compressions.compression_of(head)
    opened = compressions.open_head(head, compression) if compression else head
    return container(opened or b"") is not None


def is_image(data: bytes) -> bool:
    """Whether these bytes, read at IMAGE, are those of a CD's image (ISO 9660), whose start may be anything."""
    return data == b"CD001"


def zip_record(tail: bytes) -> Optional[int]:
    """Where in the last bytes of a file (up to TAIL) a zip reader would find a directory record; None for nowhere."""
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return None
    entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    comment = int.from_bytes(tail[at + 20 : at + 22], "little")
    whole = entries > 0 and at + 22 + comment <= len(tail) and b"PK\x01\x02" in tail
    return at if whole else None


def zip_record_in(source: Source) -> Optional[int]:
    """Where in a file a zip reader would find its directory record; None where it would find none. Raises OSError."""
    tail_at = max(0, source.size - TAIL)
    at = zip_record(source.read(tail_at, TAIL))
    return None if at is None else tail_at + at
