"""Writing a model as the artifact it replaces was written: same format, same compression."""

from __future__ import annotations

import os
from typing import Any, Optional

from backends import registry
from backends.base import NotLoadable
from backends.memory import give_back, memory_file


def write_model(model: Any, format: str, compression: Optional[str], fd: int) -> None:  # noqa: A002
    """Write `model` to the empty `fd`. `compression` is what the inspection of the current artifact said.

    Raises NotLoadable for a format that cannot be written, and what the model's own pickling raises.
    """
    if compression is None:
        registry.save(model, format, fd)
    elif format == "joblib":
        registry.save(model, format, fd, compress=compression)
    elif format == "pickle":
        _write_compressed(model, compression, fd)
    else:
        registry.save(model, format, fd, compression=compression)


def _write_compressed(model: Any, compression: str, fd: int) -> None:
    """A pickle inside a compressed envelope, as `gzip.open` and its like make them."""
    plain = memory_file("plain")
    try:
        registry.save(model, "pickle", plain)
        with os.fdopen(os.dup(plain), "rb") as source, os.fdopen(os.dup(fd), "wb") as target:
            source.seek(0)
            target.write(_compressed(source.read(), compression))
    finally:
        give_back(plain)


def _compressed(data: bytes, compression: str) -> bytes:
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
