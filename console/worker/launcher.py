"""Starts children: a fresh interpreter for each, or a fork of the zygote for what may share its memory layout."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from console.errors import ConsoleError
from console.library_versions import Versions
from console.os_errors import as_system_error, hint, why
from console.records import Layer
from console.safe_text import safe
from console.worker.cgroups import Groups
from console.worker.child.sandbox.privileges import PR_SET_DUMPABLE, prctl
from console.worker.child_user import Identities, Identity
from console.worker.exit_status import Exit
from console.worker.failures import error_of, new_failure
from console.worker.interpreters import why_unfit
from console.worker.limits import PACKAGE_ROOT, Limits, SandboxPlan
from console.worker.process import ChildProcess
from console.worker.sandbox_report import Expected, layers_of, selftest_of
from console.worker.scratch import Scratch, end_abandoned
from console.worker.standby import Standby
from console.worker.watch import INTERVAL_S, Watch, may_look
from console.worker.wire import Head
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
    "HDF5_USE_FILE_LOCKING": "FALSE",
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
        self._groups = Groups()
        self._identities = Identities()
        self._watch = Watch()
        self._closing = False
        be_opaque()
        self._fit: set[str] = set()
        self._zygotes: dict[str, Zygote] = {}
        self._standby: Standby | None = None
        self._standing: tuple[Limits, SandboxPlan] | None = None

    @property
    def forks(self) -> bool:
        """Whether workers of the console's own interpreter are forked, now or soon."""
        return sys.executable in self._zygotes

    def end_abandoned(self) -> int:
        """End what consoles that were killed left running on this machine, and remove what they left lying about; how
        many processes that were. For a thread; never raises."""
        ended = self._groups.end_abandoned()
        return ended + end_abandoned()

    def warm(self, python: str | None = None, modules: Sequence[str] = PRELOAD) -> Zygote:
        """Have a zygote for this interpreter with these modules, from now on; it becomes ready in the background."""
        path = python or sys.executable
        if path not in self._zygotes:
            self._identities.find_out(path, self._scratch.directory())
            plan = SandboxPlan(forks=True)
            self._zygotes[path] = Zygote(
                lambda: self.spawn("zygote", label="zygote", python=path, sandbox=plan), modules
            )
        return self._zygotes[path]

    def stand_by(self) -> Standby:
        """Have a zygote of the console's own interpreter, and a fork of it that stands ready to become a worker."""
        if self._standby is None:
            self._standby = Standby(self.warm(), self._stand)
        return self._standby

    def expect(self, modules: Iterable[str]) -> None:
        """Models that name these modules may be loaded soon by the console's own interpreter."""
        if sys.executable in self._zygotes:
            self._zygotes[sys.executable].expect(modules)

    async def spawn(
        self,
        kind: str,
        *,
        label: str = "",
        fresh: bool = True,
        python: str | None = None,
        limits: Limits | None = None,
        sandbox: SandboxPlan | None = None,
    ) -> ChildProcess:
        """Start a child of this kind and put it into its sandbox.

        `fresh` asks for a new interpreter (what is not `safe` must have one), `python` for the one at that path.
        `label` names the artifact in failures.
        Raises ChildFailed when it cannot be started.
        """
        if self._closing:
            raise error_of(new_failure(label, "start", "ended", "the console is closing"))
        path = python or sys.executable
        plan = sandbox or self.sandbox
        if path != sys.executable:
            await self._require_fit(label, path)
        limits, child = limits or self.limits, None
        if kind == "worker" and not fresh and path == sys.executable:
            child = self._taken(limits, plan, label)
        try:
            child = child or await self._spawned(kind, label, path, fresh, limits, plan)
        except (OSError, RuntimeError, MemoryError) as error:
            system = as_system_error(error)
            if system is None:
                raise
            raise _not_started(kind, label, path, system) from None
        self._look_after(child, limits, plan)
        return child

    async def _spawned(
        self, kind: str, label: str, path: str, fresh: bool, limits: Limits, plan: SandboxPlan
    ) -> ChildProcess:
        identity = await self._identity(kind, path, plan)
        scratch = self._scratch.new(identity.uid)
        try:
            child = None if fresh else await self._fork(kind, label, path)
            child = child or self._execute(kind, label, path, scratch)
        except OSError:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        child.versions = Versions(python=path)
        self._adopt(child, scratch)
        if plan.forks and kind != "zygote":
            await self._remember(child)
        await self._enter_sandbox(child, limits, plan, identity)
        return child

    async def _require_fit(self, label: str, python: str) -> None:
        """Ask another interpreter what it is, once for each. Raises ChildFailed where no child can run under it."""
        if python in self._fit:
            return
        unfit = await asyncio.to_thread(why_unfit, python)
        if unfit is not None:
            hint = "name a CPython 3.9 or newer that has the model's libraries as environment.python in the recipe"
            message = f"the interpreter {python} {unfit}; nothing was started"
            raise error_of(new_failure(label, "start", "start", message, hint=hint))
        self._fit.add(python)

    def _taken(self, limits: Limits, plan: SandboxPlan, label: str) -> ChildProcess | None:
        """The child that stands ready, if it is confined as this one has to be."""
        if self._standby is None or self._standing != (limits, plan):
            return None
        child = self._standby.take()
        if child is not None:
            child.claim(label)
        return child

    async def _stand(self) -> ChildProcess | None:
        """A fork in its sandbox, which is looked after once it is given something."""
        self._standing = self.limits, self.sandbox
        try:
            return await self._spawned("worker", "", sys.executable, False, *self._standing)
        except ConsoleError:
            return None

    async def close(self) -> None:
        """End every child and remove their scratch directories."""
        self._closing = True
        if self._standby is not None:
            await self._standby.close()
        await asyncio.gather(*(zygote.close() for zygote in self._zygotes.values()))
        await asyncio.gather(*(child.end() for child in tuple(self.children)))
        self._watch.close()
        await self._identities.close()
        await asyncio.to_thread(self._groups.close)
        self._scratch.close()

    async def _identity(self, kind: str, python: str, plan: SandboxPlan) -> Identity:
        """Who the child becomes; a zygote stays who the console is, so that its forks can become somebody else."""
        if kind == "zygote" or not plan.user:
            return Identity(why="it was not asked for")
        return await self._identities.of(python, self._scratch.directory(), plan.readable)

    def _adopt(self, child: ChildProcess, scratch: str) -> None:
        child.scratch = scratch
        self.children.add(child)
        child.on_end.append(self.children.discard)

    async def _remember(self, child: ChildProcess) -> None:
        """Take down a child that may start others, for the next start. Raises OSError, without the child."""
        try:
            remembered = self._scratch.remember_session(child.pid)
        except OSError:
            child.kill("start", "did not start")
            await child.ended.wait()
            raise
        child.on_end.append(lambda _child: Path(remembered).unlink(missing_ok=True))

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
        except BaseException:
            channels.close_ours()
            raise
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
            pidfd = _watched(process)
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

    async def _enter_sandbox(self, child: ChildProcess, limits: Limits, plan: SandboxPlan, identity: Identity) -> None:
        child.memory_limit = limits.memory
        begun = time.perf_counter()
        grouping = asyncio.create_task(self._grouped(child, limits, plan))
        fields = self._frame(child, limits, plan, identity)
        before = time.perf_counter() - begun
        try:
            head, _body = await child.request("start", fields, deadline=START_DEADLINE)
            begun = time.perf_counter()
            ours = await grouping
        except BaseException:
            child.kill("start", "did not start")
            await asyncio.wait([grouping])
            await child.ended.wait()
            raise
        child.selftest, failed = selftest_of(head.get("selftest"))
        expected = Expected(child.pid, limits, identity, child.group.name)
        child.layers = layers_of(head.get("layers"), ours, child.selftest, failed, expected)
        after = time.perf_counter() - begun
        child.sandbox_ms = (*milliseconds(head.get("sandbox_ms")), (before + after) * 1e3)
        python = head.get("python")
        child.python = python[:100] if isinstance(python, str) else ""

    def _look_after(self, child: ChildProcess, limits: Limits, plan: SandboxPlan) -> None:
        """Bound what the kernel does not: the scratch directory, and memory that no control group counts."""
        if child.kind == "zygote" or not plan.limits:
            return
        group, said = child.layers.get("cgroup"), child.layers.get("limits")
        counted = group is not None and group.active
        self._watch.add(child, limits, memory=not counted)
        if said is not None:
            child.layers["limits"] = Layer(said.active, f"{said.evidence}{_looked_after(child.pid, limits, counted)}")

    def _frame(self, child: ChildProcess, limits: Limits, plan: SandboxPlan, identity: Identity) -> Head:
        """The first frame a child gets: all it needs to put its layers on and to test them."""
        canary, canary_why = self._scratch.canary([*plan.readable, *plan.writable])
        return {
            "limits": asdict(limits),
            "sandbox": asdict(plan),
            "scratch": child.scratch,
            "root": PACKAGE_ROOT,
            "user": asdict(identity),
            "canary": canary,
            "canary_why": canary_why,
            "parent": os.getpid(),
            "label": safe(child.label, 200),
        }

    async def _grouped(self, child: ChildProcess, limits: Limits, plan: SandboxPlan) -> dict[str, Layer]:
        """Give the child a control group of its own, while it puts on the other layers; the kernel takes its time."""
        if child.kind == "zygote":
            return {}
        if not plan.cgroup:
            return {"cgroup": Layer(False, "not asked for")}
        child.group = group = self._groups.new()
        child.on_end.append(lambda _child: self._groups.end(group))
        return {"cgroup": await asyncio.to_thread(group.join, child.pid, limits)}


