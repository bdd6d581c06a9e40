"""A pickle is recognised as unpicklers read it, not as picklers write it, wherever it stands; a text is none."""

from __future__ import annotations

import io
import pickle
import random
import sysconfig
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.core import registry
from backends.core.errors import Unsupported
from backends.core.inspection import Inspection
from backends.core.source import MemorySource, Source
from backends.formats.pickle import probe as pickle_probe
from backends.formats.pickle.heads import looks_like_pickle
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests import hostile
from tests.fuzzing.campaign import faults
from tests.fuzzing.spellings import spelled
from tests.fuzzing.trials import Trials
from tests.fuzzing.wrappings import WRAPPINGS

OLD = b"cos\nsystem\n(Vtouch x\ntR."
NEW = b"\x8c\x02os\x8c\x06system\x93\x8c\x07touch x\x85R."
HEADS = {
    "no protocol mark": NEW,
    "an integer with a sign": b"I+1\n0" + OLD,
    "an integer with spaces": b"I 1 \n" + OLD,
    "a long line of spaces": b"I" + b" " * 70_000 + b"1\n" + OLD,
    "an octal integer of strtol": b"I010\n" + OLD,
    "an integer of another base": b"I0x10\n" + OLD,
    "an integer up to a NUL": b"I1\0junk\n" + OLD,
    "a bool": b"I01\n" + OLD,
    "a long with underscores": b"L1_0L\n" + OLD,
    "a long without its L": b"L1\n" + OLD,
    "a float with underscores": b"F1_0.5\n" + OLD,
    "a float up to a NUL": b"F1\0\n" + OLD,
    "a memo index with a sign": b"Np+5\n" + OLD,
    "a memo index with zeros": b"Np5\ng05\n" + OLD,
    "escapes in a string": b'S"\\x41"\n' + OLD,
    "a string of Latin-1": b"S'\xe9'\n" + OLD,
    "escapes in a text": b"V\\u0041\n" + OLD,
    "a long text": b"V" + b"x" * 5000 + b"\n" + OLD,
    "a persistent id": b"Psome id\n" + OLD,
    "marks": b"(" * 5000 + OLD,
    "more marks than a walk follows": b"(" * 20_000 + OLD,
    "a mark that POP takes": b"(0" + OLD,
    "None": b"N0" + OLD,
    "a frame": b"\x95\x05\0\0\0\0\0\0\0" + OLD,
    "a protocol mark in the middle": b"N\x80\x05" + OLD,
    "a set": b"\x8f" + OLD,
    "a buffer": b"\x97" + OLD,
    "a float of bytes": b"G12345678" + OLD,
    "a pickle before it": b"N." + OLD,
    "junk behind the call": OLD[:-1] + b"\xff\xff\xff",
    "text behind the call": OLD[:-1] + b"and so on\n",
    "junk behind the name": b"cos\nsystem\n\xff",
    "nothing behind the name": b"cos\nsystem\n",
    "a line without its end": b"cos\nsystem",
    "a protocol that does not exist behind the name": b"cos\nsystem\n\x80\x09",
    "an instance": b"(Vtouch x\nios\nsystem\n.",
    "an instance without its mark": b"ios\nsystem\n",
    "a number of the registry": b"\x82\x01(Vx\ntR.",
    "a number of the registry in a frame that goes on to the end": b"\x95\x07\0\0\0\0\0\0\0K\x01\x82\xf00.\xff",
    "a number of the registry, given state, and NULs": b"\x95\x08\0\0\0\0\0\0\0\x82\xf0}b.\0\0\0",
    "a number of the registry behind a pickle": b"N.\x82\xf0(Vx\ntR.",
    "a start like that of bzip2": b"BZh1\0" + bytes(0x31685A) + OLD,
    "a name of Python 2": b"c__builtin__\neval\n(V1\ntR.",
}


def inspected(data: bytes, name: str = "model.bin") -> Inspection:
    return registry.inspect(MemorySource(data, name))


