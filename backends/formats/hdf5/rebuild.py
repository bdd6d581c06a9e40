"""Which fitted attribute each weight of a plain list is, for the classes where the class alone tells it."""

from __future__ import annotations

import importlib
import json
from typing import Any, Optional

import numpy as np

from backends.core.errors import NotLoadable
from backends.core.inspection import Json

_LINEAR = ("coef_", "intercept_")
_LINEAR_MODELS = (
    "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lasso", "LassoCV", "LinearRegression", "LogisticRegression",
    "LogisticRegressionCV", "Perceptron", "Ridge", "RidgeCV", "RidgeClassifier", "SGDClassifier", "SGDRegressor",
)  # fmt: skip
_ROLES: dict[str, tuple[str, ...]] = {
    **{f"sklearn.linear_model.{name}": _LINEAR for name in _LINEAR_MODELS},
    "sklearn.svm.LinearSVC": _LINEAR,
    "sklearn.svm.LinearSVR": _LINEAR,
    "sklearn.neural_network.MLPClassifier": ("coefs_", "intercepts_"),
    "sklearn.neural_network.MLPRegressor": ("coefs_", "intercepts_"),
    "sklearn.preprocessing.StandardScaler": ("mean_", "scale_"),
    "sklearn.preprocessing.MinMaxScaler": ("min_", "scale_"),
    "sklearn.cluster.KMeans": ("cluster_centers_",),
    "sklearn.cluster.MiniBatchKMeans": ("cluster_centers_",),
    "sklearn.decomposition.PCA": ("components_", "mean_", "explained_variance_", "noise_variance_"),
    "sklearn.naive_bayes.GaussianNB": ("theta_", "var_", "class_prior_"),
}
"""Public class to its fitted attributes, in the order of the weights."""

_CLASSIFIERS = frozenset(
    ("LogisticRegression", "LogisticRegressionCV", "Perceptron", "RidgeClassifier", "SGDClassifier", "LinearSVC",
     "MLPClassifier", "GaussianNB")
)  # fmt: skip


def _public(dotted: str) -> Optional[str]:
    """The public spelling of a known class, whatever private module or bare name a file gives; else None."""
    parts = dotted.split(".")
    if len(parts) == 1:
        return next((known for known in _ROLES if known.rsplit(".", 1)[1] == dotted), None)
    spelled = f"{'.'.join(parts[:2])}.{parts[-1]}"
    return spelled if spelled in _ROLES else None


def is_known(dotted: str) -> bool:
    """Whether a class can be rebuilt from a list of weights."""
    return _public(dotted) is not None


def _known_or_refuse(dotted: str) -> str:
    public = _public(dotted)
    if public is None:
        raise NotLoadable(
            f"which weight of {dotted} is which cannot be told from a plain list: save the fitted model in the "
            "format hdf5, joblib or pickle instead"
        )
    return public


def parameters_of(model: Any) -> dict[str, Json]:
    """The constructor's parameters that JSON can say; those that only steer fitting may be missing."""
    found: dict[str, Json] = {}
    for name, value in model.get_params(deep=False).items():
        try:
            found[name] = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError):
            continue
    return found


def weights_of(model: Any) -> tuple[str, list[Any]]:
    """Public class and weights of a fitted model. Raises NotLoadable for a class whose weights are no plain list."""
    public = _known_or_refuse(f"{type(model).__module__}.{type(model).__qualname__}")
    weights: list[Any] = []
    for role in _ROLES[public]:
        value = getattr(model, role, None)
        if value is None or hasattr(value, "tocsr"):
            raise NotLoadable(f"{public} has no dense {role} here: save it in the format hdf5 instead")
        weights.extend(value if role in ("coefs_", "intercepts_") else [np.asarray(value)])
    return public, weights


