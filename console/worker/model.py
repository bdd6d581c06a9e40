"""A worker: one child with one loaded model, asked for predictions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from time import perf_counter

from backends.core.inspection import Json
from console import awake
from console.errors import ConsoleError
from console.library_versions import Versions
from console.records import DataFile, Evaluated, Prediction, ReadOptions, Target
from console.safe_text import safe
from console.worker import shared
from console.worker.answers import (
    HoldoutRows,
    Loaded,
    Methods,
    RawArray,
    RawOutcome,
    Saved,
    data_from,
    evaluated_from,
    holdout_from,
    loaded_from,
    numbers,
    outcome_from,
    raw_from,
    sample_from,
    saved_from,
)
from console.worker.decode_records import Malformed, decoded
from console.worker.failures import version_texts
from console.worker.launcher import Launcher
from console.worker.limits import Limits, SandboxPlan
from console.worker.outputs import OutputFiles
from console.worker.process import ChildProcess
from console.worker.shared import Buffer, MappedFile
from console.worker.wire import Head

Progress = Callable[[int, float], None]
"""Hears of rows, and of the share of a file, that were read."""
INLINE_CAP = 256 << 10
"""Rows of more bytes than this go through shared memory."""


class Worker:
    """Client of one worker process. Failures are raised as ChildFailed or ChildRefused, each with its record."""

    def __init__(self, child: ChildProcess, start_ms: float = 0.0) -> None:
        self.child = child
        self.asked = 0
        """Questions that are being put to it; whoever chooses among workers counts here."""
        self.batch_rows = 0
        """Into how many rows a call it was told to merge, 0 where it was told nothing."""
        self.mourned = False
        """Whether its death was told already, of all that it was asked."""
        self._start_ms = start_ms

    @classmethod
    async def start(
        cls,
        launcher: Launcher,
        label: str,
        *,
        fresh: bool = True,
        python: str | None = None,
        limits: Limits | None = None,
        sandbox: SandboxPlan | None = None,
    ) -> Worker:
        """A sandboxed worker without a model yet; `fresh` must be true for what is not `safe`."""
        begun = perf_counter()
        child = await launcher.spawn("worker", label=label, fresh=fresh, python=python, limits=limits, sandbox=sandbox)
        return cls(child, (perf_counter() - begun) * 1e3)

    async def load(
        self,
        fd: int,
        format: str,  # noqa: A002
        at: str = "",
        *,
        name: str = "",
        file: int | None = None,
        plan: bytes = b"",
        opened: bool = False,
        imports: Sequence[str] = (),
        versions: Versions | None = None,
        deadline: float = 300.0,
        on_phase: Callable[[str, dict[str, float]], None] | None = None,
    ) -> Loaded:
        """Load the model at `at` in the file `fd`. `imports` names modules to import first, as a phase of its own.

        `versions` are those that the file tells of itself, which every failure from here on names where they differ.
        `plan` tells where arrays lie, and `file` is what those are mapped from that are not in `fd` (see
        `Snapshot.load_fds`). `opened` = `fd` holds what the file's compression held.

        Phases are start, import, read (with its parts as `read.…`) and warm; `on_phase(phase, finished)` runs as
        each begins, with the milliseconds of those that have ended.
        """

        def on_event(head: Head) -> None:
            if on_phase is not None:
                on_phase(str(head.get("phase", "")), numbers(head.get("phases")))

        self.child.versions = replace(versions or Versions(), python=self.child.versions.python)
        label = safe(self.child.label, 200)
        fields = {"format": format, "at": at, "imports": list(imports), "name": name, "label": label, "opened": opened}
        fds: tuple[int, ...] = (fd,)
        if file is not None:
            fds = (fd, file)
            self.child.mapped = MappedFile(file, os.fstat(fd).st_size)
        head, _body = await self.child.request("load", fields, body=plan, fds=fds, deadline=deadline, on_event=on_event)
        loaded = self.child.checked(loaded_from, head)
        written = version_texts(head.get("written"))
        versions = self.child.versions.learned(loaded.library_versions, loaded.warnings, written)
        self.child.versions = versions
        warnings = dict.fromkeys((*(one.note for one in versions.differences), *loaded.warnings))
        return replace(loaded, phases={"start": self._start_ms, **loaded.phases}, warnings=tuple(warnings))

    async def open_data(
        self,
        fd: int,
        name: str,
        *,
        target: Target | None = None,
        needs_target: bool = True,
        options: ReadOptions | None = None,
        limit: int | None = None,
        deadline: float = 120.0,
        on_progress: Progress | None = None,
    ) -> tuple[int, DataFile]:
        """Read the table `fd` and match its columns to the model's. The number is the handle later calls take.

        Unless it `needs_target`, a table without that column has no truth. With `limit` only so many rows are read.
        `on_progress` hears of rows and share of the file meanwhile.
        Raises ChildRefused with code `columns` and `details["differences"]`: [{column, problem, expected, found}].
        """

        def on_event(head: Head) -> None:
            if on_progress is not None and isinstance(head.get("rows"), int):
                on_progress(head["rows"], numbers(head).get("share", 0.0))

        head, _body = await self.child.request(
            "open_data",
            {
                "name": name,
                "target": target,
                "needs_target": needs_target,
                "options": _options(options),
                "limit": limit,
            },
            fds=(fd,),
            deadline=deadline,
            on_event=on_event,
            input=f"the file {name}",
        )
        return self.child.checked(lambda said: data_from(said, name), head)

    async def close_data(self, handle: int) -> None:
        """Forget a table."""
        await self.child.request("close_data", {"data": handle})

    async def call(
        self,
        data: int,
        start: int = 0,
        stop: int | None = None,
        *,
        methods: Sequence[str] = (),
        outputs: bool = True,
        score: bool = False,
        deadline: float = 120.0,
    ) -> Prediction:
        """Run rows `start` to `stop` of an open table through the model; no `methods` means predict.

        Without `outputs` only times (and scores) come back. `score` compares with the target what `predict` answers:
        `correct` and `rows` for classes, sums of absolute and squared error for numbers, `missing` truths.
        """
        fields = {"data": data, "start": start, "stop": stop, "methods": list(methods)}
        given = f"rows of table {data}"
        return await self._call("call", {**fields, "outputs": outputs, "score": score}, deadline, given)

    async def resolve(self, methods: Sequence[str] = (), *, deadline: float = 30.0) -> tuple[str, ...]:
        """The methods that a call of these asks; no `methods` means the first that the model has.

        Raises ChildRefused where it has one of them not, or none that answers rows.
        """
        head, _body = await self.child.request("resolve", {"methods": list(methods)}, deadline=deadline)
        return self.child.checked(lambda said: decoded(said.get("methods"), Methods), head)

    async def call_rows(
        self,
        rows: Sequence[Json],
        *,
        columns: Sequence[str] | None = None,
        methods: Sequence[str] = (),
        deadline: float = 120.0,
        patience: float | None = None,
    ) -> Prediction:
        """Run rows an operator typed: lists of values (named by `columns`, or in the model's order) or plain texts;
        `patience` as in `ask_array`."""
        fields = {"rows": list(rows), "columns": list(columns) if columns else None, "methods": list(methods)}
        try:
            return await self._call("call_rows", fields, deadline, patience=patience)
        except asyncio.CancelledError:
            self.child.take_back_cancelled()
            raise

    async def evaluate(
        self,
        data: int,
        *,
        metric: str | None = None,
        held_back: bool = False,
        marked: bytes = b"",
        deadline: float = 120.0,
    ) -> Evaluated:
        """Task, rows and metrics (as scikit-learn names them) on an open table with a target.

        `metric` asks for one more scorer; `held_back` measures only the rows that a training without a hold-out file
        keeps from fitting; `marked` only those whose bit is set.
        """
        fields = {"data": data, "metrics": [metric] if metric else [], "held_back": held_back}
        head, _body = await self.child.request("evaluate", fields, body=marked, deadline=deadline)
        return self.child.checked(evaluated_from, head)

    async def compare_rows(
        self,
        train: int,
        holdout: int,
        names: tuple[str, str],
        *,
        target: Target | None,
        options: ReadOptions | None = None,
        features: Sequence[str] | None,
        metric: str | None,
        deadline: float = 300.0,
    ) -> HoldoutRows:
        """The hold-out beside the training rows, both open files of these names; no model is needed for it.

        Raises ChildRefused for a hold-out that cannot be read and for a metric that scikit-learn does not know.
        """
        fields: Head = {"names": list(names), "target": target, "options": _options(options), "metric": metric}
        fields["features"] = list(features) if features else None
        given = f"the files {names[0]} and {names[1]}"
        head, body = await self.child.request(
            "compare_rows", fields, fds=(train, holdout), deadline=deadline, input=given
        )
        return self.child.checked(lambda said: holdout_from(said, bytes(body)), head)

    async def call_array(
        self,
        dtype: str,
        shape: Sequence[int],
        numbers: Buffer | int,
        *,
        methods: Sequence[str] = (),
        deadline: float = 120.0,
    ) -> tuple[list[RawArray], Buffer, float]:
        """The arrays of `ask_array`, their buffer, and the milliseconds in the model."""
        found = await self.ask_array(dtype, shape, numbers, methods=methods, deadline=deadline)
        return found.arrays, found.buffer, found.worker_ms

    async def ask_array(
        self,
        dtype: str,
        shape: Sequence[int],
        numbers: Buffer | int,
        *,
        methods: Sequence[str] = (),
        deadline: float = 120.0,
        patience: float | None = None,
    ) -> RawOutcome:
        """Run raw little-endian numbers through the model: bytes, or the descriptor of a sealed memfd that holds them.

        The answer is raw too. Small calls that wait while the model is busy share one call of it, where its answer for
        a row does not depend on others; each fails for itself. What is large goes through shared memory both ways.
        With `patience` a call that is late, or whose caller goes away, is taken back (see `ChildProcess.request`).
        """
        fields: Head = {"dtype": dtype, "shape": tuple(shape), "methods": list(methods)}
        given = f"raw array {fields['shape']} {dtype}"
        answer: Buffer
        try:
            if isinstance(numbers, int) or len(numbers) > INLINE_CAP:
                head, answer = await self._call_shared(fields, given, numbers, deadline, patience)
            else:
                head, answer = await self.child.request(
                    "call_array", fields, body=bytes(numbers), deadline=deadline, input=given, patience=patience
                )
        except asyncio.CancelledError:
            self.child.take_back_cancelled()
            raise
        return self.child.checked(lambda said: raw_from(said, answer), head)

    async def call_tensors(
        self,
        tensors: Sequence[tuple[str, str, tuple[int, ...]]],
        numbers: bytes,
        texts: Sequence[tuple[str, tuple[int, ...], Sequence[str]]] = (),
        *,
        plain: bool = False,
        methods: Sequence[str] = (),
        deadline: float = 120.0,
        patience: float | None = None,
    ) -> RawOutcome:
        """Run named tensors through the model: numbers by name, dtype and shape, one behind another, and texts.

        `plain` numbers came as JSON, and become of the dtype that the input has. `methods` are names of outputs.
        """
        fields: Head = {"tensors": list(tensors), "texts": list(texts), "plain": plain, "methods": list(methods)}
        told = ", ".join(f"{name} {dtype} {list(shape)}" for name, dtype, shape in tensors)[:300]
        try:
            head, answer = await self.child.request(
                "call_tensors", fields, body=numbers, deadline=deadline, input=told, patience=patience
            )
        except asyncio.CancelledError:
            self.child.take_back_cancelled()
            raise
        return self.child.checked(lambda said: raw_from(said, answer), head)

    def limit_batch(self, rows: int) -> None:
        """Have small calls merged into calls of at most so many rows."""
        self.batch_rows = rows
        with suppress(ConsoleError):
            self.child.request("limit_batch", {"rows": rows}).add_done_callback(_heard)

    async def _call_shared(
        self, fields: Head, given: str, numbers: Buffer | int, deadline: float, patience: float | None
    ) -> tuple[Head, Buffer]:
        """The same with rows and answers in shared memory; a memfd of the caller's stays the caller's."""
        rows = numbers if isinstance(numbers, int) else await asyncio.to_thread(shared.written, numbers)
        try:
            answers = shared.empty()
            try:
                head, _none = await self.child.request(
                    "call_array", fields, fds=(rows, answers), deadline=deadline, input=given, patience=patience
                )
                return head, shared.sealed(answers)
            except shared.NotSealed as error:
                raise self.child.malformed(error) from None
            finally:
                os.close(answers)
        finally:
            if rows is not numbers:
                os.close(rows)

    async def sample_rows(self, data: int, start: int, count: int) -> tuple[list[dict[str, Json]], list[Json] | None]:
        """Input rows as JSON objects that `call_rows` takes back, and what the target says of them, if there is one."""
        head, _body = await self.child.request("sample_rows", {"data": data, "start": start, "count": count})
        return self.child.checked(sample_from, head)

    async def write_outputs(
        self,
        data: int,
        start: int,
        stop: int,
        forms: Sequence[str],
        *,
        total: int | None = None,
        methods: Sequence[str] = (),
        deadline: float = 600.0,
    ) -> tuple[Prediction, dict[str, tuple[str, Buffer]]]:
        """Predict rows of an open table in these forms: `json` as the outputs of the outcome, `csv` and `npy` as bytes.

        The pieces of a table make up a whole file one behind another: the first of them has the header, which tells
        of `total` rows.
        """
        fields = {"data": data, "start": start, "stop": stop, "methods": list(methods), "forms": list(forms)}
        with OutputFiles(forms) as files:
            begun = awake.now()
            head, _body = await self.child.request(
                "write_outputs", {**fields, "total": total}, fds=files.fds, deadline=deadline
            )
            spent = awake.now() - begun
            try:
                outputs, found = files.read(head)
                return replace(outcome_from(head, spent * 1e3), outputs=outputs), found
            except (Malformed, shared.NotSealed) as error:
                raise self.child.malformed(error) from None

    async def save(
        self,
        fd: int,
        format: str,  # noqa: A002
        *,
        data: int | None = None,
        options: dict[str, Json] | None = None,
        deadline: float = 300.0,
    ) -> Saved:
        """Write the model in another format to the empty, writable and seekable `fd`, and read it back from there.

        Both are asked the first rows of the open table `data` (random rows without one).
        """
        fields = {"format": format, "data": data, "options": options or {}}
        head, _body = await self.child.request("save", fields, fds=(fd,), deadline=deadline)
        return self.child.checked(saved_from, head)

    async def end(self) -> None:
        """Unload: end the process and wait until it is gone."""
        await self.child.end()

    async def _call(
        self, op: str, fields: Head, deadline: float, given: str | None = None, *, patience: float | None = None
    ) -> Prediction:
        begun = awake.now()
        head, _body = await self.child.request(op, fields, deadline=deadline, input=given, patience=patience)
        spent = awake.now() - begun
        return self.child.checked(lambda said: outcome_from(said, spent * 1e3), head)


def _heard(future: asyncio.Future[tuple[Head, bytes]]) -> None:
    """Nobody waits for it: how the worker ended tells more."""
    if not future.cancelled():
        future.exception()


def _options(options: ReadOptions | None) -> Head | None:
    return None if options is None else asdict(options)
