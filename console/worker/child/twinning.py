"""Making a model's ONNX twin: converted, compared where answers are most likely to differ, timed at each batch size."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from console.worker.child.asking import ask
from console.worker.child.edges import ROWS, compared_rows
from console.worker.child.live import attribute
from console.worker.child.main import Refusal
from console.worker.child.twin import METHODS, TOLERANCE, Routes, Twin, difference

__all__ = ["make"]

SIZES = (1, 10, 100, 1_000, 10_000, 100_000)
COMPARE_SECONDS = 30.0
TIMING_SECONDS = 0.3
TURNS, LEAST_TURNS = 41, 4
SLOWEST_MS = 250.0
"""Ten times as many rows are not timed once a call of both takes longer than this."""
MARGIN = 0.95
"""A batch size is the twin's only where it takes at most this share of the model's own time."""


def make(model: Any, rows: Any, tell: Callable[[str], None]) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a twin, and how it compares: dtype, rows, differing, largest, timings, routes, versions.

    `rows` are real ones of the model's own; `tell` hears what is being done. float64 is tried first, then float32; the
    first twin whose labels are all the same is taken. Raises Refusal for a model that cannot be converted, of which no
    twin agrees, or whose twin is faster nowhere.
    """
    X = _numbers(model, rows)
    refused = []
    for dtype in ("float64", "float32"):
        try:
            tell(f"converting to {dtype}")
            data = _convert(model, X.shape[1], dtype)
            twin = Twin(data, model, {})
            tell(f"comparing in {dtype}")
            agreement = _agreement(model, twin, compared_rows(model, X))
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
        tell("timing")
        timings, routes = _timed(model, twin, X)
        if not any(routes.values()):
            raise Refusal("no-twin", "its ONNX twin answers alike, but is faster at no number of rows")
        return data, {"dtype": dtype, **agreement, "timings": timings, "routes": routes, "versions": _versions()}
    raise Refusal("no-twin", "no ONNX twin answers like this model: " + "; ".join(refused))


def _numbers(model: Any, rows: Any) -> Any:
    """Real rows as float64, those left out that no twin answers: with numbers missing or infinite."""
    numpy = importlib.import_module("numpy")
    if not callable(attribute(model, "predict")) or attribute(model, "n_features_in_") is None:
        raise Refusal("no-twin", f"only models that predict from a table have twins, not a {type(model).__name__}")
    if isinstance(attribute(model, "classes_"), list):
        raise Refusal("no-twin", "it answers several labels for each row, and a twin answers one")
    X = numpy.asarray(rows[:ROWS])
    if X.ndim != 2 or X.dtype.kind not in "fiu":
        raise Refusal("no-twin", "a twin takes a table of numbers alone, and this model takes something else")
    X = X.astype("float64")
    X = X[numpy.isfinite(X).all(axis=1)]
    if not len(X):
        raise Refusal("no-twin", "in every row to compare on a number is missing")
    return X


def _convert(model: Any, width: int, dtype: str) -> bytes:
    try:
        skl2onnx = importlib.import_module("skl2onnx")
        types = importlib.import_module("skl2onnx.common.data_types")
    except ImportError:
        raise Refusal("missing", "skl2onnx is not installed for the interpreter of this model") from None
    tensor = types.DoubleTensorType if dtype == "float64" else types.FloatTensorType
    entry = [("X", tensor([None, width]))]
    try:
        try:
            made = skl2onnx.to_onnx(model, initial_types=entry, options={"zipmap": False})
        except NameError:  # no such option: it answers no maps anyway
            made = skl2onnx.to_onnx(model, initial_types=entry)
        return made.SerializeToString()  # type: ignore[no-any-return]
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal("no-twin", f"skl2onnx cannot convert it ({type(error).__name__}: {first})") from None


def _agreement(model: Any, twin: Twin, chunks: Iterable[Any]) -> dict[str, Any]:
    """Rows compared, rows whose labels differ, and the largest difference of a number; no more once some do."""
    begun = time.monotonic()
    methods = _methods(model)
    rows = differing = 0
    largest = 0.0
    for number, chunk in enumerate(chunks):
        rows_of = chunk.astype("float32") if twin.dtype == "float32" and number % 4 == 3 else chunk
        given = twin.cast(rows_of)
        for name in methods:
            expected, found = _asked(model, name, rows_of), _answered(twin, name, given)
            if expected.shape != found.shape:
                raise Refusal("no-twin", f"the twin answers {name} in the shape {found.shape}, not {expected.shape}")
            twin.like(name, expected)
            if expected.dtype.kind == "f":
                largest = max(largest, difference(expected, found))
            else:
                differing += int((expected != found).reshape(len(chunk), -1).any(axis=1).sum())
        rows += len(chunk)
        if differing or largest > TOLERANCE[twin.dtype] or time.monotonic() - begun > COMPARE_SECONDS:
            break
    return {"rows": rows, "differing": differing, "largest": largest}


def _answered(twin: Twin, name: str, given: Any) -> Any:
    try:
        return twin.run(name, given)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal("no-twin", f"ONNX Runtime cannot run it ({type(error).__name__}: {first})") from None


def _methods(model: Any) -> tuple[str, ...]:
    return tuple(name for name in METHODS if callable(attribute(model, name)))


def _asked(model: Any, name: str, rows: Any) -> Any:
    """The model's own answer; a model that knows its columns by name is given them by name."""
    names = attribute(model, "feature_names_in_")
    if names is not None:
        from console.worker.child.readers import frame_of

        rows = frame_of(rows, [str(one) for one in names])
    return ask(model, name, rows)


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
    rows.setflags(write=False)
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
