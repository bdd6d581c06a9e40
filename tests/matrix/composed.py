"""Models of scikit-learn that are put together: pipelines, searches, several outputs."""

from __future__ import annotations

from operator import itemgetter

import numpy as np
import pandas as pd

from tests.matrix.models import fitted, model
from tests.matrix.subjects import NAMES, Subject, as_texts, labels, rows, values

_PHRASES = ["red house, small", "blue house", "the old red car", "green tea and milk", "a blue car", "None", "01 tea"]


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
def truth_values_as_column() -> Subject:
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeRegressor

    frame = rows(colour=True)
    frame["member"] = frame.pop("colour") == "red"
    columns = make_column_transformer((OneHotEncoder(), ["member"]), remainder="passthrough")
    tree = DecisionTreeRegressor(max_depth=3, random_state=0)
    return fitted(make_pipeline(columns, tree), frame, values(frame) + 8 * frame["member"])
