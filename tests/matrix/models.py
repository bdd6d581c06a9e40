"""Models of scikit-learn, one of each family and of each way they are put together; built in a moment, always alike."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from tests.matrix.subjects import ASKED, NAMES, Given, Subject, as_array, as_texts, labels, rows, values

__all__ = ["MODELS", "fitted", "model"]

MODELS: dict[str, Callable[[], Subject]] = {}
"""By name, what builds the model."""

_PHRASES = ["red house, small", "blue house", "the old red car", "green tea and milk", "a blue car", "None", "01 tea"]


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
def pipeline_one_hot() -> Subject:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = rows(colour=True)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NAMES),
            ("colour", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        ]
    )
    return fitted(make_pipeline(columns, LogisticRegression()), frame, labels(frame, [0, 1]))


@model
def pipeline_ordinal() -> Subject:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    frame = rows(colour=True).rename(columns={"colour": "postcode"})
    frame["postcode"] = frame["postcode"].replace({"red": "01234", "green": "99999"})
    columns = make_column_transformer((OrdinalEncoder(), ["postcode"]), remainder="passthrough")
    forest = RandomForestRegressor(5, max_depth=3, random_state=0)
    return fitted(make_pipeline(columns, forest), frame, values(frame))


@model
def pipeline_picking_columns() -> Subject:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    picking = FunctionTransformer(itemgetter(["q", "größe"]))
    return fitted(make_pipeline(picking, Ridge()), rows(), values(rows()))


@model
def text_pipeline() -> Subject:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame = pd.DataFrame({"review": np.array(_PHRASES, dtype=object)[np.arange(70) * 3 % len(_PHRASES)]})
    truth = np.where(frame["review"].str.contains("red|tea"), "good", "bad").astype(object)
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    return fitted(pipeline, frame, truth, named=False, given=as_texts)


@model
def two_outputs() -> Subject:
    from sklearn.linear_model import LinearRegression

    return fitted(LinearRegression(), rows(), np.column_stack([values(rows()) + rows()["p"] ** 2, rows()["q"] * 2]))


@model
def multilabel() -> Subject:
    from sklearn.neighbors import KNeighborsClassifier

    found = np.column_stack([labels(rows(), [0, 1]), (rows()["q"] > 0).astype(int)])
    return fitted(KNeighborsClassifier(3), rows(), found)


@model
def isolation_forest() -> Subject:
    from sklearn.ensemble import IsolationForest

    return outliers(IsolationForest(n_estimators=10, random_state=0))


@model
def one_class_svm() -> Subject:
    from sklearn.svm import OneClassSVM

    return outliers(OneClassSVM(nu=0.1), named=False)


def outliers(detector: BaseEstimator, *, named: bool = True) -> Subject:
    """A detector trained on rows of which every eighth stands apart; the truth is 1 for those."""
    frame = rows()
    apart = np.arange(len(frame)) % 8 == 3
    frame.loc[apart] += 32.0
    found = without_truth(detector, frame, named=named)
    found.truth = pd.DataFrame({"truth": apart[:ASKED].astype(int)})
    return found


@model
def local_outliers_without_novelty() -> Subject:
    from sklearn.neighbors import LocalOutlierFactor

    found = without_truth(LocalOutlierFactor(5), rows())
    found.refused = "LocalOutlierFactor"
    return found


@model
def dbscan() -> Subject:
    from sklearn.cluster import DBSCAN

    found = without_truth(DBSCAN(3.0), rows())
    found.refused = "DBSCAN"
    return found


@model
def k_means() -> Subject:
    from sklearn.cluster import KMeans

    found = without_truth(KMeans(3, n_init=1, random_state=0), rows())
    found.truth = pd.DataFrame({"truth": labels(rows(), [0, 1, 2])[:ASKED]})
    return found


@model
def pca() -> Subject:
    from sklearn.decomposition import PCA

    return without_truth(PCA(2), rows(), named=False)


@model
def calibrated() -> Subject:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import LinearSVC

    return fitted(CalibratedClassifierCV(LinearSVC(random_state=0), cv=2), rows(), labels(rows(), [0, 1]))


@model
def grid_search() -> Subject:
    from sklearn.model_selection import GridSearchCV
    from sklearn.tree import DecisionTreeClassifier

    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, cv=2)
    return fitted(search, rows(), labels(rows(), ["a", "b"]))


@model
def transformed_target() -> Subject:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import Ridge

    regressor = TransformedTargetRegressor(Ridge(), func=np.exp, inverse_func=np.log, check_inverse=False)
    return fitted(regressor, rows(), np.abs(values(rows())) / 8 + 1)


@model
def logistic_on_sparse() -> Subject:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    truth = labels(rows(), [0, 1])
    found = fitted(LogisticRegression(), rows(), truth, named=False)
    found.model.fit(csr_matrix(as_array(rows())), truth)
    return found


@model
def bundled_model() -> Subject:
    return _bundle("model")


@model
def bundled_scaler() -> Subject:
    return _bundle("scaler")


def _bundle(at: str) -> Subject:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    parts = {
        "scaler": without_truth(StandardScaler(), rows()),
        "model": fitted(LogisticRegression(), rows(), labels(rows(), ["n", "y"])),
    }
    found = parts[at]
    bundle = {name: part.model for name, part in parts.items()}
    return Subject(bundle, found.frame, found.truth, found.given, True, at=at, asked=found.model)


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
