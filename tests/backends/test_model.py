"""A loaded model as a worker asks it: what a Runnable alone tells, and what is known of a fitted object."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from backends.core import registry, third_party
from backends.core.errors import NotLoadable, Refusal
from backends.core.format import LoadedModel
from backends.core.inspection import Signature
from backends.core.model import Model, Promise
from backends.core.tasks import CLASSIFICATION, DENSITY, REGRESSION, TRANSFORMATION
from backends.estimators.estimator import Estimator
from console.worker.child import tracebacks
from console.worker.child.model_service import ModelService
from console.worker.child.task import task_of


class Sum:
    """A Runnable that adds up."""

    def __init__(self, *methods: str, **signature: Any) -> None:
        self.methods = methods or ("predict",)
        self.row_wise = frozenset(self.methods)
        self.signature = Signature(**signature)
        self.closed = 0

    def call(self, method: str, inputs: Any) -> Any:
        return inputs.sum(axis=1)

    def close(self) -> None:
        self.closed += 1


def test_a_runnable_alone_is_asked_by_its_signature() -> None:
    model = Model(Sum(n_features=2, feature_names=("a", "b"), classes=("no", "yes")))
    assert (model.name, model.model_class) == ("Sum", f"{__name__}.Sum")
    assert (model.inputs.names, model.inputs.count) == (["a", "b"], 2)
    assert model.classes.tolist() == ["no", "yes"]
    assert model.call("predict", np.ones((3, 2))).tolist() == [2, 2, 2]
    assert (model.default, model.by_row, model.promise) == ("predict", True, Promise())
    with pytest.raises(Refusal, match="Sum has no transform; it has predict"):
        model.method("transform")
    with pytest.raises(NotLoadable, match="only models of Python objects"):
        model.convert("pickle", -1)


@pytest.mark.parametrize(
    ("runnable", "task"),
    [
        (Sum(), REGRESSION),
        (Sum("predict", "predict_proba"), CLASSIFICATION),
        (Sum(classes=("a", "b")), CLASSIFICATION),
        (Sum("transform"), TRANSFORMATION),
        (Sum("score_samples"), DENSITY),
    ],
)
def test_the_task_of_a_runnable_follows_from_what_it_has(runnable: Any, task: str) -> None:
    assert task_of(Model(runnable)) == task


def test_a_format_of_objects_makes_a_model_of_what_it_loads() -> None:
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    for name in ("pickle", "joblib", "hdf5", "hdf5-weights"):
        model = registry.named(name).model(LoadedModel(fitted, name))
        assert isinstance(model, Estimator)
        assert model.fitted is fitted
    runnable = Sum()
    assert type(registry.named("onnx").model(LoadedModel(runnable, "onnx"))) is Model


def test_a_model_is_closed_where_another_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(third_party, "allow", lambda: None)
    monkeypatch.setattr(tracebacks, "collect_warnings", lambda: None)
    first, second = Sum(), Sum()
    service = ModelService()
    service.hold(Model(first))
    assert first.closed == 0
    service.hold(Model(second))
    assert (first.closed, second.closed) == (1, 0)
    assert service.run(np.ones((1, 2)), ("predict",), None)[0]["predict"].tolist() == [2]
