"""Every scikit-learn estimator that can be fitted on toy data, fitted: the benign corpus of all format tests."""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any

import numpy as np

__all__ = ["SKIPPED", "fit_all_estimators"]

SKIPPED: dict[str, str] = {}
"""Estimators that were not fitted in the last call of `fit_all_estimators`, with the reason."""

_SAMPLES = 40
_FEATURES = 4


def _data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.RandomState(0)
    X = np.abs(random.normal(size=(_SAMPLES, _FEATURES))) + 0.1
    labels = (X[:, 0] + X[:, 1] > X[:, 2] + X[:, 3]).astype(int)
    labels[:6] = [0, 1, 0, 1, 0, 1]
    return X, labels, X @ np.array([1.0, 0.5, 0.25, 2.0]) + 0.1


def _build(name: str, kind: type[Any]) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    required: dict[str, Any] = {
        "ClassifierChain": {"estimator": LogisticRegression()},
        "ColumnTransformer": {"transformers": [("scale", StandardScaler(), [0, 1]), ("drop", "drop", [2])]},
        "FeatureUnion": {"transformer_list": [("pca", PCA(2)), ("scale", StandardScaler())]},
        "FrozenEstimator": {"estimator": StandardScaler()},
        "GridSearchCV": {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}, "cv": 2},
        "HalvingGridSearchCV": {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}, "cv": 2},
        "HalvingRandomSearchCV": {"estimator": Ridge(), "param_distributions": {"alpha": [0.1, 1.0]}, "cv": 2},
        "MultiOutputClassifier": {"estimator": LogisticRegression()},
        "MultiOutputRegressor": {"estimator": Ridge()},
        "OneVsOneClassifier": {"estimator": LogisticRegression()},
        "OneVsRestClassifier": {"estimator": LogisticRegression()},
        "OutputCodeClassifier": {"estimator": LogisticRegression(), "random_state": 0},
        "Pipeline": {"steps": [("scale", StandardScaler()), ("clf", LogisticRegression())]},
        "RandomizedSearchCV": {
            "estimator": Ridge(),
            "param_distributions": {"alpha": [0.1, 1.0]},
            "n_iter": 2,
            "cv": 2,
        },
        "RegressorChain": {"estimator": Ridge()},
        "RFE": {"estimator": LogisticRegression()},
        "RFECV": {"estimator": LogisticRegression(), "cv": 2},
        "SelectFromModel": {"estimator": LogisticRegression()},
        "SelfTrainingClassifier": {"estimator": LogisticRegression()},
        "SequentialFeatureSelector": {"estimator": LogisticRegression(), "cv": 2},
        "SparseCoder": {"dictionary": np.eye(_FEATURES)},
        "StackingClassifier": {"estimators": [("lr", LogisticRegression()), ("lr2", LogisticRegression(C=2))], "cv": 2},
        "StackingRegressor": {"estimators": [("ridge", Ridge()), ("lr", LinearRegression())], "cv": 2},
        "VotingClassifier": {"estimators": [("lr", LogisticRegression()), ("lr2", LogisticRegression(C=2))]},
        "VotingRegressor": {"estimators": [("ridge", Ridge()), ("lr", LinearRegression())]},
        "FixedThresholdClassifier": {"estimator": LogisticRegression()},
        "TunedThresholdClassifierCV": {"estimator": LogisticRegression(), "cv": 2},
    }
    small = {
        "n_estimators": 5, "max_iter": 50, "n_components": 2, "cv": 2, "random_state": 0, "n_clusters": 3,
        "n_init": 1, "n_subsets": 3, "perplexity": 5, "n_jobs": None,
    }  # fmt: skip
    odd: dict[str, dict[str, Any]] = {
        "LinearDiscriminantAnalysis": {"n_components": 1},
        "PLSSVD": {"n_components": 1},
        "SpectralBiclustering": {"n_components": 3, "n_best": 2, "random_state": 0},
        "TSNE": {"max_iter": 250, "perplexity": 5, "random_state": 0},
        "OrthogonalMatchingPursuitCV": {"max_iter": 2, "cv": 2},
    }
    arguments = {**required.get(name, {}), **odd.get(name, {})}
    for parameter in inspect.signature(kind).parameters:
        if parameter in small and parameter not in arguments:
            arguments[parameter] = small[parameter]
    return kind(**arguments)


def _inputs(name: str, estimator: Any) -> tuple[Any, Any]:
    X, labels, values = _data()
    documents = ["red green blue", "green tea", "blue sea and red sun", "tea and sun"] * 10
    if name in ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer"):
        return documents, None
    if name == "DictVectorizer":
        return [{"colour": word, "size": index} for index, word in enumerate("abcd")] * 10, None
    if name == "FeatureHasher":
        return [{"colour": index} for index in range(40)], None
    if name == "KernelCenterer":
        return X @ X.T, None
    if name == "PatchExtractor":
        return X.reshape(10, 4, 4), None
    if name in ("LabelBinarizer", "LabelEncoder"):
        return labels, None
    if name == "MultiLabelBinarizer":
        return [("a", "b"), ("b",)] * 20, None
    if name == "IsotonicRegression":
        return X[:, 0], values
    if name.startswith("MultiTask") or name in ("CCA", "PLSCanonical", "MultiOutputRegressor", "RegressorChain"):
        return X, np.column_stack([values, values * 2 + X[:, 0]])
    if name in ("MultiOutputClassifier", "ClassifierChain"):
        return X, np.column_stack([labels, 1 - labels])
    if name == "AdditiveChi2Sampler":
        return X / X.max(), labels
    classifies = getattr(estimator, "_estimator_type", None) == "classifier" or _needs_labels(estimator)
    return X, labels if classifies else values


def _needs_labels(estimator: Any) -> bool:
    from sklearn.base import is_classifier
    from sklearn.linear_model import LogisticRegression

    inner = getattr(estimator, "estimator", None)
    return is_classifier(estimator) or isinstance(inner, LogisticRegression) or type(estimator).__name__ in (
        "LinearDiscriminantAnalysis", "NeighborhoodComponentsAnalysis", "SelectKBest", "SelectPercentile", "SelectFpr",
        "SelectFdr", "SelectFwe", "GenericUnivariateSelect", "TargetEncoder",
    )  # fmt: skip


@functools.lru_cache(maxsize=1)
def fit_all_estimators() -> list[tuple[str, Any, Any]]:
    """Fit each estimator of `all_estimators()` once: (class name, fitted estimator, the X it was fitted on), by name.

    Deterministic. What cannot be fitted is left out and named in SKIPPED.
    """
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.utils import all_estimators

    SKIPPED.clear()
    fitted = []
    for name, kind in sorted(all_estimators()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                estimator = _build(name, kind)
                X, y = _inputs(name, estimator)
                if name == "FrozenEstimator":
                    estimator.estimator.fit(X)
                np.random.seed(0)
                estimator.fit(X) if y is None else estimator.fit(X, y)
            except Exception as error:  # any estimator may refuse toy data in its own way; the reason is kept
                SKIPPED[name] = f"{type(error).__name__}: {error}"
                continue
        fitted.append((name, estimator, X))
    return fitted
