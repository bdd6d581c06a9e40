"""The mailbox: nothing that is put there is lost, doubled or cut, whoever goes to sleep in whatever moment."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from console.worker import mailbox
from console.worker.launcher import Launcher
from console.worker.line import Line
from console.worker.mailbox import FRAME_CAP, SLOT, Mailbox
from console.worker.model import Worker
from console.worker.placement import Way
from console.worker.wire import BELL, Head, Receiver, encode
from tests.benchmarks.models import served
from tests.worker.test_held import Kept, double

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="only where writes keep their order")
Sides = tuple[Mailbox, Mailbox]


@contextmanager
def sides() -> Iterator[Sides]:
    """The console's side and the child's of one mailbox."""
    fd = mailbox.created()
    assert fd is not None
    both = Mailbox(fd, console=True), Mailbox(fd, console=False)
    os.close(fd)
    try:
        yield both
    finally:
        for one in both:
            one.close()


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=300))))
def test_what_is_put_is_taken_once_by_the_other_side(frames: list[tuple[bool, bytes]]) -> None:
    with sides() as (console, child):
        console.watch()
        child.watch()
        for down, frame in frames:
            writer, reader = (console, child) if down else (child, console)
            assert writer.put(frame)
            assert not writer.overlooked
            assert reader.look() == frame
            assert (reader.take(), writer.take()) == (None, None)


def test_nothing_is_put_where_nobody_looks_or_no_room_is() -> None:
    with sides() as (console, child):
        assert not console.put(b"frame")
        child.watch()
        assert not console.put(bytes(FRAME_CAP + 1))
        assert console.put(bytes(FRAME_CAP))
        assert child.leave() == bytes(FRAME_CAP)
        assert console.overlooked
        assert not console.put(b"frame")
        assert child.take() is None


def test_a_frame_that_claims_to_be_larger_than_its_room_ends_with_it() -> None:
    fd = mailbox.created()
    assert fd is not None
    console = Mailbox(fd, console=True)
    os.pwrite(fd, struct.pack("<Q", 1 << 60), SLOT + 128)
    os.pwrite(fd, struct.pack("<Q", 1), SLOT)
    os.close(fd)
    found = console.take()
    console.close()
    assert found is not None
    assert len(found) == FRAME_CAP


def test_nobody_can_cut_the_memory_short() -> None:
    fd = mailbox.created()
    assert fd is not None
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    os.close(fd)


READS = """
import os, sys
from console.worker import mailbox
fd, line, back, total = map(int, sys.argv[1:])
box = mailbox.Mailbox(fd, console=False)
number, frames = 0, []
while number < total:
    mailbox.LOOKS = (0, 1 << 16, number % 3000, number % 300)[number % 4]
    box.watch()
    frames.append(box.look() or box.leave())
    if not any(frames):
        for said in os.read(line, 4096).split():
            frames.append(box.take() if said == b"bell" else said)
    for frame in filter(None, frames):
        number += 1
        assert int(frame) == number, (frame, number)
        os.write(back, b"x")
    frames.clear()
"""


def test_a_reader_that_goes_to_sleep_again_and_again_misses_nothing() -> None:
    """The reader looks for ever other times, so that it goes to sleep around each moment there is."""
    total, slept = 1500, 0
    fd = mailbox.created()
    assert fd is not None
    line, tell = os.pipe()
    back, answer = os.pipe()
    box = Mailbox(fd, console=True)
    command = [sys.executable, "-c", READS, *map(str, (fd, line, answer, total))]
    with subprocess.Popen(command, pass_fds=(fd, line, answer)) as reader:
        for number in range(1, total + 1):
            if not box.put(b"%d" % number):
                slept += 1
                os.write(tell, b"%d " % number)
            elif box.overlooked:
                os.write(tell, b"bell ")
            if not select.select([back], [], [], 20.0)[0] or os.read(back, 1) != b"x":
                reader.kill()
                pytest.fail(f"frame {number} was not seen")
    box.close()
    for one in (fd, line, tell, back, answer):
        os.close(one)
    assert (reader.returncode, 0 < slept < total) == (0, True)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connected pair of sockets."""
    here, there = socket.socketpair()
    yield here, there
    here.close()
    there.close()


