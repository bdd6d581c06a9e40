"""What a process does once, at its first model, done beforehand with models of our own.

The zygote makes them, so that libraries have done what they do at their first use. A fork still pays for every page
that it is the first to touch or to write: a worker that stands ready loads and asks them too, and has memory to build
the next model in.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any, NamedTuple

from backends.core import registry
from backends.core.frozen import Frozen
from backends.core.load_plan import LoadPlan
from backends.core.source import Source

__all__ = ["make", "run"]

_MAPPED = 4 << 20
"""Bytes up to which the allocator keeps memory instead of giving it back: it learns that from what it is given back."""
_HEAP = 1 << 20
_OBJECTS = 3 << 20
_OBJECT = 400
_ARENA = 256 << 10
"""What CPython asks the system for at a time, at least; it keeps what one object lives in."""


class _Model(NamedTuple):
    format: str
    data: bytes
    plan: bytes


_models: list[_Model] = []
_kept: list[bytes] = []


def make() -> None:
    """Fit and ask two tiny models, and keep them as files; nothing where scikit-learn is not there."""
    if _models or "sklearn.ensemble" not in sys.modules or "joblib" not in sys.modules:
        return
    numpy = sys.modules["numpy"]
    inputs, labels = numpy.eye(8, 30), [0, 1] * 4
    linear = sys.modules["sklearn.linear_model"].LogisticRegression()
    forest = sys.modules["sklearn.ensemble"].RandomForestClassifier(4, random_state=0)
    for model in (linear, forest):
        model.fit(inputs, labels).predict(inputs)
        _models.append(_as_file(model, "joblib"))
    if "h5py" in sys.modules:
        _models.append(_as_file(linear, "hdf5"))


def _as_file(model: Any, format_name: str) -> _Model:
    fd = os.memfd_create("rehearsal", os.MFD_CLOEXEC)
    try:
        registry.save(model, format_name, fd)
        source = Source(fd)
        source.plan = LoadPlan()
        found = registry.inspect(source).format
        return _Model(found, source.read(0, source.size), source.plan.to_bytes())
    finally:
        os.close(fd)


def run() -> None:
    """Load and ask what `make` made. Raises OSError."""
    from console.worker.child import calls, live, methods, signatures

    for one in _models:
        with tempfile.TemporaryFile() as file:
            file.write(one.data)
            file.flush()
            model = registry.load(Frozen(file.fileno(), "", one.plan), one.format).model
        live.quieten(model)
        live.row_wise(model)
        methods.methods_of(model)
        signature: Any = signatures.signature_of(model)
        calls.warm_up(model, signature["feature_names"], signature["n_features"])
        _ask(calls, model, signature)
    if not _kept:
        _make_room()


def _ask(calls: Any, model: Any, signature: dict[str, Any]) -> None:
    rows = calls.typed_rows([[0.0] * signature["n_features"]], None, model)
    calls.column(model.predict(rows))


def _make_room() -> None:
    """Have the allocators keep some memory that was touched before, for the objects of a model."""
    mapped = bytearray(_MAPPED)
    del mapped
    heap = [b"\1" * (64 << 10) for _ in range(_HEAP >> 16)]
    del heap
    objects = [bytes(_OBJECT) for _ in range(_OBJECTS // _OBJECT)]
    _kept.extend(objects[:: _ARENA // _OBJECT])
