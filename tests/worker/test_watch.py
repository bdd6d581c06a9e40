"""Uses that the kernel holds against no limit: the scratch directory in all, and memory without a control group."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import replace
from pathlib import Path

import pytest

from console.records import Failure
from console.worker import watch
from console.worker.failures import ChildFailed
from console.worker.launcher import Launcher
from console.worker.limits import Limits, SandboxPlan
from console.worker.model import Worker
from console.worker.watch import Watched, excess
from tests.worker.payloads import Load, OpenFile, Payload, predicting

LIMITS = Limits(memory=128 << 20, address_factor=16, scratch=8 << 20, scratch_files=64, group_extra=32 << 20)
ON_DISK = SandboxPlan(namespaces=False)
UNCOUNTED = SandboxPlan(cgroup=False)
WAIT = "__import__('time').sleep(60)"
BYTES = "[open(str(one), 'wb').write(bytes(1 << 20)) for one in range(12)]"
FILES = "[open(str(one), 'wb').close() for one in range(100)]"
REMOVED = (
    "(lambda os: [(os.write(os.open('x', 66), bytes(1 << 20)), os.unlink('x')) for _ in range(12)] + [{wait}])"
    "(__import__('os'))"
)
LEFT = (
    "[[__import__('os').write(int(fd), bytes(1 << 25)) for fd in __import__('os').listdir('/proc/self/fd')"
    " if __import__('os').path.lexists('/proc/self/fd/' + fd)"
    " and __import__('os').readlink('/proc/self/fd/' + fd).startswith('/memfd:memory')], {wait}]"
)
HIDDEN = (
    "(lambda c, m: [(kept, kept.append(m.mmap(-1, 1 << 25, 2 | 32)), kept[-1].write(b'x' * (1 << 25)),"
    " c.CDLL(None).mprotect(c.c_void_p(c.addressof(c.c_char.from_buffer(kept[-1]))), c.c_size_t(1 << 25), 1))"
    " for kept in [[]] for _ in range(8)] + [{wait}])(__import__('ctypes'), __import__('mmap'))"
)


async def failure_of(worker: Worker, fd: int) -> Failure:
    with pytest.raises(ChildFailed) as caught:
        await worker.load(fd, "pickle", deadline=30.0)
    assert caught.value.failure is not None
    return caught.value.failure


@pytest.mark.parametrize(
    ("plan", "expression", "code", "words"),
    [
        (ON_DISK, f"[{BYTES}, {WAIT}]", "file-limit", "wrote more than 8 MiB into its scratch directory"),
        (ON_DISK, f"[{FILES}, {WAIT}]", "file-limit", "made more than 64 files in its scratch directory"),
        (ON_DISK, REMOVED.format(wait=WAIT), "file-limit", "wrote more than 8 MiB into its scratch directory"),
        (UNCOUNTED, LEFT.format(wait=WAIT), "out-of-memory", "MiB in files in memory, more than 128 MiB"),
        (UNCOUNTED, HIDDEN.format(wait=WAIT), "out-of-memory", "MiB of memory, more than its limit of 128 MiB"),
    ],
    ids=["bytes", "files", "removed", "memory files", "memory made read-only"],
)
async def test_who_holds_too_much_is_ended_and_told_why(
    launcher: Launcher, evil: Load, plan: SandboxPlan, expression: str, code: str, words: str
) -> None:
    worker = await Worker.start(launcher, "greedy", limits=LIMITS, sandbox=plan)
    failure = await failure_of(worker, evil(expression))
    assert failure.code == code
    assert words in failure.message
    assert failure.message.endswith("and was killed")


async def test_where_the_child_may_mount_its_scratch_directory_is_full_at_once(worker: Worker, evil: Load) -> None:
    evidence = worker.child.layers["namespaces"].evidence
    if "own scratch" not in evidence:
        pytest.skip(evidence)
    failure = await failure_of(worker, evil("open('big', 'wb').write(bytes(300 << 20))"))
    assert (failure.code, failure.type) == ("raised", "OSError")
    assert "No space left" in failure.message
    assert not os.listdir(worker.child.scratch)


async def test_what_is_promised_is_told(launcher: Launcher) -> None:
    counted = (await launcher.spawn("worker")).layers
    uncounted = (await launcher.spawn("worker", sandbox=UNCOUNTED)).layers["limits"].evidence
    assert "scratch directory: 256 MiB and 4096 files in all, looked at every 0.25 s" in uncounted
    assert "without a control group up to 8192 MiB more in files in memory" in uncounted
    assert counted["cgroup"].active == ("without a control group" not in counted["limits"].evidence)


def test_what_cannot_be_looked_into_is_too_much(tmp_path: Path) -> None:
    one = Watched(os.getpid(), str(tmp_path), LIMITS, memory=False)
    assert excess(one) is None
    deep = tmp_path
    fds = []
    for _ in range(20):
        (deep / ("d" * 250)).mkdir()
        fds.append(os.open(deep / ("d" * 250), os.O_RDONLY))
        deep = Path(f"/proc/self/fd/{fds[-1]}")
    found = excess(one)
    for fd in fds:
        os.close(fd)
    assert found is not None
    assert "cannot be looked into (File name too long)" in found[1]
    assert excess(replace(one, scratch=str(tmp_path / "gone"))) is None


async def test_a_worker_that_keeps_within_its_bounds_is_left_alone(launcher: Launcher, open_file: OpenFile) -> None:
    worker = await Worker.start(launcher, "modest", limits=LIMITS, sandbox=replace(UNCOUNTED, namespaces=False))
    modest = predicting("[open('a', 'wb').write(bytes(4 << 20)), len(bytearray(32 << 20))][:len(X)]")
    await worker.load(open_file(pickle.dumps(Payload(modest)), "modest.pkl"), "pickle")
    begun = time.monotonic()
    while time.monotonic() - begun < 3 * watch.INTERVAL_S:
        assert (await worker.call_rows([[1], [2]])).rows == 2
    assert worker.child.alive
