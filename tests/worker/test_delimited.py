"""Text tables as people have them: each read right, or refused with its true cause and the line."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import math
import os
import pickle
import shlex
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.core.errors import Refusal
from backends.core.source import Source
from console.worker.child.data import delimited
from console.worker.child.data.delimited import Columns, read_delimited
from console.worker.child.data.json_lines import is_json_lines, read_json_lines
from console.worker.child.data.options import Knowledge, ReadOptions, options_from, say, say_ignore

FOUND, UNKNOWN = ReadOptions(), Knowledge()


def read(data: bytes, options: ReadOptions = FOUND, known: Knowledge = UNKNOWN, *, lines: bool = False) -> Columns:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        source = Source(file.fileno(), "data.csv")
        if lines:
            assert is_json_lines(source, options)
            return read_json_lines(source, options, known)
        return read_delimited(source, options, known)


def cells(found: Columns) -> dict[str, list[Any]]:
    return {name: column.tolist() for name, column in found.columns.items()}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a,b,c\n1,2,3,\n4,5,6,\n", {"a": [1, 4], "b": [2, 5], "c": [3, 6]}),
        (b"a,b,\n1,2,\n4,5,\n", {"a": [1, 4], "b": [2, 5]}),
        (b"0,1,2,3\n1.5,2,3,4\n5.5,6,7,8\n", {"0": [1.5, 5.5], "1": [2, 6], "2": [3, 7], "3": [4, 8]}),
        (b"Unnamed: 2,p,\n1,2,3\n4,5,6\n", {"Unnamed: 2": [1, 4], "p": [2, 5], "Unnamed: 2.1": [3, 6]}),
        (b",0,1\n0,1.5,2\n1,2.5,3\n", {"Unnamed: 0": [0, 1], "0": [1.5, 2.5], "1": [2, 3]}),
        (b"1.5,,2\n2.5,1,2\n", {"0": [1.5, 2.5], "1": [math.nan, 1.0], "2": [2, 2]}),
        (b"a;b\n1,5;2\n3,25;4\n", {"a": [1.5, 3.25], "b": [2, 4]}),
        (b"a;b\n1.234,5;2\n3,25;4\n", {"a": [1234.5, 3.25], "b": [2, 4]}),
        (b'a,b\n"1,5",2\n"2,25",3\n', {"a": [1.5, 2.25], "b": [2, 3]}),
        (b"sep=;\r\na;b\r\n1;2\r\n", {"a": [1], "b": [2]}),
        (b"# made by x\n# a b\n1 2\n3 4\n", {"a": [1, 3], "b": [2, 4]}),
        (b"# a comment, with commas\na,b\n1,2\n# and one more\n3,4\n", {"a": [1, 3], "b": [2, 4]}),
        (b"#id,b\n1,2\n", {"#id": [1], "b": [2]}),
        (b'# c\nn,t\n1,"x\n#y"\n# a, b, c\n2,z\n', {"n": [1, 2], "t": ["x\n#y", "z"]}),
        (b"t,n\n#x,1\ny,2\n", {"t": ["#x", "y"], "n": [1, 2]}),
        (b"n,m\n1,2\n#3,4\n5,6\n", {"n": [1, 5], "m": [2, 6]}),
        (b"\n\na,b\n\n1,2\n\n", {"a": [1], "b": [2]}),
        (b"a, b\n1, 2\n", {"a": [1], "b": [2]}),
        (b"a\tb\n1\tx y\n", {"a": [1], "b": ["x y"]}),
        (b"a|b\n1|2\n", {"a": [1], "b": [2]}),
        (b"a,b\r1,2\r3,4\r", {"a": [1, 3], "b": [2, 4]}),
        (b'a,b\n"x,y",2\n"two\nlines",3\n', {"a": ["x,y", "two\nlines"], "b": [2, 3]}),
        (b"red,1.5\nblue,2.5\n", {"0": ["red", "blue"], "1": [1.5, 2.5]}),
        (b"ok,n\nTrue,1\nFalse,2\n", {"ok": [True, False], "n": [1, 2]}),
        (b"a,b\n1e3,-inf\n.5,NaN\n", {"a": [1000.0, 0.5], "b": [-math.inf, math.nan]}),
        ("größe,ort\n1,Köln\n".encode("utf-8-sig"), {"größe": [1], "ort": ["Köln"]}),
        ("größe,ort\n1,Köln\n".encode("utf-16"), {"größe": [1], "ort": ["Köln"]}),
        ("größe,ort\n1,Köln\n".encode("utf-16-be"), {"größe": [1], "ort": ["Köln"]}),
        ("größe,ort\n1,Köln\n".encode("cp1252"), {"größe": [1], "ort": ["Köln"]}),
    ],
)
def test_what_the_file_shows_is_read(data: bytes, expected: dict[str, list[Any]]) -> None:
    assert repr(cells(read(data))) == repr(expected)


def members(**held: bytes) -> bytes:
    """A zip archive that holds these."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            archive.writestr(name, data)
    return file.getvalue()


