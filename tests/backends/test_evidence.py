"""Evidence of a call beyond its name: the literals it was given, and which part of the file it stands in."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.core import registry
from backends.core.inspection import GlobalRef
from backends.core.source import Source
from backends.formats.pickle.values import literal_words


class Payload:
    """Unpickles to a call; never unpickled here."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


def named(data: bytes, name: str = "model.pkl") -> dict[str, GlobalRef]:
    fd = os.memfd_create("test")
    try:
        os.write(fd, data)
        return {str(use): use for use in registry.inspect(Source(fd, name)).names}
    finally:
        os.close(fd)


def test_a_call_tells_its_literals_and_its_pickle() -> None:
    data = pickle.dumps(Payload(os.system, "touch x")) + pickle.dumps(Payload(subprocess.run, ["ls", "-l"]))
    found = named(data)
    assert (found["posix.system"].arguments, found["posix.system"].place) == ("'touch x'", "pickle 1")
    assert (found["subprocess.run"].arguments, found["subprocess.run"].place) == ("['ls', '-l']", "pickle 2")


def test_what_is_only_named_has_no_arguments_and_one_pickle_no_place() -> None:
    found = named(pickle.dumps([date, Payload(os.system, "ls")], protocol=2))
    assert found["datetime.date"].arguments is None
    assert not found["datetime.date"].called
    assert found["posix.system"].place == ""


def test_a_member_of_an_archive_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", plain=np.zeros(2), odd=np.array([Payload(os.system, "ls")], dtype=object))
    assert named((tmp_path / "x.npz").read_bytes(), "x.npz")["posix.system"].place == "member odd"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("x" * 500,), repr("x" * 80) + "…"),
        (tuple(range(9)), "0, 1, 2, 3, …"),
        ((["a", ["b"]],), "['a', …]"),
        ((1 << 9000,), "an integer of 9001 bits"),
        ((object(),), None),
        ((), None),
        ("no tuple", None),
    ],
)
def test_arguments_are_shortened(arguments: Any, words: str | None) -> None:
    assert literal_words(arguments) == words


def test_an_endless_argument_is_shortened_too() -> None:
    endless: list[Any] = [1]
    endless.append(endless)
    assert literal_words((endless,)) == "[1, …]"
