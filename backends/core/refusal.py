"""Errors for files in no known format, and the extensions that formats are known by."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Optional

from backends.core import compression as compressions
from backends.core.descriptors import built_in
from backends.core.errors import NoModel, Unsupported
from backends.core.foreign import FOREIGN_SUFFIXES, promised_format
from backends.core.impostors import impostor
from backends.core.source import Source

_COMPRESSION_SUFFIXES = (".gz", ".bz2", ".xz", ".lzma", ".lz4", ".zlib")


@lru_cache(maxsize=1)
def known_suffixes() -> frozenset[str]:
    """Extensions that promise some format, read here or not."""
    return FOREIGN_SUFFIXES.union(suffix for each in built_in() for suffix in each.honest_suffixes)


def extension_of(name: str) -> str:
    """The extension that tells what a file is, under that of a compression."""
    stem, extension = os.path.splitext(name.lower())
    return os.path.splitext(stem)[1] if extension in _COMPRESSION_SUFFIXES else extension


def refusal(source: Source, head: bytes, compression: Optional[str]) -> Unsupported:
    """The error of such a file, with what Python says of it where nothing promises another format. Raises OSError."""
    inside = f" inside {compression} compression" if compression else ""
    complaint = "" if compression else _complaint(source.name, head)
    if not source.size:
        return NoModel(f"the file is empty: its bytes never came, so bring it again from where it was made{complaint}")
    if compression and not head:
        return NoModel(f"the {compression} stream is damaged or cut off before its first block ends: bring it again")
    twice = compressions.compression_of(head) if compression else None
    if twice:
        return NoModel(f"compressed twice ({twice} in {compression}), which no reader undoes by itself: unpack it once")
    known = impostor(source, head)
    if known is not None:
        return NoModel(f"not a model{inside} but {known}{complaint}")
    found = f"no known model format{inside}: it starts with {head[:8].hex(' ')}{complaint}"
    promised = promised_format(source.name)
    return Unsupported(
        f"{found} (its name promises {promised}, which this console does not read yet)" if promised else found
    )


def _complaint(name: str, head: bytes) -> str:
    """Python's error on these bytes, read as the format that the name promises or as any where it promises none."""
    extension = extension_of(name)
    for each in built_in():
        if each.complaint is not None and (extension not in known_suffixes() or extension in each.honest_suffixes):
            error = each.complaint(head)
            return f" ({each.name} says: {error})" if error else ""
    return ""
