"""GGUF, the files of llama.cpp: read from their headers; nothing here runs them yet."""

from __future__ import annotations

import re
from collections.abc import Collection

from backends.core.format import Format

_PART = re.compile(r"(.+)-\d{5}-of-(\d{5})\.gguf")


def _members(names: Collection[str]) -> tuple[str, ...]:
    """The parts of one split model, as llama-gguf-split names them; none where there are those of several."""
    models = [name for name in names if name.endswith(".gguf")]
    parts = {(match[1], match[2]) for match in map(_PART.fullmatch, models) if match is not None}
    whole = all(map(_PART.fullmatch, models))
    return tuple(sorted(models)) if whole and len(parts) == 1 and len(models) > 1 else ()


FORMATS = (
    Format(
        name="gguf",
        suffix=".gguf",
        implementation="backends.formats.gguf.files",
        title="a GGUF model",
        promises=(".gguf",),
        magic=(b"GGUF",),
        order=20,
        of_header=True,
        bytewise=True,
        members=_members,
        not_loadable="language models are not run by this console yet: llama.cpp runs this one",
        not_writable="a GGUF file is written by llama.cpp's convert_hf_to_gguf.py and llama-quantize",
    ),
)
