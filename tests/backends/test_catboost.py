"""CatBoost's files: facts, answers, and what is never given to CatBoost."""

from __future__ import annotations

import os
import pickle
import random
import struct
from collections.abc import Callable

import catboost
import numpy as np
import pandas as pd
import pytest

from backends.core import registry
from backends.core.errors import ArtifactError, Damaged, NotLoadable
from backends.core.source import MemorySource, Part
from backends.formats.catboost.core import Core, Table
from backends.formats.catboost.walk import walk
from tests.backends.catboost_files import KINDS, NUMBERS, X, bytes_of, fitted, rows, saved


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_catboost_does(kind: str) -> None:
    found = registry.inspect(MemorySource(saved(kind), "m.cbm"))
    assert (found.format, found.complete, found.loadable, found.findings) == ("catboost", True, True, ())
    loaded = registry.load(MemorySource(saved(kind)), "catboost")
    model = registry.named("catboost").model(loaded)
    unpickled = pickle.loads(pickle.dumps(fitted(kind)))
    assert found.model_class == model.model_class
    for method in ("predict", *(["predict_proba"] if hasattr(unpickled, "predict_proba") else [])):
        expected = getattr(unpickled, method)(rows(kind))
        assert np.array_equal(np.ravel(model.call(method, rows(kind))), np.ravel(expected))


def test_the_facts() -> None:
    found = registry.inspect(MemorySource(saved("categories"), "m.cbm"))
    assert found.summary == "GBDT 4 trees · Logloss"
    assert found.model_class == "catboost.core.CatBoostClassifier"
    assert found.library_versions == {"catboost": catboost.__version__}
    assert (found.signature.feature_names, found.signature.texts) == (tuple(X), ("town", "size"))
    assert found.signature.classes == (0, 1)
    assert found.parameters["iterations"] == 4
    model = fitted("categories")
    assert (found.details["trees"], found.details["leaves"]) == (model.tree_count_, len(model.get_leaf_values()))
    assert found.details["columns"] == {"number": 4, "category": 2}
    early = registry.inspect(MemorySource(saved("early stopped"), "m.cbm"))
    assert early.details["best_iteration"] == fitted("early stopped").best_iteration_


def at(kind: str, field: int, element: int = 0, size: int = 4) -> int:
    """The place in a file of an element of the trees' vector in this field."""
    vector = trees(kind).vector(field, size)
    assert vector is not None
    return 8 + vector.start + size * (element % vector.length)


def trees(kind: str) -> Table:
    data = saved(kind)
    found = Core(Part(MemorySource(data), 8, int.from_bytes(data[4:8], "little"))).root().table(1)
    assert found is not None
    return found


def changed(kind: str, place: int, form: str, *values: int) -> Callable[[], bytes]:
    """The file with these numbers at a place."""
    data = bytearray(saved(kind))
    struct.pack_into("<" + form, data, place, *values)
    return lambda: bytes(data)


def table_of_statistics(data: bytes) -> int:
    """The place of the first table of statistics."""
    return 8 + int.from_bytes(data[4:8], "little") + 8


def in_statistics(field: int, size: int) -> tuple[int, int]:
    """The place of a vector of the first table of statistics, and its length."""
    data = saved("combinations")
    start = table_of_statistics(data)
    vector = Core(Part(MemorySource(data), start, len(data))).root().vector(field, size)
    assert vector is not None
    return start + vector.start, vector.length


def full_table() -> bytes:
    """Statistics without an empty place, among which CatBoost would search for ever."""
    place, length = in_statistics(1, 1)
    data = bytearray(saved("combinations"))
    for bucket in range(place, place + length, 12):
        struct.pack_into("<QI", data, bucket, bucket, 0)
    return bytes(data)


