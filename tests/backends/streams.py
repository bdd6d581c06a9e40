"""Results of opening a compressed stream, and bytes as models have them."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from backends.core import compression as compressions
from backends.core.inspection import Finding
from backends.core.source import Source


class Result(NamedTuple):
    """The contents of an envelope: bytes, whether they are all, and what was remarked."""

    data: bytes
    complete: bool
    findings: tuple[Finding, ...]


def opened(data: bytes, max_bytes: int = compressions.MAX_BYTES) -> Result:
    """The whole of what `decompressed` makes of these bytes."""
    fd = os.memfd_create("stream", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        with compressions.decompressed(Source(fd, "stream"), max_bytes) as found:
            assert os.fstat(found.source.fd).st_size == found.source.size
            return Result(found.source.read(0, found.source.size), found.complete, tuple(found.findings))
    finally:
        os.close(fd)


def model_bytes(size: int) -> bytes:
    """Numbers as models have them: compressible to about a half."""
    random = np.random.default_rng(0)
    return np.round(random.normal(size=size // 8), 2).tobytes()
