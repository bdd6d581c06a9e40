"""A model of named tensors that answers rows of a table besides: what formats of tensor programs have in common."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from backends.core.feed import Feed
from backends.core.inspection import Signature, TensorSpec

_KINDS = {"str": "string", "": "float32"}
"""Types of rows by dtype where that is none of numpy's; what is not known is taken for the usual one."""


class Given(NamedTuple):
    """One input as the dealer of rows takes it: `type` is `tensor(float32)`."""

    name: str
    type: str
    shape: list[Any]


class TensorModel:
    """A TensorRunnable whose subclass answers `answers`. Rows of a table become arrays for each input, of the shapes
    `laid_out` where they are not those of the signature.

    `predict` is the first output and `predict_NAME` any other.
    """

    def __init__(self, signature: Signature, *, row_wise: bool, laid_out: Optional[list[list[Any]]] = None) -> None:
        self.signature = signature
        shapes = laid_out or [list(one.shape or (None,)) for one in signature.takes]
        self._feed = Feed([_given(one, shape) for one, shape in zip(signature.takes, shapes)], signature)
        self._outputs = {_method(one.name, number): number for number, one in enumerate(signature.gives)}
        self.methods = tuple(self._outputs)
        self.row_wise = frozenset(self.methods) if row_wise and self._feed.batch is None else frozenset[str]()

    def answers(self, tensors: list[Any]) -> list[Any]:
        """The outputs in the order of the signature for one array for each input. Raises what the library raises."""
        raise NotImplementedError

    def call(self, method: str, inputs: Any) -> Any:
        """One answer for each row. Raises ValueError for rows that do not fit, what the library raises."""
        names = [one.name for one in self.signature.takes]
        parts = []
        for given in self._feed.batches(inputs):
            parts.append(self.answers([given[name] for name in names])[self._outputs[method]])
        return self._feed.joined(parts, inputs, method)

    def run(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name. Raises ValueError for tensors that do not fit, what the library raises."""
        arrays = [fitting(one, _of(one.name, tensors)) for one in self.signature.takes]
        answers = self.answers(arrays)
        return {one.name: answer for one, answer in zip(self.signature.gives, answers)}

    def close(self) -> None:
        """Nothing is held."""


def _given(one: TensorSpec, shape: list[Any]) -> Given:
    return Given(one.name, f"tensor({_KINDS.get(one.dtype, one.dtype)})", shape)


def _method(name: str, number: int) -> str:
    word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:60] or str(number)
    return "predict" if number == 0 else f"predict_{word}"


def _of(name: str, tensors: Mapping[str, Any]) -> Any:
    if name not in tensors:
        raise ValueError(f"the input {name} is missing")
    return tensors[name]


def fitting(wanted: TensorSpec, given: Any) -> Any:
    """A tensor for this input, as it is. Raises ValueError where its dtype or its shape is another."""
    numpy = importlib.import_module("numpy")
    array = numpy.asarray(given)
    found = "str" if array.dtype.kind in "OUS" else array.dtype.name
    wrong = bool(wanted.dtype) and found != wanted.dtype
    sides = wanted.shape
    if sides is not None and not wrong:
        wrong = array.ndim != len(sides) or any(want not in (None, has) for has, want in zip(array.shape, sides))
    if wrong:
        raise ValueError(
            f"the input {wanted.name} takes {told(wanted.dtype, sides)}, and this is {told(found, array.shape)}"
        )
    return array.astype(object) if found == "str" else numpy.asarray(array, order="C")


def told(dtype: str, shape: Optional[Sequence[Optional[int]]]) -> str:
    """A dtype and a shape in words: `float32 [?, 3]`."""
    sides = "of any shape" if shape is None else f"[{', '.join('?' if one is None else str(one) for one in shape)}]"
    return f"{dtype or 'a tensor'} {sides}"
