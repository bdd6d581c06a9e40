"""Exporting a model to ONNX: converted, compared where answers are most likely to differ, timed at each batch size."""

from __future__ import annotations

import importlib
import json
import math
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from statistics import median
from typing import Any

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from backends.core.model import Model, Runnable
from console.worker.child.asking import ask
from console.worker.child.boundary_rows import ROWS, compared_rows
from console.worker.child.lazy import numpy

METHODS = ("predict", "predict_proba")
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
"""Largest difference of a probability, or of a number relative to its size, by the dtype of the export."""
SIZES = (1, 10, 100, 1_000, 10_000, 100_000)
COMPARE_SECONDS = 30.0
TIMING_SECONDS = 0.3
TURNS, LEAST_TURNS = 41, 4
SLOWEST_MS = 250.0
"""Ten times as many rows are not timed once a call of both takes longer than this."""
_PREFIX = "model_console."


def export(
    model: Model, rows: Any, origin: dict[str, str], tell: Callable[[str], None]
) -> tuple[bytes, dict[str, Any]]:
    """The bytes of an ONNX model, and how it compares: dtype, rows, differing, largest, timings, versions.

    `rows` are real ones of the model's own; `origin` says what it is made of and goes into it, with how it compared;
    `tell` hears what is being done. float64 is tried first, then float32; the first whose labels are all the same is
    taken. Raises Refusal for a model that cannot be converted, or of which no export agrees.
    """
    X = _numbers(model, rows)
    refused = []
    with ExitStack() as held:
        for dtype in ("float64", "float32"):
            try:
                tell(f"converting to {dtype}")
                made = _converted(model, X.shape[1], dtype)
                exported = held.enter_context(closing(_runnable(made.SerializeToString(), X.shape[1])))
                tell(f"comparing in {dtype}")
                agreement = _agreement(model, exported, dtype, compared_rows(model, X))
            except Refusal as error:
                if error.code == "missing":
                    raise
                refused.append(f"{dtype}: {error}")
                continue
            words = f"{agreement['differing']:,} of {agreement['rows']:,} labels differ"
            if agreement["differing"] or agreement["largest"] > TOLERANCE[dtype]:
                refused.append(f"{dtype}: {words}, numbers by up to {agreement['largest']:.2g}")
                continue
            tell("timing")
            words += f", numbers by at most {agreement['largest']:.2g}"
            found = {"dtype": dtype, **agreement, "timings": _timed(model, exported, X), "versions": _versions()}
            return _told(made, {**origin, "dtype": dtype, "agreement": words, **_names(model)}), found
    raise Refusal("no-export", "no ONNX export answers like this model: " + "; ".join(refused))


def difference(expected: Any, found: Any) -> float:
    """The largest difference of two answers of the same shape, relative to the size of numbers beyond 1.

    Infinite where one of them is no number and the other is, or is another infinity.
    """
    same = (expected == found) | (numpy.isnan(expected) & numpy.isnan(found))
    expected, found = expected[~same], found[~same]
    if expected.size == 0:
        return 0.0
    with numpy.errstate(invalid="ignore", over="ignore"):
        largest = float((numpy.abs(expected - found) / numpy.maximum(1.0, numpy.abs(expected))).max())
    return largest if math.isfinite(largest) else math.inf


def _numbers(model: Model, rows: Any) -> Any:
    """Real rows as float64, without those in which a number is missing or infinite."""
    if not model.has("predict") or attribute(model.fitted, "n_features_in_") is None:
        raise Refusal("no-export", f"only models that predict from a table are exported, not a {model.name}")
    if isinstance(model.classes, list):
        raise Refusal("no-export", "it answers several labels for each row, and an export answers one")
    X = numpy.asarray(rows[:ROWS])
    if X.ndim != 2 or X.dtype.kind not in "fiu":
        raise Refusal("no-export", "an export takes a table of numbers alone, and this model takes something else")
    X = X.astype("float64")
    X = X[numpy.isfinite(X).all(axis=1)]
    if not len(X):
        raise Refusal("no-export", "in every row to compare on a number is missing")
    return X


def _converted(model: Model, width: int, dtype: str) -> Any:
    """The model as a message of ONNX. Raises Refusal."""
    try:
        skl2onnx = importlib.import_module("skl2onnx")
        types = importlib.import_module("skl2onnx.common.data_types")
    except ImportError:
        raise Refusal("missing", "skl2onnx is not installed for the interpreter of this model") from None
    tensor = types.DoubleTensorType if dtype == "float64" else types.FloatTensorType
    entry = [("X", tensor([None, width]))]
    try:
        try:
            return skl2onnx.to_onnx(model.fitted, initial_types=entry, options={"zipmap": False})
        except NameError:  # no such option: it answers no maps anyway
            return skl2onnx.to_onnx(model.fitted, initial_types=entry)
    except Exception as error:
        raise Refusal("no-export", f"skl2onnx cannot convert it ({_first_line(error)})") from None


