"""The plain part of YAML: what PyYAML writes of plain values is read as it was, and the rest is refused."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from backends.core.errors import Damaged
from backends.core.plain_yaml import parse

TEXT = r"""# a comment
---
name: churn model   # another
version: 3
share: 0.25
none: null
empty:
yes_or_no: true
'quoted: key': 'it''s'
double: "a\tb\u00e9 \
  goes on"
folded: 'one
  two

  three'
plain: word
  and more
list:
- 1
- two: 2
  three: [a, "b, c", {d: 4}]
-
  - nested
- - inline
- ''
deep:
  deeper:
    deepest: {}
block: |
  as it
  is
"""


def test_plain_values_are_read() -> None:
    expected: dict[str, Any] = {
        "name": "churn model",
        "version": 3,
        "share": 0.25,
        "none": None,
        "empty": None,
        "yes_or_no": True,
        "quoted: key": "it's",
        "double": "a\tbé goes on",
        "folded": "one two\nthree",
        "plain": "word and more",
        "list": [1, {"two": 2, "three": ["a", "b, c", {"d": 4}]}, ["nested"], ["inline"], ""],
        "deep": {"deeper": {"deepest": {}}},
        "block": "as it\nis",
    }
    assert parse(TEXT.encode(), "text") == expected


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x",
        "a: !!python/object/apply:os.system ['true']",
        "a: 1\na: 2",
        "<<: {a: 1}",
        "a: [1, 2",
        "a: 'open",
        "a: {b: 1",
        "- 1\n- 2",
        "a: b: c",
        "a: 1\n   b: 2",
        "a: 'x' y",
        "---\na: 1\n---\nb: 2",
        "a: " + "[" * 500,
        "a:\n" + "".join(" " * depth + "- \n" for depth in range(1, 60)),
        "\n".join(" " * depth + "a:" for depth in range(60)),
        "x" * 2_000_000,
    ],
)
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Damaged, match="text is"):
        parse(text.encode(), "text")


@pytest.mark.parametrize("text", ["a{}b", "a: [b{}c]", "- a{}b", "a:{}b", "'{}", "a: [{}", '"a" {}b', "a: b{}#"])
def test_a_long_line_is_read_at_once(text: str) -> None:
    began = time.process_time()
    for part in (" ", ":", "b ", "'", ": b"):
        with contextlib.suppress(Damaged):
            parse(text.format(part * 60_000).encode(), "it")
    assert time.process_time() - began < 3, "it grows with the square of the length"


def test_an_escape_without_its_digits_is_the_sign_itself() -> None:
    assert parse(rb'a: "\x\u12"', "it") == {"a": "xu12"}
