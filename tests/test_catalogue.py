"""Each entry of the catalogue is tried by what it names, and every sample gets a right verdict and never runs."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from tests.catalogue import ENTRIES, ROOT, Entry, samples_of, verdict_on


@functools.cache
def functions_of(path: str) -> frozenset[str]:
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / path).read_text("utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("entry", ENTRIES, ids=[f"catalogue_{each.number:02}_{each.name}" for each in ENTRIES])
def test_an_entry_is_tried(entry: Entry, tmp_path: Path) -> None:
    samples = samples_of(entry.number)
    assert samples or entry.tests
    for test in entry.tests:
        path, _, function = test.partition("::")
        assert function in functions_of(path), test
    for sample in samples:
        verdict, ran = verdict_on(sample, tmp_path)
        assert not ran
        assert verdict in entry.verdicts, sample.title


def test_every_entry_has_a_number_of_its_own() -> None:
    numbers = [entry.number for entry in ENTRIES]
    assert numbers == sorted(set(numbers))
