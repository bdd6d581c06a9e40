"""Allow-list of globals that a file may name, and the list of those known as dangerous."""

from __future__ import annotations

import functools
import tomllib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from backends.core.inspection import GlobalRef

_DATA = Path(__file__).with_name("data")
_ALLOWED = tuple(f"allowed{part}.txt" for part in ("", "_boosters", "_frames", "_python", "_scipy", "_torch"))
_HOLDERS = "allowed_holders.txt"

_TELLING = frozenset(
    """system popen Popen check_output check_call getoutput getstatusoutput eval exec execfile
    __import__ import_module CDLL""".split()  # noqa: SIM905 - a table, not a sentence
)
"""Last parts of a name that mean the same wherever they are found: libraries hand on what they imported."""

_WRITING = frozenset(
    """to_clipboard to_csv to_excel to_feather to_hdf to_orc to_parquet to_pickle to_sql to_stata to_xml
    tofile""".split()  # noqa: SIM905
)
"""Last parts of a name that write a file, whatever table or array they are methods of."""
_UNSAFE = "enable_unsafe_deserialization"
"""What no model has an honest use for, under any of the names that Keras hands it on by."""
_MODULES = frozenset(
    "os sys posix subprocess shutil socket pty ctypes importlib builtins runpy pickle marshal".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Danger:
    """A dangerous name: the entry it matched, and what it could do in plain words ("run any command …")."""

    entry: str
    could: str


_ARRAY_CLASSES = frozenset((("numpy", "memmap"), ("numpy.core.memmap", "memmap"), ("numpy._core.memmap", "memmap")))
"""Classes that open a file when they are called, and that arrays mapped from one name without calling them."""


def harmless(use: GlobalRef) -> bool:
    """Whether a dangerous name does nothing in this file.

    `getattr` is nothing by itself where each call of it gave an attribute of a named class, which stands beside it as a
    name of its own, nor are dill's spellings of that, `numpy.vectorize` around a named function, and the class of an
    array that nothing calls.
    """
    return use.resolved or ((use.module, use.name) in _ARRAY_CLASSES and not use.called)


@functools.cache
def allowed() -> frozenset[tuple[str, str]]:
    """Every (module, qualified name) that an artifact may name, as pickles spell them.

    `tests/trust/allow_list/generate.py` writes the list from what scikit-learn, numpy and scipy need, `frames.py`
    beside it that of pandas; what PyTorch's own files and Python itself bring was reviewed by hand.
    """
    lines = [line for name in _ALLOWED for line in (_DATA / name).read_text("ascii").splitlines()]
    pairs = (line.split(" ") for line in lines if line and not line.startswith("#"))
    return frozenset((module, name) for module, name in pairs)


def listed(module: str, name: str) -> bool:
    """Whether a name is on the allow-list: as it is spelled, or as an unpickler reads its Python 2 spelling.

    A dotted name is an attribute of a class: both have to be listed.
    """
    known = allowed()
    if (module, name) in known or modern(module, name) in known:
        return True
    owner, dot, attribute = name.partition(".")
    if not dot:
        return False
    home, kind = modern(module, owner)
    return (home, kind) in known and (home, f"{kind}.{attribute}") in known


@functools.cache
def _holders() -> frozenset[str]:
    """Classes whose objects hold a model in the format of another library, as dotted names."""
    lines = (_DATA / _HOLDERS).read_text("ascii").splitlines()
    return frozenset(line.replace(" ", ".") for line in lines if line and not line.startswith("#"))


def known(use: GlobalRef) -> bool:
    """Whether a name is on the allow-list, or one of a class that is where all its objects hold was read."""
    return listed(use.module, use.name) or (use.resolved and str(use) in _holders())


def modern(module: str, name: str) -> tuple[str, str]:
    """The name that an unpickler makes of a Python 2 spelling; any other is returned as it is."""
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[module, name]
    return IMPORT_MAPPING.get(module, module), name


def danger(module: str, name: str) -> Danger | None:
    """The known danger of a name, however it is spelled; None when nothing is.

    Looked up as written, as Python 2 spelled it, and, for a dotted name, at every module it passes through: protocol 4
    resolves `joblib.disk` + `os.system` to `os.system`.
    """
    spellings = [f"{module}.{name}", ".".join(modern(module, name))]
    if "." in name:
        parts = name.split(".")
        spellings += [".".join(parts[start:]) for start in range(len(parts) - 1)]
        if name.startswith("__") or ".__" in name:
            return Danger(name, "reach the inner workings of Python, and with them run any code")
    for spelling in spellings:
        found = _match(spelling)
        if found is not None:
            return found
    last = name.rpartition(".")[2]
    if last in _TELLING:
        return Danger(last, "run code or a command, whatever library hands it on")
    if last in _WRITING:
        return Danger(last, "write files of whoever loads it")
    if last == _UNSAFE:
        return Danger(last, "switch off Keras's safe mode, after which a layer can bring any code")
    if last in _MODULES:
        return Danger(last, f"hand on the module {last}, and with it everything in it")
    return None


@functools.cache
def _table() -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """Exact names and "module.*" by name; "prefix*" as a list, because no lookup finds them."""
    exact: dict[str, str] = {}
    prefixes: list[tuple[str, str]] = []
    for entry in tomllib.loads((_DATA / "dangerous.toml").read_text("utf-8"))["danger"]:
        for name in entry["names"]:
            if name.endswith("*") and not name.endswith(".*"):
                prefixes.append((name[:-1], entry["could"]))
            else:
                exact.setdefault(name, entry["could"])
    return exact, tuple(prefixes)


def _match(spelling: str) -> Danger | None:
    exact, prefixes = _table()
    if spelling in exact:
        return Danger(spelling, exact[spelling])
    for prefix, could in prefixes:
        if spelling.startswith(prefix):
            return Danger(f"{prefix}*", could)
    parts = spelling.split(".")
    for end in range(len(parts) - 1, 0, -1):
        entry = ".".join(parts[:end]) + ".*"
        if entry in exact:
            return Danger(entry, exact[entry])
    return None


@functools.cache
def data_fingerprint() -> str:
    """Changes whenever the allow-list or the list of dangerous names does."""
    digest = sha256()
    for name in (*_ALLOWED, _HOLDERS, "dangerous.toml"):
        digest.update((_DATA / name).read_bytes())
    return digest.hexdigest()[:16]
