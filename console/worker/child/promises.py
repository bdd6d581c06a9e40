"""Promises of a model that its answers must keep: probabilities, and classes that it knows.

A model of another library version often still answers, with numbers that mean something else by now.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from console.worker.child.introspection import attribute
from console.worker.child.lazy import numpy
from console.worker.child.main import Refusal

__all__ = ["Promises", "hold"]

_SMALL = 64
"""Numbers that Python goes through faster than numpy begins."""
_EDGE = 1e-6
_SUM = 1e-3
"""By so much the probabilities of a row may miss 1; those of half precision by ten times that."""
_LIBRARIES = frozenset({"sklearn", "imblearn", "xgboost", "lightgbm", "catboost"})
"""Their classifiers predict what stands in `classes_`, and answer with probabilities of these."""
_WITHOUT_NEIGHBOURS = "RadiusNeighborsClassifier"
"""It answers zeros for a row far from all that it has seen."""
_ONE_VS_ALL = (
    "multiclassova",
    "multiclass_ova",
    "ova",
    "ovr",
    "MultiLogloss",
    "MultiCrossEntropy",
    "MultiClassOneVsAll",
)
_INNER = ("best_estimator_", "estimator_", "estimator", "_final_estimator")
_SHOWN = 80
_NO_NUMBERS = (TypeError, ValueError, RuntimeError, ImportError)
"""Errors of making an array of what is none, or without numpy: such an answer is not checked."""


class Promises:
    """Of one model: its classes, and whether the probabilities of a row are shares of one whole.

    `shares` is that for an answer that is one array, `each` for the arrays of several outputs.
    """

    def __init__(self, model: Any) -> None:
        inner = list(_inner(model))
        classes = _labels(attribute(model, "classes_"))
        known = all(_is_known(part) for part in inner)
        several = any(_labels_apart(part) for part in inner)
        self.classes: Optional[frozenset[Any]] = None
        self.widths: frozenset[int] = frozenset()
        self.count: Optional[int] = None
        self.each = known and all(type(part).__name__ != _WITHOUT_NEIGHBOURS for part in inner)
        self.shares = self.each and not several
        if classes is not None and known and not several:
            outliers = [label for part in inner for label in _labels(attribute(part, "outlier_label_")) or ()]
            self.classes = frozenset([*classes, *outliers])
            count = self.count = len(classes)
            self.widths = frozenset({1, 2} if count < 3 else {count, count * (count - 1) // 2})

    def fault(self, name: str, answer: Any) -> str:
        """The fault in the answer of a method, in words; empty where nothing is."""
        if name == "predict_proba":
            outputs = _outputs(answer)
            whole = self.shares if len(outputs) == 1 else self.each
            return _first(_improbable(one, whole) for one in outputs) or self._too_wide(outputs)
        if name == "predict_log_proba":
            return _first(_above_zero(one) for one in _outputs(answer))
        if name == "predict" and self.classes is not None:
            return self._unknown(answer)
        if name == "decision_function" and self.widths:
            return self._misshapen(answer)
        return ""

    def _too_wide(self, outputs: Sequence[Any]) -> str:
        """Another number of probabilities than the model has classes."""
        shape: Any = getattr(outputs[0], "shape", ())
        if self.count is None or len(outputs) != 1 or len(shape) != 2 or shape[1] == self.count:
            return ""
        return f"{shape[1]} probabilities a row for {self.count} classes"

    def _unknown(self, answer: Any) -> str:
        """A class that is none of the model's."""
        shape = getattr(answer, "shape", None)
        if shape is None or len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
            return ""
        values = attribute(answer, "tolist")
        values = values() if values is not None else []
        if len(shape) == 2:
            values = [row[0] for row in values]
        assert self.classes is not None
        try:
            if len(values) == 1:
                if values[0] in self.classes:
                    return ""
            elif self.classes.issuperset(values):
                return ""
            stray = next(value for value in values if value not in self.classes)
        except TypeError:
            return ""
        missing = isinstance(stray, float) and math.isnan(stray) and any(one != one for one in self.classes)
        return "" if missing else f"the class {repr(stray)[:_SHOWN]}, which is not among its classes"

    def _misshapen(self, answer: Any) -> str:
        shape: Any = getattr(answer, "shape", ())
        width = 1 if len(shape) == 1 else shape[1] if len(shape) == 2 else 0
        if not shape or width in self.widths:
            return ""
        return f"{width} scores a row for {len(self.classes or ())} classes"


_held: tuple[Any, Optional[Promises]] = (None, None)


def hold(model: Any, name: str, answer: Any) -> None:
    """Raise Refusal, with the first value that cannot be, unless the answer is what the model promises."""
    global _held
    of, promises = _held
    if of is not model or promises is None:
        promises = Promises(model)
        _held = (model, promises)
    fault = promises.fault(name, answer)
    if fault:
        raise Refusal("bad-answer", f"{type(model).__name__}.{name} answered {fault}")