def row_outside() -> bytes:
    """A category whose statistics lie behind the table."""
    place, length = in_statistics(1, 1)
    data = bytearray(saved("combinations"))
    for bucket in range(place, place + length, 12):
        if data[bucket : bucket + 8] != b"\xff" * 8:
            struct.pack_into("<I", data, bucket + 8, 1_000_000)
    return bytes(data)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a split that is not there": changed("binary", at("binary", 1), "i", 1_000_000),
    "a split below all": changed("binary", at("binary", 1), "i", -1),
    "a tree of 31 levels": changed("binary", at("binary", 2), "i", 31),
    "a tree elsewhere": changed("binary", at("binary", 3), "i", 1 << 20),
    "fewer values than leaves": changed("binary", at("binary", 8, size=8) - 4, "I", 1),
    "more values than the file": changed("binary", at("binary", 8, size=8) - 4, "I", 0x7FFFFFFF),
    "other splits for speed": changed("binary", at("binary", 17), "H", 0xFFFF),
    "a step out of its tree": changed("by leaves", at("by leaves", 10), "HH", 0xFFFF, 0xFFFF),
    "a step to where another leads": changed("by leaves", at("by leaves", 10), "HH", 1, 1),
    "a leaf without a value": changed("by leaves", at("by leaves", 11, -1), "I", 0x7FFFFFFF),
    "a row of statistics outside": row_outside,
    "statistics without an end": full_table,
    "statistics of another size": changed("combinations", in_statistics(1, 1)[0] - 4, "I", 12 * 3),
    "a table beyond the file": changed("combinations", table_of_statistics(saved("combinations")) - 4, "I", 1 << 30),
    "a core beyond the file": changed("binary", 4, "I", 0xFFFFFFFF),
    "another root": changed("binary", 8, "I", 0xFFFFFFF0),
    "cut off": lambda: saved("categories")[:-100],
    "more behind its end": lambda: saved("binary") + b"PK\5\6" + bytes(18),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_broken_files_are_not_given_to_catboost(what: str) -> None:
    data = HOSTILE[what]()
    with pytest.raises(Damaged):
        registry.inspect(MemorySource(data, "m.cbm"))
    with pytest.raises(Damaged):
        registry.load(MemorySource(data), "catboost")


def test_what_is_not_checked_is_told_and_not_run() -> None:
    texts = pd.DataFrame({"a": NUMBERS["n0"], "t": ["red green", "blue"] * 100})
    made = catboost.CatBoostClassifier(iterations=2, depth=2, verbose=0, allow_writing_files=False, text_features=["t"])
    data = bytes_of(made.fit(texts, [0, 1] * 100))
    found = registry.inspect(MemorySource(data, "m.cbm"))
    assert (found.complete, found.loadable, [one.code for one in found.findings]) == (False, False, ["unknown-field"])
    assert found.details["feature_types"] == {"a": "number", "t": "text"}
    with pytest.raises(NotLoadable, match="texts"):
        registry.load(MemorySource(data), "catboost")


def mutated(draw: random.Random) -> tuple[str, bytes]:
    """A file with a few of its numbers changed."""
    kind = draw.choice(["categories", "combinations", "by leaves", "binary"])
    data = bytearray(saved(kind))
    core = int.from_bytes(data[4:8], "little")
    for _ in range(draw.randrange(1, 4)):
        place = draw.randrange(8, len(data) - 8) & ~3
        if draw.random() < 0.5:
            place = draw.randrange(8 + core * 3 // 4, len(data) - 8) & ~3
        value = draw.choice([0, 1, 2, 255, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, draw.getrandbits(32), draw.getrandbits(8)])
        struct.pack_into("<I", data, place, value)
    return kind, bytes(data)


@pytest.mark.slow
def test_what_is_let_in_does_not_take_catboost_down() -> None:
    draw, accepted = random.Random(5), 0
    for _ in range(1500):
        kind, data = mutated(draw)
        try:
            if walk(MemorySource(data)).unchecked is not None:
                continue
        except ArtifactError:
            continue
        accepted += 1
        child = os.fork()
        if child == 0:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            try:
                catboost.CatBoost().load_model(blob=data).predict(rows(kind), thread_count=1)
            finally:
                os._exit(0)
        _pid, status = os.waitpid(child, 0)
        assert not os.WIFSIGNALED(status), data
    assert accepted > 100
