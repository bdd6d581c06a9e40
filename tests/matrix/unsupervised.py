"""Models of scikit-learn that are trained without a truth, and several of them in one file."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from tests.matrix.models import fitted, model, without_truth
from tests.matrix.subjects import ASKED, Subject, labels, rows


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
