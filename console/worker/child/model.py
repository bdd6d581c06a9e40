"""The worker: holds one model and runs it on rows and tables."""

from __future__ import annotations

import mmap
import time
from typing import Any, Optional, Union

from backends.core.errors import Refusal
from backends.core.model import Model
from backends.core.source import Source
from console.worker.child import asking, calls, live_score, metrics, named_tensors, pieces, results, tracebacks, truth
from console.worker.child.answers import Answers
from console.worker.child.batching import Batching, Key
from console.worker.child.data.options import Extent, options_from
from console.worker.child.main import Answer, Request
from console.worker.child.model_service import ModelService
from console.worker.child.tables import Table
from console.worker.wire import DTYPES, TAKEN_BACK, Frame, Head, Receiver

COMPARED_ROWS = 500
TABLES_CAP = 8


class Serving(ModelService):
    """The operations of a worker; each method says what it takes from the request and what it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[int, Table] = {}
        self._truths: dict[Table, Union[truth.Truth, Refusal]] = {}
        self._batching = Batching(self._key)
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
            "call_tensors": self.call_tensors,
            "limit_batch": self.limit_batch,
            "evaluate": self.evaluate,
            "compare_rows": self.compare_rows,
            "write_outputs": self.write_outputs,
            "save": self.save,
            "export_onnx": self.export_onnx,
        }

    def hold(self, model: Model) -> Model:
        """Take this model, for which no truth was prepared yet."""
        self._truths.clear()
        return super().hold(model)

    def open_data(self, request: Request) -> Answer:
        """name, target, needs_target, options, limit, one descriptor → data (a handle), rows, columns, target, decided,
        piece.

        Meanwhile rows and share of the file are told. `piece` is how many rows may go into a call; null = all must.
        """
        fields, model = request.fields, self.loaded()
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
        asked = self.asked(request.fields)
        for name in asked:
            self.bind(name)
        return {"methods": list(asked)}, b""

    def call(self, request: Request) -> Answer:
        """data, start, stop, methods, outputs, score → rows, worker_ms, and what was asked for."""
        fields = request.fields
        table, start, stop = self.table(fields["data"]), fields.get("start") or 0, fields.get("stop")
        score = bool(fields.get("score"))
        head, found = self._called(table, start, stop, self.asked(fields), score=score)
        if fields.get("outputs", True):
            head["outputs"] = {name: calls.column(result) for name, result in found.items()}
        return head, b""

    def _called(
        self, table: Table, start: int, stop: Optional[int], asked: Any, *, score: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The answer for rows of a table but for its outputs, and those."""
        given = table.truth(start, stop) if score or "score" in asked else None
        rows = table.slice(start, stop)
        found, elapsed = self.run(rows, asked, given)
        head: dict[str, Any] = {"rows": calls.count(rows), "worker_ms": elapsed}
        if score:
            head.update(self._scored(table, start, stop, found))
        return self.with_warnings(head), found

    def _scored(self, table: Table, start: int, stop: Optional[int], found: dict[str, Any]) -> dict[str, Any]:
        """`score`, sums over the rows as `live_score` has them, and as `unscored` why there is none."""
        if "predict" not in found:
            return {"score": {}, "unscored": f"{', '.join(found)} is held against no truth"}
        try:
            return {"score": live_score.score(self._truth(table), self.loaded(), start, stop, found["predict"])}
        except Refusal as refusal:
            return {"score": {}, "unscored": str(refusal)}

    def _truth(self, table: Table) -> truth.Truth:
        """The truth of a table for this model, prepared once. Raises Refusal where answers cannot be held against it.

        A model that does not say what it answers is asked a few rows for that.
        """
        known = self._truths.get(table)
        if known is None:
            try:
                known = truth.prepared(self.loaded(), table.y, lambda _there: self._some(table))
            except Refusal as refusal:
                known = refusal
            self._truths[table] = known
        if isinstance(known, Refusal):
            raise known
        return known

    def _some(self, table: Table) -> Any:
        return asking.ask(self.loaded(), "predict", table.slice(0, COMPARED_ROWS))

    def evaluate(self, request: Request) -> Answer:
        """data, metrics, held_back → task, rows, metrics on the whole table or on its rows held back from fitting.

        The body, if there is one, has a bit for each row of the table that counts. `missing` counts the rows of those
        that have no truth and are not among `rows`; `causes` says why a metric is left out, `notes` what was decided
        about the truth, `meanings` what a metric is of; `answers` is a digest of what the model answered.
        """
        fields = request.fields
        table = self.table(fields["data"])
        answers, y = pieces.answers_of(self.loaded(), table), table.y
        if fields.get("held_back") or request.body:
            X, y = metrics.held_back(*table.both()) if fields.get("held_back") else table.both()
            X, y = metrics.marked(X, y, request.body) if request.body else (X, y)
            answers = Answers(self.loaded(), X)
        self.input = answers.X if type(answers) is Answers else None
        if self.suspect:
            self.clear(table.slice(0, COMPARED_ROWS) if self.input is None else self.input)
        found = metrics.measured(answers, y, fields.get("metrics") or ())
        head = {"task": found.task, "rows": found.rows, "missing": found.missing, "metrics": found.metrics}
        head.update(causes=found.causes, notes=found.notes, meanings=found.meanings)
        head["answers"] = metrics.digest_of(found.answers)
        return self.with_warnings(head), b""

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
        rows = self.asked_rows.typed(fields["rows"], fields.get("columns"))
        found, elapsed = self.run(rows, self.asked(fields), None)
        outputs = {name: calls.column(result) for name, result in found.items()}
        return self.with_warnings({"rows": calls.count(rows), "worker_ms": elapsed, "outputs": outputs}), b""

    def call_array(self, request: Request) -> Answer:
        """dtype, shape, methods, numbers as body or first descriptor → worker_ns, batch, arrays; answers as body.

        What is not numbers is among `values`. With a second descriptor the arrays go there instead, where they are
        written in place.
        """
        fields = request.fields
        buffer: Any = request.body
        if request.fds:
            buffer = memoryview(mmap.mmap(request.fds[0], 0, access=mmap.ACCESS_READ))
        rows = self.asked_rows.array(calls.array_from(buffer, fields["dtype"], fields["shape"]))
        found, elapsed = self.run(rows, self.asked(fields), None)
        self._learn(fields, len(rows), elapsed)
        places, arrays, values = calls.raw_arrays(found)
        head = self.with_warnings({"worker_ns": int(elapsed * 1e6), "batch": len(rows), "arrays": places})
        if values:
            head["values"] = values
        if len(request.fds) < 2:
            return head, b"".join(array.tobytes() for array in arrays)
        results.write_numbers(request.fds[1], arrays)
        return head, b""

    def call_tensors(self, request: Request) -> Answer:
        """tensors (name, dtype, shape of each in the body), texts (name, shape, values), plain, methods → as
        `call_array` answers, with outputs of any rank by their names.
        """
        fields, model = request.fields, self.loaded()
        found = named_tensors.given(fields, request.body)
        fitted = named_tensors.fitted(model.signature.takes, found, plain=bool(fields.get("plain")))
        self.phase, begun = "run", time.perf_counter_ns()
        results = named_tensors.picked(model.run(fitted), fields.get("methods") or ())
        elapsed = time.perf_counter_ns() - begun
        self.phase = "answer"
        places, arrays, values = named_tensors.sent(results)
        head = self.with_warnings({"worker_ns": elapsed, "batch": 1, "arrays": places, "values": values})
        return head, b"".join(array.tobytes() for array in arrays)

    def limit_batch(self, request: Request) -> Answer:
        """rows → nothing; requests are merged into calls of at most so many rows from now on."""
        self._batching.rows_cap = max(1, int(request.fields["rows"]))
        return {}, b""

    def next(self, receiver: Receiver) -> list[Frame]:
        """The next request, with others that one call of the model can answer."""
        return self._batching.gather(receiver)

    def together(self, requests: list[Request]) -> list[Answer]:
        """Answer array calls of one kind by one call of the model on all their rows."""
        fields = requests[0].fields
        counts = [request.fields["shape"][0] for request in requests]
        shape = (sum(counts), *fields["shape"][1:])
        numbers = calls.array_from(b"".join(request.body for request in requests), fields["dtype"], shape)
        rows = self.asked_rows.array(numbers)
        asked = self.asked(fields)
        try:
            found, elapsed = self.run(rows, asked, None)
            parts = calls.raw_parts(found, counts, int(elapsed * 1e6))
        except Refusal:
            self.row_wise -= frozenset(asked)
            raise
        self._learn(fields, shape[0], elapsed)
        return [(self.with_warnings(head), body) for head, body in parts]

    def _key(self, head: Head) -> Optional[Key]:
        """The key of an array call of row-wise methods, which may share a call; None for other requests."""
        if head.get("op") != "call_array" or "fds" in head or TAKEN_BACK in head:
            return None
        shape, dtype, asked = head.get("shape"), head.get("dtype"), head.get("methods")
        if not shape or dtype not in DTYPES or not self.row_wise.issuperset(asked or (self.default,)):
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
        head, found = self._called(table, start, fields["stop"], self.asked(fields), score=False)
        total = fields["total"] if start == 0 else None
        forms = zip(fields["forms"], request.fds)
        return {**head, "parts": {form: results.write(fd, form, found, total) for form, fd in forms}}, b""

    def save(self, request: Request) -> Answer:
        """format, data or null, options, one descriptor → what was compared and how it differs.

        The model goes into the file as it was trained, is read back from there and must answer alike.
        """
        fields, model = request.fields, self.loaded()
        X = None if fields.get("data") is None else self.table(fields["data"]).slice(0, COMPARED_ROWS)
        if self.suspect:
            self.clear(calls.zeros(model.inputs) if X is None else X)
        found = model.convert(fields["format"], request.fds[0], X, **(fields.get("options") or {}))
        return self.with_warnings(dict(found)), b""

    def export_onnx(self, request: Request) -> Answer:
        """data, origin, one descriptor → how the export compares, as `onnx_export.export` tells; its bytes go there."""
        from console.worker.child import onnx_export  # brings the converter, which few workers need

        rows = self.table(request.fields["data"]).X
        if self.suspect:
            self.clear(rows)
        origin = {str(name): str(text) for name, text in request.fields["origin"].items()}
        data, found = onnx_export.export(self.loaded(), rows, origin, lambda phase: request.event("phase", phase=phase))
        with open(request.fds[0], "wb", closefd=False) as file:
            file.write(data)
        tracebacks.drain_warnings()
        return {**found, "size": len(data)}, b""

    def table(self, handle: Any) -> Table:
        """The open table of this handle. Raises Refusal."""
        if handle not in self.tables:
            raise Refusal("protocol", f"no table {handle!r} is open in this worker")
        return self.tables[handle]
