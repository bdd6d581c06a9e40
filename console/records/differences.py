"""How two artifacts of a store differ: what they are, what they take, and their arrays of numbers."""

from __future__ import annotations

from dataclasses import dataclass

from console.records.trust import Change


@dataclass(frozen=True, slots=True)
class ArrayNorm:
    """The Euclidean norm of an array, None where it is no finite number, and a digest of its bytes."""

    norm: float | None
    digest: str


@dataclass(frozen=True, slots=True)
class ArrayChange:
    """One array that differs: `before` and `after` are its dtype and shape ("float32 768x768"), None where it is not
    there; the norms are None where they are not known."""

    name: str
    before: str | None
    after: str | None
    norm_before: float | None = None
    norm_after: float | None = None


@dataclass(frozen=True, slots=True)
class Differences:
    """The differences from the artifact at `first` to the one at `second`.

    `alike` counts the arrays that are the same in both, by their numbers where these were `measured`, else by their
    dtype and shape alone. `left_out` counts changes of arrays beyond those listed.
    """

    first: str
    second: str
    changes: tuple[Change, ...]
    arrays: tuple[ArrayChange, ...]
    alike: int
    measured: bool
    left_out: int = 0
