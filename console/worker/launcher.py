"""Starts children: a fresh interpreter for each, or a fork of the zygote for what may share its memory layout."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from console.errors import ConsoleError
from console.records import Layer
from console.worker.exits import Exit
from console.worker.failures import error_of, new_failure
from console.worker.limits import PACKAGE_ROOT, Limits, SandboxPlan
from console.worker.process import ChildProcess
from console.worker.scratch import Scratch
from console.worker.zygote import PRELOAD, Zygote

START_DEADLINE = 30.0
BOOT = os.path.join(PACKAGE_ROOT, "console", "worker", "boot.py")

_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",
    "JOBLIB_MULTIPROCESSING": "0",
    "HDF5_PLUGIN_PRELOAD": "::",
    "MPLBACKEND": "Agg",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
_PASSED_ON = ("TZ", "CUDA_VISIBLE_DEVICES")


class Launcher:
    """Starts children and ends all of them on `close`. One for each engine, used from its event loop only."""

    def __init__(self, limits: Limits | None = None, sandbox: SandboxPlan | None = None) -> None:
        self.limits = limits or Limits()
        self.sandbox = sandbox or SandboxPlan()
        self.children: set[ChildProcess] = set()
        self._scratch = Scratch()
        self._closing = False
        self._zygotes: dict[str, Zygote] = {}

    def warm(self, python: str | None = None, modules: Sequence[str] = PRELOAD) -> Zygote:
        """Have a zygote for this interpreter with these modules, from now on; it becomes ready in the background."""
        path = python or sys.executable
        if path not in self._zygotes:
            plan = SandboxPlan(landlock=False, seccomp=False, namespaces=False, forks=True)
            self._zygotes[path] = Zygote(
                lambda: self.spawn("zygote", label="zygote", python=path, sandbox=plan), modules
            )
        return self._zygotes[path]

    async def spawn(
        self,
        kind: str,
        *,
        label: str = "",
        fresh: bool = True,
        python: str | None = None,
        limits: Limits | None = None,
        sandbox: SandboxPlan | None = None,
        files: Sequence[int] = (),
    ) -> ChildProcess:
        """Start a child of this kind and put it into its sandbox.

        `fresh` asks for a new interpreter (what is not `safe` must have one), `python` for the one at that path.
        `label` names the artifact in failures; `files` are open files it may open again by name, for mmap.
        Raises ChildFailed when it cannot be started.
        """
        if self._closing:
            raise error_of(new_failure(label, "start", "ended", "the console is closing"))
        scratch = self._scratch.new()
        path = python or sys.executable
        try:
            child = None if fresh else await self._fork(kind, label, path)
            child = child or self._execute(kind, label, path, scratch)
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            message = f"cannot start {path}: {error.strerror or error}"
            raise error_of(new_failure(label, "start", "start", message)) from None
        self._adopt(child, scratch)
        await self._enter_sandbox(child, limits or self.limits, sandbox or self.sandbox, files)
        return child

    async def close(self) -> None:
        """End every child and remove their scratch directories."""
        self._closing = True
        await asyncio.gather(*(zygote.close() for zygote in self._zygotes.values()))
        await asyncio.gather(*(child.end() for child in tuple(self.children)))
        self._scratch.close()

    def _adopt(self, child: ChildProcess, scratch: str) -> None:
        child.scratch = scratch
        self.children.add(child)
        child.on_end.append(self.children.discard)

    async def _fork(self, kind: str, label: str, python: str) -> ChildProcess | None:
        """A fork of this interpreter's zygote; None when there is none, or it is not ready, or it fails."""
        zygote = self._zygotes.get(python)
        if zygote is None or not zygote.ready:
            return None
        channels = _Channels()
        try:
            pid, pidfd, reap = await zygote.fork(kind, label, channels.theirs, channels.writers)
        except (ConsoleError, OSError):
            channels.close_ours()
            return None
        finally:
            channels.close_theirs()
        return ChildProcess(kind, label, pid, pidfd, channels.ours, channels.readers, reap)

    def _execute(self, kind: str, label: str, python: str, scratch: str) -> ChildProcess:
        channels = _Channels()
        try:
            process = subprocess.Popen(
                [python, "-I", BOOT, kind, str(channels.theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=channels.writers[0],
                stderr=channels.writers[1],
                pass_fds=(channels.theirs.fileno(),),
                start_new_session=True,
                cwd=scratch,
                env=environment(scratch),
            )
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            channels.close_ours()
            raise
        finally:
            channels.close_theirs()

        async def reap() -> Exit:
            _pid, status, usage = os.wait4(process.pid, 0)  # noqa: ASYNC222 - it is dead already
            process.returncode = os.waitstatus_to_exitcode(status)
            return Exit.of(status, usage.ru_maxrss)

        return ChildProcess(kind, label, process.pid, pidfd, channels.ours, channels.readers, reap)

    async def _enter_sandbox(
        self, child: ChildProcess, limits: Limits, plan: SandboxPlan, files: Sequence[int]
    ) -> None:
        child.memory_limit = limits.memory
        fields = {"limits": asdict(limits), "sandbox": asdict(plan), "scratch": child.scratch, "root": PACKAGE_ROOT}
        try:
            head, _body = await child.request("start", fields, fds=files, deadline=START_DEADLINE)
        except BaseException:
            child.kill("start", "did not start")
            await child.ended.wait()
            raise
        child.layers = _layers(head.get("layers"), child.pid)
        python = head.get("python")
        child.python = python[:100] if isinstance(python, str) else ""


def environment(scratch: str) -> dict[str, str]:
    """A child's whole environment: an allow-list, never what the console was started with."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**_ENVIRONMENT, **passed, "HOME": scratch, "TMPDIR": scratch}


class _Channels:
    """Control socket (ours and theirs) and two output pipes (we read, they write)."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        out, err = os.pipe(), os.pipe()
        self.readers, self.writers = (out[0], err[0]), (out[1], err[1])

    def close_ours(self) -> None:
        """When no child came of it."""
        self.ours.close()
        for fd in self.readers:
            os.close(fd)

    def close_theirs(self) -> None:
        """Once the child has its own."""
        self.theirs.close()
        for fd in self.writers:
            os.close(fd)


def _layers(said: object, pid: int) -> dict[str, Layer]:
    """The layers a child claims, with the kernel's own word over the child's where there is one."""
    layers = {}
    for name, layer in said.items() if isinstance(said, dict) else ():
        if isinstance(layer, list) and len(layer) == 2 and isinstance(layer[1], str):
            layers[str(name)[:40]] = Layer(layer[0] is True, layer[1][:500])
    for name, key, wanted in (("no_new_privs", "NoNewPrivs", "1"), ("seccomp", "Seccomp", "2")):
        found = _status(pid).get(key)
        if name in layers and layers[name].active and found != wanted:
            layers[name] = Layer(False, f"the kernel says {key}: {found}")
    return layers


def _status(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
            return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
    except OSError:
        return {}