@pytest.mark.parametrize("title", HEADS)
def test_a_spelling_that_no_pickler_writes_is_a_pickle_all_the_same(title: str) -> None:
    data = HEADS[title]
    found = inspected(data)
    assert found.format == "pickle"
    assert judge(found, Policy()).verdict is Verdict.BLOCKED
    assert registry.may_hold_model(data[:4096], len(data))
    assert registry.identify(MemorySource(data)).name == "pickle"


@pytest.mark.parametrize("title", [title for title, data in HEADS.items() if len(data) < 10_000])
def test_it_is_found_wherever_it_is_hidden(title: str) -> None:
    for wrapping, (name, wrap) in WRAPPINGS.items():
        found = inspected(wrap(HEADS[title]), name)
        assert judge(found, Policy()).verdict is Verdict.BLOCKED, wrapping
        named = {str(use) for use in found.names} & {"os.system", "os.syste", "__builtin__.eval"}
        assert named or "registry" in title, wrapping


UNKNOWN = {
    "called": b"cevil\nrun\n(tR.",
    "given back": b"cevil\nrun\n.",
    "no text": b"cevil\nrun\n\xff\xfe\0",
    "letters of other languages": "cmöd\nfün\n)R.".encode(),
}


@pytest.mark.parametrize("title", UNKNOWN)
def test_a_name_that_nobody_knows_makes_a_pickle_where_it_is_used_or_the_file_is_no_text(title: str) -> None:
    found = inspected(UNKNOWN[title])
    assert found.format == "pickle"
    assert judge(found, Policy()).verdict is not Verdict.SAFE


@pytest.mark.parametrize("title", WRAPPINGS)
def test_a_name_that_nobody_knows_is_told_where_only_the_rest_of_a_long_file_is_no_text(title: str) -> None:
    name, wrap = WRAPPINGS[title]
    found = inspected(wrap(b"ipkg\nClass.method\n}RV" + b"x" * 5000 + b"\n\x82\xf00\x80\x09"), name)
    assert "pkg.Class.method" in {str(use) for use in found.names}


TEXTS = {
    "release notes": b"GIT v1.5.2.1 Release Notes\n==========================\n",
    "words": b"cat\ndog\ncow\npig\n",
    "a column": b"country\nFrance\nSpain\n",
    "a column of numbers": b"count\n12\n15\n",
    "a column called like a module": b"cos\n0.1\n0.2\n",
    "functions of a module": b"cos\nsin\ntan\n",
    "a copyright": b"(c) Copyright 2020\nor\nthe\n",
    "a licence": b"The MIT License\n" * 400,
    "a heading": b"changelog\n=========\n.. _start:\n",
    "a class": b"class Foo:\n    pass\n",
    "a remark": b"(in this case\nfoo\n",
    "names": b"Vadim\nVal\nVan\n" * 20,
    "a list of files": b"PyYAML-6.0.dist-info/METADATA,sha256=x,1\n" * 7 + b"_yaml/x,\n",
    "Shift JIS": ("あい。うえ\nこ" * 50).encode("shift-jis"),
    "a script": b"import os\nimport sys\n",
    "a long line": b"const x = 1;" * 4_000,
    "a picture": b"P5\n10 10\n255\n" + bytes(range(100)),
    "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a bitmap": b"BM\x36\x10\0\0\0\0\0\0" + bytes(4096),
}


@pytest.mark.parametrize("title", TEXTS)
def test_an_ordinary_file_is_no_pickle(title: str) -> None:
    with pytest.raises(Unsupported, match=r"no known model format|not a model"):
        inspected(TEXTS[title])
    hidden = {"bytes in a pickle", "an opaque attribute", "a dataset of bytes", "a Keras asset"}
    for wrapping in hidden:
        name, wrap = WRAPPINGS[wrapping]
        assert judge(inspected(wrap(TEXTS[title]), name), Policy()).verdict is Verdict.SAFE, wrapping


