"""Control groups: where they can be made, what they limit, and that they go with the child."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from console.worker.cgroups import Groups, Place, find_places
from console.worker.failures import ChildFailed
from console.worker.launcher import Launcher
from console.worker.limits import Limits, SandboxPlan
from console.worker.model import Worker
from tests.worker.payloads import OpenFile, Payload, predicting

PLACES, WHY = find_places()
LIMITED = {name for place in PLACES for name in place.serves} >= {"memory", "pids"}
needs_groups = pytest.mark.skipif(not LIMITED, reason=f"no control group may be made here: {'; '.join(WHY)}")


@needs_groups
def test_a_group_limits_a_process_and_ends_it() -> None:
    groups = Groups()
    group = groups.new()
    process = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
    layer = group.join(process.pid, Limits(memory=64 << 20, group_extra=0, tasks=7))
    assert layer.active
    assert "64 MiB and 7 tasks" in layer.evidence
    assert group.name in Path(f"/proc/{process.pid}/cgroup").read_text()
    files = {path.name: path.read_text().strip() for directory, _ in group.directories for path in directory.iterdir()
             if path.name in ("pids.max", "memory.max", "memory.limit_in_bytes")}  # fmt: skip
    assert files.pop("pids.max") == "7"
    assert set(files.values()) == {str(64 << 20)}
    directories = [directory for directory, _place in group.directories]
    groups.end(group)
    assert process.wait() == -9
    groups.close()
    assert not any(directory.exists() for directory in directories)


@needs_groups
async def test_what_only_the_group_counts_ends_the_child_and_is_told(launcher: Launcher, open_file: OpenFile) -> None:
    limits = Limits(memory=256 << 20, address_factor=16, group_extra=0)
    worker = await Worker.start(launcher, "hungry", limits=limits, sandbox=SandboxPlan(seccomp=False))
    hungry = predicting(
        "[len((lambda m: [m.write(bytes(1 << 20)) for _ in range(400)])(__import__('mmap').mmap(-1, 400 << 20)))]"
    )
    await worker.load(open_file(pickle.dumps(Payload(hungry)), "hungry.pkl"), "pickle")
    with pytest.raises(ChildFailed) as caught:
        await worker.call_rows([[1]])
    assert caught.value.code == "out-of-memory"
    assert "control group" in str(caught.value)


@needs_groups
def test_groups_of_a_console_that_was_killed_go_with_the_next() -> None:
    program = (
        "import os; from console.worker.cgroups import Groups; "
        "print(*(d for d, _ in Groups().new().directories), sep='\\n', flush=True); os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=False)
    left = [Path(line) for line in done.stdout.split()]
    assert left
    assert all(path.exists() for path in left)
    assert Groups().end_abandoned() == 0
    assert not any(path.exists() for path in left)


@needs_groups
def test_what_is_left_in_the_group_of_a_killed_console_is_ended() -> None:
    program = (
        "import os, subprocess; from console.worker.cgroups import Groups; from console.worker.limits import Limits; "
        "stay = subprocess.Popen(['sleep', '600'], **{n: subprocess.DEVNULL for n in ('stdin', 'stdout', 'stderr')}); "
        "Groups().new().join(stay.pid, Limits()); print(stay.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=False)
    assert Groups().end_abandoned() == 1
    assert not os.path.exists(f"/proc/{int(done.stdout)}/exe")


def hierarchy(root: Path, own: str, *, delegated: str = "") -> tuple[str, str]:
    """Files as a kernel with control groups version 2 shows them; `delegated` has its controllers on for its groups."""
    top = root / "cgroup"
    for above in (Path(own), *Path(own).parents):
        group = top / str(above).lstrip("/")
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.controllers").write_text("cpu memory pids\n")
        (group / "cgroup.subtree_control").write_text("memory pids\n" if str(above) == delegated else "\n")
        (group / "cgroup.procs").write_text("1\n2\n")
        group.chmod(0o755)
    (root / "membership").write_text(f"0::{own}\n")
    (root / "mounts").write_text(f"29 24 0:26 / {top} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n")
    return str(root / "membership"), str(root / "mounts")


def test_the_nearest_delegated_group_is_taken(tmp_path: Path) -> None:
    files = hierarchy(tmp_path, "/user.slice/app.slice/term.scope", delegated="/user.slice/app.slice")
    assert find_places(*files) == ([Place(tmp_path / "cgroup/user.slice/app.slice", ("memory", "pids", "kill"), 2)], [])


def test_where_nothing_is_delegated_the_reason_is_told(tmp_path: Path) -> None:
    places, why = find_places(*hierarchy(tmp_path, "/session.scope"))
    assert places == []
    assert "is delegated to this user" in why[0]


def test_a_console_alone_in_its_group_makes_room_in_it(tmp_path: Path) -> None:
    files = hierarchy(tmp_path, "/run.scope")
    own = tmp_path / "cgroup/run.scope"
    (own / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (own / "model-console-itself").mkdir()
    (own / "model-console-itself/cgroup.procs").write_text("")
    find_places(*files)
    assert (own / "model-console-itself/cgroup.procs").read_text() == str(os.getpid())
    assert (own / "cgroup.subtree_control").read_text().split() == ["+memory", "+pids"]


def test_version_1_is_used_where_it_may_be_written(tmp_path: Path) -> None:
    lines = []
    for number, name in enumerate(("memory", "pids", "freezer")):
        (tmp_path / name / "job").mkdir(parents=True)
        (tmp_path / name / "job/cgroup.procs").write_text("")
        lines.append(f"{number} 1 0:{number} / {tmp_path / name} rw - cgroup cgroup rw,{name}")
    (tmp_path / "mounts").write_text("\n".join(lines))
    (tmp_path / "membership").write_text("3:memory:/job\n2:pids:/job\n1:freezer:/\n0::/\n")
    places, why = find_places(str(tmp_path / "membership"), str(tmp_path / "mounts"))
    assert [(place.path.parent.name, place.serves, place.version) for place in places] == [
        ("memory", ("memory",), 1),
        ("pids", ("pids",), 1),
    ]
    assert why == []
