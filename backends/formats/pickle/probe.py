"""Whether bytes that nothing else claims are a pickle: they are run as unpicklers would run them, until they name
something.

Ordinary text now and then runs as far as that: a line that starts with `c` and the line after it are a GLOBAL. So a
name must be one that could be imported, and in a file that is text all through, one of a known module, or what is
named must be called or kept. Whatever is no text, or calls what it named, is a pickle however odd its names are.
"""

from __future__ import annotations

import re
import sys
from _compat_pickle import IMPORT_MAPPING
from typing import Optional

from backends.core.compression import decompressed
from backends.core.errors import Unsupported
from backends.core.format import HEAD, LIKELY
from backends.core.source import MemorySource, Source
from backends.formats.pickle.heads import may_be_pickle
from backends.formats.pickle.machine import PickleMachine
from backends.formats.pickle.names import Names
from backends.formats.pickle.reader import Budget, LongLine, Stopped
from backends.formats.pickle.values import Extension, Global, Opaque, Value

_MAX_STREAMS = 100
_MAX_DEPTH = 5
_MAX_OPENED = 256 << 20
_TEXT_LOOK = 1 << 16
_MODULE = re.compile(r"[^\s./\x00-\x1f\x7f-\x9f]+(?:\.[^\s./\x00-\x1f\x7f-\x9f]+)*\Z")
_PLAIN_MODULE = re.compile(r"[\w-]+(?:\.[\w-]+)*\Z")
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_PACKAGES = frozenset(
    ("numpy", "scipy", "sklearn", "joblib", "pandas", "torch", "keras", "tensorflow", "xgboost", "lightgbm", "catboost",
     "dill", "cloudpickle", "skops", "onnxruntime", "transformers", "tables", "h5py")
)  # fmt: skip
_STANDARD: frozenset[str] = frozenset(getattr(sys, "stdlib_module_names", ())) or frozenset(
    (*sys.builtin_module_names, "os", "nt", "subprocess", "runpy", "shutil", "socket", "code", "pty", "importlib")
)
_KNOWN = _STANDARD | _PACKAGES | frozenset(IMPORT_MAPPING)


class _Found(Exception):
    """Raised as soon as it is clear that a pickle is run."""


def is_pickle(source: Source, budget: Optional[Budget] = None) -> bool:
    """Whether what stands in the source, in a compression or not, names something. Raises OSError.

    What cannot be told within the budget counts as a pickle.
    """
    return _names_inside(source, budget, 0)


def names_something(source: Source, budget: Optional[Budget] = None, depth: int = 0) -> bool:
    """Whether an unpickler that reads the source would ask for something by its name, or one that reads the bytes that
    it finds there, `depth` deep. Raises OSError."""
    if not may_be_pickle(source.read(0, HEAD), source.size):
        return False
    machine = _Probe(source, budget or Budget(opcodes=500_000, seconds=2.0, memory=256 << 20))
    if _runs(machine, source.size):
        return True
    return bool(machine.inner) and (
        depth >= _MAX_DEPTH or any(_names_inside(inner, machine.budget, depth + 1) for inner in machine.inner)
    )


def _names_inside(source: Source, budget: Optional[Budget], depth: int) -> bool:
    try:
        with decompressed(source, _MAX_OPENED) as opened:
            return names_something(opened.source, budget, depth)
    except Unsupported:
        return False


def may_name(head: bytes, size: Optional[int]) -> bool:
    """The same, as far as the first bytes of `size` (None where that is not known) tell; a maybe counts.

    Bytes that are known to go on may be no text further on, however they begin.
    """
    cut = size is not None and size > len(head)
    size = LIKELY if size is None else size
    return may_be_pickle(head, size) and _runs(_Probe(_Head(head, size), Budget(), cut), size)


class _Head(MemorySource):
    """The first bytes of a source; reading on raises _Found, as nobody knows what comes."""

    def __init__(self, head: bytes, size: int) -> None:
        super().__init__(head)
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        """See Source."""
        if offset and min(offset + length, self.size) > len(self.data):
            raise _Found
        return super().read(offset, length)


def _runs(machine: _Probe, size: int) -> bool:
    """Whether the machine comes to something that makes its source a pickle."""
    waiting, seen = [0], set[int]()
    while waiting and len(seen) < _MAX_STREAMS:
        offset = waiting.pop()
        if offset >= size or offset in seen:
            continue
        seen.add(offset)
        try:
            machine.run(offset)
        except _Found:
            return True
        except Stopped as stop:
            if stop.resumable or (stop.code == "limit" and not (isinstance(stop, LongLine) or machine.is_prose)):
                return True
        else:
            waiting.extend({machine.offset, machine.offset if machine.abandoned is None else machine.abandoned})
    return bool(waiting)


class _Probe(PickleMachine):
    """A machine that stops, by raising _Found, as soon as it is clear that a pickle is run."""

    def __init__(self, source: Source, budget: Budget, cut: bool = False) -> None:
        super().__init__(source, budget, [], Names())
        self._is_text = not cut and is_text(source.read(0, _TEXT_LOOK))
        self._named = False
        self._numbered = False

    @property
    def is_prose(self) -> bool:
        """Whether it is text in which nothing was named so far that could be imported, however many lines begin so."""
        return self._is_text and not self._named and not self._numbered

    def _name(self, module: str, name: str, offset: int) -> Global:
        if _MODULE.match(module) and (not self._is_text or _is_known(module, name, self.offset >= self.size)):
            raise _Found
        self._named = self._named or bool(_PLAIN_MODULE.match(module) and _NAME.match(name))
        return super()._name(module, name, offset)

    def _extension(self, code: int) -> None:
        super()._extension(code)
        self._numbered = True

    def _called(self, callee: Value, args: Value, kwargs: Value = None, new: bool = False) -> Value:
        outside = type(callee) is Extension or (type(callee) is Global and not self._is_text)
        if type(args) is tuple and (outside or (type(callee) is Global and (self._named or not new))):
            raise _Found
        if (self._named or type(callee) is Extension) and type(args) not in (Global, Opaque, Extension, type(None)):
            raise _Found
        return super()._called(callee, args, kwargs, new)

    def _stop(self, opcodes: int) -> Value:
        whole = max(self.offset, self.frame_end or 0) >= self.size
        if self._named or (self._numbered and (whole or self.protocol)):
            raise _Found
        return super()._stop(opcodes)


def is_text(data: bytes) -> bool:
    """Whether bytes from the start of a file are text, in UTF-8 or one byte a character."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = len(data) == _TEXT_LOOK and error.start >= len(data) - 3
        text = data[: error.start].decode("utf-8") if cut else data.decode("latin-1")
    return _NO_TEXT.search(text) is None


def is_likely_module(module: str) -> bool:
    """Whether a module of this name could be imported, if it is there."""
    return _MODULE.match(module) is not None


def _is_known(module: str, name: str, cut: bool) -> bool:
    """Whether a name that ordinary text could hold is one of a module that is likely to be there.

    Where the file ends in a line, CPython's Python unpickler has `cut` its last character off.
    """
    if module.partition(".")[0] not in _KNOWN or not _NAME.match(name):
        return False
    loaded = sys.modules.get(module) if module in _STANDARD else None
    first = name.partition(".")[0]
    return loaded is None or first in vars(loaded) or (cut and any(each[:-1] == first for each in vars(loaded)))
