"""Nothing hostile runs, and each trick is named."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from backends.core.errors import ArtifactError, Damaged
from backends.core.inspection import Inspection
from tests.hostile import SAMPLES, Sample
from tests.inspecting import inspect_file


def inspect_bytes(tmp_path: Path, data: bytes, suffix: str = ".pkl") -> Inspection:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(data)
    return inspect_file(path)


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.title for sample in SAMPLES])
def test_a_hostile_file_is_named_and_never_run(sample: Sample, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    data = sample.build(str(marker))
    started = time.process_time()
    try:
        inspection = inspect_bytes(tmp_path, data, sample.suffix)
    except ArtifactError as error:
        named, found = set[str](), {error.code}
        complete = False
    else:
        named, found = {str(each) for each in inspection.names}, {each.code for each in inspection.findings}
        complete = inspection.complete
        assert all(each.offset is not None and each.detail for each in inspection.findings)
    assert not marker.exists()
    assert time.process_time() - started < 20
    assert set(sample.names) <= named
    if sample.codes:
        assert found & set(sample.codes)
        assert sample.names or not complete or found


def test_an_error_that_quotes_a_file_is_one_short_line() -> None:
    assert str(ArtifactError("no format is called 'größe'")) == "no format is called 'größe'"
    assert str(Damaged("a\nb\x1b[31m\udcff\u202ec")) == r"a\nb\x1b[31m\udcff\u202ec"
    assert len(str(Damaged("x" * 1_000_000))) == 1_000
    again = Damaged("a\\nb")
    assert str(Damaged(str(again))) == str(again)


@pytest.mark.parametrize("title", ["1 global", "2 stack global", "6 inst", "17 trailing pickle", "19 exec then break"])
def test_the_samples_would_run_if_they_were_unpickled(title: str, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "model.pkl"
    sample = next(each for each in SAMPLES if each.title == title)
    path.write_bytes(sample.build(str(marker)))
    script = "import pickle, sys\nf = open(sys.argv[1], 'rb')\nwhile f.peek(1): pickle.load(f)"
    subprocess.run([sys.executable, "-c", script, str(path)], check=False, stderr=subprocess.DEVNULL)
    assert marker.exists()


def test_called_and_merely_named_globals_are_told_apart(tmp_path: Path) -> None:
    inspection = inspect_bytes(tmp_path, b"\x80\x04cos\nsystem\ncos\ngetpid\n)R\x86.")
    assert [(str(use), use.called, use.offset) for use in inspection.names] == [
        ("os.system", False, 2),
        ("os.getpid", True, 13),
    ]
