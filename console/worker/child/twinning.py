"""Making a model's ONNX twin: converted, compared where answers are most likely to differ, timed at each batch size."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from console.worker.child.live import attribute
from console.worker.child.main import Refusal
from console.worker.child.twin import METHODS, TOLERANCE, Routes, Twin, difference

__all__ = ["make"]

SIZES = (1, 10, 100, 1_000, 10_000, 100_000)
ROWS = 100_000
CHUNK = 5_000
COMPARE_SECONDS = 30.0
TIMING_SECONDS = 1.0
TURNS, LEAST_TURNS = 41, 4
SLOWEST_MS = 250.0
"""Ten times as many rows are not timed once a call of both takes longer than this."""
THRESHOLDS = 4_096
MARGIN = 0.95
"""A batch size is the twin's only where it takes at most this share of the model's own time."""


def make(model: Any, rows: Any) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a twin, and how it compares: dtype, rows, differing, largest, timings, routes, versions.

    `rows` are real ones of the model's own. float64 is tried first, then float32; the first twin whose labels are all
    the same is taken. Raises Refusal for a model that cannot be converted, or of which no twin agrees.
    """
    X = _numbers(model, rows)
    compared = list(_compared_rows(model, X))
    refused = []
    for dtype in ("float64", "float32"):
        try:
            data = _convert(model, X.shape[1], dtype)
            twin = Twin(data, model, {})
            agreement = _agreement(model, twin, compared)
        except Refusal as error:
            if error.code == "missing":
                raise
            refused.append(f"{dtype}: {error}")
            continue
        if agreement["differing"] or agreement["largest"] > TOLERANCE[dtype]:
            refused.append(
                f"{dtype}: {agreement['differing']:,} of {agreement['rows']:,} labels differ,"
                f" numbers by up to {agreement['largest']:.2g}"
            )
            continue
        timings, routes = _timed(model, twin, X)
        return data, {"dtype": dtype, **agreement, "timings": timings, "routes": routes, "versions": _versions()}
    raise Refusal("no-twin", "no ONNX twin answers like this model: " + "; ".join(refused))


def _numbers(model: Any, rows: Any) -> Any:
    numpy = importlib.import_module("numpy")
    if not callable(attribute(model, "predict")) or attribute(model, "n_features_in_") is None:
        raise Refusal("no-twin", f"only classifiers and regressors have twins, and this is a {type(model).__name__}")
    X = numpy.asarray(rows)
    if X.ndim != 2 or X.dtype.kind not in "fiu" or not len(X):
        raise Refusal("no-twin", "a twin takes a table of numbers alone, and this model takes something else")
    return X.astype("float64")


def _convert(model: Any, width: int, dtype: str) -> bytes:
    try:
        skl2onnx = importlib.import_module("skl2onnx")
        types = importlib.import_module("skl2onnx.common.data_types")
    except ImportError:
        raise Refusal("missing", "skl2onnx is not installed for the interpreter of this model") from None
    tensor = types.DoubleTensorType if dtype == "float64" else types.FloatTensorType
    options = {"zipmap": False} if attribute(model, "classes_") is not None else None
    try:
        made = skl2onnx.to_onnx(model, initial_types=[("X", tensor([None, width]))], options=options)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal("no-twin", f"skl2onnx cannot convert it ({type(error).__name__}: {first})") from None
    return made.SerializeToString()  # type: ignore[no-any-return]


def _compared_rows(model: Any, X: Any) -> Iterator[Any]:
    """Chunks of real rows, real rows with noise, and rows moved onto what decides: thresholds and their neighbours."""
    numpy = importlib.import_module("numpy")
    random = numpy.random.default_rng(0)
    spread = X.std(axis=0) + 1e-9
    edges = _edges(model, X)
    for begin in range(0, ROWS, CHUNK):
        rows = X[random.integers(0, len(X), CHUNK)] if begin or len(X) < CHUNK else X[:CHUNK].copy()
        if begin:
            rows = rows + random.normal(size=rows.shape) * spread * random.choice([0.0, 0.01, 0.3], (CHUNK, 1))
        if begin % (2 * CHUNK):
            columns = random.integers(0, X.shape[1], CHUNK)
            values = edges[columns, random.integers(0, edges.shape[1], CHUNK)]
            rows[numpy.arange(CHUNK), columns] = values
        yield rows


def _edges(model: Any, X: Any) -> Any:
    """For each feature the values at which an answer may turn, and their nearest neighbours: (features, values)."""
    numpy = importlib.import_module("numpy")
    random = numpy.random.default_rng(1)
    by_feature: list[list[float]] = [[] for _ in range(X.shape[1])]
    for features, thresholds in _splits(model):
        for feature, threshold in zip(features, thresholds):
            if 0 <= feature < len(by_feature) and len(by_feature[feature]) < THRESHOLDS:
                by_feature[feature].append(float(threshold))
    edges = numpy.empty((X.shape[1], 3 * THRESHOLDS))
    for feature, known in enumerate(by_feature):
        column = X[:, feature]
        known = known or [*column[:THRESHOLDS], 0.0, -0.0, column.min(), column.max(), 10 * column.max()]
        values = random.choice(numpy.asarray(known, dtype="float64"), THRESHOLDS)
        single = values.astype("float32").astype("float64")
        values = numpy.where(random.random(THRESHOLDS) < 0.5, values, single)
        edges[feature] = numpy.concatenate(
            [values, numpy.nextafter(values, numpy.inf), numpy.nextafter(values, -numpy.inf)]
        )
    return edges


