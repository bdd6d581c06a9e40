"""Terminals that go away at random moments of a console on a busy machine, and how long it takes to be gone.

    python -m tests.e2e.lost_terminals --count 500 --busy 4

Each console has the terminal taken from it, with or without a signal; it and every process below it must be gone
within `LIMIT_S`. Prints the distribution and each that was not; the exit code is 1 where there was one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from console.worker.child.sandbox.privileges import prctl
from tests.e2e.terminal import ROOT, Terminal

LIMIT_S = 5.0
GIVE_UP_S = 30.0
START_S = 40.0
"""How long a console on a busy machine may take to get to the moment; then the terminal goes where it has got to."""
PR_SET_CHILD_SUBREAPER = 36

Moment = Callable[[Terminal, random.Random], None]


@dataclass(frozen=True)
class Loss:
    """One terminal that went: when, how long console and children took to be gone, and what was left.

    `told` says whether the log tells of it, or of an end in order by a signal that came before it.
    """

    moment: str
    signalled: bool
    seconds: float
    code: int | None
    left: tuple[str, ...]
    told: bool

    @property
    def held(self) -> bool:
        """Whether something was there for too long."""
        return self.seconds > LIMIT_S or bool(self.left)


def at_start(console: Terminal, chance: random.Random) -> None:
    """While the interpreter imports."""
    console.linger(chance.uniform(0.0, 0.5))


def at_boot(console: Terminal, chance: random.Random) -> None:
    """The first picture."""
    console.seen("\x1b[?1049h", START_S)
    console.linger(chance.uniform(0.0, 0.3))


def at_rows(console: Terminal, chance: random.Random) -> None:
    """Just after the first rows."""
    console.seen("safe", START_S)
    console.linger(chance.uniform(0.0, 1.0))


def at_charts(console: Terminal, chance: random.Random) -> None:
    """A model is driven and drawn."""
    loaded(console)
    then(console, "p", "┤")
    console.linger(chance.uniform(0.0, 1.5))


def at_dialog(console: Terminal, chance: random.Random) -> None:
    """A question is open."""
    loaded(console)
    then(console, "w", "digit takes it", again=True)
    console.linger(chance.uniform(0.0, 0.3))


def at_update(console: Terminal, chance: random.Random) -> None:
    """A model is trained."""
    chosen(console, "churn/lr")
    then(console, "u", "retrain", again=True)
    console.press("\r")
    console.linger(chance.uniform(0.0, 2.0))


def at_palette(console: Terminal, chance: random.Random) -> None:
    """A name is typed into the palette."""
    console.seen("safe", START_S)
    then(console, ":", "Show the layers")
    console.press("the"[: chance.randint(1, 3)])
    console.linger(chance.uniform(0.0, 0.3))


def at_quit(console: Terminal, chance: random.Random) -> None:
    """`q` was pressed a moment ago."""
    loaded(console)
    console.press("q")
    console.linger(chance.uniform(0.0, 0.2))


def at_stop(console: Terminal, chance: random.Random) -> None:
    """It was stopped as by Ctrl-Z."""
    console.seen("safe", START_S)
    console.process.send_signal(signal.SIGTSTP)
    console.linger(chance.uniform(0.0, 0.5))


def at_twice(console: Terminal, chance: random.Random) -> None:
    """A signal came before."""
    console.seen("safe", START_S)
    console.process.send_signal(chance.choice((signal.SIGHUP, signal.SIGTERM)))
    console.linger(chance.uniform(0.0, 0.1))


def loaded(console: Terminal) -> None:
    """A model in a worker, and its screen."""
    chosen(console, "wine/forest")
    then(console, "l", "is ready", again=True)
    then(console, "\r", "reload", again=True)
    console.linger(0.5)


def chosen(console: Terminal, name: str) -> None:
    """The table shows one artifact alone."""
    console.seen("safe", START_S)
    then(console, "/", "attern, ! inverts")
    then(console, name, "1 of ")
    console.press("\r")
    console.linger(0.5)


def then(console: Terminal, keys: str, words: str, *, again: bool = False) -> None:
    """Press keys, and read what is shown from then on until these words come; `again` presses them now and then."""
    console.output = ""
    end = time.monotonic() + START_S
    while words not in console.output and time.monotonic() < end and console.process.poll() is None:
        console.press(keys)
        console.seen(words, 5.0 if again else START_S)


MOMENTS: dict[str, Moment] = {
    "start": at_start,
    "boot": at_boot,
    "rows": at_rows,
    "charts": at_charts,
    "dialog": at_dialog,
    "update": at_update,
    "palette": at_palette,
    "quit": at_quit,
    "stop": at_stop,
    "twice": at_twice,
}


def lost(moment: str, seed: int, store: Path, home: Path) -> Loss:
    """Open the console, take its terminal away at the moment, and wait until all of it is gone."""
    chance = random.Random(seed)
    signalled = moment == "stop" or chance.random() < 0.7
    environ = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "CACHE", "STATE", "DATA")}
    log = home / "state" / "model-console" / "endings.log"
    before = len(log.read_bytes()) if log.exists() else 0
    console = Terminal(store, size=(120, 40), env=environ, controlling=signalled)
    try:
        MOMENTS[moment](console, chance)
        console.lose()
        seconds, left = until_gone(console.process)
        said = log.read_bytes()[before:] if log.exists() else b""
        told = b"is gone" in said or (moment == "twice" and b"ended in order" in said)
        with suppress(subprocess.TimeoutExpired):
            console.process.wait(1)
        return Loss(moment, signalled, seconds, console.process.returncode, left, told)
    finally:
        console.close()
        for process in psutil.Process().children(recursive=True):
            process.kill()
        reap()


def until_gone(console: subprocess.Popen[bytes]) -> tuple[float, tuple[str, ...]]:
    """Seconds until no process is left below this one, and what is left in the end."""
    begun = time.monotonic()
    left = below()
    while left and time.monotonic() - begun < GIVE_UP_S:
        time.sleep(0.02)
        console.poll()
        reap(console.pid)
        left = below()
    return time.monotonic() - begun, left


def below() -> tuple[str, ...]:
    """Every living process that this one started or that was left to it."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {process.name()} {process.status()}")
        except psutil.NoSuchProcess:
            continue
    return tuple(found)