def _watched(process: subprocess.Popen[bytes]) -> int:
    """A pidfd of a process just started, which ends where there is none to be had. Raises OSError."""
    try:
        return os.pidfd_open(process.pid)
    except OSError:
        process.kill()
        process.wait()
        raise


def _not_started(kind: str, label: str, path: str, error: OSError) -> ConsoleError:
    about = f"{error.filename}: " if error.filename and error.filename != path else ""
    message = f"no {kind} can be started with {path}: {about}{why(error)}"
    return error_of(new_failure(label, "start", "start", message, hint=hint(error)))


def be_opaque() -> None:
    """Nobody of this user but root looks into this process from now on, whatever a child's sandbox may lack."""
    with suppress(OSError):
        prctl(PR_SET_DUMPABLE, 0)


def environment(scratch: str) -> dict[str, str]:
    """A child's whole environment: an allow-list, never what the console was started with."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**_ENVIRONMENT, **passed, "HOME": scratch, "TMPDIR": scratch}


def _looked_after(pid: int, limits: Limits, counted: bool) -> str:
    """The limits that the console itself enforces, in words."""
    often = f"looked at every {INTERVAL_S:g} s"
    words = f"; scratch directory: {limits.scratch >> 20} MiB and {limits.scratch_files} files in all, {often}"
    if counted:
        return words
    if not may_look(pid):
        return f"{words}; without a control group files in memory are not counted: /proc/{pid}/fd cannot be read"
    memory = limits.memory >> 20
    return f"{words}; without a control group up to {memory} MiB more in files in memory, {often}"


class _Channels:
    """Control socket (ours and theirs) and two output pipes (we read, they write)."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        ends: list[int] = []
        try:
            for _ in range(2):
                ends += os.pipe()
        except OSError:
            for fd in ends:
                os.close(fd)
            self.ours.close()
            self.theirs.close()
            raise
        self.readers, self.writers = (ends[0], ends[2]), (ends[1], ends[3])

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


def milliseconds(said: object) -> tuple[float, ...]:
    """How long the child says its layers and its self-test took."""
    numbers = said if isinstance(said, list) else []
    return tuple(float(number) for number in numbers[:2] if isinstance(number, (int, float)))
