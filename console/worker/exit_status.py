"""How a child ended, in words, with the evidence for an out-of-memory kill."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from console.processes import exists, process_stat

_WORDS = {
    signal.SIGSEGV: "segmentation fault",
    signal.SIGBUS: "bus error",
    signal.SIGABRT: "abort",
    signal.SIGFPE: "arithmetic fault in native code",
    signal.SIGILL: "illegal instruction",
    signal.SIGKILL: "killed",
    signal.SIGTERM: "asked to end",
    signal.SIGXCPU: "CPU time limit exceeded",
    signal.SIGXFSZ: "file size limit exceeded",
    signal.SIGSYS: "a system call the sandbox forbids",
}


_EXITING = 0x4
"""PF_EXITING of linux/sched.h, among the flags in /proc/PID/stat."""
_KILL_PENDING = 1 << (signal.SIGKILL - 1)


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a process: an exit code or a signal, never both. `peak` is its largest resident size in bytes."""

    code: int | None = None
    signal: int | None = None
    peak: int | None = None

    @classmethod
    def of(cls, status: int, peak_kib: int | None = None) -> Exit:
        """From a wait status and ru_maxrss (KiB, as Linux counts it)."""
        peak = peak_kib * 1024 if peak_kib else None
        if os.WIFSIGNALED(status):
            return cls(signal=os.WTERMSIG(status), peak=peak)
        return cls(code=os.waitstatus_to_exitcode(status), peak=peak)

    @property
    def words(self) -> str:
        """For example `segmentation fault (SIGSEGV)`, or `ended without an answer (exit code 0)`."""
        if self.signal is not None:
            try:
                number = signal.Signals(self.signal)
            except ValueError:
                return f"killed by signal {self.signal}"
            return f"{_WORDS.get(number, 'ended by a signal')} ({number.name})"
        if self.code is None:
            return "ended with its zygote"
        return f"ended without an answer (exit code {self.code})"


@dataclass(frozen=True, slots=True)
class OomCounters:
    """The kernel's counts of out-of-memory kills: on the whole machine, and in this process's control group."""

    machine: int
    group: int

    @classmethod
    def read(cls) -> OomCounters:
        """Read both now; a count that cannot be read is 0."""
        return cls(_count("/proc/vmstat"), _count(_group_events()))

    def since(self, before: OomCounters) -> str:
        """Kills for memory since `before`, in words; empty when no process was killed for memory."""
        if self.group > before.group:
            return "the memory limit of the console's control group was reached"
        if self.machine > before.machine:
            return "the machine ran out of memory"
        return ""


def _group_events() -> str:
    """The file with this process's cgroup memory events, version 2 or 1; empty when there is none."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as lines:
            for line in lines:
                _number, controllers, path = line.rstrip("\n").split(":", 2)
                if not controllers:
                    candidate = f"/sys/fs/cgroup{path}/memory.events"
                elif "memory" in controllers.split(","):
                    candidate = f"/sys/fs/cgroup/memory{path}/memory.oom_control"
                else:
                    continue
                if os.path.exists(candidate):
                    return candidate
    except (OSError, ValueError):
        pass
    return ""


def _count(path: str) -> int:
    try:
        with open(path, encoding="ascii") as lines:
            for line in lines:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except (OSError, ValueError, UnicodeDecodeError):
        pass
    return 0


def resident_bytes(pid: int) -> int | None:
    """The resident size of a live process, or None."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def is_dying(pid: int) -> bool:
    """Whether the process is on its way out, or gone: taking a large memory apart takes the kernel seconds."""
    try:
        stat = process_stat(pid)
        return stat.state in ("Z", "X") or bool(stat.flags & _EXITING or stat.pending & _KILL_PENDING)
    except OSError:
        return not exists(pid)
    except (ValueError, IndexError):
        return True


def is_stopped(pid: int) -> bool:
    """Whether the process was stopped by a signal (SIGSTOP) and so cannot answer."""
    try:
        return process_stat(pid).state in ("T", "t")
    except (OSError, ValueError, IndexError):
        return False
