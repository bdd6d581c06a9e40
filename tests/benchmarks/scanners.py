"""This console beside other scanners of model files, on one corpus: what each flags, passes, or gives up on.

    python -m tests.benchmarks.scanners --envs DIR [--json]

Each scanner is installed into an environment of its own below DIR and asked through its programming interface, one
file after another in one process, with its own defaults. Hostile files are the project's catalogue, whose payload only
creates a marker file; benign ones are fitted scikit-learn estimators, each in one of seven forms, and real files where
`--also DIR` names some. Nothing is asserted: the tables are for people.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks import figures
from tests.benchmarks.figures import Figure
from tests.estimators import fit_all_estimators
from tests.hostile import SAMPLES

_ASK = """
import contextlib, io, json, sys, time, warnings
warnings.simplefilter("ignore")
{setup}
for line in sys.stdin:
    path = json.loads(line)
    begun = time.perf_counter()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            said = ask(path)
    except BaseException as error:
        said = "gave up"
    print(json.dumps([path, said, time.perf_counter() - begun]), flush=True)
"""


@dataclass(frozen=True)
class Scanner:
    """One tool: what to install, and code that defines `ask(path)` → "flagged", "passed" or "gave up"."""

    name: str
    requirements: tuple[str, ...]
    setup: str


SCANNERS = (
    Scanner(
        "picklescan",
        ("picklescan==1.0.5",),
        "import logging; logging.disable(logging.CRITICAL)\n"
        "from picklescan.scanner import scan_file_path\n"
        "def ask(path):\n"
        "    found = scan_file_path(path)\n"
        "    return 'flagged' if found.issues_count else 'gave up' if found.scan_err else 'passed'\n",
    ),
    Scanner(
        "picklescan --strict",
        ("picklescan==1.0.5",),
        "import logging; logging.disable(logging.CRITICAL)\n"
        "from picklescan.scanner import scan_file_path\n"
        "def ask(path):\n"
        "    found = scan_file_path(path, strict=True)\n"
        "    return 'flagged' if found.issues_count else 'gave up' if found.scan_err else 'passed'\n",
    ),
    Scanner(
        "modelscan",
        ("modelscan==0.8.8",),
        "import logging; logging.disable(logging.CRITICAL)\n"
        "from modelscan.modelscan import ModelScan\n"
        "def ask(path):\n"
        "    found = ModelScan().scan(path)\n"
        "    scanned = found['summary']['scanned']['total_scanned'] and not found['errors']\n"
        "    return 'flagged' if found['summary']['total_issues'] else 'passed' if scanned else 'gave up'\n",
    ),
    Scanner(
        "fickling",
        ("fickling==0.1.12", "typing_extensions"),
        "from fickling.loader import scan_file\n"
        "from fickling.analysis import Severity\n"
        "def ask(path):\n"
        "    found = scan_file(path)\n"
        "    return 'passed' if found.severity == Severity.LIKELY_SAFE else 'flagged'\n",
    ),
    Scanner(
        "modelaudit",
        ("modelaudit==0.2.54",),
        "import logging; logging.disable(logging.CRITICAL)\n"
        "from modelaudit.core import scan_model_directory_or_file\n"
        "def ask(path):\n"
        "    found = scan_model_directory_or_file(path)\n"
        "    bad = [one for one in found.issues if getattr(one.severity, 'value', one.severity) in "
        "('warning', 'critical')]\n"
        "    return 'flagged' if bad else 'passed' if found.success else 'gave up'\n",
    ),
)

_OURS = """
from backends.core import registry
from backends.core.errors import ArtifactError
from backends.core.source import Source
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.inspecting import judge_error
import os
def ask(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        verdict = judge(registry.inspect(Source(fd, os.path.basename(path))), Policy()).verdict
    except ArtifactError as error:
        verdict = judge_error(error).verdict
    finally:
        os.close(fd)
    return 'passed' if verdict == 'safe' else 'flagged'
"""


@dataclass
class Row:
    """The answers of one scanner on the corpus; seconds are of one file, start-up apart."""

    scanner: str
    caught: int = 0
    missed: int = 0
    gave_up_on_hostile: int = 0
    right: int = 0
    false_alarms: int = 0
    gave_up_on_benign: int = 0
    median_s: float = 0.0
    slowest_s: float = 0.0


def build_corpus(root: Path) -> tuple[list[Path], list[Path]]:
    """Write every hostile sample and every benign estimator below `root`: (hostile, benign)."""
    import joblib

    forms = ("pickle 0", "pickle 2", "pickle 4", "pickle 5", "joblib 0", "joblib zlib", "joblib xz")
    hostile, benign = [], []
    for number, sample in enumerate(SAMPLES):
        path = root / "hostile" / f"{number:03d}{sample.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.build(str(root / "marker")))
        hostile.append(path)
    for number, (name, model, _X) in enumerate(fit_all_estimators()):
        kind, how = forms[number % len(forms)].split()
        path = root / "benign" / f"{name}.{'pkl' if kind == 'pickle' else 'joblib'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "pickle":
            import pickle

            path.write_bytes(pickle.dumps(model, int(how)))
        else:
            joblib.dump(model, path, compress=0 if how == "0" else (how, 3))
        benign.append(path)
    return hostile, benign


def environment(scanner: Scanner, envs: Path) -> Path:
    """The interpreter of the scanner's own environment, made where there is none."""
    home = envs / scanner.requirements[0].partition("==")[0]
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *scanner.requirements], check=True, stdout=sys.stderr)
    return python


