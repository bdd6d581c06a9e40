"""Models encoded as text whose characters happen to begin as a pickle does: they are named for what they are."""

from __future__ import annotations

import re
from typing import Optional

from backends.core.findings import KINDS
from backends.core.impostors_encoded import encoded_model
from backends.core.inspection import Inspection
from backends.core.source import Source

__all__ = ["encoded"]

_MOST = 16 << 20
_ALPHABET = re.compile(rb"[A-Za-z0-9+/_\s-]+=*\s*\Z")
"""Of base64, base32 and hexadecimal digits. No opcode among them makes a tuple or a mark: nothing that was named could
be called with arguments, and no persistent id is one that a reader would follow (PyTorch's are tuples)."""
_BY_CHANCE = frozenset(("truncated", "malformed", "odd-literal", "persistent-id", "odd-build", "limit"))


def encoded(source: Source, inspection: Inspection) -> Optional[str]:
    """What a file is that was read as a pickle, broke off without having named anything, and decodes to a model; None
    for any other. Raises OSError.
    """
    found = inspection.findings
    if inspection.compression is not None or inspection.names or source.size > _MOST:
        return None
    if not found or any(each.code not in _BY_CHANCE for each in found) or KINDS[found[-1].code] == "limit":
        return None
    data = source.read(0, source.size)
    return encoded_model(data, data.decode("ascii"), source.name) if _ALPHABET.match(data) else None