def _outputs(answer: Any) -> Sequence[Any]:
    """The answer to each of several outputs, or the one."""
    return answer if isinstance(answer, (list, tuple)) and hasattr(next(iter(answer), None), "shape") else (answer,)


def _first(faults: Iterator[str]) -> str:
    return next(filter(None, faults), "")


def _improbable(shares: Any, whole: bool) -> str:
    """A number that is no probability, or a row of them that is more or less than a whole.

    A number that is missing makes its row unknown, which is no fault.
    """
    shape: Any = getattr(shares, "shape", ())
    if len(shape) == 2 and shape[0] * shape[1] <= _SMALL and hasattr(shares, "tolist"):
        return _improbable_small(shares.tolist(), whole, _miss(shares))
    try:
        array = numpy.asarray(shares)
        if array.dtype.kind not in "fiub":
            array = array.astype(float)
        return _outside(array) or (_no_whole(array) if whole and array.ndim == 2 else "")
    except _NO_NUMBERS:
        return ""


def _miss(shares: Any) -> float:
    """By how much a row may miss 1; half precision rounds more."""
    return 10 * _SUM if getattr(getattr(shares, "dtype", None), "itemsize", 8) == 2 else _SUM


def _improbable_small(rows: list[list[Any]], whole: bool, miss: float) -> str:
    low, high = -_EDGE, 1 + _EDGE
    for row in rows:
        try:
            if min(row) < low or max(row) > high:
                return _no_probability(next(one for one in row if one < low or one > high))
            if whole and abs(sum(row) - 1) > miss and len(row) > 1:
                return _sum_words(sum(row))
        except (TypeError, ValueError, StopIteration):
            return ""
    return ""


def _outside(array: Any) -> str:
    if not array.size or (array.min() >= -_EDGE and array.max() <= 1 + _EDGE):
        return ""
    odd = (array < -_EDGE) | (array > 1 + _EDGE)
    return _no_probability(float(array[odd][0])) if odd.any() else ""


def _no_whole(array: Any) -> str:
    sums = array.sum(axis=1, dtype=numpy.float64)
    odd = numpy.abs(sums - 1) > _miss(array)
    return _sum_words(float(sums[odd][0])) if array.shape[1] > 1 and odd.any() else ""


def _above_zero(numbers: Any) -> str:
    try:
        array = numpy.asarray(numbers)
        odd = array > _EDGE
        return f"{float(array[odd][0]):.6g}, the logarithm of no probability" if odd.any() else ""
    except _NO_NUMBERS:
        return ""


def _no_probability(value: float) -> str:
    return f"{value:.6g}, which is no probability (0 to 1)"


def _sum_words(total: float) -> str:
    return f"probabilities of one row that sum to {total:.6g} instead of 1"


def _inner(model: Any) -> Iterator[Any]:
    """The model, and the one that answers within it, as searches, pipelines and thresholds hold theirs."""
    for _depth in range(8):
        yield model
        held = (attribute(model, name) for name in _INNER)
        within = next((one for one in held if hasattr(one, "get_params") and not isinstance(one, type)), None)
        if within is None or attribute(within, "predict") is None:
            return
        model = within


def _is_known(model: Any) -> bool:
    """Whether the model is of a library, or by its base classes of scikit-learn's kind."""
    kinds = type(model).__mro__
    return kinds[0].__module__.partition(".")[0] in _LIBRARIES or any(
        kind.__name__ == "ClassifierMixin" and kind.__module__ == "sklearn.base" for kind in kinds
    )


def _labels_apart(model: Any) -> bool:
    """Whether the labels of a row do not exclude each other."""
    if attribute(model, "multilabel_") is True or isinstance(attribute(model, "classes_"), list):
        return True
    if attribute(model, "out_activation_") == "logistic" and (attribute(model, "n_outputs_") or 1) > 1:
        return True
    if "multilabel" in str(attribute(attribute(model, "_label_binarizer"), "y_type_")):
        return True
    if type(model).__module__.startswith("xgboost."):
        return _targets(model) > 1
    parameters = attribute(model, "get_params")
    try:
        found = parameters(deep=False) if callable(parameters) else {}
    except Exception:
        return False
    return any(str(found.get(name)) in _ONE_VS_ALL for name in ("objective", "loss_function"))


def _targets(model: Any) -> int:
    """How many labels a row of an xgboost model gets."""
    try:
        told = json.loads(model.get_booster().save_config())
        return int(told["learner"]["learner_model_param"]["num_target"])
    except Exception:
        return 1


def _labels(classes: Any) -> Optional[list[Any]]:
    """The classes as plain values; None for none, and for a list of them for each output."""
    if classes is None or (isinstance(classes, list) and any(hasattr(one, "shape") for one in classes)):
        return None
    plain = classes.tolist() if hasattr(classes, "tolist") else classes
    try:
        labels = list(plain) if isinstance(plain, (list, tuple)) else [plain]
        hash(tuple(labels))
    except TypeError:
        return None
    return labels or None
