"""One input at a time in a child process that can be lost: the walk first, then each real unpickler."""

from __future__ import annotations

import contextlib
import copyreg
import json
import os
import re
import resource
import select
import signal
import struct
import sys
import time
import traceback
import warnings
import zlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from backends.core import registry
from backends.core.errors import ArtifactError
from backends.core.memory import reserve
from backends.core.source import MemorySource, Source
from backends.formats.pickle.walk import Walk, walk
from console.worker.child.sandbox import confinement, landlock, seccomp
from console.worker.child.sandbox.privileges import die_with_parent, no_new_privileges
from tests.fuzzing.coverage import traced
from tests.fuzzing.references import ENGINES, Inert
from tests.fuzzing.spellings import DANGEROUS, EXTENSION
from tests.fuzzing.wrappings import MAX_WRAPPED, WRAPPINGS

__all__ = ["Outcome", "Trials", "facts"]

MEMORY = 768 << 20
"""What the child may take beyond what it starts with."""
WALK_SECONDS = 11.0
"""Processor time: the walk's own budget (5 s each for walk and facts), and a little for starting and ending."""
PATIENCE_SECONDS = 60.0
"""After so long a child is taken for hung, however busy the machine is."""
REFERENCE_SECONDS = 2.0
_LINE = 1 << 22
_MODULE = re.compile(r"[\w-]+(?:\.[\w-]+)*\Z")


@dataclass
class Outcome:
    """The results of one input. `walked` is None where the walk itself was lost, then `fault` says how."""

    walked: dict[str, Any] | None = None
    asked: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    features: set[str] = field(default_factory=set)
    used: bool = False
    fault: str = ""
    seconds: float = 0.0

    def missed(self) -> dict[str, set[tuple[str, str]]]:
        """By engine, the names that were asked for, could be imported, and that the walk did not list.

        A file that names joblib's array wrapper is read by joblib's unpickler alone, by the console too; where raw
        arrays break joblib's layout, nobody knows where the opcodes go on; and a name that is computed while loading is
        known to nobody before. For each of these the file is blocked. The `dtype` of a module is what other unpicklers
        find in the array of objects of an honest file of joblib's.
        """
        if self.walked is None:
            return {}
        return self._without({tuple(pair) for pair in self.walked["names"]})

    def hidden(self, data: bytes) -> dict[str, dict[str, set[tuple[str, str]]]]:
        """The same of whatever the input was wrapped in, by its title and by engine, where the file was inspected.

        `used` says that what was named was called, or given back. Text that does nothing with a name that is not known
        for harm may be text, and so may text whose name is none that can be written. A number of the registry alone
        does nothing.
        """
        found = {}
        unused = set() if self.used else {EXTENSION[1:]}
        for title, names in (self.walked or {}).get("wrapped", {}).items():
            missed = self._without({tuple(pair) for pair in names})
            if is_text(data):
                kept = writable if self.used else DANGEROUS.__contains__
                missed = {engine: set(filter(kept, asked)) for engine, asked in missed.items()}
            missed = {engine: asked - unused for engine, asked in missed.items()}
            if any(missed.values()):
                found[title] = {engine: asked for engine, asked in missed.items() if asked}
        return found

    def _without(self, named: set[tuple[str, str]]) -> dict[str, set[tuple[str, str]]]:
        assert self.walked is not None
        skipped: set[str] = set()
        codes = {code for code, _ in self.walked["findings"]}
        if "computed-name" in codes:
            skipped = {"joblib"}
        if self.walked["joblib"]:
            skipped = {"joblib"} if codes & {"raw-span", "frame", "trailing-bytes"} else skipped
        asked = {engine: names for engine, names in self.asked.items() if engine not in skipped}
        missed = {engine: set(filter(importable, names - named)) for engine, names in asked.items()}
        if self.walked["joblib"]:
            missed = {engine: {pair for pair in names if pair[1] != "dtype"} for engine, names in missed.items()}
        return {engine: names for engine, names in missed.items() if names}


