"""Columns of every kind of data file, known without reading it whole and told by a sandboxed child."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy
import pandas
import pytest
import scipy.sparse

from backends.core.errors import Refusal
from backends.core.source import Source
from console.records import DataColumns, ReadOptions
from console.worker.child.data.options import ReadOptions as ChildOptions
from console.worker.child.headers import NAMES_CAP, columns_of
from console.worker.failures import ChildRefused
from console.worker.inspector import Inspectors
from console.worker.launcher import Launcher

FRAME = pandas.DataFrame({"age": [1.0, 2.0], "town": ["a", "b"], "y": [0, 1]})
Look = Callable[..., dict[str, Any]]


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Look]:
    fds = []

    def columns(data: bytes, names: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
        (tmp_path / "data").write_bytes(data)
        fds.append(os.open(tmp_path / "data", os.O_RDONLY))
        return columns_of(Source(fds[-1], "data"), ChildOptions(**options), names)

    yield columns
    for fd in fds:
        os.close(fd)


def packed(save: Callable[[Any], None]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


TABLES = {
    "csv": FRAME.to_csv(index=False).encode(),
    "tsv": FRAME.to_csv(index=False, sep="\t").encode(),
    "json lines": FRAME.to_json(orient="records", lines=True).encode(),
    "parquet": packed(FRAME.to_parquet),
    "parquet with an index": packed(FRAME.set_index(numpy.array([5, 7])).to_parquet),
    "feather": packed(FRAME.to_feather),
    "records": packed(lambda file: numpy.save(file, numpy.zeros(2, [("age", "f8"), ("town", "U1"), ("y", "i8")]))),
}


@pytest.mark.parametrize("kind", TABLES)
def test_names_of_a_table(look: Look, kind: str) -> None:
    assert look(TABLES[kind]) == {"names": ["age", "town", "y"], "total": 3, "named": True, "apart": None}


def test_arrays_are_counted_and_their_truth_may_stand_apart(look: Look) -> None:
    wide, truth = numpy.zeros((2000, 3)), numpy.zeros(2000)
    both = {"names": ["0", "1", "2"], "total": 3, "named": False, "apart": "y"}
    assert look(packed(lambda file: numpy.save(file, wide))) == {**both, "apart": None}
    assert look(packed(lambda file: numpy.savez_compressed(file, X=wide, y=truth))) == both

    def hdf5(file: Any) -> None:
        with h5py.File(file, "w") as made:
            made["X"], made["y"] = wide, truth

    assert look(packed(hdf5)) == both
    sparse = packed(lambda file: scipy.sparse.save_npz(file, scipy.sparse.csr_matrix(wide)))
    assert look(sparse) == {**both, "apart": None}


def test_names_that_stand_beside_an_array_are_its_columns(look: Look) -> None:
    names = numpy.array(["p", "q"])
    found = look(packed(lambda file: numpy.savez(file, X=numpy.zeros((4, 2)), y=numpy.zeros(4), feature_names=names)))
    assert (found["names"], found["named"], found["apart"]) == (["p", "q"], True, "y")


def test_only_the_head_of_a_large_file_is_read(look: Look, tmp_path: Path) -> None:
    line = json.dumps({"a": 1, "b": "x" * 1000}) + "\n"
    (tmp_path / "data").write_bytes(b"")
    found = look((line * 1100 + "this is no JSON\n").encode())
    assert found["names"] == ["a", "b"]
    text = "a,b\n" + "1,2\n" * 270_000
    assert look(text.encode())["names"] == ["a", "b"]


def test_what_the_model_knows_and_the_recipe_says_decides(look: Look) -> None:
    assert look(b"1,2\n3,4\n", names=("1", "2"))["named"]
    assert look(b"a;b\n1;2\n", sep=";")["names"] == ["a", "b"]


def test_names_have_bounds(look: Look) -> None:
    found = look((",".join(f"c{at}" for at in range(NAMES_CAP + 9)) + "\n" + ",".join("1" * (NAMES_CAP + 9))).encode())
    assert (len(found["names"]), found["total"]) == (NAMES_CAP, NAMES_CAP + 9)


@pytest.mark.parametrize(
    "data",
    [b"", b"<!DOCTYPE html><html>", b"PAR1 no parquet", b"ARROW1 no feather", b"\x93NUMPY\x01\x00no", b"PK\x03\x04no",
     b"\x89HDF\r\n\x1a\nno", pandas.Series([object()]).to_numpy().dumps()],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_a_sentence(look: Look, data: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        look(data)
    assert refused.value.code in ("bad-input", "no-rows")


async def test_an_inspector_tells_them_from_its_sandbox(tmp_path: Path) -> None:
    launcher = Launcher()
    inspectors = Inspectors(launcher, 1)
    try:
        for name, data in (("a\udcff\n.csv", TABLES["csv"]), ("b.parquet", TABLES["parquet"])):
            (tmp_path / name).write_bytes(data)
            with (tmp_path / name).open("rb") as file:
                found = await inspectors.columns(file.fileno(), name, ReadOptions())
            assert found == DataColumns(("age", "town", "y"), 3)
        (tmp_path / "none").write_bytes(b"")
        with (tmp_path / "none").open("rb") as file, pytest.raises(ChildRefused, match="is empty"):
            await inspectors.columns(file.fileno(), "none", ReadOptions())
    finally:
        await inspectors.close()
        await launcher.close()
