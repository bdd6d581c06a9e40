"""A format that another distribution brings is listed, inspected and run, and is never safe by its own word."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.core import third_party
from backends.core.format import Format
from tests.hostile import evil
from tests.inspecting import inspect_bytes

ROOT = Path(__file__).parents[2]
THIRD_PARTY = ROOT / "tests" / "third_party"
LEAKED = """
import sys
from backends.core import registry
from backends.core.errors import Unsupported
from backends.core.source import MemorySource
try:
    registry.inspect(MemorySource(b"toy 1\\na b\\n1 2\\n", "m.toy"))
except Unsupported as error:
    print(sorted(name for name in sys.modules if name.endswith("_format")), error)
"""


def _install(packages: Path, name: str, entry: str, *files: str) -> None:
    """An installed distribution: the files, and the metadata of the distribution."""
    for file in files:
        source = THIRD_PARTY / file
        shutil.copytree(source, packages / file) if source.is_dir() else shutil.copy(source, packages)
    info = packages / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[model_console.formats]\n{entry}\n")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """An environment with this one's libraries and the distribution, and a store with one of its models."""
    with tempfile.TemporaryDirectory(prefix="third-party-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        venv.create(place / "venv", symlinks=True)
        (packages,) = (place / "venv").glob("lib/*/site-packages")
        (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        _install(packages, "toy_format", "toy = toy_format:FORMATS", "toy_format")
        (place / "store").mkdir()
        (place / "store" / "m.toy").write_bytes(b"toy 1\na b\n1 10\n")
        (place / "store" / "rows.csv").write_text("b,a\n1,2\n3,4\n")
        yield place


def _run(place: Path, *arguments: str) -> Any:
    """The JSON that a command of that environment's console writes."""
    done = _console(place, "-m", "console", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _console(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = {**kept, "XDG_STATE_HOME": str(place / "state"), "XDG_CACHE_HOME": str(place / "cache")}
    command = [str(place / "venv" / "bin" / "python"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_a_model_of_it_is_listed_and_inspected_and_stays_under_review(place: Path) -> None:
    (row,) = _run(place, "ls", str(place / "store"))
    found = _run(place, "inspect", str(place / "store" / "m.toy"))
    assert (row["path"], row["verdict"], row["format"]) == ("m.toy", "review", "toy")
    assert found["signature"]["feature_names"] == ["a", "b"]
    assert [reason["code"] for reason in found["trust"]["reasons"]] == ["third-party-format"]


def test_a_model_of_it_answers_rows_by_the_names_of_their_columns(place: Path) -> None:
    store = place / "store"
    found = _run(place, "predict", str(store / "m.toy"), "--data", str(store / "rows.csv"), "--accept", "trial")
    assert found["outputs"]["predict"] == [12.0, 34.0]


@pytest.mark.slow
def test_a_broken_distribution_is_one_sentence(place: Path, tmp_path: Path) -> None:
    (packages,) = (place / "venv").glob("lib/*/site-packages")
    _install(packages, "broken_format", "broken = broken_format:FORMATS", "broken_format.py")
    (tmp_path / "m.broken").write_bytes(b"broken 1\n" * 9)
    try:
        found = _console(place, "-m", "console", "inspect", str(tmp_path / "m.broken"))
        still = _run(place, "inspect", str(place / "store" / "m.toy"))
    finally:
        shutil.rmtree(packages / "broken_format-1.0.dist-info")
    sentence = "the format 'broken' (broken_format:FORMATS) cannot be used: RuntimeError: made for"
    assert (found.returncode, found.stderr.count(sentence) + found.stdout.count(sentence)) == (4, 1)
    assert "Traceback" not in found.stderr
    assert still["format"] == "toy"


def test_the_process_of_the_console_imports_no_code_of_others(place: Path) -> None:
    done = _console(place, "-c", LEAKED)
    assert done.stdout.startswith("[] not a model but text"), done.stderr


def test_no_format_of_others_gets_to_see_what_a_format_of_the_console_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    greedy = Format("greedy", ".pkl", "none", "a liar", starts=lambda head: True)
    monkeypatch.setattr(third_party, "formats", lambda: third_party.Formats((greedy,)))
    found = inspect_bytes(evil("x"))
    assert found.format in ("pickle", "joblib")
