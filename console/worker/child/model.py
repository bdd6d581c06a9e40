"""The worker: holds one model and runs it."""

from __future__ import annotations

import importlib
import time
from typing import Any, Optional

from backends import registry
from backends.base import Source
from console.worker.child import calls, tracebacks
from console.worker.child.live import library_versions, methods_of, quieten, signature_of
from console.worker.child.main import Answer, Refusal, Request, Service
from console.worker.child.metrics import evaluate, held_back
from console.worker.child.tables import Table, read_table


class Serving(Service):
    """Operations: load, open_data, close_data, call, call_rows, evaluate (each method says what it takes and gives)."""

    def __init__(self) -> None:
        super().__init__()
        self.model: Any = None
        self.phases: dict[str, float] = {}
        self.tables: dict[int, Table] = {}
        self._last_table = 0
        self.operations = {
            "load": self.load,
            "open_data": self.open_data,
            "close_data": self.close_data,
            "call": self.call,
            "call_rows": self.call_rows,
            "evaluate": self.evaluate,
        }
        tracebacks.collect_warnings()

    def load(self, request: Request) -> Answer:
        """format, at, mmap_mode, imports, one descriptor → class, methods, signature, phases, versions."""
        fields = request.fields
        self.phases = {}
        self._begin(request, "import")
        for name in fields.get("imports") or ():
            importlib.import_module(name)
        self._begin(request, "read")
        source = Source(request.fds[0], str(fields.get("name", "")))
        loaded = registry.load(source, fields["format"], fields.get("at") or "", fields.get("mmap_mode"))
        self._begin(request, "prepare")
        self.model = loaded.model
        notes = quieten(self.model)
        answer: dict[str, Any] = {
            "model_class": f"{type(self.model).__module__}.{type(self.model).__qualname__}",
            "methods": methods_of(self.model),
            "signature": signature_of(self.model),
            "library_versions": library_versions(),
        }
        self._begin(request, "")
        self.phases.update({f"read.{name}": ms for name, ms in loaded.phases.items()})
        warnings = tracebacks.drain_warnings()
        answer.update(phases=self.phases, notes=notes, warnings=warnings)
        return answer, b""

    def open_data(self, request: Request) -> Answer:
        """name, target, one descriptor → a handle, rows, columns. Raises Refusal with the differences of columns."""
        table = read_table(
            Source(request.fds[0], str(request.fields.get("name", ""))), request.fields.get("target"), self.model
        )
        self._last_table += 1
        self.tables[self._last_table] = table
        return {
            "data": self._last_table,
            "rows": table.rows,
            "columns": table.columns,
            "target": table.target,
        }, b""

    def close_data(self, request: Request) -> Answer:
        """A handle; the table is forgotten."""
        self.tables.pop(request.fields["data"], None)
        return {}, b""

    def call(self, request: Request) -> Answer:
        """data, start, stop, methods, outputs, score → worker_ms and what was asked for."""
        fields = request.fields
        table = self.table(fields["data"])
        start = fields.get("start") or 0
        stop = fields.get("stop")
        rows = table.slice(start, stop)
        truth = table.truth(start, stop) if fields.get("score") else None
        return self._run(rows, fields.get("methods") or ("predict",), fields.get("outputs", True), truth)

    def call_rows(self, request: Request) -> Answer:
        """rows, columns, methods → the same as `call`, for rows an operator typed."""
        rows = calls.typed_rows(request.fields["rows"], request.fields.get("columns"), self._loaded())
        return self._run(rows, request.fields.get("methods") or ("predict",), True, None)

    def evaluate(self, request: Request) -> Answer:
        """data, metrics, held_back → task, rows, metrics on the whole table or on its rows held back from fitting."""
        fields = request.fields
        table = self.table(fields["data"])
        X, y = table.X, table.y
        if fields.get("held_back"):
            X, y = held_back(X, y)
        self.input = X
        task, found = evaluate(self._loaded(), X, y, fields.get("metrics") or ())
        return {"task": task, "rows": calls.count(X), "metrics": found}, b""

    def describe_input(self) -> Optional[str]:
        """Kind, shape and dtypes of the rows that were being answered."""
        return None if self.input is None else calls.describe_input(self.input)

    def table(self, handle: Any) -> Table:
        """The open table of this handle. Raises Refusal."""
        if handle not in self.tables:
            raise Refusal("protocol", f"no table {handle!r} is open in this worker")
        return self.tables[handle]

    def _loaded(self) -> Any:
        if self.model is None:
            raise Refusal("protocol", "this worker holds no model yet")
        return self.model

    def _run(self, rows: Any, methods: tuple[str, ...], outputs: bool, truth: Optional[Any]) -> Answer:
        model = self._loaded()
        self.input = rows
        results: dict[str, Any] = {}
        elapsed = 0
        for name in methods:
            self.phase = name
            method = calls.method(model, name)
            begun = time.perf_counter_ns()
            results[name] = method(rows)
            elapsed += time.perf_counter_ns() - begun
        self.phase = "answer"
        head: dict[str, Any] = {"rows": calls.count(rows), "worker_ms": elapsed / 1e6}
        if outputs:
            head["outputs"] = {name: calls.column(result) for name, result in results.items()}
        if truth is not None:
            head["score"] = calls.score(truth, next(iter(results.values())))
        warnings = tracebacks.drain_warnings()
        if warnings:
            head["warnings"] = warnings
        return head, b""

    def _begin(self, request: Request, phase: str) -> None:
        """End the running phase of loading, begin the next, and say so."""
        now = time.perf_counter()
        if self.phase in ("import", "read", "prepare"):
            self.phases[self.phase] = (now - self._since) * 1e3
        self.phase, self._since = phase, now
        if phase:
            request.event("phase", phase=phase, phases=dict(self.phases))

    _since = 0.0