def _splits(model: Any) -> Iterator[tuple[Any, Any]]:
    """Feature and threshold arrays of every tree in a model of scikit-learn's that splits its own inputs."""
    tree = attribute(model, "tree_")
    if tree is not None:
        yield tree.feature, tree.threshold
    predictors = attribute(model, "_predictors") or ()
    for grown in predictors:
        for one in grown:
            yield one.nodes["feature_idx"], one.nodes["num_threshold"]
    for below in _flat(attribute(model, "estimators_")):
        yield from _splits(below)


def _flat(estimators: Any) -> Iterator[Any]:
    if isinstance(estimators, (list, tuple)) or hasattr(estimators, "ravel"):
        for one in estimators.ravel() if hasattr(estimators, "ravel") else estimators:
            yield one[1] if isinstance(one, tuple) else one


def _agreement(model: Any, twin: Twin, chunks: list[Any]) -> dict[str, Any]:
    """Rows compared, rows whose labels differ, and the largest difference of a number."""
    begun = time.monotonic()
    methods = _methods(model)
    rows = differing = 0
    largest = 0.0
    for chunk in chunks:
        given = twin.cast(chunk)
        for name in methods:
            expected, found = _asked(model, name, chunk), twin.run(name, given)
            if expected.shape != found.shape:
                raise Refusal("no-twin", f"the twin answers {name} in the shape {found.shape}, not {expected.shape}")
            if expected.dtype.kind == "f":
                largest = max(largest, difference(expected, found))
            else:
                differing += int((expected != found).reshape(len(chunk), -1).any(axis=1).sum())
        rows += len(chunk)
        if time.monotonic() - begun > COMPARE_SECONDS:
            break
    return {"rows": rows, "differing": differing, "largest": largest}


def _methods(model: Any) -> tuple[str, ...]:
    return tuple(name for name in METHODS if callable(attribute(model, name)))


def _asked(model: Any, name: str, rows: Any) -> Any:
    """The model's own answer; a model that knows its columns by name is given them by name."""
    names = attribute(model, "feature_names_in_")
    if names is not None:
        from console.worker.child.readers import frame_of

        rows = frame_of(rows, [str(one) for one in names])
    return getattr(model, name)(rows)


def _timed(model: Any, twin: Twin, X: Any) -> tuple[list[dict[str, Any]], Routes]:
    """Milliseconds of both for each method and batch size, taken in turn, and the sizes that are the twin's."""
    numpy = importlib.import_module("numpy")
    timings: list[dict[str, Any]] = []
    for name in _methods(model):
        for size in SIZES:
            own, compiled = _durations(model, twin, name, X[numpy.arange(size) % len(X)])
            timings.append({"method": name, "rows": size, "model_ms": own, "twin_ms": compiled})
            if own + compiled > SLOWEST_MS:
                break
    return timings, {name: routes_of([one for one in timings if one["method"] == name]) for name in _methods(model)}


def _durations(model: Any, twin: Twin, name: str, rows: Any) -> tuple[float, float]:
    """Median milliseconds of model and twin, casting included; the first of several turns does not count."""
    own: list[float] = []
    compiled: list[float] = []
    begun = time.perf_counter()
    while len(own) < TURNS and (len(own) < LEAST_TURNS or time.perf_counter() - begun < TIMING_SECONDS):
        first = time.perf_counter()
        _asked(model, name, rows)
        second = time.perf_counter()
        twin.run(name, twin.cast(rows))
        own.append(second - first)
        compiled.append(time.perf_counter() - second)
    return median(own[1:]) * 1e3, median(compiled[1:]) * 1e3


def routes_of(timings: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Ranges of rows for the twin: each measured size stands for those up to halfway, as a factor, to the next."""
    ranges: list[tuple[int, int]] = []
    for number, one in enumerate(timings):
        if one["twin_ms"] > MARGIN * one["model_ms"]:
            continue
        low = 1 if number == 0 else _halfway(timings[number - 1]["rows"], one["rows"]) + 1
        last = number + 1 == len(timings)
        high = one["rows"] if last else _halfway(one["rows"], timings[number + 1]["rows"])
        if ranges and ranges[-1][1] + 1 == low:
            ranges[-1] = (ranges[-1][0], high)
        else:
            ranges.append((low, high))
    return ranges


def _halfway(low: int, high: int) -> int:
    return int((low * high) ** 0.5)


def _versions() -> dict[str, str]:
    names = ("onnxruntime", "skl2onnx", "onnx", "sklearn", "numpy")
    modules = ((name, importlib.import_module(name)) for name in names)
    return {name: str(getattr(module, "__version__", "")) for name, module in modules}
