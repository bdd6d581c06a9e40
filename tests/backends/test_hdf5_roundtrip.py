"""Every fitted estimator of scikit-learn goes through our HDF5 layout and answers the same, to the last bit."""

from __future__ import annotations

import tempfile
from typing import Any, NamedTuple

import numpy as np
import pytest
import sklearn

from backends.core.inspection import Inspection
from backends.core.places import resolve
from backends.core.source import Source
from backends.estimators.convert import compare_outputs
from backends.formats.hdf5 import own
from tests.estimators import fit_all_estimators


class Trip(NamedTuple):
    """One estimator before and after, and what inspecting its file told."""

    name: str
    model: Any
    X: Any
    again: Any
    facts: Inspection


@pytest.fixture(scope="module")
def trips() -> list[Trip]:
    """Every estimator through a file and back."""
    found = []
    for name, model, X in fit_all_estimators():
        with tempfile.TemporaryFile("w+b") as file:
            own.save(model, file.fileno())
            source = Source(file.fileno())
            found.append(Trip(name, model, X, own.load(source).model, own.inspect(source)))
    return found


def copied(X: Any) -> Any:
    """A copy: some estimators keep their very training array, and answer otherwise when they are asked about it."""
    return X.copy() if isinstance(X, np.ndarray) else X


@pytest.mark.slow
def test_every_estimator_answers_the_same_to_the_last_bit(trips: list[Trip]) -> None:
    differences: dict[str, list[str]] = {}
    for name, model, X, again, _ in trips:
        assert type(again) is type(model)
        found = compare_outputs(model, again, copied(X))
        if found:
            differences[name] = found
    assert not differences
    assert len(trips) > 200


@pytest.mark.slow
def test_inspection_tells_class_parameters_and_places_of_every_estimator(trips: list[Trip]) -> None:
    for name, model, _, again, facts in trips:
        assert facts.model_class == f"{type(model).__module__}.{type(model).__qualname__}"
        assert set(facts.parameters) == set(model.get_params(deep=False)), name
        assert facts.library_versions["scikit-learn"] == sklearn.__version__
        assert facts.complete, name
        assert facts.loadable, name
        assert not facts.findings, name
        assert facts.signature.n_features == getattr(model, "n_features_in_", None), name
        for entry in facts.models:
            assert type(resolve(again, entry.at)).__qualname__ == entry.class_name.rsplit(".", 1)[1], (name, entry.at)
