"""A model's ONNX twin: a compiled copy that answers the batch sizes it is faster at, and is watched while it does."""

from __future__ import annotations

import importlib
import math
from typing import Any, Optional

from console.worker.child.asking import ask
from console.worker.child.live import attribute
from console.worker.child.main import Refusal

__all__ = ["METHODS", "TOLERANCE", "Routes", "Twin", "agree", "difference"]

METHODS = ("predict", "predict_proba")
FIRST_CHECKED = 3
CHECK_EVERY = 1_000
CHECKED_ROWS = 1_000
"""So many rows of a call are answered by both at most, so that a check never takes long."""
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
"""Largest difference of a probability, or of a number relative to its size, by the twin's dtype."""
_TAKEN = {"float32": "df", "float64": "d"}
"""Dtypes of rows (numpy's characters) that a twin was compared on, by its own dtype."""

Routes = dict[str, list[tuple[int, int]]]
"""Method to the ranges of rows, both ends included, that the twin answers."""


class Twin:
    """A session of ONNX Runtime on the bytes of a twin, beside the model it was made of.

    It answers only rows like those it was compared on: finite numbers of the right width, in float64, or in float32
    where the twin is float32 itself. The first calls of a method and every thousandth are answered by both
    (`compared` = the last call was); `off` says why the twin was switched off once they differed. Raises Refusal where
    the runtime is missing or cannot read the bytes.
    """

    def __init__(self, data: bytes, model: Any, routes: Routes) -> None:
        self.off: Optional[str] = None
        self.compared = False
        self._session = _session(data)
        self._model = model
        self._routes = routes
        self._numpy = importlib.import_module("numpy")
        entry = self._session.get_inputs()[0]
        self._input = entry.name
        self.dtype = "float64" if entry.type == "tensor(double)" else "float32"
        self._taken = _TAKEN[self.dtype]
        self._width = attribute(model, "n_features_in_")
        names = attribute(model, "feature_names_in_")
        self._names = None if names is None else [str(name) for name in names]
        outputs = [[output.name] for output in self._session.get_outputs()]
        self._outputs = dict(zip(METHODS, outputs))
        self._dtypes: dict[str, Any] = {}
        self._calls = dict.fromkeys(METHODS, 0)

    def call(self, name: str, rows: Any) -> Any:
        """The twin's answer to a method; None where the model itself has to answer."""
        self.compared = False
        if self.off is not None or not self._faster(name, len(rows)):
            return None
        given = self._input_of(rows)
        if given is None:
            return None
        try:
            found = self.run(name, given)
        except Exception as error:
            self.off = f"its ONNX twin failed and was switched off: {type(error).__name__}"
            return None
        self._calls[name] += 1
        if self._calls[name] <= FIRST_CHECKED or self._calls[name] % CHECK_EVERY == 0:
            return self._checked(name, rows, found)
        return found

    def run(self, name: str, given: Any) -> Any:
        """The twin's own answer to rows that are in its dtype, in the dtype of the model's answers once one was seen.

        Raises what the runtime raises.
        """
        found = self._session.run(self._outputs[name], {self._input: given})[0]
        if found.ndim == 2 and name == "predict" and found.shape[1] == 1:
            found = found[:, 0]
        dtype = self._dtypes.get(name)
        return found if dtype is None or found.dtype == dtype else found.astype(dtype)

    def like(self, name: str, expected: Any) -> None:
        """Answer this method in the dtype of this answer of the model's from now on."""
        self._dtypes[name] = expected.dtype

    def cast(self, rows: Any) -> Any:
        """The rows in the twin's dtype, as a contiguous array; what is too large for it becomes infinite."""
        with self._numpy.errstate(over="ignore"):
            return self._numpy.ascontiguousarray(rows, dtype=self.dtype)

    def _faster(self, name: str, count: int) -> bool:
        return any(low <= count <= high for low, high in self._routes.get(name, ()))

    def _input_of(self, rows: Any) -> Any:
        if not isinstance(rows, self._numpy.ndarray):
            if self._names is None or list(getattr(rows, "columns", ())) != self._names:
                return None
            rows = self._numpy.asarray(rows)
        elif self._names is not None:
            return None
        if rows.ndim != 2 or rows.shape[1] != self._width or rows.dtype.char not in self._taken:
            return None
        given = self.cast(rows)
        return given if self._numpy.isfinite(given).all() else None

    def _checked(self, name: str, rows: Any, found: Any) -> Any:
        self.compared = True
        expected = ask(self._model, name, rows[:CHECKED_ROWS])
        if not agree(expected, found[:CHECKED_ROWS], self.dtype):
            self.off = f"its ONNX twin answered {name} differently and was switched off (a call of {len(rows):,} rows)"
            return None
        self.like(name, expected)
        return found if found.dtype == expected.dtype else found.astype(expected.dtype)


def agree(expected: Any, found: Any, dtype: str) -> bool:
    """Whether two answers are the same: labels exactly, numbers within the tolerance of the dtype."""
    if expected.shape != found.shape:
        return False
    if expected.dtype.kind != "f":
        return bool((expected == found).all())
    return difference(expected, found) <= TOLERANCE[dtype]


def difference(expected: Any, found: Any) -> float:
    """The largest difference of two answers of the same shape, relative to the size of numbers beyond 1.

    Infinite where one of them is no number and the other is, or is another infinity.
    """
    numpy = importlib.import_module("numpy")
    same = (expected == found) | (numpy.isnan(expected) & numpy.isnan(found))
    expected, found = expected[~same], found[~same]
    if expected.size == 0:
        return 0.0
    with numpy.errstate(invalid="ignore", over="ignore"):
        largest = float((numpy.abs(expected - found) / numpy.maximum(1.0, numpy.abs(expected))).max())
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
