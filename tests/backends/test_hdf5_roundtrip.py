"""Every fitted estimator of scikit-learn goes through our HDF5 layout and answers the same, to the last bit."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pytest
import sklearn

from backends.base import Source, resolve
from backends.convert import compare_outputs
from backends.hdf5 import Hdf5
from tests.estimators import fit_all_estimators


@pytest.fixture(scope="module")
def fitted() -> list[tuple[str, Any, Any]]:
    return fit_all_estimators()


def copied(X: Any) -> Any:
    """A copy: some estimators keep their very training array, and answer otherwise when they are asked about it."""
    return X.copy() if isinstance(X, np.ndarray) else X


def test_every_estimator_answers_the_same_to_the_last_bit(fitted: list[tuple[str, Any, Any]]) -> None:
    differences: dict[str, list[str]] = {}
    for name, model, X in fitted:
        with tempfile.TemporaryFile("w+b") as file:
            Hdf5().save(model, file.fileno())
            again = Hdf5().load(Source(file.fileno())).model
        assert type(again) is type(model)
        found = compare_outputs(model, again, copied(X))
        if found:
            differences[name] = found
    assert not differences
    assert len(fitted) > 200


def test_inspection_tells_class_parameters_and_places_of_every_estimator(fitted: list[tuple[str, Any, Any]]) -> None:
    for name, model, _ in fitted:
        with tempfile.TemporaryFile("w+b") as file:
            Hdf5().save(model, file.fileno())
            facts = Hdf5().inspect(Source(file.fileno()))
            again = Hdf5().load(Source(file.fileno())).model
        assert facts.model_class == f"{type(model).__module__}.{type(model).__qualname__}"
        assert set(facts.parameters) == set(model.get_params(deep=False)), name
        assert facts.library_versions["scikit-learn"] == sklearn.__version__
        assert facts.complete, name
        assert facts.loadable, name
        assert not facts.findings, name
        assert facts.signature.n_features == getattr(model, "n_features_in_", None), name
        for entry in facts.models:
            assert type(resolve(again, entry.at)).__qualname__ == entry.class_name.rsplit(".", 1)[1], (name, entry.at)