def ask_all(python: Path, setup: str, paths: Sequence[Path]) -> dict[str, tuple[str, float]]:
    """Path to what the scanner said and how many seconds it took. A scanner that dies gave up on the file."""
    answers: dict[str, tuple[str, float]] = {}
    settings = {**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    rest = [str(path) for path in paths]
    while rest:
        lines = "".join(json.dumps(path) + "\n" for path in rest)
        done = subprocess.run(
            [python, "-c", _ASK.replace("{setup}", setup)],
            input=lines,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=settings,
            check=False,
        )
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        answers.update({path: (said, seconds) for path, said, seconds in told})
        rest = rest[len(told) :]
        if rest:
            answers[rest.pop(0)] = ("gave up", 0.0)
    return answers


def row_of(name: str, answers: dict[str, tuple[str, float]], hostile: Iterable[Path], benign: Iterable[Path]) -> Row:
    """The answers counted."""
    row = Row(name)
    for path in hostile:
        said = answers[str(path)][0]
        row.caught += said == "flagged"
        row.missed += said == "passed"
        row.gave_up_on_hostile += said == "gave up"
    for path in benign:
        said = answers[str(path)][0]
        row.right += said == "passed"
        row.false_alarms += said == "flagged"
        row.gave_up_on_benign += said == "gave up"
    seconds = sorted(took for _said, took in answers.values())
    row.median_s, row.slowest_s = statistics.median(seconds), seconds[-1]
    return row


def table(rows: Iterable[Row]) -> str:
    """The rows as the README shows them."""
    lines = [
        "| scanner | hostile: caught | missed | gave up | benign: passed | false alarms | gave up | ms | worst |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {row.scanner} | {row.caught} | {row.missed} | {row.gave_up_on_hostile} | {row.right} | {row.false_alarms}"
        f" | {row.gave_up_on_benign} | {row.median_s * 1e3:.1f} | {row.slowest_s * 1e3:,.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Build the corpus, ask everybody, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", type=Path, required=True, help="where the scanners' environments are kept")
    parser.add_argument("--also", type=Path, help="a directory of files known to be benign")
    parser.add_argument("--json", action="store_true", help="write JSON to stdout")
    parser.add_argument("--list", action="store_true", help="name each hostile file that was not caught")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        hostile, benign = build_corpus(Path(scratch))
        if given.also:
            benign += sorted(path for path in given.also.rglob("*") if path.is_file())
        print(f"{len(hostile)} hostile and {len(benign)} benign files", file=sys.stderr)
        rows, times = [], []
        notes: list[str] = []
        for name, answers in asked(given.envs, [*hostile, *benign], notes):
            rows.append(row_of(name, answers, hostile, benign))
            times.append(Figure(name, "ms", tuple(1e3 * took for _said, took in answers.values()), "model-console"))
            print(rows[-1], file=sys.stderr)
            if given.list:
                list_missed(name, answers, hostile)
        if (Path(scratch) / "marker").exists():
            notes.append("a scanner executed a payload: the marker file exists")
    notes = [*table(rows).splitlines(), *notes]
    if given.json:
        records = [figures.as_record(one, times) for one in times]
        told = {"machine": figures.machine(), "figures": records, "rows": [asdict(row) for row in rows], "notes": notes}
        print(json.dumps(told, indent=1))
    else:
        print("\n".join(notes))


def asked(envs: Path, paths: Sequence[Path], notes: list[str]) -> Iterable[tuple[str, dict[str, tuple[str, float]]]]:
    """The answers of each scanner, this console first; one that cannot be installed is noted."""
    yield "model-console", ask_all(Path(sys.executable), _OURS, paths)
    for one in SCANNERS:
        try:
            python = environment(one, envs)
        except (OSError, subprocess.CalledProcessError) as error:
            notes.append(f"{one.name} could not be installed: {error}")
        else:
            yield one.name, ask_all(python, one.setup, paths)


def list_missed(name: str, answers: dict[str, tuple[str, float]], hostile: Sequence[Path]) -> None:
    """Name each hostile file that was not flagged."""
    for number, path in enumerate(hostile):
        if answers[str(path)][0] != "flagged":
            print(f"  {name}: {answers[str(path)][0]} {SAMPLES[number].title}", file=sys.stderr)


if __name__ == "__main__":
    main()
