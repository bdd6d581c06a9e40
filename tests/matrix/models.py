"""Models of scikit-learn, one of each family and of each way they are put together; built in a moment, always alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from tests.matrix.subjects import ASKED, Given, Subject, as_array, labels, rows, values

__all__ = ["MODELS", "fitted", "model"]

MODELS: dict[str, Callable[[], Subject]] = {}
"""By name, what builds the model."""


def model(build: Callable[[], Subject]) -> Callable[[], Subject]:
    """Add a model to the matrix, under the name of the function that builds it."""
    MODELS[build.__name__] = build
    return build


def asked(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that a model is asked."""
    return frame.iloc[:ASKED]


def same(frame: pd.DataFrame) -> Any:
    """A data frame stays one."""
    return frame


def fitted(
    estimator: BaseEstimator, frame: pd.DataFrame, truth: Any, *, named: bool = True, given: Given = same
) -> Subject:
    """The estimator trained on this frame, or on the array that it holds."""
    given = given if named or given is not same else as_array
    known = pd.DataFrame({"truth": truth}) if np.ndim(truth) == 1 else pd.DataFrame(truth)
    known.columns = ["truth"] if known.shape[1] == 1 else [f"truth {at}" for at in range(known.shape[1])]
    estimator.fit(given(frame), np.asarray(truth))
    return Subject(estimator, asked(frame), asked(known), given, named)


def without_truth(estimator: BaseEstimator, frame: pd.DataFrame, *, named: bool = True) -> Subject:
    """The estimator trained without a truth."""
    given = same if named else as_array
    return Subject(estimator.fit(given(frame)), asked(frame), asked(frame)[[]], given, named)


@model
def linear_on_array() -> Subject:
    from sklearn.linear_model import LinearRegression

    frame = rows()
    return fitted(LinearRegression(), frame, values(frame) + frame["p"] ** 2, named=False)


@model
def ridge() -> Subject:
    from sklearn.linear_model import Ridge

    return fitted(Ridge(), rows(), values(rows()) + rows()["q"] ** 2)


@model
def logistic_three_classes() -> Subject:
    from sklearn.linear_model import LogisticRegression

    return fitted(LogisticRegression(), rows(), labels(rows(), [0, 1, 2]))


@model
def tree_on_array() -> Subject:
    from sklearn.tree import DecisionTreeClassifier

    return fitted(DecisionTreeClassifier(max_depth=3, random_state=0), rows(), labels(rows(), [3, 5, 7]), named=False)


@model
def forest_of_odd_classes() -> Subject:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(8, max_depth=4, random_state=0)
    return fitted(forest, rows(), labels(rows(), ["None", "NA", "01"]))


@model
def hist_boosting_of_truth_values() -> Subject:
    from sklearn.ensemble import HistGradientBoostingClassifier

    boosting = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    return fitted(boosting, rows(), labels(rows(), [False, True]))


@model
def hist_boosting_with_category() -> Subject:
    from sklearn.ensemble import HistGradientBoostingRegressor

    frame = rows(colour=True)
    kinds = pd.CategoricalDtype(["NA", "green", "red"])
    boosting = HistGradientBoostingRegressor(max_iter=5, random_state=0, categorical_features="from_dtype")
    return fitted(boosting, frame, values(frame), given=lambda held: held.astype({"colour": kinds}))


@model
def svc_of_yes_and_no() -> Subject:
    from sklearn.svm import SVC

    return fitted(SVC(), rows(), labels(rows(), ["no", "yes"]), named=False)


@model
def neighbours() -> Subject:
    from sklearn.neighbors import KNeighborsRegressor

    return fitted(KNeighborsRegressor(3), rows(), values(rows()))


@model
def naive_bayes() -> Subject:
    from sklearn.naive_bayes import GaussianNB

    return fitted(GaussianNB(), rows(), labels(rows(), [-1, 1]))


@model
def perceptron() -> Subject:
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((5,), max_iter=30, random_state=0)
    return fitted(network, rows(), labels(rows(), ["low", "high"]), named=False)


@model
def gaussian_process() -> Subject:
    from sklearn.gaussian_process import GaussianProcessRegressor

    return fitted(GaussianProcessRegressor(alpha=0.1, optimizer=None), rows(), values(rows()))


@model
def logistic_on_sparse() -> Subject:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    truth = labels(rows(), [0, 1])
    found = fitted(LogisticRegression(), rows(), truth, named=False)
    found.model.fit(csr_matrix(as_array(rows())), truth)
    return found


@model
def counted_columns() -> Subject:
    from sklearn.linear_model import Ridge

    frame = rows(["0", "1", "2"])
    return fitted(Ridge(), frame, values(frame), named=False)


@model
def years_as_columns() -> Subject:
    from sklearn.ensemble import ExtraTreesRegressor

    frame = rows(["2019", "2020", "2021"])
    return fitted(ExtraTreesRegressor(5, max_depth=4, random_state=0), frame, values(frame))


@model
def index_as_column() -> Subject:
    from sklearn.linear_model import Ridge

    frame = rows(["Unnamed: 0", "p", "q"])
    frame["Unnamed: 0"] = np.arange(len(frame)) * 3 % 97
    return fitted(Ridge(), frame, values(frame))
