"""A joblib file loaded by its plan gives what joblib gives: for every estimator, every form, every kind of array."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from backends.core import registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.frozen import Frozen
from backends.core.load_plan import NUMBERS, OBJECTS, LoadPlan
from tests.estimators import fit_all_estimators
from tests.frozen import Taken, frozen, small

RECORD = np.dtype([("a", "<i4"), ("b", ">f8"), ("c", "S3")])
ALIGNED = np.dtype([("left", np.int64), ("value", np.float64)], align=True)


def arrays() -> dict[str, Any]:
    """One of each kind that joblib writes between opcodes."""
    numbers = np.arange(24.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    odd = np.empty(3, object)
    odd[:] = ["text", {"a": np.arange(3)}, None]
    return {
        "plain": numbers,
        "zero-dimensional": np.array(3.5),
        "empty": np.empty((0, 4)),
        "empty in the middle": np.empty((2, 0, 3), np.int32),
        "C": numbers.reshape(4, 6),
        "Fortran": np.asfortranarray(numbers.reshape(4, 6)),
        "three-dimensional": np.asfortranarray(numbers.reshape(2, 3, 4)),
        "not contiguous": numbers.reshape(4, 6)[::2, ::3],
        "reversed": numbers[::-1],
        "one column": numbers.reshape(24, 1),
        "big-endian": numbers.astype(">f8"),
        "half": numbers.astype("f2"),
        "long": numbers.astype(np.longdouble),
        "complex": numbers.astype("c16"),
        "bool": numbers > 3,
        "text": np.array(["a", "bcd", "é"]),
        "bytes": np.array([b"a", b"bcd"]),
        "dates": np.array(["2024-01-01", "NaT"], "M8[D]"),
        "spans of time": np.array([1, 2], "m8[ms]"),
        "record": np.zeros(5, RECORD),
        "aligned record": np.ones(5, ALIGNED),
        "all big-endian record": np.ones(3, [("a", ">i4"), ("b", ">f8")]),
        "matrix": matrix,
        "masked": np.ma.masked_array(numbers, mask=numbers > 20),
        "objects": odd,
        "record array": np.rec.array([(1, 2.0)], dtype=[("x", int), ("y", float)]),
    }


def signature(array: Any) -> Any:
    """All that can be told of an array but its address."""
    plain = np.asarray(array)
    return (
        type(array),
        plain.dtype,
        plain.shape,
        plain.flags.c_contiguous,
        plain.flags.f_contiguous,
        repr(plain.tolist()),
    )


class Fields(pickle.Pickler):
    """Pickles records field by field, without the bytes between fields, which joblib leaves as it finds them."""

    def reducer_override(self, value: Any) -> Any:
        """A record as a tuple of its fields."""
        if isinstance(value, np.ndarray) and value.dtype.names:
            return tuple, ([str(value.dtype), value.shape, *(value[name].tolist() for name in value.dtype.names)],)
        return NotImplemented


def same(left: Any, right: Any) -> None:
    """Two loaded objects cannot be told apart by pickling them again."""
    written = []
    for value in (left, right):
        file = io.BytesIO()
        Fields(file, 5).dump(value)
        written.append(file.getvalue())
    assert written[0] == written[1]


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3), ("lz4", 3)])
@pytest.mark.parametrize("kind", list(arrays()))
def test_every_kind_of_array(tmp_path: Path, kind: str, compress: Any) -> None:
    value = arrays()[kind]
    path = tmp_path / "a.joblib"
    shared = [value, value]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        joblib.dump({"one": shared, "two": np.arange(5), "again": shared}, path, compress=compress)
        expected = joblib.load(path)
    with small(path) as taken:
        assert taken.plan
        found: Any = taken.load()
    assert found["one"] is found["again"]
    for left, right in zip(found["one"], expected["one"], strict=True):
        assert signature(left) == signature(right)
        assert left.flags.writeable == right.flags.writeable
        assert left.flags.aligned
    assert signature(found["two"]) == signature(expected["two"])


@pytest.mark.parametrize("raw_from", [1, 1 << 62])
@pytest.mark.parametrize("kind", list(arrays()))
def test_every_kind_of_array_mapped_from_the_file(tmp_path: Path, kind: str, raw_from: int) -> None:
    path = tmp_path / "a.joblib"
    joblib.dump([arrays()[kind]], path)
    with frozen(path, raw_from) as taken:
        assert bool(taken.plan.raw) == any(p.kind == NUMBERS and p.length >= raw_from for p in taken.plan.pieces)
        (found,) = taken.load()
        (expected,) = joblib.load(path)
        assert signature(found) == signature(expected)
        before = path.read_bytes()
        if found.size and found.dtype.kind == "f":
            found[...] = 7
        assert path.read_bytes() == before


@pytest.mark.parametrize(("protocol", "compress"), [(2, 0), (4, 0), (5, ("zlib", 1))])
def test_every_estimator_is_what_joblib_makes_of_it(tmp_path: Path, protocol: int, compress: Any) -> None:
    planned = 0
    for name, model, _inputs in fit_all_estimators():
        path = tmp_path / f"{name}.joblib"
        joblib.dump(model, path, protocol=protocol, compress=compress)
        with small(path) as taken:
            planned += bool(taken.plan)
            same(taken.load(), joblib.load(path))
    assert planned > 150


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "compress"),
    [(3, 0), (5, 0), (5, ("gzip", 1)), (5, ("bz2", 1)), (5, ("lzma", 1)), (5, ("xz", 1)), (5, ("lz4", 1))],
)
def test_every_estimator_in_the_other_forms(tmp_path: Path, protocol: int, compress: Any) -> None:
    test_every_estimator_is_what_joblib_makes_of_it(tmp_path, protocol, compress)


@pytest.mark.slow
def test_every_estimator_answers_with_all_of_its_numbers_mapped(tmp_path: Path) -> None:
    answered = 0
    for name, model, inputs in fit_all_estimators():
        path = tmp_path / f"{name}.joblib"
        joblib.dump(model, path)
        before = path.read_bytes()
        with frozen(path, 1) as taken:
            again: Any = taken.load()
            for method in ("predict", "transform", "predict_proba"):
                answered += answers_alike(model, again, method, inputs)
        assert path.read_bytes() == before
    assert answered > 200


def answers_alike(model: Any, again: Any, method: str, X: Any) -> bool:
    """Whether the model has an answer, which must be that of the other then (sums depend on where arrays lie)."""
    try:
        expected = getattr(model, method)(X)
    except Exception:
        return False
    found = dense(getattr(again, method)(X))
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, dense(expected), rtol=1e-9)
    else:
        assert found.tolist() == dense(expected).tolist()
    return True


def dense(answer: Any) -> Any:
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)


def test_a_shared_array_is_one_object_as_with_joblib(tmp_path: Path) -> None:
    path = tmp_path / "a.joblib"
    array = np.arange(5.0)
    joblib.dump({"a": array, "b": [array]}, path)
    expected = joblib.load(path)
    with small(path) as taken:
        found: Any = taken.load()
    assert (found["a"] is found["b"][0]) == (expected["a"] is expected["b"][0])


def altered(taken: Taken, number: int, **changes: Any) -> Frozen:
    """A worker's view with another plan."""
    pieces = list(taken.plan.pieces)
    pieces[number] = pieces[number]._replace(**changes)
    plan = LoadPlan(tuple(pieces), taken.plan.inside).to_bytes()
    return Frozen(taken.memory, "model", plan, taken.file if taken.file >= 0 else None)


