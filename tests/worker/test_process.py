"""Ends and faults of a child, and what is said of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest

from console.errors import ConsoleError
from console.records import Failure
from console.worker import channel
from console.worker.exit_status import is_dying
from console.worker.failures import ChildFailed
from console.worker.launcher import Launcher
from console.worker.limits import PACKAGE_ROOT, Limits, SandboxPlan
from console.worker.model import Worker
from tests.worker.ground import everyones_python
from tests.worker.payloads import Load, predicting, until


async def failure_of(worker: Worker, fd: int, *, deadline: float = 20.0) -> Failure:
    with pytest.raises(ConsoleError) as caught:
        await worker.load(fd, "pickle", deadline=deadline)
    assert caught.value.failure is not None
    assert caught.value.code == caught.value.failure.code
    return caught.value.failure


async def test_segmentation_fault_is_named_with_its_stack(worker: Worker, evil: Load) -> None:
    failure = await failure_of(worker, evil("__import__('ctypes').string_at(0)"))
    assert failure.code == "died"
    assert failure.exit == "segmentation fault (SIGSEGV)"
    assert failure.phase == "read"
    assert "string_at" in failure.stderr
    assert failure.memory is not None
    assert failure.memory.peak
    assert "native code" in (failure.hint or "")


async def test_exit_zero_is_no_success(worker: Worker, evil: Load) -> None:
    failure = await failure_of(worker, evil("__import__('os')._exit(0)"))
    assert failure.code == "died"
    assert failure.exit == "ended without an answer (exit code 0)"


async def test_sys_exit_is_an_exception_and_the_worker_stays(worker: Worker, evil: Load) -> None:
    failure = await failure_of(worker, evil("__import__('sys').exit(3)"))
    assert (failure.code, failure.type) == ("raised", "SystemExit")
    assert (await worker.load(evil("1"), "pickle")).model_class == "builtins.int"


async def test_kill_from_outside(worker: Worker, evil: Load) -> None:
    asleep = asyncio.create_task(failure_of(worker, evil("__import__('time').sleep(100)")))
    await until(lambda: worker.child.busy)
    os.kill(worker.child.pid, signal.SIGKILL)
    failure = await asleep
    assert failure.code == "died"
    assert "SIGKILL" in (failure.exit or "")
    assert not psutil.pid_exists(worker.child.pid)


async def test_memory_limit_is_a_memory_error(launcher: Launcher, evil: Load) -> None:
    worker = await Worker.start(launcher, "big", limits=Limits(memory=300 << 20))
    failure = await failure_of(worker, evil("bytearray(1 << 30)"))
    assert (failure.code, failure.type) == ("out-of-memory", "MemoryError")
    assert "memory_mb" in (failure.hint or "")


async def test_endless_loop_is_a_hang_with_its_stack(worker: Worker, evil: Load) -> None:
    failure = await failure_of(worker, evil("[None for _ in iter(int, 1)]"), deadline=0.5)
    assert failure.code == "hang"
    assert "0.5 s" in failure.message
    assert "<string>" in failure.stderr
    assert worker.child.ended.is_set()


@pytest.mark.slow
async def test_processor_time_limit(launcher: Launcher, evil: Load) -> None:
    worker = await Worker.start(launcher, "loop", limits=Limits(cpu_seconds=1))
    failure = await failure_of(worker, evil("[None for _ in iter(int, 1)]"))
    assert failure.code == "cpu-limit"
    assert "SIGXCPU" in (failure.exit or "")


async def test_a_stopped_child_is_killed_and_said_to_be_stopped(worker: Worker, evil: Load) -> None:
    stop = "__import__('os').kill(__import__('os').getpid(), 19)"
    failure = await failure_of(worker, evil(stop), deadline=0.3)
    assert failure.code == "hang"
    assert "stopped by a signal" in failure.message


async def test_a_flood_of_stderr_stalls_nothing_and_keeps_its_end(worker: Worker, evil: Load) -> None:
    flood = (
        "[__import__('os').write(2, b'x' * (1 << 20)) for _ in range(100)] + [__import__('os').write(2, b'\\nlast')]"
    )
    loaded = await worker.load(evil(flood), "pickle")
    assert loaded.model_class == "builtins.list"
    await until(lambda: worker.child.stderr_tail().endswith("last"))
    assert len(worker.child.stderr_tail()) <= (64 << 10) + 100
    assert worker.child._stderr.dropped > 90 << 20


WRITE_TO_LINE = (
    "[__import__('os').write(fd, {data}) for fd in range(3, 64)"
    " if __import__('os').path.exists(f'/proc/self/fd/{{fd}}')"
    " and __import__('os').readlink(f'/proc/self/fd/{{fd}}').startswith('socket')]"
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff" * 64, "over the cap"),
        (b"\0\0\0\5\0\0\0\0[1,2]", "not an object"),
        (b"\0\0\0\2\0\0\0\0{x", "not JSON"),
        (b'\0\0\0\x0a\0\0\0\0{"id": 77}', "was not made"),
        (b'\0\0\0\x0b\0\0\0\0{"id": NaN}', "not JSON"),
    ],
)
async def test_forged_frames_end_the_child(worker: Worker, evil: Load, data: bytes, says: str) -> None:
    failure = await failure_of(worker, evil(WRITE_TO_LINE.format(data=repr(data))))
    assert failure.code == "protocol"
    assert says in failure.message
    await worker.child.ended.wait()


async def test_a_flood_of_reports_ends_the_child(worker: Worker, evil: Load) -> None:
    event = b'{"id": 2, "event": "phase"}'
    frames = (len(event).to_bytes(4, "big") + bytes(4) + event) * 3000
    failure = await failure_of(worker, evil(WRITE_TO_LINE.format(data=repr(frames))))
    assert failure.code == "protocol"
    assert "flooded" in failure.message


async def test_an_answer_over_the_cap_is_refused_in_the_child(worker: Worker, evil: Load) -> None:
    fd = evil(predicting("[['x' * 10000] * 2000]"))
    await worker.load(fd, "pickle")
    with pytest.raises(ChildFailed, match="too large") as caught:
        await worker.call_rows([[1.0]])
    assert caught.value.code == "too-large"
    assert worker.child.alive


async def test_a_child_that_closes_its_descriptors_is_ended(worker: Worker, evil: Load) -> None:
    close = "(__import__('os').closerange(0, 64), __import__('time').sleep(100))"
    failure = await failure_of(worker, evil(close))
    assert failure.code == "protocol"
    assert "closed its line" in failure.message


async def test_ignored_sigterm_does_not_keep_it(worker: Worker, evil: Load) -> None:
    ignore = "(__import__('signal').signal(15, __import__('signal').SIG_IGN), __import__('time').sleep(100))"
    asleep = asyncio.create_task(failure_of(worker, evil(ignore)))
    await until(lambda: worker.child.busy)
    await worker.end()
    assert (await asleep).code == "ended"


async def test_who_waits_for_an_end_can_be_cancelled_in_the_moment_it_comes(worker: Worker) -> None:
    waiting = asyncio.create_task(worker.child.end())
    await asyncio.sleep(0)
    worker.child.ended.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    worker.child.ended.clear()


async def test_every_request_in_flight_is_told(worker: Worker, evil: Load) -> None:
    first = worker.child.request("load", {"format": "pickle"}, fds=(evil("__import__('os')._exit(7)"),))
    rest = [worker.child.request("call_rows", {"rows": [[1]]}) for _ in range(5)]
    outcomes = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [getattr(one, "code", None) for one in outcomes] == ["died"] * 6
    with pytest.raises(ChildFailed, match="exit code 7"):
        await worker.child.request("call_rows", {"rows": [[1]]})


async def test_the_queue_is_bounded(worker: Worker, evil: Load) -> None:
    fd = evil("__import__('time').sleep(100)")
    waiting = [worker.child.request("load", {"format": "pickle"}, fds=(fd,)) for _ in range(64)]
    with pytest.raises(ChildFailed) as caught:
        worker.child.request("load", {})
    assert caught.value.code == "busy"
    worker.child.kill()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_child_that_does_not_read_fills_no_memory(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "QUEUE_CAP", 8 << 20)
    os.kill(worker.child.pid, signal.SIGSTOP)
    waiting = [worker.child.request("call_array", body=bytes(2 << 20)) for _ in range(3)]
    with pytest.raises(ChildFailed, match="does not read"):
        worker.child.request("call_array", body=bytes(3 << 20))
    worker.child.kill()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {getattr(one, "code", None) for one in outcomes} == {"ended"}


async def test_a_caller_that_goes_away_leaves_the_child_in_order(worker: Worker, evil: Load) -> None:
    fd = evil(predicting("[len(X)] * len(X)"))
    await worker.load(fd, "pickle")
    gone = worker.child.request("call_rows", {"rows": [[1]]})
    gone.cancel()
    assert (await worker.call_rows([[1], [2]])).outputs == {"predict": [2, 2]}
    assert worker.child.busy == 0


async def test_descriptors_are_closed_with_their_request(worker: Worker, evil: Load) -> None:
    fd = evil("type(str(len(__import__('os').listdir('/proc/self/fd'))), (), {})()")
    counts = {(await worker.load(fd, "pickle")).model_class for _ in range(3)}
    assert len(counts) == 1


async def test_unknown_operations_are_refused(worker: Worker) -> None:
    with pytest.raises(ChildFailed, match="does not know the operation 'dance'"):
        await worker.child.request("dance")


async def test_an_interpreter_that_is_none(launcher: Launcher) -> None:
    with pytest.raises(ChildFailed, match="interpreter /nowhere/python cannot be started: no such file") as caught:
        await Worker.start(launcher, "model", python="/nowhere/python")
    assert caught.value.code == "start"


async def test_an_interpreter_that_cannot_boot(launcher: Launcher) -> None:
    with pytest.raises(ChildFailed) as caught:
        await Worker.start(launcher, "model", python="/bin/false")
    assert "the interpreter /bin/false is no Python 3.9 or newer" in caught.value.message


async def test_a_closed_launcher_starts_nothing() -> None:
    launcher = Launcher()
    await launcher.close()
    with pytest.raises(ChildFailed, match="closing"):
        await launcher.spawn("worker")


SLOW_DEATH = (
    "(lambda os, fd: [os.write(fd, bytes(1 << 20)) for _ in range(1 << 12)])"
    "(__import__('os'), __import__('os').memfd_create('much'))"
)


@pytest.mark.parametrize("megabytes", [768, *(pytest.param(2048, marks=pytest.mark.slow) for _ in range(5))])
async def test_a_death_by_memory_is_told_as_such_however_long_it_takes(
    launcher: Launcher, evil: Load, megabytes: int
) -> None:
    """The line closes first, and then it takes the kernel long to take a memory apart that no process maps."""
    limits = Limits(memory=megabytes << 20, group_extra=0)
    worker = await Worker.start(launcher, "hungry", limits=limits, sandbox=SandboxPlan(seccomp=False))
    if not worker.child.layers["cgroup"].active:
        pytest.skip(worker.child.layers["cgroup"].evidence)
    failure = await failure_of(worker, evil(SLOW_DEATH))
    assert failure.code == "out-of-memory"
    assert "control group" in failure.message
    assert failure.exit == "killed (SIGKILL)"


def test_a_process_that_is_dying_is_known_as_such() -> None:
    alive = subprocess.Popen(["sleep", "1000"])
    assert not is_dying(alive.pid)
    alive.send_signal(signal.SIGSTOP)
    assert not is_dying(alive.pid)
    alive.kill()
    os.waitid(os.P_PID, alive.pid, os.WEXITED | os.WNOWAIT)
    assert is_dying(alive.pid)
    alive.wait()
    assert is_dying(alive.pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_that_proc_hides_is_not_taken_for_a_dying_one() -> None:
    """`hidepid` hides other users' processes, and those of one's own that may not be traced."""
    with tempfile.TemporaryDirectory(prefix="everyones-") as directory:
        os.chmod(directory, 0o755)
        python, why = everyones_python(Path(directory))
        if not python:
            pytest.skip(why)
        ask = f"from console.worker.exit_status import is_dying; print(is_dying({os.getpid()}))"
        told = subprocess.run(
            [python, "-c", ask], cwd=PACKAGE_ROOT, user=65534, group=65534, extra_groups=[], capture_output=True
        )
    assert (told.stdout, told.stderr) == (b"False\n", b"")
