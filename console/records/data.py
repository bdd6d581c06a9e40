"""Data of a model: where it is named, what a file's columns are, and how they fit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backends.core.inspection import Signature
from console.records.workers import Target


class DataSource(StrEnum):
    """Who names a model's data, first come first served; `gone` = what was chosen is not there any more."""

    RECIPE = "recipe"
    CHOSEN = "chosen"
    GONE = "gone"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ModelData:
    """The data file of one model, as an absolute path, and its target. `why` is a sentence where it must be asked for;
    `instead` is where a file that is gone lies now, if that is known."""

    source: DataSource
    data: str | None = None
    target: Target | None = None
    why: str = ""
    instead: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether nobody need be asked."""
        return self.source in (DataSource.RECIPE, DataSource.CHOSEN)


@dataclass(frozen=True, slots=True)
class DataColumns:
    """The columns of a data file: the first of `total`, by their names or, where it has none, by their index.

    `apart` is the array that an npz or HDF5 file keeps its truth in, beside the inputs.
    """

    names: tuple[str, ...]
    total: int
    named: bool = True
    apart: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """The lines that would name a model's data in its recipe.

    `path` is the recipe's, relative to the store. Where there is one already, `before` is what it holds. `refusal` says
    why nothing can be written, `shared` which other models the recipe is of.
    """

    path: str
    lines: tuple[str, ...] = ()
    before: str | None = None
    after: str = ""
    refusal: str = ""
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """The inputs that a model expects: its signature, and the columns its recipe leaves out."""

    signature: Signature
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TypedPath:
    """A path as an operator types it: the file that is meant, and whether one is there.

    `choices` are what it may go on as, written as it was typed: directories (they end in a slash), then files, data
    before others; `is_data` tells for each whether it is one of the first two. `longest` is what was typed and as much
    more as all data files and directories that it may mean have in common.
    """

    path: str
    exists: bool
    choices: tuple[str, ...]
    paths: tuple[str, ...]
    is_data: tuple[bool, ...]
    longest: str


@dataclass(frozen=True, slots=True)
class FoundDataFiles:
    """More data files of a store, as paths beneath it; `bounded` = there may be more, which are not looked for."""

    paths: tuple[str, ...]
    bounded: bool = False
