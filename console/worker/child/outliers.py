"""Outlier detectors: truth and answers spelled alike, 1 for an outlier and 0 for an inlier, higher scores for outliers.

scikit-learn answers -1 for an outlier and 1 for an inlier, and its scores fall towards outliers; PyOD and others like
it answer 1 and 0, and their scores rise. Truth is written in either way, as truth values, or in words.
"""

from __future__ import annotations

from typing import Any, Callable

from backends.core.errors import Refusal
from backends.core.model import Model
from console.worker.child.labels import named, spelling, without_zeros
from console.worker.child.lazy import numpy

WORDS = frozenset(
    ("outlier", "outliers", "anomaly", "anomalies", "anomalous", "abnormal", "novelty", "novel", "fraud", "fraudulent")
)
"""Labels of outliers."""
_INLIERS = frozenset(("inlier", "inliers", "normal", "nominal", "regular", "genuine", "legitimate"))
_WAYS = (
    (frozenset(("-1", "1")), frozenset(("-1",))),
    (frozenset(("0", "1", "true", "false")), frozenset(("1", "true"))),
    (WORDS | _INLIERS, WORDS),
)
"""The ways in which truth is written: all values, and those of them that are outliers."""
_OTHER = {"0": "1", "false": "True"}
"""Labels that would be outliers where there are none."""


def truth_of(y: Any) -> tuple[Any, str]:
    """The truth as 1 and 0, and the value taken for an outlier. Raises Refusal where that is not certain."""
    truth = numpy.asarray(y)
    if truth.ndim != 1:
        raise Refusal("bad-input", f"the truth of an outlier detector is one column, not {truth.shape[1]}")
    spelled = {one: without_zeros(spelling(one).strip().lower()) for one in set(truth.tolist())}
    values = set(spelled.values())
    ways = {outliers & values for every, outliers in _WAYS if values <= every}
    if len(ways) != 1:
        what = f"{named(sorted(values))}, which may be outliers or inliers" if ways else named(sorted(values))
        raise Refusal(
            "bad-input",
            f"the truth holds {what}; for an outlier detector write -1 and 1 (-1 is an outlier), 0 and 1 (1 is one), "
            "True and False, or outlier and inlier, normal and anomaly",
        )
    marks = ways.pop()
    found = numpy.asarray([spelled[one] in marks for one in truth.tolist()], dtype="int64")
    taken = sorted({text if isinstance(one, float) else str(one) for one, text in spelled.items() if text in marks})
    return found, " and ".join(taken) or next((_OTHER[one] for one in values if one in _OTHER), "")


def outlier_label(model: Model, answer: Callable[[], Any]) -> int:
    """The model's answer for an outlier, -1 or 1; `answer` asks a model of no known library."""
    known = model.outlier_label
    if known is not None:
        return known
    told = set(numpy.unique(numpy.asarray(answer())).tolist())
    return 1 if 0 in told and told <= {0, 1} else -1


def answers_of(model: Model, answer: Any, label: int) -> Any:
    """The predictions as 1 and 0. Raises Refusal for what is neither an outlier nor an inlier."""
    found = numpy.asarray(answer).reshape(len(answer))
    told, allowed = set(numpy.unique(found).tolist()), {-1, 1} if label == -1 else {0, 1}
    if not told <= allowed:
        message = f"{model.name}.predict answered {named(sorted(told - allowed))}, which tells no outlier"
        raise Refusal("bad-answer", message)
    return (found == label).astype("int64")


def scores_of(model: Model, scores: Any, predicted: Any, label: int) -> Any:
    """Scores that rise towards outliers. Raises ValueError where the model's own outliers have the lower ones."""
    found = numpy.asarray(scores, dtype="float64").reshape(len(predicted)) * (-1.0 if label == -1 else 1.0)
    if 0 < predicted.sum() < len(predicted) and found[predicted == 1].mean() < found[predicted == 0].mean():
        raise ValueError(f"the scores of {model.name} rise where it answers inlier: their sense is not known")
    return found


def score_method(model: Model) -> str:
    """The method that ranks rows; "" where there is none."""
    names = ("decision_function", "score_samples")
    return next((name for name in names if model.has(name)), "")
