"""Commands killed at each of their system calls: what the next ones show is whole, and nothing open is left of a model
that was sealed, no unfinished file, and no process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import psutil
import pytest
from sklearn.ensemble import RandomForestClassifier

from console.trust.secret_files import generate_identity
from tests.sweeping import points

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("strace") is None or os.geteuid() != 0, reason="takes strace, as root"),
]

ROOT = Path(__file__).parents[2]
MARKER = b"hushed-remark-5d1e0b7c"
MOST = 60
COMMANDS = {
    "seal": ("seal", "--replace", "--to"),
    "accelerate": ("accelerate", "--yes", "--data", "rows.csv"),
    "update": ("update", "--yes"),
}


def console(*words: str, root: Path, inject: str = "") -> subprocess.CompletedProcess[str]:
    """One command, under fault injection where that is asked for."""
    command = [sys.executable, "-m", "console", *words]
    if inject:
        name = inject.partition(":")[0]
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={inject}", *command]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, "TMPDIR": str(root / "tmp")}
    )


def processes(root: Path) -> list[psutil.Process]:
    """The processes with files below this test's directory."""
    found = []
    for one in psutil.process_iter():
        try:
            if any(value.startswith(str(root)) for value in one.environ().values()) and one.pid != os.getpid():
                found.append(one)
        except psutil.Error:
            continue
    return [one for one in found if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def make(tmp_path: Path) -> Callable[[int], Path]:
    """Makes stores with one model, which can be told by a marker, and its rows."""
    random = np.random.default_rng(5)
    rows = random.normal(size=(60, 3))
    model = RandomForestClassifier(3, random_state=0).fit(rows, rows[:, 0] > 0)
    model.remark_ = MARKER.decode()

    def made(number: int) -> Path:
        root = tmp_path / f"{number}"
        (root / "tmp").mkdir(parents=True)
        store = root / "store"
        store.mkdir()
        joblib.dump(model, store / "m.joblib")
        lines = [",".join(map(str, (*row, int(row[0] > 0)))) for row in rows]
        for name, part in (("rows.csv", lines[:40]), ("held.csv", lines[40:])):
            (store / name).write_text("\n".join(["a,b,c,y", *part]))
        (store / "m.recipe.toml").write_text('[data]\ntrain = "rows.csv"\nholdout = "held.csv"\ntarget = "y"\n')
        return root

    return made


@pytest.mark.parametrize("call", ["renameat2", "rename", "renameat", "unlinkat", "unlink", "fsync", "flock"])
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_each_call(make: Callable[[int], Path], tmp_path: Path, name: str, call: str) -> None:
    """One point of six; every one of them takes twenty to forty minutes."""
    recipient = generate_identity(tmp_path / "identity.txt")
    retrained = {"m.joblib"} if name == "update" else set()
    for number in points(MOST, 6):
        root = make(number)
        artifact = root / "store/m.joblib"
        words = [word if word != "rows.csv" else str(root / "store/rows.csv") for word in COMMANDS[name]]
        words[1:1] = [str(artifact)]
        done = console(
            *words, *([recipient] if name == "seal" else []), root=root, inject=f"{call}:signal=KILL:when={number}"
        )
        there = next(path for path in (artifact, artifact.with_name("m.joblib.age")) if path.exists())
        console("evaluate", str(there), root=root)
        listed = console("ls", "--json", str(root / "store"), root=root)
        assert listed.returncode == 0, listed.stderr
        shown = {one["path"]: one["verdict"] for one in json.loads(listed.stdout)}
        sealed = (root / "store/m.joblib.age").exists()
        exported = shown.pop("m.onnx", None)
        assert exported in ((None, "safe") if name == "accelerate" else (None,))
        assert list(shown) == ["m.joblib.age" if sealed else "m.joblib"]
        files = [path for path in root.rglob("*") if path.is_file()]
        assert not [path for path in files if path.name.endswith((".tmp", ".part"))]
        assert not [path for path in (root / "tmp").iterdir() if "model-console" in path.name]
        open_still = {path.name for path in files if MARKER in path.read_bytes()}
        assert not (open_still if sealed else {"m.joblib"} - open_still - retrained)
        assert not processes(root)
        again = console("inspect", "--json", str(root / "store" / next(iter(shown))), root=root)
        assert again.returncode == (4 if sealed else 0), again.stderr
        assert again.stderr == ""
        if done.returncode == 0:
            return
    pytest.fail(f"{call} was called over {MOST} times")
