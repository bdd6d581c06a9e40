"""Every kind of data file into what a model takes; what does not fit is a table of differences."""

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
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from backends.core.errors import Refusal
from backends.core.source import Source
from backends.estimators.estimator import Estimator
from console.worker.child import readers
from console.worker.child.tables import Table, read_table

FRAME = pandas.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "town": ["a", "b", "a", "b"], "y": [0, 1, 0, 1]})
Read = Callable[..., Table]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    fds = []

    def table(data: bytes, target: str | None = None, model: Any = None, name: str = "data.csv") -> Table:
        (tmp_path / name).write_bytes(data)
        fds.append(os.open(tmp_path / name, os.O_RDONLY))
        return read_table(Source(fds[-1], name), target, None if model is None else Estimator(model))

    yield table
    for fd in fds:
        os.close(fd)


@pytest.fixture(scope="module")
def mixed() -> Any:
    """A pipeline that takes a number and a text column by name."""
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["town"]))
    return make_pipeline(columns, LogisticRegression()).fit(FRAME[["age", "town"]], FRAME["y"])


@pytest.fixture(scope="module")
def plain() -> Any:
    """A model fitted on an array of two columns."""
    return LogisticRegression().fit(numpy.arange(8.0).reshape(4, 2), [0, 1, 0, 1])


def csv(frame: pandas.DataFrame) -> bytes:
    return str(frame.to_csv(index=False)).encode()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    numpy.savez(file, **arrays)
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    numpy.save(file, array)
    return file.getvalue()


def hdf5(**arrays: Any) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as out:
        for name, array in arrays.items():
            out[name] = array
    return file.getvalue()


def parquet(frame: pandas.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


def differences(caught: pytest.ExceptionInfo[Refusal]) -> list[tuple[Any, ...]]:
    assert caught.value.code == "columns"
    assert caught.value.details is not None
    json.dumps(caught.value.details)
    return [(one["column"], one["problem"]) for one in caught.value.details["differences"]]


@pytest.mark.parametrize("form", [csv, parquet])
def test_columns_are_matched_by_name_in_any_order(
    read: Read, mixed: Any, form: Callable[[pandas.DataFrame], bytes]
) -> None:
    table = read(form(FRAME[["y", "town", "age"]]), "y", mixed)
    assert [name for name, _dtype in table.columns] == ["age", "town"]
    assert (table.rows, table.target) == (4, "y")
    assert mixed.score(table.slice(0, None), table.truth(0, None)) == 1.0


def test_all_differences_are_told(read: Read, mixed: Any) -> None:
    wrong = FRAME.drop(columns="town").assign(age=["x", "y", "z", "w"], more=1)
    with pytest.raises(Refusal, match=r"data\.csv does not fit the model") as caught:
        read(csv(wrong), "y", mixed)
    assert differences(caught) == [("town", "missing"), ("more", "surplus"), ("age", "type")]
    assert "'x'" not in str(caught.value.details)


def test_a_number_where_text_was_is_a_difference(read: Read, mixed: Any) -> None:
    with pytest.raises(Refusal) as caught:
        read(csv(FRAME.assign(town=1)), "y", mixed)
    assert differences(caught) == [("town", "type")]


def test_a_surplus_column_may_be_the_target(read: Read, mixed: Any) -> None:
    with pytest.raises(Refusal, match="if 'y' is the target, say so") as caught:
        read(csv(FRAME), None, mixed)
    assert differences(caught) == [("y", "surplus")]


def test_a_target_that_is_not_there(read: Read, mixed: Any) -> None:
    with pytest.raises(Refusal) as caught:
        read(csv(FRAME), "z", mixed)
    assert differences(caught) == [("z", "missing target")]


def test_a_model_without_names_takes_columns_as_they_come(read: Read, plain: Any) -> None:
    table = read(b"a,b,y\n1,2,0\n3,4,1\n", "y", plain)
    assert type(table.X).__name__ == "ndarray"
    assert plain.predict(table.slice(0, 1)).shape == (1,)
    with pytest.raises(Refusal, match="if one of them is the target, say which") as caught:
        read(b"a,b,y\n1,2,0\n3,4,1\n", None, plain)
    assert differences(caught) == [("", "count")]
    with pytest.raises(Refusal) as caught:
        read(b"a,b\n1,x\n3,y\n", None, plain)
    assert differences(caught) == [("b", "type")]


def test_arrays(read: Read, plain: Any) -> None:
    X, y = numpy.arange(8.0).reshape(4, 2), numpy.array([0, 1, 0, 1])
    for data in (npz(X=X, y=y), hdf5(X=X, y=y), npz(data=X, target=y)):
        table = read(data, None, plain)
        assert (table.rows, list(table.truth(1, 3))) == (4, [1, 0])
    assert read(npy(X), None, plain).y is None
    table = read(npy(numpy.column_stack([X, y])), "-1", plain)
    assert list(table.truth(0, None)) == [0, 1, 0, 1]
    assert read(npy(numpy.zeros((3, 2, 1))), None, plain).X.shape == (3, 2)
    assert read(npz(a=X[:, 0], b=X[:, 1]), None, plain).X.shape == (4, 2)


def test_arrays_for_a_model_with_names_become_a_frame(read: Read) -> None:
    model = LogisticRegression().fit(FRAME[["age"]], FRAME["y"])
    table = read(npz(X=numpy.ones((2, 1)), feature_names=numpy.array(["age"])), None, model)
    assert list(table.X) == ["age"]
    assert list(read(npy(numpy.ones((2, 1))), None, model).X) == ["age"]


def test_texts(read: Read) -> None:
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(["good day", "bad day"], [1, 0])
    table = read(b"text,label\ngood one,1\nbad one,0\n", "label", model)
    assert list(model.predict(table.slice(0, None))) == [1, 0]
    assert table.sample(0, 1) == [{"text": "good one"}]
    texts = read(npy(numpy.array([["good one"], ["bad one"]])), None, model)
    assert list(model.predict(texts.slice(0, None))) == [1, 0]
    with pytest.raises(Refusal, match=r"'0': text expected, found numbers \(float64\)"):
        read(npy(numpy.ones((2, 1))), None, model)
    with pytest.raises(Refusal, match="1 column expected, 2 columns found"):
        read(npy(numpy.ones((2, 2))), None, model)


def test_missing_values_before_an_imputer(read: Read) -> None:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(FRAME[["age"]], FRAME["y"])
    table = read(b'age\n1\n""\n3\n', None, model)
    assert len(model.predict(table.slice(0, None))) == 3


def test_samples_are_json(read: Read, mixed: Any, plain: Any) -> None:
    assert read(csv(FRAME), "y", mixed).sample(1, 1) == [{"age": 2.0, "town": "b"}]
    assert read(npy(numpy.array([[1.5, numpy.nan]])), None, plain).sample(0, 9) == [{"x": [1.5, "nan"]}]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n1,2,3\n", "line 3"),
        (b"a,b\n1,\xff\x81\n", "neither UTF-8 nor cp1252"),
        (b"\x00\x01binary", "byte 0 at 0"),
        (b"PAR1 and no more", "cannot be read as parquet"),
        (b"\x93NUMPY\x01\x00rest", "cannot be read as npy"),
        (b"PK\x03\x04rest", "cannot be read as npz"),
        (b"\x89HDF\r\n\x1a\nrest", "cannot be read as HDF5"),
        (npy(numpy.array([{}], dtype=object)), "cannot be read as npy"),
        (npy(numpy.float64(3)), "single value"),
        (npz(a=numpy.ones((2, 2)), b=numpy.ones((3, 2))), "does not say which array"),
        (npz(X=numpy.ones((2, 2)), y=numpy.ones(3)), "2 rows, but 3 values"),
    ],
)
def test_files_that_cannot_be_read_say_where(read: Read, data: bytes, says: str) -> None:
    with pytest.raises(Refusal, match=says) as caught:
        read(data)
    assert caught.value.code == "bad-input"
    assert str(caught.value).startswith("data.csv ")


