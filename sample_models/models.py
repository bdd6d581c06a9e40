"""The healthy models: one function each, which fits, saves, and writes the data and the recipe beside the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from sample_models import data, place


def _recipe(root: Path, model: str, table: str, target: str | None, *more: str) -> None:
    """Write a model's recipe; `data/` beside it holds the two parts of its `table`, whose ending tells their format."""
    stem, _, ending = table.partition(".")
    lines = ["[data]", f'train = "data/{stem}-train.{ending}"', f'holdout = "data/{stem}-holdout.{ending}"']
    if target:
        lines.append(f'target = "{target}"')
    place.text(root, f"{model}.recipe.toml", "\n".join([*lines, *more]) + "\n")


def _gate(metric: str, at_least: float, not_worse_by: float) -> str:
    return f'\n[gate]\nmetric = "{metric}"\nat_least = {at_least}\nnot_worse_by = {not_worse_by}'


def _shipped(root: Path, name: str, bunch: Any, *, train: int, target: str) -> tuple[Any, Any]:
    """Write a data set of scikit-learn's as train and hold-out tables; return the training inputs and truths."""
    order = np.random.default_rng(1).permutation(len(bunch.target))
    inputs, truths = np.asarray(bunch.data)[order], np.asarray(bunch.target)[order]
    columns = [str(column).replace(" ", "_").replace("/", "_") for column in bunch.feature_names]
    rows = [(*row, truth) for row, truth in zip(inputs, truths, strict=True)]
    place.split(root, name, (*columns, target), rows, train=train)
    return place.named(inputs[:train], columns), truths[:train]


def _generated(root: Path, name: str, columns: tuple[str, ...], rows: list[data.Row], *, train: int) -> tuple[Any, Any]:
    """The same for a generated table whose last column is the target."""
    part, _ = place.split(root, name, columns, rows, train=train)
    inputs = np.array([row[:-1] for row in part], dtype=float)
    return place.named(inputs, columns[:-1]), np.array([row[-1] for row in part])


def churn(root: Path) -> None:
    """A column transformer on a data frame (numbers with gaps, categories), then a logistic regression.

    It has seen only the first 100 of 2,000 training rows, so that a retraining has something to show.
    """
    import pandas

    part, _ = place.split(root, "churn/data/churn", data.CHURN_COLUMNS, data.customers(2600), train=2000)
    frame = pandas.DataFrame(part, columns=list(data.CHURN_COLUMNS))
    numbers, categories = list(data.CHURN_COLUMNS[:3]), list(data.CHURN_COLUMNS[3:5])
    frame[numbers] = frame[numbers].apply(pandas.to_numeric)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
        ]
    )
    model = Pipeline([("columns", columns), ("clf", LogisticRegression(C=10.0))])
    model.fit(frame[numbers + categories][:100], frame["churned"][:100])
    place.save(root, "churn/lr.joblib", model)
    _recipe(
        root,
        "churn/lr",
        "churn.csv",
        "churned",
        '\n[retrain]\nmode = "fit"',
        _gate("roc_auc", 0.75, 0.005) + "\nmax_latency_ratio = 3.0",
        "\n[keep]\nversions = 10",
    )


def fraud(root: Path) -> None:
    """Gradient boosting by histograms; a plain pickle."""
    X, y = _generated(root, "fraud/data/payments", data.FRAUD_COLUMNS, data.payments(5000), train=4000)
    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=0).fit(X, y)
    place.pickled(root, "fraud/boosting.pkl", model)
    _recipe(root, "fraud/boosting", "payments.csv", "fraud", _gate("roc_auc", 0.85, 0.01))


def wine(root: Path) -> None:
    """A random forest; joblib with zlib."""
    X, y = _shipped(root, "wine/data/wine", datasets.load_wine(), train=130, target="cultivar")
    model = RandomForestClassifier(n_estimators=120, random_state=0).fit(X, y)
    place.save(root, "wine/forest.joblib", model, compress=("zlib", 3))
    _recipe(root, "wine/forest", "wine.csv", "cultivar", _gate("accuracy", 0.9, 0.03))


def diabetes(root: Path) -> None:
    """Ridge regression behind a scaler; a pickle of the oldest binary protocol."""
    X, y = _shipped(root, "diabetes/data/diabetes", datasets.load_diabetes(), train=340, target="progression")
    model = make_pipeline(StandardScaler(), Ridge(alpha=30.0)).fit(X, y)
    place.pickled(root, "diabetes/ridge.pkl", model, protocol=2)
    _recipe(root, "diabetes/ridge", "diabetes.csv", "progression", _gate("r2", 0.3, 0.02))


