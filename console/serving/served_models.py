"""Models in service as records: names, versions with their states and reasons, inputs and outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from backends.core.inspection import TensorSpec
from console.records import (
    NUMPY_DTYPES,
    ONE_TEXT,
    Artifact,
    Json,
    ServedModel,
    ServedState,
    ServedVersion,
    ServeSettings,
    Signature,
    Tensor,
    Verdict,
    Version,
    WorkerState,
    WorkerView,
)
from console.serving.endpoints import Endpoints
from console.serving.retained import key_of
from console.serving.supervisor import Supervisor

_STATES = {
    WorkerState.LOADING: ServedState.LOADING,
    WorkerState.WARMING: ServedState.LOADING,
    WorkerState.READY: ServedState.AVAILABLE,
    WorkerState.DRAINING: ServedState.UNLOADING,
}
_DATATYPES = {"str": "BYTES"} | {name.lower().replace("fp", "float"): name for name in NUMPY_DTYPES}
"""The datatypes of the protocol by numpy's names of dtypes."""
_KEPT_OUT = (Verdict.BLOCKED, Verdict.DAMAGED, Verdict.UNSUPPORTED)


class ServedModels:
    """Makes the records; `signature` is what is known of a model's inputs now."""

    def __init__(self, endpoints: Endpoints, signature: Callable[[str], Signature | None]) -> None:
        self._endpoints = endpoints
        self._signature = signature

    async def of(self, rows: Iterable[Artifact]) -> tuple[ServedModel, ...]:
        """The records of these artifacts. Raises OperationError where the history cannot be read."""
        rows = tuple(rows)
        found = await asyncio.to_thread(self._looked_up, rows)
        return tuple([await self._record(row, *found[row.path]) for row in rows])

    def _looked_up(self, rows: tuple[Artifact, ...]) -> dict[str, tuple[ServeSettings, str, tuple[Version, ...]]]:
        """Settings, problems and versions of them by path, as the disk has them."""
        histories = self._endpoints.histories.of([(row.path, row.digest) for row in rows])
        settings = self._endpoints.settings
        return {row.path: (*settings.of(row.path), histories[row.path]) for row in rows}

    async def _record(
        self, row: Artifact, settings: ServeSettings, problem: str, history: tuple[Version, ...]
    ) -> ServedModel:
        others = await self._endpoints.names.others(row.path, settings.name)
        view = self._endpoints.fleet.view(row.path)
        signature = self._signature(row.path) or Signature()
        methods = view.methods if view is not None and view.state is WorkerState.READY else ()
        versions = self._versions(row, settings, history)
        current = next((one for one in versions if one.current), None)
        loaded = current is not None and current.state is ServedState.AVAILABLE
        on_demand = current is not None and current.state is ServedState.START and settings.load == "demand"
        reasons = ["" if loaded or current is None else current.reason, problem, _ambiguous(settings.name, others)]
        return ServedModel(
            row.path if others else settings.name,
            row.path,
            row.format or "",
            row.model_class,
            row.verdict or "",
            settings,
            versions,
            signature,
            methods,
            inputs_of(signature),
            outputs_of(signature, methods),
            loaded or on_demand,
            "; ".join(filter(None, reasons)),
        )

    def _versions(
        self, row: Artifact, settings: ServeSettings, history: tuple[Version, ...]
    ) -> tuple[ServedVersion, ...]:
        """All of them, the newest first; what is loaded is current, whatever lies in its place by now."""
        endpoint, fleet = self._endpoints.known(row.path), self._endpoints.fleet
        in_place = next((str(one.version) for one in history if one.current), "1")
        loaded = self._endpoints.current(endpoint) if endpoint is not None and fleet.find(row.path) else None
        current = loaded or in_place
        numbers = [str(one.version) for one in history] or [current]
        digests = {str(one.version): one.digest for one in history}
        if current not in numbers:
            numbers.insert(0, current)
        rest = 1.0 - sum(settings.weights.values())
        found = []
        for number in numbers:
            is_current = number == current
            keeper, key = (fleet, row.path) if is_current else (self._endpoints.retained, key_of(row.path, number))
            state, reason, since = self._state(row, settings, keeper, key, current=is_current)
            labels = tuple(name for name, version in settings.labels.items() if str(version) == number)
            weight = settings.weights.get(number, 0.0) + (rest if is_current else 0.0)
            view = keeper.view(key)
            digest = (view.digest if view is not None else None) or digests.get(number)
            read = (None, None) if view is None else (view.memory, view.cpu)
            found.append(ServedVersion(number, state, reason, digest, is_current, labels, weight, since, *read))
        return tuple(found)

    def _state(
        self, row: Artifact, settings: ServeSettings, fleet: Supervisor, key: str, *, current: bool
    ) -> tuple[ServedState, str, float]:
        """State, why it does not answer, and since when it is so."""
        view, endpoint = fleet.view(key), self._endpoints.known(row.path)
        why = None if endpoint is None else self._endpoints.why_not(endpoint, key)
        if view is not None and view.state in _STATES:
            return _STATES[view.state], _words(view), view.since
        if view is not None:
            return ServedState.END, why.message if why else _words(view), view.since
        if why is not None:
            return ServedState.END, why.message, 0.0
        if endpoint is not None and key in endpoint.stopped:
            return ServedState.END, "it was unloaded", 0.0
        if not current:
            return ServedState.END, "it is retained, and is loaded when an operator says so", 0.0
        if row.verdict in _KEPT_OUT:
            return ServedState.END, f"it is {row.verdict}: {row.why}", 0.0
        if row.verdict is Verdict.REVIEW and not row.accepted:
            return ServedState.END, f"it needs a review before it is loaded: {row.why}", 0.0
        if settings.load == "never":
            return ServedState.END, "it is not loaded, and its recipe says never to", 0.0
        when = "the first request loads it" if settings.load == "demand" else "it is loaded as the engine begins"
        return ServedState.START, f"it is not loaded yet: {when}", 0.0


