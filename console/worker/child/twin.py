"""A model's ONNX twin: a compiled copy that answers the batch sizes it is faster at, and is watched while it does."""

from __future__ import annotations

import importlib
import math
import warnings
from typing import Any, Optional

from console.worker.child.live import attribute
from console.worker.child.main import Refusal

__all__ = ["METHODS", "Twin", "agree"]

METHODS = ("predict", "predict_proba")
FIRST_CHECKED = 3
CHECK_EVERY = 1_000
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
"""Largest difference of a probability, or of a number relative to its size, by the twin's dtype."""

Routes = dict[str, list[tuple[int, int]]]
"""Method to the ranges of rows, both ends included, that the twin answers."""


class Twin:
    """A session of ONNX Runtime on the bytes of a twin, beside the model it was made of.

    It answers only rows that the model would take without complaint: finite numbers of the right width. The first
    calls and every thousandth are answered by both; `off` says why the twin was switched off once they differed, and a
    warning tells it. Raises Refusal where the runtime is missing or cannot read the bytes.
    """

    def __init__(self, data: bytes, model: Any, routes: Routes) -> None:
        self.off: Optional[str] = None
        self._session = _session(data)
        self._model = model
        self._routes = routes
        self._numpy = importlib.import_module("numpy")
        entry = self._session.get_inputs()[0]
        self._input = entry.name
        self.dtype = "float64" if entry.type == "tensor(double)" else "float32"
        self._width = attribute(model, "n_features_in_")
        names = attribute(model, "feature_names_in_")
        self._names = None if names is None else [str(name) for name in names]
        outputs = [output.name for output in self._session.get_outputs()]
        self._outputs = dict(zip(METHODS, outputs))
        self._classes = attribute(model, "classes_")
        self._calls = 0

    def call(self, name: str, rows: Any) -> Any:
        """The twin's answer to a method; None where the model itself has to answer."""
        if self.off is not None or not self._faster(name, len(rows)):
            return None
        given = self._input_of(rows)
        if given is None:
            return None
        try:
            found = self.run(name, given)
        except Exception as error:
            self._switch_off(f"the ONNX twin failed and was switched off: {type(error).__name__}")
            return None
        self._calls += 1
        if self._calls <= FIRST_CHECKED or self._calls % CHECK_EVERY == 0:
            return self._checked(name, rows, found)
        return found

    def run(self, name: str, given: Any) -> Any:
        """The twin's own answer to rows that are in its dtype. Raises what the runtime raises."""
        found = self._session.run([self._outputs[name]], {self._input: given})[0]
        if name == "predict":
            found = found.reshape(len(given), -1)
            found = found[:, 0] if found.shape[1] == 1 else found
            return found if self._classes is None else found.astype(self._classes.dtype)
        return found.astype("float64", copy=False)

    def cast(self, rows: Any) -> Any:
        """The rows in the twin's dtype, as a contiguous array."""
        return self._numpy.ascontiguousarray(rows, dtype=self.dtype)

    def _faster(self, name: str, count: int) -> bool:
        return any(low <= count <= high for low, high in self._routes.get(name, ()))

    def _input_of(self, rows: Any) -> Any:
        columns = getattr(rows, "columns", None)
        if (columns is None) != (self._names is None) or (columns is not None and list(columns) != self._names):
            return None
        array = self._numpy.asarray(rows)
        if array.ndim != 2 or array.shape[1] != self._width or array.dtype.kind not in "fiu":
            return None
        given = self.cast(array)
        return given if self._numpy.isfinite(given).all() else None

    def _checked(self, name: str, rows: Any, found: Any) -> Any:
        expected = getattr(self._model, name)(rows)
        if not agree(expected, found, self.dtype):
            self._switch_off(f"the ONNX twin answered {name} differently on {len(rows)} rows and was switched off")
        return expected

    def _switch_off(self, why: str) -> None:
        self.off = why
        warnings.warn(why, RuntimeWarning, stacklevel=2)


def agree(expected: Any, found: Any, dtype: str) -> bool:
    """Whether two answers are the same: labels exactly, numbers within the tolerance of the dtype."""
    numpy = importlib.import_module("numpy")
    if expected.shape != found.shape:
        return False
    if expected.dtype.kind != "f":
        return bool((expected == found).all())
    return difference(expected, found) <= TOLERANCE[dtype] and bool((numpy.isnan(expected) == numpy.isnan(found)).all())


def difference(expected: Any, found: Any) -> float:
    """The largest difference of two answers of the same shape, relative to the size of numbers beyond 1."""
    numpy = importlib.import_module("numpy")
    if expected.size == 0:
        return 0.0
    gap = numpy.abs(expected - found) / numpy.maximum(1.0, numpy.abs(expected))
    largest = float(numpy.nanmax(gap)) if not numpy.isnan(gap).all() else 0.0
    return largest if math.isfinite(largest) else math.inf


def _session(data: bytes) -> Any:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        raise Refusal("missing", "onnxruntime is not installed for the interpreter of this model") from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Refusal("bad-input", f"ONNX Runtime cannot read the twin: {type(error).__name__}") from None
