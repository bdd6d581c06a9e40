"""The door to a loaded model: fitted Python objects are asked as they are, any other as an object in their manner."""

from __future__ import annotations

from functools import partial
from typing import Any

from backends.core import registry
from backends.core.errors import NotLoadable
from backends.core.format import LoadedModel, Runnable
from console.worker.child.lazy import numpy

__all__ = ["RunnableModel", "class_of", "model_of"]


class RunnableModel:
    """A Runnable with its methods, inputs and classes under the names that fitted estimators have them."""

    def __init__(self, runnable: Runnable) -> None:
        self.runnable = runnable
        signature = runnable.signature
        if signature.n_features is not None:
            self.n_features_in_ = signature.n_features
        if signature.feature_names is not None:
            self.feature_names_in_ = list(signature.feature_names)
        if signature.outputs is not None:
            self.n_outputs_ = signature.outputs
        if signature.classes is not None:
            self.classes_ = numpy.asarray(signature.classes)
        for name in runnable.methods:
            setattr(self, name, partial(runnable.call, name))

    def __reduce__(self) -> Any:
        raise NotLoadable("only models of Python objects can be written in another format")


def model_of(loaded: LoadedModel) -> Any:
    """The object that the worker asks for the answers of a loaded model."""
    return loaded.model if registry.named(loaded.format).holds_objects else RunnableModel(loaded.model)


def class_of(model: Any) -> str:
    """The dotted class of the model itself."""
    kind = type(model.runnable) if isinstance(model, RunnableModel) else type(model)
    return f"{kind.__module__}.{kind.__qualname__}"