def _words(view: WorkerView) -> str:
    """Why a worker does not answer."""
    if view.state is WorkerState.READY:
        return ""
    if view.state is WorkerState.DRAINING:
        return "it is being unloaded"
    if view.state is WorkerState.ERROR:
        return "; ".join(view.notes) or "its worker ended; the errors tell why"
    return f"it is loading: {view.phase}"


def _ambiguous(name: str, others: tuple[str, ...]) -> str:
    return f"{name} is also what {', '.join(others[:3])} is called, so it answers to its path alone" if others else ""


def takes_tensors(signature: Signature) -> bool:
    """Whether its inputs are more than rows of a table, each of a type that the protocol has."""
    ranks = [len(one.shape) if one.shape is not None else 3 for one in signature.takes]
    if not ranks or (signature.n_features is not None and max(ranks) <= 2):
        return False
    return all(one.dtype in _DATATYPES for one in (*signature.takes, *signature.gives))


def _told(specs: Iterable[TensorSpec]) -> tuple[Tensor, ...]:
    """Tensors as the protocol tells them: -1 is a side of any length."""
    return tuple(Tensor(one.name, _DATATYPES[one.dtype], _sides(one)) for one in specs)


def _sides(one: TensorSpec) -> tuple[int, ...]:
    return (-1,) if one.shape is None else tuple(-1 if side is None else side for side in one.shape)


def inputs_of(signature: Signature) -> tuple[Tensor, ...]:
    """The inputs as tensors: those of a model that takes such, else one for each named column, else one for all."""
    if takes_tensors(signature):
        return _told(signature.takes)
    if signature.feature_names:
        texts = frozenset(signature.texts)
        return tuple(Tensor(name, "BYTES" if name in texts else "FP64", (-1,)) for name in signature.feature_names)
    if signature.texts:
        return (Tensor(ONE_TEXT, "BYTES", (-1,)),)
    return (Tensor("input", "FP64", (-1, signature.n_features or -1)),)


def outputs_of(signature: Signature, methods: tuple[str, ...]) -> tuple[Tensor, ...]:
    """The outputs as tensors, by method, or by name where it takes tensors."""
    if takes_tensors(signature) and signature.gives:
        return _told(signature.gives)
    wide = (signature.outputs,) if (signature.outputs or 1) > 1 else ()
    classes = len(signature.classes) if signature.classes else -1
    found = []
    for name in methods or ("predict",):
        if name == "predict":
            found.append(Tensor(name, _kind(signature.classes), (-1, *wide)))
        elif name in ("predict_proba", "predict_log_proba"):
            found.append(Tensor(name, "FP64", (-1, classes)))
        elif name == "decision_function":
            found.append(Tensor(name, "FP64", (-1,) if classes == 2 else (-1, classes)))
        elif name != "score":
            found.append(Tensor(name, "FP64", (-1, -1)))
    return tuple(found)


def _kind(classes: tuple[Json, ...] | None) -> str:
    kinds: set[Any] = {type(one) for one in classes or ()}
    if kinds == {str}:
        return "BYTES"
    return "BOOL" if kinds == {bool} else "INT64" if kinds == {int} else "FP64"
