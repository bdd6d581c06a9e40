"""Every format keeps the contract: each names its samples here."""

from __future__ import annotations

import copy
import gzip
import io
import os
import pickle
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from backends.core import registry
from backends.core.descriptors import built_in
from backends.core.source import MemorySource, Source
from tests import (
    gguf_files,
    mlflow_files,
    serving_files,
    tensorflow_files,
    tflite_files,
    torch_files,
    transformers_files,
)
from tests.backends import (
    catboost_files,
    lightgbm_files,
    test_coreml,
    test_keras,
    test_onnx,
    test_pmml,
    test_xgboost,
    xgboost_files,
)
from tests.backends.contract import HEAVY, Sample, report_of
from tests.safetensors_files import packed

LAYERS = {**test_keras.SEQUENTIAL, "module": "keras"}
HDF5 = frozenset(("h5py", "numpy"))
X = np.arange(40.0).reshape(20, 2)


def model() -> Any:
    return LogisticRegression().fit(X, np.arange(20) % 2)


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, X)
    return file.getvalue()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.arange(6.0).reshape(2, 3), b=np.array(["x", "yy"]))
    return file.getvalue()


def written(name: str, made: Callable[[], Any], **options: Any) -> Callable[[], bytes]:
    """The bytes of a file in this format."""

    def make() -> bytes:
        fd = os.memfd_create("sample")
        try:
            registry.save(made(), name, fd, **options)
            return Source(fd).read(0, os.fstat(fd).st_size)
        finally:
            os.close(fd)

    return make


def hdf5_data() -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made["X"] = X
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("models/m.pkl", pickle.dumps(model()))
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        data = pickle.dumps(model())
        member = tarfile.TarInfo("m.pkl")
        member.size = len(data)
        made.addfile(member, io.BytesIO(data))
    return file.getvalue()


def old_torch() -> bytes:
    return torch_files.legacy(torch_files.state_dict(torch_files.pid(view=True)))


def at_path(write: Callable[[Path], object]) -> Callable[[], bytes]:
    """The bytes of a file that is written at a path."""

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "sample"
            write(path)
            return path.read_bytes()

    return make


def packed_forest() -> bytes:
    return mlflow_files.zipped(serving_files.triton(onnx_bytes(test_onnx.forest)))


def packed_versions() -> bytes:
    return mlflow_files.zipped(serving_files.tf_versions())


def packed_transformer() -> bytes:
    return mlflow_files.zipped({**transformers_files.files(), **transformers_files.SENTENCE})


def onnx_bytes(make: Callable[[], Any]) -> bytes:
    """A model without what stands last in a file and may as well be missing: functions and metadata."""
    made = copy.deepcopy(make())
    del made.metadata_props[:], made.functions[:]
    data: bytes = made.SerializeToString()
    return data


