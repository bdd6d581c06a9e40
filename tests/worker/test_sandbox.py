"""The layers hold: each is tried from inside, by a model that is loaded."""

from __future__ import annotations

import ast
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from console.errors import ConsoleError
from console.records import LAYERS
from console.worker.child.sandbox import landlock, seccomp
from console.worker.child.sandbox.confinement import MEMORY_FILES
from console.worker.child.sandbox.privileges import prctl
from console.worker.launcher import Launcher, environment
from console.worker.limits import PACKAGE_ROOT, SandboxPlan
from console.worker.model import Worker
from tests.worker.ground import everyones_python
from tests.worker.payloads import Load, until

OS = "__import__('os')"
PR_GET_DUMPABLE = 3


def gone(pid: int) -> bool:
    """Whether the process has ended; init may not have reaped it yet."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def attempt(worker: Worker, evil: Load, expression: str) -> str:
    """The exception type this expression ends in, or what it evaluates to."""
    fd = evil(f"type(str({expression}), (), {{}})()")
    try:
        return (await worker.load(fd, "pickle")).model_class
    except ConsoleError as error:
        return str(error.failure and (error.failure.type or error.failure.code))


async def test_every_layer_reports(worker: Worker) -> None:
    assert tuple(worker.child.layers) == LAYERS
    assert all(layer.evidence for layer in worker.child.layers.values())
    for name in ("descriptors", "terminal", "limits", "no_new_privs"):
        assert worker.child.layers[name].active
    assert worker.child.layers["landlock"].active == (landlock.abi() > 0)


async def test_only_the_scratch_directory_is_written(worker: Worker, evil: Load, tmp_path: Path) -> None:
    assert worker.child.layers["landlock"].active
    mine = tmp_path / "mine"
    mine.write_text("secret")
    assert await attempt(worker, evil, f"open({str(mine)!r}).read()") == "PermissionError"
    assert await attempt(worker, evil, "open('/etc/passwd').read()") == "PermissionError"
    assert await attempt(worker, evil, f"open({str(tmp_path / 'new')!r}, 'w').write('x')") == "PermissionError"
    assert await attempt(worker, evil, f"{OS}.unlink({str(mine)!r})") == "PermissionError"
    assert (await attempt(worker, evil, "open('inside', 'w').write('x')")).endswith(".1")
    assert mine.read_text() == "secret"


@pytest.mark.parametrize(
    "expression",
    [
        f"{OS}.fork()",
        f"{OS}.posix_spawn('/bin/true', ['true'], {{}})",
        f"{OS}.execv('/bin/true', ['true'])",
        "__import__('socket').socket()",
        f"{OS}.kill(1, 0)",
        f"{OS}.kill({OS}.getppid(), 0)",
        f"{OS}.chmod('.', 0o777)",
        "__import__('subprocess').run(['true'])",
    ],
)
async def test_processes_sockets_and_signals_are_denied(worker: Worker, evil: Load, expression: str) -> None:
    assert worker.child.layers["seccomp"].active
    assert await attempt(worker, evil, expression) == "PermissionError"


async def test_what_a_child_starts_ends_with_it(launcher: Launcher, evil: Load) -> None:
    worker = await Worker.start(launcher, "model", sandbox=SandboxPlan(forks=True))
    assert await attempt(worker, evil, f"{OS}.setsid()") == "PermissionError"
    found = await attempt(worker, evil, f"{OS}.fork() or __import__('time').sleep(1000)")
    grandchild = int(found.rpartition(".")[2])
    assert psutil.Process(grandchild).ppid() == worker.child.pid
    await worker.end()
    await until(lambda: gone(grandchild))


async def test_threads_still_work(worker: Worker, evil: Load) -> None:
    pool = "list(__import__('concurrent.futures').futures.ThreadPoolExecutor(2).map(str, [1, 2]))"
    assert (await attempt(worker, evil, pool)).endswith("['1', '2']")


@pytest.mark.parametrize("fresh", [True, False])
async def test_the_environment_is_our_list(
    launcher: Launcher, evil: Load, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    for name in ("SECRET_TOKEN", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "LD_LIBRARY_PATH", "SSH_AUTH_SOCK", "DISPLAY"):
        monkeypatch.setenv(name, "/somewhere")
    monkeypatch.setenv("TZ", "UTC")
    if not fresh:
        await launcher.warm(modules=("console.worker.child.model", "backends.formats.pickle.plain")).warmed()
    worker = await Worker.start(launcher, "model", fresh=fresh)
    found = await attempt(worker, evil, f"sorted({OS}.environ)")
    names = set(re.findall(r"'([^']+)'", found))
    assert names <= {*environment(""), "LC_CTYPE"}
    assert names >= {"HOME", "TMPDIR", "TZ", "OMP_NUM_THREADS", "HDF5_PLUGIN_PRELOAD"}
    assert worker.child.scratch in await attempt(worker, evil, f"{OS}.environ['HOME'] + {OS}.environ['TMPDIR']")


@pytest.mark.parametrize("fresh", [True, False])
async def test_an_operator_sees_which_process_serves_what(launcher: Launcher, fresh: bool) -> None:
    zygote = launcher.warm(modules=("console.worker.child.model", "backends.formats.pickle.plain"))
    await zygote.warmed()
    child = await launcher.spawn("worker", label="churn/rf\x1b[31m", fresh=fresh)
    assert psutil.Process(child.pid).cmdline()[0] == "model-console worker churn/rf\\x1b[31m"
    assert psutil.Process(child.pid).name() == "mc-worker"
    assert psutil.Process(zygote.pid).cmdline()[0] == "model-console zygote zygote"


def stuck_console(python: str) -> subprocess.Popen[str]:
    """A console whose one worker is busy for good; it prints the worker's process id."""
    program = f"""
import asyncio, os, pickle
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.worker.payloads import Payload
async def main():
    worker = await Worker.start(Launcher(), "stuck", python={python!r})
    print(worker.child.pid, flush=True)
    fd = os.memfd_create("model")
    os.write(fd, pickle.dumps(Payload("__import__('time').sleep(1000)")))
    await worker.load(fd, "pickle")
asyncio.run(main())
"""
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=PACKAGE_ROOT)


