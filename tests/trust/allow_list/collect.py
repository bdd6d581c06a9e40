"""Print, as JSON, every global that pickles of fitted scikit-learn objects name under the running interpreter.

Runs by itself (`python collect.py`) under any release of scikit-learn since 0.20, so it keeps to Python 3.7 and
imports nothing of this project. What a stream names is read by a real unpickler whose `find_class` records.
"""

# ruff: noqa: UP006, UP017, UP031, UP035 - Python 3.7
# mypy: disable-error-code="misc, arg-type, import-untyped"
from __future__ import annotations

import collections
import importlib
import inspect
import io
import json
import pickle
import pkgutil
import sys
import warnings
from typing import Any, Callable, Iterator, List, Set, Tuple

import joblib
import numpy as np
import scipy
import scipy.sparse
import scipy.special
import sklearn
from joblib.numpy_pickle import NumpyUnpickler

Names = Set[Tuple[str, str]]

PROTOCOLS = (0, 2, 4, min(5, pickle.HIGHEST_PROTOCOL))
N = 40


class Recorder(pickle._Unpickler):
    """Loads for real and notes every global as the stream spells it."""

    def __init__(self, file: Any, found: Names) -> None:
        super().__init__(file)
        self.found = found

    def find_class(self, module: str, name: str) -> Any:
        self.found.add((module, name))
        return super().find_class(module, name)


class JoblibRecorder(NumpyUnpickler):
    """The same for joblib's files."""

    found: Names

    def find_class(self, module: str, name: str) -> Any:
        self.found.add((module, name))
        return super().find_class(module, name)


def joblib_names(obj: Any, found: Names) -> None:
    """Add what a joblib file of `obj` names."""
    file = io.BytesIO()
    joblib.dump(obj, file)
    file.seek(0)
    arguments = {"filename": "", "file_handle": file, "mmap_mode": None, "ensure_native_byte_order": True}
    known = inspect.signature(NumpyUnpickler.__init__).parameters
    unpickler = JoblibRecorder(**{key: value for key, value in arguments.items() if key in known})
    unpickler.found = found
    unpickler.load()


def names(obj: Any, found: Names) -> bool:
    """Add every global named by the pickles of `obj`; an object that cannot be pickled adds none."""
    try:
        for protocol in PROTOCOLS:
            seen: Names = set()
            Recorder(io.BytesIO(pickle.dumps(obj, protocol)), seen).load()
            found |= seen
        joblib_names(obj, found)
    except Exception:
        return False
    return True


