"""The facts that an inspection reads from one artifact without running it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional, Union

if TYPE_CHECKING:
    Json = Union[None, bool, int, float, str, "list[Json]", "dict[str, Json]"]
else:
    Json = Any
    """No library that reads annotations at run time knows a type that names itself."""


@dataclass(frozen=True)
class Finding:
    """One remarkable fact about a file. `code` comes from the catalogue in `findings`; trust judges it."""

    code: str
    detail: str
    offset: Optional[int] = None


@dataclass(frozen=True)
class GlobalRef:
    """A global that a pickle names: `module` and `name` as the stream spells them (a name may hold dots).

    `arguments` are those of its first call, shortened, where they are literals; `place` says which part of the file
    `offset` counts in, where that is not the whole: one of several pickles, a member of an archive. `resolved` is true
    of a `getattr` that only ever gave attributes of named classes, which are names of the file themselves, and of a
    `numpy.vectorize` that only ever holds a named function; and of a class whose objects hold models of another library
    in its own format, where each of these was read to its end.
    """

    module: str
    name: str
    offset: int
    called: bool = False
    arguments: Optional[str] = None
    place: str = ""
    resolved: bool = False

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class ArrayInfo:
    """One array: `name` is its place in the file, `shape` in elements, `bytes` its size in memory."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class ModelEntry:
    """One estimator. `at` is its place (see `resolve`; empty = the root); `steps` names a pipeline's parts."""

    at: str
    class_name: str
    parameters: dict[str, Json] = field(default_factory=dict)
    version: Optional[str] = None
    steps: tuple[str, ...] = ()


def outermost(models: Sequence[ModelEntry]) -> tuple[ModelEntry, ...]:
    """The estimators that are no part of another one in the same file."""
    return tuple(model for model in models if not any(lies_in(model.at, other.at) for other in models))


def lies_in(place: str, other: str) -> bool:
    """Whether a place in a file is beneath another one, as `resolve` reads them."""
    return place != other and place.startswith(other) and (not other or place[len(other)] in ".[")


ONE_TEXT = "text"
"""The input of a model that takes one text for each row."""


@dataclass(frozen=True)
class TensorSpec:
    """One tensor that goes in or comes out: `dtype` is numpy's name of its elements ("str" for texts, "" = unknown),
    `shape` has None for a side of any length and is None where not even the rank is known."""

    name: str
    dtype: str = ""
    shape: Optional[tuple[Optional[int], ...]] = None


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a model, as far as the file tells. `classes` are the labels a classifier can answer,
    `texts` the inputs that are known to hold texts: columns, or ONE_TEXT where a text is all of a row.

    `takes` and `gives` are the tensors of a model that has such, by name; a model of table rows has none of them.
    """

    n_features: Optional[int] = None
    feature_names: Optional[tuple[str, ...]] = None
    outputs: Optional[int] = None
    classes: Optional[tuple[Json, ...]] = None
    texts: tuple[str, ...] = ()
    takes: tuple[TensorSpec, ...] = ()
    gives: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """The facts read from one artifact without running it; what is unknown is None or empty, never invented.

    `model_class` is the dotted class of the root model (of the first estimator where the root is a container);
    `complete` is true when every byte was accounted for. `details` holds what only this format has (layers,
    training configuration, layout). `summary` says in a few words what it is where its class alone says little
    ("Llama 1.1B · Q4_K_M", "GBDT 500 trees"). `not_run` says why it is not `loadable` where that is not the same of
    every file in its format.
    """

    format: str
    compression: Optional[str] = None
    model_class: Optional[str] = None
    names: tuple[GlobalRef, ...] = ()
    library_versions: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Json] = field(default_factory=dict)
    signature: Signature = field(default_factory=Signature)
    models: tuple[ModelEntry, ...] = ()
    arrays: tuple[ArrayInfo, ...] = ()
    n_weights: Optional[int] = None
    complete: bool = False
    loadable: bool = True
    findings: tuple[Finding, ...] = ()
    details: dict[str, Json] = field(default_factory=dict)
    summary: str = ""
    not_run: str = ""