def test_at_a_bell_a_child_finds_what_lies_there_and_what_came_behind(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    with sides() as (console, child):
        receiver = Receiver(pair[1])
        receiver.mailbox = child
        child.watch()
        console.put(encode({"op": "first"}))
        pair[0].sendall(BELL + encode({"op": "second"}) + BELL)
        assert [receiver.receive()[0]["op"] for _ in range(2)] == ["first", "second"]
        assert receiver.wait(0.0) is None


def test_a_child_that_is_awake_looks_in_both_places(pair: tuple[socket.socket, socket.socket]) -> None:
    with sides() as (console, child):
        receiver = Receiver(pair[1])
        receiver.mailbox = child
        child.watch()
        console.put(b"by mailbox")
        assert receiver.chunk(10.0) == b"by mailbox"
        pair[0].sendall(b"by socket")
        assert receiver.chunk(10.0) == b"by socket"
        receiver.settle()
        assert not console.put(b"too late")


async def test_the_console_finds_an_answer_however_it_came(pair: tuple[socket.socket, socket.socket]) -> None:
    found: list[Head] = []
    with sides() as (console, child):
        line = Line(pair[0], lambda head, _body: found.append(head), lambda _reason: None)
        line.mailbox = console
        child.watch()
        line.post(encode({"op": "asked"}))
        assert child.look() == encode({"op": "asked"})
        assert child.put(encode({"id": 1}))
        line.hold(10.0, awake=True)
        pair[1].sendall(encode({"id": 2}))
        line.hold(10.0, awake=True)
        assert child.put(encode({"id": 3}))
        line.rest()
        assert not child.put(encode({"id": 4}))
        line.close()
        assert [head["id"] for head in found] == [1, 2, 3]


class Endless(Mailbox):
    """A child's hostile side lays down another bell as soon as one was taken."""

    def take(self) -> bytes:
        return BELL


async def test_a_bell_in_the_mailbox_rings_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    fd = mailbox.created()
    assert fd is not None
    ended: list[str] = []
    line = Line(pair[0], lambda _head, _body: None, ended.append)
    line.mailbox = Endless(fd, console=True)
    os.close(fd)
    pair[1].sendall(BELL)
    line.read()
    line.rest()
    line.close()
    assert ended == []


async def test_a_frame_for_a_child_that_went_to_sleep_comes_through_the_socket(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    with sides() as (console, child):
        line = Line(pair[0], lambda _head, _body: None, lambda _reason: None)
        line.mailbox = console
        line.post(encode({"op": "asked"}))
        line.close()
        assert (child.take(), pair[1].recv(100)) == (None, encode({"op": "asked"}))


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[Worker]:
    """A worker that doubles, with which the console stays awake."""
    launcher = Launcher()
    found = await served(launcher, LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), "line")
    found.placement = Kept(found.child.pid, Way.APART)
    yield found
    await launcher.close()


async def test_calls_are_answered_whatever_the_pause_before_them(worker: Worker) -> None:
    for number in range(300):
        for _ in range(number % 30):
            os.sched_yield()
        await asyncio.sleep((number % 7) * 1e-4)
        assert await double(worker, number) == pytest.approx(2 * number, abs=1e-9)
    assert not worker.child.busy


async def test_a_worker_that_ends_leaves_no_descriptor() -> None:
    launcher = Launcher()
    before = len(os.listdir("/proc/self/fd"))
    found = await served(launcher, LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), "line")
    found.placement = Kept(found.child.pid, Way.APART)
    for _ in range(5):
        await double(found, 1.0)
    assert found.child._line.mailbox is not None
    await launcher.close()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_what_does_not_fit_goes_through_the_socket_in_between(worker: Worker) -> None:
    for rows in (1, 20_000, 1, 8_000, 1):
        values = struct.pack(f"<{rows}d", *range(rows))
        _places, answer, _spent = await worker.call_array("<f8", (rows, 1), values)
        assert struct.unpack(f"<{rows}d", answer) == pytest.approx(range(0, 2 * rows, 2), abs=1e-6)