def tables() -> List[Tuple[Any, Any]]:
    """Training data of the shapes that estimators ask for, the most common first."""
    rng = np.random.RandomState(0)
    X = rng.rand(N, 4) + 0.1
    classes = np.arange(N) % 3
    real = X @ np.arange(1.0, 5.0)
    words = ["red green blue %d" % i for i in range(N)]
    square = np.corrcoef(X)
    return [
        (X, classes),
        (X, np.arange(N) % 2),
        (X, np.array(["no", "yes"], dtype=object)[np.arange(N) % 2]),
        (X, real),
        (X, np.column_stack([real, X[:, 0]])),
        (X, np.column_stack([classes == 0, classes == 1]).astype(int)),
        (scipy.sparse.csr_matrix(X), classes),
        (scipy.sparse.csr_matrix(X), real),
        ((X * 4).astype(int), classes),
        (X[:, 0], real),
        (words, np.arange(N) % 2),
        ([{"colour": "red", "size": i % 3} for i in range(N)], classes),
        (np.array([["a", "b"], ["c", "d"]] * (N // 2), dtype=object), np.arange(N) % 2),
        (square, classes),
        (classes, None),
        ([(i % 3, 1) for i in range(N)], None),
    ]


def estimator_classes() -> List[Any]:
    """Every public estimator of this release, the experimental ones included."""
    try:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    except ImportError:
        pass
    for optional in ("enable_hist_gradient_boosting", "enable_halving_search_cv"):
        try:
            importlib.import_module("sklearn.experimental." + optional)
        except ImportError:
            pass
    try:
        from sklearn.utils import all_estimators
    except ImportError:
        from sklearn.utils.testing import all_estimators
    return [cls for _name, cls in all_estimators()]


def required(cls: Any) -> Any:
    """Constructor arguments for the parameters of `cls` that have no default, by their usual names."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    regressor = "Regressor" in cls.__name__ or "Target" in cls.__name__
    inner = Ridge() if regressor else LogisticRegression()
    values = {
        "estimator": inner,
        "base_estimator": inner,
        "estimators": [("a", inner), ("b", Ridge(2.0) if regressor else LogisticRegression(C=2.0))],
        "steps": [("scale", StandardScaler()), ("model", inner)],
        "transformer_list": [("scale", StandardScaler()), ("pca", PCA(2))],
        "transformers": [("scale", StandardScaler(), [0, 1]), ("rest", "passthrough", slice(2, 4))],
        "param_grid": {"C": [0.1, 1.0]},
        "param_distributions": {"C": [0.1, 1.0]},
        "dictionary": np.eye(4),
    }
    arguments = {}
    for name, parameter in inspect.signature(cls.__init__).parameters.items():
        if parameter.default is inspect.Parameter.empty and name in values:
            arguments[name] = values[name]
    return arguments


def fitted(cls: Any) -> List[Any]:
    """`cls` fitted on every table that it takes; the bare object at least."""
    found = []
    for X, y in tables():
        try:
            model = cls(**required(cls))
            for name, value in (("n_components", 2), ("max_iter", 20), ("n_estimators", 3)):
                if name in model.get_params(deep=False):
                    try:
                        type(model)(**dict(required(cls), **{name: value}))
                        model.set_params(**{name: value})
                    except Exception:
                        pass
            model.fit(X, y) if y is not None else model.fit(X)
            found.append(model)
        except Exception:
            continue
    return found


def variants() -> Iterator[Callable[[], Any]]:
    """Parameters and compositions beyond the defaults, as thunks: an old release may not know one."""
    from sklearn import (
        ensemble,
        feature_extraction,
        gaussian_process,
        linear_model,
        model_selection,
        neighbors,
        pipeline,
        preprocessing,
        svm,
        tree,
    )

    X, y = tables()[0]
    _X, real = tables()[3]
    Scaler, LR = preprocessing.StandardScaler, linear_model.LogisticRegression

    def search(name: str, **options: Any) -> Any:
        return getattr(model_selection, name)(LR(), cv=model_selection.StratifiedKFold(2), **options).fit(X, y)

    yield lambda: pipeline.make_pipeline(Scaler(), LR()).fit(X, y)
    yield lambda: pipeline.make_union(Scaler(), preprocessing.MinMaxScaler()).fit(X)
    yield lambda: search("GridSearchCV", param_grid={"C": [0.1, 1.0]}, scoring="roc_auc_ovr")
    yield lambda: search(
        "GridSearchCV", param_grid={"C": [0.1, 1.0]}, scoring=["accuracy", "f1_macro"], refit="accuracy"
    )
    yield lambda: search("RandomizedSearchCV", param_distributions={"C": [0.1, 1.0]}, n_iter=2)
    yield lambda: search("HalvingGridSearchCV", param_grid={"C": [0.1, 1.0]})
    for criterion in ("gini", "entropy"):
        yield lambda c=criterion: tree.DecisionTreeClassifier(criterion=c, random_state=0).fit(X, y)
    for criterion in ("mae", "absolute_error", "friedman_mse", "poisson"):
        yield lambda c=criterion: tree.DecisionTreeRegressor(criterion=c, max_depth=2).fit(X, real)
    for loss in ("ls", "lad", "huber", "quantile", "squared_error", "absolute_error"):
        yield lambda v=loss: ensemble.GradientBoostingRegressor(loss=v, n_estimators=2).fit(X, real)
    for loss in ("deviance", "exponential", "log_loss"):
        yield lambda v=loss: ensemble.GradientBoostingClassifier(loss=v, n_estimators=2).fit(X, y > 0)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile", "least_squares"):
        more = {"quantile": 0.5} if loss == "quantile" else {}
        yield lambda v=loss, m=more: ensemble.HistGradientBoostingRegressor(loss=v, max_iter=2, **m).fit(X, real)
    for loss in (
        "hinge",
        "log",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_loss",
        "squared_error",
        "huber",
        "epsilon_insensitive",
        "squared_epsilon_insensitive",
    ):
        yield lambda v=loss: linear_model.SGDClassifier(loss=v, max_iter=5).fit(X, y)
    for algorithm in ("ball_tree", "kd_tree", "brute"):
        for metric in ("minkowski", "manhattan", "chebyshev"):
            yield lambda a=algorithm, m=metric: neighbors.KNeighborsClassifier(algorithm=a, metric=m).fit(X, y)
    for metric in (
        "haversine",
        "canberra",
        "braycurtis",
        "hamming",
        "jaccard",
        "dice",
        "seuclidean",
        "mahalanobis",
        "russellrao",
        "rogerstanimoto",
        "sokalsneath",
        "sokalmichener",
        "kulsinski",
        "yule",
        "matching",
    ):
        yield lambda m=metric: neighbors.BallTree(X[:, :2] > 0.5, metric=m)
    for kernel in ("gaussian", "tophat", "cosine"):
        yield lambda k=kernel: neighbors.KernelDensity(kernel=k).fit(X)
    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        yield lambda k=kernel: svm.SVC(kernel=k, probability=True).fit(X, y)
    kernels = gaussian_process.kernels
    yield lambda: gaussian_process.GaussianProcessRegressor(
        kernels.ConstantKernel() * kernels.RBF()
        + kernels.WhiteKernel()
        + kernels.Matern()
        + kernels.RationalQuadratic()
        + kernels.ExpSineSquared()
        + kernels.DotProduct() ** 2
    ).fit(X, real)
    yield lambda: kernels.CompoundKernel([kernels.PairwiseKernel()])
    for function in (np.log1p, np.sqrt, np.exp, np.abs, np.square, np.log, np.cbrt, np.sin, np.cos, np.tanh):
        yield lambda f=function: preprocessing.FunctionTransformer(f, validate=False).fit(X)
    yield lambda: feature_extraction.text.TfidfVectorizer(dtype=np.float32, ngram_range=(1, 2)).fit(tables()[10][0])
    yield lambda: feature_extraction.text.HashingVectorizer()
    yield lambda: linear_model.RidgeCV(store_cv_values=True).fit(X, real)
    yield lambda: linear_model.LogisticRegressionCV(cv=2, scoring="neg_log_loss").fit(X, y)
    yield from frames()


def frames() -> Iterator[Callable[[], Any]]:
    """Fitted on data frames, with the parameters people use for columns."""
    try:
        import pandas
    except ImportError:
        return
    from sklearn import compose, ensemble, impute, linear_model, pipeline, preprocessing

    X, _y = tables()[0]
    frame = pandas.DataFrame(X, columns=["age", "income", "height", "weight"])
    frame["city"] = np.array(["Bern", "Lima", "Oslo"])[np.arange(N) % 3]
    frame["kind"] = pandas.Categorical(np.array(["a", "b"])[np.arange(N) % 2])
    target = pandas.Series(np.array(["no", "yes"])[np.arange(N) % 2], name="churned")
    numbers, text = ["age", "income", "height", "weight"], ["city", "kind"]
    one_hot = preprocessing.OneHotEncoder

    def columns(**options: Any) -> Any:
        return compose.ColumnTransformer(
            [
                ("n", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()), numbers),
                ("c", one_hot(handle_unknown="ignore"), text),
            ],
            **options,
        )

    yield lambda: pipeline.make_pipeline(columns(remainder="drop"), linear_model.LogisticRegression()).fit(
        frame, target
    )
    yield lambda: pipeline.make_pipeline(columns(remainder="passthrough"), ensemble.RandomForestClassifier(3)).fit(
        frame, target
    )
    yield lambda: compose.make_column_transformer(
        (preprocessing.StandardScaler(), compose.make_column_selector(dtype_include=np.number)),
        (one_hot(dtype=np.float32), compose.make_column_selector(pattern="city|kind")),
    ).fit(frame)
    yield lambda: columns(remainder="passthrough").set_output(transform="pandas").fit(frame)
    yield lambda: preprocessing.OrdinalEncoder(dtype=np.int64).fit(frame[text])
    yield lambda: ensemble.HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype").fit(
        frame[[*numbers, "kind"]], target
    )


def loose() -> Iterator[Any]:
    """Values that surround estimators in artifacts: random states, arrays, sparse matrices, containers, scalars."""
    for bits in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        if hasattr(np.random, bits):
            yield np.random.Generator(getattr(np.random, bits)(1))
            yield np.random.RandomState(getattr(np.random, bits)(1))
            yield getattr(np.random, bits)(1)
    yield np.random.RandomState(1)
    if hasattr(np.random, "SeedSequence"):
        yield np.random.SeedSequence(1)
    for code in np.typecodes["All"].replace("V", "").replace("O", ""):
        yield np.zeros(3, dtype=code)
        yield np.zeros(1, dtype=code)[0]
        yield np.dtype(code)
        yield np.dtype(code).type
    yield np.array([1, "a", None], dtype=object)
    yield np.asfortranarray(np.ones((3, 2)))
    yield np.matrix([[1, 2]])
    yield np.ma.masked_array([1.0, 2.0], mask=[0, 1])
    yield np.zeros(2, dtype=[("a", "f8"), ("b", "S3")])
    yield np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    yield np.array([np.datetime64("2024-01-01")]), np.nan, np.inf
    yield np.poly1d([1.0, 2.0])
    for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        for suffix in ("matrix", "array"):
            build = getattr(scipy.sparse, kind + "_" + suffix, None)
            if build is not None:
                yield build(np.eye(3))
    yield [{1}, frozenset([2]), slice(1, 2), complex(1, 2), bytearray(b"x"), b"\xff\x00", range(3), object()]
    yield [int, float, str, bool, list, dict, tuple, bytes, set, frozenset, complex, object, slice, range, bytearray]
    yield [Ellipsis, NotImplemented]
    yield collections.OrderedDict(a=1), collections.defaultdict(int, a=1), collections.defaultdict(list)
    yield collections.Counter("abc"), collections.deque([1])
    import datetime
    import decimal
    import fractions
    import uuid

    yield datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), datetime.date(2024, 1, 1), datetime.timedelta(1)
    yield datetime.time(1, 2), decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.UUID(int=1)


def sklearn_modules() -> Iterator[Any]:
    """Every module of the library but tests and data loaders, imported."""
    for info in pkgutil.walk_packages(sklearn.__path__, "sklearn."):
        parts = info.name.split(".")
        skipped = (
            "tests",
            "testing",
            "_testing",
            "conftest",
            "externals",
            "setup",
            "datasets",
            "_build_utils",
            "__check_build",
        )
        if any(part in skipped for part in parts):
            continue
        try:
            yield importlib.import_module(info.name)
        except Exception:
            continue


def definitions(found: Names) -> None:
    """Names no fitted toy object needs but artifacts hold: estimator and part classes, metrics, scorers, ufuncs."""
    from sklearn import base

    kinds = [base.BaseEstimator, np.random.RandomState]
    for place in (
        "gaussian_process.kernels.Kernel",
        "model_selection._split.BaseCrossValidator",
        "model_selection._split._RepeatedSplits",
        "model_selection._split.BaseShuffleSplit",
        "metrics._scorer._BaseScorer",
        "metrics.scorer._BaseScorer",
        "_loss.link.BaseLink",
        "_loss.loss.BaseLoss",
        "tree._criterion.Criterion",
        "tree._splitter.Splitter",
    ):
        try:
            module, name = ("sklearn." + place).rsplit(".", 1)
            kinds.append(getattr(importlib.import_module(module), name))
        except (ImportError, AttributeError):
            continue
    for each in sklearn_modules():
        for value in list(vars(each).values()):
            home = getattr(value, "__module__", "") or ""
            if not (isinstance(value, type) and home.startswith("sklearn.")) or ".tests." in home:
                continue
            if issubclass(value, tuple(kinds)) or value.__name__ in ("Bunch", "Tags"):
                found.add((home, value.__qualname__))
    distances(found)
    metrics = importlib.import_module("sklearn.metrics")
    for part in (metrics, metrics.pairwise, importlib.import_module("sklearn.metrics.cluster")):
        for value in list(vars(part).values()):
            if inspect.isfunction(value) and (value.__module__ or "").startswith("sklearn.metrics") and pure(value):
                names(value, found)
    scorers = getattr(metrics, "get_scorer_names", lambda: getattr(metrics, "SCORERS", {}))()
    for name in scorers:
        names(metrics.get_scorer(name), found)
    ufuncs(found)


def pure(function: Any) -> bool:
    """A public function of numbers: it draws nothing, makes no scorer, starts no processes."""
    name = function.__name__
    if name.startswith(("plot", "_", "check", "get_", "make_")) or name.endswith("_metrics"):
        return False
    return "n_jobs" not in inspect.signature(function).parameters or name.startswith("silhouette")


def distances(found: Names) -> None:
    """Every metric class: which of them a neighbours model holds depends on one parameter."""
    for place in ("metrics._dist_metrics", "neighbors._dist_metrics", "neighbors.dist_metrics"):
        try:
            module = importlib.import_module("sklearn." + place)
        except ImportError:
            continue
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__name__.endswith(("Distance", "Distance32", "Distance64")):
                found.add((module.__name__, value.__name__))


def ufuncs(found: Names) -> None:
    """Elementwise functions under every spelling: a pickler takes the first loaded module that has the name."""
    core = "numpy._core" if np.__version__ >= "2" else "numpy.core"
    plain = (
        "mean",
        "median",
        "average",
        "sum",
        "prod",
        "std",
        "var",
        "min",
        "max",
        "amin",
        "amax",
        "ptp",
        "clip",
        "nan_to_num",
        "nanmean",
        "nanmedian",
        "nanmin",
        "nanmax",
        "nansum",
        "nanstd",
        "argmax",
        "argmin",
        "ravel",
        "log",
        "concatenate",
        "hstack",
        "vstack",
        "asarray",
        "array",
        "identity",
        "diff",
        "cumsum",
        "round",
        "around",
    )
    for name, value in vars(np).items():
        if isinstance(value, np.ufunc) and value.__name__ == name:
            for module in ("numpy", core, core + ".umath", core + "._multiarray_umath"):
                found.add((module, name))
        elif name in plain and callable(value):
            names(value, found)
    for name, value in vars(scipy.special).items():
        if isinstance(value, np.ufunc):
            found.add(("scipy.special", name))
            found.add(("scipy.special._ufuncs", name))
    for name in ("logsumexp", "softmax", "log_softmax"):
        if hasattr(scipy.special, name):
            names(getattr(scipy.special, name), found)


def main() -> None:
    """Collect and print."""
    warnings.simplefilter("ignore")
    found: Names = set()
    fits = 0
    for cls in estimator_classes():
        names(cls, found)
        for model in fitted(cls):
            fits += names(model, found)
    for thunk in variants():
        try:
            model = thunk()
        except Exception:
            continue
        fits += names(model, found)
    for value in loose():
        names(value, found)
    definitions(found)
    releases = {library.__name__: str(library.__version__) for library in (sklearn, np, scipy, joblib)}
    releases["python"] = "%d.%d" % sys.version_info[:2]
    json.dump({"releases": releases, "objects": fits, "names": sorted(found)}, sys.stdout, indent=0)


if __name__ == "__main__":
    main()
