"""Known names given sizes, hidden states or shared parts that no pickler gives them; and how old numpy names ufuncs."""

from __future__ import annotations

import io
import pickle
from pathlib import Path, PurePosixPath
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest, f_regression, mutual_info_classif

from backends.core import registry
from backends.core.source import Source
from console.records import Verdict
from tests.backends.test_redteam import HUGE, OBJECTS, data, dtype, group, number, record
from tests.hostile import call, name, text, wrapper
from tests.inspecting import judged

UNSAFE = (Verdict.REVIEW, Verdict.BLOCKED)
MODEL = name("sklearn.linear_model._base", "LinearRegression") + b")\x81"
PIPELINE = name("sklearn.pipeline", "Pipeline")
EMPTY = call("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), group(number(0)), data(b"b"))


def items(*given: bytes) -> bytes:
    return b"](" + b"".join(given) + b"e"


def mapping(key: str, value: bytes) -> bytes:
    return b"}" + text(key) + value + b"s"


def base(called: str, value: bytes) -> bytes:
    return call("copyreg", "_reconstructor", name("builtins", called), name("builtins", called), value)


ODD: dict[str, bytes] = {
    "a size for the class below": base("bytearray", HUGE),
    "a size for bytes below": base("bytes", HUGE),
    "an object of a value": base("object", number(1)),
    "a sparse matrix of a shape": call("scipy.sparse._csr", "csr_matrix", group(HUGE, HUGE)),
    "a tree over data": call("sklearn.neighbors._kd_tree", "KDTree", items(items(number(1))), HUGE),
    "a spline": call("scipy.interpolate._bsplines", "BSpline", items(), items(), number(0)),
    "a tree of more outputs than told": call("sklearn.tree._tree", "Tree", number(1), EMPTY, HUGE),
    "seeds of a huge pool": call("numpy.random.bit_generator", "SeedSequence", number(1), b")", HUGE),
    "a dtype of several": dtype("O,O,i4"),
    "a dtype of a huge part": dtype("(1000000000,)f8"),
    "a dtype with a field outside": dtype("V8", record(dtype("f8"), 1 << 30, 16)),
    "a dtype with a field before": dtype("V8", record(dtype("f8"), -64, 16)),
    "a dtype that lies of its size": dtype("U5", group(number(3), text("<"), b"NNN", HUGE, number(4), number(8))),
    "a dtype whose state is computed": dtype("V8", call("builtins", "tuple", items(number(3)))),
    "slots from a computed mapping": MODEL
    + b"N" + call("collections", "OrderedDict", items(group(text("__class__"), PIPELINE))) + b"\x86b",
    "slots from a computed tuple": MODEL
    + call("builtins", "tuple", items(b"N", mapping("__class__", PIPELINE))) + b"b",
    "a state from a computed dict": MODEL + call("builtins", "dict", mapping("predict", PIPELINE)) + b"b",
    "a partial whose state is computed": call("functools", "partial", name("numpy", "add"))
    + call("builtins", "tuple", items(name("builtins", "bytearray"), group(HUGE), b"}", b"}")) + b"b",
}  # fmt: skip


@pytest.mark.parametrize("title", ODD)
def test_what_no_pickler_gives_a_known_name_is_told(title: str) -> None:
    found = judged(b"\x80\x04" + ODD[title] + b".")
    assert found.verdict in UNSAFE
    assert {"odd-call", "odd-build"} & {reason.code for reason in found.reasons}


def doubled(step: bytes, first: bytes, depth: int = 40) -> bytes:
    """`depth` values, each made of the one before it twice by `step`, in which `@` stands for that; all in the memo."""
    made = b"".join(step.replace(b"@", b"h" + bytes([level])) + b"\x940" for level in range(depth))
    return b"\x80\x04" + first + b"\x940" + made


EXPONENTIAL: dict[str, tuple[bytes, bytes, bytes]] = {
    "tuples by a call": (call("builtins", "tuple", items(b"@", b"@")), b"K\x01\x85", b"}h\x28Ns."),
    "tuples by copyreg": (base("tuple", b"@@\x86"), b"K\x01\x85", b"}h\x28Ns."),
    "tuples as objects": (name("builtins", "tuple") + items(b"@", b"@") + b"\x85\x81", b"K\x01\x85", b"(h\x28\x91."),
    "frozensets in tuples": (b"(@@\x85\x91", b"(K\x01\x91", b"N."),
    "objects that hold objects": (PIPELINE + b")\x81}(" + text("a") + b"@" + text("b") + b"@ub", b"N", b"h\x28."),
    "deques that hold lists": (call("collections", "deque", items(b"@", b"@")), b"]", b"h\x28."),
    "a state of lists": (items(b"@", b"@"), b"]", MODEL + b"}" + text("coef_") + b"h\x28sb."),
}


@pytest.mark.parametrize("title", EXPONENTIAL)
def test_parts_that_are_shared_without_end_are_not_safe(title: str) -> None:
    step, first, end = EXPONENTIAL[title]
    assert judged(doubled(step, first) + end).verdict in UNSAFE


def test_parts_that_a_few_share_are_no_alarm() -> None:
    step, first, end = EXPONENTIAL["objects that hold objects"]
    assert judged(doubled(step, first, 8) + end.replace(b"\x28", b"\x08")).verdict is Verdict.SAFE


@pytest.mark.parametrize("known", [("numpy.core._multiarray_umath", "log1p"), ("scipy.special._ufuncs", "expit")])
def test_a_ufunc_named_as_old_numpy_does_is_that_name(known: tuple[str, str]) -> None:
    made = call("numpy.core", "_ufunc_reconstruct", text(known[0]), text(known[1]))
    assert judged(b"\x80\x04" + MODEL + mapping("func", made) + b"b.").verdict is Verdict.SAFE


@pytest.mark.parametrize(
    "made",
    [
        call("numpy.core", "_ufunc_reconstruct", text("os"), text("system")),
        call("numpy.core", "_ufunc_reconstruct", call("builtins", "str", text("os")), text("system")),
        call("numpy._core", "_ufunc_reconstruct", text("numpy.core.umath"), text("log1p")),
        b"(" + name("numpy.core", "_ufunc_reconstruct") + text("os") + text("system") + b"o",
        b"(" + text("os") + text("system") + b"inumpy.core\n_ufunc_reconstruct\n",
        call("numpy.core", "_ufunc_reconstruct", text("numpy.core.umath"), text("log1p")) + b"(K\x01tR",
        mapping("func", name("numpy.core", "_ufunc_reconstruct")),
        call("functools", "partial", name("numpy.core", "_ufunc_reconstruct")),
    ],
)
def test_what_old_numpy_would_import_by_name_is_judged_by_that_name(made: bytes) -> None:
    state = made if made.startswith(b"}") else mapping("func", made)
    assert judged(b"\x80\x04" + MODEL + state + b"b.").verdict in UNSAFE


def test_values_left_over_are_told() -> None:
    assert judged(b"\x80\x04NN.").verdict is Verdict.BLOCKED
    assert judged(b"\x80\x04(N.").verdict is Verdict.BLOCKED


def test_an_array_of_a_class_that_is_no_array_is_blocked() -> None:
    numbers = np.zeros(2).tobytes()
    assert judged(b"\x80\x04" + wrapper() + numbers + b".", "m.joblib").verdict is Verdict.SAFE
    odd = wrapper().replace(name("numpy", "ndarray"), name("builtins", "bytearray"))
    assert judged(b"\x80\x04" + odd + numbers + b".", "m.joblib").verdict is Verdict.BLOCKED
    key = b"}" + wrapper() + numbers + b"Ns."
    assert judged(b"\x80\x04" + key, "m.joblib").verdict is Verdict.BLOCKED


def test_a_dtype_that_holds_objects_and_says_so_is_no_alarm() -> None:
    assert judged(b"\x80\x04" + OBJECTS + b".").verdict is Verdict.SAFE


def test_arrays_that_were_mapped_and_old_ones_of_text_are_no_alarm(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "m", np.float64, "w+", shape=(10,))
    file = io.BytesIO()
    joblib.dump({"a": mapped}, file)
    assert judged(file.getvalue(), "m.joblib").verdict is Verdict.SAFE
    assert judged(pickle.dumps(mapped)).verdict is Verdict.SAFE
    assert judged(pickle.dumps(np.char.array(["a"]))).verdict is Verdict.SAFE


@pytest.mark.parametrize(
    "made",
    [
        call("numpy", "memmap", text("/etc/passwd")),
        name("numpy", "memmap") + group(text("/etc/passwd")) + b"\x81",
        call("copyreg", "__newobj__", name("numpy", "memmap"), text("/etc/passwd")),
    ],
)
def test_mapping_a_file_is_blocked(made: bytes) -> None:
    assert judged(b"\x80\x04" + made + b".").verdict is Verdict.BLOCKED


def test_a_mapping_class_kept_to_be_called_is_told() -> None:
    assert judged(b"\x80\x04" + MODEL + mapping("func", name("numpy", "memmap")) + b"b.").verdict in UNSAFE
    assert judged(b"\x80\x04" + call("functools", "partial", name("numpy", "memmap")) + b".").verdict in UNSAFE


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_paths_and_functions_that_select_features_are_no_alarm(protocol: int) -> None:
    kept = [PurePosixPath("/a/b"), SelectKBest(f_regression), SelectKBest(mutual_info_classif)]
    assert judged(pickle.dumps(kept, protocol)).verdict is Verdict.SAFE


@pytest.mark.parametrize("missing", [[], [None], [float("nan")], ["?"]])
def test_an_array_of_strings_of_any_length_is_no_alarm(missing: list[Any]) -> None:
    kind = np.dtypes.StringDType(na_object=missing[0]) if missing else np.dtypes.StringDType()
    texts = np.array(["a", "b" * 100, *missing], kind)
    file = io.BytesIO()
    joblib.dump({"texts": texts}, file)
    assert judged(file.getvalue(), "m.joblib").verdict is Verdict.SAFE
    assert judged(pickle.dumps(texts)).verdict is Verdict.SAFE


def test_strings_that_are_fewer_than_an_array_says_are_blocked() -> None:
    kind = call("numpy._core._internal", "_convert_to_stringdtype_kwargs", b"\x88")
    made = call("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), group(number(0)), data(b"b"))
    state = [number(1), group(number(9)), kind, b"\x89", items(text("a"))]
    assert judged(b"\x80\x04" + made + group(*state) + b"b.").verdict is Verdict.BLOCKED
    state[1] = group(number(1))
    assert judged(b"\x80\x04" + made + group(*state) + b"b.").verdict is Verdict.SAFE
    odd = call("numpy._core._internal", "_convert_to_stringdtype_kwargs", b"\x88", PIPELINE)
    assert judged(b"\x80\x04" + odd + b".").verdict in UNSAFE


@pytest.mark.parametrize(
    "spelled",
    [
        text("a" * 9000),
        b"V" + b"a" * 9000 + b"\n",
        b"S'" + b"a" * 9000 + b"'\n",
        b"T" + (9000).to_bytes(4, "little") + b"a" * 9000,
    ],
)
def test_a_very_long_name_is_listed_and_blocked(spelled: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(b"\x80\x04" + spelled + text("b") + b"\x93.")
    with path.open("rb") as file:
        inspection = registry.inspect(Source(file.fileno(), path.name))
    assert [(use.module, use.name) for use in inspection.names] == [("a" * 9000, "b")]
    assert judged(path.read_bytes()).verdict is Verdict.BLOCKED


def test_names_without_end_are_a_limit(tmp_path: Path) -> None:
    made = b"".join(text(f"{number:05}" + "a" * 60_000) + text("b") + b"\x930" for number in range(200))
    path = tmp_path / "m.pkl"
    path.write_bytes(b"\x80\x04" + made + b"N.")
    with path.open("rb") as file:
        inspection = registry.inspect(Source(file.fileno(), path.name))
    assert "limit" in {found.code for found in inspection.findings}
    assert len(inspection.names) < 200
    assert judged(path.read_bytes()).verdict is Verdict.BLOCKED
