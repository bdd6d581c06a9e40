"""Bytes of a pickle inside a compression."""

from __future__ import annotations

from backends.core.errors import NotLoadable

__all__ = ["compressed"]


def compressed(data: bytes, compression: str) -> bytes:
    """These bytes in a compression, as `gzip.open` and its like make it. Raises NotLoadable for one that is unknown."""
    if compression == "gzip":
        import gzip

        return gzip.compress(data)
    if compression == "zlib":
        import zlib

        return zlib.compress(data)
    if compression == "bz2":
        import bz2

        return bz2.compress(data)
    if compression in ("xz", "lzma"):
        import lzma

        return lzma.compress(data, format=lzma.FORMAT_XZ if compression == "xz" else lzma.FORMAT_ALONE)
    if compression == "lz4":
        import lz4.frame

        return bytes(lz4.frame.compress(data))
    raise NotLoadable(f"a pickle compressed with {compression} cannot be written")
