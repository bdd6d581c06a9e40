"""The facts read statically from a file equal what the estimators in it say of themselves."""

from __future__ import annotations

import io
import math
import pickle
import time
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from backends.core.places import resolve
from tests.estimators import SKIPPED, fit_all_estimators
from tests.inspecting import inspect_bytes

FORMS = ("pickle 0", "pickle 2", "pickle 4", "pickle 5", "joblib raw", "joblib zlib", "joblib xz")


def written(model: Any, form: str) -> bytes:
    kind, how = form.split()
    if kind == "pickle":
        return pickle.dumps(model, int(how))
    file = io.BytesIO()
    joblib.dump(model, file, compress=0 if how == "raw" else (how, 3))
    return file.getvalue()


def as_json(value: Any) -> Any:
    """The value that `parameters` must give of a constructor argument; `...` where any short text will do."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, np.generic):
        return as_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    return ...


def same(told: Any, wanted: Any) -> bool:
    if wanted is ...:
        return isinstance(told, str)
    if isinstance(wanted, list):
        return isinstance(told, list) and len(told) == len(wanted) and all(map(same, told, wanted))
    if isinstance(wanted, dict):
        return isinstance(told, dict) and told.keys() == wanted.keys() and all(same(told[k], wanted[k]) for k in wanted)
    return type(told) is type(wanted) and bool(told == wanted)


@pytest.mark.parametrize("form", FORMS)
def test_every_estimator_is_read_as_it_is(form: str) -> None:
    wrong = {}
    fitted = fit_all_estimators()
    for name, model, _ in fitted:
        inspection = inspect_bytes(written(model, form))
        facts = (
            inspection.model_class == f"{type(model).__module__}.{type(model).__qualname__}",
            inspection.models[0].at == "" and inspection.models[0].version == sklearn.__version__,
            inspection.library_versions == {"scikit-learn": sklearn.__version__},
            same(inspection.parameters, as_json(model.get_params(deep=False))),
            inspection.complete and not inspection.findings,
        )
        if not all(facts):
            wrong[name] = facts
    assert not wrong
    assert len(fitted) > 150
    assert len(SKIPPED) < 10


def test_signature_of_every_estimator() -> None:
    for name, model, _ in fit_all_estimators():
        signature = inspect_bytes(written(model, "joblib raw")).signature
        assert signature.n_features == getattr(model, "n_features_in_", None), name
        classes = getattr(model, "classes_", None)
        if isinstance(classes, np.ndarray):
            assert list(signature.classes or ()) == classes.tolist(), name


def test_array_facts_are_those_of_the_arrays() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(np.random.RandomState(0).rand(20, 3), [0, 1] * 10)
    for form in FORMS:
        inspection = inspect_bytes(written(model, form))
        for info in inspection.arrays:
            array = resolve(model, info.name)
            assert (info.shape, info.dtype, info.bytes) == (array.shape, str(array.dtype), array.nbytes)
        assert "steps[1][1].coef_" in {info.name for info in inspection.arrays}
        assert inspection.n_weights == sum(resolve(model, info.name).size for info in inspection.arrays)


def test_every_estimator_of_a_container_is_listed_with_a_place_that_resolves() -> None:
    X, y = np.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 0, 1]
    inner = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    root = {"model": inner, "odd key's [x]": [LogisticRegression(C=3).fit(X, y)], 7: (StandardScaler().fit(X), "note")}
    for form in FORMS:
        inspection = inspect_bytes(written(root, form))
        found = {entry.at: entry.class_name for entry in inspection.models}
        assert inspection.model_class == "sklearn.pipeline.Pipeline"
        assert len(found) == 5
        for at, class_name in found.items():
            kind = type(resolve(root, at))
            assert class_name == f"{kind.__module__}.{kind.__qualname__}"
        assert inspection.models[0].steps == ("standardscaler", "logisticregression")
        assert inspection.details["root"] == "dict(3): model, odd key's [x], 7"


def test_feature_names_and_text_classes_are_told() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "größe": [4.0, 3.0, 2.0, 1.0]})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, ["no", "yes", "no", "yes"])
    for form in FORMS:
        signature = inspect_bytes(written(model, form)).signature
        assert signature.feature_names == ("age", "größe")
        assert signature.classes == ("no", "yes")
        assert (signature.n_features, signature.outputs) == (2, 1)


def test_classes_that_cannot_be_imported_are_listed_just_the_same() -> None:
    data = (
        b"\x80\x04}X\x05\x00\x00\x00modelX\x08\x00\x00\x00__main__X\x0e\x00\x00\x00LSTMClassifier\x93)\x81}"
        b"(X\x05\x00\x00\x00unitsK\x20X\x07\x00\x00\x00_hiddenK\x01X\x07\x00\x00\x00fitted_K\x02ubs."
    )
    inspection = inspect_bytes(data)
    assert inspection.model_class == "__main__.LSTMClassifier"
    assert [(entry.at, entry.parameters) for entry in inspection.models] == [("model", {"units": 32})]
    assert inspection.library_versions == {}


def test_odd_parameter_values_stay_json() -> None:
    model = FunctionTransformer(func=np.log1p, kw_args={"a": float("nan"), "b": np.float64(2), "c": np.zeros((3, 4))})
    model.inverse_func = float
    told = inspect_bytes(written(model, "pickle 5")).parameters
    assert told["func"] == "<function numpy.log1p>"
    assert told["inverse_func"] == "<class builtins.float>"
    assert told["kw_args"] == {"a": "nan", "b": 2.0, "c": "<array float64 (3, 4)>"}


def test_a_callable_in_the_place_of_a_method_is_a_finding() -> None:
    model = LogisticRegression()
    model.predict = print
    assert [each.code for each in inspect_bytes(written(model, "pickle 4")).findings] == ["method-override"]


def test_shared_values_do_not_unfold_without_bound() -> None:
    shared: list[Any] = [1] * 200
    for _ in range(6):
        shared = [shared] * 200
    started = time.process_time()
    inspection = inspect_bytes(written(LogisticRegression(class_weight={"a": shared}), "pickle 4"))
    assert inspection.model_class == "sklearn.linear_model._logistic.LogisticRegression"
    assert time.process_time() - started < 10
    assert "<…>" in str(inspection.parameters["class_weight"])


def test_cycles_and_depth_are_survived() -> None:
    cycle: list[Any] = [LogisticRegression()]
    cycle.append(cycle)
    assert [entry.at for entry in inspect_bytes(written(cycle, "pickle 5")).models] == ["[0]"]
    deep = inspect_bytes(b"\x80\x04" + b"]" * 20_000 + b"a" * 19_999 + b".")
    assert not deep.complete
    assert [each.code for each in deep.findings] == ["limit"]
