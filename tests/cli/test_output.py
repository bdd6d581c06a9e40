"""Text for people is aligned and harmless; errors have one shape."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from console.cli import explained
from console.cli.json_shapes import quantiles
from console.cli.output import Output, columns, size_words
from console.errors import InputError, OperationError
from console.records import Claim, Difference, ExceptionInfo, Explanation, Failure, Frame, Verdict
from console.safe_text import as_ascii, in_utf8, safe

FAILURE = Failure(
    id=1,
    when=0.0,
    artifact="a.pkl",
    phase="predict",
    code="raised",
    message="bad\x1b]52;c;aGk=\x07",
    type="ValueError",
    chain=(
        ExceptionInfo("KeyError", "'first'"),
        ExceptionInfo("ValueError", "bad", (Frame("m.py", 3, "predict", "raise ValueError('bad')"),)),
    ),
    stderr="last words\x1b[2J",
)


def test_columns_are_aligned_at_both_sides() -> None:
    assert list(columns(("NAME", "SIZE"), [("a", "10K"), ("long", "1.0M")], right=("SIZE",))) == [
        "NAME  SIZE",
        "a      10K",
        "long  1.0M",
    ]


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0B"), (999, "999B"), (1000, "1.0K"), (4096, "4.0K"), (10_000_000, "9.5M"), (None, "")]
)
def test_sizes_are_short(count: int | None, words: str) -> None:
    assert size_words(count) == words


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_and_what_it_is_about_are_two_words(verdict: Verdict) -> None:
    told = list(explained.lines(Explanation("x", (Claim("code", verdict, "no known format"),))))
    assert told[2].split() == [verdict.value, "no", "known", "format"]


def test_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Output().data([], lambda: columns(("PATH",), [("x\x1b[31m\u202e\udcff\n.pkl",)]))
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2
    assert not {"\x1b", "\u202e", "\udcff"} & set(out)


def test_a_byte_that_is_no_utf8_reads_as_a_byte_wherever_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"a\xff\x80.pkl")
    assert safe(name) == r"a\xff\x80.pkl"
    assert in_utf8(name + "\ud800é") == rb"a\xff\x80.pkl\ud800" + "é".encode()
    assert as_ascii(name + "é…") == r"a\xff\x80.pkl\xe9.."
    Output().lines([name])
    Output().say(name)
    told = capsys.readouterr()
    assert told.out == told.err == "a\\xff\\x80.pkl\n"
    Output(as_json=True).data({"path": name}, list)
    assert os.fsencode(json.loads(capsys.readouterr().out)["path"]) == b"a\xff\x80.pkl"


def test_json_escapes_what_is_not_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).data({"path": "\udcff\x1b\u202e"}, list)
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out) == {"path": "\udcff\x1b\u202e"}


def test_an_error_carries_the_traceback_of_the_child(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).error(
        OperationError("it failed", hint="try", failure=replace(FAILURE, warnings=("UserWarning: careful",)))
    )
    error = json.loads(capsys.readouterr().out)["error"]
    assert error == {
        "code": "raised",
        "message": "it failed",
        "phase": "predict",
        "type": "ValueError",
        "traceback": [{"file": "m.py", "line": 3, "function": "predict", "text": "raise ValueError('bad')"}],
        "exit": None,
        "output": FAILURE.stderr,
        "hint": "try",
        "differences": [],
        "warnings": ["UserWarning: careful"],
    }


def test_columns_that_do_not_fit_are_told_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    town = Difference("town", "missing", "text", None)
    others = (Difference(f"c\x1b{at}", "type", "number", "dates") for at in range(30))
    failure = Failure(1, 0.0, "a.pkl", "open_data", "columns", "no fit", differences=(town, *others), differing=300)
    refused = InputError("it does not fit", failure=failure)
    Output().error(refused)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["column", "problem", "expected", "found"],
        ["town", "missing", "text", "-"],
    ]
    assert lines[1].index("expected") == lines[2].index("text")
    assert lines[-1].split() == ["and", "280", "more"]
    assert "\x1b" not in "".join(lines)
    Output(as_json=True).error(refused)
    told = json.loads(capsys.readouterr().out)["error"]["differences"]
    assert told[0] == {"column": "town", "problem": "missing", "expected": "text", "found": None}
    assert len(told) == 31


def test_an_error_for_people_is_harmless_text_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Output().error(OperationError(FAILURE.message, failure=FAILURE))
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "\x1b" not in streams.err
    assert "KeyError: 'first'" in streams.err
    assert 'File "m.py", line 3, in predict' in streams.err
    assert "last words" in streams.err


def test_quantiles_are_measured_values() -> None:
    assert quantiles([3.0, 1.0, 2.0]) == {"p50": 2.0, "p90": 3.0, "p99": 3.0, "max": 3.0}
    assert quantiles([]) is None
