"""The contents of a file of our own HDF5 layout; odd values come back as they were."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from backends.core import registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.places import resolve
from backends.core.source import Source
from backends.formats.hdf5 import own
from backends.formats.hdf5.allowed import allowed

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


def pipeline() -> Any:
    return Pipeline([("scaler", StandardScaler()), ("clf", LogisticRegression(C=0.5))]).fit(X, Y)


def saved(model: Any, path: Path, **options: Any) -> Path:
    with path.open("w+b") as file:
        own.save(model, file.fileno(), **options)
    return path


def loaded(path: Path, **options: Any) -> Any:
    with path.open("rb") as file:
        return own.load(Source(file.fileno(), path.name), **options).model


def through(value: Any) -> Any:
    """The value after a round trip, held by an estimator's attribute."""
    holder = StandardScaler()
    holder.value_ = value
    with tempfile.TemporaryFile("w+b") as file:
        own.save(holder, file.fileno())
        return own.load(Source(file.fileno())).model.value_


def test_h5ls_shows_every_array_under_its_natural_name(tmp_path: Path) -> None:
    h5ls = shutil.which("h5ls")
    path = saved(pipeline(), tmp_path / "model.h5")
    wanted = {"/model/steps/scaler/mean_": (3,), "/model/steps/clf/coef_": (1, 3), "/model/steps/clf/classes_": (2,)}
    with h5py.File(path) as file:
        assert {name: file[name].shape for name in wanted} == wanted
        assert file["/model/steps/clf"].attrs["C"] == 0.5
        assert file["/model/steps/clf"].attrs["@class"] == "sklearn.linear_model._logistic:LogisticRegression"
    if h5ls is not None:
        told = subprocess.run([h5ls, "-r", str(path)], capture_output=True, text=True, check=True).stdout
        for name in wanted:
            assert any(line.split()[0] == name and "Dataset" in line for line in told.splitlines()), told


def test_a_forest_keeps_its_trees_as_node_arrays(tmp_path: Path) -> None:
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)
    with h5py.File(saved(model, tmp_path / "rf.h5")) as file:
        nodes = file["/model/estimators_/0/tree_/nodes"]
        assert nodes.dtype == model.estimators_[0].tree_.__getstate__()["nodes"].dtype
        assert file["/model/estimators_/2/tree_/values"].shape == model.estimators_[2].tree_.value.shape


def test_a_text_pipeline_keeps_its_vocabulary(tmp_path: Path) -> None:
    texts = ["good film", "bad film", "good food", "gut Überraschung \u2603"] * 20
    model = TfidfVectorizer(ngram_range=(1, 2)).fit(texts)
    again = loaded(saved(model, tmp_path / "text.h5"))
    assert again.vocabulary_ == model.vocabulary_
    assert again.ngram_range == (1, 2)
    assert (again.transform(texts) != model.transform(texts)).nnz == 0


@pytest.mark.parametrize(
    "value",
    [
        None, True, -7, 2**70, -(2**63), 0.1, -0.0, float("inf"), 1 + 2j, "", "naïve \u2603", "nul\0inside",
        "\ud800 lone", "long" * 40_000, b"", b"\x00\xff", [], (), {}, set(), [1, 2], (1.5, 2.5), ["a", "b"],
        [True, False], [1, "a", None], [[1, 2], [3.5]], {"a": 1, "b": [None]}, {1: "x", (2, 3): "y"},
        {"@odd": 1, "a/b": 2, ".": 3, "": 4}, {f"word{i}": i for i in range(1000)},
        {f"word{i}": np.int64(i) for i in range(40)}, frozenset({1, 2}), {"x"},
        slice(1, None, 2), range(3, 9, 2), np.dtype("<f4"), np.float64, float, np.log1p, np.mean, [2**70, 1],
        (np.float32(1.5), np.float32(2.5)),
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12].encode('ascii', 'replace').decode()}",
)  # fmt: skip
def test_plain_values_come_back_with_their_types(value: Any) -> None:
    again = through(value)
    assert type(again) is type(value)
    assert repr(again) == repr(value) if not isinstance(value, (set, frozenset)) else again == value
    if isinstance(value, (list, tuple)):
        assert [type(item) for item in again] == [type(item) for item in value]


