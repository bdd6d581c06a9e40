"""ONNX models as a format: inspected statically, run by ONNX Runtime."""

from __future__ import annotations

import importlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

from backends.core.errors import NotLoadable
from backends.core.feed import Feed
from backends.core.format import LoadedModel
from backends.core.inspection import Signature
from backends.core.source import Source
from backends.core.tensor_model import fitting
from backends.formats.onnx import ELSEWHERE
from backends.formats.onnx.inspecting import inspect as inspect

_LABELS = ("tensor(int64)", "tensor(int32)", "tensor(string)", "tensor(bool)")
_ERRORS = 3
"""The least severity that the runtime logs."""
_NUMBERS = ("tensor(float)", "tensor(double)", "tensor(float16)")
_ROW_WISE = frozenset(
    (
        *("Cast", "Identity", "Add", "Sub", "Mul", "Div", "Relu", "Sigmoid", "Tanh", "Sqrt", "Exp", "Neg", "Constant"),
        *(f"ai.onnx.ml.{name}" for name in ("Binarizer", "FeatureVectorizer", "Imputer", "LabelEncoder", "ZipMap")),
        *(f"ai.onnx.ml.{name}" for name in ("LinearClassifier", "LinearRegressor", "OneHotEncoder", "Scaler")),
        *(f"ai.onnx.ml.{name}" for name in ("SVMClassifier", "SVMRegressor", "Normalizer", "ArrayFeatureExtractor")),
        *(f"ai.onnx.ml.{name}" for name in ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")),
    )
)
"""Operators that answer each row for itself, whatever their attributes are."""


def load(source: Source, at: str = "") -> LoadedModel:
    """A session of ONNX Runtime on the whole file. Raises Damaged, NotLoadable, and what the runtime raises."""
    if at:
        raise NotLoadable("an ONNX file holds one model: leave out the place")
    found = inspect(source)
    if not found.loadable:
        raise NotLoadable(ELSEWHERE)
    begun = time.perf_counter()
    try:
        session = open_session(source.read(0, source.size))
    except ImportError:
        raise NotLoadable("running it needs the Python package onnxruntime: install the onnx extra") from None
    operators = found.details.get("operators")
    row_wise = isinstance(operators, dict) and _ROW_WISE.issuperset(operators)
    model = OnnxModel(session, found.signature, row_wise)
    return LoadedModel(model, "onnx", phases={"session": time.perf_counter() - begun})


def open_session(data: bytes) -> Any:
    """A session that runs in one thread, keeps no arena, and waits without spinning. Raises what the runtime raises."""
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = _ERRORS
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        named = re.search(r"locale with name:\s*([\w.@-]+?)(?::|\s|$)", str(error))
        if named is None:
            raise
        raise NotLoadable(f"it treats texts by the rules of the locale {named[1]}, which this machine lacks") from None


def _runtime() -> Any:
    """ONNX Runtime without telemetry and with errors alone on stderr; while it starts, it warns of devices regardless.

    Raises ImportError.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with _silent_stderr():
        runtime = importlib.import_module("onnxruntime")
    runtime.set_default_logger_severity(_ERRORS)
    return runtime


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """A pipe that is thrown away in the place of this process's stderr."""
    kept, (reading, writing) = os.dup(2), os.pipe()
    try:
        os.dup2(writing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        for fd in (kept, reading, writing):
            os.close(fd)


class OnnxModel:
    """A graph that answers tensors by name, and rows of a table where its inputs can be made of them: a TensorRunnable.

    `predict` is the label or the first output, `predict_proba` the probabilities beside a label, `predict_NAME` any
    other output.
    """

    def __init__(self, session: Any, signature: Signature, row_wise: bool = False) -> None:
        self.signature = signature
        self._session = session
        self._feed, self._no_rows = _feed_of(session.get_inputs(), signature)
        self._outputs = {name: output.name for name, output in self._named(session.get_outputs())}
        self.methods = tuple(self._outputs)
        alone = row_wise and self._feed is not None and self._feed.batch is None
        self.row_wise = frozenset(self.methods) if alone else frozenset[str]()

    def call(self, method: str, inputs: Any) -> Any:
        """One answer for each row. Raises ValueError for rows that do not fit, what the runtime raises."""
        if self._feed is None:
            raise ValueError(self._no_rows)
        parts = [self._session.run([self._outputs[method]], given)[0] for given in self._feed.batches(inputs)]
        return self._feed.joined([_plain(part) for part in parts], inputs, method)

    def run(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name, for an array for each input; sequences are lists, and what is optional may be missing.

        Raises ValueError for tensors that do not fit, what the runtime raises.
        """
        inputs = self._session.get_inputs()
        surplus = set(tensors) - {one.name for one in (*inputs, *self._session.get_overridable_initializers())}
        if surplus:
            taken = ", ".join(one.name for one in inputs)
            raise ValueError(f"the model has no input {min(surplus)}; it takes {taken or 'none'}")
        known = {one.name: one for one in self.signature.takes}
        given = dict(tensors)
        for one in inputs:
            if one.name not in given and not one.type.startswith("optional("):
                raise ValueError(f"the input {one.name} is missing")
            if one.type.startswith("tensor(") and one.name in known:
                given[one.name] = fitting(known[one.name], given[one.name])
        answers = self._session.run(None, {name: value for name, value in given.items() if value is not None})
        return dict(zip((one.name for one in self._session.get_outputs()), answers))

    def close(self) -> None:
        """Let go of the session."""
        self._session = None

    def _named(self, outputs: list[Any]) -> list[tuple[str, Any]]:
        """Each output and the method that asks for it."""
        named: dict[str, Any] = {}
        probabilities = self._probabilities(outputs)
        for number, output in enumerate(outputs):
            name = "predict" if number == 0 else f"predict_{_word(output.name, number)}"
            if output is probabilities:
                name = "predict_proba"
            named[name if name not in named else f"predict_{number}"] = output
        return list(named.items())

    def _probabilities(self, outputs: list[Any]) -> Optional[Any]:
        """The output beside a label that holds probabilities: maps of them, or a table that sums to one."""
        if len(outputs) != 2 or outputs[0].type not in _LABELS:
            return None
        second = outputs[1]
        maps = second.type.startswith("seq(map(")
        table = second.type in _NUMBERS and len(second.shape) == 2
        return second if (maps or table) and self._sums_to_one(second.name) else None

    def _sums_to_one(self, output: str) -> bool:
        """Whether an answer to a row of zeros is probabilities; where there is no such row, whether it is called so."""
        zeros = self._feed.zeros() if self._feed is not None else None
        try:
            answer = _plain(self._session.run([output], zeros)[0]) if zeros is not None else None
        except Exception:
            answer = None
        if answer is None:
            return "prob" in output.lower()
        return bool(answer.min() >= 0) and bool(abs(answer.sum(axis=1) - 1).max() < 1e-3)


def _feed_of(inputs: list[Any], signature: Signature) -> tuple[Optional[Feed], str]:
    """The dealer of rows; none, and why, for inputs that no table makes."""
    try:
        return Feed(inputs, signature), ""
    except ValueError as error:
        return None, str(error)


def _plain(answer: Any) -> Any:
    """An answer as an array: a map from each class to its probability becomes a column for each, in their order."""
    if not isinstance(answer, list):
        return answer
    numpy = importlib.import_module("numpy")
    if answer and all(isinstance(row, dict) for row in answer):
        return numpy.asarray([list(row.values()) for row in answer])
    return answer


def _word(name: str, number: int) -> str:
    """The name of an output as a part of the name of a method."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:60] or str(number)
