"""The memory that an artifact will take in a worker, reckoned from its inspection before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable

from backends.core.descriptors import built_in
from console.errors import ConsoleError, NeedsMemoryError
from console.free_memory import free_memory
from console.records import Inspection, MemoryForecast, Report, Verdict
from console.records.words import memory_words, size_words
from console.worker.launcher import Launcher


class Forecaster:
    """Reckons what workers of this launcher will take; `python` names the interpreter of a path as ModelLoader has it.

    Files of more than `seal_limit` bytes are not copied, so that their numbers need no memory of their own.
    """

    def __init__(self, launcher: Launcher, python: Callable[[str], str | None], seal_limit: int) -> None:
        self._launcher = launcher
        self._python = python
        self._seal_limit = seal_limit

    def of(self, path: str, found: Inspection | None, size: int, verdict: Verdict | None) -> MemoryForecast | None:
        """The forecast for a file of this size; None where nothing is known of it, or nothing of it can be loaded."""
        if found is None or not found.loadable:
            return None
        own = self._launcher.forks and not self._has_interpreter(path)
        forked = own and verdict is Verdict.SAFE
        return forecast(
            found, size, self._launcher.limits.memory, forked=forked, beside=own, mapped=size > self._seal_limit
        )

    def of_report(self, report: Report) -> MemoryForecast | None:
        """The same of an artifact that is inspected."""
        artifact = report.artifact
        return self.of(artifact.path, report.inspection, artifact.size, report.judgement.verdict)

    def _has_interpreter(self, path: str) -> bool:
        """Whether its recipe names another interpreter, be it one that it must not name."""
        try:
            return self._python(path) is not None
        except ConsoleError:
            return True

    def require_room(self, path: str, found: Inspection | None, size: int, verdict: Verdict | None) -> None:
        """Refuse what cannot fit into memory. Raises NeedsMemoryError."""
        told = self.of(path, found, size, verdict)
        if told is not None and not told.fits:
            raise _refusal(path, told)


def _refusal(path: str, told: MemoryForecast) -> NeedsMemoryError:
    """The numbers, and what can be done."""
    if told.least > told.limit:
        least, limit = size_words(told.least), size_words(told.limit)
        takes = f"at least {least} with its libraries, and one worker may hold {limit}"
        step = "raise memory_mb in config.toml"
    else:
        takes, step = memory_words(told), "unload something"
    message = f"{path} will not fit into memory: it takes {takes}"
    return NeedsMemoryError(message, hint=f"{step}, or load it all the same (--anyway)")


def forecast(
    found: Inspection, size: int, limit: int, *, forked: bool = False, beside: bool = False, mapped: bool = False
) -> MemoryForecast | None:
    """The forecast for a model with these facts, in a file of this size; None where its format reckons nothing.

    Its worker is `forked` from a process that has the libraries imported, or a new one `beside` such a process; with
    `mapped` its numbers stay in the file.
    """
    reckon = next((one.footprint for one in built_in() if one.name == found.format), None)
    if reckon is None:
        return None
    told = reckon(found, size)
    process = told.forked if forked else told.fresh - (told.shared if beside else 0)
    least = max(0, told.model - (told.mapped if mapped else 0))
    low = int(min(process, told.fresh - told.shared) * (1 - told.between) + least * (1 - told.spread))
    high = int(process * (1 + told.between) + told.model * (1 + told.spread))
    free = free_memory()
    held = int(told.fresh * (1 - told.between) + least * (1 - told.spread))
    fits = held <= limit and (free is None or low <= free)
    return MemoryForecast(process + told.model, low, high, held, free, limit, fits)
