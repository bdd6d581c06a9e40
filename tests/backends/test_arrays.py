"""npy and npz files are told in full without numpy, and refused as models."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import pytest

from backends.core import registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.inspection import Inspection
from backends.core.source import MemorySource, Source


def inspect(data: bytes) -> Inspection:
    fd = os.memfd_create("arrays", os.MFD_CLOEXEC)
    try:
        with io.FileIO(fd, "wb", closefd=False) as file:
            file.write(data)
        return registry.inspect(Source(fd))
    finally:
        os.close(fd)


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.ones((3, 4), np.float32)),
        np.array(["a", "bcd"]),
        np.array([b"a", b"bcd"]),
        np.array([True, False]),
        np.array(5, np.int16),
        np.arange(3).astype(">i4"),
        np.array(["2024-01-01"], "M8[D]"),
        np.array([1 + 2j]),
        np.zeros((0, 4)),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    ],
)
def test_an_array_is_told_as_it_is(array: Any) -> None:
    inspection = inspect(npy(array))
    (info,) = inspection.arrays
    assert (info.shape, info.bytes) == (array.shape, array.nbytes)
    assert array.dtype.names or info.dtype == str(array.dtype)
    assert inspection.complete
    assert not inspection.loadable


def test_an_archive_lists_its_arrays() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, weights=np.ones((3, 4)), names=np.array(["x"]))
    inspection = inspect(file.getvalue())
    assert [(info.name, info.shape) for info in inspection.arrays] == [("weights", (3, 4)), ("names", (1,))]
    assert inspection.format == "npz"
    assert inspection.n_weights == 12
    assert inspection.complete


def test_objects_are_walked() -> None:
    inspection = inspect(npy(np.array([{"w": np.ones(3)}], dtype=object), allow_pickle=True))
    assert [each.code for each in inspection.findings] == ["object-array"]
    assert "numpy.ndarray" in {str(use) for use in inspection.names}
    assert (3,) in {info.shape for info in inspection.arrays}


def test_a_cut_array_is_told() -> None:
    inspection = inspect(npy(np.arange(100.0))[:-8])
    assert [each.code for each in inspection.findings] == ["truncated"]


def test_a_cut_archive_is_damaged() -> None:
    file = io.BytesIO()
    np.savez(file, a=np.ones(300))
    with pytest.raises(Damaged, match="cut off"):
        inspect(file.getvalue()[:1000])


def test_arrays_are_no_model() -> None:
    file = io.BytesIO()
    np.save(file, np.arange(3))
    source = MemorySource(file.getvalue())
    assert registry.identify(source).name == "npy"
    with pytest.raises(NotLoadable, match="no model"):
        registry.load(source, "npy")
    with pytest.raises(NotLoadable):
        registry.save(np.arange(3), "npy", -1)
