"""The output of a model's processes: by line and process, bounded, over deaths and reloads, in memory alone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from console.engine.local import Engine
from console.records import LogLine, LogPart, WorkerState
from console.serving.worker_logs import CAP, LINES, LOGS, PIECES, WorkerLog, WorkerLogs
from console.worker.log_text import LINE_CAP
from tests.engine.conftest import until


class Clock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(clock: Clock) -> WorkerLog:
    found = WorkerLog(clock)
    found.begin(7)
    return found


def parts(log: WorkerLog, after: int = 0) -> Iterator[LogPart]:
    """All there is to look at after a line, part by part."""
    more = True
    while more:
        part = log.look(after)
        after, more = (part.ended[-1].number if part.ended else after), part.more
        yield part


def lines(log: WorkerLog, after: int = 0) -> list[LogLine]:
    """The lines that ended, the mark of the start apart."""
    return [line for part in parts(log, after) for line in part.ended if line.text != "worker 7 started"]


def texts(log: WorkerLog) -> list[str]:
    return [line.text for line in lines(log)]


def test_lines_are_told_by_stream_time_and_process_and_each_once(log: WorkerLog, clock: Clock) -> None:
    log.take(7, 1, b"printed\nhalf")
    clock.now += 5
    log.take(7, 2, b"warned\n")
    seen = lines(log)
    assert [(line.stream, line.text, line.when, line.pid) for line in seen] == [
        ("out", "printed", 1000.0, 7),
        ("err", "warned", 1005.0, 7),
    ]
    assert [line.text for line in log.look().open] == ["half"]
    clock.now += 5
    log.take(7, 1, b" and whole\n")
    assert [(line.text, line.when) for line in lines(log, seen[-1].number)] == [("half and whole", 1010.0)]
    assert log.look().open == ()


def test_a_progress_bar_keeps_its_last_state_however_long_it_runs(log: WorkerLog) -> None:
    for percent in range(0, 100, 5):
        log.take(7, 2, b"\r%3d%%|#   |" % percent)
        assert [line.text for line in log.look().open] == [f"{percent:3}%|#   |"]
    for _ in range(100):
        log.take(7, 2, b"\r 99%" * 10_000)
        list(parts(log))
    log.take(7, 2, b"\r100%\ndone\n")
    assert texts(log) == ["100%", "done"]


def test_a_line_without_end_is_cut_and_counted(log: WorkerLog) -> None:
    for _ in range(10):
        log.take(7, 1, b"y" * 50_000)
        list(parts(log))
    log.take(7, 1, b"z\nnext\n")
    cut, following = texts(log)
    assert cut == "y" * LINE_CAP + f"… {500_001 - LINE_CAP:,} bytes more"
    assert following == "next"


def test_a_character_that_comes_in_two_pieces_is_one(log: WorkerLog) -> None:
    first, second = "幅".encode()[:1], "幅".encode()[1:]
    log.take(7, 1, b"wide " + first)
    assert [line.text for line in log.look().open] == ["wide "]
    log.take(7, 1, second + b"\n")
    assert texts(log) == ["wide 幅"]


def test_a_flood_keeps_its_end_and_tells_what_it_lost(log: WorkerLog) -> None:
    for number in range(400):
        log.take(7, 2, b"%07d\n" % number * 8_000)
    log.take(7, 2, b"last\n")
    assert sum(len(piece.data) for piece in log._pieces) <= CAP
    list(parts(log))
    kept = lines(log)
    assert kept[-1].text == "last"
    assert len(kept) <= LINES
    other = WorkerLog()
    other.begin(7)
    other.take(7, 2, b"begun, and ")
    other.look()
    for _ in range(6):
        other.take(7, 2, b"x" * 59_999 + b"\n")
    seen = texts(other)
    assert seen[:2] == ["begun, and ", "120,000 bytes were not kept"]
    assert sum("not kept" in line for line in seen) == 1


def test_what_nobody_looks_at_is_bounded_in_bytes_lines_and_pieces(log: WorkerLog, clock: Clock) -> None:
    for number in range(2 * PIECES):
        clock.now += 1
        log.take(7, 1 + number % 2, b"tick")
    assert len(log._pieces) <= PIECES
    log.take(7, 1, b"\n" * 100_000)
    list(parts(log))
    assert len(log._lines) <= LINES
    for _ in range(2 * LINES):
        log.take(7, 1, b"w" * 1_000 + b"\n")
        log.look()
    assert sum(len(line.text) for line in log._lines) <= CAP


def test_what_comes_together_is_one_piece(log: WorkerLog) -> None:
    for number in range(1_000):
        log.take(7, 1, b"%d " % number)
    assert len(log._pieces) == 2


def test_an_end_closes_the_line_in_progress_and_is_marked(log: WorkerLog) -> None:
    log.take(7, 2, b"last words")
    log.end(7, "segmentation fault (SIGSEGV)", failed=True)
    log.begin(8)
    log.take(8, 2, b"again\n")
    assert [(line.stream, line.text, line.failed) for line in lines(log)] == [
        ("err", "last words", False),
        ("mark", "worker 7 ended: segmentation fault (SIGSEGV)", True),
        ("mark", "worker 8 started", False),
        ("err", "again", False),
    ]


def test_marks_outlive_a_flood_that_nobody_looked_at(log: WorkerLog) -> None:
    log.end(7, "was unloaded", failed=False)
    log.begin(8)
    for _ in range(20):
        log.take(8, 1, b"x" * 60_000 + b"\n")
    assert texts(log)[:3] == [
        "worker 7 ended: was unloaded",
        "worker 8 started",
        f"{20 * 60_001 - 4 * 60_001:,} bytes were not kept",
    ]


def test_lines_of_processes_side_by_side_are_told_apart(log: WorkerLog) -> None:
    log.take(7, 1, b"alone\n")
    log.begin(8)
    log.take(8, 1, b"beside\n")
    log.take(7, 1, b"open")
    part = log.look()
    assert [(line.pid, line.beside) for line in part.ended if line.stream == "out"] == [(7, False), (8, True)]
    assert [line.beside for line in part.open] == [True]


class Child:
    """As much of a process as a log asks for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.on_end: list[object] = []
        self.how_it_ended, self.ended_by_itself = "was unloaded", False

    def tell_output(self, hear: object) -> None:
        """It writes nothing."""

    def end(self) -> None:
        for call in self.on_end:
            assert callable(call)
            call(self)


