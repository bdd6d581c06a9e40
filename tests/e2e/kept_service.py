"""A served store that is kept going, with a console and commands, and what is looked at when a process was killed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import joblib
import numpy as np
import psutil
from sklearn.linear_model import LinearRegression

from console.closing import closing_fd
from console.service.runtime import VARIABLE, running
from console.worker.child.sandbox.privileges import prctl
from tests.e2e.terminal import ROOT, Terminal

LIMIT_S = 90.0
COMMAND = (sys.executable, "-m", "console")
_MARK = "MODEL_CONSOLE_KILLED_SERVICE"
_CGROUPS = Path("/sys/fs/cgroup")
_SUBREAPER = 36


def make_store(place: Path) -> Path:
    """A store of two models; the first one's answers change when it is retrained. Returns the first one's artifact."""
    random, store = np.random.default_rng(5), place / "store"
    store.mkdir()
    rows = random.normal(size=(200, 4))
    truth = rows @ [1.0, -2.0, 0.5, 3.0] + random.normal(size=200)
    lines = [",".join(map(str, (*row, y))) for row, y in zip(rows, truth, strict=True)]
    for name, part in (("rows.csv", lines[:150]), ("held.csv", lines[150:])):
        (store / name).write_text("\n".join(["a,b,c,d,y", *part]))
    joblib.dump(LinearRegression().fit(rows[:50], truth[:50]), store / "m.joblib")
    joblib.dump(LinearRegression().fit(rows[:9], truth[:9]), store / "other.joblib")
    data = '[data]\ntrain = "rows.csv"\nholdout = "held.csv"\ntarget = "y"\n'
    (store / "m.recipe.toml").write_text(data + "[keep]\nversions = 6\n")
    (store / "other.recipe.toml").write_text('[serve]\nload = "never"\n')
    shutil.copy(store / "m.joblib", place / "first.joblib")
    return place / "first.joblib"


def retrained(kept: Kept) -> Path:
    """The content that retraining gives, once it is in place; the other model is loaded by an operator."""
    artifact = str(kept.store / "m.joblib")
    done = kept.command("update", artifact, "--yes")
    assert done.returncode == 0, done.stderr
    kept.token = kept.command("token", "add", "operator", str(kept.store), "--role", "operate").stdout.strip()
    kept.ask("/v2/repository/models/other/load", {})
    kept.ask("/v2/repository/models/m/load", {})
    assert not kept.back()
    return Path(shutil.copy(kept.store / "m.joblib", kept.place / "second.joblib"))


class Kept:
    """The processes of one store in service."""

    def __init__(self, first: Path, place: Path) -> None:
        self.place, self.store = place, first.parent / "store"
        self.token = ""
        self.changes: Counter[str] = Counter()
        prctl(_SUBREAPER, 1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        for name in ("run", "tmp", "home"):
            (place / name).mkdir()
        homes = {
            f"XDG_{name}_HOME": str(place / "home" / name.lower()) for name in ("CONFIG", "CACHE", "STATE", "DATA")
        }
        self._environ = {VARIABLE: str(place / "run"), "TMPDIR": str(place / "tmp"), _MARK: str(place), **homes}
        self._before = {name: os.environ.get(name) for name in self._environ}
        os.environ.update(self._environ)
        self._log = (place / "serve.log").open("ab")
        self._console: Terminal | None = None
        self._change: subprocess.Popen[str] | None = None
        self._number, self._changing = 0, ""
        self._dead: set[str] = set()

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        if self._console is not None:
            self._console.close()
        self._engine.send_signal(signal.SIGTERM)
        self._engine.wait(LIMIT_S)
        self._log.close()
        for name, value in self._before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)

    def start(self) -> None:
        """Start the engine."""
        words = [*COMMAND, "serve", str(self.store), "--http", f"127.0.0.1:{self.port}"]
        self._engine = subprocess.Popen(words, cwd=ROOT, stderr=self._log)

    def linger(self, seconds: float) -> None:
        """Let it go on, and read what the console shows."""
        if self._console is None:
            self._console = Terminal(self.store, size=(120, 40))
            self._console.seen("engine ", LIMIT_S)
        self._console.linger(seconds)
        self._console.output = self._console.output[-2000:]

    # changes

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *words], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )

    def begin_change(self) -> None:
        """Begin an update or a rollback."""
        self._number += 1
        name, *more = ("update", "--yes") if self._number % 2 == 0 else ("rollback",)
        words = [*COMMAND, name, str(self.store / "m.joblib"), *more]
        self._change = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._changing = name

    def end_change(self) -> list[str]:
        """Wait for it, and note what it said."""
        assert self._change is not None
        _, said = self._change.communicate(timeout=LIMIT_S)
        code = self._change.returncode
        last = re.sub(r"\d+", "N", said.strip().rpartition("\n")[2])[:110].replace(str(self.place), "")
        self.changes[f"{self._changing} {code} {last if code else ''}".strip()] += 1
        return [f"a traceback: {said}"] if "Traceback" in said else []

    # deaths

    def kill(self, victim: str, chance: Random) -> list[str]:
        """Kill it, and wait until it and all that it must not outlive is gone."""
        if victim == "console":
            assert self._console is not None
            self._console.process.kill()
            self._console.close()
            self._console = None
            return []
        if victim == "command":
            assert self._change is not None
            self._change.kill()
            return []
        tree = psutil.Process(self._engine.pid).children(recursive=True)
        if victim == "engine":
            self._engine.kill()
            self._engine.wait()
            self._dead.add(str(self._engine.pid))
            return self._gone(tree)
        some = [one for one in tree if _is(one, victim)]
        if some:
            dead = chance.choice(some)
            with suppress(psutil.NoSuchProcess):
                dead.kill()
            return self._gone([dead])
        return []

    def _gone(self, processes: list[psutil.Process]) -> list[str]:
        left = [one for one in processes if not _waited(lambda one=one: not _runs(one))]  # type: ignore[misc]
        return [f"left: {one.pid} {one.name()}" for one in left]

    # what there is

    def back(self) -> list[str]:
        """Wait until all that was loaded answers and the console shows this engine."""
        found = []
        _waited(lambda: self._engine.poll() is not None or not self._unready())
        if self._engine.poll() is not None:
            found.append(f"the engine ended by itself, with {self._engine.returncode}")
            self.start()
        if not _waited(lambda: not self._unready()):
            found.append(f"not loaded again: {self._unready()}")
        if not _waited(lambda: (one := running(self.store)) is not None and one.pid == self._engine.pid):
            found.append(f"the lock says {running(self.store)}")
        if self._console is not None and not self._shown():
            found.append(f"the console does not show the engine: {self._console.output[-300:]!r}")
        return found

    def look(self, digests: frozenset[str]) -> list[str]:
        """Faults: something torn, or left of the dead."""
        found = []
        if hashlib.sha256((self.store / "m.joblib").read_bytes()).hexdigest() not in digests:
            found.append("the artifact is none of the known contents")
        questions = (("history", "--json", str(self.store / "m.joblib")), ("audit", "verify", str(self.store)))
        pipe = subprocess.PIPE
        for asked in [subprocess.Popen([*COMMAND, *one], cwd=ROOT, stdout=pipe, stderr=pipe) for one in questions]:
            told = asked.communicate(timeout=LIMIT_S)
            if asked.returncode:
                found.append(f"{asked.args!r}: {told!r}")
        found += [f"a strange process: {one}" for one in self._strangers()]
        found += [f"litter: {one}" for one in self.litter()]
        return found

    def litter(self) -> list[str]:
        """Files that nobody needs any more."""
        unfinished = [str(path) for path in self.place.rglob("*") if path.name.endswith((".tmp", ".part", ".new"))]
        places = [str(path) for path in (self.place / "tmp").iterdir() if not _is_held(path)]
        groups = [
            str(one)
            for one in _CGROUPS.glob("*/model-console-*")
            if one.name.split("-")[2].partition(".")[0] in self._dead
        ]
        return unfinished + places + groups

    def _strangers(self) -> list[str]:
        """Processes that were left to this one."""
        known = {self._engine.pid, self._console.process.pid if self._console else 0}
        left = [one for one in psutil.Process().children() if one.pid not in known]
        for one in left:
            with suppress(ChildProcessError):
                os.waitpid(one.pid, os.WNOHANG)
        return [str(one) for one in left if not _waited(lambda one=one: not _runs(one))]  # type: ignore[misc]

    def ask(self, path: str, told: dict[str, Any]) -> Any:
        """The answer to an operator."""
        head = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(told).encode(), head)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return json.loads(answer.read() or b"null")

    def _unready(self) -> list[str]:
        """The versions of models of which none answers, with their reasons."""
        try:
            found = self.ask("/v2/repository/index", {})
        except (OSError, ValueError) as error:
            return [str(error)]
        ready = {one["name"] for one in found if one["state"] == "READY"}
        return [str(one) for one in found if one["name"] not in ready]

    def _shown(self) -> bool:
        console = self._console
        assert console is not None
        until = time.monotonic() + LIMIT_S
        for columns in (121, 120) * 100:
            console.output = ""
            console.size(columns, 40)
            if console.seen(f"engine {self._engine.pid}", 2.0) or time.monotonic() > until:
                break
        return f"engine {self._engine.pid}" in console.output


def _is(process: psutil.Process, kind: str) -> bool:
    try:
        words = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return ("console.http.front" if kind == "front" else f"model-console {kind}") in words


def _is_held(directory: Path) -> bool:
    """Whether a living process holds the lock of its directory."""
    with closing_fd(os.open(directory, os.O_RDONLY)) as fd:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _waited(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > until:
            return False
        select.select([], [], [], 0.05)
    return True
