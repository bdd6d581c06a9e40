"""The console over a real sshd on loopback whose answers come through a line of a few kilobytes a second.

Run by hand: python -m tests.e2e.slow_line [BYTES_A_SECOND]
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.programs import ROOT, Program
from tests.e2e.terminal import ANSWER, ASK

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_STEPS = 20
"""Portions a second that the line takes."""


@dataclass(frozen=True)
class Found:
    """Seconds from a key to its answer, and the bytes that still came once the console was stopped."""

    seconds: tuple[float, ...]
    queued: int


class Answering(Program):
    """A program whose terminal answers where its cursor is, as every terminal does."""

    def read(self, seconds: float) -> bool:
        """Take what it writes next, and answer each question in it."""
        before = len(self.output)
        there = super().read(seconds)
        for _ in range(self.output.count(ASK.encode(), max(0, before - len(ASK) + 1))):
            self.press(ANSWER.decode())
        return there


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _server(place: Path) -> Iterator[int]:
    """A sshd of our own; its port."""
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name], check=True)
    port = _free_port()
    (place / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nAuthorizedKeysFile {place}/key.pub\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with (place / "log").open("wb") as log:
        process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", place / "sshd_config"], stderr=log)
    try:
        end = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert process.poll() is None, (place / "log").read_text()
            assert time.monotonic() < end, "sshd does not listen"
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def _line(port: int, rate: float) -> Iterator[int]:
    """A relay to the port that passes on `rate` bytes a second of what the server says; the port it listens on."""
    listener = socket.create_server(("127.0.0.1", 0))
    near, far = socket.socket(), socket.socket()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)

    def up() -> None:
        with suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)

    def down() -> None:
        nonlocal near
        with suppress(OSError):
            near = listener.accept()[0]
            far.connect(("127.0.0.1", port))
            threading.Thread(target=up, daemon=True).start()
            while data := far.recv(max(1, round(rate / _STEPS))):
                near.sendall(data)
                time.sleep(len(data) / rate)

    threading.Thread(target=down, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for one in (listener, near, far):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _ssh(place: str, port: int) -> list[str]:
    """The words of a client that asks nobody anything."""
    options = {
        "Port": port,
        "IdentityFile": f"{place}/key",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "BatchMode": "yes",
        "LogLevel": "ERROR",
        "Compression": "no",
    }
    return ["ssh", "-F", "none", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]


def why_not() -> str:
    """Why nobody can come in by a sshd of our own here; "" where one can."""
    if SSHD is None:
        return "sshd is not installed"
    with tempfile.TemporaryDirectory() as scratch, _server(Path(scratch)) as port:
        tried = subprocess.run([*_ssh(scratch, port), "127.0.0.1", "true"], capture_output=True, text=True, timeout=60)
        return f"sshd lets nobody in: {tried.stderr.strip()}" if tried.returncode else ""


def measure(rate: float = 3000.0, keys: int = 8, size: tuple[int, int] = (80, 24)) -> Found:
    """Live charts over the line; keys that hold them still and let them go, then the bytes on their way."""
    with tempfile.TemporaryDirectory() as scratch, _server(Path(scratch)) as server, _line(server, rate) as port:
        command = f"cd {shlex.quote(str(ROOT))} && exec {sys.executable} -m tests.benchmarks.fed_console"
        with Answering([*_ssh(scratch, port), "-tt", "127.0.0.1", command], size=size) as program:
            program.wait_for("probing")
            program.settle(1.0, 10.0)
            for each in ("/", "rf.job", "\r", "\r", "2"):
                program.press(each)
                program.settle(0.8, 10.0)
            program.wait_for("in sight")
            program.settle(1.0, 10.0)
            seconds = tuple(_asked(program, word) for _ in range(keys // 2) for word in ("held", "in sight"))
            return Found(seconds, _queued(program))


def _asked(program: Program, answer: str) -> float:
    program.settle(9.0, 3.0)
    since = len(program.output)
    sent = program.press(" ")
    return program.wait_for(answer, since) - sent


def _queued(program: Program) -> int:
    """Stop the console and take what is on its way to the terminal."""
    console = next(one for one in psutil.process_iter(["cmdline"]) if "tests.benchmarks.fed_console" in _last(one))
    program.settle(9.0, 2.0)
    console.suspend()
    before = len(program.output)
    program.settle(2.0)
    console.resume()
    return len(program.output) - before


def _last(process: psutil.Process) -> str:
    words = process.info["cmdline"] or [""]
    return str(words[-1]) if words[0] == sys.executable else ""


def main() -> None:
    """Measure and print."""
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 3000.0
    found = measure(rate)
    print(
        f"{rate:g} B/s: key to answer median {statistics.median(found.seconds):.2f} s, "
        f"most {max(found.seconds):.2f} s of {len(found.seconds)}; {found.queued} bytes on their way"
    )


if __name__ == "__main__":
    main()
