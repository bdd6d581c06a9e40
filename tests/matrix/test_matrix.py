"""Every model asked with every file by a real worker: the library's own answer, or a refusal that names the cause."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from console.inspection.libraries import may_compile
from console.records import Evaluated
from console.worker.answers import Loaded
from console.worker.failures import ChildFailed, ChildRefused
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.frozen import small
from tests.matrix import composed, packed, third_party, traps, unsupervised  # noqa: F401  (their models and files are added to the matrix)
from tests.matrix import files as _files  # noqa: F401
from tests.matrix.measures import differences, measures
from tests.matrix.models import MODELS
from tests.matrix.oracle import CODES, Answers, Expected, alike, expected, names_cause
from tests.matrix.sheets import FILES, Written
from tests.matrix.subjects import METHODS, Subject
from tests.matrix.summary import PROPERTY

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

Error = ChildFailed | ChildRefused


@dataclass
class Counts:
    """How the cells of one model came out: answers and metrics that are right, left out or neither; what was wrong."""

    equal: int = 0
    refused: int = 0
    neither: int = 0
    metrics: int = 0
    left_out: int = 0
    wrong_metrics: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> tuple[int, ...]:
        return self.equal, self.refused, self.neither, self.metrics, self.left_out, self.wrong_metrics


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def launcher() -> AsyncIterator[Launcher]:
    """Libraries loaded once, from which the worker of each model is forked."""
    found = Launcher()
    await found.warm().warmed()
    yield found
    await found.close()


@pytest.mark.parametrize("name", MODELS)
async def test_answers_are_the_librarys_own_or_refused_with_the_cause(
    name: str, launcher: Launcher, tmp_path: Path, record_property: Any
) -> None:
    subject, counts = MODELS[name](), Counts()
    (tmp_path / "model").write_bytes(subject.saved)
    worker, loaded = await _loaded(launcher, subject, tmp_path / "model")
    try:
        for kind, write in FILES.items():
            wrong = await _cell(worker, loaded, subject, write(subject), tmp_path, counts)
            counts.wrong += [f"{kind}: {one}" for one in wrong]
    finally:
        await worker.end()
    record_property(PROPERTY, (name, *counts.numbers))
    assert not counts.wrong, "\n".join(["", *counts.wrong])


async def _loaded(launcher: Launcher, subject: Subject, path: Path) -> tuple[Worker, Loaded | Error]:
    """A worker as the console starts it, and what loading told; or the error that is then that of all cells."""
    with small(path) as taken:
        plan = replace(launcher.sandbox, compiles=may_compile(taken.inspection))
        worker = await Worker.start(launcher, path.name, fresh=False, sandbox=plan)
        format_ = taken.inspection.format
        try:
            return worker, await worker.load(taken.memory, format_, subject.at, plan=taken.plan.to_bytes())
        except (ChildFailed, ChildRefused) as error:
            return worker, error


async def _cell(
    worker: Worker, loaded: Loaded | Error, subject: Subject, written: Written, place: Path, counts: Counts
) -> list[str]:
    """The faults of this model's answers to this file, and of its metrics on it."""
    right = expected(subject, written)
    try:
        if not isinstance(loaded, Loaded):
            raise loaded
        handle, decided = await _opened(worker, written, place)
        try:
            methods = [method for method in METHODS if method in loaded.methods]
            outcome = await worker.call(handle, methods=methods)
            counts.neither += not right.answers
            if not right.answers:
                return [f"answered {str(outcome.outputs)[:80]}, where {right.cause} is the cause of a refusal"]
            wrong = _compared(right, outcome.outputs) + _untold(subject, written, decided, loaded, outcome.warnings)
            counts.equal += not wrong
            counts.neither += bool(wrong)
            return wrong + await _measured(worker, handle, subject, written, right.answers[0], counts)
        finally:
            await worker.close_data(handle)
    except (ChildFailed, ChildRefused) as error:
        wrong = _refused(right, error)
        counts.refused += not wrong
        counts.neither += bool(wrong)
        return wrong


async def _opened(worker: Worker, written: Written, place: Path) -> tuple[int, str]:
    fd = _open(place / f"rows.{written.suffix}", written.data)
    try:
        handle, table = await worker.open_data(fd, f"rows.{written.suffix}", target=written.target)
    finally:
        os.close(fd)
    return handle, table.decided


def _compared(right: Expected, outputs: dict[str, Any]) -> list[str]:
    if any(set(one) == set(outputs) and all(alike(one[name], outputs[name]) for name in one) for one in right.answers):
        return []
    name, answer = next(iter(right.answers[0].items()))
    return [f"answered {str(outputs.get(name))[:120]}, where the library answers {str(answer[:6])[:120]}"]


def _untold(subject: Subject, written: Written, decided: str, loaded: Loaded, warnings: tuple[str, ...]) -> list[str]:
    found = []
    if written.told and not names_cause(written.told, decided):
        found.append(f"'{written.told}' is not told: {decided}")
    if subject.told and not any(subject.told in one for one in (*loaded.warnings, *warnings)):
        found.append(f"the version {subject.told} is not told")
    return found


def _refused(right: Expected, error: Error) -> list[str]:
    said = f"{error} {error.failure.hint or '' if error.failure else ''} {error.details}"
    if not right.cause:
        return [f"refused ({error.code}: {error}), where the library answers"]
    if error.code not in CODES:
        return [f"refused with the code {error.code}: {error}"]
    return (
        [] if names_cause(right.cause, said) else [f"refused ({error.code}: {error}), where {right.cause} is the cause"]
    )


async def _measured(
    worker: Worker, handle: int, subject: Subject, written: Written, answers: Answers, counts: Counts
) -> list[str]:
    """The faults of the metrics of a file that has a truth."""
    if written.target is None:
        return []
    right = measures(subject, written, answers)
    try:
        found = await worker.evaluate(handle)
    except (ChildFailed, ChildRefused) as error:
        found = Evaluated("", 0, {}, {"": str(error)})
    causes = found.causes | {f"warning {at}": one for at, one in enumerate(getattr(found, "warnings", ()))}
    fits = len(written.truth.columns) == len(subject.targets)
    wrong = differences(right, found.metrics, causes, written.odd, fits=fits)
    counts.metrics += len(found.metrics.keys() - wrong.keys())
    counts.left_out += len(right.keys() - found.metrics.keys() - wrong.keys())
    counts.wrong_metrics += len(wrong)
    return list(wrong.values())


def _open(path: Path, data: bytes) -> int:
    path.write_bytes(data)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