@pytest.mark.parametrize(
    "array",
    [
        np.float64(0.5), np.int8(3), np.bool_(True), np.str_("text"), np.datetime64("2020-01-02"), np.array(1.5),
        np.zeros((0, 3)), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(12).reshape(3, 4)[:, ::2],
        np.array(["a", "längere"]), np.array(["nul\0in", "b"]), np.array(["a", "b"], object), np.array([b"a\0b", b"c"]),
        np.array([1, "a", None, np.nan], object), np.array([["a", None]], object), np.array([], object),
        np.array(["2020-01-01", "NaT"], "M8[D]"), np.array([1 + 2j], np.complex64), np.array([1.5], np.float16),
        np.array([1, 2], ">i4"), np.array([True, False]), np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
        np.array([1.5], np.longdouble), np.ma.MaskedArray([1.0, 2.0], mask=[True, False], fill_value=9.0),
        np.matrix([[1.0, 2.0]]), np.array(["", ""], "U0"),
    ],
    ids=lambda array: f"{type(array).__name__}-{array.dtype.str}-{array.shape}",
)  # fmt: skip
def test_arrays_come_back_with_dtype_shape_and_memory_order(array: Any) -> None:
    again = through(array)
    assert type(again) is type(array)
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    assert repr(again) == repr(array)
    assert again.flags.f_contiguous == np.array(array, copy=True, order="K").flags.f_contiguous or array.ndim < 2


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("family", ["matrix", "array"])
def test_sparse_containers_come_back(layout: str, family: str) -> None:
    matrix = getattr(scipy.sparse, f"{layout}_{family}")(np.diag([1.0, 0.0, 3.0]))
    again = through(matrix)
    assert type(again) is type(matrix)
    assert (again != matrix).nnz == 0


def test_random_generators_continue_where_they_were() -> None:
    for made in (np.random.RandomState(3), np.random.default_rng(3), np.random.Generator(np.random.SFC64(3))):
        made.normal(size=5)
        again = through(made)
        assert again.normal(size=4).tolist() == made.normal(size=4).tolist()


def test_an_object_held_twice_is_one_object_again(tmp_path: Path) -> None:
    model = VotingClassifier([("a", LogisticRegression()), ("b", LogisticRegression(C=2.0))]).fit(X, Y)
    assert model.named_estimators_["a"] is model.estimators_[0]
    path = saved(model, tmp_path / "vote.h5")
    again = loaded(path)
    assert again.named_estimators_["a"] is again.estimators_[0]
    with h5py.File(path) as file:
        link = file["/model/named_estimators_/@update"].get("a", getlink=True)
        assert isinstance(link, h5py.SoftLink)


def test_a_list_that_holds_itself_comes_back() -> None:
    value: list[Any] = [1]
    value.append(value)
    again = through(value)
    assert again[1] is again


def test_column_transformer_keeps_columns_and_entries_by_name(tmp_path: Path) -> None:
    table = np.array([["a", 1.0], ["b", 2.0], ["a", 3.0]], dtype=object)
    model = ColumnTransformer([("kind", OneHotEncoder(), [0]), ("number", StandardScaler(), slice(1, 2))]).fit(table)
    path = saved(model, tmp_path / "columns.h5")
    again = loaded(path)
    assert np.array_equal(again.transform(table), model.transform(table))
    with h5py.File(path) as file:
        assert "/model/transformers_/number/transformer/mean_" in file


def test_compression_makes_it_smaller_and_changes_nothing(tmp_path: Path) -> None:
    model = RandomForestClassifier(20, random_state=0).fit(X.repeat(20, axis=0), Y.repeat(20))
    model.table_ = np.zeros((500, 500))
    plain, packed = saved(model, tmp_path / "a.h5"), saved(model, tmp_path / "b.h5", compression="gzip")
    assert packed.stat().st_size < plain.stat().st_size - 1_000_000
    assert np.array_equal(loaded(packed).predict_proba(X), model.predict_proba(X))


def test_a_descriptor_that_can_only_be_written_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    own.save(pipeline(), fd)
    os.close(fd)
    assert np.array_equal(loaded(path).predict(X), pipeline().predict(X))


def test_one_of_several_models_is_chosen_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "two.h5"
    saved({"first": pipeline(), "second": StandardScaler().fit(X)}, path)
    with path.open("rb") as file:
        facts = registry.inspect(Source(file.fileno(), path.name))
    assert [entry.at for entry in facts.models][:1] == ["['first']"]
    assert facts.model_class == "sklearn.pipeline.Pipeline"
    chosen = loaded(path, at="['second']")
    assert isinstance(chosen, StandardScaler)
    assert isinstance(resolve(loaded(path), facts.models[1].at), StandardScaler)