async def test_a_busy_worker_dies_with_a_killed_console() -> None:
    with tempfile.TemporaryDirectory(prefix="everyones-") as directory:
        os.chmod(directory, 0o755)
        other, _why = everyones_python(Path(directory))
        for python in filter(None, (sys.executable, other)):
            with stuck_console(python) as console:
                assert console.stdout is not None
                worker = int(console.stdout.readline())
                console.kill()
            await until(lambda worker=worker: gone(worker))  # type: ignore[misc]


async def test_the_console_cannot_be_looked_into(launcher: Launcher) -> None:
    assert prctl(PR_GET_DUMPABLE) == 0
    await launcher.spawn("worker")


def test_no_code_of_the_console_turns_a_layer_off() -> None:
    for path in sorted(Path(PACKAGE_ROOT, "console").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = {keyword.arg for keyword in node.keywords} if isinstance(node, ast.Call) else set()
            assert not named & (set(LAYERS) - {"limits", "terminal"}), f"{path}: {named}"


async def test_descriptors_and_stdin(launcher: Launcher, evil: Load) -> None:
    stray = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(stray, True)
    try:
        worker = await Worker.start(launcher, "model")
        found = await attempt(worker, evil, f"[{OS}.readlink('/proc/self/fd/0')] + {OS}.listdir('/proc/self/fd')")
    finally:
        os.close(stray)
    assert "/dev/null" in found
    assert len(found.split(",")) <= 7 + MEMORY_FILES


async def test_layers_that_are_not_asked_for_say_so(launcher: Launcher, evil: Load) -> None:
    plan = SandboxPlan(landlock=False, seccomp=False, namespaces=False)
    worker = await Worker.start(launcher, "model", sandbox=plan)
    for name in ("landlock", "seccomp", "namespaces"):
        assert not worker.child.layers[name].active
        assert worker.child.layers[name].evidence == "not asked for"


async def test_readable_paths_are_readable(launcher: Launcher, evil: Load, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("x")
    worker = await Worker.start(launcher, "model", sandbox=SandboxPlan().reading(str(tmp_path)))
    assert (await attempt(worker, evil, f"open({str(tmp_path / 'given')!r}).read()")).endswith(".x")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_whole_instructions_that_jump_inside(machine: str) -> None:
    code = seccomp.program(machine, 1234)
    assert len(code) % 8 == 0
    count = len(code) // 8
    assert count < 4096
    for index in range(count):
        operation, if_true, if_false = (
            int.from_bytes(code[8 * index : 8 * index + 2], "little"),
            *code[8 * index + 2 : 8 * index + 4],
        )
        if operation & 7 == 5:
            assert index + 1 + max(if_true, if_false) < count


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(OSError, match="no filter is written for riscv64"):
        seccomp.program("riscv64", 1)
    assert platform.machine()
