"""Pickle streams, and joblib files: pickles with raw arrays between their opcodes."""

from __future__ import annotations

from functools import partial
from typing import Optional

from backends.core.containers import ZIP_MAGIC
from backends.core.findings import finding
from backends.core.footprint import Footprint
from backends.core.format import Format
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.formats.pickle import heads, opcodes, probe

_SUFFIXES = (".pkl", ".pickle", ".p", ".pck", ".sav", ".joblib", ".jbl", ".model", ".bin", ".dat", ".z")
_IMPORTS = """
backends.formats.pickle.plain numpy pandas scipy.sparse sklearn.pipeline sklearn.compose sklearn.preprocessing
sklearn.impute sklearn.feature_extraction.text sklearn.decomposition sklearn.linear_model sklearn.ensemble sklearn.tree
sklearn.svm sklearn.neighbors sklearn.naive_bayes sklearn.neural_network sklearn.cluster sklearn.calibration
sklearn.model_selection sklearn.metrics
"""


def _is_worth(head: bytes, size: Optional[int]) -> bool:
    """Whether a pickle may start there, or name something; a zip archive is inspected as one."""
    return not head.startswith(ZIP_MAGIC) and (heads.looks_like_pickle(head) or probe.may_name(head, size))


def _is_pickle(source: Source, head: bytes, compression: Optional[str]) -> bool:
    """Whether an unpickler would find a name in it; a zip archive is inspected as one."""
    return not head.startswith(ZIP_MAGIC) and probe.is_pickle(source)


def _complaint(head: bytes) -> Optional[str]:
    """Python's error message on unpickling bytes that start so; None where it would go on.

    joblib's own unpickler knows no better than to name the byte's number.
    """
    if not head:
        return "Ran out of input"
    if head[0] in opcodes.OPCODES:
        return None
    shown = chr(head[0]) if 32 <= head[0] < 127 else f"\\x{head[0]:02x}"
    return f"invalid load key, '{shown}'; joblib: KeyError: {head[0]}"


def _also_pickle(source: Source, head: bytes, name: str) -> Optional[Inspection]:
    """A pickle in the bytes of a file in the format `name`, which an unpickler would read from its start."""
    from backends.formats.pickle.walk import walk_inside

    walked = walk_inside(source, "read as a pickle")
    if walked is None:
        return None
    also = finding("polyglot", f"{name} that is also a pickle", 0)
    return Inspection("pickle", names=walked.names, findings=(also, *walked.findings))


def _footprint(found: Inspection, size: int) -> Footprint:
    """The memory of fitted estimators."""
    from backends.estimators.footprint import of_estimators

    return of_estimators(found, size)


_pickle_format = partial(
    Format,
    title="a pickle",
    suffixes=_SUFFIXES,
    starts=heads.looks_like_pickle,
    worth=_is_worth,
    fallback=_is_pickle,
    vague=True,
    compressed=True,
    content="pickle",
    runs_code=True,
    undisguised=(".pt", ".pth", ".zip", ".lgb", ".lgbm", ".lightgbm", ".xgb", ".bst", ".xgboost"),
    bytewise=True,
    convertible=True,
    portability="Python with these libraries",
    adapter="backends.estimators.estimator:Estimator",
    footprint=_footprint,
)

FORMATS = (
    _pickle_format(
        name="joblib",
        suffix=".joblib",
        implementation="backends.formats.pickle.joblibs",
        promises=(".joblib", ".jbl"),
        order=80,
        decides=True,
        compressions=("zfile",),
        imports=("backends.formats.pickle.joblibs", "joblib"),
    ),
    _pickle_format(
        name="pickle",
        suffix=".pkl",
        implementation="backends.formats.pickle.plain",
        promises=(".pkl", ".pickle", ".pck", ".pcl", ".dill", ".cloudpickle", ".sav", ".model"),
        magic=tuple(bytes((0x80, protocol)) for protocol in range(6)),
        also=_also_pickle,
        complaint=_complaint,
        order=81,
        imports=tuple(_IMPORTS.split()),
    ),
)
