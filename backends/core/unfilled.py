"""Files whose end is zero bytes where none belong: their room was made beforehand, and what fills it stopped coming."""

from __future__ import annotations

from typing import Optional

from backends.core.findings import finding
from backends.core.inspection import Finding
from backends.core.source import Source

_BLOCK = 4096
_LEAST = 512


def unfilled_from(source: Source) -> Optional[Finding]:
    """From where on a broken file holds zero bytes alone; None where its end is not so, or was cut off meanwhile.

    Raises OSError.
    """
    end = source.size
    while end:
        begin = max(0, end - _BLOCK)
        block = source.read(begin, end - begin)
        if len(block) < end - begin:
            return None
        kept = block.rstrip(b"\0")
        end = begin + len(kept)
        if kept:
            break
    if source.size - end < _LEAST:
        return None
    return finding(
        "unfilled",
        f"zero bytes alone from byte {end:,} of {source.size:,} on: room was made for all of it and not filled, as"
        " after a download that broke off; bring it again",
        end,
    )
