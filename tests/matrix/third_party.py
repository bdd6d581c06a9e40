"""Models of other libraries than scikit-learn, and of older versions of it."""

from __future__ import annotations

import warnings
from typing import Any

import joblib
import numpy as np
import pandas as pd

from tests.matrix.models import asked, fitted, model
from tests.matrix.subjects import ASKED, Subject, as_array, labels, rows, values
from tests.old_models import old_models

COLOURS = pd.CategoricalDtype(["NA", "green", "red"])


def with_categories(frame: pd.DataFrame) -> Any:
    """The frame with the colours as the categories that the model was trained with."""
    return frame.astype({"colour": COLOURS})


def of(trained: Any, frame: pd.DataFrame, truth: Any, given: Any, *, named: bool = True) -> Subject:
    """A model that was trained beforehand."""
    return Subject(trained, asked(frame), pd.DataFrame({"truth": truth[:ASKED]}), given, named)


@model
def lightgbm_booster() -> Subject:
    import lightgbm

    data = lightgbm.Dataset(rows(), values(rows()))
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_in_leaf": 3}, data, 5)
    return of(booster, rows(), values(rows()), lambda frame: frame)


@model
def lightgbm_booster_on_array() -> Subject:
    import lightgbm

    data = lightgbm.Dataset(as_array(rows()), values(rows()))
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_in_leaf": 3}, data, 5)
    return of(booster, rows(), values(rows()), as_array, named=False)


@model
def lightgbm_with_category() -> Subject:
    import lightgbm

    frame = rows(colour=True)
    estimator = lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1, min_child_samples=3)
    return fitted(estimator, frame, labels(frame, ["no", "yes"]), given=with_categories)


@model
def xgboost_booster() -> Subject:
    import xgboost

    booster = xgboost.train({"nthread": 1, "max_depth": 3}, xgboost.DMatrix(rows(), values(rows())), 5)
    return of(booster, rows(), values(rows()), xgboost.DMatrix)


@model
def xgboost_with_category() -> Subject:
    import xgboost

    frame = rows(colour=True)
    estimator = xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1, enable_categorical=True)
    return fitted(estimator, frame, labels(frame, [0, 1]), given=with_categories)


@model
def xgboost_on_array() -> Subject:
    import xgboost

    return fitted(xgboost.XGBRegressor(n_estimators=5, n_jobs=1), rows(), values(rows()), named=False)


@model
def catboost() -> Subject:
    from catboost import CatBoostClassifier

    frame = rows(colour=True)
    estimator = CatBoostClassifier(
        iterations=5, depth=3, thread_count=1, random_seed=0, allow_writing_files=False, verbose=False
    )
    truth = labels(frame, [0, 1])
    return of(estimator.fit(frame, truth, cat_features=["colour"]), frame, truth, lambda held: held)


@model
def statsmodels_least_squares() -> Subject:
    import statsmodels.api

    truth = values(rows()) + np.random.default_rng(1).normal(size=len(rows()))
    return of(statsmodels.api.OLS(truth, rows()).fit(), rows(), truth, lambda frame: frame)


def old(version: str, name: str, refused: str = "") -> Subject:
    """A file of an older scikit-learn. `refused` says what it cannot do here; its answers are those it gave there."""
    [found] = [one for one in old_models() if (one.version, one.name) == (version, name)]
    answers = {method: np.asarray(answer) for method, answer in found.answers.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here = None if refused else joblib.load(found.path)
    return Subject(
        here,
        pd.DataFrame(found.rows, columns=found.columns),
        pd.DataFrame({"truth": found.truth}),
        lambda frame: frame,
        True,
        saved=found.path.read_bytes(),
        refused=refused,
        told=found.versions["scikit-learn"],
        answers=answers,
    )


@model
def old_forest_1_3() -> Subject:
    return old("1.3", "forest", "probabilit")


@model
def old_logistic_1_3() -> Subject:
    return old("1.3", "logistic")


@model
def old_imputed_1_3() -> Subject:
    return old("1.3", "imputed", "_fill_dtype")


@model
def old_boosting_1_3() -> Subject:
    return old("1.3", "boosting", "_gb_losses")


@model
def old_forest_1_6() -> Subject:
    return old("1.6", "forest")


@model
def old_logistic_1_6() -> Subject:
    return old("1.6", "logistic")


@model
def old_columns_1_6() -> Subject:
    return old("1.6", "columns", "_RemainderColsList")
