"""A promotion, a rollback and a recovery killed, or told no, at each of their system calls, and every command that
reads asked afterwards: none denies what is there, none wedges, nothing is left lying about."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from console.config import state_dir
from console.errors import InputError
from console.versions import publish
from tests.cli.conftest import run
from tests.cli.running import Run
from tests.store.conftest import needs_strace

__all__ = ["run"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000), needs_strace]

PATH = "m.pkl"
OLD, NEW = (pickle.dumps(LogisticRegression(C=c).fit([[0.0], [1.0]], [0, 1])) for c in (1.0, 2.0))
ME = publish.Promotion("ann", "again")
CALLS = {
    "signal=KILL": (
        "write fsync fdatasync renameat2 renameat linkat unlinkat openat mkdirat fchmod fchown ftruncate ioctl rename"
    ),
    "error=EIO": "write fsync fdatasync renameat2 renameat unlinkat openat",
    "error=ENOSPC": "write renameat2 renameat linkat openat mkdirat",
}
MOST = 200
ENOUGH = 6
"""So many calls in a row whose failure changed nothing are taken for the end."""

SELDOM = 12
"""Every so many points the commands that start workers are asked as well."""


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Sweep:
    """Stores made from one template, each changed with one fault and then looked at."""

    server: Any
    run: Run
    template: Path
    request: dict[str, str]
    points: int = 0
    asked: int = 0

    def all_points(self, base: Path, fault: str) -> None:
        unharmed = 0
        for number in range(1, MOST):
            root = base / f"{self.points}"
            shutil.copytree(self.template, root)
            ended = self.server.run({**self.request, "root": str(root)}, f"{fault}:when={number}")
            assert ended.status in (0, -9, 3), (ended, fault, number)
            self.points += 1
            self.check(root, f"{fault} at {number}")
            shutil.rmtree(root)
            unharmed = unharmed + 1 if ended.status == 0 else 0
            if unharmed and (unharmed == ENOUGH or "KILL" in fault):
                return
        pytest.fail(f"{fault} never ended")

    def check(self, root: Path, point: str) -> None:
        """The answers of every reading command."""
        live = (root / PATH).read_bytes()
        assert live in (OLD, NEW), point
        there = str(root / PATH)
        found = self.told(point, "history", there)
        assert [one["digest"] for one in found if one["current"]] == [digest(live)], point
        listed = {one["digest"] for one in found}
        assert digest(OLD) in listed, point
        assert all(one["who"] for one in found), point
        assert "changed outside the console" not in {one["why"] for one in found}, point
        assert self.told(point, "audit", "verify", str(root))["ok"], point
        if self.points % SELDOM == 0:
            assert [one["path"] for one in self.told(point, "ls", str(root))] == [PATH]
            assert self.told(point, "inspect", there)["trust"]["verdict"] == "safe"
            tried = self.told(point, "doctor", str(root))["writing"]
            assert [name for name, one in tried.items() if not one["active"]] == [], point
        self.rolled_back(root, point, {one["digest"]: one["version"] for one in found}, live)
        left = [one.name for one in root.rglob("*") if one.name.endswith((".part", ".tmp", ".conflict"))]
        assert not left, (point, left)

    def rolled_back(self, root: Path, point: str, versions: dict[str, int], live: bytes) -> None:
        """The other content can be promoted, where it was ever in place."""
        other = OLD if live == NEW else NEW
        if digest(other) not in versions:
            with pytest.raises(InputError, match="no older version"):
                publish.rollback(root, PATH, None, ME)
            return
        if self.points % SELDOM == 0:
            self.told(point, "rollback", str(root / PATH), "--to", str(versions[digest(other)]))
        else:
            publish.rollback(root, PATH, versions[digest(other)], ME)
        assert (root / PATH).read_bytes() == other, point

    def told(self, point: str, *words: str) -> Any:
        done = self.run(*words, "--json")
        self.asked += 1
        assert done.code == 0, (point, words, done.out[-2000:], done.err[-2000:])
        return done.json


@pytest.fixture
def template(tmp_path: Path) -> Path:
    root = tmp_path / "template"
    root.mkdir()
    (root / PATH).write_bytes(OLD)
    (tmp_path / "candidate").write_bytes(NEW)
    return root


def request(root: Path, action: str, content: str) -> dict[str, str]:
    live = digest((root / PATH).read_bytes())
    return {
        "root": str(root),
        "path": PATH,
        "action": action,
        "content": content,
        "replaces": live,
        "audit": str(state_dir().parent),
    }


def swept(sweep: Sweep, base: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    for call in CALLS[kind].split():
        sweep.all_points(base, f"{call}:{kind}")
    with capfd.disabled():
        print(f"\n{sweep.request['action']}, {kind}: {sweep.points} points, {sweep.asked} commands asked")


@pytest.mark.parametrize("kind", CALLS)
def test_a_promotion(
    server: Any, tmp_path: Path, template: Path, run: Run, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """About three minutes each."""
    asked = request(template, "publish", str(tmp_path / "candidate"))
    swept(Sweep(server, run, template, asked), tmp_path, kind, capfd)


@pytest.mark.parametrize("kind", CALLS)
def test_a_rollback(
    server: Any, tmp_path: Path, template: Path, run: Run, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """About three minutes each."""
    assert server.run(request(template, "publish", str(tmp_path / "candidate"))).status == 0
    swept(Sweep(server, run, template, request(template, "rollback", "1")), tmp_path, kind, capfd)


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("cut", ["linkat:signal=KILL:when=1", "renameat2:signal=KILL:when=1"])
def test_a_recovery(
    server: Any, tmp_path: Path, template: Path, run: Run, kind: str, cut: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """About two minutes each."""
    assert server.run(request(template, "publish", str(tmp_path / "candidate")), cut).status == -9
    recovery = {**request(template, "recover", ""), "audit": ""}
    swept(Sweep(server, run, template, recovery), tmp_path, kind, capfd)