def test_the_logs_of_the_living_and_of_the_last_that_ended_are_kept() -> None:
    logs = WorkerLogs()
    living = Child(1)
    logs.follow("living", living)  # type: ignore[arg-type]
    for number in range(2 * LOGS):
        child = Child(number + 2)
        logs.follow(f"m{number}", child)  # type: ignore[arg-type]
        child.end()
    assert logs.find("living") is not None
    assert logs.find("m0") is None
    assert logs.find(f"m{2 * LOGS - 1}") is not None


@pytest.fixture
def talker(store: Path) -> str:
    """A model of allowed names alone that writes to both streams while it predicts."""
    inputs = np.random.default_rng(0).normal(size=(40, 3))
    forest = RandomForestClassifier(3, random_state=0).fit(inputs, inputs[:, 0] > 0).set_params(verbose=100)
    joblib.dump(forest, store / "talker.joblib")
    (store / "talker.recipe.toml").write_text('[data]\nholdout = "rows.npy"\n')
    return "talker.joblib"


async def test_what_a_model_prints_is_kept_over_death_reload_and_unload(talker: str, engine: Engine) -> None:
    def told() -> list[str]:
        log = engine._fleet.logs.find(talker)
        return [] if log is None else [line.text for part in parts(log) for line in part.ended]

    def pids() -> tuple[int, ...]:
        view = engine.models.view(talker)
        return view.pids if view is not None and view.state is WorkerState.READY else ()

    async def comes(*wanted: str) -> None:
        async with asyncio.timeout(30):
            while not set(wanted) <= set(told()):  # noqa: ASYNC110 - written by another process
                await asyncio.sleep(0.01)

    assert engine._fleet.logs.find(talker) is None
    await engine.models.load(talker)
    (first,) = pids()
    await comes(f"worker {first} started")
    before = len([line for line in told() if "Parallel" in line])
    await engine.inference.predict(talker)
    async with asyncio.timeout(30):
        while len([line for line in told() if "Parallel" in line]) <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    os.kill(first, signal.SIGKILL)
    await until(engine, lambda: pids() not in ((), (first,)))
    (second,) = pids()
    await comes(f"worker {first} ended: killed (SIGKILL)", f"worker {second} started")
    await engine.models.reload(talker)
    (third,) = pids()
    await comes(f"worker {third} started", f"worker {second} ended: was ended by the console")
    await engine.models.set_copies(talker, 2)
    await comes(*(f"worker {pid} started" for pid in pids()))
    last = pids()
    assert len(last) == 2
    await engine.models.unload(talker)
    await comes(*(f"worker {pid} ended: was unloaded" for pid in last))
    marks = [line for line in told() if line.startswith("worker")]
    assert marks[:3] == [
        f"worker {first} started",
        f"worker {first} ended: killed (SIGKILL)",
        f"worker {second} started",
    ]
    assert marks.index(f"worker {third} started") < marks.index(f"worker {second} ended: was ended by the console")