def zipped(data: bytes) -> bytes:
    return members(**{"table.csv": data})


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zipped])
def test_compressed_tables(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"a,b\n" + b"1,2\n" * 5000)
    assert len(read(packed).columns["a"]) == 5000
    with pytest.raises(Refusal, match=r"^data\.csv cannot be (decompressed|read as npz or zip)"):
        read(packed[: len(packed) - 12])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"# only this\n", "holds only blank lines and comments"),
        (b"a,b\n", "has a header and no rows"),
        (b"a,b\n1,2\n3\n", "has 1 cells in line 3, where its header has 2: the line was cut short"),
        (
            b"a,b\n1,2\n3,4,5\n",
            "has 3 cells in line 3, where its header has 2: put a cell that holds the separator in quotes",
        ),
        (b'a,b\n"x\ny",2\n3,4,5\n', "line 4"),
        (b"a,b,c\n1,2,3,4\n5,6,7,8\n", "has 4 cells in line 2, where its header has 3"),
        (b"a,b\n1,2\na,b\n3,4\n", "repeats its header in line 3"),
        (b"a,b\n1,\0\n", "byte 0 at 6, line 2"),
        (b"a,b,a\n1,2,x\n", "two columns called 'a'"),
        (b"a,b\n1,\xff\x81\n", "neither UTF-8 nor cp1252"),
        (b"(\xb5/\xfdpacked", "zstd"),
        (b"\xef\xbb\xbfa,b\n1,\xff\n", "is not utf-8-sig, as its first bytes say"),
        (b"\xff\xfea\0,\0b\0\n\0\x00\xd8\n\0", "is not utf-16, as its first bytes say"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_line(data: bytes, says: str) -> None:
    with pytest.raises(Refusal, match=says) as caught:
        read(data)
    assert caught.value.code in ("bad-input", "no-rows")


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("12%", "percentages"),
        ("$5", "amounts with a currency"),
        ("5 EUR", "amounts with a currency"),
        ('"1,234,567"', "separators of thousands"),
        ('"1,234"', "may have a decimal comma"),
        ("1 234", "separators of thousands"),
        ("yes", "yes and no"),
        ("2024-02-30", "dates"),
        ("1_000", "digits apart"),
    ],
)
def test_what_is_no_number_is_named_by_its_kind(cell: str, kind: str) -> None:
    found = read(f"a;b\n1;x\n{cell};x\n".encode())
    assert kind in found.problems["a"]
    assert "line 3" in found.problems["a"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "is an old Excel file"),
        (b"SQLite format 3\0" + bytes(100), "is an SQLite database"),
        (b"%PDF-1.7\n", "is a PDF document"),
        (b"<!DOCTYPE html>\n<table>\n", "is HTML"),
        ('\ufeff<?xml version="1.0"?>\n<a/>\n'.encode(), "is XML"),
        (pickle.dumps({"a": [1]}), "is a pickle, which is never opened as data"),
        (pickle.dumps([1, 2], 0), "is a pickle"),
        (b"a.csv" + bytes(252) + b"ustar\0", "is a tar archive: unpack it first"),
        (b"1 1:0.5 3:2\n0 2:1\n", "is svmlight data"),
        (b"% x\n@relation r\n@data\n1,2\n", "is an ARFF file"),
        (gzip.compress(b"PAR1" + bytes(9)), "holds in its gzip what is a parquet file"),
        (members(**{"xl/workbook.xml": b"", "docProps/app.xml": b""}), "is an Excel workbook"),
        (members(**{"mimetype": b"", "content.xml": b""}), "is an OpenDocument file"),
        (members(**{"a.csv": b"1\n", "b.csv": b"1\n"}), "is a zip archive of 2 files"),
        (members(), "is a zip archive of 0 files"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_table_is_named_as_what_it_is(data: bytes, kind: str) -> None:
    with pytest.raises(Refusal, match=kind):
        read(data)


def test_what_a_desktop_puts_into_an_archive_is_passed_over() -> None:
    packed = members(**{"t/data.csv": b"a,b\n1,2\n", "__MACOSX/t/._data.csv": b"\0", "t/.DS_Store": b"\0"})
    assert cells(read(packed)) == {"a": [1], "b": [2]}
    assert cells(read(lzma.compress(b"a,b\n1,2\n", lzma.FORMAT_ALONE))) == {"a": [1], "b": [2]}


def test_the_recipe_decides_before_the_file() -> None:
    assert cells(read(b"1,5;2\n3,5;4\n", ReadOptions(sep=",", header=False)))["1"] == ["5;2", "5;4"]
    assert cells(read(b"a;b\n1,500;2\n", ReadOptions(decimal=",")))["a"] == [1.5]
    assert cells(read(b"1,2\n3,4\n", ReadOptions(header=True))) == {"1": [3], "2": [4]}
    assert repr(cells(read(b"a\n1\n-\n", ReadOptions(missing=("-",))))["a"]) == "[1.0, nan]"
    assert cells(read(b"a,b\n1,\xe9\n", ReadOptions(encoding="cp1251")))["b"] == ["й"]
    with pytest.raises(Refusal, match=r"is not utf-8, as read\.encoding \(--read encoding\) says"):
        read(b"a,b\n1,\xe9\n", ReadOptions(encoding="utf-8"))


@pytest.mark.parametrize("said", [{"encoding": "rot13"}, {"encoding": "u\0"}, {"sep": "\n"}, {"sep": '"'}, {"sep": ""}])
def test_options_that_cannot_be_are_refused(said: dict[str, str]) -> None:
    with pytest.raises(Refusal, match=r"is no encoding|the separator .* must be one|the separator cannot be"):
        options_from(said)


def test_the_model_decides_before_the_file() -> None:
    years = Knowledge(names=("2019", "2020"))
    assert cells(read(b"2019,2020\n1,2\n", known=years)) == {"2019": [1], "2020": [2]}
    towns = Knowledge(names=("zip", "n"), texts=frozenset({"zip"}))
    assert cells(read(b"zip,n\n01234,1\nNA,2\n,3\n", known=towns))["zip"] == ["01234", "NA", ""]
    gaps = Knowledge(("zip", "n"), frozenset({"zip"}), {"zip": frozenset({"None"})}, frozenset({"zip"}))
    assert repr(cells(read(b"zip,n\nNone,1\n,2\n", known=gaps))["zip"]) == "['None', nan]"


def test_numbers_before_text_are_read_as_text_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_FIRST_BLOCK", 1 << 10), ("_BLOCK", 1 << 11), ("_PLAIN_BLOCK", 1 << 12)):
        monkeypatch.setattr(delimited, name, size)
    rows = b"".join(b"%d,7\n" % number for number in range(3000))
    found = read(b"a,b\n" + rows + b"x,7\n")
    assert found.columns["a"][0] == "0"
    assert found.columns["a"][-1] == "x"
    assert found.columns["b"].dtype.kind == "i"
    assert found.problems == {"a": "text, first in line 3002"}


@given(
    st.lists(st.lists(st.floats(allow_nan=False), min_size=3, max_size=3), min_size=1, max_size=20),
    st.sampled_from([",", ";", "\t", "|"]),
    st.booleans(),
)
def test_numbers_come_back_as_they_were_written(rows: list[list[float]], sep: str, header: bool) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=sep)
    if header:
        writer.writerow(["first", "second", "third"])
    writer.writerows(rows)
    found = read(file.getvalue().encode())
    assert found.named == header
    assert [list(row) for row in zip(*(column.tolist() for column in found.columns.values()), strict=True)] == rows