def test_separators_and_headless_files(read: Read, plain: Any) -> None:
    assert read(b"a;b\n1;2\n", None, plain).X.tolist() == [[1.0, 2.0]]
    assert read(b"1\t2\n3\t4\n", None, plain).rows == 2
    assert read("\ufeffa,b\n1,2\n".encode(), None, None).columns[0][0] == "a"


def test_limits_are_stated(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.worker.child.data.delimited.ROWS_CAP", 2)
    with pytest.raises(Refusal, match="more than 2 rows"):
        read(b"a\n1\n2\n3\n")
    monkeypatch.setattr(readers, "BYTES_CAP", 4)
    with pytest.raises(Refusal, match="a table may have 4"):
        read(b"a\n1\n2\n3\n")


def test_hdf5_links_and_virtual_data_are_not_followed(read: Read, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as out:
        out["secret"] = numpy.ones((2, 2))
    file = io.BytesIO()
    with h5py.File(file, "w") as out:
        out["X"] = h5py.ExternalLink(str(other), "secret")
        layout = h5py.VirtualLayout((2, 2), "f8")
        layout[:] = h5py.VirtualSource(str(other), "secret", (2, 2))
        out.create_virtual_dataset("data", layout)
    with pytest.raises(Refusal, match="does not say which array"):
        read(file.getvalue())


def test_without_pandas(read: Read, mixed: Any, plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "pandas", lambda: None)
    monkeypatch.setattr("console.worker.child.tables.pandas", lambda: None)
    table = read(csv(FRAME[["town", "age", "y"]]), "y", mixed)
    assert table.X.tolist()[0] == [1.0, "a"]
    assert read(b"a,b\n1,2\n", None, plain).X.tolist() == [[1.0, 2.0]]
    with pytest.raises(Refusal, match="3 cells in line 3"):
        read(b"a,b\n1,2\n1,2,3\n")
    with pytest.raises(Refusal, match="pandas"):
        read(parquet(FRAME))
