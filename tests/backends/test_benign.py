"""Honest pickles beside plain models: methods of classes, frames, dates in time zones, distributions.

Each is judged safe, and its hostile twin, the same names called with what no pickler gives them, is not.
"""

from __future__ import annotations

import collections.abc
import datetime
import functools
import io
import math
import pickle
import random
import re
import types
import zoneinfo
from array import array
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from dateutil import tz  # type: ignore[import-untyped]
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from console.records import Verdict
from tests.backends.test_redteam import HUGE, data, group, number
from tests.backends.test_redteam_calls import EMPTY, MODEL, UNSAFE, items, mapping
from tests.hostile import call, evil, name, text
from tests.inspecting import inspect_bytes, judged

DAYS = pd.date_range("2024-01-01", periods=3, freq="D")
FRAME = pd.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "city": ["Bern", "Lima", "Oslo", "Bern"]})
LABELS = [0, 1, 0, 1]


def columns() -> Any:
    made = ColumnTransformer([("n", StandardScaler(), ["n"]), ("c", OneHotEncoder(sparse_output=False), ["city"])])
    return make_pipeline(made.set_output(transform="pandas"), LogisticRegression()).fit(FRAME, LABELS)


def searched(**parameters: Any) -> RandomizedSearchCV:
    search = RandomizedSearchCV(LogisticRegression(), parameters, n_iter=2, cv=2, random_state=0)
    return search.fit(FRAME[["n"]].to_numpy(), LABELS)