def _runnable(data: bytes, width: int) -> Runnable:
    """The export as it will answer once it is loaded. Raises Refusal."""
    from backends.core.inspection import Signature
    from backends.formats.onnx.model import OnnxModel, open_session

    try:
        return OnnxModel(open_session(data), Signature(n_features=width))
    except ImportError:
        raise Refusal("missing", "onnxruntime is not installed for the interpreter of this model") from None
    except Exception as error:
        raise Refusal("no-export", f"ONNX Runtime cannot read it ({_first_line(error)})") from None


def _agreement(model: Model, exported: Runnable, dtype: str, chunks: Iterable[Any]) -> dict[str, Any]:
    """Rows compared, rows whose labels differ, and the largest difference of a number; no more once some do."""
    begun = time.monotonic()
    methods = _methods(model)
    rows = differing = 0
    largest = 0.0
    for number, chunk in enumerate(chunks):
        given = chunk.astype("float32") if dtype == "float32" and number % 4 == 3 else chunk
        for name in methods:
            expected, found = _asked(model, name, given), _answered(exported, name, given)
            if expected.shape != found.shape:
                raise Refusal(
                    "no-export", f"the export answers {name} in the shape {found.shape}, not {expected.shape}"
                )
            if expected.dtype.kind == "f":
                largest = max(largest, difference(expected, found))
            else:
                differing += int((expected != found).reshape(len(chunk), -1).any(axis=1).sum())
        rows += len(chunk)
        if differing or largest > TOLERANCE[dtype] or time.monotonic() - begun > COMPARE_SECONDS:
            break
    return {"rows": rows, "differing": differing, "largest": largest}


def _answered(exported: Runnable, name: str, rows: Any) -> Any:
    if name not in exported.methods:
        raise Refusal("no-export", f"the export has no {name}, only {', '.join(exported.methods)}")
    try:
        return exported.call(name, rows)
    except Exception as error:
        raise Refusal("no-export", f"ONNX Runtime cannot run it ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:200]}"


def _methods(model: Model) -> tuple[str, ...]:
    return tuple(name for name in METHODS if model.has(name))


def _asked(model: Model, name: str, rows: Any) -> Any:
    """The model's own answer; a model that knows its columns by name is given them by name."""
    names = attribute(model.fitted, "feature_names_in_")
    if names is not None:
        from console.worker.child.readers import frame_of

        rows = frame_of(rows, [str(one) for one in names])
    return ask(model, name, rows)


def _timed(model: Model, exported: Runnable, X: Any) -> list[dict[str, Any]]:
    """Milliseconds of both for each method and batch size, taken in turn."""
    timings: list[dict[str, Any]] = []
    for name in _methods(model):
        for size in SIZES:
            own, onnx = _durations(model, exported, name, X[numpy.arange(size) % len(X)])
            timings.append({"method": name, "rows": size, "model_ms": own, "onnx_ms": onnx})
            if own + onnx > SLOWEST_MS:
                break
    return timings


def _durations(model: Model, exported: Runnable, name: str, rows: Any) -> tuple[float, float]:
    """Median milliseconds of both, casting included; the first of several turns does not count."""
    rows.setflags(write=False)
    own: list[float] = []
    onnx: list[float] = []
    begun = time.perf_counter()
    while len(own) < TURNS and (len(own) < LEAST_TURNS or time.perf_counter() - begun < TIMING_SECONDS):
        first = time.perf_counter()
        _asked(model, name, rows)
        second = time.perf_counter()
        exported.call(name, rows)
        own.append(second - first)
        onnx.append(time.perf_counter() - second)
    return median(own[1:]) * 1e3, median(onnx[1:]) * 1e3


def _names(model: Model) -> dict[str, str]:
    """The columns that the model knows by name, for the export to ask for them too."""
    names = attribute(model.fitted, "feature_names_in_")
    return {} if names is None else {"feature_names": json.dumps([str(name) for name in names])}


def _told(made: Any, facts: dict[str, str]) -> bytes:
    """The bytes of the message with these facts among its metadata."""
    for name, text in facts.items():
        entry = made.metadata_props.add()
        entry.key, entry.value = _PREFIX + name, text
    data: bytes = made.SerializeToString()
    return data


def _versions() -> dict[str, str]:
    names = ("onnxruntime", "skl2onnx", "onnx", "sklearn", "numpy")
    modules = ((name, importlib.import_module(name)) for name in names)
    return {name: str(getattr(module, "__version__", "")) for name, module in modules}
