"""All measurements with one command; each prints a table of medians, spread and ratios taken in turn in one run.

    python -m tests.benchmarks [--only NAME …] [--quick] [--peers] [--envs DIR] [--stores DIR] [--json FILE]

Every measurement runs in a process of its own. `--peers` adds other servers and scanners, each installed into an
environment of its own below `--envs`. A measurement that cannot be made is told and the others go on. Nothing is
asserted.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import figures
from tests.benchmarks.programs import ROOT

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "model-console-benchmarks"


@dataclass(frozen=True)
class Measurement:
    """One module of this package: what it is asked in a full run, and in a quick one."""

    name: str
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] = ("--runs", "2")
    store: bool = False
    peers: bool = False


MEASUREMENTS = (
    Measurement("round_trip"),
    Measurement("callers"),
    Measurement("accelerated"),
    Measurement("transfer", quick=("--runs", "2", "--megabytes", "100")),
    Measurement("start", ("--runs", "40"), ("--runs", "5")),
    Measurement("sandbox"),
    Measurement("loading", quick=("--runs", "2", "--megabytes", "100")),
    Measurement("memory", quick=()),
    Measurement("screen"),
    Measurement("first_paint", store=True),
    Measurement("scale", ("--runs", "3"), ("--runs", "1", "--artifacts", "5000", "--directories", "250"), store=True),
    Measurement("change", quick=("--runs", "20"), store=True),
    Measurement("service"),
    Measurement("swap", quick=("--swaps", "5", "--quiet-seconds", "2")),
    Measurement("servers", peers=True),
    Measurement("scanners", peers=True, quick=()),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is asked for; 1 when something could not be measured."""
    asked = _parser().parse_args(argv)
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for one in MEASUREMENTS:
            if one.name in asked.only or not (asked.only or (one.peers and not asked.peers)):
                print(f"\n{one.name}: {purpose(one.name)}", flush=True)
                results[one.name] = run(one, quick=asked.quick, envs=asked.envs, stores=asked.stores or Path(scratch))
                print(shown(results[one.name]), flush=True)
    if asked.json:
        record = {"machine": figures.machine(), "quick": asked.quick, "measurements": results}
        asked.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return int(any("error" in told for told in results.values()))


def run(one: Measurement, *, quick: bool, envs: Path, stores: Path) -> dict[str, Any]:
    """The report of one measurement: machine and figures, or why there are none."""
    options = [*(one.quick if quick else one.full), *(("--store", str(stores)) if one.store else ())]
    options += ["--envs", str(envs)] if one.peers else []
    command = [sys.executable, "-m", f"{__package__}.{one.name}", "--json", *options]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it said nothing")
        return {"error": f"{one.name} ended with {done.returncode}: {last}"}
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def shown(told: dict[str, Any]) -> str:
    """The table of one measurement, and what it could not do."""
    if "error" in told:
        return f"not measured: {told['error']}"
    load = ", ".join(map(str, told["machine"]["load"]))
    return "\n".join([*figures.table(told["figures"]), *told.get("notes", ()), f"(load of the machine: {load})"])


def purpose(name: str) -> str:
    """The first line of what a measurement says of itself, which is read without importing anything."""
    text = (Path(__file__).parent / f"{name}.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").partition("\n")[0])
    names = [one.name for one in MEASUREMENTS]
    made.add_argument("--only", action="append", default=[], choices=names, help="this one; may be given again")
    made.add_argument("--quick", action="store_true", help="few runs and small data: whether all of it works")
    made.add_argument("--peers", action="store_true", help="other servers and scanners, too; they are installed first")
    made.add_argument("--envs", type=Path, default=CACHE, help=f"where their environments are kept ({CACHE})")
    made.add_argument("--stores", type=Path, help="where large stores are kept (else they are made anew)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write everything there, with machine and versions")
    return made


if __name__ == "__main__":
    sys.exit(main())
