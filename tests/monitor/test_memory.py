from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from console.monitor.memory import MemorySampler, Readings

Start = Callable[[str], "subprocess.Popen[bytes]"]

HOLDS_64_MB = "import sys; held = bytearray(b'x') * (64 << 20); print('up', flush=True); sys.stdin.read()"
WITH_A_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {HOLDS_64_MB!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline(); print("up", flush=True); sys.stdin.read(); child.stdin.close(); child.wait()
"""


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def launch(program: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        return child

    yield launch
    for child in running:
        child.kill()
        child.communicate()


def sampled(pid: int) -> Readings:
    sampler = MemorySampler(lambda readings: None)
    sampler._thread = threading.current_thread()
    sampler.watch("x", pid)
    return sampler.sample()


def test_rss_pss_private_and_peak_are_read(start: Start) -> None:
    child = start(HOLDS_64_MB)
    memory, _ = sampled(child.pid)["x"]
    assert memory.rss > 64 << 20
    assert memory.pss is not None
    assert 64 << 20 < memory.pss <= memory.rss
    assert memory.private is not None
    assert 64 << 20 < memory.private <= memory.pss
    assert memory.peak is not None
    assert memory.peak >= 64 << 20


def test_children_of_the_worker_count(start: Start) -> None:
    parent = start(WITH_A_CHILD)
    memory, _ = sampled(parent.pid)["x"]
    assert memory.rss > 64 << 20


def test_readings_come_until_the_process_dies_and_another_may_take_its_place(start: Start) -> None:
    readings: queue.Queue[Readings] = queue.Queue()
    sampler = MemorySampler(readings.put)
    first, second = start(HOLDS_64_MB), start(HOLDS_64_MB)
    try:
        sampler.watch("a", first.pid, fast=True)
        assert readings.get(timeout=60)["a"][0].rss > 64 << 20
        first.kill()
        first.wait()
        while "a" in sampler._trees:
            sampler.sample()
        sampler.watch("a", second.pid, fast=True)
        while not readings.empty():
            readings.get()
        assert readings.get(timeout=60)["a"][0].rss > 64 << 20
    finally:
        sampler.close()
    assert sampler._thread is not None
    assert not sampler._thread.is_alive()


def test_cpu_is_in_percent_of_one_core(start: Start) -> None:
    child = start("print('up', flush=True)\nwhile True: pass")
    readings: queue.Queue[Readings] = queue.Queue()
    sampler = MemorySampler(readings.put)
    sampler.watch("busy", child.pid, fast=True)
    try:
        cpu = None
        for _ in range(60):
            cpu = readings.get(timeout=60)["busy"][1]
            if cpu is not None and cpu > 5:
                break
        assert cpu is not None
        assert 5 < cpu < 160
    finally:
        sampler.close()


def test_a_process_that_is_not_there_is_ignored() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert sampled(child.pid) == {}


def test_a_zombie_counts_as_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert sampled(pid) == {}
    os.waitpid(pid, 0)


def test_nothing_to_watch_means_no_thread() -> None:
    sampler = MemorySampler(lambda readings: None)
    assert sampler._thread is None
    sampler.close()
