"""The contract of a model format, kept by every format that names its samples.

`python -m tests.backends.contract FILE FORMAT MUTATIONS` tries one sample in a fresh interpreter and prints a Report.
Whatever is done to a file, its inspection ends in facts or in one sentence, with findings of the catalogue; it is never
called complete where a finding says that it is broken or that not all was read; and what was cut off is never complete.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HEAVY = frozenset(
    ("numpy", "scipy", "pandas", "sklearn", "joblib", "h5py", "torch", "tensorflow", "keras", "onnx", "onnxruntime")
).union(("skl2onnx", "lightgbm", "xgboost", "catboost", "safetensors", "jax", "ai_edge_litert", "transformers"))
ALL_POINTS = 1500
"""Up to this size a sample is cut off at every byte."""
SOME_POINTS = 80
CPU_SECONDS = 10.0
"""Processor time after which an inspection hangs: its child dies, as one in a sandbox does by its limit."""


@dataclass(frozen=True)
class Sample:
    """One honest file of a format. `needs` are the heavy packages its inspection may import; `native` = a library in C
    reads it, which may take its child along; `model` is what it was written from, where the format writes; `padded` =
    zero bytes at its end tell nothing; `unread` = there may be a file in it that no format here reads."""

    format: str
    title: str
    suffix: str
    make: Callable[[], bytes]
    needs: frozenset[str] = frozenset()
    native: bool = False
    model: Callable[[], Any] | None = None
    padded: bool = False
    unread: bool = False

    def __str__(self) -> str:
        return f"{self.format}, {self.title}"


@dataclass
class Report:
    """The results of one sample: its format as it was found, what was tried on it, and what broke the contract."""

    format: str = ""
    complete: bool = False
    tried: int = 0
    deaths: int = 0
    imported: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def report_of(path: Path, sample: Sample, mutations: int) -> Report:
    """The report of a sample's file. Where the child dies, it is begun again behind what it died of."""
    deaths = tried = first = 0
    while True:
        words = [str(path), sample.format, str(mutations), str(first), *(["padded"] if sample.padded else [])]
        command = [sys.executable, "-m", "tests.backends.contract", *words]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
        lines = ended.stdout.splitlines()
        if ended.returncode == 0:
            told = json.loads(lines[-1])
            return Report(**{**told, "tried": told["tried"] + tried, "deaths": deaths})
        if ended.returncode > 0 or not lines:
            return Report(faults=[f"ended with {ended.returncode}: {ended.stderr[-2000:]}"])
        deaths, tried, first = deaths + 1, tried + len(lines), int(lines[-1]) + 1


def changes(data: bytes, name: str, mutations: int, padded: bool) -> Iterator[tuple[str, bytes]]:
    """The file cut off, at every byte or at some, then with bytes changed, taken out and put in; always the same."""
    draw = random.Random(name)
    end = len(data.rstrip(b"\0")) if padded else len(data)
    points = range(end) if end <= ALL_POINTS else draw.sample(range(end), SOME_POINTS)
    for point in sorted({*points, 0, 1, end // 2, end - 1}):
        yield f"cut off at {point}", data[:point]
    for number in range(mutations):
        changed = bytearray(data)
        for _ in range(1 + number % 4):
            at = draw.randrange(len(changed))
            kind = draw.randrange(4)
            if kind == 0:
                changed[at] ^= 1 << draw.randrange(8)
            elif kind == 1:
                changed[at] = draw.choice((0, 0x7F, 0x80, 0xFF))
            elif kind == 2:
                del changed[at : at + draw.randrange(1, 9)]
            else:
                changed[at:at] = draw.randbytes(draw.randrange(1, 9))
        yield f"mutation {number}", bytes(changed)


def _fault(inspect: Callable[[bytes], Any], data: bytes, *, cut: bool) -> str:
    """How an inspection of these bytes breaks the contract; "" where it keeps it."""
    from backends.core.errors import ArtifactError
    from backends.core.findings import KINDS

    try:
        found = inspect(data)
    except ArtifactError as error:
        return "" if str(error) and "\n" not in str(error) else f"no sentence: {error!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    codes = [each.code for each in found.findings]
    unknown = [code for code in codes if code not in KINDS]
    if unknown:
        return f"findings that are in no catalogue: {unknown}"
    if found.complete and cut:
        return "complete, though it is cut off"
    broken = [code for code in codes if KINDS[code] in ("damaged", "limit")]
    return f"complete, and yet {broken}" if found.complete and broken else ""


def _main(path: str, name: str, mutations: int, first: int, padded: bool) -> Report:
    from backends.core import registry
    from backends.core.source import Source

    def inspect(data: bytes) -> Any:
        fd = os.memfd_create("sample")
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
            return registry.inspect(Source(fd, Path(path).name))
        finally:
            os.close(fd)

    data = Path(path).read_bytes()
    whole = inspect(data)
    report = Report(whole.format, whole.complete, imported=sorted(HEAVY.intersection(sys.modules)))
    for number, (words, changed) in enumerate(changes(data, name, mutations, padded)):
        if number < first or changed == data:
            continue
        print(number, flush=True)
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
        fault = _fault(inspect, changed, cut=words.startswith("cut"))
        report.tried += 1
        if fault:
            report.faults.append(f"{words}: {fault}")
    return report


if __name__ == "__main__":
    _path, _name, _mutations, _first, *_padded = sys.argv[1:]
    print(json.dumps(asdict(_main(_path, _name, int(_mutations), int(_first), bool(_padded)))))
