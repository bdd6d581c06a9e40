"""The cost of the sandbox at the start of a child: executed and forked, with all layers and without any, in turn.

Run: python -m tests.benchmarks.sandbox [--json] [--runs N] [--python PATH]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict

from console.worker.launcher import Launcher
from console.worker.limits import SandboxPlan
from tests.benchmarks import figures
from tests.benchmarks.figures import Figure
from tests.worker.containment import MODULES, only

PLANS = {"all layers": SandboxPlan(), "no layer": only()}


async def measure(runs: int, python: str) -> dict[str, list[float]]:
    """Milliseconds by what was measured."""
    found: dict[str, list[float]] = defaultdict(list)
    launcher = Launcher()
    try:
        await launcher.warm(python, MODULES).warmed()
        for _ in range(runs + 1):
            for way, fresh in (("exec", True), ("fork", False)):
                for words, plan in PLANS.items():
                    begun = time.perf_counter()
                    child = await launcher.spawn("worker", fresh=fresh, python=python, sandbox=plan)
                    found[f"{way}, {words}"].append((time.perf_counter() - begun) * 1e3)
                    if words == "all layers":
                        parts = zip(("layers", "self-test", "the console's part"), child.sandbox_ms, strict=True)
                        for part, spent in parts:
                            found[f"{way}: {part}"].append(spent)
                        found[f"{way}: sandbox in all"].append(sum(child.sandbox_ms))
                    await child.end()
    finally:
        await launcher.close()
    return {name: values[1:] for name, values in found.items()}


def main() -> None:
    """Print medians and spread."""
    parser = figures.parser(__doc__)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the children")
    arguments = parser.parse_args()
    measured = asyncio.run(measure(arguments.runs, arguments.python))
    beside = {f"{way}, all layers": f"{way}, no layer" for way in ("exec", "fork")}
    shown = [Figure(name, "ms", tuple(values), beside.get(name, "")) for name, values in sorted(measured.items())]
    figures.show(shown, as_json=arguments.json)


if __name__ == "__main__":
    main()