def test_a_plan_that_is_not_that_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.joblib"
    joblib.dump([np.arange(100.0), np.arange(50.0)], path)
    with small(path) as taken:
        first, second = taken.plan.pieces
        end = second.offset + second.length
        more = LoadPlan((first, second, second._replace(at=end, offset=end, length=0)))
        for wrong in (
            altered(taken, 0, length=first.length - 8),
            altered(taken, 0, length=first.length + 8),
            altered(taken, 0, offset=first.offset + 8, length=first.length - 8),
            altered(taken, 0, kind=OBJECTS),
            altered(taken, 0, kind=2),
            altered(taken, 0, at=first.at - 1),
            altered(taken, 1, at=second.at + 1),
            Frozen(taken.memory, "model", LoadPlan((first,)).to_bytes()),
            Frozen(
                taken.memory,
                "model",
                more.to_bytes(),
            ),
        ):
            with pytest.raises((Damaged, NotLoadable, pickle.UnpicklingError, EOFError, ValueError, AttributeError)):
                registry.load(wrong, "joblib")


def test_files_that_only_joblib_can_load_have_no_plan(tmp_path: Path) -> None:
    path = tmp_path / "a.joblib"
    joblib.dump(np.arange(3), path)
    path.write_bytes(path.read_bytes() * 2)
    with small(path) as taken:
        assert not taken.plan
        assert np.array_equal(taken.load(), np.arange(3))