SAMPLES = (
    Sample("pickle", "protocol 5", ".pkl", lambda: pickle.dumps(model(), 5), model=model),
    Sample("pickle", "protocol 0", ".pkl", lambda: pickle.dumps({"a": [1, 2.5, "x"]}, 0)),
    Sample("pickle", "gzip", ".pkl.gz", written("pickle", model, compression="gzip")),
    Sample("joblib", "raw", ".joblib", written("joblib", model), model=model),
    Sample("joblib", "zlib", ".joblib", written("joblib", model, compression="zlib")),
    Sample("npy", "numbers", ".npy", array),
    Sample("npz", "two arrays", ".npz", arrays),
    Sample("onnx", "a forest", ".onnx", lambda: onnx_bytes(test_onnx.forest)),
    Sample("onnx", "a network", ".onnx", lambda: onnx_bytes(test_onnx.network)),
    Sample("hdf5", "a model", ".h5", written("hdf5", model), HDF5, native=True, model=model),
    Sample("hdf5-weights", "a model", ".h5", written("hdf5-weights", model), HDF5, native=True, model=model),
    Sample("hdf5-data", "an array", ".h5", hdf5_data, HDF5, native=True),
    Sample("keras-h5", "a whole model", ".h5", at_path(partial(test_keras.legacy, config=LAYERS)), HDF5, native=True),
    Sample("keras-weights", "of Keras 3", ".weights.h5", at_path(test_keras.keras3_weights), HDF5, native=True),
    Sample("keras", "an archive", ".keras", at_path(partial(test_keras.archive, config=LAYERS)), HDF5, native=True),
    Sample("torch", "an archive", ".pt", lambda: torch_files.archive(torch_files.state_dict(torch_files.pid()))),
    Sample("torch", "the older layout", ".pt", old_torch),
    Sample("torch-export", "a layer", ".pt2", torch_files.exported),
    Sample("safetensors", "two tensors", ".safetensors", lambda: packed({"a": ("F32", [2, 3]), "b": ("BF16", [4])})),
    Sample("lightgbm", "with categories", ".lgb", lambda: lightgbm_files.as_by_c("categories")),
    Sample("catboost", "with categories", ".cbm", lambda: catboost_files.saved("categories")),
    Sample("xgboost", "with categories", ".ubj", lambda: xgboost_files.saved("categories", "ubj")),
    Sample("xgboost-json", "of several classes", ".json", lambda: xgboost_files.saved("multiclass", "json")),
    Sample("xgboost-binary", "two trees", ".bst", test_xgboost.old_binary),
    Sample("tflite", "a layer", ".tflite", lambda: tflite_files.packed(tflite_files.dense())),
    Sample("saved-model", "a graph", ".pb", lambda: tensorflow_files.saved_model("Relu")),
    Sample("tf-graph", "a graph", ".pb", lambda: tensorflow_files.graph("Relu")),
    Sample("tf-checkpoint", "an index", ".index", lambda: tensorflow_files.index({"w": (4, 2), "b": (2,)})),
    Sample("mlflow", "a packed directory", ".zip", lambda: mlflow_files.zipped(mlflow_files.files(model()))),
    Sample("coreml", "a classifier", ".mlmodel", test_coreml.mlmodel),
    Sample("pmml", "a tree", ".pmml", lambda: test_pmml.DOCUMENT.strip().encode()),
    Sample("torchserve", "an archive", ".mar", lambda: mlflow_files.zipped(serving_files.mar(model()))),
    Sample("bentoml", "a packed directory", ".zip", lambda: mlflow_files.zipped(serving_files.bento(model()))),
    Sample("triton", "a packed directory", ".zip", packed_forest),
    Sample("tfserving", "packed versions", ".zip", packed_versions, unread=True),
    Sample("transformers", "a packed directory", ".zip", packed_transformer),
    Sample("skops", "a model", ".skops", written("skops", model), model=model),
    Sample("gguf", "a small model", ".gguf", gguf_files.whole),
    Sample("archive", "zip", ".zip", zipped),
    Sample("archive", "tar", ".tar", tarred, padded=True),
    Sample("archive", "tar in gzip", ".tar.gz", lambda: gzip.compress(tarred())),
)


@pytest.fixture(params=SAMPLES, ids=str)
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.param
    return found


def test_every_format_names_a_sample() -> None:
    assert {each.format for each in SAMPLES} == {each.name for each in built_in()}


def test_the_code_that_a_descriptor_names_is_there() -> None:
    for each in built_in():
        assert callable(each.code().inspect)
        assert each.suffix == "" or each.suffix.startswith(".")
        assert not each.convertible or callable(each.code().save)


def test_it_is_taken_for_its_own_format_alone(sample: Sample) -> None:
    data = sample.make()
    found = registry.identify(MemorySource(data, f"sample{sample.suffix}"))
    assert found.name == sample.format


@pytest.mark.parametrize("mutations", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_whatever_is_done_to_it_ends_in_a_verdict(sample: Sample, tmp_path: Path, mutations: int) -> None:
    path = tmp_path / f"sample{sample.suffix}"
    path.write_bytes(sample.make())
    report = report_of(path, sample, mutations)
    assert report.faults == []
    assert (report.format, report.complete or sample.unread) == (sample.format, True)
    assert HEAVY.intersection(report.imported) <= sample.needs
    assert report.deaths == 0 or sample.native


@pytest.mark.parametrize("sample", [each for each in SAMPLES if each.model is not None], ids=str)
def test_what_was_written_is_read_back_as_it_was(sample: Sample) -> None:
    assert sample.model is not None
    before = sample.model()
    after = registry.load(MemorySource(sample.make()), sample.format).model
    assert np.array_equal(before.predict_proba(X), after.predict_proba(X))
