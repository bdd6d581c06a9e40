"""The memory that fitted estimators take in a worker, by the libraries that they bring; measured, not derived."""

from __future__ import annotations

from backends.core.footprint import MB, Contents, Footprint, contents
from backends.core.inspection import Inspection

_LIBRARIES = {
    "sklearn": (180 * MB, 10 * MB),
    "lightgbm": (179 * MB, 18 * MB),
    "xgboost": (182 * MB, 21 * MB),
    "catboost": (170 * MB, 33 * MB),
    "statsmodels": (167 * MB, 40 * MB),
}
"""Libraries with all that they import, in a process of their own and in a fork that has scikit-learn's."""
_SHARED = 57 * MB
"""Pages of the files of numpy, scipy, pandas and scikit-learn."""
_FRAME = 14 * MB
"""Parts of pandas that only those touch which are given columns by name."""
_OBJECT = 40
"""Bytes of the objects that an opcode of a pickle makes, on average."""
_OTHERS = ("numpy", "scipy", "pandas", "joblib", "builtins", "collections", "copyreg", "_codecs", "__builtin__")
_UNFOLDED = {"lightgbm": 3.4, "xgboost": 6.6, "catboost": 1.3}
"""Libraries whose models are one text or blob, and the bytes that it unfolds to for each of its own."""
_TREES = (".tree_", "/tree_/")
"""In the names of arrays of trees."""


def of_estimators(
    found: Inspection,
    size: int,
    *,
    fresh: int = 0,
    forked: int = 0,
    arrays: float = 1.05,
    each: int = 1600,
    rest: float = 1.0,
) -> Footprint:
    """The footprint of the estimators in a file.

    Its format takes so much over what the libraries do, and then for each byte of arrays, each array, and each byte of
    what is in none of them. Numbers that stay in a large file count as `mapped`.
    """
    held = contents(found, size)
    libraries = _libraries(found)
    own, left = max((_LIBRARIES.get(name, _LIBRARIES["sklearn"]) for name in libraries), default=_LIBRARIES["sklearn"])
    frame = _FRAME if found.signature.feature_names else 0
    copied = _copied(found, held)
    model = int(arrays * held.arrays + copied + each * held.number + _rest(found, held.rest, libraries, rest))
    return Footprint(
        own + fresh + frame // 2,
        left + forked + frame,
        model,
        shared=_SHARED,
        mapped=int(arrays * held.arrays),
        spread=0.3 if found.models else 0.5,
        between=0.15 if libraries <= _LIBRARIES.keys() else 0.5,
    )


def _libraries(found: Inspection) -> set[str]:
    """The libraries whose classes a file names, but for those that all bring."""
    modules = [*(use.module for use in found.names), *(model.class_name for model in found.models)]
    return {module.partition(".")[0] for module in modules} - {*_OTHERS, ""}


def _copied(found: Inspection, held: Contents) -> int:
    """Bytes of arrays that are there twice once they are loaded: trees copy theirs, and what they were read from stays
    for as long as another array lies in it; a pickle is kept as a whole."""
    trees = [one.bytes for one in found.arrays if any(mark in one.name for mark in _TREES)]
    whole = "pickle" in (found.format, found.details.get("model format"))
    if not trees or (len(trees) == len(found.arrays) and not whole):
        return 0
    return int(held.arrays * sum(trees) / max(1, sum(one.bytes for one in found.arrays)))


def _rest(found: Inspection, rest: int, libraries: set[str], factor: float) -> float:
    """Bytes that come of what is in no array: objects of Python, or what a library unfolds its own text to."""
    unfolded = next((_UNFOLDED[name] for name in sorted(libraries) if name in _UNFOLDED), None)
    if unfolded is not None:
        return unfolded * rest
    opcodes = found.details.get("opcodes")
    return _OBJECT * opcodes if isinstance(opcodes, int) else factor * rest