class Trials:
    """Keeps a child for trials, and starts another when one is lost; a context manager."""

    def __init__(self, coverage: bool = True, confined: bool = True, everywhere: bool = False) -> None:
        self.lost = 0
        self._everywhere = everywhere
        self._coverage = coverage
        self._confined = confined
        self._pid = 0
        self._to = self._from = -1
        self._buffer = b""

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, *details: object) -> None:
        self._end()

    def run(self, data: bytes) -> Outcome:
        """Try one input."""
        if not self._pid:
            self._start()
        os.write(self._to, struct.pack("<I", len(data)))
        view = memoryview(data)
        while view:
            view = view[os.write(self._to, view) :]
        outcome, started = Outcome(), time.monotonic()
        while True:
            answer = self._answer(PATIENCE_SECONDS if outcome.walked is None else REFERENCE_SECONDS)
            if outcome.walked is None:
                outcome.seconds = time.monotonic() - started
            if answer is None:
                self.lost += 1
                status = self._end()
                if outcome.walked is None:
                    outcome.fault = f"the walk was lost after {outcome.seconds:.1f} s, wait status {status}"
                return outcome
            if self._take(outcome, answer):
                return outcome

    @staticmethod
    def _take(outcome: Outcome, answer: list[Any]) -> bool:
        kind, *rest = answer
        if kind == "walked":
            outcome.walked = rest[0]
            outcome.features.update(rest[1])
            outcome.fault = rest[0]["fault"]
        elif kind == "asked":
            outcome.asked.setdefault(rest[0], set()).add((rest[1], rest[2]))
        elif kind == "ended":
            outcome.features.add(f"{rest[0]}: {rest[1]}")
            outcome.used = outcome.used or rest[1] == "whole" or bool(rest[2])
        return bool(kind == "done")

    def _answer(self, seconds: float) -> list[Any] | None:
        """The child's next line; None when it is gone or takes too long."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                return None
            data = os.read(self._from, _LINE)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: list[Any] = json.loads(line)
        return answer

    def _start(self) -> None:
        child_in, self._to = os.pipe()
        self._from, child_out = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid:
            os.close(child_in)
            os.close(child_out)
            return
        try:
            os.close(self._to)
            os.close(self._from)
            _Child(child_in, child_out, self._coverage, self._everywhere).serve(parent, self._confined)
        except BaseException:  # the process ends here, whatever it was
            traceback.print_exc()
        finally:
            os._exit(3)

    def _end(self) -> int:
        if not self._pid:
            return 0
        os.close(self._to)
        os.close(self._from)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        status = os.waitpid(self._pid, 0)[1]
        self._pid, self._buffer = 0, b""
        return status


class _Child:
    def __init__(self, read_end: int, write_end: int, coverage: bool, everywhere: bool) -> None:
        self._everywhere = everywhere
        self._in = os.fdopen(read_end, "rb")
        self._out = write_end
        self._coverage = coverage
        self._file = os.memfd_create("input", os.MFD_CLOEXEC)

    def serve(self, parent: int, confined: bool) -> None:
        """Answer trials until the parent is gone."""
        die_with_parent()
        if os.getppid() != parent:
            return
        warnings.simplefilter("ignore")
        copyreg.add_extension(*EXTENSION[1:], EXTENSION[0])
        sys.setrecursionlimit(1000)
        size = int(open("/proc/self/statm", encoding="ascii").read().split()[5]) * resource.getpagesize()  # noqa: SIM115
        resource.setrlimit(resource.RLIMIT_DATA, (size + MEMORY, size + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if confined:
            confine()
        quiet = os.open("/dev/null", os.O_WRONLY)
        os.dup2(quiet, 2)
        while length := self._in.read(4):
            self._trial(self._in.read(struct.unpack("<I", length)[0]))

    def _say(self, *answer: Any) -> None:
        line = json.dumps(answer).encode() + b"\n"
        while line:
            line = line[os.write(self._out, line) :]

    def _trial(self, data: bytes) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        told, features = self._walked(data)
        seconds = time.process_time() - started
        if seconds > WALK_SECONDS and not told["fault"]:
            told["fault"] = f"the walk took {seconds:.1f} s"
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if grown > 256 << 10 and not told["fault"]:
            told["fault"] = f"the walk took {grown >> 10} MiB"
        self._say("walked", told, sorted(features))
        for engine, load in ENGINES.items():
            Inert.made = 0
            copyreg.clear_extension_cache()
            try:
                load(data, partial(self._say, "asked", engine))
                ending = "whole"
            except Exception as error:
                ending = type(error).__name__
            self._say("ended", engine, ending, Inert.made)
        self._say("done")

    def _walked(self, data: bytes) -> tuple[dict[str, Any], set[str]]:
        source, steps = Source(self._file), set[tuple[str, int, int]]()
        told: dict[str, Any] = {"names": [], "findings": [], "fault": ""}
        try:
            if self._coverage:
                result, steps = traced(lambda: walk(source))
            else:
                result = walk(source)
            told.update(facts(result))
            titles = ["nothing"]
            if len(data) <= MAX_WRAPPED:
                titles += [*WRAPPINGS] if self._everywhere else [[*WRAPPINGS][zlib.crc32(data) % len(WRAPPINGS)]]
            told["wrapped"] = {title: inspected(data, title) for title in titles} if data else {}
        except BaseException:
            told["fault"] = traceback.format_exc()[-1500:]
        features = {f"{name}:{first}:{second}" for name, first, second in steps}
        return told, features | {f"finding {code}" for code, _ in told["findings"]}


def inspected(data: bytes, title: str) -> list[tuple[str, str]]:
    """The names that inspecting the input in one of WRAPPINGS tells; none where it is taken for something else."""
    name, wrap = WRAPPINGS[title]
    try:
        found = registry.inspect(MemorySource(wrap(data), name))
    except ArtifactError:
        return []
    if any(each.code == "extension-registry" for each in found.findings):
        return [(use.module, use.name) for use in found.names] + [EXTENSION[1:]]
    return [(use.module, use.name) for use in found.names]


def is_text(data: bytes) -> bool:
    """Whether nothing but characters stands there."""
    return all(byte in b"\t\n\x0b\x0c\r\x1b" or 32 <= byte < 127 or byte >= 160 for byte in data)


def importable(pair: tuple[str, str]) -> bool:
    """Whether a module of this name could be found by Python's finders, and have something of this name.

    None can where a part of the module's name is empty, or has a blank, a slash or a control character in it, nor where
    what it has is called nothing.
    """
    module, name = pair
    return bool(name) and all(module.split(".")) and not re.search(r"[\s/\x00-\x1f\x7f-\x9f]", module)


def writable(pair: tuple[str, str]) -> bool:
    """Whether a program could import this module and get this name of it, as programs are written.

    None does where a part of the name is no identifier, as no attribute is called so, nor where the module's is none
    but for its hyphens, as files may have them.
    """
    module, name = pair
    return all(part.isidentifier() for part in name.split(".")) and bool(_MODULE.match(module))


def facts(result: Walk) -> dict[str, Any]:
    """The findings of a walk, in plain values."""
    return {
        "names": [(use.module, use.name) for use in result.names]
        + [EXTENSION[1:]] * any(each.code == "extension-registry" for each in result.findings),
        "findings": [(each.code, each.offset) for each in result.findings],
        "unplaced": [each.code for each in result.findings if each.offset is None or not each.detail],
        "complete": result.complete,
        "joblib": result.joblib,
    }


def confine() -> None:
    """Take from this process what no walk and no unpickler needs: other files, sockets, new processes."""
    no_new_privileges()
    landlock.restrict(["/proc/self", "/usr", *landlock.library_paths("/nonexistent")], [])
    reserve(confinement.MEMORY_FILES)
    seccomp.install()
