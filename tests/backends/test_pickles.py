"""Loading and saving through the backends: round trips, places, memory maps, compressions, several pickles."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from backends.core import registry
from backends.core.errors import NotLoadable, Unsupported
from backends.core.format import LoadedModel
from backends.core.source import Source
from backends.formats.pickle.joblibs import COMPRESS
from tests.inspecting import inspect_file


@pytest.fixture(scope="module")
def forest() -> Any:
    X = np.random.RandomState(0).rand(60, 4)
    return RandomForestClassifier(5, random_state=0).fit(X, (X[:, 0] > 0.5).astype(int))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.bin"


def save(model: Any, path: Path, name: str, **options: Any) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        registry.save(model, name, fd, **options)
    finally:
        os.close(fd)


def load(path: Path, name: str, at: str = "") -> LoadedModel:
    fd = os.open(path, os.O_RDONLY)
    try:
        return registry.load(Source(fd, path.name), name, at)
    finally:
        os.close(fd)


@pytest.mark.parametrize("protocol", range(6))
def test_pickle_round_trip(forest: Any, path: Path, protocol: int) -> None:
    save(forest, path, "pickle", protocol=protocol)
    loaded = load(path, "pickle")
    X = np.random.RandomState(1).rand(20, 4)
    assert inspect_file(path).format == "pickle"
    assert np.array_equal(loaded.model.predict_proba(X), forest.predict_proba(X))
    assert set(loaded.phases) == {"unpickle"}


@pytest.mark.parametrize("compress", COMPRESS)
def test_joblib_round_trip(forest: Any, path: Path, compress: str) -> None:
    save({"model": forest}, path, "joblib", compression=compress)
    inspection = inspect_file(path)
    assert (inspection.format, inspection.compression) == ("joblib", None if compress == "raw" else compress)
    assert inspection.complete
    assert inspection.models[0].at == "model"
    X = np.random.RandomState(1).rand(20, 4)
    assert np.array_equal(load(path, "joblib", "model").model.predict(X), forest.predict(X))


def test_an_unknown_compression_is_refused(forest: Any, path: Path) -> None:
    with pytest.raises(NotLoadable, match="no compression is called 'rar'"):
        save(forest, path, "joblib", compression="rar")


@pytest.mark.parametrize("method", ["gzip", "bz2", "lzma"])
def test_compressed_plain_pickles(path: Path, method: str) -> None:
    module = __import__(method)
    path.write_bytes(module.compress(pickle.dumps({"a": [1, 2]})))
    inspection = inspect_file(path)
    assert (inspection.format, inspection.compression) == ("pickle", {"lzma": "xz"}.get(method, method))
    assert load(path, "pickle").model == {"a": [1, 2]}


def test_several_pickles_are_addressed_by_number(path: Path) -> None:
    path.write_bytes(pickle.dumps([1, 2, 3]) + pickle.dumps({"b": 2}) + pickle.dumps([3, 4, 5]))
    assert load(path, "pickle", "[1]").model == {"b": 2}
    assert load(path, "pickle").model == [[1, 2, 3], {"b": 2}, [3, 4, 5]]


def test_python_2_text_is_loaded_as_latin_1(path: Path) -> None:
    path.write_bytes(b"(dp0\nS'caf\\xe9'\np1\nI1\ns.")
    assert load(path, "pickle").model == {"caf\xe9": 1}


def test_a_place_that_is_not_there_is_told(forest: Any, path: Path) -> None:
    save({"model": forest}, path, "pickle")
    with pytest.raises(NotLoadable, match="nothing stands at 'scaler'"):
        load(path, "pickle", "scaler")


def test_identify_tells_the_formats_apart(forest: Any, path: Path) -> None:
    for name in ("pickle", "joblib"):
        save(forest, path, name)
        fd = os.open(path, os.O_RDONLY)
        assert registry.identify(Source(fd)).name == name
        os.close(fd)
    path.write_text("a,b,c\n1,2,3\n")
    with pytest.raises(Unsupported, match="not a model but a table"):
        inspect_file(path)
    path.write_bytes(b"")
    with pytest.raises(Unsupported, match="the file is empty"):
        inspect_file(path)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (pickle.dumps([1, 2], 0), True),
        (pickle.dumps([1, 2], 5), True),
        (b"\x93NUMPY\x01\x00", True),
        (b"\x89HDF\r\n\x1a\n", True),
        (b"Copyright (C) 2024\nAll rights reserved\n", False),
        (b"id,age\n1,2\n", False),
        (b"import os\n", False),
        (b"{}\n", False),
        (b"", False),
    ],
)
def test_first_bytes_that_may_hold_a_model(head: bytes, expected: bool) -> None:
    assert registry.may_hold_model(head) is expected


def test_what_is_cut_off_meanwhile_is_not_told_as_zero_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps([float(number) for number in range(5000)], 4))
    with path.open("rb") as file:
        source = Source(file.fileno(), path.name)
        os.truncate(path, 20_000)
        codes = {each.code for each in registry.inspect(source).findings}
    assert codes == {"malformed"}
