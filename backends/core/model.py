"""A loaded model as a worker asks it, whatever its format: a Runnable, and what is known of it beside that."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Optional, Protocol

from backends.core.errors import NotLoadable, Refusal
from backends.core.inputs import Inputs
from backends.core.inspection import ONE_TEXT, Json, Signature
from backends.core.tasks import CLASSIFICATION, DENSITY, TRANSFORMATION

USUAL = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
"""Methods that rows are asked of, the one that is asked unless another is named first."""
_NO_OBJECT = "only models of Python objects can be written in another format"
CALLED = f"this console calls {', '.join(USUAL)} and others that begin with predict_"


class Runnable(Protocol):
    """A model that answers rows, whatever its library; it lives in a worker.

    Methods are called `predict`, `predict_proba`, `decision_function`, `transform`, `score_samples`, or have a name of
    their own that begins with `predict_`.
    """

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that rows can be asked of, the one that is asked by default first."""
        ...

    @property
    def row_wise(self) -> frozenset[str]:
        """The methods that answer each row for itself: requests for them may be merged into one call."""
        ...

    @property
    def signature(self) -> Signature:
        """Inputs and outputs as the model itself has them."""
        ...

    def call(self, method: str, inputs: Any) -> Any:
        """One answer for each row, as an array or a list, of a numpy array (rows x columns) or a pandas data frame.

        A frame's columns are those of the signature, in its order, where that names them. Rows are not written to.
        """
        ...

    def close(self) -> None:
        """Give back what the model holds."""
        ...