def cancer(root: Path) -> None:
    """A support vector machine behind a scaler; joblib with xz."""
    X, y = _shipped(root, "cancer/data/cancer", datasets.load_breast_cancer(), train=420, target="benign")
    model = make_pipeline(StandardScaler(), SVC(C=2.0)).fit(X, y)
    place.save(root, "cancer/svm.joblib", model, compress=("xz", 3))
    _recipe(root, "cancer/svm", "cancer.csv", "benign", _gate("accuracy", 0.93, 0.01))


def digits(root: Path) -> None:
    """A multi-layer perceptron on images of 8x8 pixels (values 0 to 16); HDF5 without pickle, data as npz."""
    images, labels = datasets.load_digits(return_X_y=True)
    model = MLPClassifier((48,), max_iter=25, learning_rate_init=0.004, random_state=0)
    with_warnings_off(model.fit, images[:1400], labels[:1400])
    place.save(root, "digits/mlp.h5", model)
    for name, rows in (("train", slice(0, 1400)), ("holdout", slice(1400, None))):
        np.savez_compressed(place.new(root, f"digits/data/digits-{name}.npz"), X=images[rows], y=labels[rows])
    _recipe(root, "digits/mlp", "digits.npz", "y", _gate("accuracy", 0.85, 0.02))


def iris(root: Path) -> None:
    """Clusters without a target; HDF5."""
    bunch = datasets.load_iris()
    columns = [name.removesuffix(" (cm)").replace(" ", "_") for name in bunch.feature_names]
    order = np.random.default_rng(1).permutation(len(bunch.data))
    place.split(root, "iris/data/iris", columns, bunch.data[order].tolist(), train=110)
    model = KMeans(n_clusters=3, n_init=5, random_state=0).fit(place.named(bunch.data[order][:110], columns))
    place.save(root, "iris/kmeans.h5", model)
    _recipe(root, "iris/kmeans", "iris.csv", None)


def sentiment(root: Path) -> None:
    """Words to moods: tf-idf and a logistic regression; joblib with gzip."""
    rows = data.reviews(1500)
    part, _ = place.split(root, "reviews/data/reviews", ("text", "mood"), rows, train=1200)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), min_df=2), LogisticRegression(C=2.0))
    model.fit([row[0] for row in part], np.array([row[1] for row in part], dtype=object))
    place.save(root, "reviews/sentiment.joblib", model, compress=("gzip", 3))
    _recipe(root, "reviews/sentiment", "reviews.csv", "mood", _gate("accuracy", 0.8, 0.02))


def movies(root: Path) -> None:
    """A recommender: ratings of 60 films factored into six tastes; joblib, uncompressed, so that it can be mapped."""
    stars = data.ratings(500, 60)
    model = NMF(6, init="nndsvda", max_iter=150, random_state=0)
    with_warnings_off(model.fit, stars[:400])
    place.save(root, "movies/recommender.joblib", model)
    np.save(place.new(root, "movies/data/ratings-train.npy"), stars[:400])
    np.save(place.new(root, "movies/data/ratings-holdout.npy"), stars[400:])
    _recipe(root, "movies/recommender", "ratings.npy", None)


def housing(root: Path) -> None:
    """Boosted trees that an update continues with more of them (warm start); joblib with bz2."""
    X, y = _generated(root, "housing/data/flats", data.HOUSING_COLUMNS, data.flats(1600), train=1200)
    model = GradientBoostingRegressor(n_estimators=60, random_state=0).fit(X, y)
    place.save(root, "housing/prices.joblib", model, compress=("bz2", 3))
    _recipe(root, "housing/prices", "flats.csv", "price_k", '\n[retrain]\nmode = "warm_start"', _gate("r2", 0.7, 0.01))


def sensors(root: Path) -> None:
    """A linear model that learns on from where it stands (partial fit), so far from 300 rows; a pickle."""
    X, y = _generated(root, "sensors/data/readings", data.SENSOR_COLUMNS, data.readings(3000), train=2400)
    model = SGDClassifier(loss="log_loss", average=True, random_state=0, max_iter=5, tol=None).fit(X[:300], y[:300])
    place.pickled(root, "sensors/online.pkl", model)
    _recipe(
        root,
        "sensors/online",
        "readings.csv",
        "fault",
        '\n[retrain]\nmode = "partial_fit"',
        _gate("accuracy", 0.8, 0.01),
    )


def holder(root: Path) -> None:
    """A dict as data scientists really save it: the model, its scaler and a threshold."""
    bunch = datasets.load_breast_cancer()
    scaler = StandardScaler().fit(bunch.data)
    model = LogisticRegression(C=0.1).fit(scaler.transform(bunch.data), bunch.target)
    place.save(root, "credit/holder.joblib", {"model": model, "scaler": scaler, "threshold": 0.42, "by": "risk team"})


def with_warnings_off(call: Any, *arguments: Any) -> None:
    """A fit that is stopped early on purpose warns; the demo's builder need not repeat it."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(*arguments)