BENIGN: dict[str, Callable[[], Any]] = {
    "a method that splits": lambda: TfidfVectorizer(tokenizer=str.split).fit(["a b", "c"]),
    "methods and functions": lambda: [FunctionTransformer(one) for one in (str.lower, dict.get, len, math.log, max)],
    "a partial of a function": lambda: FunctionTransformer(functools.partial(round, ndigits=2)),
    "a partial of a method": lambda: functools.partial(str.split, sep=","),
    "a vectorised function": lambda: FunctionTransformer(np.vectorize(len)),
    "a date in a zone": lambda: datetime.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    "dates in zones": lambda: [DAYS.tz_localize("UTC"), DAYS.tz_localize("Europe/Berlin")],
    "zones of dateutil": lambda: [tz.tzutc(), tz.tzoffset("x", 60), pd.Timestamp("2024", tz=tz.gettz("Europe/Rome"))],
    "a frame": lambda: FRAME,
    "a frame of dates": lambda: pd.DataFrame({"d": DAYS.tz_localize("America/New_York"), "x": 1}).set_index("d"),
    "types of columns": lambda: pd.DataFrame(
        {"i": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean"), "c": pd.Categorical(["x", "y"])}
    ),
    "indexes": lambda: [pd.RangeIndex(3), pd.MultiIndex.from_product([["a"], [1]]), pd.interval_range(0, 3), DAYS],
    "scalars": lambda: [pd.NA, pd.NaT, pd.Timestamp("2024"), pd.Timedelta(1, "D"), pd.Period("2024", "M")],
    "offsets": lambda: [pd.offsets.Day(2), pd.offsets.Week(weekday=1), pd.DateOffset(months=2), pd.offsets.BDay()],
    "sparse columns": lambda: pd.arrays.SparseArray([0.0, 0.0, 1.0]),
    "a pipeline over columns": columns,
    "a bundle": lambda: {"model": columns(), "columns": FRAME.columns, "means": FRAME["n"], "on": pd.Timestamp.now()},
    "continuous parameters": lambda: searched(C=scipy.stats.loguniform(0.1, 1)),
    "discrete parameters": lambda: searched(max_iter=scipy.stats.randint(50, 60)),
    "patterns": lambda: [re.compile("a+", re.IGNORECASE), re.compile(b"x")],
    "values": lambda: [types.SimpleNamespace(a=1), random.Random(1), array("d", [1.0]), type(None), list[int]],
    "errors": lambda: [ValueError("x"), Exception("y"), FileNotFoundError(2, "z"), KeyError, UserWarning],
    "interfaces": lambda: [collections.abc.Mapping, collections.abc.Iterable, collections.ChainMap({"a": 1})],
}  # fmt: skip


@pytest.mark.parametrize("title", BENIGN)
def test_what_picklers_write_is_no_alarm(title: str) -> None:
    value = BENIGN[title]()
    file = io.BytesIO()
    joblib.dump({"kept": value}, file)
    old = () if title == "a vectorised function" or title.startswith("discrete") else (0,)
    for content in (*(pickle.dumps(value, protocol) for protocol in (*old, 2, 4, 5)), file.getvalue()):
        found = judged(content)
        assert (found.verdict, found.reasons) == (Verdict.SAFE, ())


def test_a_method_of_a_class_is_a_name_like_any() -> None:
    for protocol in (2, 4):
        uses = {str(use): use.resolved for use in inspect_bytes(pickle.dumps(str.split, protocol)).names}
        assert [str(use).partition(".")[2] for use in uses if use.endswith("getattr")] == ["getattr"]
        assert any(known.endswith((".str.split", ".unicode.split")) for known in uses)
        assert [resolved for known, resolved in uses.items() if known.endswith("getattr")] == [True]


GETATTR = name("builtins", "getattr")
SPLIT = call("builtins", "getattr", name("builtins", "str"), text("split"))
OF_STR = group(name("builtins", "str"), text("split")) + b"R"
ATTRIBUTES: dict[str, bytes] = {
    "of an object": call("builtins", "getattr", MODEL, text("fit")),
    "of an attribute": call("builtins", "getattr", SPLIT, text("real")),
    "by a computed name": call("builtins", "getattr", name("builtins", "str"), call("builtins", "str", text("split"))),
    "with another in its place": call("builtins", "getattr", name("builtins", "str"), text("split"), name("os", "x")),
    "by a dotted name": call("builtins", "getattr", name("builtins", "str"), text("split.real")),
    "of the inner workings": call("builtins", "getattr", name("builtins", "str"), text("__class__")),
    "and itself kept": items(SPLIT, GETATTR),
    "and itself kept from the memo": items(GETATTR + b"\x94" + OF_STR, b"h\x00"),
    "twice on the stack": items(GETATTR + b"2" + OF_STR),
    "given to a partial": items(SPLIT, call("functools", "partial", GETATTR)),
    "made as an object": GETATTR + group(name("builtins", "str"), text("split")) + b"\x81",
    "of a module": call("builtins", "getattr", name("os", "path"), text("join")),
    "that is dangerous": call("builtins", "getattr", name("numpy", "ndarray"), text("tofile")),
}  # fmt: skip


@pytest.mark.parametrize("title", ATTRIBUTES)
def test_other_attributes_stay_blocked(title: str) -> None:
    assert judged(b"\x80\x04" + ATTRIBUTES[title] + b".").verdict is Verdict.BLOCKED


@pytest.mark.parametrize(
    ("owner", "attribute", "verdict"),
    [
        (("builtins", "str"), "strip", Verdict.SAFE),
        (("builtins", "str"), "format", Verdict.REVIEW),
        (("sklearn.pipeline", "Pipeline"), "fit", Verdict.REVIEW),
        (("pandas", "DataFrame"), "mean", Verdict.REVIEW),
        (("pandas", "DataFrame"), "eval", Verdict.BLOCKED),
        (("pandas.core.frame", "DataFrame"), "to_pickle", Verdict.BLOCKED),
        (("mine", "Ratio"), "of", Verdict.REVIEW),
    ],
)
def test_an_attribute_is_judged_by_its_dotted_name(owner: tuple[str, str], attribute: str, verdict: Verdict) -> None:
    kept = MODEL + mapping("func", call("builtins", "getattr", name(*owner), text(attribute))) + b"b"
    assert judged(b"\x80\x04" + kept + b".").verdict is verdict
    assert judged(b"\x80\x04" + MODEL + mapping("func", name(owner[0], f"{owner[1]}.{attribute}")) + b"b.").verdict is (
        verdict
    )


NEW_INDEX = ("pandas.core.indexes.base", "_new_Index")
PARTS = b"}" + text("data") + EMPTY + b"s"
BYTES = call("pyarrow.lib", "py_buffer", data(bytes(16)))
LARGE = call("pyarrow.lib", "type_for_alias", text("large_string"))
NUMBERS = call("pyarrow.lib", "type_for_alias", text("int64"))


def arrow(kind: bytes, length: bytes, *buffers: bytes) -> bytes:
    parts = group(kind, length, number(0), number(0), items(*buffers), b"]", b"N")
    return call("pyarrow.lib", "_restore_array", parts)


def offsets(*places: int) -> bytes:
    return call("pyarrow.lib", "py_buffer", data(b"".join(place.to_bytes(8, "little") for place in places)))


DISTRIBUTION = name("scipy.stats._continuous_distns", "norm_gen") + b")\x81"
TWINS: dict[str, bytes] = {
    "a method that is called": SPLIT + group(text("a b")) + b"R",
    "a zone above its directory": call("zoneinfo", "ZoneInfo._unpickle", text("../../etc/passwd"), number(1)),
    "a zone that is read": call("zoneinfo", "ZoneInfo", text("Europe/Berlin")),
    "a zone of pytz elsewhere": call("pytz", "_p", text("/etc/passwd"), number(0), number(0), text("x")),
    "a file of dateutil": call("dateutil.tz.tz", "tzfile", text("/etc/passwd")),
    "a zone of another class": call("dateutil.tz._tzfile", "_unpickle", name("builtins", "int"), b"N", b"N", b")"),
    "an index of no index": call(*NEW_INDEX, name("numpy", "ndarray"), PARTS),
    "an index of other parts": call(*NEW_INDEX, name("pandas", "Index"), mapping("buffer", EMPTY)),
    "an index of a size": call(*NEW_INDEX, name("pandas", "Index"), mapping("data", HUGE)),
    "a block of a size": call("pandas._libs.internals", "_unpickle_block", HUGE, HUGE, number(2)),
    "a frame of values": call("pandas", "DataFrame", items(number(1))),
    "a frame by name": name("pandas", "DataFrame") + b")" + mapping("data", EMPTY) + b"\x92",
    "a range of a million": call("pandas", "RangeIndex", HUGE),
    "a manager of a size": call("pandas.core.internals.managers", "BlockManager", HUGE),
    "a packed array of no class": call("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked", text("x"), HUGE, b"N"),
    "an offset of an array": call("pandas._libs.tslibs.offsets", "Day", mapping("n", HUGE)),
    "a kept maker": MODEL + mapping("func", name("pandas.core.indexes.base", "_new_Index")) + b"b",
    "a partial of a maker": call("functools", "partial", name("pandas._libs.internals", "_unpickle_block")),
    "numbers beyond the buffer": arrow(NUMBERS, number(3), b"N", BYTES),
    "texts beyond the characters": arrow(LARGE, number(1), b"N", offsets(0, 99), BYTES),
    "texts that run back": arrow(LARGE, number(2), b"N", offsets(0, 9, 3), BYTES),
    "texts before the buffer": arrow(LARGE, number(1), b"N", offsets((1 << 64) - 8, 3), BYTES),
    "a buffer of a size": arrow(NUMBERS, number(1), b"N", call("pyarrow.lib", "py_buffer", HUGE)),
    "an array of a computed type": arrow(MODEL, number(0), b"N", BYTES),
    "a distribution's program": DISTRIBUTION
    + mapping("_parse_arg_template", text("\nimport os\nos.system('true')\n")) + b"b",
    "a distribution's program by pairs": DISTRIBUTION
    + items(group(text("_parse_arg_template"), text("import os"))) + b"b",
    "a distribution's program by a computed key": DISTRIBUTION + b"}"
    + call("builtins", "str", text("_parse_arg_template")) + text("import os") + b"sb",
    "a distribution's program by copyreg": call("copyreg", "__newobj__", DISTRIBUTION.removesuffix(b")\x81"))
    + mapping("_parse_arg_template", text("import os")) + b"b",
    "a distribution's program by an old copyreg": call(
        "copy_reg", "_reconstructor", DISTRIBUTION.removesuffix(b")\x81"), name("builtins", "object"), b"N"
    ) + mapping("_parse_arg_template", text("import os")) + b"b",
    "a calendar that calls": call("pandas._libs.tslibs.offsets", "CustomBusinessDay", number(1), b"\x89", MODEL),
    "a zone that calls": call("pandas._libs.tslibs.timestamps", "_unpickle_timestamp", number(1), b"N", MODEL),
    "a logger's handlers": call("logging", "getLogger") + mapping("handlers", items(MODEL)) + b"b",
    "a distribution's method": DISTRIBUTION + mapping("_entropy", name("numpy", "ndarray")) + b"b",
    "strings of a foreign kind": call("numpy._core._internal", "_convert_to_stringdtype_kwargs", b"\x88", MODEL),
    "a class made of a name": call("builtins", "type", text("x"), b")", b"}"),
    "a function that is called": call("builtins", "len", text("x")),
    "a logger of a model": call("logging", "getLogger", MODEL),
    "a pattern of a size": call("re", "_compile", HUGE, number(0)),
    "an alias of a model": call("types", "GenericAlias", MODEL, b")"),
    "numbers of a size": call("array", "array", text("d"), HUGE),
    "a vectorised maker": name("numpy", "vectorize") + b")\x81" + mapping("pyfunc", name("numpy", "ndarray")) + b"b",
    "a vectorised call": call("numpy", "vectorize", name("builtins", "len")),
    "an array of dill's of another maker": call(
        "dill._dill", "_create_array", name("builtins", "bytearray"), group(HUGE), b")", b"N"
    ),
    "a method that dill evaluates": call(
        "dill._dill", "_getattr", name("builtins", "str"), text("split"), text("<method 'a' of 'os.system(1)' objects>")
    ),
    "code by its type": call("dill._dill", "_load_type", text("CodeType")),
}  # fmt: skip


@pytest.mark.parametrize("title", TWINS)
def test_the_same_names_called_otherwise_are_told(title: str) -> None:
    found = judged(b"\x80\x04" + TWINS[title] + b".")
    assert found.verdict in UNSAFE, found


@pytest.mark.parametrize("inner", [evil("/nowhere"), call("builtins", "eval", text("1"))])
def test_what_stands_inside_a_frame_is_seen(inner: bytes) -> None:
    made = call("pandas._libs.internals", "_unpickle_block", inner, EMPTY, number(2))
    assert judged(b"\x80\x04" + made + b".").verdict is Verdict.BLOCKED


def partial_block(function: bytes, dimensions: bytes) -> bytes:
    """A block as pandas 1.3 makes it."""
    state = group(function, b")", mapping("ndim", dimensions), b"N")
    block = call("functools", "partial", function) + state + b"b"
    return block + group(EMPTY, call("builtins", "slice", number(0), number(1), number(1))) + b"R"


def test_blocks_as_pandas_1_3_makes_them_are_no_alarm() -> None:
    new_block = name("pandas.core.internals.blocks", "new_block")
    assert judged(b"\x80\x04" + partial_block(new_block, number(2)) + b".").verdict is Verdict.SAFE
    for odd in (partial_block(new_block, HUGE), partial_block(name("numpy", "add"), number(2))):
        assert judged(b"\x80\x04" + odd + b".").verdict in UNSAFE


def test_arrow_arrays_that_hold_what_they_say_are_no_alarm() -> None:
    for made in (arrow(NUMBERS, number(2), b"N", BYTES), arrow(LARGE, number(2), b"N", offsets(0, 3, 16), BYTES)):
        assert judged(b"\x80\x04" + made + b".").verdict is Verdict.SAFE


def test_what_dill_writes_for_a_plain_model_is_no_alarm() -> None:
    """As dill 0.4 spells them; it need not be installed."""
    kind = call("dill._dill", "_load_type", text("str"))
    method = call("dill._dill", "_getattr", kind, text("split"), text("<method 'split' of 'str' objects>"))
    array_state = group(
        number(1), group(number(2)), call("numpy", "dtype", text("f8"), b"\x89", b"\x88"), b"\x89", data(bytes(16))
    )
    start = group(name("numpy", "ndarray"), group(number(0)), data(b"b"))
    made = call("dill._dill", "_create_array", name("numpy._core.multiarray", "_reconstruct"), start, array_state, b"N")
    assert judged(b"\x80\x04" + items(method, made) + b".").verdict is Verdict.SAFE
    short = array_state.replace(data(bytes(16)), data(bytes(8)))
    made = call("dill._dill", "_create_array", name("numpy._core.multiarray", "_reconstruct"), start, short, b"N")
    assert judged(b"\x80\x04" + items(method, made) + b".").verdict is Verdict.BLOCKED