class TensorRunnable(Runnable, Protocol):
    """A Runnable whose model takes named tensors of any rank, those of `signature.takes`."""

    def run(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays of `signature.gives` for one array for each of `signature.takes`, by name. The first side of each
        counts rows where the signature leaves it open. Raises ValueError for tensors that do not fit, what the model
        raises."""
        ...


@dataclass(frozen=True)
class Promise:
    """Rules that a model's answers must keep; nothing is known of this one's.

    `classes` are all that it may answer, `count` how many it has, `widths` how many scores a row may have. `shares`
    says whether probabilities of a row sum to 1 in an answer that is one array, `each` in those of several outputs.
    """

    classes: Optional[frozenset[Any]] = None
    count: Optional[int] = None
    widths: frozenset[int] = frozenset()
    each: bool = False
    shares: bool = False


class Model:
    """A model of which is known what its Runnable says; a format whose models say more gives them as a subclass."""

    def __init__(self, runnable: Runnable) -> None:
        self._runnable = runnable
        self._object: Any = runnable
        told = runnable.signature
        self.inputs = Inputs(told.feature_names, told.n_features, one_text=told.texts == (ONE_TEXT,))

    @property
    def name(self) -> str:
        """The name of its class, for sentences."""
        return type(self._object).__name__

    @property
    def model_class(self) -> str:
        """Its dotted class."""
        kind = type(self._object)
        return f"{kind.__module__}.{kind.__qualname__}"

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that rows can be asked of."""
        return self._runnable.methods

    @property
    def row_wise(self) -> frozenset[str]:
        """The methods that answer each row for itself."""
        return self._runnable.row_wise

    @property
    def by_row(self) -> bool:
        """Whether it is known that a long table can be asked piece by piece."""
        return bool(self.row_wise)

    @property
    def signature(self) -> Signature:
        """Inputs and outputs as the model itself has them."""
        return self._runnable.signature

    def has(self, name: str) -> bool:
        """Whether it has a method of this name."""
        return name in self.methods

    def method(self, name: str) -> Callable[..., Any]:
        """Its method of this name, as one that takes rows. Raises Refusal that says why there is none."""
        if not self.has(name):
            raise Refusal("bad-input", f"{self.name} has no {name}; {self.what_it_has}")
        return partial(self._runnable.call, name)

    def call(self, method: str, inputs: Any) -> Any:
        """One answer for each row. Raises Refusal where it has no such method, and what the model raises."""
        return self.method(method)(inputs)

    def run(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Its outputs for tensors by name. Raises Refusal where it takes none, and what the model raises."""
        run = getattr(self._runnable, "run", None) if self.signature.takes else None
        if run is None:
            raise Refusal("bad-input", f"{self.name} takes rows of a table, no tensors by name")
        found: dict[str, Any] = run(tensors)
        return found

    def close(self) -> None:
        """Give back what it holds."""
        self._runnable.close()

    @property
    def default(self) -> Optional[str]:
        """The method that is asked unless another is named; None where it has none of the usual ones."""
        methods = self.methods
        return next((name for name in USUAL if name in methods), None)

    def nothing_to_call(self) -> Refusal:
        """The refusal of whatever needs an answer of a model that gives none."""
        return Refusal("bad-input", f"{self.name} has none of {', '.join(USUAL)}: {self.what_it_has}")

    @property
    def what_it_has(self) -> str:
        """Its methods, in words."""
        return f"it has {', '.join(self.methods) or 'no method'}"

    @property
    def inverse_transform(self) -> Optional[Callable[[Any], Any]]:
        """The way back from what `transform` answers, where there is one."""
        return None

    @property
    def classes(self) -> Any:
        """The labels it can answer, in the order of its scores: an array, or one for each output; None where it names
        none."""
        found = self.signature.classes
        return None if found is None else importlib.import_module("numpy").asarray(found)

    def task(self, *, has_truth: bool) -> Optional[str]:
        """Its task, by its own word or by what it has; None where what it answers has to tell."""
        if not self.has("predict"):
            return DENSITY if self.has("score_samples") and not self.has("transform") else TRANSFORMATION
        return CLASSIFICATION if self.classes is not None or self.has("predict_proba") else None

    @property
    def is_regressor(self) -> bool:
        """Whether it calls itself a regressor."""
        return False

    @property
    def supervised(self) -> bool:
        """Whether fitting it takes a truth."""
        return False

    @property
    def outlier_label(self) -> Optional[int]:
        """Its answer for an outlier, -1 or 1; None where that is not known."""
        return None

    @property
    def promise(self) -> Promise:
        """The rules that its answers must keep."""
        return Promise()

    @property
    def meaning(self) -> str:
        """The meaning of what `predict` answers, where that is not what its name says."""
        return ""

    @property
    def written(self) -> dict[str, str]:
        """Versions of libraries that it says it was written with."""
        return {}

    def receivers(self) -> Iterator[Model]:
        """The model, then the parts of it that are given the rows unchanged, the outer ones first."""
        yield self

    def splits(self) -> Iterator[tuple[Any, Any]]:
        """Arrays of the inputs on which it is known to split, by their places, and of the thresholds there."""
        return iter(())

    def quieten(self) -> list[str]:
        """Keep it to one thread and one process; what was changed for that, in words."""
        return []

    def convert(self, to: str, fd: int, X: Any = None, **options: Any) -> dict[str, Json]:
        """Write it as it was trained, in the format `to`, and compare what is read back from `fd` on the rows `X`.

        Raises NotLoadable where that cannot be, OSError.
        """
        raise NotLoadable(_NO_OBJECT)

    def warm_up(self, row: Callable[[], Any]) -> str:
        """One prediction of a made-up row, so that the first real one is as fast as the next; why not, where it is not
        known what that does."""
        return "no warm-up: not a predictor of scikit-learn's own"

    @property
    def fitted(self) -> Any:
        """The fitted Python object itself. Raises NotLoadable where there is none."""
        raise NotLoadable(_NO_OBJECT)

    @property
    def scored(self) -> Any:
        """An object with these methods and classes for attributes, as scorers of scikit-learn take a model."""
        return _Estimatorlike(self)


class _Estimatorlike:
    """A model with its methods and classes under the names that fitted estimators have them."""

    def __init__(self, model: Model) -> None:
        if model.classes is not None:
            self.classes_ = model.classes
        for name in model.methods:
            setattr(self, name, partial(model.call, name))