def reap(console: int | None = None) -> None:
    """Bury the orphans; the console's own end is its starter's to read."""
    for process in psutil.Process().children():
        if process.pid != console:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                continue


_own: dict[str, Path] = {}


def prepare(demo: Path, above: Path) -> None:
    """Of one process of the pool: a store and a home of its own; orphans come to it."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    place = Path(tempfile.mkdtemp(dir=above))
    _own["store"] = Path(shutil.copytree(demo, place / "store"))
    _own["home"] = place / "home"


def tried(case: tuple[str, int]) -> Loss:
    """One loss in one of the pool's processes."""
    moment, seed = case
    return lost(moment, seed, _own["store"], _own["home"])


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes that do nothing else than keep the machine busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def series(count: int, *, busy: int, seed: int, demo: Path, jobs: int = 2, names: tuple[str, ...] = ()) -> list[Loss]:
    """So many losses, the moments in turn, beside so many busy loops."""
    moments = names or tuple(MOMENTS)
    cases = [(moments[number % len(moments)], seed + number) for number in range(count)]
    with tempfile.TemporaryDirectory() as above, busy_loops(busy):
        begin = partial(prepare, demo, Path(above))
        with ProcessPoolExecutor(jobs, initializer=begin) as pool:
            found = []
            for number, loss in enumerate(pool.map(tried, cases), 1):
                found.append(loss)
                if loss.held or number % 50 == 0:
                    print(f"{number}/{count}: {loss}", flush=True)
            return found


def report(losses: list[Loss]) -> int:
    """Print the distribution; 1 where one was held up."""
    for name in dict.fromkeys(loss.moment for loss in losses):
        some = [loss for loss in losses if loss.moment == name]
        codes = Counter(loss.code for loss in some)
        print(f"{name:<8} {distribution([loss.seconds for loss in some])}  exit {dict(codes)}")
    held = [loss for loss in losses if loss.held]
    told = sum(loss.told for loss in losses)
    print(f"{'all':<8} {distribution([loss.seconds for loss in losses])}  in the log {told}")
    print(f"{len(losses)} terminals lost, {len(held)} not gone within {LIMIT_S:g} s")
    for loss in held:
        print(f"  {loss}")
    return 1 if held else 0


def distribution(seconds: list[float]) -> str:
    """Median, 99th percentile and worst."""
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    return f"{len(ordered):>4}: median {statistics.median(ordered):.2f} s, p99 {p99:.2f} s, max {ordered[-1]:.2f} s"


def main() -> int:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--busy", type=int, default=4, help="busy loops beside them")
    parser.add_argument("--jobs", type=int, default=2, help="consoles at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--moment", action="append", choices=sorted(MOMENTS), default=[])
    parser.add_argument("--store", type=Path, help="a demo store; built where none is named")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as above:
        demo = asked.store or Path(above, "demo")
        if asked.store is None:
            subprocess.run([sys.executable, "-m", "sample_models", str(demo)], check=True, cwd=ROOT)
        return report(
            series(asked.count, busy=asked.busy, seed=asked.seed, demo=demo, jobs=asked.jobs, names=tuple(asked.moment))
        )


if __name__ == "__main__":
    sys.exit(main())
