from __future__ import annotations

import os
import signal

import pytest

from console.worker.exit_status import Exit, OomCounters, is_stopped, resident_bytes


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda: os._exit(0), "ended without an answer (exit code 0)"),
        (lambda: os._exit(3), "ended without an answer (exit code 3)"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed (SIGKILL)"),
        (lambda: os.kill(os.getpid(), signal.SIGXCPU), "CPU time limit exceeded (SIGXCPU)"),
        (lambda: os.kill(os.getpid(), signal.SIGUSR1), "ended by a signal (SIGUSR1)"),
        (lambda: os.kill(os.getpid(), 40), "killed by signal 40"),
    ],
)
def test_real_ends_in_words(end: object, words: str) -> None:
    assert callable(end)
    pid = os.fork()
    if pid == 0:
        end()
        os._exit(99)
    _pid, status, usage = os.wait4(pid, 0)
    found = Exit.of(status, usage.ru_maxrss)
    assert found.words == words
    assert found.peak is not None
    assert found.peak > 1 << 20


def test_oom_counters_are_compared() -> None:
    before = OomCounters.read()
    assert OomCounters.read().since(before) == ""
    assert "control group" in OomCounters(before.machine + 1, before.group + 1).since(before)
    assert "machine" in OomCounters(before.machine + 1, before.group).since(before)


def test_a_live_process_and_one_that_is_none() -> None:
    assert (resident_bytes(os.getpid()) or 0) > 1 << 20
    assert not is_stopped(os.getpid())
    assert resident_bytes(-1) is None
    assert not is_stopped(-1)
