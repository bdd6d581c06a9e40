"""A console that is killed in the middle of an update: what its training command started does not outlive it."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
stay = [sys.executable, "-S", "-c", code]
subprocess.Popen([*stay, sys.argv[2]])
if os.fork() == 0:
    if os.fork() == 0:
        subprocess.Popen([*stay, sys.argv[2]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os._exit(0)
subprocess.Popen([*stay, sys.argv[2]], env={}, cwd="/usr")
if len(sys.argv) > 3:
    open(sys.argv[1], "wb").write(open(sys.argv[3], "rb").read())
    sys.exit(0)
while True:
    time.sleep(600)
"""
STARTED = 3


@dataclass
class Ground:
    """A store with a model whose recipe runs the program above, and the word that marks every process of it."""

    artifact: Path
    marker: str

    def processes(self) -> list[psutil.Process]:
        """The running processes of the program, the program itself included."""
        found = []
        for one in psutil.process_iter():
            try:
                if self.marker in one.cmdline() and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one)
            except psutil.Error:
                continue
        return found

    def update(self) -> subprocess.Popen[bytes]:
        """The update, begun."""
        command = [sys.executable, "-m", "console", "update", "--yes", str(self.artifact)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def begun(self) -> subprocess.Popen[bytes]:
        """The update, with all of the program's processes there."""
        update = self.update()
        assert until(lambda: len(self.processes()) > STARTED or update.poll() is not None)
        assert update.poll() is None, update.communicate()
        return update

    def next_start(self) -> subprocess.CompletedProcess[str]:
        """Another command on the store."""
        command = [sys.executable, "-m", "console", "history", str(self.artifact)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    (tmp_path / "tmp").mkdir(mode=0o755)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    root = tmp_path / "store"
    root.mkdir()
    marker = f"marker-{uuid.uuid4().hex}"
    model = LogisticRegression().fit(np.arange(12.0).reshape(6, 2), [0, 1] * 3)
    for name, parameter in (("m.pkl", 1.0), ("other", 2.0)):
        (root / name).write_bytes(pickle.dumps(model.set_params(C=parameter)))
    for name, first in (("rows.csv", 0), ("held.csv", 100)):
        (root / name).write_text("a,b,y\n" + "".join(f"{n},{n + 1},{n % 2}\n" for n in range(first, first + 40)))
    (root / "train.py").write_text(PROGRAM)
    (root / "m.recipe.toml").write_text(
        '[data]\ntrain = "rows.csv"\nholdout = "held.csv"\ntarget = "y"\n[retrain]\n'
        f'command = ["python", "train.py", "{{candidate}}", "{marker}"]\n'
    )
    found = Ground(root / "m.pkl", marker)
    yield found
    for one in found.processes():
        one.kill()


def until(holds: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether it holds within so many seconds."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


def test_what_an_update_started_ends_with_a_killed_console(ground: Ground) -> None:
    update = ground.begun()
    update.kill()
    update.wait()
    assert until(lambda: not ground.processes(), 10)


@pytest.mark.slow
def test_what_outlives_console_and_trainer_is_ended_by_the_next_start(ground: Ground) -> None:
    update = ground.begun()
    trainer = next(one for one in psutil.Process(update.pid).children() if "trainer" in " ".join(one.cmdline()))
    for pid in (update.pid, trainer.pid):
        os.kill(pid, signal.SIGSTOP)
    for pid in (trainer.pid, update.pid):
        os.kill(pid, signal.SIGKILL)
    update.wait()
    assert ground.processes()
    done = ground.next_start()
    assert done.returncode == 0
    assert not ground.processes()
    ended_by_another_console = not done.stderr
    assert ended_by_another_console or "that a killed console had left running" in done.stderr
    assert ground.next_start().stderr == ""


def test_an_update_that_is_ended_ends_what_it_started(ground: Ground) -> None:
    update = ground.begun()
    update.terminate()
    assert update.wait(30) == 130
    assert not ground.processes()


@pytest.mark.slow
def test_a_program_that_ends_takes_what_it_started_with_it(ground: Ground) -> None:
    recipe = ground.artifact.with_name("m.recipe.toml")
    recipe.write_text(recipe.read_text().replace(f'"{ground.marker}"]', f'"{ground.marker}", "other"]'))
    update = ground.update()
    out, _ = update.communicate(timeout=60)
    assert update.returncode == 0, out
    assert not ground.processes()


@pytest.mark.slow
def test_killed_at_any_moment(ground: Ground) -> None:
    """Half a minute to a minute."""
    chance = random.Random(7)
    for _ in range(12):
        update = ground.update()
        time.sleep(chance.uniform(0.2, 3.5))
        update.kill()
        update.wait()
        until(lambda: not ground.processes(), chance.uniform(0.0, 0.3))
        assert ground.next_start().returncode == 0
        assert not ground.processes()
    assert not list((ground.artifact.parents[1] / "tmp").iterdir())