def rebuild(dotted: str, parameters: dict[str, Json], weights: list[Any], classes: Any) -> Any:
    """A model of a known class whose fitted attributes are these weights. Raises NotLoadable when they do not fit."""
    public = _known_or_refuse(dotted)
    module, _, name = public.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    try:
        model = kind(**parameters)
    except TypeError as error:
        raise NotLoadable(f"the stored parameters are not those of {public}: {error}") from error
    if name.startswith("MLP"):
        _layers(model, weights, classes, name == "MLPClassifier")
        return model
    roles = _ROLES[public]
    if len(weights) != len(roles):
        raise NotLoadable(f"{public} needs {len(roles)} weights ({', '.join(roles)}); the file has {len(weights)}")
    for role, weight in zip(roles, weights):
        setattr(model, role, weight if weight.ndim else weight[()])
    first = weights[0]
    model.n_features_in_ = int(first.shape[-1]) if first.ndim else 1
    if name in _CLASSIFIERS:
        _labels(model, name, first, classes)
    _remaining(model, name, weights)
    return model


def _remaining(model: Any, name: str, weights: list[Any]) -> None:
    """Fitted attributes that follow from the weights."""
    if name == "StandardScaler":
        model.var_ = weights[1] ** 2
    elif name == "MinMaxScaler":
        low, high = model.feature_range
        model.data_min_ = (low - weights[0]) / weights[1]
        model.data_max_ = (high - weights[0]) / weights[1]
        model.data_range_ = model.data_max_ - model.data_min_
    elif name in ("KMeans", "MiniBatchKMeans"):
        model._n_threads = 1
        model._n_features_out = weights[0].shape[0]
    elif name == "PCA":
        model.n_components_ = weights[0].shape[0]
    elif name == "GaussianNB":
        model.epsilon_ = 0.0


def _labels(model: Any, name: str, first: Any, classes: Any) -> None:
    count = first.shape[0] if first.ndim > 1 else 1
    labels = np.arange(max(2, count)) if classes is None else np.asarray(classes)
    if len(labels) != max(2, count):
        raise NotLoadable(f"the file names {len(labels)} classes for weights of {max(2, count)}")
    if name == "RidgeClassifier":
        from sklearn.preprocessing import LabelBinarizer

        model._label_binarizer = LabelBinarizer(pos_label=1, neg_label=-1).fit(labels)
    vars(model)["classes_"] = labels


def _layers(model: Any, weights: list[Any], classes: Any, classifies: bool) -> None:
    """A perceptron's matrices are the two-dimensional weights, its biases the others, each in their order."""
    coefs = [weight for weight in weights if weight.ndim == 2]
    intercepts = [weight for weight in weights if weight.ndim == 1]
    chained = all(left.shape[1] == right.shape[0] for left, right in zip(coefs, coefs[1:]))
    biased = [coef.shape[1] for coef in coefs] == [intercept.shape[0] for intercept in intercepts]
    if not coefs or len(coefs) + len(intercepts) != len(weights) or not chained or not biased:
        raise NotLoadable("the weights do not make up the layers of a perceptron: matrices and biases must chain")
    model.coefs_, model.intercepts_ = coefs, intercepts
    model.n_features_in_, model.n_outputs_ = coefs[0].shape[0], coefs[-1].shape[1]
    model.n_layers_ = len(coefs) + 1
    model.hidden_layer_sizes = tuple(coef.shape[1] for coef in coefs[:-1])
    model.out_activation_ = "identity"
    if not classifies:
        return
    from sklearn.preprocessing import LabelBinarizer

    count = max(2, model.n_outputs_)
    model.classes_ = np.arange(count) if classes is None else np.asarray(classes)
    if len(model.classes_) != count:
        raise NotLoadable(f"the file names {len(model.classes_)} classes for {model.n_outputs_} outputs")
    model._label_binarizer = LabelBinarizer().fit(model.classes_)
    model.out_activation_ = "logistic" if model.n_outputs_ == 1 else "softmax"
