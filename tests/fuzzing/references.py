"""The real unpicklers, made harmless: they tell which names they ask for and are given something inert for each."""

from __future__ import annotations

import _pickle
import io
import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import joblib.numpy_pickle
import numpy as np

__all__ = ["ENGINES", "Ask", "Inert"]

Ask = Callable[[str, str], None]
"""Called with every (module, qualified name) that an unpickler asks for."""

_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_HARMLESS: dict[tuple[str, str], Any] = {
    _WRAPPER: joblib.numpy_pickle.NumpyArrayWrapper,
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("builtins", "object"): object,
    ("__builtin__", "object"): object,
    ("numpy", "amax"): lambda *args: args[0] if args else Inert(),
}
"""The only real names that are ever given out, and to joblib's unpickler alone: it reads raw arrays by them.

numpy.amax stands for all listed functions that may give back what they are given.
"""


class Inert:
    """Takes any call, state or item, and does nothing with it; `made` counts what was made by calls."""

    made = 0

    def __new__(cls, *args: Any, **kwargs: Any) -> Inert:
        Inert.made += 1
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Inert:
        return Inert()

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, *args: Any) -> None:
        pass

    extend = add = update = __setstate__ = append


def _inert_maker(cls: Any, *rest: Any) -> Any:
    """The object that copyreg's functions would make, for the one class whose objects mean something."""
    return object.__new__(cls) if cls is _HARMLESS[_WRAPPER] else Inert()


class _Recording:
    """Records each name once and gives what `answer` has for it."""

    def __init__(self, ask: Ask, answer: Callable[[str, str], Any]) -> None:
        self._ask = ask
        self._answer = answer
        self._known: set[tuple[str, str]] = set()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            self._known.add((module, name))
            self._ask(module, name)
        return self._answer(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return object.__new__(Inert)


class _C(_Recording, _pickle.Unpickler):
    def __init__(self, file: Any, ask: Ask, answer: Callable[[str, str], Any], encoding: str) -> None:
        _Recording.__init__(self, ask, answer)
        _pickle.Unpickler.__init__(self, file, encoding=encoding)


class _Python(_Recording, pickle._Unpickler):
    def __init__(self, file: Any, ask: Ask, answer: Callable[[str, str], Any], encoding: str) -> None:
        _Recording.__init__(self, ask, answer)
        pickle._Unpickler.__init__(self, file, encoding=encoding)


class _Joblib(_Recording, joblib.numpy_pickle.NumpyUnpickler):  # type: ignore[misc]
    def __init__(self, file: Any, ask: Ask, answer: Callable[[str, str], Any]) -> None:
        _Recording.__init__(self, ask, answer)
        joblib.numpy_pickle.NumpyUnpickler.__init__(self, "model.joblib", file, ensure_native_byte_order=True)


def _refuse(module: str, name: str) -> Any:
    raise pickle.UnpicklingError(f"{module}.{name} is refused")


def _inert(module: str, name: str) -> Any:
    return Inert


def _for_joblib(module: str, name: str) -> Any:
    if name in ("_reconstructor", "__newobj__") and module in ("copyreg", "copy_reg"):
        return _inert_maker
    return _HARMLESS.get((module, name), Inert)


def _streams(data: bytes, unpickler: Callable[[Any], Any]) -> None:
    """Load one pickle after another, as the console's own loader does."""
    with io.BufferedReader(_Memory(data), 1 << 16) as file:
        while file.tell() < len(data):
            unpickler(file).load()


class _Memory(io.RawIOBase):
    """Bytes as a file without any of the shortcuts that BytesIO offers."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)


ENGINES: dict[str, Callable[[bytes, Ask], None]] = {
    "C, refusing": lambda data, ask: _streams(data, lambda file: _C(file, ask, _refuse, "ASCII")),
    "C, inert": lambda data, ask: _streams(data, lambda file: _C(file, ask, _inert, "latin-1")),
    "Python, inert": lambda data, ask: _streams(data, lambda file: _Python(file, ask, _inert, "latin-1")),
    "Python, strict text": lambda data, ask: _streams(data, lambda file: _Python(file, ask, _inert, "ASCII")),
    "joblib": lambda data, ask: _streams(data, lambda file: _Joblib(file, ask, _for_joblib)),
}
"""What is asked of each: read the streams of `data` until one fails, telling every name. Raises what they raise."""
