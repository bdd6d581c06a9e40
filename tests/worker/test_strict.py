from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from backends.core.inspection import ArrayInfo, Finding, GlobalRef, Inspection, ModelEntry, Signature
from console.worker.child.inspect import ITEMS_CAP, as_json
from console.worker.decode_records import Malformed, inspection_from

WHOLE = Inspection(
    "joblib",
    "zlib",
    "a.B",
    (GlobalRef("a", "B", 3, True),),
    {"sklearn": "1.9.1"},
    {"C": 1.0, "deep": {"list": [1, None, "x"]}},
    Signature(2, ("x", "y"), 1, (0, "b")),
    (ModelEntry("[0]", "a.B", {"C": 1.0}, "1.9.1", ("s",)),),
    (ArrayInfo("coef_", (1, 2), "<f8", 16),),
    3,
    True,
    False,
    (Finding("code", "detail", None),),
    {"layers": []},
)


def sent(inspection: Inspection) -> Any:
    return json.loads(json.dumps(as_json(inspection), allow_nan=False))


def test_there_and_back() -> None:
    assert inspection_from(sent(WHOLE)) == WHOLE
    assert inspection_from(sent(Inspection("npy"))) == Inspection("npy")


def test_numbers_that_json_has_not_become_their_names() -> None:
    found = inspection_from(sent(Inspection("pickle", parameters={"missing": float("nan"), "big": 10**30})))
    assert found.parameters == {"missing": "nan", "big": str(10**30)}


def test_long_lists_are_cut_and_counted() -> None:
    arrays = tuple(ArrayInfo(f"a{index}", (), "<f8", 8) for index in range(ITEMS_CAP + 5))
    found = inspection_from(sent(Inspection("npz", arrays=arrays)))
    assert len(found.arrays) == ITEMS_CAP
    assert found.details["left_out"] == {"arrays": 5}


def changed(path: list[Any], value: Any) -> Any:
    whole = copy.deepcopy(sent(WHOLE))
    place = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return whole


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["format"], None),
        (["format"], 3),
        (["complete"], 1),
        (["n_weights"], "3"),
        (["n_weights"], True),
        (["names"], {}),
        (["names", 0, "offset"], 1.5),
        (["names", 0, "extra"], 1),
        (["arrays", 0], []),
        (["arrays", 0, "shape"], [1, "2"]),
        (["library_versions"], {"sklearn": 1}),
        (["signature"], None),
        (["signature", "feature_names"], "xy"),
        (["parameters"], []),
        (["unknown"], 1),
    ],
)
def test_a_lie_is_refused(path: list[Any], value: Any) -> None:
    with pytest.raises(Malformed):
        inspection_from(changed(path, value))


def test_nesting_is_bounded() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    with pytest.raises(Malformed, match="deeply"):
        inspection_from(changed(["details"], {"x": deep}))
    nothings: tuple[Any, ...] = (None, [], "x", 3)
    for nothing in nothings:
        with pytest.raises(Malformed):
            inspection_from(nothing)