def test_a_pipelines_facts(tmp_path: Path) -> None:
    path = saved(pipeline(), tmp_path / "pipe.h5")
    with path.open("rb") as file:
        facts = registry.inspect(Source(file.fileno(), path.name))
    assert facts.format == "hdf5"
    assert facts.parameters["steps"] == [["scaler", "StandardScaler()"], ["clf", "LogisticRegression()"]]
    assert [(entry.at, entry.steps) for entry in facts.models] == [
        ("", ("scaler", "clf")), ("steps[0][1]", ()), ("steps[1][1]", ()),
    ]  # fmt: skip
    assert facts.models[2].parameters["C"] == 0.5
    assert (facts.signature.n_features, facts.signature.classes, facts.signature.outputs) == (3, (0, 1), 1)
    assert ("sklearn.preprocessing._data", "StandardScaler") in {(use.module, use.name) for use in facts.names}


class Own(BaseEstimator):  # type: ignore[misc]
    """An estimator that no allow-list knows."""


def local_function(values: Any) -> Any:
    return values


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (Own(), "Own"),
        (FunctionTransformer(local_function), "local_function"),
        (FunctionTransformer(lambda values: values), "lambda"),
        (FunctionTransformer(os.system), "system"),
        (FunctionTransformer(X.sum), "ndarray.sum"),
    ],
)
def test_what_is_not_on_the_list_is_refused_by_name_when_saving(model: Any, named: str) -> None:
    with tempfile.TemporaryFile("w+b") as file, pytest.raises(NotLoadable, match=named):
        own.save(model, file.fileno())


@pytest.mark.parametrize("name", ["os:system", "builtins:eval", "builtins:getattr", "sklearn.base:clone.__globals__"])
@pytest.mark.parametrize("marker", ["@class", "@call"])
def test_a_name_that_is_not_on_the_list_is_told_and_never_imported(tmp_path: Path, name: str, marker: str) -> None:
    path = saved(pipeline(), tmp_path / "evil.h5")
    with h5py.File(path, "r+") as file:
        group = file["/model/steps/scaler"]
        del group.attrs["@class"]
        group.attrs[marker] = name
    with path.open("rb") as file:
        facts = own.inspect(Source(file.fileno()))
    assert not facts.loadable
    assert [found.code for found in facts.findings if found.code == "hdf5-unlisted-name"]
    assert name.split(":")[1] in {use.name for use in facts.names}
    with pytest.raises(NotLoadable, match="not on the list"):
        loaded(path)


def test_state_that_replaces_a_method_is_told(tmp_path: Path) -> None:
    model = pipeline()
    model.steps[1][1].predict = np.log1p
    with saved(model, tmp_path / "override.h5").open("rb") as file:
        facts = own.inspect(Source(file.fileno()))
    assert [found.code for found in facts.findings] == ["method-override"]


def test_the_list_names_nothing_outside_the_numeric_libraries() -> None:
    modules = {line.split(" ")[1].split(":")[0].split(".")[0] for line in allowed()}
    assert modules <= {"sklearn", "numpy", "scipy", "copyreg", "builtins", "collections"}
    assert all("." not in line.split(":")[1] for line in allowed())
    assert not {
        line for line in allowed() if line.split(":")[1] in ("eval", "exec", "getattr", "load", "memmap", "open")
    }


@pytest.mark.parametrize(
    "breakage",
    [
        "no model",
        "unknown kind",
        "two markers",
        "bad layout",
        "link out",
        "link nowhere",
        "bad keys",
        "bad dtype",
        "loop",
    ],
)
def test_a_broken_layout_is_damaged_in_one_sentence(tmp_path: Path, breakage: str) -> None:
    path = saved(pipeline(), tmp_path / "broken.h5")
    with h5py.File(path, "r+") as file:
        scaler = file["/model/steps/scaler"]
        if breakage == "no model":
            del file["model"]
        elif breakage == "unknown kind":
            del scaler.attrs["@class"]
            scaler.attrs["@kind"] = "exotic"
        elif breakage == "two markers":
            scaler.attrs["@kind"] = "list"
        elif breakage == "bad layout":
            file.attrs["layout"] = 99
        elif breakage == "link out":
            scaler["other"] = h5py.SoftLink("/elsewhere")
        elif breakage == "link nowhere":
            scaler["other"] = h5py.SoftLink("/model/nothing")
        elif breakage == "bad keys":
            file["/model/steps"].attrs["@keys"] = ["scaler"]
        elif breakage == "bad dtype":
            scaler["mean_"].attrs["@dtype"] = "O,evil"
        else:
            scaler["other"] = h5py.SoftLink("/model/steps/scaler/other")
    with pytest.raises(Damaged) as caught:
        loaded(path)
    assert "\n" not in str(caught.value)
