"""The joblib format: pickle with raw arrays in between, compressed or memory-mapped."""

from __future__ import annotations

import io
import os
import time
from typing import Any

from backends.core.compression import compression_of, decompressed
from backends.core.errors import Damaged, NotLoadable
from backends.core.format import LoadedModel
from backends.core.frozen import Frozen, private_map
from backends.core.places import resolve
from backends.core.source import Source
from backends.formats.pickle.joblib_loader import load_spliced
from backends.formats.pickle.plain import inspect as inspect
from backends.formats.pickle.plain import no_collection
from backends.formats.pickle.walk import walk

COMPRESS = ("raw", "zlib", "gzip", "bz2", "lzma", "xz", "lz4")
_LEVEL = 3


def sniff(head: bytes, source: Source) -> bool:
    """Whether arrays stand between the opcodes; takes a walk of the whole stream to know."""
    if compression_of(source.read(0, 16)) == "zfile":
        return True
    with decompressed(source) as opened:
        return walk(opened.source).joblib


def load(source: Source, at: str = "") -> LoadedModel:
    """Load by the plan of a `Frozen` source, else with joblib itself; the result is the same.

    Raises NotLoadable (a place that is not there), Damaged (a plan that does not fit), and whatever the classes in
    the file raise.
    """
    if isinstance(source, Frozen) and source.plan:
        return _load_planned(source, at)
    if source.opened:
        raise Damaged("what a compression held, without the load plan of its arrays")
    started = time.perf_counter()
    import joblib

    imported = time.perf_counter()
    with source.file(1 << 20) as file:
        root = joblib.load(file)
    phases = {"import joblib": imported - started, "unpickle": time.perf_counter() - imported}
    return LoadedModel(resolve(root, at), "joblib", at, phases)


def _load_planned(source: Frozen, at: str) -> LoadedModel:
    started = time.perf_counter()
    with decompressed(source) as opened:
        if not opened.complete:
            raise NotLoadable(f"the {opened.compression} compression cannot be opened whole")
        opened.mapped = True
        memory = private_map(opened.source.fd, opened.source.size, writable=not source.plan.raw)
    after = time.perf_counter()
    phases = {"decompress": after - started} if opened.compression else {}
    try:
        with no_collection():
            root = load_spliced(source, memory)
    except UnicodeDecodeError as error:
        raise NotLoadable("it holds text that Python 2 wrote, which joblib cannot read: save it again") from error
    phases["unpickle"] = time.perf_counter() - after
    return LoadedModel(resolve(root, at), "joblib", at, phases)


def save(model: Any, fd: int, **options: Any) -> None:
    """Write in a `compression`, one of COMPRESS (default raw), and `level` 0 to 9 (default 3).

    Raises NotLoadable for an unknown compression or one whose library is missing, OSError.
    """
    import joblib

    method = options.get("compression") or "raw"
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