@given(st.lists(st.tuples(st.text(min_size=1), st.integers(-(2**62), 2**62)), min_size=1, max_size=20))
def test_texts_come_back_as_they_were_written(rows: list[tuple[str, int]]) -> None:
    rows = [(text.replace("\0", ""), number) for text, number in rows]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([["text", "number"], *rows])
    known = Knowledge(names=("text", "number"), texts=frozenset({"text"}))
    found = read(file.getvalue().encode("utf-8", "surrogatepass"), ReadOptions(sep=","), known)
    assert list(zip(*(column.tolist() for column in found.columns.values()), strict=True)) == rows


def test_json_lines() -> None:
    assert cells(read(b'{"a": 1, "b": "x"}\n{"b": null, "a": 2.5}\n', lines=True))["a"] == [1.0, 2.5]
    assert cells(read(b"[1, 2]\n[3, 4]\n", lines=True)) == {"0": [1, 3], "1": [2, 4]}
    assert cells(read(b'[\n {"a": true},\n {"a": false}\n]\n', lines=True)) == {"a": [True, False]}
    for data, says in (
        (b'{"a": 1}\n{"b": 1}\n', "lacks 'a' in line 2"),
        (b'{"a": 1}\n{"a": 1, "b": 2}\n', "other columns than the first row, such as 'b', in line 2"),
        (b'{"a": 1}\n{"a": \n', "is no JSON in line 2"),
        (b'{"a": [1]}\n', "nested value in 'a', line 1"),
        (b'{"a": 1}\n7\n', "no object and no array in line 2"),
    ):
        with pytest.raises(Refusal, match=says):
            read(data, lines=True)


