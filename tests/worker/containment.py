"""Every attack against the sandbox as it is, and with each layer switched off: `python -m tests.worker.containment`.

Rows are attacks, columns the layer that is off, cells the layer that stops the attack. Which layers can stop one is
found by trying: each alone, with all others off. A cell says "reported" where the attack then succeeds and every layer
that could have stopped it is shown as inactive; LOST, where one of those is shown as active, is a defect.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from console.errors import ConsoleError
from console.records import LAYERS, Layer
from console.worker.launcher import Launcher
from console.worker.limits import PACKAGE_ROOT, Limits, SandboxPlan
from console.worker.model import Worker
from tests.worker.attacks import ALONE, ATTACKS, MEANT
from tests.worker.ground import SETUID, Ground, everyones_python

NOBODY = 65534
ORDER = (
    "seccomp", "user", "namespaces", "landlock", "no_new_privs", "limits", "cgroup", "terminal", "descriptors",
)  # fmt: skip
"""Where several layers stop an attack, the first of these is named: a call meets them in this order."""
NEEDS = {"landlock": ("no_new_privs",), "seccomp": ("no_new_privs",)}
MODULES = ("console.worker.child.model", "backends.formats.pickle.plain", "numpy")
LIMITS = Limits(
    memory=256 << 20,
    address_factor=8,
    file_size=64 << 20,
    tasks=64,
    group_extra=64 << 20,
    scratch=64 << 20,
    scratch_files=256,
)
WON = "won: "
LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Try:
    """How one attack ended, and the layers the console showed then."""

    outcome: str
    layers: dict[str, Layer]

    @property
    def won(self) -> bool:
        return self.outcome.startswith(WON)


@dataclass(slots=True)
class Row:
    """One attack: whether it succeeds without any layer, which layers stop it alone, and a cell for each column."""

    words: str
    unconfined: str
    holders: tuple[str, ...]
    cells: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)


class Trials:
    """Makes attacks under plans. Those that need none of their own share one worker for each plan."""

    def __init__(self, launcher: Launcher, ground: Ground, python: str) -> None:
        self._launcher, self._ground, self._python = launcher, ground, python

    async def all(self, attacks: Iterable[str], plan: SandboxPlan) -> dict[str, Try]:
        """Every attack under this plan."""
        shared = await self._worker(plan)
        found = {}
        for words in attacks:
            worker = await self._worker(plan) if words in ALONE else shared
            found[words] = await self.one(worker, words)
            if worker is not shared:
                await worker.end()
        await shared.end()
        return found

    async def one(self, worker: Worker, words: str) -> Try:
        """Load the model that makes this attack into a worker and have it predict."""
        layers = worker.child.layers
        with self._ground.model(words) as fd:
            try:
                await worker.load(fd, "pickle", deadline=20)
                outputs = (await worker.call_rows([[1]], methods=("predict",), deadline=20)).outputs["predict"]
            except ConsoleError as error:
                return Try(_ending(error), layers)
        outcome = str(outputs[0]) if isinstance(outputs, list) else "?"
        if "kill another" in words and outcome.startswith(WON) and not self._ground.fell():
            outcome = "the victim lives"
        return Try(outcome, layers)

    async def _worker(self, plan: SandboxPlan) -> Worker:
        """Forked, so that it also holds what its zygote held; some attacks cost the zygote its life."""
        await self._launcher.warm(self._python, MODULES).warmed()
        return await Worker.start(
            self._launcher, "hostile", fresh=False, python=self._python, limits=LIMITS, sandbox=plan
        )


def _ending(error: ConsoleError) -> str:
    failure = error.failure
    if failure is None:
        return error.code
    won = failure.exit is not None and "exit code 0" in failure.exit
    return f"{WON}{failure.exit}" if won else f"{failure.code}: {failure.exit or failure.message}"


def only(*names: str) -> SandboxPlan:
    """A plan with these layers alone."""
    wanted: dict[str, Any] = {name: name in names for name in LAYERS}
    return replace(SandboxPlan(), **wanted)


def without(*names: str) -> SandboxPlan:
    """The whole plan but these layers."""
    unwanted: dict[str, Any] = dict.fromkeys(names, False)
    return replace(SandboxPlan(), **unwanted)


async def matrix(python: str, attacks: Sequence[str] = (), columns: Sequence[str] = LAYERS) -> list[Row]:
    """The whole table for one interpreter, as the user who runs this."""
    attacks = attacks or list(ATTACKS)
    launcher, ground = Launcher(), Ground()
    try:
        trials = Trials(launcher, ground, python)
        bare = await trials.all(attacks, only())
        alone = {name: await trials.all(attacks, only(name, *NEEDS.get(name, ()))) for name in ORDER}
        rows = {
            words: _row(words, bare[words], {name: tries[words] for name, tries in alone.items()}) for words in bare
        }
        for column in ("", *columns):
            tries = await trials.all(attacks, without(column) if column else SandboxPlan())
            for words, row in rows.items():
                row.cells[column] = _cell(row, column, tries[words])
                row.outcomes[column] = tries[words].outcome
        return list(rows.values())
    finally:
        await launcher.close()
        ground.close()


async def whole(python: str) -> dict[str, str]:
    """The prizes of every attack against the whole sandbox although the layer that is meant to stop it is active."""
    launcher, ground = Launcher(), Ground()
    try:
        tries = await Trials(launcher, ground, python).all(ATTACKS, SandboxPlan())
    finally:
        await launcher.close()
        ground.close()
    meant = {words: MEANT[words] for words, tried in tries.items() if tried.won}
    return {
        words: tries[words].outcome for words, name in meant.items() if not name or tries[words].layers[name].active
    }


def _row(words: str, bare: Try, alone: dict[str, Try]) -> Row:
    holders = tuple(name for name in ORDER if not alone[name].won and alone[name].layers[name].active)
    return Row(words, bare.outcome, holders if bare.won else ())


def _cell(row: Row, column: str, tried: Try) -> str:
    if tried.won:
        able = {*row.holders, *filter(None, [MEANT[row.words], column])}
        return LOST if any(tried.layers[name].active for name in able) or not able else "reported"
    if not row.unconfined.startswith(WON):
        return "the line" if "protocol" in tried.outcome else f"({tried.outcome})"
    active = [name for name in row.holders if name != column and tried.layers[name].active]
    return active[0] if active else f"several: {tried.outcome}"


def table(rows: Sequence[Row]) -> list[str]:
    """The matrix as text."""
    columns = list(rows[0].cells)
    lines = [["", *(f"no {name}" if name else "whole" for name in columns)]]
    lines += [[row.words, *(row.cells[name] for name in columns)] for row in rows]
    widths = [max(len(line[position]) for line in lines) for position in range(len(lines[0]))]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def as_nobody(*arguments: str) -> tuple[subprocess.CompletedProcess[str] | None, str]:
    """Run this program as an ordinary user; or None and why that cannot be. Root only."""
    if os.geteuid() != 0:
        return None, "only root can become another user"
    with tempfile.TemporaryDirectory(prefix="everyones-") as directory:
        os.chmod(directory, 0o755)
        python, why = everyones_python(Path(directory))
        if not python:
            return None, why
        ground = Ground()
        try:
            done = subprocess.run(
                [python, "-m", "tests.worker.containment", *arguments],
                cwd=PACKAGE_ROOT,
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", SETUID: ground.setuid},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            ground.close()
        return done, ""


def main() -> None:
    """Print the tables: as this user, and where this is root also as another user and as an ordinary one."""
    parser = argparse.ArgumentParser(prog="python -m tests.worker.containment", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one table, as this user with this interpreter")
    parser.add_argument("--whole", action="store_true", help="only what the whole sandbox fails to stop, as JSON")
    parser.add_argument("--attack", action="append", default=[], help="only this one")
    arguments = parser.parse_args()
    if arguments.whole:
        json.dump(asyncio.run(whole(sys.executable)), sys.stdout)
        return
    if arguments.json:
        json.dump([asdict(row) for row in asyncio.run(matrix(sys.executable, arguments.attack))], sys.stdout)
        return
    print("\n".join(["as this user", *table(asyncio.run(matrix(sys.executable, arguments.attack)))]))
    with tempfile.TemporaryDirectory(prefix="everyones-") as directory:
        os.chmod(directory, 0o755)
        python, why = everyones_python(Path(directory))
        if os.geteuid() == 0 and python:
            rows = asyncio.run(matrix(python, arguments.attack))
            print("\n".join(["", "started as root, each worker another user", *table(rows)]))
    done, why = as_nobody("--json", *(word for words in arguments.attack for word in ("--attack", words)))
    if done is None or done.returncode != 0:
        print("", f"as an ordinary user: not shown: {why or (done.stderr if done else '')}", sep="\n")
        return
    rows = [Row(**one) for one in json.loads(done.stdout)]
    print("\n".join(["", "as an ordinary user", *table(rows)]))


if __name__ == "__main__":
    main()
