"""Promises of fitted objects that their answers must keep: probabilities, and classes that they know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Optional

from backends.core.attributes import attribute
from backends.core.model import Promise

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


def promise_of(model: Any) -> Promise:
    """The classes of a model, and whether the probabilities of a row are shares of one whole."""
    inner = list(_inner(model))
    classes = _labels(attribute(model, "classes_"))
    known = all(_is_known(part) for part in inner)
    several = any(_labels_apart(part) for part in inner)
    each = known and all(type(part).__name__ != _WITHOUT_NEIGHBOURS for part in inner)
    shares = each and not several
    if classes is None or not known or several:
        return Promise(each=each, shares=shares)
    outliers = [label for part in inner for label in _labels(attribute(part, "outlier_label_")) or ()]
    count = len(classes)
    widths = frozenset({1, 2} if count < 3 else {count, count * (count - 1) // 2})
    return Promise(frozenset([*classes, *outliers]), count, widths, each, shares)


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