def test_a_packed_table_may_not_unpack_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.worker.child.data.text.BYTES_CAP", 1 << 20)
    with pytest.raises(Refusal, match="unpacks to more than"):
        read(gzip.compress(b"1,2\n" * (1 << 20)))


def test_descriptors_are_given_back() -> None:
    before = len(os.listdir("/proc/self/fd"))
    read(gzip.compress(b"a,b\n1,2\n"))
    read(zipped(b"a,b\n1,2\n"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_packed_json_lines_are_json_lines() -> None:
    packed = gzip.compress(b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n')
    assert cells(read(packed, lines=True)) == {"a": [1, 2], "b": ["x", "y"]}


def test_numbers_that_stand_for_a_missing_value_are_missing_however_they_are_spelled() -> None:
    found = cells(read(b"a,b\n1,-999\n-999,2.5\n3,-999.0\n", ReadOptions(missing=("-999",))))
    assert repr(found) == "{'a': [1.0, nan, 3.0], 'b': [nan, 2.5, nan]}"
    comma = cells(read(b"a;b\n1,5;-9\n-9;2\n", ReadOptions(missing=("-9",), decimal=",")))
    assert repr(comma) == "{'a': [1.5, nan], 'b': [nan, 2.0]}"
    long = b"a,b\n" + b"1,2\n" * 300_000 + b"-999,2\n"
    assert math.isnan(read(long, ReadOptions(missing=("-999",))).columns["a"][-1])


def test_what_the_recipe_calls_missing_is_so_though_the_model_knows_it_as_a_category() -> None:
    towns = Knowledge(names=("t", "n"), texts=frozenset({"t"}), categories={"t": frozenset({"NA", "Bern"})})
    assert cells(read(b"t,n\nNA,1\nBern,2\n", known=towns))["t"] == ["NA", "Bern"]
    said = cells(read(b"t,n\nNA,1\nBern,2\n", ReadOptions(missing=("Bern",)), towns))["t"]
    assert repr(said) == "['NA', nan]"


def test_a_number_beside_signs_that_are_not_seen_is_a_number() -> None:
    assert cells(read("a,b\n1,\u00a05\n2,6\u2009\n".encode())) == {"a": [1, 2], "b": [5.0, 6.0]}


def test_a_point_behind_a_zero_is_no_separator_of_thousands() -> None:
    assert cells(read(b"a;b\n1,5;0.123\n2,5;-0.456\n", ReadOptions(decimal=","))) == {
        "a": [1.5, 2.5],
        "b": [0.123, -0.456],
    }
    assert "points between their thousands" in read(b"a;b\n1.234.567;1\n5;2\n").problems["a"]


def test_what_helps_is_written_so_that_the_recipe_and_the_command_line_take_it() -> None:
    for value in ("\\N", "-", 'a"b', "it's", "n/a", "NaT", "true"):
        recipe, command = say("missing", value).split(" in the recipe, or --read ")
        assert tomllib.loads(recipe.removeprefix("say [data] "))["read"]["missing"] == [value]
        assert shlex.split(command) == [f"missing={value}"]
    assert say("sep", "\t") == r"""say [data] read.sep = "\t" in the recipe, or --read sep='\t'"""
    assert say_ignore(["a", "it's"]) == """[data] ignore = ["a", "it's"] or --ignore 'a' --ignore 'it'"'"'s'"""


def test_a_byte_that_is_none_of_the_texts_encoding_makes_no_other_encoding_of_it() -> None:
    data = "a,b\n1,Zürich\n2,Köln\n".encode() + b"3,Z\xfcrich\n"
    with pytest.raises(Refusal, match=r"is UTF-8 but for some bytes, first in line 4: .*--read encoding=cp1252"):
        read(data)
    assert cells(read(data, ReadOptions(encoding="cp1252")))["b"] == ["ZÃ¼rich", "KÃ¶ln", "Zürich"]
    assert cells(read("a,b\n1,Zürich\n2,Köln\n".encode("cp1252")))["b"] == ["Zürich", "Köln"]


@pytest.mark.parametrize("rows", [1, 200_000])
def test_joined_files_are_one_table_or_refused_for_the_header_between_them(rows: int) -> None:
    bare = b"\xef\xbb\xbf" + b"1,x\n" * rows
    assert cells(read(bare * 2)) == {"0": [1] * 2 * rows, "1": ["x"] * 2 * rows}
    headed = b"\xef\xbb\xbfa,b\n" + b"1,x\n" * rows
    with pytest.raises(Refusal, match=f"repeats its header in line {rows + 2}"):
        read(headed * 2)
    for other in (b"b,a\nx,1\n", b"b,a\n1,2\n"):
        with pytest.raises(Refusal, match=f"has its header once more in line {rows + 2}, in another order"):
            read(headed + other)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("a,b\n1,2,3\n4,5,6\n", r"in quotes; if the first column holds names of rows, .*--ignore 'row'$"),
        ('"a" "b"\n"1" 2 3\n"2" 5 6\n"3" 7 8\n', "has 3 cells in line 2, where its header has 2: .*names of rows"),
        ("   a  b\n0  1  2\n1  3  4\n", "names of rows"),
        ("a,b\n1,2\n\n(1 row affected)\n", "line 4, .* is no row .a total, another table.: complete or remove it$"),
        ("a;b,c\n1;2,5\n3;4,5\n5\n", "or remove it$"),
        (" a | b \n---+---\n 1 | 2 \n(1 row)\n", "SQL clients print it"),
        ("+---+---+\n| a | b |\n+---+---+\n| 1 | 2 |\n", "SQL clients print it"),
        ("a,b\n---,---\n1,2\n", "SQL clients print it"),
    ],
)
def test_lines_of_other_widths_are_told_by_what_makes_them(data: str, says: str) -> None:
    with pytest.raises(Refusal, match=says):
        read(data.encode())


def test_a_separator_is_advised_where_it_cuts_all_lines_alike() -> None:
    data = b"a;b\n1;2,5\n3;4,5\n"
    with pytest.raises(Refusal, match=r"another separator is meant, say .* --read sep=';'$"):
        read(data, ReadOptions(sep=","))
    assert cells(read(data, ReadOptions(sep=";"))) == {"a": [1, 3], "b": [2.5, 4.5]}


def test_a_header_below_other_lines_is_named_where_the_model_knows_it() -> None:
    known = Knowledge(names=("a", "b", "c"))
    for above, line in (("Report,of,May\n", 2), (",,\n,,\n", 3), ("x,y,y\n", 2), ("One\nTwo\n\n", 4)):
        with pytest.raises(Refusal, match=f"names of the model's columns in line {line}, below others"):
            read(f"{above}a,b,c\n1,2,3\n4,5,6\n".encode(), known=known)


def test_what_is_called_missing_is_so_in_json_lines_too() -> None:
    found = read(b'{"a": 1, "b": "?"}\n{"a": -999.0, "b": "x"}\n', ReadOptions(missing=("-999", "?")), lines=True)
    assert repr(cells(found)) == "{'a': [1.0, nan], 'b': [nan, 'x']}"
    with pytest.raises(Refusal, match="is no JSON in line 1, which is a comment: remove it"):
        read(b'// made by x\n{"a": 1}\n', lines=True)
