"""A fitted Python object as a worker asks it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Callable, Optional

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from backends.core.inspection import Json, Signature
from backends.core.model import Model, Promise
from backends.estimators import methods, promises, row_wise, tasks, threads
from backends.estimators.columns import Columns
from backends.estimators.libraries.parts import library_of, receivers
from backends.estimators.splits import splits_of


class Estimator(Model):
    """Whatever a file of Python objects holds; most have methods and attributes in the manner of scikit-learn."""

    def __init__(self, fitted: Any) -> None:
        self._object = fitted
        self._changes: list[threads.Change] = []
        self.inputs = Columns(fitted)

    @property
    def fitted(self) -> Any:
        """The object itself."""
        return self._object

    scored = fitted

    @property
    def methods(self) -> tuple[str, ...]:
        """The usual methods that it has; where none of them answers rows, the others that do."""
        return tuple(methods.methods_of(self._object))

    @property
    def row_wise(self) -> frozenset[str]:
        """The methods that are known to answer each row for itself."""
        return row_wise.row_wise(self._object)

    @property
    def by_row(self) -> bool:
        """Whether it is known that a long table can be asked piece by piece."""
        return row_wise.answers_by_row(self._object)

    @property
    def signature(self) -> Signature:
        """Inputs and outputs as the fitted object has them, its classes as they are."""
        names = self.inputs.names
        return Signature(self.inputs.count, None if names is None else tuple(names), _count(self._object), self.classes)

    def has(self, name: str) -> bool:
        """Whether it has a method of this name, for rows or not."""
        return callable(attribute(self._object, name))

    def method(self, name: str) -> Callable[..., Any]:
        """Its method of this name, as one that takes rows. Raises Refusal that says why there is none."""
        return methods.method_of(self._object, name)

    def close(self) -> None:
        """Let go of the object."""
        self._object = None

    def nothing_to_call(self) -> Refusal:
        """The refusal of whatever needs an answer of a model that gives none."""
        return methods.nothing_to_call(self._object)

    @property
    def what_it_has(self) -> str:
        """Its methods, and those that can be asked, in words."""
        return methods.what_it_has(self._object)

    @property
    def inverse_transform(self) -> Optional[Callable[[Any], Any]]:
        """The way back from what `transform` answers, where there is one."""
        found = attribute(self._object, "inverse_transform")
        return found if callable(found) else None

    @property
    def classes(self) -> Any:
        """The classes that fitting left in `classes_`."""
        return attribute(self._object, "classes_")

    def task(self, *, has_truth: bool) -> Optional[str]:
        """Its task, by its own word or by what it has; None where what it answers has to tell."""
        return tasks.task_of(self._object, has_truth=has_truth)

    @property
    def is_regressor(self) -> bool:
        """Whether it calls itself a regressor."""
        return tasks.estimator_kind(self._object) == "regressor"

    @property
    def supervised(self) -> bool:
        """Whether fitting it takes a truth."""
        return tasks.supervised(self._object)

    @property
    def outlier_label(self) -> Optional[int]:
        """Its answer for an outlier, -1 or 1; None for one of no known library."""
        return tasks.outlier_label(self._object)

    @cached_property
    def promise(self) -> Promise:
        """The rules that its answers must keep."""
        return promises.promise_of(self._object)

    @property
    def meaning(self) -> str:
        """The meaning of what `predict` answers, where that is not what its name says."""
        return library_of(self._object).meaning(self._object)

    @property
    def written(self) -> dict[str, str]:
        """Versions of libraries that it says it was written with."""
        return library_of(self._object).written(self._object)

    def receivers(self) -> Iterator[Model]:
        """The model, then the parts of it that are given the rows unchanged, the outer ones first."""
        for part in receivers(self._object):
            yield self if part is self._object else Estimator(part)

    def splits(self) -> Iterator[tuple[Any, Any]]:
        """Those of every tree in a model of scikit-learn's that splits its own inputs."""
        return splits_of(self._object)

    def quieten(self) -> list[str]:
        """Keep it to one thread and one process; what was changed for that, in words."""
        self._changes = threads.quieten(self._object)
        return threads.notes_of(self._changes)

    def convert(self, to: str, fd: int, X: Any = None, **options: Any) -> dict[str, Json]:
        """Write it as it was trained, in the format `to`; see `convert.convert`."""
        from backends.estimators.convert import convert  # brings numpy, which not every model's interpreter has

        with threads.as_trained(self._changes):
            return convert(self._object, to, fd, X, **options)

    def warm_up(self, row: Callable[[], Any]) -> str:
        """One prediction of a made-up row; why not, where it cannot be.

        Only scikit-learn's own classes are tried: what others do on made-up input is not known.
        """
        predict = attribute(self._object, "predict")
        if not str(getattr(type(self._object), "__module__", "")).startswith("sklearn.") or not callable(predict):
            return super().warm_up(row)
        if self.inputs.count is None:
            return "no warm-up: the number of features is not known"
        try:
            predict(row())
        except Exception as error:
            return f"no warm-up: a row of zeros is not what it takes ({type(error).__name__})"
        return ""


def _count(fitted: Any) -> Optional[int]:
    """How many outputs it says it has."""
    value = attribute(fitted, "n_outputs_")
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None
