"""Plain lists of weights as textbooks write them, and the classes that are rebuilt from them."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from backends.core import registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.estimators.convert import compare_outputs
from backends.formats.hdf5 import weights
from tests.inspecting import inspect_file

X = np.random.default_rng(0).normal(size=(60, 4))
TWO = np.where(X[:, 0] > 0, "yes", "no")
THREE = np.digitize(X[:, 0], [-0.5, 0.5])


def load(path: Path) -> Any:
    with path.open("rb") as file:
        source = Source(file.fileno(), path.name)
        return registry.load(source, registry.identify(source).name).model


def textbook(path: Path, weights: list[Any], naming: str = "weight_{}", **attributes: Any) -> Path:
    with h5py.File(path, "w") as f:
        group = f.create_group("model/weights")
        for i, w in enumerate(weights):
            group.create_dataset(naming.format(i), data=w)
        f["model"].attrs.update(attributes)
    return path


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression().fit(X, X[:, 0]), Ridge(alpha=2.0).fit(X, X[:, :2]), LogisticRegression(C=0.5).fit(X, TWO),
        LogisticRegression().fit(X, THREE), RidgeClassifier().fit(X, TWO), LinearSVC().fit(X, THREE),
        SGDClassifier(loss="log_loss", random_state=0).fit(X, THREE), StandardScaler().fit(X), MinMaxScaler().fit(X),
        KMeans(3, n_init=1, random_state=0).fit(X), PCA(2, svd_solver="full").fit(X), GaussianNB().fit(X, TWO),
        MLPClassifier((5, 3), max_iter=20, random_state=0).fit(X, TWO),
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=20).fit(X, X[:, :2]),
        MLPClassifier((5,), max_iter=20, random_state=0).fit(X, THREE),
    ],
    ids=lambda model: type(model).__name__,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_saved_weights_rebuild_the_model_to_the_last_bit(model: Any) -> None:
    with tempfile.TemporaryFile("w+b") as file:
        registry.save(model, "hdf5-weights", file.fileno())
        source = Source(file.fileno())
        assert registry.identify(source).name == "hdf5-weights"
        facts = registry.inspect(source)
        again = registry.load(source, "hdf5-weights").model
    assert compare_outputs(model, again, X) == []
    assert type(again) is type(model)
    assert str(facts.model_class).rpartition(".")[2] == type(model).__name__
    assert facts.loadable
    assert facts.complete
    assert facts.signature.n_features == 4
    assert facts.n_weights == sum(np.size(weight) for weight in _weights(facts, model))


def _weights(facts: Inspection, model: Any) -> list[Any]:
    shapes = [np.zeros(info.shape) for info in facts.arrays]
    assert all(info.name == f"/model/weights/weight_{position}" for position, info in enumerate(facts.arrays))
    return shapes


def test_a_textbook_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, THREE)
    path = textbook(
        tmp_path / "chapter.h5", [model.coef_, model.intercept_], **{"class": "sklearn.linear_model.LogisticRegression"}
    )
    facts = inspect_file(path)
    assert facts.format == "hdf5-weights"
    assert facts.model_class == "sklearn.linear_model.LogisticRegression"
    assert [info.shape for info in facts.arrays] == [(3, 4), (3,)]
    assert np.array_equal(load(path).predict(X), model.predict(X))


@pytest.mark.parametrize("name", ["{}", "weight_{}", "weights_{}", "w{}", "layer_{}"])
def test_weights_stand_in_numeric_order_however_they_are_called(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    sizes = [4, *[6] * 11, 1]
    coefs = [rng.normal(size=pair) for pair in pairwise(sizes)]
    biases = [rng.normal(size=size) for size in sizes[1:]]
    mixed = [part for pair in zip(coefs, biases, strict=True) for part in pair]
    path = textbook(tmp_path / "deep.h5", mixed, name, **{"class": "sklearn.neural_network.MLPRegressor"})
    model = load(path)
    assert all(np.array_equal(left, right) for left, right in zip(model.coefs_, coefs, strict=True))
    assert model.predict(X).shape == (60,)


def test_labels_and_parameters_beside_the_weights_are_used(tmp_path: Path) -> None:
    beside: dict[str, Any] = {"class": "LogisticRegression", "parameters": json.dumps({"C": 3.0}), "classes": [7, 9]}
    path = textbook(tmp_path / "labels.h5", [np.ones((1, 4)), np.zeros(1)], **beside)
    model = load(path)
    assert model.C == 3.0
    assert set(model.predict(X)) == {7, 9}
    assert inspect_file(path).signature.classes == (7, 9)


@pytest.mark.parametrize(
    ("weights", "attributes", "told"),
    [
        ([np.ones(3)], {}, "do not say which class"),
        ([np.ones(3)], {"class": "os.system"}, "cannot be told"),
        ([np.ones(3)], {"class": "sklearn.ensemble.RandomForestClassifier"}, "cannot be told"),
        ([np.ones((1, 3))], {"class": "sklearn.linear_model.Ridge"}, "needs 2 weights"),
        ([np.ones(3), np.ones(1)], {"class": "sklearn.linear_model.Ridge", "parameters": '{"evil": 1}'}, "parameters"),
        ([np.ones((3, 2)), np.ones(9)], {"class": "sklearn.neural_network.MLPRegressor"}, "chain"),
        ([np.ones((3, 4)), np.ones(3)], {"class": "LogisticRegression", "classes": [1, 2]}, "names 2 classes"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(tmp_path: Path, weights: Any, attributes: Any, told: str) -> None:
    path = textbook(tmp_path / "odd.h5", weights, **attributes)
    facts = inspect_file(path)
    assert facts.format == "hdf5-weights"
    with pytest.raises(NotLoadable, match=told):
        load(path)


def test_a_foreign_class_is_named_and_not_loadable(tmp_path: Path) -> None:
    facts = inspect_file(textbook(tmp_path / "evil.h5", [np.ones(3)], **{"class": "os.system"}))
    assert not facts.loadable
    assert [found.code for found in facts.findings] == ["hdf5-unlisted-name"]
    assert [str(use) for use in facts.names] == ["os.system"]


def test_weights_in_another_file_are_not_read(tmp_path: Path) -> None:
    path = textbook(tmp_path / "external.h5", [np.ones((1, 3))], **{"class": "sklearn.linear_model.Ridge"})
    with h5py.File(path, "r+") as file:
        file["model/weights"].create_dataset("weight_1", (3,), "u1", external=[("/etc/hostname", 0, 3)])
    with pytest.raises(Damaged, match="other files"):
        load(path)
    facts = inspect_file(path)
    assert [found.code for found in facts.findings] == ["hdf5-external-storage"]
    assert not facts.loadable


def test_labels_in_another_file_are_not_read(tmp_path: Path) -> None:
    path = textbook(tmp_path / "labels.h5", [np.ones((1, 4)), np.zeros(1)], **{"class": "LogisticRegression"})
    with h5py.File(path, "r+") as file:
        file["model"].create_dataset("classes", (2,), "u1", external=[("/etc/hostname", 0, 2)])
    assert inspect_file(path).signature.classes is None
    with pytest.raises(Damaged, match="other files"):
        load(path)


def test_a_class_without_a_plain_list_is_refused_when_saving() -> None:
    with tempfile.TemporaryFile("w+b") as file, pytest.raises(NotLoadable, match="hdf5, joblib or pickle"):
        weights.save(RandomForestClassifier(2).fit(X, TWO), file.fileno())
