"""GGUF, the files of llama.cpp: read from their headers; nothing here runs them yet."""

from __future__ import annotations

from backends.core.format import Format

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
        not_loadable="language models are not run by this console yet: llama.cpp runs this one",
        not_writable="a GGUF file is written by llama.cpp's convert_hf_to_gguf.py and llama-quantize",
    ),
)
