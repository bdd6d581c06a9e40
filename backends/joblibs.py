"""The joblib format: pickle with raw arrays in between, compressed or memory-mapped."""

from __future__ import annotations

import io
import os
import time
from typing import Any, Optional

from backends.base import Inspection, LoadedModel, NotLoadable, Source, resolve
from backends.envelopes import open_envelope, sniff
from backends.pickle_opcodes import looks_like_pickle
from backends.pickle_walk import walk
from backends.pickles import inspect_pickle

__all__ = ["BACKENDS", "JoblibBackend"]

COMPRESS = ("raw", "zlib", "gzip", "bz2", "lzma", "xz", "lz4")
_LEVEL = 3
_MMAP_MODES = (None, "r", "c")


class JoblibBackend:
    """What `joblib.dump` writes since 0.10."""

    name = "joblib"
    suffix = ".joblib"

    def sniff(self, head: bytes, source: Source) -> bool:
        """Whether arrays stand between the opcodes; takes a walk of the whole stream to know."""
        if sniff(source.read(0, 16)) == "zfile":
            return True
        if not looks_like_pickle(head):
            return False
        with open_envelope(source) as opened:
            return walk(opened.source).joblib

    def inspect(self, source: Source) -> Inspection:
        """See `inspect_pickle`."""
        return inspect_pickle(source)

    def load(self, source: Source, at: str = "", mmap_mode: Optional[str] = None) -> LoadedModel:
        """Load with joblib; `mmap_mode` "r" or "c" maps the arrays of an uncompressed file.

        Raises NotLoadable (a writable mode, a compressed file to be mapped, a place that is not there), and whatever
        the classes in the file raise.
        """
        if mmap_mode not in _MMAP_MODES:
            raise NotLoadable(f"mmap mode '{mmap_mode}' would write to the model's file: use r or c")
        compression = sniff(source.read(0, 16))
        if mmap_mode is not None and compression is not None:
            raise NotLoadable(f"a file compressed with {compression} cannot be memory-mapped: load it without")
        started = time.perf_counter()
        import joblib

        imported = time.perf_counter()
        if mmap_mode is not None:
            root = joblib.load(f"/proc/self/fd/{source.fd}", mmap_mode=mmap_mode)
        else:
            with source.file(1 << 20) as file:
                root = joblib.load(file)
        phases = {"import joblib": imported - started, "unpickle": time.perf_counter() - imported}
        return LoadedModel(resolve(root, at), self.name, at, phases)

    def save(self, model: Any, fd: int, **options: Any) -> None:
        """Write with `compress` one of COMPRESS (default raw) and `level` 0 to 9 (default 3).

        Raises NotLoadable for an unknown compression or one whose library is missing, OSError.
        """
        import joblib

        method = options.get("compress") or "raw"
        if method not in COMPRESS:
            raise NotLoadable(f"no compression is called '{method}': use one of {', '.join(COMPRESS)}")
        compress = 0 if method == "raw" else (method, int(options.get("level", _LEVEL)))
        with io.FileIO(os.dup(fd), "wb") as raw, io.BufferedWriter(raw, 1 << 20) as file:
            try:
                joblib.dump(model, file, compress=compress, protocol=options.get("protocol"))
            except ValueError as error:
                if "LZ4" in str(error):
                    raise NotLoadable("lz4 is not installed: install the lz4 extra") from None
                raise


BACKENDS = (JoblibBackend(),)
