"""The worker: holds one model and runs it."""

from __future__ import annotations

import importlib
import mmap
import time
from typing import Any, Optional, Union

from backends.core import registry, third_party
from backends.core.errors import Refusal
from backends.core.frozen import Frozen
from backends.core.model import Model
from backends.core.source import Source
from console.library_versions import noted
from console.worker.child import (
    asking,
    calls,
    live_score,
    metrics,
    pieces,
    proctitle,
    results,
    tracebacks,
    truth,
)
from console.worker.child.answers import Answers
from console.worker.child.batching import Batching, Key
from console.worker.child.data.options import Extent, options_from
from console.worker.child.main import Answer, Request, Service
from console.worker.child.mixed import mixed
from console.worker.child.signatures import signature_of
from console.worker.child.tables import Table
from console.worker.child.versions import library_versions
from console.worker.wire import DTYPES, Frame, Head, Receiver

COMPARED_ROWS = 500
SUSPECT_ROWS = 20
TABLES_CAP = 8


class Serving(Service):
    """The operations of a worker; each method says what it takes from the request and what it answers."""

    def __init__(self) -> None:
        super().__init__()
        third_party.allow()
        self.model: Optional[Model] = None
        self.tables: dict[int, Table] = {}
        self._truths: dict[Table, Union[truth.Truth, Refusal]] = {}
        self._batching = Batching(self._key)
        self._row_wise: frozenset[str] = frozenset()
        self._first: Optional[str] = None
        self._bound: dict[str, Any] = {}
        self._phases: dict[str, float] = {}
        self._since = 0.0
        self._suspect = False
        self._last_table = 0
        self.operations = {
            "load": self.load,
            "open_data": self.open_data,
            "close_data": self.close_data,
            "sample_rows": self.sample_rows,
            "resolve": self.resolve,
            "call": self.call,
            "call_rows": self.call_rows,
            "call_array": self.call_array,
            "evaluate": self.evaluate,
            "compare_rows": self.compare_rows,
            "write_outputs": self.write_outputs,
            "save": self.save,
            "export_onnx": self.export_onnx,
        }
        tracebacks.collect_warnings()

    def load(self, request: Request) -> Answer:
        """format, at, imports, name, label, opened → class, methods, signature, phases, versions.

        The body is the load plan; the descriptors are sealed memory and, where the plan leaves raw numbers out of it,
        the file they are mapped from. With `opened` that memory is what the file's compression held.
        """
        fields = request.fields
        proctitle.show("worker", str(fields.get("label") or ""))
        self._phases = {}
        self._begin(request, "import")
        for name in fields.get("imports") or ():
            importlib.import_module(name)
        self._begin(request, "read")
        opened = bool(fields.get("opened"))
        source = Frozen(request.fds[0], str(fields.get("name", "")), request.body, *request.fds[1:], opened=opened)
        loaded = registry.load(source, fields["format"], fields.get("at") or "")
        tracebacks.collect_warnings()
        model = self._hold(registry.named(loaded.format).model(loaded))
        methods, notes = model.methods, model.quieten()
        warnings = tracebacks.drain_warnings()
        self._suspect = bool(noted(warnings))
        self._begin(request, "warm")
        signature = signature_of(model)
        not_warmed = model.warm_up(lambda: calls.zeros(model.inputs))
        self._begin(request, "")
        tracebacks.drain_warnings()
        self._phases.update({f"read.{name}": seconds * 1e3 for name, seconds in loaded.phases.items()})
        return {
            "model_class": model.model_class,
            "methods": methods,
            "signature": signature,
            "library_versions": library_versions(),
            "written": model.written,
            "phases": self._phases,
            "notes": notes + ([not_warmed] if not_warmed else []),
            "warnings": warnings,
        }, b""

    def open_data(self, request: Request) -> Answer:
        """name, target, needs_target, options, limit, one descriptor → data (a handle), rows, columns, target, decided,
        piece.

        Meanwhile rows and share of the file are told. `piece` is how many rows may go into a call; null = all must.
        """
        fields, model = request.fields, self._loaded()
        if len(self.tables) >= TABLES_CAP:
            raise Refusal("busy", f"{TABLES_CAP} tables are open in this worker already")
        source, options = Source(request.fds[0], str(fields.get("name", ""))), options_from(fields.get("options"))
        extent = Extent(fields.get("limit"), pieces.HELD_BYTES, pieces.progress(request, source.size))
        needs = bool(fields.get("needs_target", True))
        table = pieces.open_table(source, fields.get("target"), model, options, extent, needs_target=needs)
        piece = pieces.piece_of(model, table)
        self._last_table += 1
        self.tables[self._last_table] = table
        found = {"data": self._last_table, "rows": table.rows, "columns": table.columns, "target": table.target}
        told = [] if isinstance(table, pieces.LongTable) else truth.told(model, table.y)
        decided = ", ".join(part for part in (table.decided, *told) if part) + pieces.manner(model, table, piece)
        return {**found, "decided": decided, "piece": piece, "warnings": tracebacks.drain_warnings()}, b""

    def close_data(self, request: Request) -> Answer:
        """data → nothing; the table is forgotten."""
        table = self.tables.pop(request.fields["data"], None)
        if table is not None:
            self._truths.pop(table, None)
            table.close()
        return {}, b""

    def sample_rows(self, request: Request) -> Answer:
        """data, start, count → input rows as JSON objects, and their truths or null."""
        fields = request.fields
        table, start, number = self.table(fields["data"]), int(fields["start"]), int(fields["count"])
        truths = None if table.target is None else calls.column(table.truth(start, start + number))
        return {"rows": table.sample(start, number), "truths": truths}, b""

    def resolve(self, request: Request) -> Answer:
        """methods → the methods that a call of these asks. Raises Refusal where the model has one of them not."""
        asked = self._asked(request.fields)
        for name in asked:
            self._bind(name)
        return {"methods": list(asked)}, b""

    def call(self, request: Request) -> Answer:
        """data, start, stop, methods, outputs, score → rows, worker_ms, and what was asked for."""
        fields = request.fields
        table, start, stop = self.table(fields["data"]), fields.get("start") or 0, fields.get("stop")
        score = bool(fields.get("score"))
        head, found = self._called(table, start, stop, self._asked(fields), score=score)
        if fields.get("outputs", True):
            head["outputs"] = {name: calls.column(result) for name, result in found.items()}
        return head, b""

    def _called(
        self, table: Table, start: int, stop: Optional[int], asked: Any, *, score: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The answer for rows of a table but for its outputs, and those."""
        given = table.truth(start, stop) if score or "score" in asked else None
        rows = table.slice(start, stop)
        found, elapsed = self._run(rows, asked, given)
        head: dict[str, Any] = {"rows": calls.count(rows), "worker_ms": elapsed}
        if score:
            head.update(self._scored(table, start, stop, found))
        return self._with_warnings(head), found

    def _scored(self, table: Table, start: int, stop: Optional[int], found: dict[str, Any]) -> dict[str, Any]:
        """`score`, sums over the rows as `live_score` has them, and as `unscored` why there is none."""
        if "predict" not in found:
            return {"score": {}, "unscored": f"{', '.join(found)} is held against no truth"}
        try:
            return {"score": live_score.score(self._truth(table), self._loaded(), start, stop, found["predict"])}
        except Refusal as refusal:
            return {"score": {}, "unscored": str(refusal)}

    def _truth(self, table: Table) -> truth.Truth:
        """The truth of a table for this model, prepared once. Raises Refusal where answers cannot be held against it.

        A model that does not say what it answers is asked a few rows for that.
        """
        known = self._truths.get(table)
        if known is None:
            try:
                known = truth.prepared(self._loaded(), table.y, lambda _there: self._some(table))
            except Refusal as refusal:
                known = refusal
            self._truths[table] = known
        if isinstance(known, Refusal):
            raise known
        return known

    def _some(self, table: Table) -> Any:
        return asking.ask(self._loaded(), "predict", table.slice(0, COMPARED_ROWS))

    def evaluate(self, request: Request) -> Answer:
        """data, metrics, held_back → task, rows, metrics on the whole table or on its rows held back from fitting.

        The body, if there is one, has a bit for each row of the table that counts. `missing` counts the rows of those
        that have no truth and are not among `rows`; `causes` says why a metric is left out, `notes` what was decided
        about the truth, `meanings` what a metric is of; `answers` is a digest of what the model answered.
        """
        fields = request.fields
        table = self.table(fields["data"])
        answers, y = pieces.answers_of(self._loaded(), table), table.y
        if fields.get("held_back") or request.body:
            X, y = metrics.held_back(*table.both()) if fields.get("held_back") else table.both()
            X, y = metrics.marked(X, y, request.body) if request.body else (X, y)
            answers = Answers(self._loaded(), X)
        self.input = answers.X if type(answers) is Answers else None
        if self._suspect:
            self._clear(table.slice(0, COMPARED_ROWS) if self.input is None else self.input)
        found = metrics.measured(answers, y, fields.get("metrics") or ())
        head = {"task": found.task, "rows": found.rows, "missing": found.missing, "metrics": found.metrics}
        head.update(causes=found.causes, notes=found.notes, meanings=found.meanings)
        head["answers"] = metrics.digest_of(found.answers)
        return self._with_warnings(head), b""

    def compare_rows(self, request: Request) -> Answer:
        """target, features, metric, names, options, two descriptors (training rows, hold-out) → see `overlap.compare`.

        It takes no model. Raises Refusal also for a metric that scikit-learn does not know.
        """
        from console.worker.child import overlap, scoring  # bring numpy, which not every model's interpreter has

        fields = request.fields
        if fields.get("metric"):
            scoring.refuse_unknown(str(fields["metric"]))
        train, holdout = (Source(fd, str(name)) for fd, name in zip(request.fds, fields["names"]))
        options = options_from(fields.get("options"))
        return overlap.compare(train, holdout, fields.get("target"), fields.get("features"), options)

    def call_rows(self, request: Request) -> Answer:
        """rows, columns, methods → rows, worker_ms, outputs, for rows an operator typed."""
        fields = request.fields
        rows = calls.typed_rows(fields["rows"], fields.get("columns"), self._loaded().inputs)
        found, elapsed = self._run(rows, self._asked(fields), None)
        outputs = {name: calls.column(result) for name, result in found.items()}
        return self._with_warnings({"rows": calls.count(rows), "worker_ms": elapsed, "outputs": outputs}), b""

    def call_array(self, request: Request) -> Answer:
        """dtype, shape, methods, numbers as body or first descriptor → worker_ns, arrays; answers as body.

        With a second descriptor the answers go there instead, where they are written in place.
        """
        fields = request.fields
        buffer: Any = request.body
        if request.fds:
            buffer = memoryview(mmap.mmap(request.fds[0], 0, access=mmap.ACCESS_READ))
        rows = calls.array_from(buffer, fields["dtype"], fields["shape"])
        found, elapsed = self._run(rows, self._asked(fields), None)
        self._learn(fields, len(rows), elapsed)
        places, arrays = calls.raw_arrays(found)
        head = self._with_warnings({"worker_ns": int(elapsed * 1e6), "arrays": places})
        if len(request.fds) < 2:
            return head, b"".join(array.tobytes() for array in arrays)
        results.write_numbers(request.fds[1], arrays)
        return head, b""

    def next(self, receiver: Receiver) -> list[Frame]:
        """The next request, with others that one call of the model can answer."""
        return self._batching.gather(receiver)

    def together(self, requests: list[Request]) -> list[Answer]:
        """Answer array calls of one kind by one call of the model on all their rows."""
        fields = requests[0].fields
        counts = [request.fields["shape"][0] for request in requests]
        shape = (sum(counts), *fields["shape"][1:])
        rows = calls.array_from(b"".join(request.body for request in requests), fields["dtype"], shape)
        asked = self._asked(fields)
        try:
            found, elapsed = self._run(rows, asked, None)
            parts = calls.raw_parts(found, counts, int(elapsed * 1e6))
        except Refusal:
            self._row_wise -= frozenset(asked)
            raise
        self._learn(fields, shape[0], elapsed)
        return [(self._with_warnings(head), body) for head, body in parts]

    def _key(self, head: Head) -> Optional[Key]:
        """The key of an array call of row-wise methods, which may share a call; None for other requests."""
        if head.get("op") != "call_array" or "fds" in head:
            return None
        shape, dtype, asked = head.get("shape"), head.get("dtype"), head.get("methods")
        if not shape or dtype not in DTYPES or not self._row_wise.issuperset(asked or (self._first,)):
            return None
        return tuple(asked or ()), dtype, tuple(shape[1:])

    def _learn(self, fields: Head, rows: int, elapsed_ms: float) -> None:
        """Take the cost of a call into account."""
        key = self._key(fields)
        if key is not None:
            self._batching.cost(key).learn(rows, elapsed_ms / 1e3)

    def write_outputs(self, request: Request) -> Answer:
        """data, start, stop, methods, forms, total, a descriptor for each form → rows, worker_ms, parts.

        The outputs go into the files, and `parts` tells of each form what was written; see `results`.
        """
        fields = request.fields
        table, start = self.table(fields["data"]), int(fields["start"])
        head, found = self._called(table, start, fields["stop"], self._asked(fields), score=False)
        total = fields["total"] if start == 0 else None
        forms = zip(fields["forms"], request.fds)
        return {**head, "parts": {form: results.write(fd, form, found, total) for form, fd in forms}}, b""

    def save(self, request: Request) -> Answer:
        """format, data or null, options, one descriptor → what was compared and how it differs.

        The model goes into the file as it was trained, is read back from there and must answer alike.
        """
        from backends.core.convert import convert  # brings numpy, which not every model's interpreter has

        fields, model = request.fields, self._loaded()
        X = None if fields.get("data") is None else self.table(fields["data"]).slice(0, COMPARED_ROWS)
        if self._suspect:
            self._clear(calls.zeros(model.inputs) if X is None else X)
        with model.as_trained():
            found = convert(model.fitted, fields["format"], request.fds[0], X, **(fields.get("options") or {}))
        return self._with_warnings(dict(found)), b""

    def export_onnx(self, request: Request) -> Answer:
        """data, origin, one descriptor → how the export compares, as `onnx_export.export` tells; its bytes go there."""
        from console.worker.child import onnx_export  # brings the converter, which few workers need

        rows = self.table(request.fields["data"]).X
        if self._suspect:
            self._clear(rows)
        origin = {str(name): str(text) for name, text in request.fields["origin"].items()}
        data, found = onnx_export.export(
            self._loaded(), rows, origin, lambda phase: request.event("phase", phase=phase)
        )
        with open(request.fds[0], "wb", closefd=False) as file:
            file.write(data)
        tracebacks.drain_warnings()
        return {**found, "size": len(data)}, b""

    def versions(self) -> dict[str, str]:
        """Those of the libraries that are imported."""
        return library_versions()

    def describe_input(self) -> Optional[str]:
        """Kind, shape and dtypes of the rows that were being answered, and where texts stand among their numbers."""
        if self.input is None:
            return None
        return "; ".join(filter(None, (calls.describe_input(self.input), mixed(self.input))))

    def table(self, handle: Any) -> Table:
        """The open table of this handle. Raises Refusal."""
        if handle not in self.tables:
            raise Refusal("protocol", f"no table {handle!r} is open in this worker")
        return self.tables[handle]

    def _hold(self, model: Model) -> Model:
        """Take this model in the place of the one before, which is closed."""
        if self.model is not None:
            self.model.close()
        self.model = model
        self._bound.clear()
        self._truths.clear()
        self._row_wise, self._first = model.row_wise, model.default
        return model

    def _loaded(self) -> Model:
        if self.model is None:
            raise Refusal("protocol", "this worker holds no model yet")
        return self.model

    def _asked(self, fields: dict[str, Any]) -> Any:
        """The methods to call: those named, else the first that this model has. Raises Refusal where it has none."""
        model = self._loaded()
        if fields.get("methods"):
            return fields["methods"]
        if self._first is None:
            raise model.nothing_to_call()
        return (self._first,)

    def _run(self, rows: Any, asked: Any, y: Any) -> tuple[dict[str, Any], float]:
        """Results by method, and the milliseconds spent in the model alone."""
        model, self.input = self._loaded(), rows
        if self._suspect:
            self._clear(rows)
        found: dict[str, Any] = {}
        elapsed = 0
        for name in asked:
            self.phase = name
            method = self._bound.get(name) or self._bind(name)
            given = [asking.own(one) for one in ((rows, y) if name == "score" else (rows,))]
            begun = time.perf_counter_ns()
            found[name] = asking.answered(method, given)
            elapsed += time.perf_counter_ns() - begun
            asking.check(model, name, found[name], asking.count(rows))
        self.phase = "answer"
        return found, elapsed / 1e6

    def _clear(self, rows: Any) -> None:
        """Ask a model of another version once for probabilities: where those cannot be, its labels are wrong as well.

        So are those of a model around others that are asked the same rows, as voters and boosted trees are.
        Raises Refusal then; what else goes wrong is told by the call itself.
        """
        before, self.phase = self.phase, "predict_proba"
        for part in self._loaded().receivers():
            try:
                asking.ask(part, "predict_proba", rows[:SUSPECT_ROWS])
            except Refusal as refusal:
                if refusal.code == "bad-answer":
                    raise
            except Exception:
                tracebacks.drain_warnings()
        self.phase, self._suspect = before, False

    def _bind(self, name: str) -> Any:
        """The model's method, looked up once. Raises Refusal."""
        method = self._bound[name] = self._loaded().method(name)
        return method

    def _with_warnings(self, head: dict[str, Any]) -> dict[str, Any]:
        """The head with what was warned of since the last one."""
        warnings = tracebacks.drain_warnings()
        return {**head, "warnings": warnings} if warnings else head

    def _begin(self, request: Request, phase: str) -> None:
        """End the running phase of loading, begin the next, and say so."""
        now = time.perf_counter()
        if self.phase in ("import", "read", "warm"):
            self._phases[self.phase] = (now - self._since) * 1e3
        self.phase, self._since = phase, now
        if phase:
            request.event("phase", phase=phase, phases=dict(self._phases))
