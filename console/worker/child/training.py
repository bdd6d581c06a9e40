"""The trainer: makes a candidate out of the current model and new rows, and writes it in the artifact's own format."""

from __future__ import annotations

import time
from typing import Any

from backends.core import registry
from backends.core.errors import Refusal
from backends.core.format import LoadedModel
from backends.core.frozen import Frozen
from backends.core.places import resolve
from backends.core.source import Source
from console.worker.child import calls, commands, tracebacks
from console.worker.child.answers import take
from console.worker.child.data.options import options_from
from console.worker.child.fitting import Fitted, fit, jobs_of, refuse_hazards, with_jobs
from console.worker.child.main import Answer, Request, Service
from console.worker.child.metrics import split
from console.worker.child.replace_at import replaced
from console.worker.child.rows import check_rows
from console.worker.child.tables import read_table
from console.worker.child.task import task_of
from console.worker.child.versions import library_versions


class Training(Service):
    """Operations: train, command (each method says what it takes and gives). A trainer serves one update, then ends."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = {"train": self.train, "command": self.command}
        tracebacks.collect_warnings()

    def train(self, request: Request) -> Answer:
        """format, compression, at, mode, name, target, options, hold_back; descriptors: artifact, table, candidate.

        The body is the artifact's load plan, a fourth descriptor the file of its raw numbers (as in `Serving.load`).

        Answers rows, held_back, seconds, task, decided, notes, warnings. Progress comes as events: phase, done, total.
        Raises Refusal for data or parameters that cannot be trained with, and what the model's code raises.
        """
        fields = request.fields
        artifact, table, candidate = (request.fds[position] for position in range(3))
        self._begin(request, "load")
        format_ = registry.named(fields["format"])
        if not format_.adapter:
            what = f"a model in {fields['format']} format cannot be trained again here"
            raise Refusal("bad-input", f"{what}: train what it was made from, and export that")
        root = registry.load(Frozen(artifact, "", request.body, *request.fds[3:]), fields["format"]).model
        tracebacks.collect_warnings()
        at = fields.get("at") or ""
        current = resolve(root, at)
        refuse_hazards(current)
        jobs = jobs_of(current)
        model = format_.model(LoadedModel(current, format_.name))
        notes = model.quieten()
        self._begin(request, "read")
        options = options_from(fields.get("options"))
        read = read_table(Source(table, str(fields.get("name", ""))), fields.get("target"), model, options)
        X, y, held = self._rows(read.X, read.y, bool(fields.get("hold_back")))
        self._begin(request, "check")
        task = task_of(model, y)
        X, y = check_rows(model, task, X, y)
        self._begin(request, "fit")
        self.input = X
        begun = time.perf_counter()
        fitted = self._fit(request, current, fields["mode"], X, y)
        seconds = time.perf_counter() - begun
        self._begin(request, "save")
        trained = with_jobs(fitted.model, jobs)
        registry.save(replaced(root, at, trained), fields["format"], candidate, compression=fields.get("compression"))
        return {
            "rows": calls.count(X),
            "held_back": held,
            "seconds": seconds,
            "task": task,
            "decided": read.decided,
            "notes": notes + fitted.notes,
            "warnings": tracebacks.drain_warnings(),
        }, b""

    def command(self, request: Request) -> Answer:
        """command, directory, suffix and one descriptor (candidate): run the operator's own training program.

        Answers seconds; what the program prints comes as events. When the console takes it back or is gone, the program
        ends with all that it started, and then this process. Raises Refusal when it fails or writes nothing.
        """
        fields = request.fields
        self._begin(request, "command")
        begun = time.perf_counter()
        commands.run(
            [str(part) for part in fields["command"]],
            str(fields["directory"]),
            str(fields.get("suffix") or ""),
            request.fds[0],
            lambda line: request.event("output", text=line),
            request.console,
        )
        return {"seconds": time.perf_counter() - begun}, b""

    def versions(self) -> dict[str, str]:
        """Those of the libraries that are imported."""
        return library_versions()

    def describe_input(self) -> Any:
        """Kind, shape and dtypes of the training rows."""
        return None if self.input is None else calls.describe_input(self.input)

    def _fit(self, request: Request, current: Any, mode: str, X: Any, y: Any) -> Fitted:
        def step(done: int, total: int) -> None:
            request.event("phase", phase="fit", done=done, total=total)

        return fit(current, mode, X, y, step)

    def _rows(self, X: Any, y: Any, hold_back: bool) -> tuple[Any, Any, int]:
        """The rows to fit on, and how many were held back."""
        if not hold_back:
            return X, y, 0
        rows, held = split(calls.count(X))
        if len(rows) < 2:
            raise Refusal("bad-input", f"{calls.count(X)} rows are too few to hold some back: name a hold-out file")
        return take(X, rows), None if y is None else take(y, rows), len(held)

    def _begin(self, request: Request, phase: str) -> None:
        self.phase = phase
        request.event("phase", phase=phase)