def test_no_ordinary_file_of_this_interpreter_is_taken_for_a_pickle() -> None:
    kinds = (
        ".py",
        ".txt",
        ".so",
        ".json",
        ".csv",
        ".png",
        ".gif",
        ".html",
        ".c",
        ".h",
        ".toml",
        ".zip",
        ".md",
        ".rst",
        "",
    )
    looked_at = 0
    for root in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")):
        for path in Path(root).rglob("*"):
            if looked_at % 1000 == 999:
                break
            if path.suffix in kinds and path.is_file():
                with path.open("rb") as file:
                    source = Source(file.fileno(), path.name)
                    taken = pickle_probe.is_pickle(source) or looks_like_pickle(source.read(0, 4096))
                assert not taken, path
                looked_at += 1
    assert looked_at > 900


def test_the_names_of_inner_pickles_say_where_they_stand() -> None:
    inner = pickle.dumps([zlib.compress(OLD)], 4)
    use = next(use for use in inspected(pickle.dumps({"a": inner}, 4)).names if str(use) == "os.system")
    assert use.place.startswith("bytes at ")
    assert use.place.count("bytes at") == 2


def test_pickles_in_pickles_are_followed_to_a_depth() -> None:
    data = OLD
    for _ in range(9):
        data = pickle.dumps([data], 4)
    found = inspected(data)
    assert "limit" in {each.code for each in found.findings}
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


def test_an_array_of_joblib_whose_bytes_are_opcodes_to_other_unpicklers_is_told() -> None:
    data = hostile.wrapper(b"K" + bytes((len(OLD),)) + b"\x85", hostile.dtype("V1"), b"", b"b") + OLD + b"."
    found = inspected(b"\x80\x04" + data)
    assert found.format == "joblib"
    assert "os.system" in {str(use) for use in found.names}
    assert judge(found, Policy()).verdict is Verdict.BLOCKED
    file = io.BytesIO()
    joblib.dump(np.frombuffer(b"cat\ndog\n" * 9, "u1"), file)
    assert judge(inspected(file.getvalue()), Policy()).verdict is Verdict.SAFE


def test_names_behind_a_tuple_that_would_never_end_are_told() -> None:
    data = b"(t" + b"2\x86" * 40 + b"0" + OLD
    found = inspected(b"\x80\x04" + data)
    assert "exponential" in {each.code for each in found.findings}
    assert "os.system" in {str(use) for use in found.names}


WRAPPER = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81"
MISUSED = {
    "an argument of an instance": b"NN(" + WRAPPER + b"inumpy\ndtype\n\x87",
    "an argument of an object": b"NN(cnumpy\ndtype\n" + WRAPPER + b"o\x87",
    "read again": hostile.wrapper(b")", hostile.dtype("u1")).replace(b")\x81", b")\x81\x94", 1) + b"\0h\0\x86",
}


@pytest.mark.parametrize("title", MISUSED)
def test_names_behind_the_misused_wrapper_of_an_array_are_told(title: str) -> None:
    found = inspected(b"\x80\x04" + MISUSED[title] + b"0" + OLD)
    assert "raw-span" in {each.code for each in found.findings}
    assert "os.system" in {str(use) for use in found.names}
    behind = inspected(b"\x80\x04" + MISUSED[title] + b"0N." + b"\x82\xf0(Vx\ntR.")
    assert "extension-registry" in {each.code for each in behind.findings}


@settings(max_examples=60, derandomize=True)
@given(seed=st.integers(0, 1 << 32))
def spelled_streams_are_pickles(trials: Trials, seed: int) -> None:
    data = spelled(random.Random(seed))
    assert faults(trials.run(data), data) == [], data


def test_every_name_that_an_unpickler_reaches_is_told() -> None:
    with Trials(coverage=False) as trials:
        spelled_streams_are_pickles(trials)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_name_that_an_unpickler_reaches_is_told_in_every_wrapping() -> None:
    with Trials(coverage=False, everywhere=True) as trials:
        for seed in range(3000):
            data = spelled(random.Random(seed))
            assert faults(trials.run(data), data) == [], data


def test_a_long_table_whose_lines_begin_like_names_is_no_pickle() -> None:
    table = "".join(f"chr{line % 22}\t{line}\t{line + 100}\tgene{line}\t+\n" for line in range(25_000))
    with pytest.raises(Unsupported, match="a table as text"):
        inspected(table.encode(), "sites.bed")
    with pytest.raises(Unsupported):
        inspected(table.encode() + b"N.\n", "sites.bed")
