"""The allow-list and the dangerous names: exact, disjoint, complete for what the installed libraries need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from pathlib import Path

import pytest

from console.trust import allow_list

COLLECT = Path(__file__).with_name("allow_list") / "collect.py"


def test_nothing_dangerous_is_listed() -> None:
    listed = [(pair, found) for pair in allow_list.allowed() if (found := allow_list.danger(*pair)) is not None]
    assert listed == []


def test_dotted_names_that_are_listed_are_attributes_of_listed_classes() -> None:
    dotted = [pair for pair in allow_list.allowed() if "." in pair[1]]
    assert {(module, name.partition(".")[0]) for module, name in dotted} <= allow_list.allowed()
    private = {pair for pair in dotted if "._" in pair[1] and not pair[1].endswith("_gen._entropy")}
    assert private == {("zoneinfo", "ZoneInfo._unpickle")}


@pytest.mark.parametrize(
    ("module", "name", "right"),
    [
        ("builtins", "str.split", True),
        ("__builtin__", "unicode.split", True),
        ("__builtin__", "len", True),
        ("_abcoll", "Mapping", True),
        ("exceptions", "ValueError", True),
        ("builtins", "str.format", False),
        ("mine", "str.split", False),
        ("builtins", "Mine.split", False),
        ("numpy", "ndarray.tofile", False),
        ("sklearn.pipeline", "Pipeline.fit", False),
    ],
)
def test_names_are_listed_as_an_unpickler_reads_them(module: str, name: str, right: bool) -> None:
    assert allow_list.listed(module, name) is right


def test_python_2_spellings_lead_to_listed_names() -> None:
    mapped = {pair for pair in allow_list.allowed() if pair[0] in IMPORT_MAPPING or pair in NAME_MAPPING}
    assert ("copy_reg", "_reconstructor") in mapped
    assert {allow_list.modern(*pair) for pair in mapped} - allow_list.allowed() <= {
        ("builtins", "long"),
        ("builtins", "unicode"),
    }


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("nt", "system"),
        ("subprocess", "Popen"),
        ("__builtin__", "eval"),
        ("builtins", "exec"),
        ("builtins", "getattr"),
        ("builtins", "__import__"),
        ("commands", "getoutput"),
        ("joblib.disk", "os.system"),
        ("mine.helpers", "os"),
        ("sklearn.utils._testing", "os.system"),
        ("sklearn.utils._testing", "set_random_state"),
        ("sklearn.datasets", "load_svmlight_file"),
        ("sklearn.datasets._openml", "_open_openml_url"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.f2py.crackfortran", "param_eval"),
        ("numpy", "load"),
        ("numpy", "memmap"),
        ("numpy", "fromfile"),
        ("numpy._core", "_ufunc_reconstruct"),
        ("numpy.ctypeslib", "load_library"),
        ("joblib", "load"),
        ("joblib.numpy_pickle", "load"),
        ("joblib.externals.cloudpickle.cloudpickle", "subimport"),
        ("cloudpickle.cloudpickle", "_make_function"),
        ("dill._dill", "_create_code"),
        ("types", "CodeType"),
        ("types", "FunctionType"),
        ("marshal", "loads"),
        ("_pickle", "loads"),
        ("operator", "attrgetter"),
        ("_operator", "methodcaller"),
        ("functools", "reduce"),
        ("importlib", "import_module"),
        ("pkgutil", "resolve_name"),
        ("runpy", "run_path"),
        ("ctypes", "CDLL"),
        ("pathlib", "PosixPath.write_text"),
        ("logging", "FileHandler"),
        ("zipfile", "main"),
        ("tarfile", "open"),
        ("uuid", "_get_command_stdout"),
        ("pandas", "read_pickle"),
        ("torch", "load"),
        ("socket", "create_connection"),
        ("ssl", "get_server_certificate"),
        ("pip", "main"),
        ("profile", "run"),
        ("imaplib", "IMAP4_stream"),
        ("_pyrepl.pager", "pipe_pager"),
        ("idlelib.run", "Executive.runcode"),
        ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
        ("builtins", "list.__class__"),
        ("mine.helpers", "system"),
        ("_io", "FileIO"),
    ],
)
def test_known_gadgets_are_dangerous_and_explained(module: str, name: str) -> None:
    found = allow_list.danger(module, name)
    assert found is not None
    assert len(found.could) > 10
    assert (module, name) not in allow_list.allowed()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.linear_model._logistic", "LogisticRegression"),
        ("sklearn.linear_model.logistic", "LogisticRegression"),
        ("sklearn.ensemble.forest", "RandomForestClassifier"),
        ("sklearn.tree._tree", "Tree"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("scipy.sparse._csr", "csr_matrix"),
        ("scipy.sparse.csr", "csr_matrix"),
        ("collections", "OrderedDict"),
        ("_codecs", "encode"),
        ("builtins", "slice"),
        ("__builtin__", "set"),
        ("numpy", "log1p"),
        ("numpy.random._pickle", "__randomstate_ctor"),
    ],
)
def test_what_models_need_is_listed(module: str, name: str) -> None:
    assert (module, name) in allow_list.allowed()


def test_a_users_own_name_is_neither() -> None:
    assert allow_list.danger("churn.features", "Ratio") is None
    assert ("churn.features", "Ratio") not in allow_list.allowed()
    assert allow_list.danger("os_features", "Ratio") is None, "a module is matched whole, not by its first letters"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_list_covers_the_installed_libraries() -> None:
    """All names collected under this interpreter are on the committed list, apart from what it leaves out."""
    single = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(COLLECT)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=single)
    found = json.loads(run.stdout)
    assert found["objects"] > 1000
    unwanted = ("scipy._lib.", "sklearn.utils.")
    missing = {(module, name) for module, name in found["names"]} - allow_list.allowed()
    assert {pair for pair in missing if not (pair[0] + ".").startswith(unwanted)} == set()
