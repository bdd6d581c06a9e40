"""The pickle format: inspected by the static walk, loaded by CPython's C unpickler, written in protocol 5.

A file may hold several pickles one after another: then the place of the n-th is `[n]`, as if the file held a list.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import pickle
import time
from collections.abc import Iterator
from typing import Any, Optional

from backends.core.compression import COMPRESSIONS, Opened, compressed, compression_of, decompressed
from backends.core.errors import NoModel, NotLoadable
from backends.core.findings import finding
from backends.core.format import LoadedModel
from backends.core.frozen import Frozen, private_map
from backends.core.inspection import Inspection
from backends.core.places import resolve
from backends.core.source import Source
from backends.formats.pickle.estimators import Facts, read_facts
from backends.formats.pickle.joblib_loader import load_spliced, plan_of
from backends.formats.pickle.reader import Budget
from backends.formats.pickle.transfer_damage import encoded, with_cause
from backends.formats.pickle.walk import Walk, walk

_WINDOW = 1 << 16
"""Bytes read at a time: a window that the allocator can keep is not paid for in page faults, each time anew."""
_OUTSIDE = ("legacy-wrapper", "legacy-companion", "persistent-id", "out-of-band")
"""Findings of what is not in the file: it cannot be loaded from its bytes alone."""


def inspect_pickle(source: Source, budget: Optional[Budget] = None) -> Inspection:
    """The facts of a pickle or joblib file, compressed or not; `format` says which of the two it is.

    Whatever is wrong with the file is a finding, so that the names it holds are told all the same. Raises
    Unsupported for a compression that cannot be opened, OSError.
    """
    if compression_of(source.read(0, 16)) == "zfile":
        return Inspection(
            "joblib",
            compression="zfile",
            loadable=False,
            findings=(
                finding("legacy-zfile", "compressed by joblib before 0.10; save it again with a newer joblib", 0),
            ),
        )
    with decompressed(source, into=source.into) as opened, no_collection():
        walked = walk(opened.source, budget)
        if source.plan is not None:
            source.plan = plan_of(walked, opened.compression is not None)
        inspection = _inspection(opened, walked, read_facts(walked.roots))
        by_us = inspection.loadable and (source.plan or not walked.joblib)
        if opened.compression and source.into is not None and not by_us:
            os.ftruncate(source.into, 0)
        return inspection


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Keep the cycle collector away from tens of thousands of values that all stay."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _inspection(opened: Opened, walked: Walk, facts: Facts) -> Inspection:
    findings = (*opened.findings, *walked.findings, *facts.findings)
    cut = any(each.code == "limit" for each in facts.findings)
    facts.details.update(protocol=walked.protocol, pickles=len(walked.roots), opcodes=walked.opcodes)
    if opened.compression:
        facts.details["opened_bytes"] = opened.source.size
    complete = walked.complete and opened.complete and not cut
    outside = any(each.code in _OUTSIDE for each in findings)
    return Inspection(
        format="joblib" if walked.joblib else "pickle",
        compression=opened.compression,
        model_class=facts.model_class,
        names=walked.names,
        library_versions=facts.library_versions,
        parameters=facts.models[0].parameters if facts.models else {},
        signature=facts.signature,
        models=tuple(facts.models),
        arrays=tuple(facts.arrays),
        n_weights=facts.n_weights,
        complete=complete,
        loadable=complete and not outside,
        findings=findings,
        details=facts.details,
    )


def inspect(source: Source) -> Inspection:
    """The facts of `inspect_pickle`, and what broke the file on its way. Raises NoModel, Unsupported, OSError."""
    inspection = with_cause(source, inspect_pickle(source))
    known = encoded(source, inspection)
    if known is not None:
        raise NoModel(f"not a model but {known}")
    return inspection


def load(source: Source, at: str = "") -> LoadedModel:
    """Unpickle. Strings of Python 2 are read as latin-1 where ASCII fails.

    Raises NotLoadable for a place that is not there, and whatever the classes in the file raise.
    """
    started = time.perf_counter()
    with decompressed(source) as opened:
        if not opened.complete:
            raise NotLoadable(f"the {opened.compression} compression cannot be opened whole")
        after = time.perf_counter()
        phases = {"decompress": after - started} if opened.compression else {}
        with no_collection():
            roots = _unpickle(opened.source)
        phases["unpickle"] = time.perf_counter() - after
    root = roots[0] if len(roots) == 1 else roots
    return LoadedModel(resolve(root, at), "pickle", at, phases)


def _unpickle(source: Source) -> list[Any]:
    if source.size == 0:
        raise NotLoadable("the file is empty")
    try:
        return _all(source, "ASCII")
    except UnicodeDecodeError:
        return _all(source, "latin-1")


def _all(source: Source, encoding: str) -> list[Any]:
    """Every pickle of the file, one after another."""
    if isinstance(source, Frozen) and source.plan.raw:
        return [load_spliced(source, private_map(source.fd, source.size, writable=False), encoding)]
    roots = []
    with source.file(_WINDOW) as file:
        while file.tell() < source.size:
            roots.append(pickle.Unpickler(file, encoding=encoding).load())
    return roots


def save(model: Any, fd: int, **options: Any) -> None:
    """Write protocol 5 (or `protocol=N`), in a `compression` where one is named.

    Raises NotLoadable for an unknown compression, what the model's own pickling raises, OSError.
    """
    compression, protocol = options.get("compression"), int(options.get("protocol", 5))
    if compression not in (None, *COMPRESSIONS):
        raise NotLoadable(f"a pickle compressed with {compression} cannot be written")
    with io.FileIO(os.dup(fd), "wb") as raw, io.BufferedWriter(raw, 1 << 20) as file:
        if compression is None:
            pickle.dump(model, file, protocol=protocol)
        else:
            file.write(compressed(pickle.dumps(model, protocol), compression))
