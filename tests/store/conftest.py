from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.files import opening, snapshot

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@dataclass
class Ended:
    """How a traced process ended: its exit code (negative: the signal) and the error it told, if any."""

    status: int
    error: str
    message: str


class Server:
    """Processes that publish under fault injection; `trace` is what strace said of the last one."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "publish_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )

    def run(self, request: dict[str, str], *inject: str, meanwhile: Callable[[int], None] = lambda pid: None) -> Ended:
        """Do what `request` says with these strace injections (`fsync:error=EIO:when=1`) in force; `meanwhile` is
        called with the process once it goes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        pid = self._process.stdout.readline().strip()
        tracer = self._attached(pid, inject) if inject else None
        print("go", file=self._process.stdin, flush=True)
        meanwhile(int(pid))
        told = {"error": "", "message": ""}
        while "status" not in told:
            told.update(json.loads(self._process.stdout.readline()))
        if tracer is not None:
            tracer.communicate()
        return Ended(int(told["status"]), told["error"], told["message"])

    def _attached(self, pid: str, inject: tuple[str, ...]) -> subprocess.Popen[str]:
        names = ",".join(one.split(":")[0] for one in inject)
        command = ["strace", "-o", str(self.trace), "-p", pid, "-e", f"trace={names}"]
        for one in inject:
            command += ["-e", f"inject={one}"]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            tracer.wait()
            pytest.skip(f"strace cannot attach here: {said.strip()}")
        return tracer

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("trace") / "trace")
    yield one
    one.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    root.mkdir()
    return root


@pytest.fixture
def content(tmp_path: Path) -> Callable[[bytes], snapshot.Snapshot]:
    """Sealed bytes to publish; closed by whoever takes them."""

    def make(data: bytes) -> snapshot.Snapshot:
        (tmp_path / "candidate").write_bytes(data)
        with opening.open_artifact(tmp_path, "candidate") as opened:
            return snapshot.seal(opened)

    return make
