"""A child that holds a model: loads it, asks it, and checks what it answers."""

from __future__ import annotations

import importlib
import time
from typing import Any, Optional

from backends.core import registry, third_party
from backends.core.errors import Refusal
from backends.core.frozen import Frozen
from backends.core.inputs import Inputs
from backends.core.model import Model
from console.library_versions import noted
from console.worker.child import asking, calls, proctitle, tracebacks
from console.worker.child.asked_rows import AskedRows
from console.worker.child.main import Answer, Request, Service
from console.worker.child.mixed import mixed
from console.worker.child.signatures import signature_of
from console.worker.child.versions import library_versions

SUSPECT_ROWS = 20


class ModelService(Service):
    """The model of a worker. One of another version is suspect until it was once asked for probabilities."""

    def __init__(self) -> None:
        super().__init__()
        third_party.allow()
        self.model: Optional[Model] = None
        self.asked_rows = AskedRows(Inputs())
        self.row_wise: frozenset[str] = frozenset()
        self.default: Optional[str] = None
        self.suspect = False
        self._bound: dict[str, Any] = {}
        self._phases: dict[str, float] = {}
        self._since = 0.0
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
        model = self.hold(registry.named(loaded.format).model(loaded))
        methods, notes = model.methods, model.quieten()
        warnings = tracebacks.drain_warnings()
        self.suspect = bool(noted(warnings))
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

    def versions(self) -> dict[str, str]:
        """Those of the libraries that are imported."""
        return library_versions()

    def describe_input(self) -> Optional[str]:
        """Kind, shape and dtypes of the rows that were being answered, and where texts stand among their numbers."""
        if self.input is None:
            return None
        return "; ".join(filter(None, (calls.describe_input(self.input), mixed(self.input))))

    def hold(self, model: Model) -> Model:
        """Take this model in the place of the one before, which is closed."""
        if self.model is not None:
            self.model.close()
        self.model = model
        self._bound.clear()
        self.asked_rows = AskedRows(model.inputs)
        self.row_wise, self.default = model.row_wise, model.default
        return model

    def loaded(self) -> Model:
        """The model. Raises Refusal where there is none yet."""
        if self.model is None:
            raise Refusal("protocol", "this worker holds no model yet")
        return self.model

    def asked(self, fields: dict[str, Any]) -> Any:
        """The methods to call: those named, else the first that this model has. Raises Refusal where it has none."""
        model = self.loaded()
        if fields.get("methods"):
            return fields["methods"]
        if self.default is None:
            raise model.nothing_to_call()
        return (self.default,)

    def run(self, rows: Any, asked: Any, y: Any) -> tuple[dict[str, Any], float]:
        """Results by method, and the milliseconds spent in the model alone."""
        model, self.input = self.loaded(), rows
        if self.suspect:
            self.clear(rows)
        found: dict[str, Any] = {}
        elapsed = 0
        for name in asked:
            self.phase = name
            method = self._bound.get(name) or self.bind(name)
            given = [asking.own(one) for one in ((rows, y) if name == "score" else (rows,))]
            begun = time.perf_counter_ns()
            found[name] = asking.answered(method, given)
            elapsed += time.perf_counter_ns() - begun
            asking.check(model, name, found[name], asking.count(rows))
        self.phase = "answer"
        return found, elapsed / 1e6

    def clear(self, rows: Any) -> None:
        """Ask a model of another version once for probabilities: where those cannot be, its labels are wrong as well.

        So are those of a model around others that are asked the same rows, as voters and boosted trees are.
        Raises Refusal then; what else goes wrong is told by the call itself.
        """
        before, self.phase = self.phase, "predict_proba"
        for part in self.loaded().receivers():
            try:
                asking.ask(part, "predict_proba", rows[:SUSPECT_ROWS])
            except Refusal as refusal:
                if refusal.code == "bad-answer":
                    raise
            except Exception:
                tracebacks.drain_warnings()
        self.phase, self.suspect = before, False

    def bind(self, name: str) -> Any:
        """The model's method, looked up once. Raises Refusal."""
        method = self._bound[name] = self.loaded().method(name)
        return method

    def with_warnings(self, head: dict[str, Any]) -> dict[str, Any]:
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
