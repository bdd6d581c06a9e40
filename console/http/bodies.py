"""Bodies of requests: the parts that came, and what they hold when they were compressed."""

from __future__ import annotations

import zlib

from console.http.errors import Refused

_SMALL = 4096
_MERGED = 64 << 10
_GZIP_OR_ZLIB = 47
"""Window bits that let zlib tell the two apart by themselves."""


class Parts:
    """Parts of a body as they come; small ones are merged, so that a body of single bytes costs no more than others."""

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: list[bytes | bytearray] = []
        self.size = 0

    def add(self, part: bytes) -> None:
        """Add the next part."""
        self.size += len(part)
        if len(part) >= _SMALL or not self._parts:
            self._parts.append(part)
            return
        last = self._parts[-1]
        if isinstance(last, bytearray) and len(last) < _MERGED:
            last += part
        else:
            self._parts.append(bytearray(part))

    def whole(self) -> bytes:
        """The body."""
        if len(self._parts) == 1:
            only = self._parts[0]
            return only if isinstance(only, bytes) else bytes(only)
        return b"".join(self._parts)


def encoding_of(header: bytes | None) -> str:
    """The compression that Content-Encoding names; "" for none. Raises Refused (415)."""
    name = (header or b"").strip().lower()
    if name in (b"", b"identity"):
        return ""
    if name in (b"gzip", b"x-gzip"):
        return "gzip"
    if name == b"deflate":
        return "deflate"
    raise Refused(415, "bodies may be compressed with gzip or deflate and nothing else")


def decompressed(body: bytes, encoding: str, most: int) -> bytes:
    """What a compressed body holds. Raises Refused: 413 for more than `most` bytes, 400 for what is damaged."""
    try:
        if encoding == "deflate" and not _is_zlib(body):
            return _inflated(body, -zlib.MAX_WBITS, most)
        return _inflated(body, _GZIP_OR_ZLIB, most)
    except zlib.error:
        raise Refused(400, f"the body is not {encoding} as its Content-Encoding says") from None


def _inflated(body: bytes, bits: int, most: int) -> bytes:
    """All members one after another."""
    parts, size = [], 0
    while body:
        member = zlib.decompressobj(bits)
        part = member.decompress(body, most - size + 1)
        size += len(part)
        if size > most:
            raise Refused(413, f"the body holds more than the {most} bytes that are taken")
        if not member.eof:
            raise Refused(400, "the compressed body ends too early")
        parts.append(part)
        body = member.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_zlib(body: bytes) -> bool:
    """Whether deflate has the header that it should have and that some leave out."""
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
