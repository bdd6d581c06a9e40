"""Who a child becomes where root starts the console, and what keeps it from becoming somebody else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from console.worker.child_user import FIRST_UID, LAST_UID, Identities
from console.worker.launcher import Launcher
from console.worker.limits import SandboxPlan
from tests.worker.ground import everyones_python

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory every user may enter."""
    with tempfile.TemporaryDirectory(prefix="everyones-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def python(directory: Path) -> str:
    """An interpreter every user may run."""
    (directory / "venv").mkdir(mode=0o755)
    found, why = everyones_python(directory / "venv")
    if not found:
        pytest.skip(why)
    return found


async def test_each_child_is_another_user_that_owns_its_scratch_directory(launcher: Launcher, python: str) -> None:
    children = [await launcher.spawn("worker", python=python) for _ in range(2)]
    uids = [psutil.Process(child.pid).uids() for child in children]
    assert uids[0] != uids[1]
    for child, found in zip(children, uids, strict=True):
        assert found.real == found.effective == found.saved
        assert FIRST_UID <= found.real <= LAST_UID
        assert os.stat(child.scratch).st_uid == found.real
        assert child.layers["user"].active
        assert f"uid {found.real}" in child.layers["user"].evidence


async def test_a_library_others_may_not_read_keeps_root_root(launcher: Launcher, python: str, directory: Path) -> None:
    hidden = next((directory / "venv").glob("lib/*/site-packages")) / "hidden"
    hidden.mkdir(mode=0o700)
    child = await launcher.spawn("worker", python=python)
    layer = child.layers["user"]
    assert not layer.active
    assert f"{hidden} (mode 0700)" in layer.evidence or str(hidden) in layer.evidence
    assert "CapEff: 0" in layer.evidence
    assert psutil.Process(child.pid).uids().real == 0


async def test_what_it_has_to_read_keeps_root_root(launcher: Launcher, python: str, directory: Path) -> None:
    data = directory / "data"
    data.mkdir(mode=0o755)
    (data / "rows.csv").write_text("a")
    identities = Identities()
    assert (await identities.of(python, "/", [str(data)])).uid is not None
    (data / "rows.csv").chmod(0o600)
    assert "rows.csv" in (await identities.of(python, "/", [str(data)])).why
    data.chmod(0o700)
    child = await launcher.spawn("trainer", python=python, sandbox=SandboxPlan(forks=True).reading(str(data)))
    assert str(data) in child.layers["user"].evidence


async def test_an_interpreter_that_cannot_be_tried_is_not_trusted_with_it(tmp_path: Path) -> None:
    found = await Identities().of(str(tmp_path / "none"), "/")
    assert found.uid is None
    assert "could not be tried" in found.why
