from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from console.service import runtime
from console.worker import scratch
from console.worker.limits import PACKAGE_ROOT
from console.worker.scratch import Scratch, end_abandoned


def test_directories_are_private_and_go_together() -> None:
    held = Scratch()
    one, other = Path(held.new()), Path(held.new())
    assert one != other
    assert one.parent == other.parent == Path(held.path)
    passable = 0o711 if os.geteuid() == 0 else 0o700
    assert (one.parent.stat().st_mode & 0o777, one.stat().st_mode & 0o777) == (passable, 0o700)
    held.close()
    assert not one.parent.exists()
    held.close()


def test_only_what_nobody_holds_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "YOUNG_SECONDS", -1.0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    program = "from console.worker.scratch import Scratch; s = Scratch(); print(s.new(), flush=True); input()"
    killed, living = (
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PACKAGE_ROOT
        )
        for _ in range(2)
    )
    places = [Path(process.stdout.readline().strip()).parent for process in (killed, living) if process.stdout]
    killed.kill()
    killed.communicate()
    stranger = tmp_path / "model-console-scratch-notes"
    stranger.mkdir(mode=0o755)
    (tmp_path / "model-console-scratch-link").symlink_to(stranger)
    deadline = time.monotonic() + 60
    while places[0].exists() and time.monotonic() < deadline:
        end_abandoned(str(tmp_path))
    assert [place.exists() for place in places] == [False, True]
    assert stranger.exists()
    assert os.path.islink(tmp_path / "model-console-scratch-link")
    living.communicate("\n")


def test_a_young_one_is_left_alone(tmp_path: Path) -> None:
    young = tmp_path / ".model-console-new-x"
    young.mkdir(mode=0o700)
    end_abandoned(str(tmp_path))
    assert young.exists()


def test_the_runtime_directory_of_an_ordinary_user_is_no_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (runtime.VARIABLE, "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    directory = runtime.runtime_dir()
    assert str(directory) == "/tmp/model-console-4242"
    assert not directory.name.startswith((scratch.PREFIX, scratch.UNLOCKED))
