"""Pickle streams, and joblib files: pickles with raw arrays between their opcodes."""

from __future__ import annotations

from typing import Optional

from backends.core.containers import ZIP_MAGIC
from backends.core.format import Format, later
from backends.core.source import Source
from backends.formats.pickle import heads, opcodes, probe

__all__ = ["FORMATS"]

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
    """What Python says when it unpickles bytes that start so; None where it would go on.

    joblib's own unpickler knows no better than to name the byte's number.
    """
    if not head:
        return "Ran out of input"
    if head[0] in opcodes.OPCODES:
        return None
    shown = chr(head[0]) if 32 <= head[0] < 127 else f"\\x{head[0]:02x}"
    return f"invalid load key, '{shown}'; joblib: KeyError: {head[0]}"


FORMATS = (
    Format(
        name="joblib",
        suffix=".joblib",
        implementation="backends.formats.pickle.joblibs",
        title="a pickle",
        suffixes=_SUFFIXES,
        promises=(".joblib", ".jbl"),
        starts=heads.looks_like_pickle,
        worth=_is_worth,
        sniff=later("backends.formats.pickle.joblibs:is_joblib"),
        fallback=_is_pickle,
        order=80,
        vague=True,
        decides=True,
        compressed=True,
        compressions=("zfile",),
        content="pickle",
        runs_code=True,
        undisguised=(".pt", ".pth", ".zip"),
        bytewise=True,
        convertible=True,
        holds_objects=True,
        imports=("backends.formats.pickle.joblibs", "joblib"),
    ),
    Format(
        name="pickle",
        suffix=".pkl",
        implementation="backends.formats.pickle.plain",
        title="a pickle",
        suffixes=_SUFFIXES,
        promises=(".pkl", ".pickle", ".pck", ".pcl", ".dill", ".cloudpickle", ".sav", ".model", ".skops"),
        magic=tuple(bytes((0x80, protocol)) for protocol in range(6)),
        starts=heads.looks_like_pickle,
        worth=_is_worth,
        fallback=_is_pickle,
        also=later("backends.formats.pickle.polyglot:read_as_pickle"),
        complaint=_complaint,
        vague=True,
        order=81,
        compressed=True,
        content="pickle",
        runs_code=True,
        undisguised=(".pt", ".pth", ".zip"),
        bytewise=True,
        convertible=True,
        holds_objects=True,
        imports=tuple(_IMPORTS.split()),
    ),
)
