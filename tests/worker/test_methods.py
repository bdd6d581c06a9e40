"""Methods that rows can be asked of, and what is said of models that have none."""

from __future__ import annotations

import pickle
from typing import Any

import numpy
import pandas
import pytest
from sklearn.cluster import DBSCAN, AgglomerativeClustering
from sklearn.linear_model import Ridge
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.svm import SVC

from backends.core.errors import Refusal
from backends.estimators.estimator import Estimator
from console.worker.failures import ChildRefused
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.worker.payloads import OpenFile

X = numpy.random.default_rng(0).normal(size=(20, 2))
Y = numpy.arange(20) % 2


class Survival:
    """Answers, but under names of its own."""

    def predict_median(self, rows: Any) -> Any:
        return numpy.asarray(rows)[:, 0]

    def predict_one(self, row: dict[str, float]) -> float:
        return row["a"]

    def fit_more(self, rows: Any) -> None:
        raise AssertionError


class River:
    """Answers one row at a time only."""

    def predict_one(self, row: dict[str, float]) -> float:
        return row["a"]


@pytest.mark.parametrize(
    ("model", "first"),
    [
        (Ridge().fit(X, Y), "predict"),
        (StandardScaler().fit(X), "transform"),
        (KernelDensity().fit(X), "score_samples"),
        (LocalOutlierFactor(novelty=True).fit(X), "predict"),
    ],
)
def test_the_first_method_that_answers_rows_is_asked(model: Any, first: str) -> None:
    assert Estimator(model).default == first
    assert len(Estimator(model).method(first)(X)) == 20


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (DBSCAN().fit(X), "DBSCAN has no method that answers rows: it has fit, fit_predict,"),
        (AgglomerativeClustering().fit(X), "this console calls predict, predict_proba,"),
        (TSNE(perplexity=5), "fit_transform"),
        (LocalOutlierFactor().fit(X), r"rows \(predict is not available when novelty=False"),
        (River(), "it has predict_one; this console calls"),
        ({"model": Ridge()}, "dict has no method that answers rows: it is no model"),
        (X, "ndarray has no method that answers rows: it is no model"),
        ("a text", "str has no method that answers rows: it is no model"),
        (StandardScaler, "it is the class StandardScaler, no fitted model"),
        (LabelEncoder().fit(["a", "b"]), r"\(it has transform, which takes labels and no rows\)"),
        (pandas.DataFrame(X), "DataFrame has no method that answers rows: it is no model"),
        (None, "NoneType has no method that answers rows"),
        (Survival(), r"Survival has none of predict, .*; name one of predict_median \(--method\)"),
    ],
)
def test_a_model_with_nothing_to_call_says_what_it_has(model: Any, says: str) -> None:
    assert Estimator(model).default is None
    with pytest.raises(Refusal, match=says):
        raise Estimator(model).nothing_to_call()


def test_other_methods_that_answer_rows_can_be_named() -> None:
    assert Estimator(Survival()).method("predict_median")(X).tolist() == X[:, 0].tolist()
    assert Estimator(Survival()).methods == ("predict_median",)
    assert len(Estimator(GaussianMixture().fit(X)).method("score_samples")(X)) == 20


@pytest.mark.parametrize(
    ("model", "name", "says"),
    [
        (SVC().fit(X, Y), "predict_proba", r"has no predict_proba \(predict_proba is not available when probability="),
        (SVC().fit(X, Y), "predict_probability", "SVC has no predict_probability; it has predict, decision_function"),
        (Survival(), "fit_more", "has fit_more, which this console does not call on rows; it has predict_median"),
        (Survival(), "predict_one", "which takes one row at a time and no table; it has predict_median"),
        (Ridge().fit(X, Y), "__init__", "has no __init__; it has predict"),
        (DBSCAN().fit(X), "predict", "DBSCAN has no predict: it has fit, fit_predict"),
    ],
)
def test_a_method_that_cannot_be_asked_says_why(model: Any, name: str, says: str) -> None:
    with pytest.raises(Refusal, match=says):
        Estimator(model).method(name)


async def test_a_worker_refuses_whatever_needs_an_answer(launcher: Launcher, open_file: OpenFile) -> None:
    worker = await Worker.start(launcher, "model.pkl", fresh=False)
    told = await worker.load(open_file(pickle.dumps(DBSCAN().fit(X)), "model.pkl"), "pickle")
    assert told.methods == ()
    handle, _table = await worker.open_data(open_file(b"0.1,0.2\n0.3,0.4\n", "d.csv"), "d.csv")
    asked = (
        worker.resolve(),
        worker.call(handle),
        worker.call(handle, 0, 1, outputs=False),
        worker.call_rows([[0.1, 0.2]]),
        worker.call_array("<f8", (1, 2), X[:1].tobytes()),
        worker.evaluate(handle),
        worker.write_outputs(handle, 0, 2, ("csv",)),
    )
    for one in asked:
        with pytest.raises(ChildRefused, match=r"DBSCAN has n(o|either) .*: it has fit, fit_predict,"):
            await one
